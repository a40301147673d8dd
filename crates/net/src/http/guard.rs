//! What a listener keeps about all its connections: how many each source holds, and a count of
//! faults that is reported once in a while, never a line each (a flood must not flood the log).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_proto::limits::HTTP_FAULT_REPORT_SECONDS;
use tokio::time::Instant;

/// Connections per source; a source is an IPv4 address or an IPv6 /64. It holds no more entries
/// than there are connections.
pub(super) struct Sources {
    held: Mutex<HashMap<IpAddr, usize>>,
    connections_max: usize,
}

impl Sources {
    pub(super) fn new(connections_max: usize) -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::default(),
            connections_max,
        })
    }

    /// Counts one more connection of the source, or none when it has its share.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admitted> {
        let source = source_of(peer);
        let mut held = lock(&self.held);
        let count = held.entry(source).or_insert(0);
        if *count >= self.connections_max {
            return None;
        }
        *count += 1;
        Some(Admitted {
            sources: Arc::clone(self),
            source,
        })
    }
}

/// One counted connection; dropping it gives the place back.
pub(super) struct Admitted {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut held = lock(&self.sources.held);
        if let Some(count) = held.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.source);
            }
        }
    }
}

fn source_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

/// How a connection or request ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The source had its share of connections.
    SourceFull,
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

const FAULTS: usize = 6;

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
        let interval = Duration::from_secs(HTTP_FAULT_REPORT_SECONDS);
        if counts.reported_at.is_none_or(|at| at.elapsed() >= interval) {
            counts.report();
            counts.reported_at = Some(Instant::now());
        }
    }

    /// Reports what is left, at the end; returns all that were counted.
    pub(super) fn finish(&self) -> u64 {
        let mut counts = lock(&self.0);
        counts.report();
        counts.total
    }
}

impl FaultCounts {
    fn report(&mut self) {
        let [source_full, timeout, too_large, malformed, broken, internal] =
            std::mem::take(&mut self.unreported);
        if source_full + timeout + too_large + malformed + broken + internal > 0 {
            tracing::warn!(
                source_full,
                timeout,
                too_large,
                malformed,
                broken,
                internal,
                "connections ended with faults"
            );
        }
    }
}

/// A panic while one of these small locks is held leaves the counts whole enough to go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_64() {
        let sources = Sources::new(2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = sources.admit(ip("192.0.2.1")).unwrap();
        let _second = sources.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert!(sources.admit(ip("192.0.2.1")).is_none());
        let _other = sources.admit(ip("192.0.2.2")).unwrap();
        drop(first);
        assert!(sources.admit(ip("192.0.2.1")).is_some());
        let _a = sources.admit(ip("2001:db8:0:1::1")).unwrap();
        let _b = sources.admit(ip("2001:db8:0:1:ffff::2")).unwrap();
        assert!(sources.admit(ip("2001:db8:0:1::3")).is_none());
        assert!(sources.admit(ip("2001:db8:0:2::3")).is_some());
    }

    #[test]
    fn sources_that_left_take_no_memory() {
        let sources = Sources::new(2);
        drop(sources.admit("192.0.2.1".parse().unwrap()));
        assert!(lock(&sources.held).is_empty());
    }
}
