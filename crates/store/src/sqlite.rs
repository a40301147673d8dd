//! The executor that every role's SQLite database stands on.
//!
//! One writer thread owns the one writing connection (WAL, `synchronous=FULL`, no memory mapping).
//! Jobs that wait share one transaction and one `fsync`: whoever finds nobody collecting collects,
//! and yields to the runtime until no further job arrives before it hands the batch over. There is
//! no timer, so a lonely job waits for nobody. A job's result is given back when its transaction is
//! durable, never before.
//!
//! Reads run on a few connections of their own, each in a snapshot, and never wait for the writer.
//! Commands of other processes may work on the same file at the same time.

mod copy;
mod failure;
mod open;
mod readers;
mod work;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_proto::limits::{
    STORE_BUSY_MILLISECONDS, STORE_CACHE_KIB, STORE_READERS, STORE_WAL_PAGES,
};
use muster_proto::{Reason, Refusal, reason::store as reasons};
pub use rusqlite;
use rusqlite::Connection;

pub use copy::restore;
pub use failure::refusal_of;
pub(crate) use work::Tally;
pub use work::Work;
pub(crate) use writer::Ending;

/// What a role keeps in its database.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The role, for messages.
    pub kind: &'static str,
    /// SQLite's `application_id`, four letters: tells the databases of the roles apart.
    pub application_id: i32,
    /// SQL that leads from each version to the next; `user_version` counts those applied. Only
    /// ever added to.
    pub migrations: &'static [&'static str],
}

impl Schema {
    /// The version that this release writes.
    pub(crate) fn version(&self) -> u32 {
        u32::try_from(self.migrations.len()).expect("migrations are few")
    }
}

/// How a database is opened. The default is what services use.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections that read, at least 1.
    pub readers: usize,
    /// Page cache of the writer, in KiB.
    pub cache_kib: u32,
    /// Pages of the log after which it is moved into the database.
    pub wal_pages: u32,
    /// How long another process's transaction is waited for, in milliseconds.
    pub busy_milliseconds: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: STORE_READERS,
            cache_kib: STORE_CACHE_KIB,
            wal_pages: STORE_WAL_PAGES,
            busy_milliseconds: STORE_BUSY_MILLISECONDS,
        }
    }
}

/// A database at work. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Executor {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    schema: Schema,
    writer: writer::Writer,
    readers: readers::Readers,
    tally: Arc<work::Tally>,
}

impl Executor {
    /// Opens a database, makes it (mode 0600) where there is none, and brings it to the present
    /// version. Blocks for some milliseconds; needs no runtime.
    ///
    /// Refuses a directory that others can write, a file that others can read, a file that is
    /// no database of this role, a damaged one and one of a newer release; each is left as it is.
    pub fn open(path: &Path, schema: Schema, options: Options) -> Result<Self, Refusal> {
        Self::open_with(path, schema, options, |_| Ok(())).map(|(executor, ())| executor)
    }

    /// As [`Executor::open`], and runs one change (durable as every other) before anything else:
    /// what a role needs to know or to make when it starts.
    pub fn open_with<T>(
        path: &Path,
        schema: Schema,
        options: Options,
        first: impl FnOnce(&Connection) -> Result<T, Refusal>,
    ) -> Result<(Self, T), Refusal> {
        Self::open_ending(path, schema, options, first, Box::new(writer::NoEnding))
    }

    /// As [`Executor::open_with`], with what plain changes leave to the end of their transaction.
    pub(crate) fn open_ending<T>(
        path: &Path,
        schema: Schema,
        options: Options,
        first: impl FnOnce(&Connection) -> Result<T, Refusal>,
        ending: Box<dyn Ending>,
    ) -> Result<(Self, T), Refusal> {
        let connection = open::writer(path, &schema, &options)?;
        let begun = open::in_transaction(&connection, path, first)?;
        let tally = Arc::new(work::Tally::default());
        let readers = readers::Readers::start(path, &options)?;
        let writer = writer::Writer::start(connection, ending, Arc::clone(&tally))?;
        let inner = Inner {
            path: path.to_owned(),
            schema,
            writer,
            readers,
            tally,
        };
        let executor = Self {
            inner: Arc::new(inner),
        };
        Ok((executor, begun))
    }

    /// Runs a change and gives its result when it is durable. A change that gives back an error is
    /// undone alone; the others of its batch stand.
    pub async fn write<T, F>(&self, change: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        let outcome = self.inner.writer.submit(true, change).await;
        outcome.map_err(|refusal| self.named(refusal))
    }

    /// As [`Executor::write`] without paying for a savepoint: an error after the change has written
    /// anything undoes the whole batch. Use it where a change refuses before it writes, and after
    /// that only the disk can fail.
    pub async fn write_plain<T, F>(&self, change: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        let outcome = self.inner.writer.submit(false, change).await;
        outcome.map_err(|refusal| self.named(refusal))
    }

    /// Runs a read in a snapshot of its own.
    pub async fn read<T, F>(&self, read: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        let outcome = self.inner.readers.submit(read).await;
        outcome.map_err(|refusal| self.named(refusal))
    }

    /// What the disk or the file refused, with the file's name: whoever reads it must know which.
    fn named(&self, refusal: Refusal) -> Refusal {
        const OF_FILE: [Reason; 7] = [
            reasons::NOT_OPENED,
            reasons::READ_ONLY,
            reasons::FULL,
            reasons::DISK_FAILED,
            reasons::CORRUPT,
            reasons::BUSY,
            reasons::ROW_UNREADABLE,
        ];
        match OF_FILE.contains(&refusal.reason) {
            true => refuse(refusal.reason, &self.inner.path, refusal.detail),
            false => refusal,
        }
    }

    /// Transactions committed since the database was opened.
    pub fn commits(&self) -> u64 {
        self.work().commits
    }

    /// What was committed since the database was opened, and how long it took.
    pub fn work(&self) -> Work {
        self.inner.tally.work()
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Copies the database as it is now into one file (mode 0600) by SQLite's backup interface,
    /// while it is being used. The file appears whole or not at all; an older one is replaced.
    pub async fn backup(&self, to: &Path) -> Result<(), Refusal> {
        let (to, schema) = (to.to_owned(), self.inner.schema);
        self.inner
            .readers
            .submit_plain(move |connection| copy::backup(connection, &schema, &to))
            .await
    }

    /// Reads every page and index; refuses a damaged database and names the first fault. Takes
    /// seconds for millions of rows.
    pub async fn check(&self) -> Result<(), Refusal> {
        self.read(open::check_whole).await
    }

    /// As [`Executor::check`] without comparing indices with their tables: quick enough for a
    /// diagnosis beside a running service.
    pub async fn check_quickly(&self) -> Result<(), Refusal> {
        self.read(open::check_quickly).await
    }

    /// Finishes what waits, moves the log into the database and closes it; later jobs are refused.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }
}

/// A connection for a look at a database that may be damaged: closed, it leaves the log as it is.
pub(crate) fn look(path: &Path) -> rusqlite::Result<Connection> {
    open::connect(path, STORE_BUSY_MILLISECONDS)
}

/// A refusal that names the file.
fn refuse(reason: Reason, path: &Path, what: impl std::fmt::Display) -> Refusal {
    Refusal::new(reason, format!("{}: {what}", path.display()))
}

/// What a job gets whose executor has ended.
fn stopped() -> Refusal {
    reasons::STOPPED.into()
}

#[cfg(test)]
mod tests;
