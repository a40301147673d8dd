//! Who was seen when: the set that every count is held against.

use std::collections::{BTreeMap, VecDeque};

use muster_proto::host::{ClientRow, PoolNumber, Verdict};
use muster_proto::ids::{ClientId, Nonce, ProductId, PublisherId};
use muster_proto::limits::CLIENT_ROW_KEPT_SECONDS;
use muster_proto::time::Timestamp;
use muster_store::kms::{ClientPage, ClientTable, MemoryKms};

use super::{Checker, Held, hold};
use crate::ready::ready;
use crate::station::Decided;

/// Hours that a seat is kept beyond its end, for a clock that is set back.
const SLACK_HOURS: u64 = 25;
/// Counts of decided asks that are remembered until their answers came.
const REMEMBERED: usize = 4_096;

/// The models of all stores.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) stores: Vec<StoreModel>,
    /// Told apart from each other over all stores and restores.
    grants: u64,
    /// Orders to make a new key by their bytes: the last grant of the client before it.
    orders: BTreeMap<[u8; 28], (u64, u32)>,
    /// The true counts of asks by their numbers, the oldest first.
    told: VecDeque<(u64, Vec<(ProductId, u32)>)>,
}

/// What one store has seen, as a backup of it would hold it too.
#[derive(Clone, Default)]
pub(crate) struct StoreModel {
    clients: BTreeMap<(PublisherId, ClientId), SeenClient>,
    /// How often it became another store: a backup was put in its place, or it forgot people early.
    pub(crate) restores: u32,
}

#[derive(Clone)]
struct SeenClient {
    nonce: Nonce,
    /// When it was granted last: by the host's clock, and in truth.
    at: u64,
    truly_at: u64,
    grant: u64,
    /// For each pool until which hour it counts there, that hour not included.
    seats: BTreeMap<PoolNumber, u64>,
}

impl SeenClient {
    fn counts(&self, hour: u64) -> bool {
        self.seats.values().any(|until| *until > hour)
    }
}

impl Counts {
    /// After a decision: who counts now, and is that what was decided?
    pub(crate) fn decided(
        &mut self,
        store: usize,
        ask: u64,
        decided: &Decided,
        (is_replay, now): (bool, u64),
    ) -> Held {
        let Some(facts) = &decided.facts else {
            return Ok(());
        };
        if is_replay {
            let is_idle = decided.decision.change == Default::default();
            hold(Checker::ReplayCountsNobody, is_idle, || {
                format!("store {store}: {:?}", decided.decision.change)
            })?;
        }
        let hour = decided.now.seconds() / 3_600;
        let key = (facts.client.publisher, facts.client.client);
        match decided.decision.verdict {
            Verdict::Granted { .. } => {
                self.budget_kept(store, decided, hour)?;
                self.seen(store, decided, now);
            }
            Verdict::NewKey { order } => {
                let model = &self.stores[store];
                let grant = model.clients.get(&key).map_or(0, |client| client.grant);
                self.orders
                    .insert(order.to_bytes(), (grant, model.restores));
            }
            Verdict::Wait { .. } | Verdict::Refused => {}
        }
        for asked in &facts.pools {
            let expected = self.stores[store].count(key.0, asked.pool, hour);
            let found = decided.decision.count_of(asked.pool);
            hold(Checker::CountExact, found == Some(expected), || {
                let pool = asked.pool.0;
                format!("store {store}, pool {pool}: {found:?} decided, {expected} were seen")
            })?;
        }
        if self.told.len() >= REMEMBERED {
            self.told.pop_front();
        }
        self.stores[store].forgets(decided.now.seconds(), now);
        let count = |pool| self.stores[store].count(key.0, pool, hour);
        let counts = decided.pools.iter();
        let counts = counts.map(|(product, pool)| (product.clone(), count(*pool)));
        self.told.push_back((ask, counts.collect()));
        Ok(())
    }

    /// The true count of each product's pool when an ask was decided last.
    pub(crate) fn told(&self, ask: u64) -> Vec<(ProductId, u32)> {
        let mut newest = self.told.iter().rev();
        let found = newest.find(|(number, _)| *number == ask);
        found.map(|(_, counts)| counts.clone()).unwrap_or_default()
    }

    fn budget_kept(&self, store: usize, decided: &Decided, hour: u64) -> Held {
        let Some(facts) = &decided.facts else {
            return Ok(());
        };
        let model = &self.stores[store];
        let key = (facts.client.publisher, facts.client.client);
        let counted = model.clients.get(&key).is_some_and(|it| it.counts(hour));
        let leaving = facts.predecessor.map(|old| (key.0, old.client));
        let of_publisher = model.clients.range((key.0, ClientId([0; 16]))..);
        let of_publisher = of_publisher.take_while(|((publisher, _), _)| *publisher == key.0);
        let others = of_publisher
            .filter(|(other, seen)| seen.counts(hour) && Some(**other) != leaving)
            .count() as u32;
        let is_new_seat = decided.decision.change.client.is_some();
        let is_kept = counted || !is_new_seat || others < facts.client_budget;
        hold(Checker::BudgetKept, is_kept, || {
            format!(
                "store {store}: {others} counted, {} allowed",
                facts.client_budget
            )
        })
    }

