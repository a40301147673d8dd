//! Which seats move when a client's row changes, and what that does to a count: one rule for every
//! store that keeps counts instead of summing them.

use muster_proto::host::{ClientRow, PoolNumber};

/// One seat of a pool that moves from one end to another; none where it comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) pool: PoolNumber,
    from: Option<u32>,
    to: Option<u32>,
}

impl Move {
    /// The pool's count at an hour, after the move.
    pub(super) fn count(&self, counted: u32, hour: u32) -> u32 {
        let counts = |end: Option<u32>| u32::from(end.is_some_and(|end| end > hour));
        (counted + counts(self.to)).saturating_sub(counts(self.from))
    }

    /// Hours with the seats that end there more or less than before.
    pub(super) fn ends(&self) -> impl Iterator<Item = (u32, i64)> {
        let end = |hour: Option<u32>, step| hour.map(|hour| (hour, step));
        [end(self.from, -1), end(self.to, 1)].into_iter().flatten()
    }
}

/// The moves of a client whose row changed; `owner` counts all clients of its publisher.
pub(super) fn moves(
    owner: PoolNumber,
    before: Option<&ClientRow>,
    after: Option<&ClientRow>,
) -> impl Iterator<Item = Move> {
    let seats = |row: Option<&ClientRow>| row.map_or_else(Vec::new, |row| row.seats.clone());
    let (old, new) = (seats(before), seats(after));
    let mut moves = Vec::with_capacity(old.len() + new.len() + 1);
    for seat in &old {
        let same = new.iter().find(|other| other.pool == seat.pool);
        moves.push(Move {
            pool: seat.pool,
            from: Some(seat.until_hour),
            to: same.map(|seat| seat.until_hour),
        });
    }
    for seat in &new {
        if old.iter().all(|other| other.pool != seat.pool) {
            moves.push(Move {
                pool: seat.pool,
                from: None,
                to: Some(seat.until_hour),
            });
        }
    }
    let until = |row: Option<&ClientRow>| row.map(ClientRow::until_hour).filter(|hour| *hour > 0);
    moves.push(Move {
        pool: owner,
        from: until(before),
        to: until(after),
    });
    moves.into_iter().filter(|moved| moved.from != moved.to)
}

/// A count that was right at one hour, at another: without the seats that ended in between, or with
/// them when the clock was set back or stands behind another host's.
pub(super) fn settled(counted: u32, at: u32, hour: u32, ended: u32) -> u32 {
    if hour > at {
        counted.saturating_sub(ended)
    } else {
        counted.saturating_add(ended)
    }
}
