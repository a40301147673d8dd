//! Machines that share one identity, and machines that never did.

use std::collections::BTreeMap;

use muster_proto::ids::{StoreId, Thumbprint};
use muster_proto::limits::{REKEY_ORDERS_MAX, REKEY_WINDOW_SECONDS};

use super::{Checker, Held, hold};

/// How often grants of one store under one key may change from one machine to another: to the other
/// one and back, where a machine was copied with an ask under way.
const CHANGES_MAX: u32 = 2;
/// The same where the store was restored meanwhile.
const CHANGES_RESTORED_MAX: u32 = 5;

/// How far a machine's trusted time may run ahead of the true one where nobody set its clock.
const CLOCKS_DIFFER_SECONDS: u64 = 2 * 86_400;

/// Who is granted what under which key.
#[derive(Default)]
pub(crate) struct Copies {
    /// Who is granted leases by a store under a key, since that key was last copied.
    grants: BTreeMap<(StoreId, Thumbprint), Holders>,
    /// Machines that were copied, or set back to an old backup, at some time.
    copied: BTreeMap<usize, u64>,
    /// When each machine made new keys.
    rekeyed: BTreeMap<usize, Vec<u64>>,
    restored: BTreeMap<StoreId, u64>,
}

/// The machines that are granted leases under one key.
#[derive(Clone, Copy)]
struct Holders {
    last: usize,
    before: usize,
    /// How often it was another one than before.
    changes: u32,
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
        let holders = self.grants.entry((store, key)).or_insert(Holders {
            last: machine,
            before: machine,
            changes: 0,
        });
        if holders.last != machine {
            holders.before = holders.last;
            holders.last = machine;
            holders.changes += 1;
        }
        let most = match self.restored.contains_key(&store) {
            true => CHANGES_RESTORED_MAX,
            false => CHANGES_MAX,
        };
        hold(Checker::CopiesToldApart, holders.changes <= most, || {
            let both = (holders.before, holders.last);
            format!("machines {both:?} go on under one identity")
        })
    }

    /// A machine obeyed an order to make a new key.
    pub(crate) fn rekeyed(&mut self, machine: usize, now: u64) -> Held {
        let is_copied = self.copied.contains_key(&machine);
        hold(Checker::HonestKeepsKey, is_copied, || {
            format!("machine {machine} was never copied and made a new key")
        })?;
        // It shares its old key no longer.
        let has_it = |holders: &Holders| holders.last == machine || holders.before == machine;
        self.grants.retain(|_, holders| !has_it(holders));
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
