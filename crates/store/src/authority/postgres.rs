//! An authority's store on PostgreSQL, which several authorities may share.
//!
//! A thread of its own runs the changes: those that wait while a transaction is under way share the
//! next one, each in a savepoint. Every transaction is serialisable and is run again when another
//! authority's came in between. Reads have two threads of their own and wait for no change.
//!
//! Each transaction that changes anything leaves a name of its own in the table of what was done.
//! When the answer to a commit is lost it is run again under the same name: a name that is there
//! tells that it was done, and the database lets nobody use it while that is being decided.

mod job;
mod reader;
mod schema;
mod session;
mod workers;
mod writer;

use std::sync::Arc;

use muster_proto::Refusal;
use muster_proto::limits::POSTGRES_READERS;
use muster_proto::reason::store as reasons;

use super::{AuthorityStore, Tables};
use crate::postgres::{Replication, Server, StoreUrl};
use crate::sqlite::{Tally, Work};

use job::{Job, job};
use reader::Reader;
use schema::SCHEMA;
use workers::Workers;
use writer::Writer;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct PostgresAuthority {
    inner: Arc<Inner>,
}

struct Inner {
    url: StoreUrl,
    spread: u64,
    tally: Arc<Tally>,
    changes: Workers<Box<dyn Job>>,
    reads: Workers<Box<dyn Job>>,
}

impl PostgresAuthority {
    /// Opens the store, and makes its tables where there are none. `seed` is random, and another
    /// one each time: the names of this store's transactions are taken from it.
    ///
    /// # Errors
    /// Why the server does not answer; `NEWER`, `NOT_PERMITTED` of its tables.
    pub async fn make(url: StoreUrl, seed: [u8; 16]) -> Result<Self, Refusal> {
        let spread = spread_of(seed);
        let server = Server::new(url.clone(), spread);
        server.migrate(&SCHEMA).await?;
        server.close();
        let tally = Arc::new(Tally::default());
        let writer = Writer::new(seed, Arc::clone(&tally));
        let writers = [(spread.wrapping_add(1), writer)];
        let readers = (2..).take(POSTGRES_READERS);
        let readers = readers.map(|number| (spread.wrapping_add(number), Reader));
        let inner = Inner {
            changes: Workers::start("muster-write", &url, writers)?,
            reads: Workers::start("muster-read", &url, readers)?,
            url,
            spread,
            tally,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Opens the store where its tables are.
    ///
    /// # Errors
    /// As [`PostgresAuthority::make`]; `NOT_OPENED` where there are none.
    pub async fn open(url: StoreUrl, seed: [u8; 16]) -> Result<Self, Refusal> {
        let server = Server::new(url.clone(), spread_of(seed));
        let version = server.schema_version(SCHEMA.role).await?;
        server.close();
        match version {
            0 => {
                let detail = format!("{url} holds no authority");
                Err(Refusal::new(reasons::NOT_OPENED, detail))
            }
            _ => Self::make(url, seed).await,
        }
    }

    /// Where it is; shows no password.
    pub fn url(&self) -> &StoreUrl {
        &self.inner.url
    }

    /// How the server keeps what it acknowledges.
    pub async fn replication(&self) -> Result<Replication, Refusal> {
        let server = Server::new(self.inner.url.clone(), self.inner.spread);
        let replication = server.replication().await;
        server.close();
        replication
    }

    /// Finishes what waits and closes the connections; later changes are refused.
    pub async fn close(&self) {
        self.inner.reads.close().await;
        self.inner.changes.close().await;
    }
}

fn spread_of(seed: [u8; 16]) -> u64 {
    let mut half = [0; 8];
    half.copy_from_slice(&seed[..8]);
    u64::from_be_bytes(half)
}

impl std::fmt::Debug for PostgresAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresAuthority({})", self.inner.url)
    }
}

impl AuthorityStore for PostgresAuthority {
    async fn change<T, F>(&self, change: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        let (job, answer) = job(change);
        self.inner.changes.submit(job)?;
        answer.await.map_err(|_| Refusal::from(reasons::STOPPED))?
    }

    async fn view<T, F>(&self, view: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        let (job, answer) = job(view);
        self.inner.reads.submit(job)?;
        answer.await.map_err(|_| Refusal::from(reasons::STOPPED))?
    }

    fn is_elsewhere(&self) -> bool {
        true
    }

    fn work(&self) -> Work {
        self.inner.tally.work()
    }
}

#[cfg(test)]
mod tests;
