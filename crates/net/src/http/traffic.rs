//! What a listener counts about its connections: for metrics, and for the log, where faults are
//! reported once in a while and never a line each (a flood must not flood the log).

use std::sync::atomic::{AtomicU64, Ordering};
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

/// The names of faults, in their order.
const FAULT_NAMES: [&str; FAULTS] = [
    "source_full",
    "displaced",
    "timeout",
    "too_large",
    "malformed",
    "broken",
    "internal",
];

/// A listener's connections since it was opened.
#[derive(Debug, Default)]
pub struct Traffic {
    accepted: AtomicU64,
    open: AtomicU64,
    faults: Mutex<FaultCounts>,
}

#[derive(Debug, Default)]
struct FaultCounts {
    counted: [u64; FAULTS],
    reported: [u64; FAULTS],
    reported_at: Option<Instant>,
}

impl Traffic {
    /// Connections accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections and requests that ended badly, by the name of the fault: `source_full` were
    /// refused because their source had its share, `displaced` made room for newer ones.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> {
        FAULT_NAMES.into_iter().zip(self.counts().counted)
    }

    /// Counts a connection that was accepted.
    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection as open until what comes back is dropped.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        self.open.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(self))
    }

    /// Counts a fault; reports what has come together at most once in
    /// [`HTTP_FAULT_REPORT_SECONDS`].
    pub(super) fn fault(&self, fault: Fault) {
        let mut counts = self.counts();
        counts.counted[fault as usize] += 1;
        counts.report_if_due();
    }

    /// Reports what is left of a flood that has ended, when it is time.
    pub(super) fn report_if_due(&self) {
        self.counts().report_if_due();
    }

    /// Reports what is left, at the end; returns all faults that were counted.
    pub(super) fn finish(&self) -> u64 {
        let mut counts = self.counts();
        counts.report();
        counts.counted.iter().sum()
    }

    /// A panic while the lock is held leaves the counts whole enough to go on.
    fn counts(&self) -> MutexGuard<'_, FaultCounts> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
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
        let reported = std::mem::replace(&mut self.reported, self.counted);
        if self.counted == reported {
            return;
        }
        let [
            source_full,
            displaced,
            timeout,
            too_large,
            malformed,
            broken,
            internal,
        ] = std::array::from_fn(|fault| self.counted[fault] - reported[fault]);
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

/// One open connection. Where the task that holds it panics, as a handler may, that is a fault.
pub(super) struct Held(Arc<Traffic>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        if std::thread::panicking() {
            self.0.fault(Fault::Internal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_open_while_they_are_held() {
        let traffic = Arc::new(Traffic::default());
        traffic.accept();
        let held = traffic.hold();
        assert_eq!((traffic.accepted(), traffic.open()), (1, 1));
        drop(held);
        assert_eq!((traffic.accepted(), traffic.open()), (1, 0));
    }

    #[test]
    fn faults_are_counted_by_name_and_in_all() {
        let traffic = Traffic::default();
        traffic.fault(Fault::SourceFull);
        traffic.fault(Fault::SourceFull);
        traffic.fault(Fault::Internal);
        let counted: Vec<_> = traffic.faults().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("source_full", 2), ("internal", 1)]);
        assert_eq!(traffic.finish(), 3);
    }
}
