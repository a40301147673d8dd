//! What a transaction reads and changes, in memory between loading and writing: asks are decided one
//! after the other on what the ones before them left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_proto::Refusal;
use muster_proto::host::{AskFacts, ClientRow, Decision, Known, PoolNumber};
use muster_proto::ids::{ClientId, PoolId, PublisherId, StoreId};
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;

use crate::kms::audit::{self, Event};
use crate::kms::seats::moves;
use crate::kms::{Decide, Requests};

/// An ask that waits to be decided.
pub(super) struct Ask {
    pub(super) desk: Arc<dyn Decide>,
    pub(super) facts: AskFacts,
    pub(super) now: Timestamp,
}

/// Which pools this process was told the numbers of. Should a database of another past be put in
/// the place of this one, its numbers mean other pools.
pub(super) type Given = BTreeMap<PoolNumber, (PublisherId, PoolId)>;

/// A client of the publisher whose row has this number.
pub(super) type Place = (ClientId, PoolNumber);

/// A pool's row.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) publisher: PublisherId,
    pub(super) name: String,
    pub(super) owner: PoolNumber,
    /// The count at the batch's hour.
    pub(super) counted: u32,
    pub(super) is_changed: bool,
    /// The requests of this batch.
    pub(super) asked: Requests,
}

/// An entry of the audit log, on its way.
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) event: Event,
    pub(super) owner: PoolNumber,
    pub(super) subject: Vec<u8>,
}

/// The rows of a transaction, all locked by their publishers' rows.
pub(super) struct Batch {
    /// None where the table has lost its identity.
    pub(super) store: Option<StoreId>,
    pub(super) hour: u32,
    pub(super) pools: BTreeMap<PoolNumber, Pool>,
    /// A row that cannot be read refuses the asks of its client alone.
    pub(super) clients: BTreeMap<Place, Result<ClientRow, Refusal>>,
    /// The rows to put, and those to remove.
    pub(super) changed: BTreeSet<Place>,
    /// How many seats more or less end at an hour.
    pub(super) ends: BTreeMap<(PoolNumber, u32), i64>,
    pub(super) entries: Vec<Entry>,
}

impl Batch {
    /// Decides an ask and takes what it changes into the batch; one that is refused changes
    /// nothing.
    pub(super) fn decide(&mut self, ask: &Ask, given: &Given) -> Result<Decision, Refusal> {
        let owner = self.check(&ask.facts, given)?;
        let known = self.known(&ask.facts, owner)?;
        let decision = ask.desk.decide(&known, &ask.facts, ask.now);
        self.apply(owner, &decision);
        if let Some(event) = decision.change.audit {
            let (event, subject) = audit::stored(ask.facts.client.client, event);
            self.note(ask.now, event, owner, subject);
        }
        for asked in &ask.facts.pools {
            if let Some(pool) = self.pools.get_mut(&asked.pool) {
                pool.asked.add(ask.facts.state, decision.is_granted());
            }
        }
        Ok(decision)
    }

    /// Removes a row whose time has passed, if it still has.
    pub(super) fn remove_passed(&mut self, place: Place, now: Timestamp) {
        let Some(Ok(row)) = self.clients.get(&place) else {
            return;
        };
        if !row.is_over_at(now) || !self.holds_seats(row) {
            return;
        }
        self.replace(place, None);
        let (client, owner) = place;
        self.note(now, Event::Ended, owner, client.0.to_vec());
    }

    /// Refuses an ask of another table or with pools that are not here; the number of its
    /// publisher's row.
    fn check(&self, facts: &AskFacts, given: &Given) -> Result<PoolNumber, Refusal> {
        if self.store != Some(facts.store) {
            return Err(reasons::REPLACED.into());
        }
        let mut owner = None;
        for asked in &facts.pools {
            let found = self.pools.get(&asked.pool);
            let told = given.get(&asked.pool);
            match found {
                Some(pool) if told.is_none_or(|told| pool.is(told)) => owner = Some(pool.owner),
                _ if told.is_some() => return Err(reasons::REPLACED.into()),
                _ => {
                    let what = format!("pool {} is not known", asked.pool.0);
                    return Err(Refusal::new(reasons::ROW_UNREADABLE, what));
                }
            }
        }
        owner.ok_or_else(|| {
            Refusal::new(
                reasons::INTERNAL,
                "an ask without a pool is decided without the store",
            )
        })
    }

    fn known(&self, facts: &AskFacts, owner: PoolNumber) -> Result<Known, Refusal> {
        let predecessor = match facts.predecessor {
            Some(named) => self.row((named.client, owner))?,
            None => None,
        };
        let count = |number| self.pools.get(&number).map_or(0, |pool| pool.counted);
        let pools = facts.pools.iter();
        Ok(Known {
            client: self.row((facts.client.client, owner))?,
            predecessor,
            counts: pools.map(|asked| (asked.pool, count(asked.pool))).collect(),
            publisher_clients: count(owner),
        })
    }

    fn row(&self, place: Place) -> Result<Option<ClientRow>, Refusal> {
        let Some(row) = self.clients.get(&place) else {
            return Ok(None);
        };
        let row = row.clone()?;
        if self.holds_seats(&row) {
            return Ok(Some(row));
        }
        let what = "a client sits in a pool that is not known";
        Err(Refusal::new(reasons::ROW_UNREADABLE, what))
    }

    fn holds_seats(&self, row: &ClientRow) -> bool {
        let mut seats = row.seats.iter();
        seats.all(|seat| self.pools.contains_key(&seat.pool))
    }

    fn apply(&mut self, owner: PoolNumber, decision: &Decision) {
        let change = &decision.change;
        for (client, row) in [&change.predecessor, &change.client].into_iter().flatten() {
            self.replace((*client, owner), Some(row.clone()));
        }
    }

    /// Puts or removes a row and moves its seats.
    fn replace(&mut self, place: Place, after: Option<ClientRow>) {
        let before = self.clients.remove(&place).and_then(Result::ok);
        for moved in moves(place.1, before.as_ref(), after.as_ref()) {
            if let Some(pool) = self.pools.get_mut(&moved.pool) {
                pool.counted = moved.count(pool.counted, self.hour);
                pool.is_changed = true;
            }
            for (hour, step) in moved.ends() {
                *self.ends.entry((moved.pool, hour)).or_default() += step;
            }
        }
        if let Some(row) = after {
            self.clients.insert(place, Ok(row));
        }
        self.changed.insert(place);
    }

    fn note(&mut self, at: Timestamp, event: Event, owner: PoolNumber, subject: Vec<u8>) {
        self.entries.push(Entry {
            at,
            event,
            owner,
            subject,
        });
    }
}

impl Pool {
    fn is(&self, (publisher, name): &(PublisherId, PoolId)) -> bool {
        self.publisher == *publisher && self.name == name.as_str()
    }
}
