//! Sends what was prepared at times that were fixed before, whether or not earlier answers have come:
//! an open loop. How long an ask takes counts from its time on the schedule, so that a host which
//! keeps its askers waiting does not get fewer of them, and what waits to be sent is not forgotten.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use muster_machine::random;
use muster_net::http::{Bytes, ClientLimits, Connection};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::failure::{During, Failure, Outcome};
use crate::hold_ups::HoldUps;
use crate::load::{Load, post};
use crate::process::Server;

/// Addresses of the loopback network that askers come from: a listener bounds what one may hold.
const SOURCES: u8 = 100;

/// What came of a schedule.
pub(crate) struct Kept {
    /// The answers; latencies count from the time on the schedule.
    pub(crate) load: Load,
    /// How long after its time each ask was begun, in microseconds: what the sender itself adds.
    pub(crate) late: Vec<f64>,
    /// What kept the host from answering meanwhile.
    pub(crate) hold_ups: HoldUps,
}

/// Sends each request on a new connection at its time, so many a second as a mean, and waits for all
/// answers. The gaps are random, as between machines that know nothing of one another.
pub(crate) async fn send_at(server: &Server, bodies: Vec<Bytes>, rate: f64) -> Outcome<Kept> {
    let mut senders = JoinSet::new();
    let mut answered = Vec::with_capacity(bodies.len());
    let (before, held_up) = (server.time()?, HoldUps::of(server.pid())?);
    let begin = Instant::now();
    let mut due = begin;
    for (number, body) in bodies.into_iter().enumerate() {
        due += gap(rate);
        // A timer of the runtime is a millisecond coarse; the core that loads is there for this.
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        senders.spawn(one(server.address, number, body, due));
        while let Some(done) = senders.try_join_next() {
            answered.push(done.during("a sender")??);
        }
    }
    while let Some(done) = senders.join_next().await {
        answered.push(done.during("a sender")??);
    }
    let wall = begin.elapsed();
    let spent = server.time()?.saturating_sub(before);
    let hold_ups = HoldUps::of(server.pid())?.since(held_up);
    answered.sort_by_key(|one: &Answered| one.number);
    let mut load = Load {
        wall,
        server: spent,
        ..Load::default()
    };
    let mut late = Vec::with_capacity(answered.len());
    for one in answered {
        load.answers.push(one.answer);
        load.latencies.push(one.took.as_secs_f64() * 1e6);
        late.push(one.late.as_secs_f64() * 1e6);
    }
    Ok(Kept {
        load,
        late,
        hold_ups,
    })
}

/// The time to the next ask of a Poisson process of so many a second.
fn gap(rate: f64) -> Duration {
    // 53 bits fill a float; none of them set must not be the logarithm of zero.
    let share = ((random::number() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
    Duration::from_secs_f64(-share.ln() / rate)
}

struct Answered {
    number: usize,
    answer: Bytes,
    took: Duration,
    late: Duration,
}

async fn one(address: SocketAddr, number: usize, body: Bytes, due: Instant) -> Outcome<Answered> {
    let late = due.elapsed();
    let mut line = open_from(source(number), address).await?;
    let answer = post(&mut line, &address.to_string(), body).await?;
    Ok(Answered {
        number,
        answer,
        took: due.elapsed(),
        late,
    })
}

/// The loopback address that an ask comes from.
fn source(number: usize) -> IpAddr {
    let last = u8::try_from(number % usize::from(SOURCES)).unwrap_or(0);
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, last + 1))
}

/// Connects from an address of this machine.
async fn open_from(source: IpAddr, to: SocketAddr) -> Outcome<Connection> {
    let socket = TcpSocket::new_v4().during("a socket")?;
    socket
        .bind(SocketAddr::new(source, 0))
        .during("an address to come from")?;
    let stream = socket.connect(to).await.during("a connection")?;
    stream.set_nodelay(true).during("a connection")?;
    let limits = ClientLimits::default();
    Connection::over(stream, to, limits)
        .await
        .map_err(Failure::from)
}
