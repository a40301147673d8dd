//! The store in memory: for tests and simulation. It keeps every promise but durability.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_proto::Refusal;
use muster_proto::host::{
    AskFacts, AuditEvent, ClientKey, ClientRow, Decision, Known, PoolNumber, StoreIdentity, hour_of,
};
use muster_proto::ids::{ClientId, PoolId, PublisherId, StoreId};
use muster_proto::limits::{LIST_ROWS_MAX, STORE_POOLS_MAX};
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use zeroize::Zeroizing;

use super::{
    AuditEntry, Audited, ClientEntry, ClientPage, ClientTable, Decide, HostValues, Kept,
    NamedValue, Pending, PoolStatus, Requests, ValueChange,
};

/// A store that ends with its process.
pub struct MemoryKms {
    identity: StoreIdentity,
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    clients: BTreeMap<(ClientId, PublisherId), ClientRow>,
    pools: Vec<Pool>,
    /// How many seats of a pool end at an hour.
    ends: BTreeMap<(PoolNumber, u32), u32>,
    /// How many clients of a publisher end at an hour.
    publisher_ends: BTreeMap<(PublisherId, u32), u32>,
    values: BTreeMap<(String, String), Zeroizing<Vec<u8>>>,
    audit: Vec<AuditEntry>,
    revision: u64,
    /// The hour in which passed rows were removed last.
    swept_hour: u32,
    is_closed: bool,
}

#[derive(Clone)]
struct Pool {
    publisher: PublisherId,
    pool: PoolId,
    requests: Requests,
}

impl MemoryKms {
    /// An empty store.
    pub fn new(identity: StoreIdentity) -> Self {
        Self {
            identity,
            state: Mutex::default(),
        }
    }

    /// The store as it is now, as a backup would hold it: what is put in its place later is an
    /// older store with the same identity.
    pub fn copy(&self) -> Self {
        Self {
            identity: self.identity.clone(),
            state: Mutex::new(self.state().clone()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one call at once; it is ready when it is made.
    fn ready<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce(&mut State) -> Result<T, Refusal>,
    ) -> Pending<'a, T> {
        let mut state = self.state();
        let result = if state.is_closed {
            Err(reasons::STOPPED.into())
        } else {
            call(&mut state)
        };
        Box::pin(std::future::ready(result))
    }
}

impl ClientTable for MemoryKms {
    fn identity(&self) -> Pending<'_, StoreIdentity> {
        self.ready(|_| Ok(self.identity.clone()))
    }

    fn pool(&self, publisher: PublisherId, pool: PoolId) -> Pending<'_, PoolNumber> {
        self.ready(|state| state.pool(publisher, pool))
    }

    fn submit(
        &self,
        desk: Arc<dyn Decide>,
        facts: AskFacts,
        now: Timestamp,
    ) -> Pending<'_, Decision> {
        self.ready(|state| {
            state.check(&facts, self.identity.id)?;
            let known = state.known(&facts, now);
            let decision = desk.decide(&known, &facts, now);
            state.apply(&facts, &decision, now);
            state.remove_passed(now);
            Ok(decision)
        })
    }

    fn pools(&self, now: Timestamp) -> Pending<'_, Vec<PoolStatus>> {
        self.ready(|state| {
            let status = |(index, pool): (usize, &Pool)| {
                let number = number_of(index);
                PoolStatus {
                    publisher: pool.publisher,
                    pool: pool.pool.clone(),
                    number,
                    count: state.count(number, hour_of(now)),
                    requests: pool.requests,
                }
            };
            Ok(state.pools.iter().enumerate().map(status).collect())
        })
    }

    fn clients(&self, page: ClientPage) -> Pending<'_, Vec<ClientEntry>> {
        self.ready(|state| {
            let from = page.after.map_or(Bound::Unbounded, |after| {
                Bound::Excluded((after, PublisherId([0xff; 16])))
            });
            let entry =
                |((client, publisher), row): (&(ClientId, PublisherId), &ClientRow)| ClientEntry {
                    key: ClientKey {
                        publisher: *publisher,
                        client: *client,
                    },
                    row: row.clone(),
                };
            let all = state.clients.range((from, Bound::Unbounded)).map(entry);
            let taken = all.filter(|entry| page.takes(&entry.key, &entry.row));
            Ok(taken.take(page.limit()).collect())
        })
    }
}

impl HostValues for MemoryKms {
    fn value(&self, kind: &str, name: &str) -> Pending<'_, Option<Zeroizing<Vec<u8>>>> {
        let key = (kind.to_owned(), name.to_owned());
        self.ready(|state| Ok(state.values.get(&key).cloned()))
    }

    fn values(&self, kind: &str) -> Pending<'_, Vec<NamedValue>> {
        self.ready(|state| {
            let of_kind = state.values.iter().filter(|((found, _), _)| found == kind);
            Ok(of_kind
                .map(|((_, name), value)| (name.clone(), value.clone()))
                .collect())
        })
    }

    fn change(&self, change: ValueChange, now: Timestamp) -> Pending<'_, u64> {
        self.ready(|state| state.change(change, now))
    }

    fn revision(&self) -> Pending<'_, u64> {
        self.ready(|state| Ok(state.revision))
    }

    fn backup(&self, to: PathBuf) -> Pending<'_, ()> {
        let what = format!("{}: the store is in memory", to.display());
        self.ready(|_| Err(Refusal::new(reasons::NO_BACKUP, what)))
    }
}

