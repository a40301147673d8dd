//! The licence states and what moves a product between them.
//!
//! [`step`] is the whole table: (state, event) → (state, effects). Reading it across, an empty cell
//! stays where it is.
//!
//! | state \ event | installed | licensed | unproven | expired, hardware, clock | revoked | grace over | rearmed | removed |
//! |---|---|---|---|---|---|---|---|---|
//! | unlicensed | initial* | licensed | | tolerance* | non-genuine* | | extended* | |
//! | initial grace | | licensed | | tolerance* | non-genuine* | notification | extended* | unlicensed |
//! | licensed | | | tolerance* | tolerance* | non-genuine* | | | unlicensed |
//! | out-of-tolerance grace | | licensed | | | non-genuine* | notification | extended* | unlicensed |
//! | non-genuine grace | | licensed | | | | notification | | unlicensed |
//! | notification | | licensed | | | | | extended* | unlicensed |
//! | extended grace | | licensed | | | | notification | | unlicensed |
//!
//! `*` a timer begins; a grace of no length is not entered: initial grace leaves the product
//! unlicensed, the others lead to notification at once.
//!
//! | timer of | begins | clock | length |
//! |---|---|---|---|
//! | initial grace | when the key was installed | trusted | policy: initial grace |
//! | licensed | when the lease was issued | trusted; running from receipt where the clocks differed | the lease, at most the policy's validity |
//! | out-of-tolerance grace, lease expired | when the lease ended | as the lease's own | policy: out-of-tolerance grace |
//! | out-of-tolerance grace, hardware or policy changed | when first noticed | trusted | policy: out-of-tolerance grace |
//! | out-of-tolerance grace, clock behind the floor | when first noticed | running only | policy: out-of-tolerance grace |
//! | non-genuine grace | when the revocation was first noticed | trusted | policy: non-genuine grace |
//! | extended grace | when rearmed | trusted | policy: extended grace |
//!
//! *Trusted* is the wall clock over the floor, and running time beside it: a timer ends with the
//! first of the two (`trusted_time`). Notification has no timer; the state at every read follows
//! from signed statements and the moments noted beside them, so a clock that was wrong for a while
//! costs nothing once it is right again.

use super::LicenceState;

/// What happens to a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A product key was installed, and the policy gives an initial grace.
    Installed,
    /// A lease licenses now.
    Licensed,
    /// No lease licenses: none was granted, the count is too low, or the policy forbids it.
    Unproven,
    /// The lease has ended.
    Expired,
    /// The hardware is not the lease's.
    HardwareChanged,
    /// The clock is more than 4 hours behind the floor.
    ClockBehind,
    /// The host that granted the lease was revoked.
    Revoked,
    /// The timer of the present grace has ended.
    GraceOver,
    /// An administrator rearmed the product.
    Rearmed,
    /// The product key was removed.
    Removed,
}

impl Event {
    /// Every event, in the order of the table.
    pub const ALL: [Event; 10] = [
        Event::Installed,
        Event::Licensed,
        Event::Unproven,
        Event::Expired,
        Event::HardwareChanged,
        Event::ClockBehind,
        Event::Revoked,
        Event::GraceOver,
        Event::Rearmed,
        Event::Removed,
    ];
}

/// What a transition makes the service do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The timer of the new state begins.
    BeginTimer,
    /// Ask a host now rather than at the next interval.
    AskNow,
    /// Tell the log, and whoever shows the state, that it has changed.
    Announce,
    /// A rearm may be used again.
    AllowRearm,
}

/// Where an event leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state after it.
    pub state: LicenceState,
    /// What it makes the service do.
    pub effects: &'static [Effect],
}

/// The table: every pair of state and event leads somewhere.
pub const fn step(state: LicenceState, event: Event) -> Step {
    use LicenceState as S;
    match (state, event) {
        (S::Unlicensed, Event::Installed) => moved(S::InitialGrace, BEGIN_AND_ASK),
        (S::Licensed, Event::Licensed) => moved(S::Licensed, &[]),
        (_, Event::Licensed) => moved(S::Licensed, &[Effect::Announce, Effect::AllowRearm]),
        (S::Licensed, Event::Unproven) => moved(S::OutOfToleranceGrace, BEGIN_AND_ASK),
        (
            S::Unlicensed | S::InitialGrace | S::Licensed,
            Event::Expired | Event::HardwareChanged | Event::ClockBehind,
        ) => moved(S::OutOfToleranceGrace, BEGIN_AND_ASK),
        (
            S::Unlicensed | S::InitialGrace | S::Licensed | S::OutOfToleranceGrace,
            Event::Revoked,
        ) => moved(S::NonGenuineGrace, BEGIN_AND_ASK),
        (
            S::InitialGrace | S::OutOfToleranceGrace | S::NonGenuineGrace | S::ExtendedGrace,
            Event::GraceOver,
        ) => moved(S::Notification, &[Effect::Announce]),
        (
            S::Unlicensed | S::InitialGrace | S::OutOfToleranceGrace | S::Notification,
            Event::Rearmed,
        ) => moved(S::ExtendedGrace, BEGIN_AND_ASK),
        (S::Unlicensed, Event::Removed) => moved(S::Unlicensed, &[]),
        (_, Event::Removed) => moved(S::Unlicensed, &[Effect::Announce]),
        (state, _) => moved(state, &[]),
    }
}

const BEGIN_AND_ASK: &[Effect] = &[Effect::BeginTimer, Effect::AskNow, Effect::Announce];

const fn moved(state: LicenceState, effects: &'static [Effect]) -> Step {
    Step { state, effects }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LicenceState as S;

    #[test]
    fn a_lease_that_licenses_always_licenses() {
        for state in S::ALL {
            assert_eq!(step(state, Event::Licensed).state, S::Licensed);
        }
    }

    #[test]
    fn nothing_but_a_lease_licenses() {
        for state in S::ALL {
            for event in Event::ALL
                .into_iter()
                .filter(|event| *event != Event::Licensed)
            {
                let to = step(state, event).state;
                assert!(
                    to != S::Licensed || state == S::Licensed,
                    "{state:?} {event:?}"
                );
            }
        }
    }

    #[test]
    fn graces_end_in_notification_and_nothing_else_does() {
        for state in S::ALL {
            for event in Event::ALL {
                let to = step(state, event).state;
                let is_grace = !matches!(state, S::Unlicensed | S::Licensed | S::Notification);
                if to == S::Notification && state != S::Notification {
                    assert!(is_grace && event == Event::GraceOver);
                }
                if is_grace && event == Event::GraceOver {
                    assert_eq!(to, S::Notification);
                }
            }
        }
    }

    #[test]
    fn revocation_is_cured_by_a_lease_only() {
        for event in Event::ALL {
            let to = step(S::NonGenuineGrace, event).state;
            let expected = match event {
                Event::Licensed => S::Licensed,
                Event::GraceOver => S::Notification,
                Event::Removed => S::Unlicensed,
                _ => S::NonGenuineGrace,
            };
            assert_eq!(to, expected, "{event:?}");
        }
    }

    #[test]
    fn every_change_is_announced_and_every_grace_begins_a_timer() {
        for state in S::ALL {
            for event in Event::ALL {
                let step = step(state, event);
                assert_eq!(
                    step.state != state,
                    step.effects.contains(&Effect::Announce)
                );
                let begins = step.state != state
                    && !matches!(step.state, S::Unlicensed | S::Licensed | S::Notification);
                assert_eq!(begins, step.effects.contains(&Effect::BeginTimer));
            }
        }
    }
}
