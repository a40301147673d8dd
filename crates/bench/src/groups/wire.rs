//! What an ask and its answer weigh on the wire, and what an idle host holds in memory.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Bench;
use crate::failure::{During, Outcome};
use crate::load::{open, post};
use crate::report::Row;
use crate::table::fill;

/// Clients that a small office has.
const CLIENTS: u64 = 32;

pub(crate) async fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let estate = &bench.estate;
    let dir = estate.host("wire")?;
    let mut table = fill(estate, &dir, CLIENTS, 0, &bench.scale).await?;
    let host = estate.serve(&dir)?;
    let greeted = table.fleet.greet(host.address).await?;
    let asks = table.fleet.prepare(&greeted, 1)?;
    let relay = Relay::to(host.address).await?;
    let mut line = open(relay.address).await?;
    let place = host.address.to_string();
    let answer = post(&mut line, &place, asks[0].body.clone()).await?;
    drop(line);
    let bytes = relay.finish().await?;
    table
        .fleet
        .check(&greeted, &asks, std::slice::from_ref(&answer))?;
    let detail = format!(
        "ask {} bytes ({} sealed, the rest HTTP), answer {} bytes ({} sealed); one product, a ticket, \
         the components of this machine, no name",
        bytes.asked,
        asks[0].body.len(),
        bytes.answered,
        answer.len()
    );
    let larger = bytes.asked.max(bytes.answered) as f64;
    let memory = host.memory()?;
    let idle = format!(
        "resident with {CLIENTS} clients after one answer; {:.1} MB at most until then",
        memory.peak
    );
    host.stop()?;
    Ok(vec![
        Row::new("ask-and-answer-on-wire", larger, detail),
        Row::new("memory-idle", memory.now, idle),
    ])
}

/// Bytes that went through a relay.
#[derive(Clone, Copy, Debug)]
struct Bytes {
    asked: u64,
    answered: u64,
}

/// Passes one connection on and counts its bytes.
struct Relay {
    address: SocketAddr,
    passing: JoinHandle<io::Result<Bytes>>,
}

impl Relay {
    async fn to(host: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.during("a relay")?;
        let address = listener.local_addr().during("a relay")?;
        let passing = tokio::spawn(async move {
            let mut asker = listener.accept().await?.0;
            let mut host = TcpStream::connect(host).await?;
            let (asked, answered) = copy_bidirectional(&mut asker, &mut host).await?;
            Ok(Bytes { asked, answered })
        });
        Ok(Self { address, passing })
    }

    /// Waits for the connection's end.
    async fn finish(self) -> Outcome<Bytes> {
        self.passing.await.during("the relay")?.during("the relay")
    }
}