impl Kept for MemoryKms {
    fn audit(&self, after: u64, limit: usize) -> Pending<'_, Vec<AuditEntry>> {
        self.ready(|state| {
            let later = state.audit.iter().filter(|entry| entry.number > after);
            Ok(later.take(limit.min(LIST_ROWS_MAX)).cloned().collect())
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        self.state().is_closed = true;
        Box::pin(std::future::ready(Ok(())))
    }
}

fn number_of(index: usize) -> PoolNumber {
    PoolNumber(u32::try_from(index + 1).expect("pools are limited"))
}

impl State {
    fn pool(&mut self, publisher: PublisherId, pool: PoolId) -> Result<PoolNumber, Refusal> {
        let is_it = |known: &Pool| known.publisher == publisher && known.pool == pool;
        if let Some(index) = self.pools.iter().position(is_it) {
            return Ok(number_of(index));
        }
        if self.pools.len() >= STORE_POOLS_MAX as usize {
            return Err(reasons::TOO_MANY_POOLS.into());
        }
        self.pools.push(Pool {
            publisher,
            pool,
            requests: Requests::default(),
        });
        Ok(number_of(self.pools.len() - 1))
    }

    fn check(&self, facts: &AskFacts, own: StoreId) -> Result<(), Refusal> {
        if facts.store != own {
            return Err(reasons::REPLACED.into());
        }
        if facts.pools.is_empty() {
            return Err(Refusal::new(reasons::INTERNAL, "an ask without a pool"));
        }
        let is_known = |pool: PoolNumber| (1..=self.pools.len()).contains(&(pool.0 as usize));
        match facts.pools.iter().find(|asked| !is_known(asked.pool)) {
            Some(asked) => {
                let what = format!("pool {} is not known", asked.pool.0);
                Err(Refusal::new(reasons::ROW_UNREADABLE, what))
            }
            None => Ok(()),
        }
    }

    fn known(&self, facts: &AskFacts, now: Timestamp) -> Known {
        let publisher = facts.client.publisher;
        let row = |client: ClientId| self.clients.get(&(client, publisher)).cloned();
        let hour = hour_of(now);
        let count = |pool: PoolNumber| (pool, self.count(pool, hour));
        let later = self
            .publisher_ends
            .range((publisher, hour + 1)..=(publisher, u32::MAX));
        Known {
            client: row(facts.client.client),
            predecessor: facts.predecessor.and_then(|named| row(named.client)),
            counts: facts.pools.iter().map(|asked| count(asked.pool)).collect(),
            publisher_clients: later.map(|(_, clients)| clients).sum(),
        }
    }

    fn count(&self, pool: PoolNumber, hour: u32) -> u32 {
        let later = self.ends.range((pool, hour + 1)..=(pool, u32::MAX));
        later.map(|(_, seats)| seats).sum()
    }

    fn apply(&mut self, facts: &AskFacts, decision: &Decision, now: Timestamp) {
        let publisher = facts.client.publisher;
        let change = &decision.change;
        for (client, row) in [&change.predecessor, &change.client].into_iter().flatten() {
            let client = ClientKey {
                publisher,
                client: *client,
            };
            self.replace(client, Some(row.clone()));
        }
        if let Some(event) = change.audit {
            let client = facts.client;
            let event = match event {
                AuditEvent::FirstSeen => Audited::FirstSeen(client),
                AuditEvent::Succeeded { predecessor } => Audited::Succeeded {
                    client,
                    predecessor,
                },
            };
            self.write_audit(event, now);
        }
        for asked in &facts.pools {
            let index = (asked.pool.0 as usize).checked_sub(1);
            if let Some(pool) = index.and_then(|index| self.pools.get_mut(index)) {
                pool.requests.add(facts.state, decision.is_granted());
            }
        }
    }

    /// Puts or removes a row and moves its seats.
    fn replace(&mut self, key: ClientKey, row: Option<ClientRow>) {
        let at = (key.client, key.publisher);
        let before = match &row {
            Some(row) => self.clients.insert(at, row.clone()),
            None => self.clients.remove(&at),
        };
        for (row, step) in [(before, -1), (row, 1)] {
            let Some(row) = row else { continue };
            for seat in &row.seats {
                add(&mut self.ends, (seat.pool, seat.until_hour), step);
            }
            let until = row.until_hour();
            add(&mut self.publisher_ends, (key.publisher, until), step);
        }
    }

    fn remove_passed(&mut self, now: Timestamp) {
        if std::mem::replace(&mut self.swept_hour, hour_of(now)) == hour_of(now) {
            return;
        }
        let gone: Vec<_> = self
            .clients
            .iter()
            .filter(|(_, row)| row.is_over_at(now))
            .map(|(key, _)| *key)
            .collect();
        for (client, publisher) in gone {
            let key = ClientKey { publisher, client };
            self.replace(key, None);
            self.write_audit(Audited::Ended(key), now);
        }
    }

    fn change(&mut self, change: ValueChange, now: Timestamp) -> Result<u64, Refusal> {
        change.check()?;
        if change.expected.is_some_and(|seen| seen != self.revision) {
            return Err(reasons::CHANGED_MEANWHILE.into());
        }
        for key in &change.deletes {
            self.values.remove(key);
        }
        for (kind, name, value) in change.puts {
            self.values.insert((kind, name), value);
        }
        if !change.said.is_empty() {
            self.write_audit(Audited::Changed(change.said), now);
        }
        self.revision += 1;
        Ok(self.revision)
    }

    fn write_audit(&mut self, event: Audited, at: Timestamp) {
        let number = self.audit.len() as u64 + 1;
        self.audit.push(AuditEntry { number, at, event });
    }
}

fn add<K: Ord>(ends: &mut BTreeMap<K, u32>, key: K, step: i32) {
    let seats = ends.entry(key).or_default();
    *seats = seats.saturating_add_signed(step);
}
