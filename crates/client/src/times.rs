//! Times as text.

use muster_proto::time::Timestamp;

/// A time as RFC 3339 UTC.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let seconds = i64::try_from(time.seconds()).expect("times end in year 9999");
    // The calendar's library ends a day before the year 9999 does.
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    time.round(jiff::Unit::Second).unwrap_or(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_scripts_expect_them() {
        assert_eq!(
            rfc3339(Timestamp::from_seconds(1_795_564_800)),
            "2026-11-25T00:00:00Z"
        );
        assert_eq!(rfc3339(Timestamp::default()), "1970-01-01T00:00:00Z");
        assert!(rfc3339(Timestamp::MAX).starts_with("9999-12-30T"));
    }
}
