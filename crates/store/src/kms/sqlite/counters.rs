//! Pools and their counts. A pool's row holds its count at one hour; when the hour moves on, the
//! seats that ended in between are taken off, so a count is one row to read, and exact.

use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::host::{ClientRow, PoolNumber};
use muster_proto::ids::{PoolId, PublisherId};
use muster_proto::limits::STORE_POOLS_MAX;
use muster_proto::reason::store as reasons;
use rusqlite::{Connection, OptionalExtension, params};

use super::sql;
use crate::kms::seats::{Move, moves, settled};

/// The name of the row that counts all clients of a publisher.
const ALL_CLIENTS: &str = "";

/// The number of a publisher's pool; both rows are made at its first mention.
pub(super) fn pool(
    connection: &Connection,
    publisher: PublisherId,
    pool: &PoolId,
) -> Result<PoolNumber, Refusal> {
    let owner = number(connection, publisher, ALL_CLIENTS, None)?;
    number(connection, publisher, pool.as_str(), Some(owner)).map(PoolNumber)
}

fn number(
    connection: &Connection,
    publisher: PublisherId,
    name: &str,
    owner: Option<u32>,
) -> Result<u32, Refusal> {
    const FIND: &str = "SELECT number FROM pools WHERE publisher = ?1 AND name = ?2";
    const LAST: &str = "SELECT coalesce(max(number), 0) FROM pools";
    const ADD: &str = "INSERT INTO pools (number, publisher, name, owner) VALUES (?1, ?2, ?3, ?4)";
    let mut find = sql(connection.prepare_cached(FIND))?;
    let found = find.query_row(params![publisher.0, name], |row| row.get(0));
    if let Some(number) = sql(found.optional())? {
        return Ok(number);
    }
    let last: u32 = sql(connection.query_row(LAST, [], |row| row.get(0)))?;
    if last >= STORE_POOLS_MAX {
        return Err(reasons::TOO_MANY_POOLS.into());
    }
    let next = last + 1;
    let owner = owner.unwrap_or(next);
    sql(connection.execute(ADD, params![next, publisher.0, name, owner]))?;
    Ok(next)
}

/// The counters that one ask touches, loaded when first needed and written back at its end.
pub(super) struct Counters<'a> {
    connection: &'a Connection,
    hour: u32,
    loaded: Vec<Counter>,
}

struct Counter {
    number: u32,
    owner: u32,
    counted: u32,
    is_changed: bool,
}

impl<'a> Counters<'a> {
    pub(super) fn at(connection: &'a Connection, hour: u32) -> Self {
        Self {
            connection,
            hour,
            loaded: Vec::new(),
        }
    }

    /// A pool's count now.
    pub(super) fn count(&mut self, pool: PoolNumber) -> Result<u32, Refusal> {
        self.load(pool.0).map(|counter| counter.counted)
    }

    /// The number of the row that counts all clients of the pool's publisher.
    pub(super) fn owner(&mut self, pool: PoolNumber) -> Result<PoolNumber, Refusal> {
        self.load(pool.0).map(|counter| PoolNumber(counter.owner))
    }

    /// Moves the seats of a client whose row changed; `owner` counts all of its publisher.
    pub(super) fn replace(
        &mut self,
        owner: PoolNumber,
        before: Option<&ClientRow>,
        after: Option<&ClientRow>,
    ) -> Result<(), Refusal> {
        for moved in moves(owner, before, after) {
            self.shift(&moved)?;
        }
        Ok(())
    }

    /// Moves one seat of a pool from one end to another.
    fn shift(&mut self, moved: &Move) -> Result<(), Refusal> {
        const ADD: &str = "INSERT INTO ends VALUES (?1, ?2, ?3) \
                           ON CONFLICT DO UPDATE SET seats = seats + excluded.seats";
        let hour = self.hour;
        let counter = self.load(moved.pool.0)?;
        let counted = moved.count(counter.counted, hour);
        counter.is_changed |= counted != counter.counted;
        counter.counted = counted;
        let mut add = sql(self.connection.prepare_cached(ADD))?;
        for (end, step) in moved.ends() {
            sql(add.execute(params![moved.pool.0, end, step]))?;
        }
        Ok(())
    }

    /// Counts the request in the pools asked for, and writes all counters back.
    pub(super) fn finish(
        self,
        asked: impl Iterator<Item = PoolNumber>,
        state: LicenceState,
        is_granted: bool,
    ) -> Result<(), Refusal> {
        const KEEP: &str = "UPDATE pools SET counted = ?2, hour = ?3 WHERE number = ?1";
        const COUNT: &str = "UPDATE pools SET counted = ?2, hour = ?3, total = total + 1, \
             failed = failed + ?4, state0 = state0 + (?5 = 0), state1 = state1 + (?5 = 1), \
             state2 = state2 + (?5 = 2), state3 = state3 + (?5 = 3), state4 = state4 + (?5 = 4), \
             state5 = state5 + (?5 = 5), state6 = state6 + (?5 = 6) WHERE number = ?1";
        let asked: Vec<u32> = asked.map(|pool| pool.0).collect();
        for counter in &self.loaded {
            let base = (counter.number, counter.counted, self.hour);
            if asked.contains(&counter.number) {
                let mut count = sql(self.connection.prepare_cached(COUNT))?;
                let row = params![base.0, base.1, base.2, !is_granted, state as u8];
                sql(count.execute(row))?;
            } else if counter.is_changed {
                let mut keep = sql(self.connection.prepare_cached(KEEP))?;
                sql(keep.execute(params![base.0, base.1, base.2]))?;
            }
        }
        Ok(())
    }

    fn load(&mut self, number: u32) -> Result<&mut Counter, Refusal> {
        let loaded = self
            .loaded
            .iter()
            .position(|counter| counter.number == number);
        let index = match loaded {
            Some(index) => index,
            None => {
                let counter = load(self.connection, number, self.hour)?;
                self.loaded.push(counter);
                self.loaded.len() - 1
            }
        };
        Ok(&mut self.loaded[index])
    }
}

fn load(connection: &Connection, number: u32, hour: u32) -> Result<Counter, Refusal> {
    const FIND: &str = "SELECT owner, counted, hour FROM pools WHERE number = ?1";
    let mut find = sql(connection.prepare_cached(FIND))?;
    let found = find.query_row(params![number], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    });
    let Some((owner, counted, at)) = sql(found.optional())? else {
        let what = format!("pool {number} is not known");
        return Err(Refusal::new(reasons::ROW_UNREADABLE, what));
    };
    let settled = settle(connection, number, counted, at, hour)?;
    Ok(Counter {
        number,
        owner,
        counted: settled,
        is_changed: at != hour,
    })
}

/// The count at another hour: without the seats that ended in between, or with them when the clock
/// was set back.
pub(super) fn settle(
    connection: &Connection,
    number: u32,
    counted: u32,
    at: u32,
    hour: u32,
) -> Result<u32, Refusal> {
    const ENDED: &str =
        "SELECT coalesce(sum(seats), 0) FROM ends WHERE pool = ?1 AND hour > ?2 AND hour <= ?3";
    if at == hour {
        return Ok(counted);
    }
    let mut ended = sql(connection.prepare_cached(ENDED))?;
    let between = params![number, at.min(hour), at.max(hour)];
    let ended: u32 = sql(ended.query_row(between, |row| row.get(0)))?;
    Ok(settled(counted, at, hour, ended))
}
