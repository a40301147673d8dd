//! Asks on 64 kept connections with a million rows, everything of the server on one core, in turn
//! with etcd and PostgreSQL in its place; the store alone; and what a client takes on disk.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster_machine::clock;
use muster_proto::host::{Desk, Limiter};
use muster_store::kms::{ClientTable, Decide, Kept, SqliteKms};
use muster_store::sqlite::Options;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Bench;
use crate::cores::on_core;
use crate::failure::{During, Outcome};
use crate::figures::{median, spread};
use crate::fleet::{Counting, granted};
use crate::load::{Load, Way, send};
use crate::peers::CLIENTS;
use crate::peers::etcd::{Etcd, Puts};
use crate::peers::postgresql::Postgresql;
use crate::process::Server;
use crate::report::Row;
use crate::table::{StoreClient, Table, database_bytes, fill, open_store};

pub(crate) async fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let (estate, scale) = (&bench.estate, &bench.scale);
    let dir = estate.host("kept")?;
    let mut table = fill(estate, &dir, scale.table, scale.store_clients, scale).await?;
    let mut rounds = Rounds {
        etcd: Etcd::start(estate.cores.server).await,
        postgresql: Postgresql::start(estate.cores, scale.table).await,
        ours: Vec::new(),
        store: Vec::new(),
        puts: Vec::new(),
        upserts: Vec::new(),
    };
    for _ in 0..scale.rounds {
        rounds.one(bench, &mut table, &dir).await?;
    }
    let after = database_bytes(&dir)?;
    let mut rows = rounds.rows(&table);
    rows.push(disk(&table, after));
    Ok(rows)
}

/// The peers and what the rounds came to; a peer that cannot be had leaves its reason.
struct Rounds {
    etcd: Outcome<Etcd>,
    postgresql: Outcome<Postgresql>,
    ours: Vec<Load>,
    store: Vec<f64>,
    puts: Vec<Puts>,
    upserts: Vec<f64>,
}

impl Rounds {
    /// Ours, theirs, the store alone. A server is gone before the store is opened beside it, so that
    /// nothing of one round works on the core during the next.
    async fn one(&mut self, bench: &Bench, table: &mut Table, dir: &Path) -> Outcome<()> {
        let host = bench.estate.serve(dir)?;
        self.ours
            .push(asks(table, &host, bench.scale.asks_kept).await?);
        host.stop()?;
        if let Ok(etcd) = &self.etcd {
            self.puts.push(etcd.load(bench.scale.spell).await?);
        }
        let (counting, clients) = (table.counting, &mut table.store_clients);
        let spell = bench.scale.spell;
        self.store.push(on_core(bench.estate.cores.server, || {
            store_alone(dir, counting, clients, spell)
        })?);
        if let Ok(postgresql) = &self.postgresql {
            self.upserts.push(postgresql.load(spell)?);
        }
        Ok(())
    }

    fn rows(&self, table: &Table) -> Vec<Row> {
        let rates: Vec<f64> = self.ours.iter().map(Load::rate).collect();
        let micros: Vec<f64> = self.ours.iter().map(Load::server_micros).collect();
        let ours = format!(
            "{} rounds; {} asks/s over {} rows, {} us of server CPU each",
            self.ours.len(),
            spread(&rates, 0),
            table.clients,
            spread(&micros, 0)
        );
        let puts: Vec<f64> = self.puts.iter().map(|puts| puts.rate).collect();
        let put_micros: Vec<f64> = self.puts.iter().map(|puts| puts.server_micros).collect();
        let etcd = || {
            format!(
                "etcd {} puts/s with {CLIENTS} clients, {} us of server CPU each",
                spread(&puts, 0),
                spread(&put_micros, 0)
            )
        };
        let store = format!("the store {} asks/s", spread(&self.store, 0));
        let upserts = || {
            format!(
                "PostgreSQL {} upserts/s (pgbench -c {CLIENTS}, prepared)",
                spread(&self.upserts, 0)
            )
        };
        vec![
            against("ask-kept-vs-etcd", &rates, &self.etcd, &puts, || {
                format!("{ours}; {}", etcd())
            }),
            against(
                "ask-kept-vs-postgresql",
                &rates,
                &self.postgresql,
                &self.upserts,
                || format!("{ours}; {}", upserts()),
            ),
            against(
                "decide-and-store-vs-etcd",
                &self.store,
                &self.etcd,
                &puts,
                || format!("{store}; {}", etcd()),
            ),
        ]
    }
}

