//! Connecting to a host by the first of its addresses that accepts (RFC 8305 in little: the next
//! address is tried beside the one before after a quarter of a second, or at once when that one
//! fails), and what to call it when none does.

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use muster_proto::limits::{DNS_ADDRESSES_MAX, HTTP_NEXT_ADDRESS_MILLISECONDS};
use muster_proto::reason::dns as reason;
use muster_proto::{Reason, Refusal};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Connects within `limit`, whatever the number of addresses.
pub(super) async fn connect(
    addrs: &[SocketAddr],
    limit: Duration,
) -> Result<(TcpStream, SocketAddr), Refusal> {
    let addrs = &addrs[..addrs.len().min(DNS_ADDRESSES_MAX)];
    let mut failures = Vec::new();
    let first = timeout(limit, first_of(addrs, &mut failures))
        .await
        .ok()
        .flatten();
    if let Some((stream, addr)) = first {
        let _ = stream.set_nodelay(true);
        return Ok((stream, addr));
    }
    Err(refusal(addrs, &failures, limit))
}

async fn first_of(
    addrs: &[SocketAddr],
    failures: &mut Vec<(SocketAddr, io::Error)>,
) -> Option<(TcpStream, SocketAddr)> {
    let mut tries = JoinSet::new();
    let mut next = addrs.iter().copied();
    // Each turn starts the next try: at first, when one failed, or when one takes its time.
    loop {
        match next.next() {
            Some(addr) => {
                tries.spawn(async move { (TcpStream::connect(addr).await, addr) });
            }
            None if tries.is_empty() => return None,
            None => {}
        }
        let more = next.len() > 0;
        tokio::select! {
            Some(Ok((tried, addr))) = tries.join_next() => match tried {
                Ok(stream) => return Some((stream, addr)),
                Err(error) => failures.push((addr, error)),
            },
            () = sleep(Duration::from_millis(HTTP_NEXT_ADDRESS_MILLISECONDS)), if more => {}
            else => {}
        }
    }
}

/// A refused connection says most: the machine is there. Then whatever the first address met.
fn refusal(addrs: &[SocketAddr], failures: &[(SocketAddr, io::Error)], limit: Duration) -> Refusal {
    if addrs.is_empty() {
        return Refusal::from(reason::NET_NO_ADDRESS);
    }
    let mut detail = String::new();
    let mut reasons = Vec::new();
    for addr in addrs {
        let failure = failures.iter().find(|(failed, _)| failed == addr);
        let separator = if detail.is_empty() { "" } else { "; " };
        let written = match failure {
            Some((_, error)) => {
                reasons.push(connect_reason(error));
                write!(detail, "{separator}{addr}: {error}")
            }
            None => {
                reasons.push(reason::NET_CONNECT_TIMEOUT);
                write!(
                    detail,
                    "{separator}{addr}: no answer within {} s",
                    limit.as_secs_f32()
                )
            }
        };
        written.expect("writing to a string does not fail");
    }
    let refused = reasons
        .iter()
        .find(|&&reason| reason == reason::NET_REFUSED);
    Refusal::new(*refused.unwrap_or(&reasons[0]), detail)
}

fn connect_reason(error: &io::Error) -> Reason {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => reason::NET_REFUSED,
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        | ErrorKind::PermissionDenied
        | ErrorKind::Unsupported => reason::NET_NO_ROUTE,
        ErrorKind::TimedOut => reason::NET_CONNECT_TIMEOUT,
        _ => reason::NET_FAILED,
    }
}
