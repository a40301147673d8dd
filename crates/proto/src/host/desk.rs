//! The one place where a KMS host decides about an ask.

use crate::crypto::sha256;
use crate::ids::Nonce;
use crate::limits::CLIENT_POOLS_MAX;
use crate::reason::{Reason, kms as reasons};
use crate::rules::{Rule, holds};
use crate::statement::ask::Ticket;
use crate::time::Timestamp;

use super::facts::{AskFacts, PredecessorFacts};
use super::limiter::Limiter;
use super::table::{
    AuditEvent, Change, ClientRow, Known, PoolNumber, Seat, StoreIdentity, hour_of, seat_until,
};
use super::ticket::{Holder, Purpose, give, is_true};

/// What a host answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Counted: a lease for each served product, and the client's newest ticket.
    Granted {
        /// The ticket to keep for this store.
        ticket: Ticket,
    },
    /// Not counted now; ask again after the retry interval.
    Wait {
        /// The ticket of a client that is known, to be shown then.
        ticket: Option<Ticket>,
    },
    /// Two machines share this identity: make a new key.
    NewKey {
        /// The order, to be shown with the successor's first ask.
        order: Ticket,
    },
    /// Refused.
    Refused,
}

/// A decision: what to answer, why, and what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to answer.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The count of each pool asked in, after the change.
    pub counts: Vec<(PoolNumber, u32)>,
    /// What to change in the store.
    pub change: Change,
}

impl Decision {
    /// A refusal that changes nothing and asks no store: when no product is served.
    pub fn refused(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Refused,
            reason,
            counts: Vec::new(),
            change: Change::default(),
        }
    }

    /// The count of one pool.
    pub fn count_of(&self, pool: PoolNumber) -> Option<u32> {
        let found = self.counts.iter().find(|(number, _)| *number == pool);
        found.map(|(_, count)| *count)
    }

    /// Whether the client was counted.
    pub fn is_granted(&self) -> bool {
        matches!(self.verdict, Verdict::Granted { .. })
    }
}

/// A host's decisions with what they need beside the store: its identity, and the memory of new
/// identities, which a restart forgets.
#[derive(Clone, Debug)]
pub struct Desk {
    store: StoreIdentity,
    limiter: Limiter,
}

impl Desk {
    /// The desk of a host that works on a store.
    pub fn new(store: StoreIdentity) -> Self {
        Self::with_limiter(store, Limiter::default())
    }

    /// The same with another limiter.
    pub fn with_limiter(store: StoreIdentity, limiter: Limiter) -> Self {
        Self { store, limiter }
    }

    /// The store's identity.
    pub fn store(&self) -> &StoreIdentity {
        &self.store
    }

    /// Takes another store's identity: a backup of another store was restored.
    pub fn set_store(&mut self, store: StoreIdentity) {
        self.store = store;
    }

    /// New identities that one source may bring in an hour, from now on.
    pub fn set_new_identities_per_hour(&mut self, per_hour: u32) {
        self.limiter.set_per_hour(per_hour);
    }

    /// Decides about one ask. The order of the rules is the specification's:
    ///
    /// 1. A client the store does not know is a first contact, whatever its ticket.
    /// 2. The nonce of its last ask: the same answer with the count and time of now, and nothing
    ///    changes. Where its row no longer counts in a pool asked for, it is told to ask anew: what
    ///    comes a second time may come from anybody who recorded it, and must count nobody.
    /// 3. A true ticket of the current or a later generation: the row goes on from the ticket.
    /// 4. Anything else: two machines share one identity. Nothing changes.
    pub fn decide(&mut self, known: &Known, facts: &AskFacts, now: Timestamp) -> Decision {
        let view = View { known, facts, now };
        let Some(row) = &known.client else {
            return self.first_contact(&view);
        };
        if row.last_nonce == nonce_mark(facts.nonce) && holds(Rule::RepeatedNonce) {
            return self.repeat(&view, row);
        }
        match self.accepted_generation(facts, row) {
            Some(generation) => self.renew(&view, row, generation),
            None => {
                let order = give(&self.store, Purpose::Order, holder(facts), row.generation);
                view.unchanged(Verdict::NewKey { order }, reasons::NEW_KEY)
            }
        }
    }

