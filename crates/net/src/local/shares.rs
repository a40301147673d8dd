//! How many connections each user holds at the local socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections by user id. It holds no more entries than there are connections.
pub(super) struct Shares {
    held: Mutex<HashMap<u32, usize>>,
    connections_max: usize,
}

impl Shares {
    pub(super) fn new(connections_max: usize) -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::default(),
            connections_max,
        })
    }

    /// Counts one more connection of the user, or none when he has his share.
    pub(super) fn admit(self: &Arc<Self>, uid: u32) -> Option<Admitted> {
        // A panic while the lock is held leaves the counts whole enough to go on.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(uid).or_insert(0);
        if *count >= self.connections_max {
            return None;
        }
        *count += 1;
        Some(Admitted {
            shares: Arc::clone(self),
            uid,
        })
    }
}

/// One counted connection; dropping it gives the place back.
pub(super) struct Admitted {
    shares: Arc<Shares>,
    uid: u32,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let held = self.shares.held.lock();
        let mut held = held.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_his_share_and_gives_it_back() {
        let shares = Shares::new(2);
        let first = shares.admit(1_000).unwrap();
        let _second = shares.admit(1_000).unwrap();
        assert!(shares.admit(1_000).is_none());
        let _other = shares.admit(1_001).unwrap();
        drop(first);
        assert!(shares.admit(1_000).is_some());
    }

    #[test]
    fn users_that_left_take_no_memory() {
        let shares = Shares::new(2);
        drop(shares.admit(1_000));
        assert!(shares.held.lock().unwrap().is_empty());
    }
}
