//! Sends what was prepared, many at once, and measures how long each answer takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muster_net::http::{Bytes, ClientLimits, Connection};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::failure::{During, Failure, Outcome};
use crate::process::Server;

/// Where asks are sent; the echo answers at every path.
const PATH: &str = "/muster/v1/ask";
const BYTES: &str = "application/octet-stream";

/// Whether requests share connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Each request on a connection of its own.
    New,
    /// Connections are opened before the clock starts and kept.
    Kept,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// The answers, in the order of the requests.
    pub(crate) answers: Vec<Bytes>,
    /// How long each took from before the connection to the last byte, in microseconds.
    pub(crate) latencies: Vec<f64>,
    /// From the first request to the last answer.
    pub(crate) wall: Duration,
    /// What the server's process spent.
    pub(crate) server: Duration,
}

impl Load {
    /// Answers in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers.len() as f64 / self.wall.as_secs_f64()
    }

    /// Server CPU for each answer, in microseconds.
    pub(crate) fn server_micros(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / self.answers.len() as f64
    }
}

/// Sends requests to a server, so many at once, and waits for all answers.
pub(crate) async fn send(
    server: &Server,
    bodies: Vec<Bytes>,
    at_once: usize,
    way: Way,
) -> Outcome<Load> {
    let mut lines = Vec::new();
    for _ in 0..at_once {
        lines.push(match way {
            Way::New => None,
            Way::Kept => Some(open(server.address).await?),
        });
    }
    let bodies: Arc<[Bytes]> = bodies.into();
    let next = Arc::new(AtomicUsize::new(0));
    let before = server.time()?;
    let start = Instant::now();
    let mut senders = JoinSet::new();
    for line in lines {
        let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
        senders.spawn(one_sender(server.address, line, bodies, next));
    }
    let mut answered = Vec::with_capacity(bodies.len());
    while let Some(done) = senders.join_next().await {
        answered.extend(done.during("a sender")??);
    }
    let wall = start.elapsed();
    let spent = server.time()?.saturating_sub(before);
    answered.sort_by_key(|(number, ..)| *number);
    let mut load = Load {
        wall,
        server: spent,
        ..Load::default()
    };
    for (_, answer, took) in answered {
        load.answers.push(answer);
        load.latencies.push(took.as_secs_f64() * 1e6);
    }
    Ok(load)
}

type Answered = (usize, Bytes, Duration);

async fn one_sender(
    address: SocketAddr,
    mut line: Option<Connection>,
    bodies: Arc<[Bytes]>,
    next: Arc<AtomicUsize>,
) -> Outcome<Vec<Answered>> {
    let host = address.to_string();
    let mut answered = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(body) = bodies.get(number) else {
            return Ok(answered);
        };
        let start = Instant::now();
        let answer = match &mut line {
            Some(line) => post(line, &host, body.clone()).await?,
            None => post(&mut open(address).await?, &host, body.clone()).await?,
        };
        answered.push((number, answer, start.elapsed()));
    }
}

/// Opens a connection to a server.
pub(crate) async fn open(address: SocketAddr) -> Outcome<Connection> {
    Ok(Connection::open(&[address], ClientLimits::default()).await?)
}

/// Sends one request and reads its answer; status 200 is demanded.
pub(crate) async fn post(line: &mut Connection, host: &str, body: Bytes) -> Outcome<Bytes> {
    match line.post(host, PATH, BYTES, body).await? {
        (200, answer) => Ok(answer),
        (status, said) => Err(Failure(format!(
            "status {status}: {}",
            String::from_utf8_lossy(&said).trim()
        ))),
    }
}