    fn first_contact(&mut self, view: &View<'_>) -> Decision {
        let facts = view.facts;
        let succession = self.succession(view);
        let leaving = match succession {
            Succession::Leaves(predecessor, row) => Some((predecessor, row)),
            _ => None,
        };
        if !view.fits_budget(None, leaving.map(|(_, row)| row)) {
            return view.unchanged(Verdict::Refused, reasons::BUDGET_SPENT);
        }
        if !self.limiter.admit(facts.source, view.now) {
            return view.unchanged(Verdict::Wait { ticket: None }, reasons::BUSY);
        }
        let shown = self.true_ticket(facts);
        let row = ClientRow {
            generation: shown.map_or(1, |ticket| ticket.generation.saturating_add(1)),
            last_nonce: nonce_mark(facts.nonce),
            first_seen: view.now,
            last_seen: view.now,
            state: facts.state,
            seats: view.seats(&[]),
        };
        let reason = match succession {
            Succession::None if shown.is_some() => reasons::CONTINUED,
            Succession::None => reasons::FIRST_CONTACT,
            Succession::Leaves(..) => reasons::SUCCEEDED,
            Succession::Stays(_) => reasons::SUCCEEDED_BESIDE,
            Succession::NotOurs => reasons::ORDER_NOT_OURS,
        };
        let audit = match succession {
            Succession::Leaves(predecessor, _) | Succession::Stays(predecessor) => {
                AuditEvent::Succeeded {
                    predecessor: predecessor.client,
                }
            }
            Succession::None | Succession::NotOurs => AuditEvent::FirstSeen,
        };
        self.granted(view, None, leaving, row, reason, Some(audit))
    }

    fn repeat(&self, view: &View<'_>, row: &ClientRow) -> Decision {
        let holder = holder(view.facts);
        let ticket = give(&self.store, Purpose::Ticket, holder, row.generation);
        if view.counts_everywhere(row) {
            return view.unchanged(Verdict::Granted { ticket }, reasons::REPEATED);
        }
        let ticket = Some(ticket);
        view.unchanged(Verdict::Wait { ticket }, reasons::REPEATED_LATE)
    }

    fn renew(&self, view: &View<'_>, row: &ClientRow, generation: u32) -> Decision {
        if !view.fits_budget(Some(row), None) {
            return view.unchanged(Verdict::Refused, reasons::BUDGET_SPENT);
        }
        let next = ClientRow {
            generation: generation.saturating_add(1),
            last_nonce: nonce_mark(view.facts.nonce),
            first_seen: row.first_seen,
            last_seen: view.now,
            state: view.facts.state,
            seats: view.seats(&row.seats),
        };
        let reason = if generation > row.generation {
            reasons::CONTINUED
        } else if row.counts_at(view.hour()) {
            reasons::RENEWED
        } else {
            reasons::COUNTED_AGAIN
        };
        self.granted(view, Some(row), None, next, reason, None)
    }

    fn granted(
        &self,
        view: &View<'_>,
        before: Option<&ClientRow>,
        leaving: Option<(PredecessorFacts, &ClientRow)>,
        row: ClientRow,
        reason: Reason,
        audit: Option<AuditEvent>,
    ) -> Decision {
        let facts = view.facts;
        let ticket = give(&self.store, Purpose::Ticket, holder(facts), row.generation);
        let counts = view.counts_after(before, leaving.map(|(_, row)| row), &row);
        let predecessor = leaving.map(|(predecessor, row)| {
            let emptied = ClientRow {
                seats: Vec::new(),
                ..row.clone()
            };
            (predecessor.client, emptied)
        });
        Decision {
            verdict: Verdict::Granted { ticket },
            reason,
            counts,
            change: Change {
                client: Some((facts.client.client, row)),
                predecessor,
                audit,
            },
        }
    }

    /// What becomes of the key that an unknown client names as its predecessor. It leaves the count
    /// only if it has not asked since the order: its generation is still the order's.
    fn succession<'a>(&self, view: &View<'a>) -> Succession<'a> {
        let Some(predecessor) = view.facts.predecessor else {
            return Succession::None;
        };
        let old = Holder {
            publisher: view.facts.client.publisher,
            thumbprint: predecessor.thumbprint,
        };
        if !is_true(&self.store, Purpose::Order, old, &predecessor.order) {
            return Succession::NotOurs;
        }
        match &view.known.predecessor {
            Some(row)
                if holds(Rule::PredecessorLeaves)
                    && (row.generation == predecessor.order.generation
                        || !holds(Rule::FreshOrder)) =>
            {
                Succession::Leaves(predecessor, row)
            }
            _ => Succession::Stays(predecessor),
        }
    }

    fn true_ticket<'a>(&self, facts: &'a AskFacts) -> Option<&'a Ticket> {
        let shown = facts.ticket.as_ref()?;
        is_true(&self.store, Purpose::Ticket, holder(facts), shown).then_some(shown)
    }

    /// The generation that a known client may go on from.
    fn accepted_generation(&self, facts: &AskFacts, row: &ClientRow) -> Option<u32> {
        let shown = self.true_ticket(facts).map(|ticket| ticket.generation);
        let accepted = shown.filter(|generation| {
            *generation == row.generation
                || (*generation > row.generation && holds(Rule::LaterTicket))
        });
        if holds(Rule::SharedIdentity) {
            accepted
        } else {
            accepted.or(Some(row.generation))
        }
    }
}

