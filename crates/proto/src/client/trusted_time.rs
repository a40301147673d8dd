//! Trusted time without internet: two clocks, and a floor that signed times raise.
//!
//! The floor is the latest of: `issued` of an answer to this client's own nonce, `issued` of the
//! policy, and the product's build time. It never rises above the signer's certificate end, nor, by
//! time that a host signed, to more than one day above the machine's own clock. Time the authority
//! signed in answer to this client's nonce sets it, up or down.
//!
//! | the machine's clock | what counts |
//! |---|---|
//! | at or after the floor | the machine's clock |
//! | up to 4 hours behind the floor | the floor |
//! | further behind | running time alone: leases stay good for the out-of-tolerance grace |
//!
//! A lease that was received while the two clocks differed by more than 4 hours is counted in
//! running time from its receipt, whichever clock was wrong; the next renewal decides anew. So a
//! host living in 2099 cannot poison a fleet, and a clock set back gains one grace, not a life.

use crate::limits::{CLOCK_DIFFERENCE_REPORTED_SECONDS, FLOOR_ABOVE_OWN_CLOCK_SECONDS};
use crate::rules::{Rule, holds};
use crate::time::{Span, Timestamp};

/// By how much two clocks of one pace may differ, each read in whole seconds of its own.
pub(crate) const SECONDS_BEGIN_APART: Span = Span::from_seconds(1);

/// The machine's two clocks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The machine's wall clock.
    pub wall: Timestamp,
    /// How long the machine has been running since the state was made, over all its boots. It
    /// counts on while the machine sleeps, stands still while it is off, and cannot be set.
    pub running: Span,
}

/// How the life of a lease is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// By the wall clock over the floor, and by running time from receipt: the first to end it.
    Clock,
    /// By running time from receipt alone, because the clocks differed when it was received.
    Running,
}

impl Life {
    /// How the life of what was signed at `issued` and received at `own` is counted.
    pub fn at_receipt(issued: Timestamp, own: Timestamp) -> Self {
        if issued.distance(own).seconds() > CLOCK_DIFFERENCE_REPORTED_SECONDS {
            Self::Running
        } else {
            Self::Clock
        }
    }
}

/// The highest time that answers to this client's own nonces have proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Floor(Timestamp);

impl Floor {
    /// A stored floor.
    pub const fn from_stored(at: Timestamp) -> Self {
        Self(at)
    }

    /// The time.
    pub const fn at(self) -> Timestamp {
        self.0
    }

    /// Takes in `issued` of a host's answer to this client's own nonce; `ends` is the end of the
    /// host's certificate, `own` the machine's clock. Time further above that clock than one day is
    /// not believed at all. Tells whether it was.
    pub fn raise_by_host(&mut self, issued: Timestamp, ends: Timestamp, own: Timestamp) -> bool {
        let highest = own + Span::from_seconds(FLOOR_ABOVE_OWN_CLOCK_SECONDS);
        let believed = issued <= highest || !holds(Rule::FloorBound);
        if believed {
            self.0 = self.0.max(issued.min(ends));
        }
        believed
    }

    /// Takes in the authority's time in answer to this client's own nonce: up or down.
    pub fn set_by_authority(&mut self, issued: Timestamp, ends: Timestamp) {
        self.0 = issued.min(ends);
    }

    /// The floor for one product: with its policy's `issued`, whose signer's certificate ends at
    /// `ends`, and the product's build time.
    pub fn with(self, policy_issued: Timestamp, ends: Timestamp, built: Timestamp) -> Timestamp {
        self.0.max(policy_issued.min(ends)).max(built)
    }
}

/// What the two clocks say against a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedTime {
    /// The machine's own clock.
    pub wall: Timestamp,
    /// The wall clock, or the floor where that is later.
    pub now: Timestamp,
    /// Running time.
    pub running: Span,
    /// Whether the wall clock is more than 4 hours behind the floor, so that it cannot be used.
    pub behind: bool,
}

impl TrustedTime {
    /// Judges the clocks.
    pub fn judge(clocks: Moment, floor: Timestamp) -> Self {
        Self {
            wall: clocks.wall,
            now: clocks.wall.max(floor),
            running: clocks.running,
            behind: floor.since(clocks.wall).seconds() > CLOCK_DIFFERENCE_REPORTED_SECONDS,
        }
    }

    /// How long ago a moment was: the larger of both clocks' answers, so that neither a clock set
    /// back nor a machine kept off stretches a timer. Clocks that agree but for where their seconds
    /// begin are told as the wall clock tells it, or an end would be shown now a second earlier,
    /// now a second later.
    pub fn elapsed(&self, since: Moment) -> Span {
        let wall = self.now.since(since.wall);
        let running = self.running.less(since.running);
        if running.less(wall) > SECONDS_BEGIN_APART {
            running
        } else {
            wall
        }
    }

    /// How long ago a moment was in running time alone.
    pub fn elapsed_running(&self, since: Moment) -> Span {
        self.running.less(since.running)
    }
}

