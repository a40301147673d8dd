//! Asks on 64 kept connections to hosts that share their table in PostgreSQL, database and hosts on
//! one core: one host, and in turn with it two.

use std::sync::Arc;
use std::time::Duration;

use muster_machine::random;
use muster_proto::host::StoreIdentity;
use muster_proto::ids::StoreId;
use muster_store::kms::{Kept, PostgresKms};
use tokio::task::JoinSet;

use super::Bench;
use crate::failure::{During, Failure, Outcome};
use crate::figures::{median, spread};
use crate::fleet::Fleet;
use crate::load::{Load, Way, send};
use crate::peers::CLIENTS;
use crate::peers::postgresql::Postgresql;
use crate::process::Server;
use crate::report::Row;
use crate::table::counted;

const NAMES: [&str; 2] = ["ask-shared-one-host", "ask-shared-two-hosts"];

pub(crate) async fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let (estate, scale) = (&bench.estate, &bench.scale);
    let postgresql = match Postgresql::start(estate.cores, 1).await {
        Ok(postgresql) => postgresql,
        Err(why) => return Ok(NAMES.map(|name| Row::missing(name, &why)).into()),
    };
    let url = postgresql.url();
    let identity = StoreIdentity {
        id: StoreId(*random::bytes()),
        key: random::bytes(),
    };
    let table = Arc::new(PostgresKms::open(url.parse()?, identity)?);
    let mut fleet = counted(estate, Arc::clone(&table) as _, scale.machines).await?;
    table.close().await?;
    let serve = |name| {
        let host = estate.host(name)?;
        estate.serve_with(&host, &["--store", &url]).map(Arc::new)
    };
    let hosts = [serve("shared-one")?, serve("shared-two")?];
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        one.push(asks(&mut fleet, &hosts[..1], scale.asks_kept).await?);
        two.push(asks(&mut fleet, &hosts, scale.asks_kept).await?);
    }
    Ok(vec![row(NAMES[0], &one), row(NAMES[1], &two)])
}

/// What came of one round.
struct Round {
    rate: f64,
    /// Of all hosts, in microseconds for each ask.
    micros: f64,
}

/// Asks of different machines, shared out among hosts that are asked at once.
async fn asks(fleet: &mut Fleet, hosts: &[Arc<Server>], count: usize) -> Outcome<Round> {
    let mut asked = Vec::new();
    for host in hosts {
        let greeted = fleet.greet(host.address).await?;
        let asks = fleet.prepare(&greeted, count / hosts.len())?;
        asked.push((greeted, asks));
    }
    let mut sending = JoinSet::new();
    for (at, host) in hosts.iter().enumerate() {
        let bodies = asked[at].1.iter().map(|ask| ask.body.clone()).collect();
        let (host, lines) = (Arc::clone(host), CLIENTS / hosts.len());
        let send = async move { send(&host, bodies, lines, Way::Kept).await };
        sending.spawn(async move { Ok::<_, Failure>((at, send.await?)) });
    }
    let mut loads = Vec::new();
    while let Some(done) = sending.join_next().await {
        let (at, load) = done.during("asking a host")??;
        let (greeted, asks) = &asked[at];
        fleet.check(greeted, asks, &load.answers)?;
        loads.push(load);
    }
    Ok(Round::of(&loads))
}

impl Round {
    fn of(loads: &[Load]) -> Self {
        let asks: usize = loads.iter().map(|load| load.answers.len()).sum();
        let wall = loads.iter().map(|load| load.wall).max().unwrap_or_default();
        let spent: Duration = loads.iter().map(|load| load.server).sum();
        Self {
            rate: asks as f64 / wall.as_secs_f64(),
            micros: spent.as_secs_f64() * 1e6 / asks as f64,
        }
    }
}

fn row(name: &'static str, rounds: &[Round]) -> Row {
    let rates: Vec<f64> = rounds.iter().map(|round| round.rate).collect();
    let micros: Vec<f64> = rounds.iter().map(|round| round.micros).collect();
    let detail = format!(
        "{} rounds; {} asks/s, {} us of the hosts' CPU each, the database's not counted",
        rounds.len(),
        spread(&rates, 0),
        spread(&micros, 0)
    );
    Row::new(name, median(&rates), detail)
}
