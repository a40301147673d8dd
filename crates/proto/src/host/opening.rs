//! When a host replaces its opening key, and how long the ones before are kept.

use crate::limits::{OPENING_KEY_KEPT_SECONDS, OPENING_KEY_SECONDS};
use crate::time::{Span, Timestamp};

/// What becomes of a host's opening keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Whether a new key is to be made now.
    pub is_due: bool,
    /// Of the keys held, in their order, which ones stay.
    pub stays: Vec<bool>,
}

/// Judges the opening keys by when each was made, the newest first. A key is replaced when it is 30
/// days old, and kept for 7 days more.
///
/// A host that was off replaces its key late. What was sealed to it before opens no longer for that:
/// rows of clients are kept just so long, and a recorded ask must not outlive its row. For the same
/// reason a key that was made later than now goes at once: the clock was ahead when it was made, and
/// nobody knows how old it is.
pub fn rotation(made: &[Timestamp], now: Timestamp) -> Rotation {
    let kept = Span::from_seconds(OPENING_KEY_KEPT_SECONDS);
    let longest = Span::from_seconds(OPENING_KEY_SECONDS + OPENING_KEY_KEPT_SECONDS);
    let age = |made: &Timestamp| now.since(*made);
    let is_due = made.first().is_some_and(|newest| {
        age(newest) >= Span::from_seconds(OPENING_KEY_SECONDS) || *newest > now
    });
    // A key was replaced when the one before it in the list was made; the newest of all is not.
    let newer = std::iter::once(is_due.then_some(now)).chain(made.iter().copied().map(Some));
    let stays = made.iter().zip(newer).map(|(made, replaced)| {
        let is_of_age = |at| now.since(at) <= kept && age(made) <= longest && *made <= now;
        replaced.is_none_or(is_of_age)
    });
    Rotation {
        is_due,
        stays: stays.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn judged(days_ago: &[i64]) -> (bool, Vec<bool>) {
        let made = days_ago.iter().map(|days| match *days {
            days if days < 0 => NOW + Span::from_days(days.unsigned_abs()),
            days => NOW - Span::from_days(days.unsigned_abs()),
        });
        let Rotation { is_due, stays } = rotation(&made.collect::<Vec<_>>(), NOW);
        (is_due, stays)
    }

    #[test]
    fn a_key_serves_30_days_and_stays_7_more() {
        assert_eq!(judged(&[29, 59]), (false, vec![true, false]));
        assert_eq!(judged(&[30, 60]), (true, vec![true, false]));
        assert_eq!(judged(&[6, 37]), (false, vec![true, true]));
        assert_eq!(judged(&[6, 38]), (false, vec![true, false]));
        assert_eq!(judged(&[]), (false, vec![]));
    }

    #[test]
    fn a_key_that_a_clock_ahead_made_goes_when_the_clock_is_right() {
        assert_eq!(judged(&[-87]), (true, vec![false]));
        assert_eq!(judged(&[-87, 20]), (true, vec![false, true]));
        assert_eq!(judged(&[0]), (false, vec![true]));
    }
}
