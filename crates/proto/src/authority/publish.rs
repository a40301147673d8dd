//! How numbered revocations become signed deltas: contiguous tiles from the empty list up to the
//! newest number, each of at most 64 entries, so that a holder of any number finds one that follows.

use std::ops::Range;

use crate::ids::Thumbprint;
use crate::limits::{REVOCATION_DELTAS_MAX, REVOCATION_ENTRIES_MAX};
use crate::statement::revocations::{Revocations, Revoked};
use crate::time::Timestamp;

/// A revoked key and the number it was revoked under; numbers begin at 1 and have no gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number.
    pub number: u64,
    /// The key, and when everything under it has ended.
    pub revoked: Revoked,
}

/// Why a key ends when it does is told by its certificate; entries that have ended are left out, so
/// that the list does not grow for ever. `entries` stand in the order of their numbers, `newest` is
/// the last number given out. Nothing was ever revoked: no delta.
pub fn tiles(entries: &[Numbered], newest: u64, now: Timestamp) -> Vec<Revocations> {
    if newest == 0 {
        return Vec::new();
    }
    let live: Vec<_> = entries.iter().filter(|e| e.revoked.ends > now).collect();
    let mut from = 0;
    let mut deltas = Vec::new();
    let mut chunks = live.chunks(REVOCATION_ENTRIES_MAX).peekable();
    loop {
        let chunk = chunks.next().unwrap_or_default();
        let number = match (chunks.peek(), chunk.last()) {
            (Some(_), Some(last)) => last.number,
            _ => newest,
        };
        deltas.push(Revocations {
            from,
            number,
            entries: chunk.iter().map(|entry| entry.revoked).collect(),
            issued: now,
        });
        if number == newest {
            return deltas;
        }
        from = number;
    }
}

/// Which of some tiles a holder of `held` needs: those that end after it, at most as many as one
/// answer carries; the holder asks again from where they end.
pub fn after(tiles: &[Range<u64>], held: u64) -> Range<usize> {
    let first = tiles.partition_point(|tile| tile.end <= held);
    first..tiles.len().min(first + REVOCATION_DELTAS_MAX)
}

/// When a revoked key's entry may leave the list: its certificate has ended and every lease signed
/// at its end has run out.
pub fn entry_ends(not_after: Timestamp, longest_validity: crate::time::Span) -> Timestamp {
    not_after + longest_validity
}

/// The entries for some keys of one host, numbered after `newest`.
pub fn number_entries(
    newest: u64,
    keys: impl IntoIterator<Item = (Thumbprint, Timestamp)>,
) -> Vec<Numbered> {
    let numbered = |(number, (key, ends))| Numbered {
        number,
        revoked: Revoked { key, ends },
    };
    (newest + 1..).zip(keys).map(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::revocations::RevocationSet;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn entries(count: u64, ended: impl Fn(u64) -> bool) -> Vec<Numbered> {
        let key = |number: u64| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let ends = Timestamp::from_seconds(if ended(number) { 500 } else { 5_000 });
            (Thumbprint(bytes), ends)
        };
        number_entries(0, (1..=count).map(key))
    }

    #[test]
    fn every_holder_reaches_the_newest_number_with_every_live_key() {
        for (count, newest) in [(1, 1), (64, 64), (65, 65), (200, 200), (200, 300), (0, 7)] {
            for every in [2, 3, 1_000] {
                let all = entries(count, |number| number % every == 0);
                let deltas = tiles(&all, newest, NOW);
                assert_eq!(deltas.last().unwrap().number, newest);
                assert!(
                    deltas
                        .iter()
                        .all(|d| d.entries.len() <= REVOCATION_ENTRIES_MAX)
                );
                let ranges: Vec<_> = deltas.iter().map(|d| d.from..d.number).collect();
                for held in 0..newest {
                    check_holder(&all, &deltas, &ranges, held);
                }
                assert!(after(&ranges, newest).is_empty());
            }
        }
        assert!(tiles(&[], 0, NOW).is_empty());
    }

    /// A holder of everything up to `held` applies what it is given, and misses nothing.
    fn check_holder(all: &[Numbered], deltas: &[Revocations], ranges: &[Range<u64>], held: u64) {
        let mut set = RevocationSet::default();
        if held > 0 {
            let known = all.iter().filter(|e| e.number <= held);
            set.apply(&Revocations {
                from: 0,
                number: held,
                entries: known.map(|e| e.revoked).collect(),
                issued: NOW,
            })
            .unwrap();
        }
        while set.number() < deltas.last().unwrap().number {
            let range = after(ranges, set.number());
            assert!(!range.is_empty() && range.len() <= REVOCATION_DELTAS_MAX);
            for delta in &deltas[range] {
                set.apply(delta).unwrap();
            }
        }
        for entry in all.iter().filter(|e| e.revoked.ends > NOW) {
            assert!(set.holds(&entry.revoked.key), "{}", entry.number);
        }
    }
}
