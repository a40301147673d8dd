//! How many connections each source holds: an address, or a user of this machine.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections by source. It holds no more entries than there are connections.
pub(crate) struct Shares<S> {
    held: Mutex<HashMap<S, usize>>,
    connections_max: usize,
}

impl<S: Copy + Eq + Hash> Shares<S> {
    pub(crate) fn new(connections_max: usize) -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::default(),
            connections_max,
        })
    }

    /// Counts one more connection of the source, or none when it has its share.
    pub(crate) fn admit(self: &Arc<Self>, source: S) -> Option<Admitted<S>> {
        // A panic while the lock is held leaves the counts whole enough to go on.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(source).or_insert(0);
        if *count >= self.connections_max {
            return None;
        }
        *count += 1;
        Some(Admitted {
            shares: Arc::clone(self),
            source,
        })
    }
}

/// One counted connection; dropping it gives the place back.
pub(crate) struct Admitted<S: Copy + Eq + Hash> {
    shares: Arc<Shares<S>>,
    source: S,
}

impl<S: Copy + Eq + Hash> Drop for Admitted<S> {
    fn drop(&mut self) {
        let held = self.shares.held.lock();
        let mut held = held.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_share_and_gives_it_back() {
        let shares = Shares::new(2);
        let first = shares.admit(1_000).unwrap();
        let _second = shares.admit(1_000).unwrap();
        assert!(shares.admit(1_000).is_none());
        let _other = shares.admit(1_001).unwrap();
        drop(first);
        assert!(shares.admit(1_000).is_some());
    }

    #[test]
    fn sources_that_left_take_no_memory() {
        let shares = Shares::new(2);
        drop(shares.admit(1_000));
        assert!(shares.held.lock().unwrap().is_empty());
    }
}
