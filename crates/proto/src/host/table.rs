//! What a store keeps of clients and what a decision changes: the words between rules and stores.

use crate::client::LicenceState;
use crate::ids::{ClientId, PublisherId, StoreId};
use crate::limits::{CLIENT_ROW_KEPT_SECONDS, HOST_CLOCK_JUMP_SECONDS};
use crate::rules::{Rule, holds};
use crate::time::{Span, Timestamp};

/// Hours that the clock guard lets a clock go back, and the one that has begun.
const CLOCK_SLACK_HOURS: u32 = (HOST_CLOCK_JUMP_SECONDS / 3_600) as u32 + 1;

/// A pool's number in one store: given out once for each (publisher, pool) and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolNumber(pub u32);

/// One pool in which a client is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The pool.
    pub pool: PoolNumber,
    /// The hour number (seconds since 1970 / 3600) at whose beginning the client counts no more:
    /// the hour after its window has passed. Counting by the hour makes a pool's count the sum of
    /// at most a few hundred numbers, so it is exact, survives a restart and is read at once.
    pub until_hour: u32,
}

/// What a store keeps of one client of one publisher.
///
/// *Warning:* this type is used in stored state; see `vectors/store/` before changing it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientRow {
    /// The generation of its newest ticket.
    pub generation: u32,
    /// The first eight bytes of SHA-256 of the last nonce: enough to know a repeated ask.
    pub last_nonce: [u8; 8],
    /// When it first asked.
    pub first_seen: Timestamp,
    /// When it last asked.
    pub last_seen: Timestamp,
    /// The licence state it reported last (of its products, the worst).
    pub state: LicenceState,
    /// The pools it is counted in, each once, also those whose window has passed; empty when it was
    /// superseded and has not asked since.
    pub seats: Vec<Seat>,
}

/// What a store knows before a decision.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The asking client.
    pub client: Option<ClientRow>,
    /// The client it names as predecessor.
    pub predecessor: Option<ClientRow>,
    /// The count of each pool that the ask names, at the present hour, before the change.
    pub counts: Vec<(PoolNumber, u32)>,
    /// Rows of this publisher that count in any pool at the present hour, before the change.
    pub publisher_clients: u32,
}

/// What a decision changes in the store. A default one changes nothing but the counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The asking client's new row.
    pub client: Option<(ClientId, ClientRow)>,
    /// The predecessor's new row: out of the count until it asks again itself.
    pub predecessor: Option<(ClientId, ClientRow)>,
    /// What to write into the audit log in the same transaction.
    pub audit: Option<AuditEvent>,
}

/// Events of a client's life that are audited; a renewal is none. An order to make a new key is none
/// either, as whoever holds an old ticket could fill the audit log with them: it is logged, and what
/// is audited is that it was obeyed. The store adds the end of a client when it removes the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// A client was seen for the first time.
    FirstSeen,
    /// A client succeeded another.
    Succeeded {
        /// The predecessor.
        predecessor: ClientId,
    },
}

/// Whose table it is: tickets are bound to the store and to its secret key.
#[derive(Clone)]
pub struct StoreIdentity {
    /// The store's id.
    pub id: StoreId,
    /// The key that tickets and orders are made with; it never leaves the store and its hosts.
    pub key: zeroize::Zeroizing<[u8; 32]>,
}

impl ClientRow {
    /// Whether it counts in any pool at an hour.
    pub fn counts_at(&self, hour: u32) -> bool {
        self.seats.iter().any(|seat| seat.counts_at(hour))
    }

    /// Whether it counts in one pool at an hour.
    pub fn counts_in(&self, pool: PoolNumber, hour: u32) -> bool {
        self.seats
            .iter()
            .any(|seat| seat.pool == pool && seat.counts_at(hour))
    }

    /// Whether a store may remove it: its seats are over, and its tickets need not be known any
    /// longer, `CLIENT_ROW_KEPT_SECONDS` after its last ask.
    pub fn is_over_at(&self, now: Timestamp) -> bool {
        let kept = Span::from_seconds(CLIENT_ROW_KEPT_SECONDS);
        let hour = hour_of(now);
        now.since(self.last_seen) > kept && self.seats.iter().all(|seat| seat.is_over_at(hour))
    }

    /// The hour from which it counts in no pool any more; 0 when it counts in none.
    pub fn until_hour(&self) -> u32 {
        self.seats
            .iter()
            .map(|seat| seat.until_hour)
            .max()
            .unwrap_or(0)
    }
}

impl Seat {
    /// Whether it counts at an hour.
    pub const fn counts_at(&self, hour: u32) -> bool {
        self.until_hour > hour
    }

    /// Whether it can be forgotten: it would not count either if the clock were set back as far as
    /// the clock guard lets it.
    pub const fn is_over_at(&self, hour: u32) -> bool {
        self.until_hour.saturating_add(CLOCK_SLACK_HOURS) <= hour
    }
}

impl std::fmt::Debug for StoreIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreIdentity({})", self.id)
    }
}

/// Until which hour a client counts that asks now: the hour in which its window passes is counted to
/// its end, so that nobody leaves the count before the window has passed.
pub fn seat_until(now: Timestamp, window: Span) -> u32 {
    if !holds(Rule::CountWindow) {
        return u32::MAX / 2;
    }
    hour_of(now + window) + 1
}

/// The hour number of a time.
pub fn hour_of(time: Timestamp) -> u32 {
    u32::try_from(time.seconds() / 3_600).expect("times end in the year 9999")
}

/// A client of a publisher, as stores key their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    /// The publisher.
    pub publisher: PublisherId,
    /// The client.
    pub client: ClientId,
}
