//! Connections to the one database server that takes changes.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_proto::Refusal;
use muster_proto::limits::{
    POSTGRES_COMMIT_MILLISECONDS, POSTGRES_CONNECT_MILLISECONDS, POSTGRES_CONNECTIONS_MAX,
    POSTGRES_STANDSTILL_MILLISECONDS,
};
use muster_proto::reason::store as reasons;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::query_scalar::query_scalar;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{Fault, StoreUrl};

/// A database server and a few connections to it. Cheap to clone.
///
/// Its connections belong to the runtime in which they were made: one `Server` for one runtime.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    url: StoreUrl,
    idle: Mutex<Vec<PgConnection>>,
    permits: Arc<Semaphore>,
    /// The host of the URL that took changes last.
    first: AtomicUsize,
    /// Moves with each pause: what spreads them.
    spread: AtomicU64,
    is_closed: AtomicBool,
}

impl Server {
    /// A server, not yet connected to. `seed` (random) spreads the pauses of several hosts.
    pub fn new(url: StoreUrl, seed: u64) -> Self {
        let inner = Inner {
            url,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(POSTGRES_CONNECTIONS_MAX)),
            first: AtomicUsize::new(0),
            spread: AtomicU64::new(seed),
            is_closed: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Where it is; shows no password.
    pub fn url(&self) -> &StoreUrl {
        &self.inner.url
    }

    /// Begins a serialisable transaction on a connection of its own. Waits while all are in use,
    /// and a few seconds for each host that does not answer.
    pub async fn begin(&self) -> Result<Transaction, Fault> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
        self.start(BEGIN).await
    }