/// Carries running time over from the last time it was written down.
///
/// Within one boot it grows by what the boot's own counter has grown by. After a boot it grows by
/// the time since that boot, but by no more than the wall clock says has passed, where that clock
/// went forward: state that is moved between long-running kernels does not age by their uptime.
pub fn running_now(written: &Written, boot: [u8; 16], uptime: Span, wall: Timestamp) -> Span {
    let grown = if written.boot == boot {
        uptime.less(written.uptime)
    } else if wall >= written.at.wall {
        uptime.min(wall.since(written.at.wall))
    } else {
        uptime
    };
    written.at.running + grown
}

/// When the state was last written: both clocks, and the boot they were read in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Both clocks.
    pub at: Moment,
    /// The kernel's boot id.
    pub boot: [u8; 16],
    /// That boot's own counter.
    pub uptime: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const FAR: Timestamp = Timestamp::from_seconds(4_070_908_800); // 2099

    fn day(days: u64) -> Span {
        Span::from_days(days)
    }

    #[test]
    fn a_host_living_in_2099_moves_no_floor() {
        let mut floor = Floor::from_stored(NOW);
        assert!(!floor.raise_by_host(FAR, Timestamp::MAX, NOW));
        assert_eq!(floor.at(), NOW);
        assert_eq!(Life::at_receipt(FAR, NOW), Life::Running);
    }

    #[test]
    fn a_host_raises_the_floor_to_one_day_above_the_own_clock_at_most() {
        let mut floor = Floor::default();
        assert!(floor.raise_by_host(NOW + day(1), Timestamp::MAX, NOW));
        assert_eq!(floor.at(), NOW + day(1));
        assert!(!floor.raise_by_host(NOW + day(1) + Span::from_seconds(1), Timestamp::MAX, NOW));
        assert_eq!(floor.at(), NOW + day(1));
    }

    #[test]
    fn a_host_never_lowers_the_floor_and_the_authority_does() {
        let mut floor = Floor::from_stored(NOW);
        assert!(floor.raise_by_host(NOW - day(9), Timestamp::MAX, NOW));
        assert_eq!(floor.at(), NOW);
        floor.set_by_authority(NOW - day(9), Timestamp::MAX);
        assert_eq!(floor.at(), NOW - day(9));
        floor.set_by_authority(FAR, NOW);
        assert_eq!(floor.at(), NOW, "never above the signer's certificate end");
    }

    #[test]
    fn no_signer_raises_the_floor_above_its_certificate_end() {
        let mut floor = Floor::default();
        floor.raise_by_host(NOW, NOW - day(3), NOW);
        assert_eq!(floor.at(), NOW - day(3));
        let with = floor.with(FAR, NOW + day(100), NOW - day(50));
        assert_eq!(with, NOW + day(100));
        assert_eq!(floor.with(NOW - day(9), NOW, NOW + day(2)), NOW + day(2));
    }

    #[test]
    fn a_clock_rules_down_to_four_hours_behind_the_floor() {
        let at = |wall| {
            let clocks = Moment {
                wall,
                running: Span::ZERO,
            };
            TrustedTime::judge(clocks, NOW)
        };
        assert!(!at(NOW + day(1)).behind);
        assert_eq!(at(NOW - Span::from_hours(4)).now, NOW);
        assert!(!at(NOW - Span::from_hours(4)).behind);
        assert!(at(NOW - Span::from_hours(4) - Span::from_seconds(1)).behind);
        assert!(at(NOW - day(3_650)).behind);
    }

    #[test]
    fn seconds_that_begin_apart_move_no_end() {
        let since = Moment {
            wall: NOW,
            running: day(10),
        };
        let elapsed = |wall, running| {
            let clocks = Moment {
                wall: NOW + Span::from_seconds(wall),
                running: day(10) + Span::from_seconds(running),
            };
            TrustedTime::judge(clocks, NOW).elapsed(since).seconds()
        };
        assert_eq!([elapsed(7, 7), elapsed(7, 8), elapsed(8, 7)], [7, 7, 8]);
        assert_eq!(elapsed(7, 9), 9, "a clock set back gains nothing");
        assert_eq!(elapsed(0, 9), 9);
    }

    #[test]
    fn running_time_is_carried_over_boots() {
        let written = Written {
            at: Moment {
                wall: NOW,
                running: day(10),
            },
            boot: [1; 16],
            uptime: day(2),
        };
        let same = running_now(&written, [1; 16], day(3), NOW - day(3_650));
        assert_eq!(same, day(11), "the wall clock does not matter in one boot");
        let next = running_now(&written, [2; 16], day(1), NOW + day(5));
        assert_eq!(next, day(11));
        let moved = running_now(&written, [2; 16], day(300), NOW + day(1));
        assert_eq!(moved, day(11), "moved to a kernel that runs for long");
        let set_back = running_now(&written, [2; 16], day(4), NOW - day(3_650));
        assert_eq!(set_back, day(14));
    }
}
