//! The host's own records in DNS: written at start and daily, withdrawn only by `retire`.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use muster_net::dns::update::{self, HostRecords};
use muster_net::dns::{Resolver, TsigKey, check_name};
use muster_proto::Refusal;
use muster_proto::host::{Made, Round};
use muster_proto::reason::{config, kms as reasons};
use muster_proto::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A zone to stand in: `ZONE[,PRIORITY[,WEIGHT]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The zone's name.
    pub name: String,
    /// The SRV record's priority (RFC 2782): lower ones are asked first.
    pub priority: u16,
    /// The SRV record's weight: the share among hosts of one priority.
    pub weight: u16,
}

impl FromStr for Zone {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refuse = || {
            let detail = format!("{text:?}: write ZONE, ZONE,PRIORITY or ZONE,PRIORITY,WEIGHT");
            Refusal::new(config::MISUSED, detail)
        };
        let mut parts = text.split(',').map(str::trim);
        let name = check_name(parts.next().unwrap_or_default())
            .map_err(|refusal| Refusal::new(config::MISUSED, refusal.detail))?;
        let mut number = || match parts.next() {
            None => Ok(0),
            Some(part) => part.parse().map_err(|_| refuse()),
        };
        let zone = Self {
            priority: number()?,
            weight: number()?,
            name,
        };
        if parts.next().is_some() {
            return Err(refuse());
        }
        Ok(zone)
    }
}

/// How the host stands in DNS.
#[derive(Clone, Default)]
pub struct DnsOptions {
    /// Servers to update; empty: each zone's own, found through the system's resolver.
    pub servers: Vec<SocketAddr>,
    /// The zones.
    pub zones: Vec<Zone>,
    /// The TSIG key; without one nothing is updated.
    pub key: Option<TsigKey>,
    /// The host's name; one without a dot is taken within each zone.
    pub host_name: String,
    /// Addresses to register for that name too.
    pub addresses: Vec<IpAddr>,
}

/// What became of the last update of one zone.
///
/// *Warning:* this type is used in stored state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ZoneStatus {
    /// The zone.
    pub zone: String,
    /// `published`, `withdrawn` or `failed`.
    pub state: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// When the records were last published, in seconds since 1970.
    #[serde(default)]
    pub published_at: Option<u64>,
    /// The reason of a failure.
    pub reason: Option<String>,
    /// The whole message of a failure.
    pub message: Option<String>,
    /// Target and port of the SRV record that this host has in the zone, as far as it knows.
    #[serde(default)]
    pub written: Option<(String, u16)>,
    /// When the service tries or refreshes it next, in seconds since 1970; it has not run since a
    /// command withdrew the records where there is none.
    #[serde(default)]
    pub next: Option<u64>,
}

impl ZoneStatus {
    /// Whether records may stand; a status of an earlier release tells it by its state alone.
    pub(crate) fn may_stand(&self) -> bool {
        self.written.is_some() || self.state == PUBLISHED
    }
}

/// The state of a zone in which the host's records stand.
const PUBLISHED: &str = "published";

/// What to do to the records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// They stand.
    Published,
    /// They are gone.
    Withdrawn,
}

impl DnsOptions {
    /// The records of this host in a zone. Its addresses stand in the zones that hold its name;
    /// where none does, they are left in, and refused with that reason.
    pub fn records(&self, zone: &Zone, port: u16) -> HostRecords {
        let target = self.target(zone);
        let named_elsewhere = !zone.holds(&target)
            && self
                .zones
                .iter()
                .any(|other| other.holds(&self.target(other)));
        HostRecords {
            target,
            port,
            priority: zone.priority,
            weight: zone.weight,
            addresses: if named_elsewhere {
                Vec::new()
            } else {
                self.addresses.clone()
            },
            former: None,
        }
    }

    fn target(&self, zone: &Zone) -> String {
        let name = self.host_name.trim_end_matches('.').to_ascii_lowercase();
        if name.contains('.') {
            name
        } else {
            format!("{name}.{}", zone.name)
        }
    }

    /// Zone-file lines for zones that are kept by hand.
    pub fn lines(&self, port: u16) -> Result<Vec<String>, Refusal> {
        let mut lines = Vec::new();
        for zone in &self.zones {
            lines.extend(self.records(zone, port).lines(&zone.name)?);
        }
        Ok(lines)
    }

    /// Writes the records of every zone and says when they are to be written next.
    pub(crate) async fn publish(
        &self,
        port: u16,
        before: &[ZoneStatus],
        now: Timestamp,
    ) -> (Vec<ZoneStatus>, Made) {
        let mut zones = self.update(Wanted::Published, port, before, now).await;
        let made = Made {
            at: now,
            is_done: zones.iter().all(|zone| zone.message.is_none()),
        };
        let next = Round::REGISTRATION.due(now, Some(made)).seconds();
        zones.iter_mut().for_each(|zone| zone.next = Some(next));
        (zones, made)
    }

    /// Updates every zone; one that fails does not keep the others from being updated. `before` is
    /// what became of the updates before: by it the host knows its own records again.
    pub async fn update(
        &self,
        wanted: Wanted,
        port: u16,
        before: &[ZoneStatus],
        now: Timestamp,
    ) -> Vec<ZoneStatus> {
        let mut outcomes = Vec::new();
        for zone in &self.zones {
            let before = before.iter().find(|before| before.zone == zone.name);
            let mut records = self.records(zone, port);
            records.former = before.and_then(|before| before.written.clone());
            let outcome = self.update_zone(zone, wanted, &records).await;
            outcomes.push(tell(zone, wanted, records, outcome, now));
        }
        outcomes
    }

    async fn update_zone(
        &self,
        zone: &Zone,
        wanted: Wanted,
        records: &HostRecords,
    ) -> Result<(), Refusal> {
        let Some(key) = &self.key else {
            let detail = format!("zone {}: --tsig-key FILE is needed to update it", zone.name);
            return Err(Refusal::new(reasons::NO_TSIG_KEY, detail));
        };
        let servers = if self.servers.is_empty() {
            Resolver::system()?.zone_servers(&zone.name).await?
        } else {
            self.servers.clone()
        };
        match wanted {
            Wanted::Published => update::register(&servers, &zone.name, key, records).await,
            Wanted::Withdrawn => update::withdraw(&servers, &zone.name, key, records).await,
        }
    }
}

impl Zone {
    /// Whether a name in lower case lies in the zone.
    fn holds(&self, name: &str) -> bool {
        let above = name.strip_suffix(self.name.as_str());
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }
}

fn tell(
    zone: &Zone,
    wanted: Wanted,
    records: HostRecords,
    outcome: Result<(), Refusal>,
    now: Timestamp,
) -> ZoneStatus {
    let (done, written) = match wanted {
        Wanted::Published => (PUBLISHED, Some((records.target, records.port))),
        Wanted::Withdrawn => ("withdrawn", None),
    };
    let failure = outcome.err();
    match &failure {
        None => tracing::info!(zone = zone.name, state = done, "DNS records"),
        Some(refusal) => {
            tracing::warn!(
                zone = zone.name,
                code = refusal.reason.code(),
                "DNS: {refusal}"
            );
        }
    }
    let is_done = failure.is_none();
    ZoneStatus {
        zone: zone.name.clone(),
        state: if is_done { done } else { "failed" }.to_owned(),
        at: now.seconds(),
        published_at: (is_done && wanted == Wanted::Published).then(|| now.seconds()),
        reason: failure
            .as_ref()
            .map(|refusal| refusal.reason.code().to_owned()),
        message: failure.map(|refusal| refusal.to_string()),
        written: if is_done { written } else { records.former },
        next: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read() {
        let zone = |text: &str| text.parse::<Zone>();
        let full = Zone {
            name: "corp.test".into(),
            priority: 10,
            weight: 20,
        };
        assert_eq!(zone("Corp.Test.,10,20").unwrap(), full);
        assert_eq!(
            zone("corp.test").unwrap(),
            Zone {
                priority: 0,
                weight: 0,
                ..full
            }
        );
        for wrong in [
            "",
            ",1",
            ".",
            "corp test",
            "corp..test",
            "corp.test,x",
            "corp.test,70000",
            "corp.test,1,2,3",
        ] {
            assert_eq!(zone(wrong).unwrap_err().reason, config::MISUSED, "{wrong}");
        }
    }

    #[test]
    fn a_short_host_name_stands_within_each_zone() {
        let options = DnsOptions {
            host_name: "kms".into(),
            ..DnsOptions::default()
        };
        let zone = "corp.test".parse().unwrap();
        assert_eq!(options.records(&zone, 1688).target, "kms.corp.test");
        let full = DnsOptions {
            host_name: "KMS.other.test.".into(),
            ..options
        };
        assert_eq!(full.records(&zone, 1688).target, "kms.other.test");
    }

    #[test]
    fn addresses_stand_in_the_zones_that_hold_the_name() {
        let zones = ["corp.test", "branch.test", "rp.test"].map(|zone| zone.parse().unwrap());
        let mut options = DnsOptions {
            zones: zones.to_vec(),
            host_name: "kms.corp.test".into(),
            addresses: vec!["192.0.2.1".parse().unwrap()],
            ..DnsOptions::default()
        };
        let counts = |options: &DnsOptions| {
            zones
                .each_ref()
                .map(|zone| options.records(zone, 1688).addresses.len())
        };
        assert_eq!(counts(&options), [1, 0, 0]);
        options.host_name = "kms".into();
        assert_eq!(counts(&options), [1, 1, 1], "a name in each zone");
        options.host_name = "kms.elsewhere.test".into();
        assert_eq!(
            counts(&options),
            [1, 1, 1],
            "in none: each zone refuses them"
        );
    }
}
