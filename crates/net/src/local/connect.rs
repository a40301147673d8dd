//! Asking the service at its local socket.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use muster_proto::Refusal;
use muster_proto::client::local::{Answer, LENGTH_BYTES, Request};
use muster_proto::reason::client as reasons;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Asks the service that listens at a path, within a time in all.
///
/// # Errors
/// `SERVICE_NONE` where nobody listens there for this user, `SERVICE_BUSY`, `SERVICE_SILENT`,
/// `SERVICE_ENDED`, `SERVICE_ODD`. What the service itself refuses is an answer.
pub async fn ask(path: &Path, request: &Request, wait: Duration) -> Result<Answer, Refusal> {
    let asked = timeout(wait, ask_unbounded(path, request)).await;
    asked.unwrap_or_else(|_| {
        let detail = format!("{}: {} seconds", path.display(), wait.as_secs());
        Err(Refusal::new(reasons::SERVICE_SILENT, detail))
    })
}

async fn ask_unbounded(path: &Path, request: &Request) -> Result<Answer, Refusal> {
    let stream = UnixStream::connect(path).await;
    let mut stream = stream.map_err(|error| unreachable(path, &error))?;
    // Who is turned away may be told before he has said what he wants: then there is an answer to
    // read although writing fails.
    let _ = stream.write_all(&request.encode()).await;
    let ended = |error: io::Error| {
        let detail = format!("{}: {error}", path.display());
        Refusal::new(reasons::SERVICE_ENDED, detail)
    };
    let odd = |refusal: Refusal| Refusal::new(reasons::SERVICE_ODD, refusal.to_string());
    let mut head = [0; LENGTH_BYTES];
    stream.read_exact(&mut head).await.map_err(ended)?;
    let mut message = vec![0; Answer::length(head).map_err(odd)?];
    stream.read_exact(&mut message).await.map_err(ended)?;
    let answer = Answer::decode(&message).map_err(odd)?;
    Ok(answer)
}

fn unreachable(path: &Path, error: &io::Error) -> Refusal {
    let reason = match error.kind() {
        // So many wait to be accepted that the kernel takes no more.
        ErrorKind::WouldBlock => reasons::SERVICE_BUSY,
        _ => reasons::SERVICE_NONE,
    };
    Refusal::new(reason, format!("{}: {error}", path.display()))
}
