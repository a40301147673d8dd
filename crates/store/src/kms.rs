//! What a KMS host remembers: its clients and their counts, its settings and keys, and an audit log.
//!
//! A [`ClientTable`] counts, and [`HostValues`] are the host's own; [`SqliteKms`] is both in one
//! file, [`MemoryKms`] both in memory, and [`PostgresKms`] is a table that several hosts share on a
//! database server. Each call is one transaction, and a decision runs between
//! loading and applying, so that a store may run it again.

mod audit;
mod memory;
mod postgres;
pub mod row;
mod seats;
mod sqlite;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use muster_proto::client::LicenceState;
use muster_proto::host::{
    AskFacts, ClientKey, ClientRow, Decision, Desk, Known, PoolNumber, StoreIdentity,
};
use muster_proto::ids::{ClientId, PoolId, PublisherId};
use muster_proto::limits::{AUDIT_TEXT_BYTES_MAX, NAME_BYTES_MAX, STORE_VALUE_BYTES_MAX};
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use muster_proto::{Reason, Refusal};
use zeroize::Zeroizing;

use crate::sqlite::Work;

pub use memory::MemoryKms;
pub use postgres::PostgresKms;
pub use sqlite::SqliteKms;

/// Asks between two looks for rows whose time has passed, and rows looked at in one: every row is
/// seen once in half as many asks as there are rows, for less than a microsecond an ask.
const SWEEP_ASKS: u32 = 32;
const SWEEP_ROWS: u32 = 64;

/// What a store promises: a result when it is durable, or why not.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// A value with its name.
pub type NamedValue = (String, Zeroizing<Vec<u8>>);

/// Decides about an ask between loading and applying.
pub trait Decide: Send + Sync {
    /// Decides; a store that has to repeat a transaction asks again.
    fn decide(&self, known: &Known, facts: &AskFacts, now: Timestamp) -> Decision;
}

impl Decide for Mutex<Desk> {
    fn decide(&self, known: &Known, facts: &AskFacts, now: Timestamp) -> Decision {
        // A desk stays whole wherever a panic leaves it: its limiter may have charged one more.
        let mut desk = self.lock().unwrap_or_else(PoisonError::into_inner);
        desk.decide(known, facts, now)
    }
}

/// What every store can say of itself. Every error of a store names what to do; after one, nothing
/// of that call was changed, but for `OUTCOME_UNKNOWN`, which leaves it open.
pub trait Kept: Send + Sync {
    /// Audit entries after one number, oldest first, at most `limit` (and `LIST_ROWS_MAX`).
    fn audit(&self, after: u64, limit: usize) -> Pending<'_, Vec<AuditEntry>>;

    /// What was committed since the store was opened; nothing where a store does not tell.
    fn work(&self) -> Work {
        Work::default()
    }

    /// Reads all of the store once and refuses a damaged one, also where the counts are not those of
    /// the rows: seconds for millions of clients. A store that looks after itself has nothing to say.
    fn check(&self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Finishes what waits and closes; later calls are refused.
    fn close(&self) -> Pending<'_, ()>;
}

/// The clients that are counted, of one host or of several that share the table.
pub trait ClientTable: Kept {
    /// Whose tickets these are: made with the table, kept through backup and restore.
    fn identity(&self) -> Pending<'_, StoreIdentity>;

    /// The number of a publisher's count pool, given out at its first mention.
    fn pool(&self, publisher: PublisherId, pool: PoolId) -> Pending<'_, PoolNumber>;

    /// Loads what is known of an ask, has it decided, applies the change and the counters in the
    /// same transaction, and gives back the decision when that is durable. Refuses (`REPLACED`) facts
    /// that were gathered of another store: a backup may have been restored meanwhile.
    fn submit(
        &self,
        desk: Arc<dyn Decide>,
        facts: AskFacts,
        now: Timestamp,
    ) -> Pending<'_, Decision>;

    /// Every pool with its count at `now` and its requests, in the order of their numbers.
    fn pools(&self, now: Timestamp) -> Pending<'_, Vec<PoolStatus>>;

    /// One page of clients, in the order of their ids; also those that no longer count.
    fn clients(&self, page: ClientPage) -> Pending<'_, Vec<ClientEntry>>;
}

/// What one host keeps for itself: settings, keys, certificates, policies.
pub trait HostValues: Kept {
    /// One value.
    fn value(&self, kind: &str, name: &str) -> Pending<'_, Option<Zeroizing<Vec<u8>>>>;

    /// All values of one kind with their names, in the order of names.
    fn values(&self, kind: &str) -> Pending<'_, Vec<NamedValue>>;

