//! Points in time and spans, in whole seconds. Nothing here reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use crate::limits::TIME_SECONDS_MAX;
use crate::reason::{Refusal, config as reasons};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted; at most the end of year 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest time a statement may name.
    pub const MAX: Timestamp = Timestamp(TIME_SECONDS_MAX);

    /// A time, cut to the latest one that a statement may name.
    pub const fn from_seconds(seconds: u64) -> Self {
        if seconds > TIME_SECONDS_MAX {
            Self::MAX
        } else {
            Self(seconds)
        }
    }

    /// Seconds since 1970.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// How much later `self` is than `earlier`; zero when it is not later.
    pub const fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The distance between two times, whichever is later.
    pub const fn distance(self, other: Timestamp) -> Span {
        Span(self.0.abs_diff(other.0))
    }
}

/// Writes RFC 3339 in UTC: `2026-11-24T23:40:51Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// The proleptic Gregorian date of a day since 1970-01-01. Years are counted from March, so that
/// the leap day is a year's last, and in eras of 400 years, which all have 146,097 days.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;

    fn add(self, span: Span) -> Timestamp {
        Timestamp::from_seconds(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;

    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

/// A span of time in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// A span of minutes.
    pub const fn from_minutes(minutes: u64) -> Self {
        Self(minutes.saturating_mul(60))
    }

    /// A span of hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self(hours.saturating_mul(3_600))
    }

    /// A span of days of 24 hours.
    pub const fn from_days(days: u64) -> Self {
        Self(days.saturating_mul(86_400))
    }

    /// The span in seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// The span in whole minutes, rounded down.
    pub const fn minutes(self) -> u64 {
        self.0 / 60
    }

    /// The span less another; zero when the other is longer.
    pub const fn less(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Add for Span {
    type Output = Span;

    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

const UNITS: [(char, u64); 5] = [
    ('w', 7 * 86_400),
    ('d', 86_400),
    ('h', 3_600),
    ('m', 60),
    ('s', 1),
];

/// Reads human spans: `15m`, `7d`, `1d12h`; a unit is always needed.
impl FromStr for Span {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refuse = || {
            Refusal::new(
                reasons::SPAN_WRONG,
                format!("{text:?}: write a number and a unit of s, m, h, d or w, as in 15m or 7d"),
            )
        };
        let mut total = 0u64;
        let mut number: Option<u64> = None;
        for symbol in text.trim().chars() {
            if let Some(digit) = symbol.to_digit(10) {
                let value = number.unwrap_or(0).checked_mul(10).ok_or_else(refuse)?;
                number = Some(value.checked_add(u64::from(digit)).ok_or_else(refuse)?);
            } else {
                let unit = UNITS
                    .iter()
                    .find(|(name, _)| *name == symbol)
                    .ok_or_else(refuse)?
                    .1;
                let value = number.take().ok_or_else(refuse)?.checked_mul(unit);
                total = value
                    .and_then(|v| total.checked_add(v))
                    .ok_or_else(refuse)?;
            }
        }
        if number.is_some() || text.trim().is_empty() || total > TIME_SECONDS_MAX {
            return Err(refuse());
        }
        Ok(Span(total))
    }
}

/// Writes a span as it is read, in days and smaller units: `7d`, `1d12h`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (name, unit) in &UNITS[1..] {
            if rest >= *unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_564_800, "2026-11-25T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (TIME_SECONDS_MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_seconds(seconds).to_string(), text);
        }
    }

    #[test]
    fn spans_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("15m", 900),
            ("7d", 604_800),
            ("1d12h", 129_600),
            ("0s", 0),
            ("2h", 7_200),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(
                (span.seconds(), span.to_string()),
                (seconds, text.to_owned())
            );
        }
        for wrong in [
            "",
            "7",
            "d",
            "7x",
            "-1d",
            "1.5h",
            "99999999999999999999d",
            "9999999w",
        ] {
            let refusal = wrong.parse::<Span>().unwrap_err();
            assert_eq!(refusal.reason, reasons::SPAN_WRONG, "{wrong}");
        }
    }
}