    /// Takes a grant into the set.
    fn seen(&mut self, store: usize, decided: &Decided, now: u64) {
        let Some(facts) = &decided.facts else { return };
        let key = (facts.client.publisher, facts.client.client);
        let is_repeat = |seen: &SeenClient| seen.nonce == facts.nonce;
        if self.stores[store].clients.get(&key).is_some_and(is_repeat) {
            return;
        }
        self.grants += 1;
        let is_new = !self.stores[store].clients.contains_key(&key);
        if let Some(old) = facts.predecessor.filter(|_| is_new)
            && self.leaves(store, decided, (key.0, old.client), &old.order.to_bytes())
            && let Some(old) = self.stores[store].clients.get_mut(&(key.0, old.client))
        {
            old.seats.clear();
        }
        let hour_after = |now: Timestamp, window: u64| (now.seconds() + window) / 3_600 + 1;
        let grant = self.grants;
        let seen = self.stores[store].clients.entry(key);
        let seen = seen.or_insert_with(|| SeenClient {
            nonce: facts.nonce,
            at: 0,
            truly_at: 0,
            grant,
            seats: BTreeMap::new(),
        });
        (seen.nonce, seen.grant) = (facts.nonce, grant);
        (seen.at, seen.truly_at) = (decided.now.seconds(), now);
        for asked in &facts.pools {
            let until = hour_after(decided.now, asked.window.seconds());
            seen.seats.insert(asked.pool, until);
        }
    }

    /// Whether a predecessor leaves: it was ordered to, and has not been granted anything since.
    fn leaves(
        &self,
        store: usize,
        decided: &Decided,
        old: (PublisherId, ClientId),
        order: &[u8; 28],
    ) -> bool {
        let model = &self.stores[store];
        let Some(seen) = model.clients.get(&old) else {
            return false;
        };
        match self.orders.get(order) {
            Some((grant, restores)) if *restores == model.restores => *grant == seen.grant,
            // An older store stands there: the same generation may have been given out twice.
            Some(_) => decided.decision.change.predecessor.is_some(),
            None => false,
        }
    }
}

impl StoreModel {
    /// Who has not asked for so long, by the clock of the host that decides, may be forgotten. A host
    /// whose clock came up far ahead forgets people early, for every host of its store: that store is
    /// as good as another one then.
    fn forgets(&mut self, wall: u64, now: u64) {
        let hour = wall / 3_600;
        let is_kept = |seen: &SeenClient| {
            wall.saturating_sub(seen.at) <= CLIENT_ROW_KEPT_SECONDS
                || seen.seats.values().any(|until| until + SLACK_HOURS > hour)
        };
        let is_early =
            |seen: &SeenClient| !is_kept(seen) && now - seen.truly_at <= CLIENT_ROW_KEPT_SECONDS;
        self.restores += u32::from(self.clients.values().any(is_early));
        self.clients.retain(|_, seen| is_kept(seen));
    }

    /// How many clients count in a pool at an hour.
    pub(crate) fn count(&self, publisher: PublisherId, pool: PoolNumber, hour: u64) -> u32 {
        let seats = self.clients.range((publisher, ClientId([0; 16]))..);
        let seats = seats.take_while(|((of, _), _)| *of == publisher);
        let counted = seats.filter(|(_, seen)| seen.seats.get(&pool).is_some_and(|it| *it > hour));
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    /// Whether a store holds everybody who counts, until the same hour.
    pub(crate) fn kept(&self, number: usize, kms: &MemoryKms, now: Timestamp) -> Held {
        let mut rows: BTreeMap<(PublisherId, ClientId), ClientRow> = BTreeMap::new();
        let mut page = ClientPage {
            limit: usize::MAX,
            ..ClientPage::default()
        };
        while let Ok(entries) = ready(kms.clients(page.clone())) {
            let Some(last) = entries.last() else { break };
            page.after = Some(last.key.client);
            rows.extend(
                entries
                    .into_iter()
                    .map(|it| ((it.key.publisher, it.key.client), it.row)),
            );
        }
        let hour = now.seconds() / 3_600;
        for (key, seen) in &self.clients {
            for (pool, until) in seen.seats.iter().filter(|(_, until)| **until > hour) {
                let row = rows.get(key);
                let seat = row.and_then(|row| row.seats.iter().find(|seat| seat.pool == *pool));
                let is_kept = seat.is_some_and(|seat| u64::from(seat.until_hour) == *until);
                hold(Checker::AcknowledgedKept, is_kept, || {
                    format!("store {number}: client {} counts until hour {until}", key.1)
                })?;
            }
        }
        Ok(())
    }
}
