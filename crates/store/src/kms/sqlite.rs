//! The store in one SQLite file.

mod check;
mod counters;
mod listing;
mod submit;
mod values;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use muster_proto::Refusal;
use muster_proto::host::{AskFacts, Decision, PoolNumber, StoreIdentity};
use muster_proto::ids::{PoolId, PublisherId};
use muster_proto::time::Timestamp;
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::{
    AuditEntry, ClientEntry, ClientPage, ClientTable, Decide, HostValues, Kept, NamedValue,
    Pending, PoolStatus, ValueChange,
};
use crate::sqlite::{self, Executor, Options, Schema, Work, refusal_of};

/// The schema of a KMS host's database.
const SCHEMA: Schema = Schema {
    kind: "kms",
    application_id: i32::from_be_bytes(*b"MuKm"),
    migrations: &[include_str!("sqlite/1.sql")],
};

/// A value as it is kept.
type Value = Zeroizing<Vec<u8>>;

/// A KMS host's store in one file. Cheap to clone.
#[derive(Clone)]
pub struct SqliteKms {
    executor: Executor,
    shared: Arc<Mutex<submit::Shared>>,
}

impl SqliteKms {
    /// Opens a store, or makes it with a new identity (random) where there is none. Blocks for some
    /// milliseconds, whatever its size. Refuses as [`Executor::open`] does.
    pub fn open(
        path: &Path,
        options: Options,
        new_identity: impl FnOnce() -> StoreIdentity,
    ) -> Result<Self, Refusal> {
        let first = |connection: &Connection| values::make_identity(connection, new_identity);
        Self::open_with(path, options, first).map(|(store, ())| store)
    }

    /// As [`SqliteKms::open`], with one value (kind, name) that decides how the rest is opened.
    pub fn open_and_read(
        path: &Path,
        options: Options,
        new_identity: impl FnOnce() -> StoreIdentity,
        (kind, name): (&str, &str),
    ) -> Result<(Self, Option<Value>), Refusal> {
        Self::open_with(path, options, |connection| {
            values::make_identity(connection, new_identity)?;
            values::value(connection, kind, name)
        })
    }

    fn open_with<T>(
        path: &Path,
        options: Options,
        first: impl FnOnce(&Connection) -> Result<T, Refusal>,
    ) -> Result<(Self, T), Refusal> {
        let shared = Arc::<Mutex<submit::Shared>>::default();
        let ending = Box::new(Arc::clone(&shared));
        let (executor, found) = Executor::open_ending(path, SCHEMA, options, first, ending)?;
        Ok((Self { executor, shared }, found))
    }

    /// Puts a backup in the place of a store, also under a running service, which sees the revision
    /// move. Refuses a file that is no backup of a KMS host; the present store is then untouched.
    pub fn restore(from: &Path, to: &Path, now: Timestamp) -> Result<(), Refusal> {
        let before = values::revision_in_file(to);
        let said = format!("from {}", from.display());
        sqlite::restore(from, to, SCHEMA, |connection| {
            values::note_restored(connection, before, &said, now)
        })
    }

    /// The executor, for what every role's database offers: commits counted, a full check.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    fn read<'a, T: Send + 'static>(
        &'a self,
        read: impl FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    ) -> Pending<'a, T> {
        Box::pin(self.executor.read(read))
    }
}

impl ClientTable for SqliteKms {
    fn identity(&self) -> Pending<'_, StoreIdentity> {
        self.read(values::identity)
    }

    fn pool(&self, publisher: PublisherId, pool: PoolId) -> Pending<'_, PoolNumber> {
        let give = move |connection: &Connection| counters::pool(connection, publisher, &pool);
        Box::pin(self.executor.write(give))
    }

    fn submit(
        &self,
        desk: Arc<dyn Decide>,
        facts: AskFacts,
        now: Timestamp,
    ) -> Pending<'_, Decision> {
        let shared = Arc::clone(&self.shared);
        Box::pin(self.executor.write_plain(move |connection| {
            submit::submit(connection, desk.as_ref(), &facts, now, &shared)
        }))
    }

    fn pools(&self, now: Timestamp) -> Pending<'_, Vec<PoolStatus>> {
        self.read(move |connection| listing::pools(connection, now))
    }

    fn clients(&self, page: ClientPage) -> Pending<'_, Vec<ClientEntry>> {
        self.read(move |connection| listing::clients(connection, &page))
    }
}

impl HostValues for SqliteKms {
    fn value(&self, kind: &str, name: &str) -> Pending<'_, Option<Zeroizing<Vec<u8>>>> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        self.read(move |connection| values::value(connection, &kind, &name))
    }

    fn values(&self, kind: &str) -> Pending<'_, Vec<NamedValue>> {
        let kind = kind.to_owned();
        self.read(move |connection| values::values(connection, &kind))
    }

    fn change(&self, change: ValueChange, now: Timestamp) -> Pending<'_, u64> {
        let apply = move |connection: &Connection| values::change(connection, &change, now);
        Box::pin(self.executor.write(apply))
    }

    fn revision(&self) -> Pending<'_, u64> {
        self.read(values::revision)
    }

    fn backup(&self, to: PathBuf) -> Pending<'_, ()> {
        Box::pin(async move { self.executor.backup(&to).await })
    }
}

impl Kept for SqliteKms {
    fn audit(&self, after: u64, limit: usize) -> Pending<'_, Vec<AuditEntry>> {
        self.read(move |connection| listing::audit(connection, after, limit))
    }

    fn work(&self) -> Work {
        self.executor.work()
    }

    fn check(&self) -> Pending<'_, ()> {
        Box::pin(async {
            self.executor.check_quickly().await?;
            self.executor.read(check::counts).await
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {
            self.executor.close().await;
            Ok(())
        })
    }
}

/// Runs SQL whose errors become refusals.
fn sql<T>(result: rusqlite::Result<T>) -> Result<T, Refusal> {
    result.map_err(|error| refusal_of(&error))
}
