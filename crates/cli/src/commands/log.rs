//! Where a log goes. A service logs to stdout or, where systemd reads it, to the journal with each
//! field by its name. Other commands, whose stdout is data, say on stderr what is wrong.
//!
//! A service never waits for the reader of its log: a thread of its own writes the lines, and where the
//! reader has stopped, those that do not fit into its queue are lost.

use std::fs::File;
use std::io::{BufWriter, Stdout, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use muster_proto::limits::LOG_LINES_WAITING_MAX;
use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::log_limit::LogLimit;

/// Fields stand in the journal under this and their own name: `MUSTER_CODE`, `MUSTER_PEER`.
const FIELD_PREFIX: &str = "MUSTER";

/// Who logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logger {
    /// A command: its stdout is data.
    Command,
    /// A service, which tells what it does.
    Service {
        /// With `--json` stdout is data here too.
        json: bool,
    },
}

/// Starts the log. `-v` adds detail; libraries are heard only when something is broken. What comes
/// back is kept to the end: dropped, it has the last lines written.
pub(super) fn start(logger: Logger, verbose: u8) -> Option<WorkerGuard> {
    let own = match (verbose, logger) {
        (0, Logger::Command) => LevelFilter::ERROR,
        (0, Logger::Service { .. }) | (1, Logger::Command) => LevelFilter::INFO,
        (1, Logger::Service { .. }) | (2, Logger::Command) => LevelFilter::DEBUG,
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
    let (output, guard) = output(logger);
    // A second initialisation, as in tests, changes nothing.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(LogLimit::default())
        .with(output)
        .try_init();
    guard
}

fn output<S>(logger: Logger) -> (Box<dyn Layer<S> + Send + Sync>, Option<WorkerGuard>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is_service = logger != Logger::Command;
    if is_service && let Some(journal) = journal() {
        return (journal.boxed(), None);
    }
    let lines = tracing_subscriber::fmt::layer().with_target(false);
    match logger {
        Logger::Service { json: false } => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
            let (writer, guard) = NonBlockingBuilder::default()
                .buffered_lines_limit(LOG_LINES_WAITING_MAX)
                .lossy(true)
                .finish(together(std::io::stdout()));
            let lines = lines.with_ansi(is_terminal).with_writer(writer);
            (lines.boxed(), Some(guard))
        }
        Logger::Service { json: true } | Logger::Command => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let lines = lines.with_ansi(is_terminal).with_writer(std::io::stderr);
            (lines.boxed(), None)
        }
    }
}

/// Writes all lines that wait by one call, where Rust's own stdout makes a call for each; the thread that
/// writes them ends with a flush when none waits any more. Without a descriptor left it is stdout itself.
fn together(stdout: Stdout) -> Box<dyn Write + Send> {
    match stdout.as_fd().try_clone_to_owned() {
        Ok(own) => Box::new(BufWriter::new(File::from(own))),
        Err(_) => Box::new(stdout),
    }
}

/// The journal, where stdout or stderr leads to it and it takes what is sent.
fn journal() -> Option<tracing_journald::Layer> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let leads_there = |stream_of: BorrowedFd<'_>| is_stream(&stream, stream_of);
    if !leads_there(stdout.as_fd()) && !leads_there(stderr.as_fd()) {
        return None;
    }
    let priorities = PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    };
    let journal = tracing_journald::layer().ok()?;
    let journal = journal.with_field_prefix(Some(FIELD_PREFIX.to_owned()));
    Some(journal.with_priority_mappings(priorities))
}

/// Whether a descriptor is the one that `JOURNAL_STREAM` names by device and inode (systemd.exec(5)).
/// The variable alone tells nothing: children inherit it whatever their own output leads to.
fn is_stream(named: &str, descriptor: BorrowedFd<'_>) -> bool {
    let found = descriptor
        .try_clone_to_owned()
        .and_then(|descriptor| std::fs::File::from(descriptor).metadata());
    found.is_ok_and(|found| named == format!("{}:{}", found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journals_stream_is_known_by_device_and_inode() {
        let file = tempfile::tempfile().unwrap();
        let other = tempfile::tempfile().unwrap();
        let found = file.metadata().unwrap();
        let named = format!("{}:{}", found.dev(), found.ino());
        assert!(is_stream(&named, file.as_fd()));
        assert!(!is_stream(&named, other.as_fd()));
        for nonsense in ["", ":", "1", "1:2:3", "a:b"] {
            assert!(!is_stream(nonsense, file.as_fd()), "{nonsense}");
        }
    }
}
