//! The kinds of faults, by name, and how often each strikes a world.

use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Messages are lost, now and then in a storm.
    Loss,
    /// Messages come late, also after nobody waits for them any more.
    Delay,
    /// Asks that somebody recorded are delivered again, up to 40 days later.
    Replay,
    /// Some machines cannot reach some hosts, for minutes to 200 days.
    Partition,
    /// A host fails: at once, before its store commits an ask, or before it answers what was
    /// committed.
    HostCrash,
    /// A host is down for long.
    HostDown,
    /// A store is set back to a backup.
    StoreRestore,
    /// A host's clock is set wrong.
    HostClock,
    /// A host loses its keys and is installed anew, on the same hardware or on other.
    HostReinstall,
    /// A host's keys are set back to an older backup.
    HostRollback,
    /// The publisher revokes a host.
    HostRevoked,
    /// The publisher revokes an issuing key.
    IssuingRevoked,
    /// A client machine fails: at once or at a write of its files.
    ClientCrash,
    /// A client machine is switched off for hours to months.
    ClientOff,
    /// A client machine's clock is set wrong.
    ClientClock,
    /// A client's state file is lost.
    ClientStateLost,
    /// A client machine is copied with both files.
    Clone,
    /// A client machine's files are set back to an older backup.
    ClientRollback,
    /// Somebody installs a policy that an older product came with.
    OldPolicy,
    /// DNS names no host, hosts of long ago, or nothing at all.
    Dns,
    /// An authority answers nobody for a while.
    AuthorityDown,
    /// An authority fails while it certifies.
    AuthorityCrash,
    /// A publisher changes a policy.
    PolicyChange,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 23] = [
        Fault::Loss,
        Fault::Delay,
        Fault::Replay,
        Fault::Partition,
        Fault::HostCrash,
        Fault::HostDown,
        Fault::StoreRestore,
        Fault::HostClock,
        Fault::HostReinstall,
        Fault::HostRollback,
        Fault::HostRevoked,
        Fault::IssuingRevoked,
        Fault::ClientCrash,
        Fault::ClientOff,
        Fault::ClientClock,
        Fault::ClientStateLost,
        Fault::Clone,
        Fault::ClientRollback,
        Fault::OldPolicy,
        Fault::Dns,
        Fault::AuthorityDown,
        Fault::AuthorityCrash,
        Fault::PolicyChange,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Replay => "replay",
            Self::Partition => "partition",
            Self::HostCrash => "host-crash",
            Self::HostDown => "host-down",
            Self::StoreRestore => "store-restore",
            Self::HostClock => "host-clock",
            Self::HostReinstall => "host-reinstall",
            Self::HostRollback => "host-rollback",
            Self::HostRevoked => "host-revoked",
            Self::IssuingRevoked => "issuing-revoked",
            Self::ClientCrash => "client-crash",
            Self::ClientOff => "client-off",
            Self::ClientClock => "client-clock",
            Self::ClientStateLost => "client-state-lost",
            Self::Clone => "clone",
            Self::ClientRollback => "client-rollback",
            Self::OldPolicy => "old-policy",
            Self::Dns => "dns",
            Self::AuthorityDown => "authority-down",
            Self::AuthorityCrash => "authority-crash",
            Self::PolicyChange => "policy-change",
        }
    }

    /// How many hours pass between two of them on average, in a world of middling weather.
    pub(crate) const fn every_hours(self) -> u64 {
        match self {
            Self::ClientCrash => 36,
            Self::HostCrash => 72,
            Self::Loss | Self::Delay | Self::Replay | Self::ClientClock => 96,
            Self::Dns | Self::ClientOff => 144,
            Self::OldPolicy => 240,
            Self::AuthorityDown | Self::AuthorityCrash | Self::HostReinstall => 480,
            Self::HostClock | Self::Partition => 600,
            Self::HostDown | Self::ClientStateLost => 960,
            Self::Clone | Self::ClientRollback => 960,
            Self::StoreRestore | Self::HostRollback | Self::PolicyChange => 1_440,
            Self::HostRevoked => 2_880,
            Self::IssuingRevoked => 5_760,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|fault| fault.name() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|fault| fault.name()).collect();
            format!(
                "no fault is called {text:?}; there are: {}",
                names.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn every_fault_is_read_by_its_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse::<Fault>(), Ok(fault));
        }
        assert!("meteor".parse::<Fault>().is_err());
    }
}
