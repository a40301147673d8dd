//! How long an ask waits: at light load, and at four fifths of the most that the host answers in the
//! same run. Each ask comes on a connection of its own, at its time, whatever the ones before do.

use super::Bench;
use crate::failure::Outcome;
use crate::figures::{median, percentile, spread};
use crate::hold_ups::HoldUps;
use crate::load::{Way, send};
use crate::process::Server;
use crate::report::Row;
use crate::schedule::{Kept, send_at};
use crate::table::{Table, fill};

/// Connections at once when the most that the host answers is looked for.
const AT_ONCE: usize = 64;
/// Light load, of the most that the host answers.
const LIGHT: f64 = 0.05;
/// The load at which a host is still well off.
const BUSY: f64 = 0.8;

pub(crate) async fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let estate = &bench.estate;
    let dir = estate.host("load")?;
    let clients = bench.scale.machines as u64;
    let mut table = fill(estate, &dir, clients, 0, &bench.scale).await?;
    let host = estate.serve(&dir)?;
    let (mut light, mut busy) = (Waits::default(), Waits::default());
    let mut tops = Vec::new();
    for _ in 0..bench.scale.rounds {
        let top = top_rate(bench, &mut table, &host).await?;
        light.take(&scheduled(bench, &mut table, &host, LIGHT * top).await?);
        busy.take(&scheduled(bench, &mut table, &host, BUSY * top).await?);
        tops.push(top);
    }
    host.stop()?;
    let mut rows = light.rows(["wait-light-p50", "wait-light-p99"], LIGHT, &tops);
    rows.extend(busy.rows(["wait-busy-p50", "wait-busy-p99"], BUSY, &tops));
    Ok(rows)
}

/// Asks that the host answers in a second when there are always some waiting.
async fn top_rate(bench: &Bench, table: &mut Table, host: &Server) -> Outcome<f64> {
    let greeted = table.fleet.greet(host.address).await?;
    let asks = table.fleet.prepare(&greeted, bench.scale.asks_new)?;
    let bodies = asks.iter().map(|ask| ask.body.clone()).collect();
    let load = send(host, bodies, AT_ONCE, Way::New).await?;
    table.fleet.check(&greeted, &asks, &load.answers)?;
    Ok(load.rate())
}

async fn scheduled(bench: &Bench, table: &mut Table, host: &Server, rate: f64) -> Outcome<Kept> {
    let most = (rate * bench.scale.scheduled.as_secs_f64()) as usize;
    let count = bench.scale.asks_scheduled.min(most).max(1);
    let greeted = table.fleet.greet(host.address).await?;
    let asks = table.fleet.prepare(&greeted, count)?;
    let bodies = asks.iter().map(|ask| ask.body.clone()).collect();
    let kept = send_at(host, bodies, rate).await?;
    table.fleet.check(&greeted, &asks, &kept.load.answers)?;
    Ok(kept)
}

/// What asks of one load waited, round by round, in milliseconds.
#[derive(Default)]
struct Waits {
    rates: Vec<f64>,
    asks: usize,
    p50: Vec<f64>,
    p99: Vec<f64>,
    most: Vec<f64>,
    late: Vec<f64>,
    /// Of the round in which the slowest asks waited longest: how long, and what held the host up.
    worst: (f64, HoldUps),
}

impl Waits {
    fn take(&mut self, kept: &Kept) {
        let waits: Vec<f64> = kept.load.latencies.iter().map(|us| us / 1e3).collect();
        self.rates.push(kept.load.rate());
        self.asks += waits.len();
        self.p50.push(percentile(&waits, 0.5));
        let p99 = percentile(&waits, 0.99);
        if p99 >= self.worst.0 {
            self.worst = (p99, kept.hold_ups);
        }
        self.p99.push(p99);
        self.most.push(percentile(&waits, 1.0));
        self.late.push(percentile(&kept.late, 0.99) / 1e3);
    }

    fn rows(&self, names: [&'static str; 2], share: f64, tops: &[f64]) -> Vec<Row> {
        let detail = format!(
            "{} asks in {} rounds, each on a new connection at a random time fixed before and counted \
             from it, {} asks/s, {:.0} % of the {} that {AT_ONCE} at once reached; p50 {} ms, p99 {} ms, \
             the longest {} ms; the sender's own delay, in all of them, p99 {} ms; in the round of the \
             longest p99 {}",
            self.asks,
            self.rates.len(),
            spread(&self.rates, 0),
            100.0 * share,
            spread(tops, 0),
            spread(&self.p50, 2),
            spread(&self.p99, 2),
            spread(&self.most, 1),
            spread(&self.late, 2),
            self.worst.1.told(),
        );
        let [p50, p99] = names;
        vec![
            Row::new(p50, median(&self.p50), detail.clone()),
            Row::new(p99, median(&self.p99), detail),
        ]
    }
}
