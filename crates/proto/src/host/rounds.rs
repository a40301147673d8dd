//! What a running host does again and again by itself, and when it is due. Judged by the wall clock,
//! since a machine that slept has to make up for it; a clock that was set back makes a round due
//! rather than late.

use crate::limits::{
    DNS_REFRESH_SECONDS, DNS_RETRY_SECONDS, REFRESH_FIRST_SECONDS, REFRESH_SECONDS, UPKEEP_SECONDS,
};
use crate::time::{Span, Timestamp};

/// One kind of round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// How long after the start it comes first.
    first: Span,
    /// How long after one that did all it should.
    again: Span,
    /// How long after one that did not.
    retry: Span,
}

/// How a round went when it was made last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// When it began.
    pub at: Timestamp,
    /// Whether it did all it should.
    pub is_done: bool,
}

impl Round {
    /// The host's DNS records are written: at start and daily; after a failure sooner.
    pub const REGISTRATION: Self = Self {
        first: Span::ZERO,
        again: Span::from_seconds(DNS_REFRESH_SECONDS),
        retry: Span::from_seconds(DNS_RETRY_SECONDS),
    };

    /// The authorities are asked for revocations, policies and renewals: a minute after the start and
    /// daily. Nothing is lost while one cannot be reached, so that is soon enough for a retry too.
    pub const REFRESH: Self = Self {
        first: Span::from_seconds(REFRESH_FIRST_SECONDS),
        again: Span::from_seconds(REFRESH_SECONDS),
        retry: Span::from_seconds(REFRESH_SECONDS),
    };

    /// The clock is noted and old opening keys are replaced: at start and hourly.
    pub const UPKEEP: Self = Self {
        first: Span::ZERO,
        again: Span::from_seconds(UPKEEP_SECONDS),
        retry: Span::from_seconds(UPKEEP_SECONDS),
    };

    /// When the next one is due.
    pub fn due(&self, started: Timestamp, last: Option<Made>) -> Timestamp {
        match last {
            None => started + self.first,
            Some(made) if made.is_done => made.at + self.again,
            Some(made) => made.at + self.retry,
        }
    }

    /// Whether one is due now.
    pub fn is_due(&self, started: Timestamp, last: Option<Made>, now: Timestamp) -> bool {
        let since = last.map_or(started, |made| made.at);
        now < since || now >= self.due(started, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: u64 = 86_400;
    const MINUTE: u64 = 60;

    fn after(seconds: u64) -> Timestamp {
        START + Span::from_seconds(seconds)
    }

    /// Walks through time in steps of a minute, each round ending as `ends` says: when rounds were
    /// made, in minutes after the start.
    fn made(round: Round, minutes: u64, ends: impl Fn(u64) -> bool) -> Vec<u64> {
        let mut last = None;
        let mut made = Vec::new();
        for minute in 0..=minutes {
            let now = after(minute * MINUTE);
            if round.is_due(START, last, now) {
                last = Some(Made {
                    at: now,
                    is_done: ends(minute),
                });
                made.push(minute);
            }
        }
        made
    }

    #[test]
    fn a_registration_comes_at_start_and_daily() {
        let days = made(Round::REGISTRATION, 3 * 24 * 60, |_| true);
        assert_eq!(days, [0, 24 * 60, 2 * 24 * 60, 3 * 24 * 60]);
    }

    #[test]
    fn a_failed_registration_is_tried_again_every_15_minutes_until_it_stands() {
        let tries = made(Round::REGISTRATION, 24 * 60 + 45, |minute| minute >= 40);
        assert_eq!(tries, [0, 15, 30, 45, 24 * 60 + 45]);
    }

    #[test]
    fn authorities_are_asked_a_minute_after_the_start_and_daily_whatever_they_said() {
        for is_done in [true, false] {
            let days = made(Round::REFRESH, 2 * 24 * 60 + 1, |_| is_done);
            assert_eq!(days, [1, 24 * 60 + 1, 2 * 24 * 60 + 1]);
        }
    }

    #[test]
    fn upkeep_is_hourly() {
        assert_eq!(made(Round::UPKEEP, 150, |_| true), [0, 60, 120]);
    }

    #[test]
    fn a_machine_that_slept_makes_one_round_and_not_all_it_missed() {
        let last = Some(Made {
            at: START,
            is_done: true,
        });
        let woken = after(30 * DAY);
        assert!(Round::REGISTRATION.is_due(START, last, woken));
        let last = Some(Made {
            at: woken,
            is_done: true,
        });
        assert!(!Round::REGISTRATION.is_due(START, last, woken));
        assert_eq!(
            Round::REGISTRATION.due(START, last),
            woken + Span::from_days(1)
        );
    }

    #[test]
    fn a_clock_set_back_delays_no_round() {
        let last = Some(Made {
            at: after(DAY),
            is_done: true,
        });
        for round in [Round::REGISTRATION, Round::REFRESH, Round::UPKEEP] {
            assert!(round.is_due(START, last, START));
            let wrong_start = after(10 * DAY);
            assert!(round.is_due(wrong_start, None, START));
        }
    }
}