/// What becomes of a predecessor.
#[derive(Clone, Copy)]
enum Succession<'a> {
    /// None is named.
    None,
    /// It leaves the count.
    Leaves(PredecessorFacts, &'a ClientRow),
    /// It stays as it is: it has asked since, or is not known.
    Stays(PredecessorFacts),
    /// The order is of another store, or false.
    NotOurs,
}

fn holder(facts: &AskFacts) -> Holder {
    Holder {
        publisher: facts.client.publisher,
        thumbprint: facts.thumbprint,
    }
}

/// What a row remembers of a nonce.
fn nonce_mark(nonce: Nonce) -> [u8; 8] {
    let mut mark = [0; 8];
    mark.copy_from_slice(&sha256(&nonce.0)[..8]);
    mark
}

/// One ask against what is known at one time.
#[derive(Clone, Copy)]
struct View<'a> {
    known: &'a Known,
    facts: &'a AskFacts,
    now: Timestamp,
}

impl View<'_> {
    fn hour(&self) -> u32 {
        hour_of(self.now)
    }

    fn unchanged(&self, verdict: Verdict, reason: Reason) -> Decision {
        let counts = self.facts.pools.iter();
        Decision {
            verdict,
            reason,
            counts: counts
                .map(|asked| (asked.pool, self.count_before(asked.pool)))
                .collect(),
            change: Change::default(),
        }
    }

    fn count_before(&self, pool: PoolNumber) -> u32 {
        let found = self.known.counts.iter().find(|(number, _)| *number == pool);
        found.map_or(0, |(_, count)| *count)
    }

    fn counts_everywhere(&self, row: &ClientRow) -> bool {
        let mut pools = self.facts.pools.iter();
        pools.all(|asked| row.counts_in(asked.pool, self.hour()))
    }

    /// A client that already counts is never refused for the budget; another one only fits when
    /// fewer are counted, the one that leaves for it taken off.
    fn fits_budget(&self, row: Option<&ClientRow>, leaving: Option<&ClientRow>) -> bool {
        let counts = |row: Option<&ClientRow>| row.is_some_and(|row| row.counts_at(self.hour()));
        let others = self
            .known
            .publisher_clients
            .saturating_sub(u32::from(counts(leaving)));
        counts(row) || others < self.facts.client_budget
    }

    /// The seats after this ask: one in each pool asked for, and those elsewhere that are not over,
    /// the longest-lasting first where there are more than a row may hold.
    fn seats(&self, before: &[Seat]) -> Vec<Seat> {
        let seat = |asked: &super::facts::AskedPool| Seat {
            pool: asked.pool,
            until_hour: seat_until(self.now, asked.window),
        };
        let mut seats: Vec<Seat> = self.facts.pools.iter().map(seat).collect();
        let mut others: Vec<Seat> = before
            .iter()
            .filter(|old| !old.is_over_at(self.hour()))
            .filter(|old| seats.iter().all(|seat| seat.pool != old.pool))
            .copied()
            .collect();
        others.sort_by_key(|seat| std::cmp::Reverse(seat.until_hour));
        seats.extend(others);
        seats.truncate(CLIENT_POOLS_MAX);
        seats
    }

    fn counts_after(
        &self,
        before: Option<&ClientRow>,
        leaving: Option<&ClientRow>,
        after: &ClientRow,
    ) -> Vec<(PoolNumber, u32)> {
        let hour = self.hour();
        let counted = |row: Option<&ClientRow>, pool| {
            u32::from(row.is_some_and(|row| row.counts_in(pool, hour)))
        };
        let count = |pool: PoolNumber| {
            (self.count_before(pool) + counted(Some(after), pool))
                .saturating_sub(counted(before, pool) + counted(leaving, pool))
        };
        let pools = self.facts.pools.iter();
        pools.map(|asked| (asked.pool, count(asked.pool))).collect()
    }
}
