//! How fast new identities may come from one source: a token bucket each, in bounded memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{LIMITER_SOURCES_MAX, NEW_IDENTITIES_PER_SOURCE_HOUR};
use crate::time::Timestamp;

use super::facts::Source;

/// A token is this many parts, so that refilling by the second is exact.
const PARTS: u64 = 3_600;

/// Token buckets of an hour's allowance each. A source that was never seen, or was forgotten, has a
/// full one.
#[derive(Clone, Debug)]
pub struct Limiter {
    per_hour: u32,
    sources_max: usize,
    buckets: BTreeMap<Source, Bucket>,
    /// The same sources by when they were last charged: the idlest is forgotten first.
    by_time: BTreeSet<(Timestamp, Source)>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Parts of tokens that are spent.
    spent: u64,
    at: Timestamp,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new(NEW_IDENTITIES_PER_SOURCE_HOUR, LIMITER_SOURCES_MAX)
    }
}

impl Limiter {
    /// A limiter that lets `per_hour` new identities of each source through in an hour and
    /// remembers at most `sources_max` sources.
    pub fn new(per_hour: u32, sources_max: usize) -> Self {
        Self {
            per_hour,
            sources_max: sources_max.max(1),
            buckets: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }

    /// Changes the allowance from now on; what has been spent stays spent.
    pub fn set_per_hour(&mut self, per_hour: u32) {
        self.per_hour = per_hour;
    }

    /// Identities of one source let through in an hour.
    pub fn per_hour(&self) -> u32 {
        self.per_hour
    }

    /// Sources remembered.
    pub fn sources(&self) -> usize {
        self.buckets.len()
    }

    /// Charges one new identity to a source; false when its allowance is spent.
    pub fn admit(&mut self, source: Source, now: Timestamp) -> bool {
        let before = self.buckets.get(&source).copied();
        let spent = before.map_or(0, |bucket| self.left_to_repay(bucket, now));
        if spent + PARTS > u64::from(self.per_hour) * PARTS {
            return false;
        }
        if let Some(bucket) = before {
            self.by_time.remove(&(bucket.at, source));
        } else if self.buckets.len() >= self.sources_max {
            self.forget_idlest();
        }
        // A clock that was set back a little must not give the same hour twice.
        let at = before.map_or(now, |bucket| bucket.at.max(now));
        let spent = spent + PARTS;
        self.buckets.insert(source, Bucket { spent, at });
        self.by_time.insert((at, source));
        true
    }

    /// What is still spent after the time that has passed.
    fn left_to_repay(&self, bucket: Bucket, now: Timestamp) -> u64 {
        let earned = now
            .since(bucket.at)
            .seconds()
            .saturating_mul(u64::from(self.per_hour));
        bucket.spent.saturating_sub(earned)
    }

    fn forget_idlest(&mut self) {
        if let Some((_, source)) = self.by_time.pop_first() {
            self.buckets.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::V4([192, 0, 2, last])
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds)
    }

    fn admitted(limiter: &mut Limiter, tries: usize, now: Timestamp) -> usize {
        (0..tries).filter(|_| limiter.admit(source(1), now)).count()
    }

    #[test]
    fn an_allowance_is_spent_and_refilled_by_the_second() {
        let mut limiter = Limiter::default();
        assert_eq!(admitted(&mut limiter, 1_000, at(0)), 600);
        assert_eq!(admitted(&mut limiter, 1_000, at(5)), 0);
        assert_eq!(admitted(&mut limiter, 1_000, at(6)), 1);
        assert!(limiter.admit(source(2), at(6)), "each source has its own");
        assert_eq!(admitted(&mut limiter, 1_000, at(6 + 3_600)), 600);
        assert_eq!(
            admitted(&mut limiter, 1_000, at(0)),
            0,
            "the clock went back"
        );
    }

    #[test]
    fn the_allowance_can_be_changed() {
        let mut limiter = Limiter::new(2, 10);
        assert_eq!(admitted(&mut limiter, 10, at(0)), 2);
        limiter.set_per_hour(5);
        assert_eq!(admitted(&mut limiter, 10, at(0)), 3);
        limiter.set_per_hour(0);
        assert_eq!(admitted(&mut limiter, 10, at(0)), 0);
    }

    #[test]
    fn memory_is_bounded_and_the_idlest_is_forgotten() {
        let mut limiter = Limiter::new(1, 3);
        for (last, second) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
            assert!(limiter.admit(source(last), at(second)));
        }
        assert_eq!(limiter.sources(), 3);
        for last in [2, 3, 4] {
            assert!(!limiter.admit(source(last), at(4)), "{last} is remembered");
        }
        assert!(limiter.admit(source(1), at(4)), "1 was forgotten");
    }
}
