//! The table of clients on a database server, shared by several hosts: they make one count, exactly.
//!
//! Each host has one thread that decides; see `worker`. A transaction first locks the rows of the
//! publishers it is about, so that hosts queue there and none has to begin anew; what it loads after
//! that, it alone changes. So the count is one, whichever host is asked, and also when their clocks
//! stand in two different hours.

mod batch;
mod keep;
mod listing;
mod load;
mod numbers;
mod sweep;
mod worker;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use muster_proto::Refusal;
use muster_proto::host::{AskFacts, Decision, PoolNumber, StoreIdentity};
use muster_proto::ids::{PoolId, PublisherId};
use muster_proto::limits::STORE_QUEUE_MAX;
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::{AuditEntry, ClientEntry, ClientPage, ClientTable, Decide, Kept, Pending, PoolStatus};
use crate::postgres::{Replication, Schema, Server, Step, StoreUrl, Working};
use crate::sqlite::{Tally, Work};
use batch::Ask;
use worker::{Job, Tables, Worker};

/// The tables of the hosts' common count.
const SCHEMA: Schema = Schema {
    role: "kms",
    steps: &[Step {
        sql: include_str!("postgres/1.sql"),
        min_reader: 1,
    }],
    works_from: 1,
};

/// A table of clients on a database server. Cheap to clone.
#[derive(Clone)]
pub struct PostgresKms {
    inner: Arc<Inner>,
}

struct Inner {
    tables: Tables,
    tally: Arc<Tally>,
    runtime: Handle,
    /// None when it is closed.
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    /// Comes when the thread has ended.
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl PostgresKms {
    /// A table on a server, which is connected to when it is first used; `identity` (random) is
    /// what a new table is given.
    ///
    /// # Errors
    /// `NO_THREAD`.
    pub fn open(url: StoreUrl, identity: StoreIdentity) -> Result<Self, Refusal> {
        let no_thread = |error: std::io::Error| Refusal::new(reasons::NO_THREAD, error.to_string());
        let seed = u64::from_be_bytes(identity.id.0);
        let tables = Tables::new(Server::new(url, seed), identity);
        let tally = Arc::new(Tally::default());
        let worker = Worker {
            tables: tables.clone(),
            tally: Arc::clone(&tally),
            sweep: sweep::Sweep::default(),
            is_away: false,
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(no_thread)?;
        let handle = runtime.handle().clone();
        let (sender, queue) = mpsc::channel(STORE_QUEUE_MAX);
        let (alive, ended) = oneshot::channel();
        thread::Builder::new()
            .name("muster-postgres".into())
            .spawn(move || {
                runtime.block_on(worker.run(queue));
                drop(runtime);
                drop(alive);
            })
            .map_err(no_thread)?;
        let inner = Inner {
            tables,
            tally,
            runtime: handle,
            queue: Mutex::new(Some(sender)),
            ended: Mutex::new(Some(ended)),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Where it is; shows no password.
    pub fn url(&self) -> &StoreUrl {
        self.inner.tables.server.url()
    }

    /// How the server keeps a second copy; whether it answers, too.
    pub async fn replication(&self) -> Result<Replication, Refusal> {
        self.call(|tables| async move { tables.server.replication().await })
            .await
    }

    /// Runs a call on the thread's runtime, to which the connections belong.
    async fn call<T, F>(
        &self,
        call: impl FnOnce(Tables) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        if self.queue().is_none() {
            return Err(reasons::STOPPED.into());
        }
        let running = self.inner.runtime.spawn(call(self.inner.tables.clone()));
        // An error means that the thread has ended meanwhile.
        running.await.map_err(|_| Refusal::from(reasons::STOPPED))?
    }

    /// Runs a read of the table.
    async fn read<T: Send + 'static>(
        &self,
        mut read: impl for<'a> FnMut(&'a mut sqlx_postgres::PgConnection) -> Working<'a, T>
        + Send
        + 'static,
    ) -> Result<T, Refusal> {
        self.call(|tables| async move {
            tables.ready().await?;
            let result = tables.server.read(&mut read).await;
            if result.is_err() {
                tables.doubt();
            }
            result
        })
        .await
    }

    async fn ask(&self, ask: Ask) -> Result<Decision, Refusal> {
        let (reply, decision) = oneshot::channel();
        let sent = match &*self.queue() {
            Some(queue) => queue.try_send(Job { ask, reply }),
            None => return Err(reasons::STOPPED.into()),
        };
        match sent {
            Ok(()) => decision.await.map_err(|_| reasons::STOPPED)?,
            Err(TrySendError::Full(_)) => Err(reasons::QUEUE_FULL.into()),
            Err(TrySendError::Closed(_)) => Err(reasons::STOPPED.into()),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        let queue = self.inner.queue.lock();
        queue.unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientTable for PostgresKms {
    fn identity(&self) -> Pending<'_, StoreIdentity> {
        let find = self.read(|connection| Box::pin(numbers::identity(connection)));
        Box::pin(async move { find.await?.ok_or(reasons::REPLACED.into()) })
    }

    fn pool(&self, publisher: PublisherId, pool: PoolId) -> Pending<'_, PoolNumber> {
        Box::pin(self.call(move |tables| async move {
            tables.ready().await?;
            let find = tables.server.transact(|connection| {
                Box::pin(numbers::pool(connection, publisher, pool.clone()))
            });
            let number = find.await?;
            tables.given().insert(number, (publisher, pool));
            Ok(number)
        }))
    }

    fn submit(
        &self,
        desk: Arc<dyn Decide>,
        facts: AskFacts,
        now: Timestamp,
    ) -> Pending<'_, Decision> {
        Box::pin(self.ask(Ask { desk, facts, now }))
    }

    fn pools(&self, now: Timestamp) -> Pending<'_, Vec<PoolStatus>> {
        Box::pin(self.read(move |connection| Box::pin(listing::pools(connection, now))))
    }

    fn clients(&self, page: ClientPage) -> Pending<'_, Vec<ClientEntry>> {
        let read =
            self.read(move |connection| Box::pin(listing::clients(connection, page.clone())));
        Box::pin(read)
    }
}

impl Kept for PostgresKms {
    fn audit(&self, after: u64, limit: usize) -> Pending<'_, Vec<AuditEntry>> {
        Box::pin(
            self.read(move |connection| Box::pin(listing::audit_entries(connection, after, limit))),
        )
    }

    fn work(&self) -> Work {
        self.inner.tally.work()
    }

    fn close(&self) -> Pending<'_, ()> {
        drop(self.queue().take());
        let ended = self.inner.ended.lock();
        let ended = ended.unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            if let Some(ended) = ended {
                // It ends by being dropped; there is nothing to receive.
                let _ = ended.await;
            }
            self.inner.tables.server.close();
            Ok(())
        })
    }
}
