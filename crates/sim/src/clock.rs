//! The clocks of a simulated machine: one on the wall, which drifts and is set, and the time since
//! its boot, which nobody sets.

use muster_proto::client::trusted_time::{Moment, Written, running_now};
use muster_proto::crypto::sha256;
use muster_proto::host::ClockReference;
use muster_proto::time::{Span, Timestamp};

/// When every world begins, in true time.
pub(crate) const START: u64 = 1_800_000_000;

/// Parts of a million.
const MILLION: i64 = 1_000_000;

/// One machine's clocks. Every method takes the true time, in seconds.
#[derive(Clone, Debug)]
pub(crate) struct NodeClock {
    /// Tells this machine's boots from all others.
    node: u64,
    set_at: u64,
    shown: i64,
    drift: i64,
    boots: u64,
    booted: u64,
}

impl NodeClock {
    /// A clock that is right and drifts by so many parts of a million.
    pub(crate) fn new(node: u64, drift: i64, now: u64) -> Self {
        Self {
            node,
            set_at: now,
            shown: signed(now),
            drift,
            boots: 0,
            booted: now,
        }
    }

    /// What the wall clock shows.
    pub(crate) fn wall(&self, now: u64) -> Timestamp {
        let passed = signed(now.saturating_sub(self.set_at));
        let shown = self.shown + passed + passed * self.drift / MILLION;
        Timestamp::from_seconds(u64::try_from(shown).unwrap_or(0))
    }

    /// How far the wall clock is from the true time, in seconds: positive when it is ahead.
    pub(crate) fn error(&self, now: u64) -> i64 {
        signed(self.wall(now).seconds()) - signed(now)
    }

    /// Moves the wall clock.
    pub(crate) fn step(&mut self, now: u64, by: i64) {
        self.shown = (signed(self.wall(now).seconds()) + by).max(0);
        self.set_at = now;
    }

    /// Sets the wall clock right.
    pub(crate) fn correct(&mut self, now: u64) {
        self.shown = signed(now);
        self.set_at = now;
    }

    /// A copy of this machine's clock in another machine.
    pub(crate) fn of_another(&self, node: u64, drift: i64, now: u64) -> Self {
        Self {
            node,
            set_at: now,
            shown: signed(self.wall(now).seconds()),
            drift,
            boots: 0,
            booted: now,
        }
    }

    /// When the present boot began.
    pub(crate) fn booted(&self) -> u64 {
        self.booted
    }

    /// The machine starts anew.
    pub(crate) fn boot(&mut self, now: u64) {
        self.boots += 1;
        self.booted = now;
    }

    /// The time since the last start.
    pub(crate) fn uptime(&self, now: u64) -> Span {
        Span::from_seconds(now.saturating_sub(self.booted))
    }

    /// The id of the present boot.
    pub(crate) fn boot_id(&self) -> [u8; 16] {
        let digest = sha256(format!("boot {} of {}", self.boots, self.node).as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        id
    }

    /// Both clocks as a client reads them.
    pub(crate) fn moment(&self, written: &Written, now: u64) -> Moment {
        let wall = self.wall(now);
        Moment {
            wall,
            running: running_now(written, self.boot_id(), self.uptime(now), wall),
        }
    }

    /// What a client writes down of its clocks.
    pub(crate) fn written(&self, before: &Written, now: u64) -> Written {
        Written {
            at: self.moment(before, now),
            boot: self.boot_id(),
            uptime: self.uptime(now),
        }
    }

    /// Both clocks as a host notes them.
    pub(crate) fn reference(&self, now: u64) -> ClockReference {
        ClockReference {
            wall: self.wall(now),
            since_boot: self.uptime(now),
            boot_id: self.boot_id(),
        }
    }
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).expect("times end in the year 9999")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_drifts_and_is_set_and_the_boots_counter_is_not() {
        let mut clock = NodeClock::new(1, 100, START);
        assert_eq!(clock.wall(START + 1_000_000).seconds(), START + 1_000_100);
        clock.step(START + 1_000_000, -400);
        assert_eq!(clock.error(START + 1_000_000), -300);
        assert_eq!(clock.uptime(START + 10), Span::from_seconds(10));
        let first = clock.boot_id();
        clock.boot(START + 20);
        assert_ne!(clock.boot_id(), first);
        assert_eq!(clock.uptime(START + 25), Span::from_seconds(5));
        clock.correct(START + 2_000_000);
        assert_eq!(clock.error(START + 2_000_000), 0);
    }
}
