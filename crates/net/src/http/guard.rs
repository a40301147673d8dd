//! A listener's count of what went wrong with connections. It is reported once in a while, never a
//! line each: a flood must not flood the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_proto::limits::HTTP_FAULT_REPORT_SECONDS;
use tokio::time::Instant;

/// How a connection or request ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The source had its share of connections, all in requests: a new one was closed.
    SourceFull,
    /// There were too many connections: one that was in no request was closed for a new one.
    Displaced,
    /// A head, body, handshake or answer took too long.
    Timeout,
    /// A head or body was over its limit.
    TooLarge,
    /// It was not HTTP, or not TLS.
    Malformed,
    /// The peer went away within a request.
    Broken,
    /// The operating system refused to accept or the handler failed.
    Internal,
}

const FAULTS: usize = 7;

/// Counts faults and reports them at most once in [`HTTP_FAULT_REPORT_SECONDS`].
pub(super) struct Faults(Mutex<FaultCounts>);

#[derive(Default)]
struct FaultCounts {
    total: u64,
    unreported: [u64; FAULTS],
    reported_at: Option<Instant>,
}

impl Faults {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    pub(super) fn count(&self, fault: Fault) {
        let mut counts = lock(&self.0);
        counts.total += 1;
        counts.unreported[fault as usize] += 1;
        counts.report_if_due();
    }

    /// Reports what is left of a flood that has ended, when it is time.
    pub(super) fn report_if_due(&self) {
        lock(&self.0).report_if_due();
    }

    /// Reports what is left, at the end; returns all that were counted.
    pub(super) fn finish(&self) -> u64 {
        let mut counts = lock(&self.0);
        counts.report();
        counts.total
    }
}

impl FaultCounts {
    fn report_if_due(&mut self) {
        let interval = Duration::from_secs(HTTP_FAULT_REPORT_SECONDS);
        if self.reported_at.is_none_or(|at| at.elapsed() >= interval) {
            self.report();
        }
    }

    fn report(&mut self) {
        let counts = std::mem::take(&mut self.unreported);
        if counts.iter().sum::<u64>() > 0 {
            let [
                source_full,
                displaced,
                timeout,
                too_large,
                malformed,
                broken,
                internal,
            ] = counts;
            tracing::warn!(
                source_full,
                displaced,
                timeout,
                too_large,
                malformed,
                broken,
                internal,
                "connections ended with faults"
            );
            self.reported_at = Some(Instant::now());
        }
    }
}

/// A panic while one of these small locks is held leaves the counts whole enough to go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
