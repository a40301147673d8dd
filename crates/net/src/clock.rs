//! The one place of this crate that reads the wall clock: a TSIG signature names the time at which
//! it was made (RFC 8945 section 4.2), and nothing else here depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; 0 for a clock before that, which the DNS server then names as wrong.
#[expect(
    clippy::disallowed_methods,
    reason = "the one wall clock of this crate, for TSIG"
)]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
