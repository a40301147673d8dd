//! Large tables, made in seconds: a few clients are counted through the store's own rules, and their
//! rows are then multiplied in one transaction, under random ids as real ones are. Every count stays
//! true: a table of ten million is the one that ten million first asks would have left.

use std::path::Path;
use std::sync::{Arc, Mutex};

use muster_machine::{clock, random};
use muster_proto::Refusal;
use muster_proto::crypto::sha256;
use muster_proto::host::{Desk, Limiter, StoreIdentity};
use muster_proto::ids::{StoreId, Thumbprint};
use muster_proto::statement::ask::Ticket;
use muster_proto::time::{Span, Timestamp};
use muster_store::kms::{ClientTable, Decide, Kept, SqliteKms};
use muster_store::sqlite::rusqlite::{Connection, params};
use muster_store::sqlite::{Options, refusal_of};
use tokio::task::JoinSet;

use crate::estate::Estate;
use crate::failure::{During, Failure, Outcome};
use crate::fleet::{Counting, Fleet, granted, machine_key};
use crate::scale::Scale;

/// The database's name in a host's directory.
const DATABASE: &str = "kms.db";
/// Rows that are multiplied: as many hours of a month as tell its days apart.
const PATTERNS: u64 = 64;
/// Hours between one pattern and the next: together a little less than the window of 30 days.
const PATTERN_HOURS: u64 = 11;
/// A page cache that holds the whole table while it is made.
const CACHE_KIB: u32 = 4 * 1_024 * 1_024;
/// Asks that the store is given at once.
const AT_ONCE: usize = 512;

/// A client that only the store's own row asks for.
pub(crate) struct StoreClient {
    pub(crate) thumbprint: Thumbprint,
    pub(crate) ticket: Ticket,
}

/// A table and who is in it.
pub(crate) struct Table {
    /// The machines that ask over the wire.
    pub(crate) fleet: Fleet,
    /// The clients that ask the store alone.
    pub(crate) store_clients: Vec<StoreClient>,
    /// What their asks have in common.
    pub(crate) counting: Counting,
    /// Bytes of the database file when all was made.
    pub(crate) file_bytes: u64,
    /// Clients in it.
    pub(crate) clients: u64,
}

/// Fills a host's table up to a number of clients; the fleet and the store's clients are among them.
pub(crate) async fn fill(
    estate: &Estate,
    host: &Path,
    clients: u64,
    store_clients: usize,
    scale: &Scale,
) -> Outcome<Table> {
    let options = Options {
        cache_kib: CACHE_KIB,
        ..Options::default()
    };
    let store = open_store(host, options)?;
    let filler = Filler::of(estate, Arc::new(store.clone())).await?;
    let machines = scale
        .machines
        .min(usize::try_from(clients).unwrap_or(usize::MAX));
    let singles = (machines + store_clients) as u64;
    filler
        .fill_up(&store, clients.saturating_sub(singles))
        .await?;
    let now = clock::now();
    let numbered = |number: usize| Thumbprint(sha256(format!("client {number}").as_bytes()));
    let others = filler.count((0..store_clients).map(numbered), now).await?;
    let fleet = filler.fleet(estate, machines).await?;
    let clients = clients.max(singles);
    filler.check(clients, now).await?;
    store.close().await?;
    let file_bytes = database_bytes(host)?;
    let store_client = |(thumbprint, _, ticket)| StoreClient { thumbprint, ticket };
    Ok(Table {
        fleet,
        store_clients: others.into_iter().map(store_client).collect(),
        counting: filler.counting,
        file_bytes,
        clients,
    })
}

/// Machines that another table knows.
pub(crate) async fn counted(
    estate: &Estate,
    store: Arc<dyn ClientTable>,
    machines: usize,
) -> Outcome<Fleet> {
    let filler = Filler::of(estate, store).await?;
    filler.fleet(estate, machines).await
}

/// Bytes of the database in a host's directory, without its log.
pub(crate) fn database_bytes(host: &Path) -> Outcome<u64> {
    let file = std::fs::metadata(host.join(DATABASE)).during("the database")?;
    Ok(file.len())
}

/// Opens the store in a host's directory beside nobody else.
pub(crate) fn open_store(host: &Path, options: Options) -> Outcome<SqliteKms> {
    // A certified host has its identity already.
    let identity = || StoreIdentity {
        id: StoreId(*random::bytes()),
        key: random::bytes(),
    };
    Ok(SqliteKms::open(&host.join(DATABASE), options, identity)?)
}

type Counted = (Thumbprint, muster_proto::host::ClientRow, Ticket);

/// Counts machines in a table by the table's own rules.
struct Filler {
    store: Arc<dyn ClientTable>,
    desk: Desk,
    counting: Counting,
}

impl Filler {
    async fn of(estate: &Estate, store: Arc<dyn ClientTable>) -> Outcome<Self> {
        let publisher = estate.bundle.root.publisher();
        let identity = store.identity().await?;
        let counting = Counting {
            store: identity.id,
            publisher,
            pool: store.pool(publisher, estate.policy.pool.clone()).await?,
            window: estate.policy.window,
            budget: u32::MAX,
        };
        Ok(Self {
            store,
            desk: Desk::with_limiter(identity, Limiter::new(u32::MAX, 16)),
            counting,
        })
    }

