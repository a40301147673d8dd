//! The stored form of a client's row: about 20 bytes for a client of one pool.
//!
//! ```text
//! row  = head(1) | nonce mark(8) | generation | last seen | last seen - first seen | seats
//! head = licence state (3 bits) + 8 * seats (4 bits)
//! seat = pool | until hour - hour of last seen
//! ```
//! Numbers are LEB128, differences zigzag before that. *Warning:* this is stored; a change needs a
//! migration, and `vectors/store/` keeps what was written before.

use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::host::{ClientRow, PoolNumber, Seat, hour_of};
use muster_proto::limits::CLIENT_POOLS_MAX;
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;

const SEATS_AT: u32 = 3;
const STATE_MASK: u8 = (1 << SEATS_AT) - 1;

/// Writes a row.
pub fn encode(row: &ClientRow) -> Vec<u8> {
    let seats = row.seats.len().min(CLIENT_POOLS_MAX);
    let mut bytes = Vec::with_capacity(24);
    bytes.push(row.state as u8 | (seats as u8) << SEATS_AT);
    bytes.extend(row.last_nonce);
    put(&mut bytes, u64::from(row.generation));
    put(&mut bytes, row.last_seen.seconds());
    put_difference(
        &mut bytes,
        signed(row.last_seen.seconds()) - signed(row.first_seen.seconds()),
    );
    let hour = i64::from(hour_of(row.last_seen));
    for seat in &row.seats[..seats] {
        put(&mut bytes, u64::from(seat.pool.0));
        put_difference(&mut bytes, i64::from(seat.until_hour) - hour);
    }
    bytes
}

/// Reads a row; refuses what [`encode`] could not have written.
///
/// # Errors
/// `ROW_UNREADABLE`.
pub fn decode(bytes: &[u8]) -> Result<ClientRow, Refusal> {
    read(bytes).ok_or_else(|| Refusal::new(reasons::ROW_UNREADABLE, "a client"))
}

fn read(bytes: &[u8]) -> Option<ClientRow> {
    let (head, rest) = bytes.split_first()?;
    let (nonce, mut rest) = rest.split_first_chunk::<8>()?;
    let generation = u32::try_from(take(&mut rest)?).ok()?;
    let last_seen = take(&mut rest)?;
    let first_seen = signed(last_seen).checked_sub(take_difference(&mut rest)?)?;
    let last_seen = Timestamp::from_seconds(last_seen);
    let seats = usize::from(head >> SEATS_AT);
    if seats > CLIENT_POOLS_MAX {
        return None;
    }
    let hour = i64::from(hour_of(last_seen));
    let mut seat = || {
        let pool = PoolNumber(u32::try_from(take(&mut rest)?).ok()?);
        let until = hour.checked_add(take_difference(&mut rest)?)?;
        Some(Seat {
            pool,
            until_hour: u32::try_from(until).ok()?,
        })
    };
    let seats = (0..seats).map(|_| seat()).collect::<Option<_>>()?;
    let row = ClientRow {
        generation,
        last_nonce: *nonce,
        first_seen: Timestamp::from_seconds(u64::try_from(first_seen).ok()?),
        last_seen,
        state: LicenceState::from_number(u64::from(head & STATE_MASK))?,
        seats,
    };
    rest.is_empty().then_some(row)
}

/// Times end in the year 9999 and fit.
fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn put_difference(bytes: &mut Vec<u8>, difference: i64) {
    put(bytes, ((difference << 1) ^ (difference >> 63)) as u64);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        let part = u64::from(byte & 0x7f);
        number |= part
            .checked_shl(shift)
            .filter(|moved| moved >> shift == part)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_difference(rest: &mut &[u8]) -> Option<i64> {
    let number = take(rest)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = ClientRow> {
        let time = || (0..=Timestamp::MAX.seconds()).prop_map(Timestamp::from_seconds);
        let seat = (any::<u32>(), any::<u32>()).prop_map(|(pool, until_hour)| Seat {
            pool: PoolNumber(pool),
            until_hour,
        });
        let seats = prop::collection::vec(seat, 0..=CLIENT_POOLS_MAX);
        let plain = (
            any::<u32>(),
            any::<[u8; 8]>(),
            time(),
            time(),
            0..7usize,
            seats,
        );
        plain.prop_map(
            |(generation, last_nonce, first_seen, last_seen, state, seats)| ClientRow {
                generation,
                last_nonce,
                first_seen,
                last_seen,
                state: LicenceState::ALL[state],
                seats,
            },
        )
    }

    proptest! {
        #[test]
        fn rows_are_read_as_they_are_written(row in rows()) {
            let bytes = encode(&row);
            prop_assert_eq!(decode(&bytes).unwrap(), row);
            for cut in 0..bytes.len() {
                prop_assert!(decode(&bytes[..cut]).is_err());
            }
            prop_assert!(decode(&[bytes, vec![0]].concat()).is_err());
        }

        #[test]
        fn rubbish_is_refused_or_read_but_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_usual_row_is_small() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let row = ClientRow {
            generation: 20,
            last_nonce: [7; 8],
            first_seen: Timestamp::from_seconds(1_790_000_000),
            last_seen: now,
            state: LicenceState::Licensed,
            seats: vec![Seat {
                pool: PoolNumber(2),
                until_hour: hour_of(now) + 721,
            }],
        };
        assert_eq!(encode(&row).len(), 22);
    }
}
