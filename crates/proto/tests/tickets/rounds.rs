//! Rounds of asks without loss from any world on, and what must hold after them.

use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;

use muster_proto::host::Desk;

use super::world::{Bounds, Broken, Machine, Row, Store, World, fingerprint, nonce_mark};

impl World {
    pub(crate) fn ask_without_loss(
        &mut self,
        bounds: &Bounds,
        desks: &mut [Desk],
        machine: usize,
        host: usize,
    ) -> Result<(), Broken> {
        let message = self.send(bounds, machine, host, bounds.hosts[host]);
        let reply = self.deliver(bounds, desks, &message);
        self.receive(bounds, &reply)
    }

    /// Each machine ends the ask it has open at the host's store, without loss.
    pub(crate) fn end_open_asks(
        &mut self,
        bounds: &Bounds,
        desks: &mut [Desk],
        host: usize,
        order: &[usize],
    ) -> Result<(), Broken> {
        for &machine in order {
            if self
                .open_nonce(bounds, machine, bounds.hosts[host])
                .is_some()
            {
                self.ask_without_loss(bounds, desks, machine, host)?;
            }
        }
        Ok(())
    }

    /// Checks what must hold after rounds without loss, in every order of every round, from this
    /// world on: as it is, and when all windows have passed before.
    pub(crate) fn check_rounds(&self, bounds: &Bounds, desks: &mut [Desk]) -> Result<(), Broken> {
        let is_copied = self.machines.iter().any(|machine| !machine.is_honest);
        let rounds = match (is_copied, self.was_restored) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 3,
        };
        for host in 0..bounds.hosts.len() {
            for is_later in [false, true] {
                let mut world = self.clone();
                world.sent.clear();
                world.replies.clear();
                if is_later {
                    world.let_windows_pass();
                }
                let is_exact = is_later || (!is_copied && !self.was_restored);
                for ended in world.after_round(bounds, desks, host, rounds)? {
                    ended.check_counted(&ended.stores[bounds.hosts[host]], is_exact)?;
                }
            }
        }
        Ok(())
    }

    /// The different worlds after the open asks and some rounds at one host.
    pub(crate) fn after_round(
        self,
        bounds: &Bounds,
        desks: &mut [Desk],
        host: usize,
        rounds: usize,
    ) -> Result<Vec<World>, Broken> {
        let orders = permutations(self.machines.len());
        let mut worlds = vec![self];
        for round in 0..=rounds {
            let mut seen = HashSet::new();
            let mut next = Vec::new();
            for (world, order) in worlds
                .iter()
                .flat_map(|world| orders.iter().map(move |order| (world, order)))
            {
                let mut world = world.clone();
                if round == 0 {
                    world.end_open_asks(bounds, desks, host, order)?;
                } else {
                    for &machine in order {
                        world.ask_without_loss(bounds, desks, machine, host)?;
                    }
                }
                if seen.insert(fingerprint(&world.without_names())) {
                    next.push(world);
                }
            }
            worlds = next;
        }
        Ok(worlds)
    }

    /// Everything that rounds without loss can depend on: which nonces are the same matters, what
    /// they are does not.
    pub(crate) fn without_names(&self) -> impl Hash + use<> {
        let machine = |machine: &Machine| Machine {
            nonces: vec![],
            asks: 0,
            ..machine.clone()
        };
        let machines: Vec<Machine> = self.machines.iter().map(machine).collect();
        let mut stores = Vec::new();
        for (number, store) in self.stores.iter().enumerate() {
            let open = |of: usize| self.machines[of].nonces[number];
            let all = 0..self.machines.len();
            let first_with = |of: usize| {
                let nonce = open(of)?;
                all.clone().find(|other| open(*other) == Some(nonce))
            };
            let same: Vec<Option<usize>> = all.clone().map(first_with).collect();
            let row = |(key, row): (&u8, &Row)| {
                let is_last =
                    |of: usize| open(of).is_some_and(|nonce| nonce_mark(nonce) == row.last_nonce);
                let is_last: Vec<bool> = all.clone().map(is_last).collect();
                (*key, row.generation, row.is_counted, is_last)
            };
            let rows: Vec<_> = store.rows.iter().map(row).collect();
            stores.push((same, rows));
        }
        (machines, stores, self.was_restored)
    }

    pub(crate) fn let_windows_pass(&mut self) {
        for store in &mut self.stores {
            for row in store.rows.values_mut() {
                row.is_counted = false;
            }
        }
    }

    pub(crate) fn check_counted(&self, store: &Store, is_exact: bool) -> Result<(), Broken> {
        let keys: BTreeSet<u8> = self.machines.iter().map(|machine| machine.key).collect();
        let is_counted = |key: &u8| store.rows.get(key).is_some_and(|row| row.is_counted);
        if keys.len() < self.machines.len() || !keys.iter().all(is_counted) {
            return Err(Broken::CopiesNotToldApart);
        }
        if is_exact && store.count() as usize != self.machines.len() {
            return Err(Broken::CountWrong);
        }
        Ok(())
    }
}

pub(crate) fn permutations(length: usize) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = vec![vec![]];
    for next in 0..length {
        let longer = |shorter: &Vec<usize>| -> Vec<Vec<usize>> {
            let places = 0..=shorter.len();
            let put = |place: usize| {
                let mut order = shorter.clone();
                order.insert(place, next);
                order
            };
            places.map(put).collect()
        };
        found = found.iter().flat_map(longer).collect();
    }
    found
}