    /// Counts machines with keys of their own.
    async fn fleet(&self, estate: &Estate, machines: usize) -> Outcome<Fleet> {
        let owns: Vec<_> = (0..machines)
            .map(|number| machine_key(&estate.bundle.root, number))
            .collect();
        let thumbprints = owns.iter().map(|own| own.key.public().thumbprint());
        let rows = self.count(thumbprints, clock::now()).await?;
        let machines = owns.into_iter().zip(rows);
        let machines = machines.map(|(own, (_, row, ticket))| (own, row, ticket));
        let desk = self.desk.clone();
        Ok(Fleet::new(estate, self.counting, desk, machines.collect()))
    }

    /// Counts clients one by one, at a time.
    async fn count(
        &self,
        thumbprints: impl Iterator<Item = Thumbprint>,
        now: Timestamp,
    ) -> Outcome<Vec<Counted>> {
        let thumbprints: Vec<_> = thumbprints.collect();
        let desk: Arc<dyn Decide> = Arc::new(Mutex::new(self.desk.clone()));
        let mut counted = Vec::with_capacity(thumbprints.len());
        for some in thumbprints.chunks(AT_ONCE) {
            let mut asks = JoinSet::new();
            for (at, thumbprint) in some.iter().copied().enumerate() {
                let (store, desk) = (Arc::clone(&self.store), Arc::clone(&desk));
                let facts = self.counting.facts(thumbprint, None);
                asks.spawn(async move {
                    let decision = store.submit(desk, facts, now).await?;
                    granted(decision).map(|(row, ticket)| (at, (thumbprint, row, ticket)))
                });
            }
            let mut done = Vec::with_capacity(some.len());
            while let Some(one) = asks.join_next().await {
                done.push(one.during("counting a client")??);
            }
            done.sort_by_key(|(at, _)| *at);
            counted.extend(done.into_iter().map(|(_, one)| one));
        }
        Ok(counted)
    }

    /// What was multiplied must be what the store counts.
    async fn check(&self, clients: u64, now: Timestamp) -> Outcome<()> {
        let pools = self.store.pools(now).await?;
        let ours = pools.iter().find(|pool| pool.number == self.counting.pool);
        let counted = ours.map_or(0, |pool| u64::from(pool.count));
        if counted == clients {
            Ok(())
        } else {
            let said = format!("the table was made for {clients} clients and counts {counted}");
            Err(Failure(said))
        }
    }

    /// Brings in so many clients without a key, seen over the last month.
    async fn fill_up(&self, store: &SqliteKms, clients: u64) -> Outcome<()> {
        let times = clients / PATTERNS;
        let present = clock::now().seconds();
        for pattern in 0..PATTERNS {
            let before = Span::from_hours((PATTERNS - pattern) * PATTERN_HOURS).seconds();
            let then = Timestamp::from_seconds(present.saturating_sub(before));
            let thumbprint = Thumbprint(sha256(format!("pattern {pattern}").as_bytes()));
            if times > 0 {
                self.count(std::iter::once(thumbprint), then).await?;
            }
        }
        let multiply = move |connection: &Connection| multiply(connection, times.saturating_sub(1));
        store.executor().write(multiply).await?;
        let rest = (0..clients - times * PATTERNS)
            .map(|number| Thumbprint(sha256(format!("rest {number}").as_bytes())));
        self.count(rest, clock::now()).await.map(|_| ())
    }
}

/// Adds so many copies of every row there is, under random ids, with the counters and the audit
/// entries that their first asks would have left.
fn multiply(connection: &Connection, copies: u64) -> Result<(), Refusal> {
    const STEPS: [&str; 6] = [
        "CREATE TEMP TABLE pattern AS SELECT publisher, packed FROM clients",
        "CREATE TEMP TABLE event AS SELECT at, event, publisher FROM audit WHERE subject NOT NULL",
        "WITH RECURSIVE n(i) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
         INSERT INTO clients SELECT randomblob(16), publisher, packed FROM n CROSS JOIN pattern",
        "WITH RECURSIVE n(i) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
         INSERT INTO audit (at, event, publisher, subject) \
         SELECT at, event, publisher, randomblob(16) FROM n CROSS JOIN event",
        "UPDATE ends SET seats = seats * (?1 + 1)",
        "UPDATE pools SET counted = counted * (?1 + 1), total = total * (?1 + 1), \
         state2 = state2 * (?1 + 1)",
    ];
    let copies = i64::try_from(copies).unwrap_or(i64::MAX);
    for step in STEPS {
        let takes = usize::from(step.contains("?1"));
        let done = if takes == 0 {
            connection.execute(step, [])
        } else {
            connection.execute(step, params![copies])
        };
        done.map_err(|error| refusal_of(&error))?;
    }
    Ok(())
}