    /// Puts and deletes values and writes the audit entry, all or nothing; the new revision.
    fn change(&self, change: ValueChange, now: Timestamp) -> Pending<'_, u64>;

    /// Moves with every change of values and with a restore: whoever sees it move, also by another
    /// process, reads its values and the identity again.
    fn revision(&self) -> Pending<'_, u64>;

    /// Copies the store into a file, while it is being used.
    fn backup(&self, to: PathBuf) -> Pending<'_, ()>;
}

/// Requests of one pool since the store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// All that were decided.
    pub total: u64,
    /// Those that were not granted.
    pub failed: u64,
    /// All by the licence state their client reported, in the order of [`LicenceState::ALL`].
    pub by_state: [u64; 7],
}

impl Requests {
    fn add(&mut self, state: LicenceState, is_granted: bool) {
        self.total += 1;
        self.failed += u64::from(!is_granted);
        self.by_state[state as usize] += 1;
    }
}

/// A pool as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// The publisher.
    pub publisher: PublisherId,
    /// The pool.
    pub pool: PoolId,
    /// Its number in this store.
    pub number: PoolNumber,
    /// Clients counted.
    pub count: u32,
    /// Requests so far.
    pub requests: Requests,
}

/// Which clients to list.
#[derive(Clone, Debug, Default)]
pub struct ClientPage {
    /// Of this publisher only.
    pub publisher: Option<PublisherId>,
    /// With a seat in one of these pools only; empty for all.
    pub pools: Vec<PoolNumber>,
    /// Those whose id is greater.
    pub after: Option<ClientId>,
    /// At most so many, and at most `LIST_ROWS_MAX`.
    pub limit: usize,
}

/// A client as `clients` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEntry {
    /// The client.
    pub key: ClientKey,
    /// What is kept of it.
    pub row: ClientRow,
}

impl ClientPage {
    fn limit(&self) -> usize {
        self.limit.min(muster_proto::limits::LIST_ROWS_MAX)
    }

    /// Whether every client is listed.
    fn takes_all(&self) -> bool {
        self.publisher.is_none() && self.pools.is_empty()
    }

    fn takes(&self, key: &ClientKey, row: &ClientRow) -> bool {
        let in_pool = |pool: &PoolNumber| row.seats.iter().any(|seat| seat.pool == *pool);
        self.publisher
            .is_none_or(|publisher| publisher == key.publisher)
            && (self.pools.is_empty() || self.pools.iter().any(in_pool))
    }
}

/// A change of values with what the audit log says about it.
#[derive(Debug)]
pub struct ValueChange {
    /// Values to put: kind, name, value.
    pub puts: Vec<(String, String, Zeroizing<Vec<u8>>)>,
    /// Values to delete: kind, name.
    pub deletes: Vec<(String, String)>,
    /// What happened, for the audit log, at most `AUDIT_TEXT_BYTES_MAX`; never a secret. Empty for
    /// the service's own notes, which nobody decided: its clock, its addresses, the state of DNS.
    pub said: String,
    /// The revision that the change was made from; another one refuses it.
    pub expected: Option<u64>,
}

impl ValueChange {
    fn check(&self) -> Result<(), Refusal> {
        let refuse = |reason: Reason, what: &str| Err(Refusal::new(reason, what));
        let put_names = self.puts.iter().map(|(kind, name, _)| (kind, name));
        let deleted = self.deletes.iter().map(|(kind, name)| (kind, name));
        for (kind, name) in put_names.chain(deleted) {
            if kind.len() > NAME_BYTES_MAX || name.len() > NAME_BYTES_MAX {
                return refuse(reasons::VALUE_TOO_LARGE, "the name of a value");
            }
        }
        for (kind, name, value) in &self.puts {
            if value.len() > STORE_VALUE_BYTES_MAX {
                let what = format!("{kind} {name}: {} bytes", value.len());
                return refuse(reasons::VALUE_TOO_LARGE, &what);
            }
        }
        if self.said.len() > AUDIT_TEXT_BYTES_MAX {
            return refuse(reasons::VALUE_TOO_LARGE, "the audit entry");
        }
        Ok(())
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number: 1 and up, without a gap but after a restore.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Audited,
}

/// What is audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audited {
    /// A client was counted for the first time.
    FirstSeen(ClientKey),
    /// A client was counted under a new key.
    Succeeded {
        /// The new identity.
        client: ClientKey,
        /// The old one.
        predecessor: ClientId,
    },
    /// A client had not asked for long, and its row was removed.
    Ended(ClientKey),
    /// Settings, keys, certificates or policies changed.
    Changed(String),
    /// A backup was restored.
    Restored(String),
}
