//! What every service does alike: the ready line, logging, and an orderly stop.

use std::future::Future;
use std::net::SocketAddr;

use muster_proto::Refusal;
use muster_proto::reason::config as reasons;
use tracing_subscriber::filter::LevelFilter;

use crate::report::print_ready;

/// Logs to stderr: journald takes it from there, with levels. `-v` adds detail.
pub(super) fn log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let format = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // journald stamps each line itself.
    let under_journald = std::env::var_os("JOURNAL_STREAM").is_some();
    let _ = if under_journald {
        format.without_time().try_init()
    } else {
        format.try_init()
    };
}

/// Prints the one line that a service prints when it is ready.
pub(super) fn tell_ready(addresses: &[SocketAddr]) {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    print_ready(&format!("listening on {}", addresses.join(", ")));
}

/// Ends on SIGTERM or SIGINT.
pub(super) fn shutdown() -> Result<impl Future<Output = ()>, Refusal> {
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
        tracing::info!("stopping");
    })
}
