//! The clocks as the client needs them: wall time, and the boot's own counter. Tests and
//! simulations bring their own.

use muster_machine::Machine;
use muster_proto::client::trusted_time::{Moment, Written, running_now};
use muster_proto::crypto::sha256;
use muster_proto::time::{Span, Timestamp};

/// Where the client gets its time from.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn wall(&self) -> Timestamp;

    /// The running boot.
    fn boot(&self) -> Boot;
}

/// A boot of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// An id that no other boot has.
    pub id: [u8; 16],
    /// Time since it began, sleep included.
    pub uptime: Span,
}

/// The machine's own clocks, whatever `--sysroot` says.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn wall(&self) -> Timestamp {
        muster_machine::clock::now()
    }

    fn boot(&self) -> Boot {
        let id = Machine::real().boot_id().unwrap_or_default();
        let mut boot = Boot {
            id: [0; 16],
            uptime: muster_machine::clock::since_boot().unwrap_or_default(),
        };
        boot.id.copy_from_slice(&sha256(id.as_bytes())[..16]);
        boot
    }
}

/// Both clocks now, running time carried on from when it was written down.
pub(crate) fn moment(clock: &dyn Clock, written: &Written) -> Moment {
    let (wall, boot) = (clock.wall(), clock.boot());
    Moment {
        wall,
        running: running_now(written, boot.id, boot.uptime, wall),
    }
}

/// What to write down now.
#[cfg(feature = "ask")]
pub(crate) fn written(clock: &dyn Clock, before: &Written) -> Written {
    let (wall, boot) = (clock.wall(), clock.boot());
    Written {
        at: Moment {
            wall,
            running: running_now(before, boot.id, boot.uptime, wall),
        },
        boot: boot.id,
        uptime: boot.uptime,
    }
}
