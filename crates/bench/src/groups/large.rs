//! Ten million clients: what an ask costs against a small table, how soon a host answers after a
//! start, and what it holds in memory.

use std::path::Path;

use tokio::time::Instant;

use super::Bench;
use super::kept::asks;
use crate::failure::{During, Failure, Outcome};
use crate::figures::{median, spread};
use crate::load::{open, post};
use crate::process::Server;
use crate::report::Row;
use crate::table::{Table, fill};

pub(crate) async fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let (estate, scale) = (&bench.estate, &bench.scale);
    let (small_dir, large_dir) = (estate.host("small")?, estate.host("large")?);
    let mut small = fill(estate, &small_dir, scale.small_table, 0, scale).await?;
    let mut large = fill(estate, &large_dir, scale.large_table, 0, scale).await?;
    let count = scale
        .asks_kept
        .min(usize::try_from(scale.small_table).unwrap_or(usize::MAX));
    let (small_host, large_host) = (estate.serve(&small_dir)?, estate.serve(&large_dir)?);
    let mut costs = Costs::default();
    for _ in 0..scale.rounds {
        let few = asks(&mut small, &small_host, count).await?;
        let many = asks(&mut large, &large_host, count).await?;
        costs.small.push(few.server_micros());
        costs.large.push(many.server_micros());
    }
    let memory = large_host.memory()?;
    small_host.stop()?;
    large_host.stop()?;
    let held = format!(
        "resident at most, {} clients, under load of 64 connections; {:.1} MB after it",
        large.clients, memory.now
    );
    Ok(vec![
        costs.row(&small, &large),
        starts(bench, &mut large, &large_dir).await?,
        Row::new("memory-10m", memory.peak, held),
    ])
}

/// Server CPU for each ask, in microseconds.
#[derive(Default)]
struct Costs {
    small: Vec<f64>,
    large: Vec<f64>,
}

impl Costs {
    fn row(&self, small: &Table, large: &Table) -> Row {
        let pairs = self.small.iter().zip(&self.large);
        let ratios: Vec<f64> = pairs.map(|(small, large)| small / large).collect();
        let detail = format!(
            "{} rounds on 64 kept connections; server CPU each {} us with {} clients, {} us with {}; \
             ratios {}",
            ratios.len(),
            spread(&self.small, 0),
            small.clients,
            spread(&self.large, 0),
            large.clients,
            spread(&ratios, 2)
        );
        Row::new("table-10m-vs-10k", median(&ratios), detail)
    }
}

/// The slower of two: starts after an orderly stop, and starts after SIGKILL among asks.
async fn starts(bench: &Bench, table: &mut Table, dir: &Path) -> Outcome<Row> {
    let (mut stopped, mut killed) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.starts {
        let (host, seconds) = start(bench, table, dir).await?;
        stopped.push(seconds);
        kill_among_asks(bench, table, host).await?;
        let (host, seconds) = start(bench, table, dir).await?;
        killed.push(seconds);
        host.stop()?;
    }
    let detail = format!(
        "process start to first answer with {} clients, {} of each: after an orderly stop {} ms, after \
         SIGKILL among asks {} ms",
        table.clients,
        bench.scale.starts,
        spread(&milliseconds(&stopped), 0),
        spread(&milliseconds(&killed), 0)
    );
    let slower = median(&stopped).max(median(&killed));
    Ok(Row::new("start-10m", slower, detail))
}

fn milliseconds(seconds: &[f64]) -> Vec<f64> {
    seconds.iter().map(|seconds| seconds * 1e3).collect()
}

/// Starts the host and asks once; the seconds until the answer was there. The ask is sealed by what
/// the host says after it has started, as a client's is: greeting and sealing count too.
async fn start(bench: &Bench, table: &mut Table, dir: &Path) -> Outcome<(Server, f64)> {
    let begin = Instant::now();
    let host = bench.estate.serve(dir)?;
    let greeted = table.fleet.greet(host.address).await?;
    let asks = table.fleet.prepare(&greeted, 1)?;
    let mut line = open(host.address).await?;
    let place = host.address.to_string();
    let answer = post(&mut line, &place, asks[0].body.clone()).await?;
    let seconds = begin.elapsed().as_secs_f64();
    table.fleet.check(&greeted, &asks, &[answer])?;
    Ok((host, seconds))
}

/// SIGKILL while asks are under way: the log is full of what is not yet in the database. Their
/// answers are lost; a ticket that the host did not come to give is accepted as a later one.
async fn kill_among_asks(bench: &Bench, table: &mut Table, host: Server) -> Outcome<()> {
    let count = bench.scale.asks_kept.min(bench.scale.machines);
    let greeted = table.fleet.greet(host.address).await?;
    let asks = table.fleet.prepare(&greeted, count)?;
    let place = host.address.to_string();
    let mut senders = tokio::task::JoinSet::new();
    for share in asks.chunks(count.div_ceil(64)) {
        let bodies: Vec<_> = share.iter().map(|ask| ask.body.clone()).collect();
        let (address, place) = (host.address, place.clone());
        senders.spawn(async move {
            let mut line = open(address).await?;
            let half = bodies.len() / 2;
            for body in bodies.into_iter().take(half) {
                post(&mut line, &place, body).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    // Killed when the first of 64 senders is done: the others' asks are under way then.
    senders
        .join_next()
        .await
        .ok_or_else(|| Failure::said("nobody asked"))?
        .during("an asker")??;
    host.kill()?;
    while senders.join_next().await.is_some() {}
    Ok(())
}
