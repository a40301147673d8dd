//! Times as people and programs read them.

use jiff::{Timestamp as Instant, tz::TimeZone};
use muster_proto::time::{Span, Timestamp};

/// The present time.
pub(crate) fn now() -> Timestamp {
    muster_machine::clock::now()
}

/// RFC 3339 in UTC, for programs.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    instant(time).to_string()
}

/// Local time with its offset, for people.
pub(crate) fn local(time: Timestamp) -> String {
    instant(time)
        .to_zoned_datetime(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M %:z")
        .to_string()
}

/// A time of a `--json` document as people read it; anything else as it is.
pub(crate) fn local_of(rfc3339: &str) -> String {
    let parsed = rfc3339.parse::<Instant>().ok();
    let seconds = parsed.and_then(|instant| u64::try_from(instant.as_second()).ok());
    seconds.map_or_else(
        || rfc3339.to_owned(),
        |seconds| local(Timestamp::from_seconds(seconds)),
    )
}

/// `in 3d`, `2h ago`, in the two largest units.
pub(crate) fn relative(time: Timestamp, now: Timestamp) -> String {
    if time >= now {
        format!("in {}", rough(time.since(now)))
    } else {
        format!("{} ago", rough(now.since(time)))
    }
}

/// A span in its largest unit and the next.
pub(crate) fn rough(span: Span) -> String {
    let seconds = span.seconds();
    let keep = match seconds {
        172_800.. => 86_400,
        86_400.. => 3_600,
        3_600.. => 60,
        _ => 1,
    };
    Span::from_seconds(seconds / keep * keep).to_string()
}

fn instant(time: Timestamp) -> Instant {
    i64::try_from(time.seconds())
        .ok()
        .and_then(|seconds| Instant::from_second(seconds).ok())
        .unwrap_or(Instant::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let time = Timestamp::from_seconds(1_795_564_800);
        assert_eq!(rfc3339(time), "2026-11-25T00:00:00Z");
        assert_eq!(rough(Span::from_seconds(7 * 86_400 + 5_000)), "7d");
        assert_eq!(rough(Span::from_seconds(86_400 + 7_300)), "1d2h");
        assert_eq!(relative(time, time + Span::from_hours(2)), "2h ago");
    }
}
