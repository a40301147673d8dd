//! Bounds what a service logs. Whoever may send bytes to a port can make it log a line for each of
//! them; without a bound he fills the disk, or hides other lines among his own. So each kind of line
//! (each place in the code that logs) has an allowance of its own. What is over it is left out and
//! counted, and the count is told with the next line of its kind.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_proto::limits::{LOG_LEFT_OUT_SECONDS, LOG_LINES_BURST, LOG_LINES_PER_SECOND};
use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The limit as a layer: it lets a line through to the layers behind it, or not.
#[derive(Default)]
pub(super) struct LogLimit {
    /// There are as many kinds as places in the code.
    kinds: Mutex<HashMap<Identifier, Kind>>,
}

impl<S: Subscriber> Layer<S> for LogLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let now = Instant::now();
        let (admitted, left_out) = self.judge(metadata.callsite(), now);
        if let Some(count) = left_out {
            // A line of its own kind; the lock was let go, for it comes through here too.
            tracing::warn!(count, "{count} lines like the next one were left out");
        }
        admitted
    }
}

impl LogLimit {
    /// Whether a line of a kind comes through, and how many before it are to be told of first.
    fn judge(&self, callsite: Identifier, now: Instant) -> (bool, Option<u64>) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(callsite).or_insert_with(|| Kind::new(now));
        let admitted = kind.admit(now);
        let left_out = if admitted { kind.report(now) } else { None };
        (admitted, left_out)
    }
}

/// The allowance of one kind of line: a bucket that holds a burst and fills by the second.
struct Kind {
    left: f64,
    at: Instant,
    left_out: u64,
    reported: Instant,
}

impl Kind {
    fn new(now: Instant) -> Self {
        Self {
            left: f64::from(LOG_LINES_BURST),
            at: now,
            left_out: 0,
            reported: now,
        }
    }

    fn admit(&mut self, now: Instant) -> bool {
        let earned = (now - self.at).as_secs_f64() * f64::from(LOG_LINES_PER_SECOND);
        self.left = (self.left + earned).min(f64::from(LOG_LINES_BURST));
        self.at = now;
        if self.left < 1.0 {
            self.left_out += 1;
            return false;
        }
        self.left -= 1.0;
        true
    }

    /// How many lines were left out since the last report, once in a while.
    fn report(&mut self, now: Instant) -> Option<u64> {
        let is_due = now - self.reported >= Duration::from_secs(LOG_LEFT_OUT_SECONDS);
        if self.left_out == 0 || !is_due {
            return None;
        }
        self.reported = now;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted_and_later_lines_come_through() {
        let begin = Instant::now();
        let mut kind = Kind::new(begin);
        let admitted = (0..5_000).filter(|_| kind.admit(begin)).count();
        assert_eq!(admitted, LOG_LINES_BURST as usize);
        assert_eq!(kind.report(begin), None, "not at once");
        let later = begin + Duration::from_secs(LOG_LEFT_OUT_SECONDS);
        assert!(kind.admit(later));
        let left_out = 5_000 - u64::from(LOG_LINES_BURST);
        assert_eq!(kind.report(later), Some(left_out));
        assert_eq!(kind.report(later), None, "told once");
        let admitted = (0..5_000).filter(|_| kind.admit(later)).count();
        let earned = LOG_LEFT_OUT_SECONDS * u64::from(LOG_LINES_PER_SECOND) - 1;
        assert_eq!(admitted as u64, earned);
    }

    /// Counts what comes through.
    struct Counting(Arc<AtomicU32>);

    impl<S: Subscriber> Layer<S> for Counting {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn one_kind_of_line_takes_no_place_from_another() {
        let count = Arc::new(AtomicU32::new(0));
        let subscriber = tracing_subscriber::registry()
            .with(LogLimit::default())
            .with(Counting(Arc::clone(&count)));
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..LOG_LINES_BURST * 2 {
                tracing::info!("a flood");
            }
            let flood = count.load(Ordering::Relaxed);
            assert!((LOG_LINES_BURST..LOG_LINES_BURST * 2).contains(&flood));
            tracing::info!("something else");
            assert_eq!(count.load(Ordering::Relaxed), flood + 1);
        });
    }
}
