//! The guard of a host's clock: time that jumps is neither signed nor used to expire anybody.
//!
//! While the clock stands apart from the system's own running time by more than a day, the host
//! answers nobody: everything that it could answer would carry the jumped time under its signature.
//! A client then asks another host or asks later, and keeps its licence, as when a host is down.
//! The guard lets go when the clock comes back, or when somebody confirms it.

use crate::limits::HOST_CLOCK_JUMP_SECONDS;
use crate::reason::{Refusal, kms as reasons};
use crate::rules::{Rule, holds};
use crate::time::{Span, Timestamp};

/// A moment on both clocks, to be stored now and then while the clock is good.
///
/// *Warning:* this type is used in stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReference {
    /// The wall clock.
    pub wall: Timestamp,
    /// The time since the system's start, sleep included.
    pub since_boot: Span,
    /// Which start of the system that was.
    pub boot_id: [u8; 16],
}

impl ClockReference {
    /// Wall clock, time since start and number of the start: 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.wall.seconds().to_be_bytes());
        bytes[8..16].copy_from_slice(&self.since_boot.seconds().to_be_bytes());
        bytes[16..].copy_from_slice(&self.boot_id);
        bytes
    }

    /// Reads [`ClockReference::to_bytes`]; none when the length differs.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (wall, rest) = bytes.split_first_chunk::<8>()?;
        let (since_boot, boot_id) = rest.split_first_chunk::<8>()?;
        Some(Self {
            wall: Timestamp::from_seconds(u64::from_be_bytes(*wall)),
            since_boot: Span::from_seconds(u64::from_be_bytes(*since_boot)),
            boot_id: boot_id.try_into().ok()?,
        })
    }
}

/// Compares the wall clock with the time since the system's start.
#[derive(Clone, Copy, Debug)]
pub struct ClockGuard {
    reference: ClockReference,
}

impl ClockGuard {
    /// A guard that takes the clock to be right now: at the first start of a host.
    pub fn begin(now: ClockReference) -> Self {
        Self { reference: now }
    }

    /// A guard that goes on from what was stored. After another start of the system, whose running
    /// time tells nothing about the time in between, only a clock that stands more than a day
    /// before the stored one is known to be wrong.
    pub fn resume(stored: ClockReference, now: ClockReference) -> Self {
        let is_same_start = stored.boot_id == now.boot_id && stored.since_boot <= now.since_boot;
        let is_behind = stored.wall.since(now.wall) > Span::from_seconds(HOST_CLOCK_JUMP_SECONDS);
        let reference = match (is_same_start, is_behind) {
            (true, _) => stored,
            (false, false) => now,
            (false, true) => ClockReference {
                wall: stored.wall,
                ..now
            },
        };
        Self { reference }
    }

    /// The time to decide and sign at, or why there is none.
    pub fn check(&self, wall: Timestamp, since_boot: Span) -> Result<Timestamp, Refusal> {
        let expected = self.reference.wall + since_boot.less(self.reference.since_boot);
        let apart = wall.distance(expected);
        if apart > Span::from_seconds(HOST_CLOCK_JUMP_SECONDS) && holds(Rule::HostClockJump) {
            let side = if wall > expected {
                "ahead of"
            } else {
                "behind"
            };
            let detail = format!("it stands {apart} {side} the running time");
            return Err(Refusal::new(reasons::CLOCK_JUMPED, detail));
        }
        Ok(wall)
    }

    /// Takes the clock to be right now: somebody confirmed it.
    pub fn confirm(&mut self, now: ClockReference) {
        self.reference = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn moment(wall: u64, since_boot: u64, boot: u8) -> ClockReference {
        ClockReference {
            wall: Timestamp::from_seconds(wall),
            since_boot: Span::from_seconds(since_boot),
            boot_id: [boot; 16],
        }
    }

    fn is_good(guard: &ClockGuard, wall: u64, since_boot: u64) -> bool {
        let (wall, since_boot) = (
            Timestamp::from_seconds(wall),
            Span::from_seconds(since_boot),
        );
        match guard.check(wall, since_boot) {
            Ok(now) => now == wall,
            Err(refusal) => {
                assert_eq!(refusal.reason, reasons::CLOCK_JUMPED);
                false
            }
        }
    }

    #[test]
    fn a_jump_of_more_than_a_day_is_seen_either_way_until_confirmed() {
        let base = 1_800_000_000;
        let mut guard = ClockGuard::begin(moment(base, 100, 1));
        assert!(is_good(&guard, base + 500 * DAY, 100 + 500 * DAY));
        assert!(is_good(&guard, base + DAY, 100));
        assert!(!is_good(&guard, base + DAY + 1, 100));
        assert!(is_good(&guard, base - DAY, 100));
        assert!(!is_good(&guard, base - DAY - 1, 100));
        assert!(!is_good(&guard, 4_102_444_800, 200));
        assert!(is_good(&guard, base + 100, 200), "the clock came back");
        guard.confirm(moment(4_102_444_800, 200, 1));
        assert!(is_good(&guard, 4_102_444_900, 300));
    }

    #[test]
    fn many_small_jumps_are_a_large_one() {
        let guard = ClockGuard::begin(moment(1_800_000_000, 0, 1));
        assert!(is_good(&guard, 1_800_000_000 + DAY - 10, 5));
        assert!(!is_good(&guard, 1_800_000_000 + 2 * DAY - 20, 10));
    }

    #[test]
    fn a_restarted_service_and_a_restarted_system() {
        let stored = moment(1_800_000_000, 1_000, 1);
        let jumped = moment(1_800_000_000 + 9 * DAY, 1_010, 1);
        assert!(!is_good(
            &ClockGuard::resume(stored, jumped),
            1_800_000_000 + 9 * DAY,
            1_010
        ));
        let later = moment(1_800_000_000 + 9 * DAY, 5, 2);
        assert!(is_good(
            &ClockGuard::resume(stored, later),
            1_800_000_000 + 9 * DAY,
            5
        ));
        let earlier = moment(1_700_000_000, 5, 2);
        assert!(!is_good(
            &ClockGuard::resume(stored, earlier),
            1_700_000_000,
            5
        ));
        let bytes = stored.to_bytes();
        assert_eq!(ClockReference::from_bytes(&bytes), Some(stored));
        assert_eq!(ClockReference::from_bytes(&bytes[1..]), None);
    }
}
