//! What a writer has done since its database was opened, for metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets of [`Work::took`], in seconds.
const COMMIT_SECONDS: [f64; 11] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// Transactions committed by one writer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// Transactions.
    pub commits: u64,
    /// Changes that were answered in them: asks, settings.
    pub changes: u64,
    /// How long they took together, from their begin until they were durable, in seconds.
    pub seconds: f64,
    /// How many took up to each bound, in seconds, and longer than the bound before it.
    pub took: [u64; COMMIT_SECONDS.len()],
}

impl Work {
    /// The bounds with how many took so long.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        COMMIT_SECONDS.into_iter().zip(self.took)
    }
}

/// Work that is being done.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Work>);

impl Tally {
    /// Counts one transaction.
    pub(crate) fn committed(&self, changes: usize, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut work = self.lock();
        work.commits += 1;
        work.changes += changes as u64;
        work.seconds += seconds;
        if let Some(bucket) = COMMIT_SECONDS.iter().position(|bound| seconds <= *bound) {
            work.took[bucket] += 1;
        }
    }

    /// What was done so far.
    pub(crate) fn work(&self) -> Work {
        self.lock().clone()
    }

    /// A panic while the lock is held leaves the sums whole enough to go on.
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_falls_into_one_bucket() {
        let tally = Tally::default();
        tally.committed(3, Duration::from_millis(1));
        tally.committed(1, Duration::from_secs(60));
        let work = tally.work();
        assert_eq!((work.commits, work.changes), (2, 4));
        assert_eq!(work.buckets().map(|(_, count)| count).sum::<u64>(), 1);
        assert_eq!(work.buckets().nth(1), Some((0.001, 1)));
        assert!((work.seconds - 60.001).abs() < 1e-9);
    }
}
