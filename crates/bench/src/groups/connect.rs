//! One new connection for each ask, 16 at once: server CPU against the sum of its parts and against
//! a bare TLS 1.3 echo, and how far the slowest asks are from the usual ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use muster_net::http::Bytes;
use tokio::task::JoinSet;

use super::Bench;
use crate::cores::on_core;
use crate::echo::{Sizes, TlsAsker, write_certificate};
use crate::failure::{During, Failure, Outcome};
use muster_proto::limits::SEAL_ASK_BYTES;

use crate::figures::{median, percentile, spread};
use crate::load::{Load, Way, send};
use crate::parts::{Loops, Parts};
use crate::process::Server;
use crate::report::Row;
use crate::table::{Table, fill};

/// Connections at once.
const AT_ONCE: usize = 16;

/// One round, in microseconds of server CPU for each ask or echo.
struct Round {
    ask: Load,
    http: f64,
    tls: f64,
    parts: Parts,
}

impl Round {
    fn sum(&self) -> f64 {
        self.http + self.parts.sum()
    }
}

pub(crate) async fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let estate = &bench.estate;
    let dir = estate.host("connect")?;
    let clients = bench.scale.machines as u64;
    let mut table = fill(estate, &dir, clients, 0, &bench.scale).await?;
    let host = estate.serve(&dir)?;
    let floors = Floors::start(bench, &mut table, &host).await?;
    let mut rounds = Vec::new();
    for _ in 0..bench.scale.rounds {
        rounds.push(round(bench, &mut table, &host, &floors).await?);
    }
    host.stop()?;
    Ok(rows(bench, &rounds))
}

/// What ours is compared with.
struct Floors {
    http: Server,
    tls: Server,
    asker: TlsAsker,
    loops: Loops,
    sizes: Sizes,
}

impl Floors {
    /// Starts the echoes with the sizes that an ask and its answer have.
    async fn start(bench: &Bench, table: &mut Table, host: &Server) -> Outcome<Self> {
        let estate = &bench.estate;
        let greeted = table.fleet.greet(host.address).await?;
        let asks = table.fleet.prepare(&greeted, 1)?;
        let body = asks[0].body.clone();
        let answered = send(host, vec![body.clone()], 1, Way::New).await?;
        table.fleet.check(&greeted, &asks, &answered.answers)?;
        let sizes = Sizes {
            request: body.len(),
            answer: answered.answers[0].len(),
        };
        let me = std::env::current_exe().during("this program")?;
        let start = |words: &[&str], log: &str| {
            Server::start(&me, words, estate.cores.server, &estate.path(log))
        };
        let (request, answer) = (sizes.request.to_string(), sizes.answer.to_string());
        let (cert, key) = (estate.path("cert.pem"), estate.path("key.pem"));
        write_certificate(&cert, &key)?;
        let files = [cert.to_string_lossy(), key.to_string_lossy()];
        let tls = ["echo-tls", &files[0], &files[1], &request, &answer];
        let tls = start(&tls, "tls.log")?;
        Ok(Self {
            http: start(&["echo-http", &answer], "http.log")?,
            asker: TlsAsker::new(&cert, tls.address, sizes)?,
            tls,
            loops: Loops::new(sizes.request - SEAL_ASK_BYTES)?,
            sizes,
        })
    }
}

async fn round(bench: &Bench, table: &mut Table, host: &Server, floors: &Floors) -> Outcome<Round> {
    let count = bench.scale.asks_new;
    let greeted = table.fleet.greet(host.address).await?;
    let asks = table.fleet.prepare(&greeted, count)?;
    let bodies = asks.iter().map(|ask| ask.body.clone()).collect();
    let load = send(host, bodies, AT_ONCE, Way::New).await?;
    table.fleet.check(&greeted, &asks, &load.answers)?;
    let echoes = vec![Bytes::from(vec![0x5a; floors.sizes.request]); count];
    let http = send(&floors.http, echoes, AT_ONCE, Way::New).await?;
    let tls = send_tls(&floors.tls, &floors.asker, count).await?;
    let parts = on_core(bench.estate.cores.server, || floors.loops.measure())?;
    Ok(Round {
        ask: load,
        http: http.server_micros(),
        tls,
        parts,
    })
}

/// Server CPU of one TLS echo, in microseconds.
async fn send_tls(server: &Server, asker: &TlsAsker, count: usize) -> Outcome<f64> {
    let before = server.time()?;
    let left = Arc::new(AtomicUsize::new(count));
    let mut askers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (asker, left) = (asker.clone(), Arc::clone(&left));
        askers.spawn(async move {
            let take = || {
                let take = |left: usize| left.checked_sub(1);
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            };
            while take().is_ok() {
                asker.ask().await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = askers.join_next().await {
        done.during("an asker of TLS")??;
    }
    let spent = server.time()?.saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / count as f64)
}

fn rows(bench: &Bench, rounds: &[Round]) -> Vec<Row> {
    let over = |figure: &dyn Fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<f64>>();
    let ask = over(&|round| round.ask.server_micros());
    let told = format!(
        "{} rounds of {} asks of different machines, {AT_ONCE} at once, {} us of server CPU each",
        rounds.len(),
        bench.scale.asks_new,
        spread(&ask, 0)
    );
    let parts = over(&|round| round.ask.server_micros() / round.sum());
    let part = |figure: &dyn Fn(&Parts) -> f64| median(&over(&|round| figure(&round.parts)));
    let sum = format!(
        "{told}; the sum {} us = HTTP echo {:.1} + open {:.1} + verify {:.1} + sign {:.1}; the \
         product's own verification {:.1} and signature {:.1}, of which an answer has two; ratios {}",
        spread(&over(&Round::sum), 0),
        median(&over(&|round| round.http)),
        part(&|parts| parts.open),
        part(&|parts| parts.verify),
        part(&|parts| parts.sign),
        part(&|parts| parts.own_verify),
        part(&|parts| parts.own_sign),
        spread(&parts, 2)
    );
    let tls = over(&|round| round.ask.server_micros() / round.tls);
    let against_tls = format!(
        "{told}; TLS 1.3 echo (X25519, P-256 certificate, no tickets) {} us; ratios {}",
        spread(&over(&|round| round.tls), 0),
        spread(&tls, 2)
    );
    let (p50, p99) = (
        over(&|round| percentile(&round.ask.latencies, 0.5)),
        over(&|round| percentile(&round.ask.latencies, 0.99)),
    );
    let tail: Vec<f64> = p99.iter().zip(&p50).map(|(p99, p50)| p99 / p50).collect();
    let waits = format!(
        "p50 {} us, p99 {} us, {:.0} asks/s; ratios {}",
        spread(&p50, 0),
        spread(&p99, 0),
        median(&over(&|round| round.ask.rate())),
        spread(&tail, 2)
    );
    vec![
        Row::new("ask-new-connection-vs-parts", median(&parts), sum),
        Row::new("ask-new-connection-vs-tls", median(&tls), against_tls),
        Row::new("ask-p99-vs-p50", median(&tail), waits),
    ]
}
