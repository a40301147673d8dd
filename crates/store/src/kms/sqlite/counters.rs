//! Pools and their counts. A pool's row holds its count at one hour; when the hour moves on, the
//! seats that ended in between are taken off, so a count is one row to read, and exact.

use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::host::{ClientRow, PoolNumber};
use muster_proto::ids::{PoolId, PublisherId, StoreId};
use muster_proto::limits::STORE_POOLS_MAX;
use muster_proto::reason::store as reasons;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::{sql, values};
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

/// The counters that the asks of one transaction touch: loaded when first needed, moved in memory, and
/// written once, at its end.
#[derive(Default)]
pub(super) struct Loaded {
    /// The store's id: no other can come in its place while a transaction is under way.
    store: Option<StoreId>,
    counters: Vec<Counter>,
}

struct Counter {
    number: u32,
    owner: u32,
    /// The count at the beginning of `hour`.
    counted: u32,
    hour: u32,
    is_changed: bool,
    /// What the transaction adds to the pool's requests.
    asked: u32,
    failed: u32,
    by_state: [u32; LicenceState::ALL.len()],
}

impl Loaded {
    /// Writes what was counted, and forgets it.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), Refusal> {
        const KEEP: &str = "UPDATE pools SET counted = ?2, hour = ?3, total = total + ?4, \
             failed = failed + ?5, state0 = state0 + ?6, state1 = state1 + ?7, \
             state2 = state2 + ?8, state3 = state3 + ?9, state4 = state4 + ?10, \
             state5 = state5 + ?11, state6 = state6 + ?12 WHERE number = ?1";
        for counter in std::mem::take(self).counters {
            if counter.asked == 0 && !counter.is_changed {
                continue;
            }
            let now = [counter.number, counter.counted, counter.hour];
            let more = [counter.asked, counter.failed];
            let row = now.iter().chain(&more).chain(&counter.by_state);
            let mut keep = sql(connection.prepare_cached(KEEP))?;
            sql(keep.execute(params_from_iter(row)))?;
        }
        Ok(())
    }
}

/// The counters as one ask works on them. Looking changes none, so that an ask which fails before it has
/// written a row leaves none behind.
pub(super) struct Counters<'a> {
    connection: &'a Connection,
    hour: u32,
    loaded: &'a mut Loaded,
}

impl<'a> Counters<'a> {
    /// The counters at an hour.
    pub(super) fn at(connection: &'a Connection, loaded: &'a mut Loaded, hour: u32) -> Self {
        Self {
            connection,
            hour,
            loaded,
        }
    }

    /// The store's id.
    pub(super) fn store(&mut self) -> Result<StoreId, Refusal> {
        let store = match self.loaded.store {
            Some(store) => store,
            None => values::store_id(self.connection)?,
        };
        Ok(*self.loaded.store.insert(store))
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

    /// Counts the request in the pools asked for, each of which was looked at.
    pub(super) fn finish(
        self,
        asked: impl Iterator<Item = PoolNumber>,
        state: LicenceState,
        is_granted: bool,
    ) {
        let asked: Vec<u32> = asked.map(|pool| pool.0).collect();
        let counters = self.loaded.counters.iter_mut();
        for counter in counters.filter(|counter| asked.contains(&counter.number)) {
            counter.asked += 1;
            counter.failed += u32::from(!is_granted);
            counter.by_state[state as usize] += 1;
        }
    }

    /// A pool's counter at this hour.
    fn load(&mut self, number: u32) -> Result<&mut Counter, Refusal> {
        let Self {
            connection, hour, ..
        } = *self;
        let counters = &mut self.loaded.counters;
        let known = counters.iter().position(|counter| counter.number == number);
        let at = match known {
            Some(at) => at,
            None => {
                counters.push(Counter::read(connection, number)?);
                counters.len() - 1
            }
        };
        counters[at].settle(connection, hour)?;
        Ok(&mut counters[at])
    }
}

impl Counter {
    /// As the pool's row has it.
    fn read(connection: &Connection, number: u32) -> Result<Self, Refusal> {
        const FIND: &str = "SELECT owner, counted, hour FROM pools WHERE number = ?1";
        let mut find = sql(connection.prepare_cached(FIND))?;
        let found = find.query_row(params![number], |row| {
            Ok(Self {
                number,
                owner: row.get(0)?,
                counted: row.get(1)?,
                hour: row.get(2)?,
                is_changed: false,
                asked: 0,
                failed: 0,
                by_state: [0; LicenceState::ALL.len()],
            })
        });
        sql(found.optional())?.ok_or_else(|| {
            let what = format!("pool {number} is not known");
            Refusal::new(reasons::ROW_UNREADABLE, what)
        })
    }

    /// Moves to another hour.
    fn settle(&mut self, connection: &Connection, hour: u32) -> Result<(), Refusal> {
        if self.hour != hour {
            self.counted = settle(connection, self.number, self.counted, self.hour, hour)?;
            self.hour = hour;
            self.is_changed = true;
        }
        Ok(())
    }
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
