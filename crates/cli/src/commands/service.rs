//! What every service does alike: the ready line and an orderly stop.

use std::future::Future;
use std::net::SocketAddr;

use muster_proto::Refusal;
use muster_proto::reason::config as reasons;

use crate::notify;
use crate::report::print_ready;

/// Prints the one line that a service prints when it is ready.
pub(super) fn tell_ready(addresses: &[SocketAddr]) {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    print_ready(&format!("listening on {}", addresses.join(", ")));
}

/// Ends on SIGTERM or SIGINT.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()>, Refusal> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed =
        |error: std::io::Error| Refusal::new(reasons::NO_RUNTIME, format!("signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify::stopping();
        tracing::info!("stopping");
    })
}
