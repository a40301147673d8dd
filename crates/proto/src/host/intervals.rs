//! When a client asks again: the policy says, a host's own setting goes before it, the bounds hold.

use crate::limits::{INTERVAL_SECONDS_MAX, INTERVAL_SECONDS_MIN};
use crate::reason::{Refusal, kms as reasons};
use crate::time::Span;

use super::products::Served;

/// What an administrator set on the host; none leaves it to the policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    /// When a licensed client renews.
    pub renewal: Option<Span>,
    /// When a client that is not licensed asks again.
    pub retry: Option<Span>,
}

impl Intervals {
    /// The intervals (renewal, retry) of an answer. One answer is for all products of a machine, so
    /// the shortest of their policies rules; a renewal is never later than the shortest validity.
    /// Without a product the defaults of a new policy stand in.
    pub fn effective(&self, served: &[Served<'_>]) -> (Span, Span) {
        let shortest = |of: fn(&Served<'_>) -> Span, default: Span| {
            served.iter().map(of).min().unwrap_or(default)
        };
        let renewal = shortest(|served| served.policy.renewal, Span::from_days(7));
        let retry = shortest(|served| served.policy.retry, Span::from_hours(2));
        let validity = shortest(|served| served.policy.validity, Span::from_days(180));
        (
            within_bounds(self.renewal.unwrap_or(renewal)).min(validity),
            within_bounds(self.retry.unwrap_or(retry)),
        )
    }
}

/// Refuses an interval that no host may set.
pub fn check_interval(interval: Span) -> Result<(), Refusal> {
    if within_bounds(interval) == interval {
        Ok(())
    } else {
        Err(Refusal::new(reasons::INTERVAL_WRONG, interval.to_string()))
    }
}

fn within_bounds(interval: Span) -> Span {
    interval.clamp(
        Span::from_seconds(INTERVAL_SECONDS_MIN),
        Span::from_seconds(INTERVAL_SECONDS_MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::policy::{Policy, ProductKind};
    use crate::time::Timestamp;

    #[test]
    fn the_hosts_setting_goes_before_the_policy_within_the_bounds() {
        let mut policy = Policy::new(
            "cad".parse().unwrap(),
            "CAD",
            ProductKind::Client,
            Timestamp::default(),
        );
        let effective =
            |intervals: Intervals, policy: &Policy| intervals.effective(&[Served { policy }]);
        let set = |renewal, retry| Intervals {
            renewal: Some(renewal),
            retry: Some(retry),
        };
        let none = Intervals::default();
        assert_eq!(
            effective(none, &policy),
            (Span::from_days(7), Span::from_hours(2))
        );
        assert_eq!(
            effective(set(Span::from_days(1), Span::from_minutes(20)), &policy),
            (Span::from_days(1), Span::from_minutes(20))
        );
        assert_eq!(
            effective(set(Span::from_days(90), Span::ZERO), &policy),
            (Span::from_days(30), Span::from_minutes(15))
        );
        policy.validity = Span::from_days(10);
        let (renewal, _) = effective(set(Span::from_days(30), Span::from_hours(1)), &policy);
        assert_eq!(renewal, Span::from_days(10));
        assert_eq!(none.effective(&[]).1, Span::from_hours(2));
        check_interval(Span::from_minutes(15)).unwrap();
        let refused = check_interval(Span::from_minutes(14)).unwrap_err();
        assert_eq!(refused.reason, reasons::INTERVAL_WRONG);
    }
}
