//! When a client asks: the renewal interval while everything is licensed, the retry interval else,
//! each with 10 % of jitter either way, so that a fleet never asks at once.
//!
//! The host's intervals hold within the bounds of the policy: 15 minutes to 30 days, and never
//! longer than the policy's lease validity.

use crate::limits::{INTERVAL_SECONDS_MAX, INTERVAL_SECONDS_MIN, JITTER_PERCENT};
use crate::rules::{Rule, holds};
use crate::statement::policy::Policy;
use crate::time::{Span, Timestamp};

use super::trusted_time::{Moment, SECONDS_BEGIN_APART};

/// The two intervals of one publisher's asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// While every product is licensed.
    pub renewal: Span,
    /// While one is not, and after a renewal that failed.
    pub retry: Span,
}

impl Default for Intervals {
    /// The numbers page's: 7 days and 2 hours; used while no policy is held.
    fn default() -> Self {
        Self {
            renewal: Span::from_days(7),
            retry: Span::from_hours(2),
        }
    }
}

impl Intervals {
    /// The policy's own.
    pub fn of_policy(policy: &Policy) -> Self {
        Self {
            renewal: clamp(policy.renewal),
            retry: clamp(policy.retry),
        }
    }

    /// The host's, within the bounds of a policy.
    pub fn of_host(renewal: Span, retry: Span, policy: &Policy) -> Self {
        Self {
            renewal: clamp(renewal.min(policy.validity)),
            retry: clamp(retry.min(policy.validity)),
        }
    }

    /// An interval within the bounds that hold for every policy.
    pub fn clamped(interval: Span) -> Span {
        clamp(interval)
    }

    /// The shorter of each: several products of one publisher share their asks.
    pub fn shorter(self, other: Self) -> Self {
        Self {
            renewal: self.renewal.min(other.renewal),
            retry: self.retry.min(other.retry),
        }
    }
}

/// What the last ask came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every product is licensed by an answer just stored.
    Renewed,
    /// A product is not licensed, or no host answered.
    NotYet,
    /// A new key was made: its ask follows at once.
    NewKey,
}

/// How long to wait until the next ask; `random` is any number, all equally likely.
pub fn wait(outcome: Outcome, intervals: Intervals, random: u32) -> Span {
    match outcome {
        Outcome::Renewed => with_jitter(intervals.renewal, random),
        Outcome::NotYet => with_jitter(intervals.retry, random),
        Outcome::NewKey => Span::ZERO,
    }
}

/// The moment `wait` after `now`, on both clocks.
pub fn after(now: Moment, wait: Span) -> Moment {
    Moment {
        wall: now.wall + wait,
        running: now.running + wait,
    }
}

/// Whether a moment has come: by either clock, so that a clock set back ten years puts no ask off
/// for ten years.
pub fn is_due(next: Moment, now: Moment) -> bool {
    now.wall >= next.wall || now.running >= next.running
}

/// How long until a moment has come, on the clock that gets there first.
pub fn until(next: Moment, now: Moment) -> Span {
    next.wall
        .since(now.wall)
        .min(next.running.less(now.running))
}

/// When to show that a moment comes, as a time of the wall clock: the same at each look while the
/// clocks agree but for where their seconds begin.
pub fn shown(next: Moment, now: Moment) -> Timestamp {
    let (first, by_wall) = (until(next, now), next.wall.since(now.wall));
    if by_wall.less(first) > SECONDS_BEGIN_APART {
        now.wall + first
    } else {
        now.wall + by_wall
    }
}

/// 90 % to 110 % of an interval, within the bounds.
fn with_jitter(interval: Span, random: u32) -> Span {
    if !holds(Rule::Jitter) {
        return clamp(interval);
    }
    let width = interval.seconds() * 2 * JITTER_PERCENT / 100;
    let offset = (u128::from(random) * u128::from(width + 1)) >> 32;
    let offset = u64::try_from(offset).expect("a share of the width is no larger than it");
    clamp(Span::from_seconds(interval.seconds() - width / 2 + offset))
}

fn clamp(span: Span) -> Span {
    Span::from_seconds(
        span.seconds()
            .clamp(INTERVAL_SECONDS_MIN, INTERVAL_SECONDS_MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::policy::ProductKind;

    fn policy() -> Policy {
        let product = "cad".parse().unwrap();
        Policy::new(product, "CAD", ProductKind::Client, Timestamp::default())
    }

    #[test]
    fn jitter_is_ten_percent_either_way_and_stays_within_bounds() {
        let week = Intervals::default();
        let at = |random| wait(Outcome::Renewed, week, random).seconds();
        assert_eq!(at(0), 604_800 * 9 / 10);
        assert_eq!(at(u32::MAX), 604_800 * 11 / 10);
        let middle = at(u32::MAX / 2).abs_diff(604_800);
        assert!(middle <= 1, "{middle}");
        let edge = |seconds: u64, random| {
            let intervals = Intervals {
                renewal: Span::from_seconds(seconds),
                retry: Span::from_seconds(seconds),
            };
            wait(Outcome::NotYet, intervals, random).seconds()
        };
        assert_eq!(edge(INTERVAL_SECONDS_MIN, 0), INTERVAL_SECONDS_MIN);
        assert_eq!(edge(INTERVAL_SECONDS_MAX, u32::MAX), INTERVAL_SECONDS_MAX);
    }

    #[test]
    fn the_hosts_intervals_hold_within_the_policys_bounds() {
        let mut policy = policy();
        let of = |renewal, retry, policy: &Policy| {
            let found = Intervals::of_host(
                Span::from_seconds(renewal),
                Span::from_seconds(retry),
                policy,
            );
            (found.renewal.seconds(), found.retry.seconds())
        };
        assert_eq!(of(1, 0, &policy), (900, 900));
        assert_eq!(of(u64::MAX, u64::MAX, &policy), (2_592_000, 2_592_000));
        policy.validity = Span::from_days(3);
        assert_eq!(of(604_800, 3_600, &policy), (259_200, 3_600));
    }

    #[test]
    fn a_failed_renewal_is_tried_again_at_the_retry_interval() {
        let found = wait(Outcome::NotYet, Intervals::default(), 1 << 31);
        assert_eq!(found, Span::from_hours(2));
        assert_eq!(wait(Outcome::NewKey, Intervals::default(), 7), Span::ZERO);
    }

    #[test]
    fn a_clock_set_back_puts_no_ask_off() {
        let now = Moment {
            wall: Timestamp::from_seconds(1_800_000_000),
            running: Span::from_days(4),
        };
        let next = after(now, Span::from_days(7));
        let set_back = Moment {
            wall: Timestamp::from_seconds(1_500_000_000),
            running: Span::from_days(11),
        };
        assert!(is_due(next, set_back) && !is_due(next, now));
        assert_eq!(until(next, now), Span::from_days(7));
        let later = Moment {
            running: Span::from_days(5),
            ..set_back
        };
        assert_eq!(until(next, later), Span::from_days(6));
        assert_eq!(shown(next, later), later.wall + Span::from_days(6));
    }

    #[test]
    fn a_moment_is_shown_the_same_whichever_second_begins_first() {
        let at = |wall: u64, running: u64| Moment {
            wall: Timestamp::from_seconds(1_800_000_000 + wall),
            running: Span::from_seconds(400_000 + running),
        };
        let next = after(at(0, 0), Span::from_days(7));
        for (wall, running) in [(9, 9), (9, 10), (10, 9)] {
            assert_eq!(shown(next, at(wall, running)), next.wall);
        }
        assert_ne!(shown(next, at(9, 11)), next.wall, "the clock was set back");
    }
}
