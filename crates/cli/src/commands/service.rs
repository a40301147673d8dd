//! What every service does alike: the ready line, logging, and an orderly stop.

use std::future::Future;
use std::net::SocketAddr;

use muster_proto::Refusal;
use muster_proto::reason::config as reasons;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::log_limit::LogLimit;
use crate::notify;
use crate::report::print_ready;

/// Logs to stderr, from where journald takes it. Services tell what they do, other commands what
/// is wrong; `-v` adds detail. Libraries are heard only when something is broken.
pub(super) fn log(verbose: u8, is_service: bool) {
    let own = match (verbose, is_service) {
        (0, false) => LevelFilter::ERROR,
        (0, true) | (1, false) => LevelFilter::INFO,
        (1, true) | (2, false) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let libraries = if verbose > 2 {
        LevelFilter::DEBUG
    } else {
        LevelFilter::ERROR
    };
    let filter = Targets::new()
        .with_target("muster", own)
        .with_default(libraries);
    let format = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(LogLimit::default());
    // journald stamps each line itself. A second initialisation, as in tests, changes nothing.
    let _ = if std::env::var_os("JOURNAL_STREAM").is_some() {
        registry.with(format.without_time()).try_init()
    } else {
        registry.with(format).try_init()
    };
}

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