/// A row of our rates against a peer's, round by round.
fn against<T>(
    name: &'static str,
    ours: &[f64],
    peer: &Outcome<T>,
    theirs: &[f64],
    detail: impl FnOnce() -> String,
) -> Row {
    if let Err(why) = peer {
        return Row::missing(name, why);
    }
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    let detail = format!("{}; ratios {}", detail(), spread(&ratios, 2));
    Row::new(name, median(&ratios), detail)
}

/// The larger of what first asks leave and what renewals make of it.
fn disk(table: &Table, after: u64) -> Row {
    let larger = table.file_bytes.max(after);
    let detail = format!(
        "a database of {:.1} MB after first asks and {:.1} MB after this group's renewals, {} clients \
         of one product, the audit entry of each first ask included; the log of up to 16 MB beside \
         it is not counted",
        table.file_bytes as f64 / 1e6,
        after as f64 / 1e6,
        table.clients
    );
    let bytes = larger as f64 / table.clients as f64;
    Row::new("disk-per-client", bytes, detail)
}

/// Asks of different machines on 64 kept connections.
pub(crate) async fn asks(table: &mut Table, host: &Server, count: usize) -> Outcome<Load> {
    let greeted = table.fleet.greet(host.address).await?;
    let asks = table.fleet.prepare(&greeted, count)?;
    let bodies = asks.iter().map(|ask| ask.body.clone()).collect();
    let load = send(host, bodies, CLIENTS, Way::Kept).await?;
    table.fleet.check(&greeted, &asks, &load.answers)?;
    Ok(load)
}

/// Asks a second that the store decides and commits, 64 waiting, all on this thread's core.
fn store_alone(
    dir: &Path,
    counting: Counting,
    clients: &mut Vec<StoreClient>,
    spell: Duration,
) -> Outcome<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .during("a runtime")?;
    let store = open_store(dir, Options::default())?;
    let each = clients.len().div_ceil(CLIENTS);
    let mut shares: Vec<Vec<StoreClient>> = Vec::new();
    while !clients.is_empty() {
        shares.push(clients.split_off(clients.len().saturating_sub(each)));
    }
    runtime.block_on(async {
        let desk = Desk::with_limiter(store.identity().await?, Limiter::new(u32::MAX, 16));
        let desk: Arc<dyn Decide> = Arc::new(Mutex::new(desk));
        let start = Instant::now();
        let mut askers = JoinSet::new();
        for share in shares {
            let (store, desk) = (store.clone(), Arc::clone(&desk));
            askers.spawn(ask_in_turn(store, desk, counting, share, start + spell));
        }
        let mut asked = 0;
        while let Some(done) = askers.join_next().await {
            let (share, times) = done.during("an asker of the store")??;
            clients.extend(share);
            asked += times;
        }
        let rate = asked as f64 / start.elapsed().as_secs_f64();
        store.close().await?;
        Ok(rate)
    })
}

/// One asker: its clients in turn, each with the ticket that it was given last.
async fn ask_in_turn(
    store: SqliteKms,
    desk: Arc<dyn Decide>,
    counting: Counting,
    mut clients: Vec<StoreClient>,
    end: Instant,
) -> Outcome<(Vec<StoreClient>, u64)> {
    let mut asked = 0;
    loop {
        for client in &mut clients {
            if Instant::now() >= end {
                return Ok((clients, asked));
            }
            let facts = counting.facts(client.thumbprint, Some(client.ticket));
            let decision = store.submit(Arc::clone(&desk), facts, clock::now()).await?;
            client.ticket = granted(decision)?.1;
            asked += 1;
        }
    }
}
