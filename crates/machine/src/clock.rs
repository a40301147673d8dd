//! The clocks: wall time, and time since boot. The one place of muster that reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use muster_proto::time::{Span, Timestamp};

/// The wall clock; 1970 for a clock that stands before it.
#[expect(clippy::disallowed_methods, reason = "the one wall clock of muster")]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_seconds(since.as_secs())
}

/// Time since the machine was started, sleep included. It does not follow the wall clock, so the
/// two together show a jump. Nothing where the system does not tell.
pub fn since_boot() -> Option<Span> {
    crate::linux::uptime()
}
