//! Machines that share one identity, and machines that never did.

use std::collections::BTreeMap;

use muster_proto::ids::{StoreId, Thumbprint};
use muster_proto::limits::{REKEY_ORDERS_MAX, REKEY_WINDOW_SECONDS};

use super::{Checker, Held, hold};

/// Grants of each of two machines by which they must have been told apart: the ask that each was
/// copied with, and two more.
const GRANTS_MAX: u32 = 3;
/// The same where a store was restored meanwhile.
const GRANTS_RESTORED_MAX: u32 = 6;

/// How far a machine's trusted time may run ahead of the true one where nobody set its clock.
const CLOCKS_DIFFER_SECONDS: u64 = 2 * 86_400;

/// Who is granted what under which key.
#[derive(Default)]
pub(crate) struct Copies {
    /// Grants of each machine by store and key since that key was last copied.
    grants: BTreeMap<(StoreId, Thumbprint), BTreeMap<usize, u32>>,
    /// Machines that were copied, or set back to an old backup, at some time.
    copied: BTreeMap<usize, u64>,
    /// When each machine made new keys.
    rekeyed: BTreeMap<usize, Vec<u64>>,
    restored: BTreeMap<StoreId, u64>,
}

impl Copies {
    /// A machine was copied, or set back: its key may be another's too from now on.
    pub(crate) fn copied(&mut self, machines: &[usize], key: Thumbprint, now: u64) {
        for machine in machines {
            self.copied.insert(*machine, now);
        }
        self.grants.retain(|(_, of), _| *of != key);
    }

    /// A store was set back to an old backup.
    pub(crate) fn restored(&mut self, store: StoreId, now: u64) {
        self.restored.insert(store, now);
        self.grants.retain(|(of, _), _| *of != store);
    }

    /// A machine was granted a lease under a key by a store.
    pub(crate) fn granted(&mut self, machine: usize, store: StoreId, key: Thumbprint) -> Held {
        let of_key = self.grants.entry((store, key)).or_default();
        *of_key.entry(machine).or_default() += 1;
        let most = match self.restored.contains_key(&store) {
            true => GRANTS_RESTORED_MAX,
            false => GRANTS_MAX,
        };
        let often = of_key.iter().filter(|(_, grants)| **grants >= most);
        let often: Vec<usize> = often.map(|(machine, _)| *machine).collect();
        hold(Checker::CopiesToldApart, often.len() < 2, || {
            format!("machines {often:?} go on under one identity")
        })
    }

    /// A machine obeyed an order to make a new key.
    pub(crate) fn rekeyed(&mut self, machine: usize, now: u64) -> Held {
        let is_copied = self.copied.contains_key(&machine);
        hold(Checker::HonestKeepsKey, is_copied, || {
            format!("machine {machine} was never copied and made a new key")
        })?;
        let times = self.rekeyed.entry(machine).or_default();
        times.retain(|at| now - at < REKEY_WINDOW_SECONDS - CLOCKS_DIFFER_SECONDS);
        times.push(now);
        let often = times.len();
        hold(Checker::RekeysBounded, often <= REKEY_ORDERS_MAX, || {
            format!("machine {machine} made {often} new keys in 30 days")
        })
    }

    /// The clock of a machine was set, or its files are older than they were: its orders are counted
    /// anew.
    pub(crate) fn forget_orders(&mut self, machine: usize) {
        self.rekeyed.remove(&machine);
    }
}
