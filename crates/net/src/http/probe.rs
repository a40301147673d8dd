//! Looking at a host for `doctor`: which of its addresses accept a connection, and what answers
//! there, be it HTTP or not. What is seen is shown and never believed.

use std::net::SocketAddr;
use std::time::Duration;

use muster_proto::Refusal;
use muster_proto::limits::{DNS_ADDRESSES_MAX, PROBE_BYTES_MAX, PROBE_SECONDS};
use muster_proto::reason::dns as reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client::{ClientLimits, Connection, Dated};
use super::connect;

/// What answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// An HTTP answer, whatever its status.
    Http(Dated),
    /// Something that is no HTTP: its first bytes, at most [`PROBE_BYTES_MAX`].
    Other(Vec<u8>),
}

/// Connects to each address by itself, all at once, and hangs up again; the outcomes stand in the
/// order of the addresses.
pub async fn ports(
    addrs: &[SocketAddr],
    limit: Duration,
) -> Vec<(SocketAddr, Result<(), Refusal>)> {
    let mut tries = JoinSet::new();
    for (place, addr) in addrs.iter().copied().take(DNS_ADDRESSES_MAX).enumerate() {
        tries.spawn(async move {
            let tried = connect::connect(&[addr], limit).await;
            (place, addr, tried.map(|_| ()))
        });
    }
    let mut outcomes = tries.join_all().await;
    outcomes.sort_by_key(|(place, ..)| *place);
    outcomes
        .into_iter()
        .map(|(_, addr, tried)| (addr, tried))
        .collect()
}

/// Sends a GET and tells what came back.
///
/// # Errors
/// As [`Connection::open`]; `NET_ANSWER_TIMEOUT` for silence, `NET_CLOSED_EARLY` for a connection
/// that was closed without a word.
pub async fn look(
    addrs: &[SocketAddr],
    host: &str,
    path: &str,
    limits: ClientLimits,
) -> Result<Spoken, Refusal> {
    let mut connection = Connection::open(addrs, limits).await?;
    let refusal = match connection.get_dated(host, path).await {
        Ok(answer) => return Ok(Spoken::Http(answer)),
        Err(refusal) => refusal,
    };
    let spoke = [reason::NET_NOT_HTTP, reason::NET_CLOSED_EARLY].contains(&refusal.reason);
    if !spoke {
        return Err(refusal);
    }
    match first_bytes(connection.peer(), host, path).await {
        Some(first) if !first.is_empty() => Ok(Spoken::Other(first)),
        _ => Err(refusal),
    }
}

/// The first bytes that come back on a connection of its own.
async fn first_bytes(peer: SocketAddr, host: &str, path: &str) -> Option<Vec<u8>> {
    let limit = Duration::from_secs(PROBE_SECONDS);
    let (mut stream, _) = connect::connect(&[peer], limit).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut first = vec![0; PROBE_BYTES_MAX];
    let exchange = async {
        // A service that speaks first may have closed already; what it said can still be read.
        let _ = stream.write_all(request.as_bytes()).await;
        stream.read(&mut first).await.ok()
    };
    let read = timeout(limit, exchange).await.ok().flatten()?;
    first.truncate(read);
    Some(first)
}
