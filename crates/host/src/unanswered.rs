//! The log of asks that got no signed answer. Whoever reaches the port can send what cannot be read,
//! as fast as he likes: the first of each reason is told at once, then one a minute with how many
//! there were.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_proto::limits::HTTP_FAULT_REPORT_SECONDS;
use tokio::time::Instant;

use crate::answer::Unanswered;

/// What was told of each reason. There are as many as reasons.
#[derive(Default)]
pub(crate) struct UnansweredLog(Mutex<HashMap<&'static str, Told>>);

struct Told {
    at: Instant,
    /// How many came since.
    more: u64,
}

impl UnansweredLog {
    /// Tells of one, now or with a later one of its reason.
    pub(crate) fn take(&self, peer: IpAddr, unanswered: &Unanswered) {
        let Unanswered { status, refusal } = unanswered;
        let code = refusal.reason.code();
        if let Some(count) = self.due(code, Instant::now()) {
            tracing::warn!(code, %peer, status, count, "{refusal}");
        }
    }

    /// How many this line stands for; none when it is not time for one.
    fn due(&self, code: &'static str, now: Instant) -> Option<u64> {
        let interval = Duration::from_secs(HTTP_FAULT_REPORT_SECONDS);
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = reasons.get_mut(code) else {
            reasons.insert(code, Told { at: now, more: 0 });
            return Some(1);
        };
        told.more += 1;
        if now - told.at < interval {
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_reason_is_told_at_once_and_the_others_by_number() {
        let log = UnansweredLog::default();
        let begin = Instant::now();
        assert_eq!(log.due("A", begin), Some(1));
        assert_eq!(log.due("B", begin), Some(1));
        for _ in 0..1_000 {
            assert_eq!(log.due("A", begin), None);
        }
        let later = begin + Duration::from_secs(HTTP_FAULT_REPORT_SECONDS);
        assert_eq!(log.due("A", later), Some(1_001));
        assert_eq!(log.due("A", later), None);
    }
}