    /// Begins a transaction that sees what others committed before each of its statements. It is for
    /// work that first locks the rows it depends on, so that others queue there: serialisable ones
    /// that wait for the same row would each begin anew.
    pub async fn begin_in_turn(&self) -> Result<Transaction, Fault> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
        self.start(BEGIN).await
    }

    /// Begins a transaction that only reads, in one snapshot. A standby is not asked: what was
    /// acknowledged is seen.
    pub async fn begin_read(&self) -> Result<Transaction, Fault> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.start(BEGIN).await
    }

    async fn start(&self, begin: &'static str) -> Result<Transaction, Fault> {
        let permits = Arc::clone(&self.inner.permits);
        let permit = permits.acquire_owned().await;
        let permit = permit.map_err(|_| Fault::from(reasons::STOPPED))?;
        let kept = self.idle().pop();
        if let Some(mut connection) = kept {
            let begun = timeout(CONNECT, raw_sql(begin).execute(&mut connection)).await;
            if let Ok(Ok(_)) = begun {
                return Ok(self.transaction(connection, permit));
            }
            // The server went away since; so will have the others.
            self.idle().clear();
        }
        let mut connection = self.connect().await?;
        let begun = timeout(CONNECT, raw_sql(begin).execute(&mut connection)).await;
        begun.map_err(|_| Fault::Refused(silent()))??;
        Ok(self.transaction(connection, permit))
    }

    fn transaction(&self, connection: PgConnection, permit: OwnedSemaphorePermit) -> Transaction {
        Transaction {
            server: self.clone(),
            connection: Some(connection),
            _permit: permit,
        }
    }

    /// Connects to the first host that takes changes, beginning with the last one that did.
    async fn connect(&self) -> Result<PgConnection, Fault> {
        // A file that is not there would look like a server that is not there.
        self.inner.url.read_files()?;
        let hosts = self.inner.url.hosts();
        let first = self.inner.first.load(Ordering::Relaxed);
        let mut why = None;
        for index in (0..hosts.len()).map(|step| (first + step) % hosts.len()) {
            match timeout(CONNECT, open(&hosts[index])).await {
                Ok(Ok(connection)) => {
                    self.inner.first.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Err(fault)) => why = Some(weightier(why, told(fault))),
                Err(_) => why = Some(weightier(why, silent())),
            }
        }
        let why = why.unwrap_or(reasons::SERVER_UNREACHABLE.into());
        let named = format!("{}: {}", self.inner.url, why.detail);
        Err(Fault::Refused(Refusal::new(why.reason, named)))
    }

    /// After a fault: begin with the next host, and trust no connection that is kept.
    pub(crate) fn distrust(&self) {
        self.idle().clear();
        self.inner.first.fetch_add(1, Ordering::Relaxed);
    }

    /// A number that is another each time and for each host.
    pub(super) fn spread(&self) -> u64 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.inner.spread.fetch_add(GOLDEN, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 31)
    }

    /// Closes the connections; later transactions are refused.
    pub fn close(&self) {
        self.inner.is_closed.store(true, Ordering::Relaxed);
        self.inner.permits.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.inner
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const CONNECT: Duration = Duration::from_millis(POSTGRES_CONNECT_MILLISECONDS);

/// Opens one connection to a host that takes changes.
async fn open(host: &PgConnectOptions) -> Result<PgConnection, Fault> {
    let mut connection = host.connect().await?;
    // As libpq does for `target_session_attrs=read-write`.
    let is_read_only: String = query_scalar::<Postgres, _>("SHOW transaction_read_only")
        .fetch_one(&mut connection)
        .await?;
    if is_read_only != "off" {
        return Err(reasons::NOT_PRIMARY.into());
    }
    // What is acknowledged is on the disk, and on the standbys that the server waits for, whatever
    // its default is. Time-outs of statements stay with the client: the server would end its wait
    // for a standby by one, and call that a success.
    let settings = format!(
        "SET idle_in_transaction_session_timeout = {POSTGRES_STANDSTILL_MILLISECONDS}; \
         SET statement_timeout = 0; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"
    );
    raw_sql(AssertSqlSafe(settings))
        .execute(&mut connection)
        .await?;
    Ok(connection)
}

fn silent() -> Refusal {
    Refusal::new(reasons::SERVER_UNREACHABLE, "it is silent")
}

/// While connecting, nothing is under way that could be lost.
fn told(fault: Fault) -> Refusal {
    fault.refusal()
}

/// Of two hosts' refusals the one to tell: a wrong login is to be mended, a silent host may be the
/// one that is being replaced.
fn weightier(before: Option<Refusal>, now: Refusal) -> Refusal {
    let weight = |refusal: &Refusal| match refusal.reason {
        reason if reason == reasons::SERVER_UNREACHABLE => 0,
        reason if reason == reasons::NOT_PRIMARY => 1,
        _ => 2,
    };
    match before {
        Some(before) if weight(&before) >= weight(&now) => before,
        _ => now,
    }
}

/// A transaction under way. Dropped without a commit it is undone with its connection.
pub struct Transaction {
    server: Server,
    connection: Option<PgConnection>,
    _permit: OwnedSemaphorePermit,
}

impl Transaction {
    /// The connection to run statements on.
    pub fn connection(&mut self) -> &mut PgConnection {
        self.connection
            .as_mut()
            .expect("a transaction has its connection until it ends")
    }

    /// Commits. [`Fault::Unknown`] where the answer did not come; a statement that failed before,
    /// also one whose error was not heeded, makes it a refusal.
    pub async fn commit(self) -> Result<(), Fault> {
        // A failed transaction would answer a bare COMMIT with success, and undo itself.
        self.end("SELECT 1; COMMIT").await
    }

    /// Undoes it and keeps the connection.
    pub async fn roll_back(self) -> Result<(), Fault> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), Fault> {
        const COMMIT: Duration = Duration::from_millis(POSTGRES_COMMIT_MILLISECONDS);
        let mut connection = self.connection.take().expect("a transaction ends once");
        let ended = timeout(COMMIT, raw_sql(statement).execute(&mut connection)).await;
        match ended {
            Ok(Ok(_)) => {
                if !self.server.inner.is_closed.load(Ordering::Relaxed) {
                    self.server.idle().push(connection);
                }
                Ok(())
            }
            Ok(Err(error)) => Err(Fault::of_commit(&error)),
            Err(_) => Err(Fault::Unknown("the server did not answer".into())),
        }
    }
}
