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
/// rows of clients are kept just so long, and a recorded ask must not outlive its row.
pub fn rotation(made: &[Timestamp], now: Timestamp) -> Rotation {
    let kept = Span::from_seconds(OPENING_KEY_KEPT_SECONDS);
    let longest = Span::from_seconds(OPENING_KEY_SECONDS + OPENING_KEY_KEPT_SECONDS);
    let age = |made: &Timestamp| now.since(*made);
    let is_due = made
        .first()
        .is_some_and(|newest| age(newest) >= Span::from_seconds(OPENING_KEY_SECONDS));
    // A key was replaced when the one before it in the list was made; the newest of all is not.
    let newer = std::iter::once(is_due.then_some(now)).chain(made.iter().copied().map(Some));
    let stays = made.iter().zip(newer).map(|(made, replaced)| {
        replaced.is_none_or(|at| now.since(at) <= kept && age(made) <= longest)
    });
    Rotation {
        is_due,
        stays: stays.collect(),
    }
}
