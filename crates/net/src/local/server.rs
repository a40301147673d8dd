//! The serve loop of the local socket: accepts, bounds and answers until it is dropped.
//!
//! Limits, in the order a caller meets them: connections in all, connections of one user (by the
//! kernel's word for who he is, `SO_PEERCRED`), size and time of the request, time of the answer. Who
//! is over the first two is told so at once. A place is given back a moment after its answer, so
//! that what one user makes the service do is bounded too.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use muster_proto::Refusal;
use muster_proto::client::local::{Answer, LENGTH_BYTES, Request};
use muster_proto::limits::{
    LOCAL_ANSWER_SECONDS, LOCAL_CONNECTIONS_MAX, LOCAL_CONNECTIONS_PER_USER_MAX,
    LOCAL_PLACE_KEPT_MILLISECONDS, LOCAL_REQUEST_SECONDS,
};
use muster_proto::reason::client as reasons;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::listener::Listener;
use super::shares::Shares;

/// The limits of one local socket; the default stands in `muster_proto::limits`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; more are told so.
    pub connections_max: usize,
    /// Connections at once of one user; more are told so.
    pub connections_per_user_max: usize,
    /// Time for a request to arrive, and for an answer to leave.
    pub request_timeout: Duration,
    /// Time for the handler; the caller is told that hosts are still being asked after it.
    pub answer_timeout: Duration,
    /// How long a place stays taken after its answer.
    pub place_kept: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: LOCAL_CONNECTIONS_MAX,
            connections_per_user_max: LOCAL_CONNECTIONS_PER_USER_MAX,
            request_timeout: Duration::from_secs(LOCAL_REQUEST_SECONDS),
            answer_timeout: Duration::from_secs(LOCAL_ANSWER_SECONDS),
            place_kept: Duration::from_millis(LOCAL_PLACE_KEPT_MILLISECONDS),
        }
    }
}

/// A complete request, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The caller's user id, as the kernel tells it.
    pub uid: u32,
    /// What he asks for.
    pub request: Request,
}

/// Serves for ever; dropped, it cuts whoever waits for an answer. The handler runs as often at once
/// as there are connections.
///
/// # Errors
/// `SOCKET_FAILED` when the runtime cannot watch the socket.
pub async fn serve<H, F>(listener: &Listener, limits: Limits, handler: H) -> Result<(), Refusal>
where
    H: Fn(Visit) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let failed = |error: io::Error| Refusal::new(reasons::SOCKET_FAILED, error.to_string());
    let socket = listener.socket.try_clone().map_err(failed)?;
    let socket = UnixListener::from_std(socket).map_err(failed)?;
    let users = Shares::new(limits.connections_per_user_max);
    let desk = Arc::new((limits, handler));
    let mut connections = JoinSet::new();
    loop {
        let accepted = socket.accept().await;
        // Those that have ended hold no place.
        while connections.try_join_next().is_some() {}
        let caller = accepted.and_then(|(stream, _)| Ok((stream.peer_cred()?.uid(), stream)));
        let Ok((uid, stream)) = caller else {
            // Out of descriptors or memory: connections must end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let is_full = connections.len() >= desk.0.connections_max;
        match users.admit(uid).filter(|_| !is_full) {
            None => turn_away(stream),
            Some(place) => {
                let desk = Arc::clone(&desk);
                connections.spawn(async move {
                    let (limits, handler) = &*desk;
                    attend(stream, uid, limits, handler).await;
                    if !limits.place_kept.is_zero() {
                        tokio::time::sleep(limits.place_kept).await;
                    }
                    drop(place);
                });
            }
        }
    }
}

/// Tells a caller for whom there is no place. His socket has room for it, or he is not told.
fn turn_away(stream: UnixStream) {
    let busy = Answer::refused(&reasons::SERVICE_BUSY.into()).encode();
    let _ = stream.into_std().and_then(|mut stream| stream.write(&busy));
}

/// One connection: a request within its limits, and its answer. A caller who goes is told nothing.
async fn attend<H, F>(mut stream: UnixStream, uid: u32, limits: &Limits, handler: &H)
where
    H: Fn(Visit) -> F,
    F: Future<Output = Answer>,
{
    let answer = match timeout(limits.request_timeout, read(&mut stream)).await {
        Ok(Err(_gone)) => return,
        Err(_) => Answer::refused(&reasons::REQUEST_LATE.into()),
        Ok(Ok(Err(refusal))) => Answer::refused(&refusal),
        Ok(Ok(Ok(request))) => {
            let answered = timeout(limits.answer_timeout, handler(Visit { uid, request })).await;
            answered.unwrap_or_else(|_| Answer::refused(&reasons::SERVICE_STILL_ASKING.into()))
        }
    };
    let _ = timeout(limits.request_timeout, stream.write_all(&answer.encode())).await;
}

/// Reads one request; the outer error is the caller's connection.
async fn read(stream: &mut UnixStream) -> io::Result<Result<Request, Refusal>> {
    let mut head = [0; LENGTH_BYTES];
    stream.read_exact(&mut head).await?;
    let length = match Request::length(head) {
        Ok(length) => length,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(Request::decode(&message))
}
