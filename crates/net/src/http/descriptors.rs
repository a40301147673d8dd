//! How many connections the open files of this process allow. Many systems start services with a
//! limit of 1,024; a listener that took connections until no file is left would leave none for its
//! store, and two sources could shut out all others.

use muster_proto::limits::{HTTP_DESCRIPTORS_RESERVED, HTTP_SOURCES_AT_LEAST};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::server::ServerLimits;

/// Raises the process's limit of open files as far as these limits need it and the system lets it,
/// and lowers the limits to what is open then.
pub(super) fn fit(limits: &mut ServerLimits) {
    let open_max = raise(limits.connections_max as u64 + HTTP_DESCRIPTORS_RESERVED);
    if lower(limits, open_max) {
        tracing::warn!(
            connections_max = limits.connections_max,
            connections_per_source_max = limits.connections_per_source_max,
            "the limit of open files allows fewer connections; raise it (LimitNOFILE=)"
        );
    }
}

/// Raises the limit to `wanted` where it is lower; returns the limit then.
fn raise(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let soft = limit.current.unwrap_or(u64::MAX);
    let possible = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    if soft >= possible {
        return soft;
    }
    let raised = Rlimit {
        current: Some(possible),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => possible,
        Err(_) => soft,
    }
}

/// Lowers the limits to what so many open files allow; tells whether that was needed. One source
/// then keeps to a part of it, or the first would have all.
fn lower(limits: &mut ServerLimits, open_max: u64) -> bool {
    let allowed = open_max.saturating_sub(HTTP_DESCRIPTORS_RESERVED).max(1);
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    if allowed >= limits.connections_max {
        return false;
    }
    limits.connections_max = allowed;
    let share = (allowed / HTTP_SOURCES_AT_LEAST).max(1);
    limits.connections_per_source_max = limits.connections_per_source_max.min(share);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_open_files_leave_some_for_the_store_and_for_other_sources() {
        let mut limits = ServerLimits::default();
        assert!(lower(&mut limits, 1_024));
        assert_eq!(
            (limits.connections_max, limits.connections_per_source_max),
            (896, 112)
        );
        assert!(!lower(&mut limits, 1_024), "they fit now");
        assert!(lower(&mut limits, 10));
        assert_eq!(
            (limits.connections_max, limits.connections_per_source_max),
            (1, 1)
        );
        let mut limits = ServerLimits::default();
        assert!(!lower(&mut limits, u64::MAX));
        assert_eq!(
            limits.connections_max,
            ServerLimits::default().connections_max
        );
    }

    #[test]
    fn the_limit_is_never_lowered_by_raising_it() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert_eq!(raise(1), before);
        let raised = raise(before.saturating_add(1));
        assert!(raised >= before);
        assert_eq!(
            getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            raised
        );
    }
}
