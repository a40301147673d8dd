//! One ask: load, decide, apply, count; and now and then remove rows that no longer count.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_proto::Refusal;
use muster_proto::host::{AskFacts, ClientRow, Decision, Known, PoolNumber, hour_of};
use muster_proto::ids::ClientId;
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::counters::{Counters, Loaded};
use super::sql;
use super::values::write_audit;
use crate::kms::audit::{self, Event};
use crate::kms::{Decide, SWEEP_ASKS, SWEEP_ROWS, row};
use crate::sqlite::Ending;

/// What asks share: the counters of a transaction, and where the search for passed rows stands.
#[derive(Default)]
pub(super) struct Shared {
    loaded: Loaded,
    sweep: Sweep,
}

/// Counters are written when the transaction ends.
impl Ending for Arc<Mutex<Shared>> {
    fn write(&mut self, connection: &Connection) -> Result<(), Refusal> {
        lock(self).loaded.write(connection)
    }

    fn forget(&mut self) {
        lock(self).loaded = Loaded::default();
    }
}

/// An ask that fails has moved no counter before it has written a row: either nothing of it is left, or
/// its transaction is undone with all that was counted.
pub(super) fn submit(
    connection: &Connection,
    desk: &dyn Decide,
    facts: &AskFacts,
    now: Timestamp,
    shared: &Mutex<Shared>,
) -> Result<Decision, Refusal> {
    let Shared { loaded, sweep } = &mut *lock(shared);
    let mut counters = Counters::at(connection, loaded, hour_of(now));
    // A restore may have put another store here since the facts were gathered.
    if counters.store()? != facts.store {
        return Err(reasons::REPLACED.into());
    }
    let first = facts.pools.first().ok_or_else(|| {
        Refusal::new(
            reasons::INTERNAL,
            "an ask without a pool is decided without the store",
        )
    })?;
    let owner = counters.owner(first.pool)?;
    let known = load(connection, &mut counters, owner, facts)?;
    let decision = desk.decide(&known, facts, now);
    apply(connection, &mut counters, owner, &known, &decision)?;
    if let Some(event) = decision.change.audit {
        let (event, subject) = audit::stored(facts.client.client, event);
        write_audit(connection, event, Some(owner), &subject, now)?;
    }
    sweep.step(connection, &mut counters, now)?;
    let asked = facts.pools.iter().map(|asked| asked.pool);
    counters.finish(asked, facts.state, decision.is_granted());
    Ok(decision)
}

fn load(
    connection: &Connection,
    counters: &mut Counters<'_>,
    owner: PoolNumber,
    facts: &AskFacts,
) -> Result<Known, Refusal> {
    let predecessor = match facts.predecessor {
        Some(named) => find(connection, named.client, owner)?,
        None => None,
    };
    let mut counts = Vec::with_capacity(facts.pools.len());
    for asked in &facts.pools {
        counts.push((asked.pool, counters.count(asked.pool)?));
    }
    Ok(Known {
        client: find(connection, facts.client.client, owner)?,
        predecessor,
        counts,
        publisher_clients: counters.count(owner)?,
    })
}

fn find(
    connection: &Connection,
    client: ClientId,
    owner: PoolNumber,
) -> Result<Option<ClientRow>, Refusal> {
    const FIND: &str = "SELECT packed FROM clients WHERE id = ?1 AND publisher = ?2";
    let mut find = sql(connection.prepare_cached(FIND))?;
    let found = find.query_row(params![client.0, owner.0], |found| {
        Ok(row::decode(found.get_ref(0)?.as_blob()?))
    });
    sql(found.optional())?.transpose()
}

fn apply(
    connection: &Connection,
    counters: &mut Counters<'_>,
    owner: PoolNumber,
    known: &Known,
    decision: &Decision,
) -> Result<(), Refusal> {
    const PUT: &str = "INSERT INTO clients VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO UPDATE SET packed = excluded.packed";
    let change = &decision.change;
    let rows = [
        (&change.predecessor, &known.predecessor),
        (&change.client, &known.client),
    ];
    for (after, before) in rows {
        let Some((client, after)) = after else {
            continue;
        };
        let mut put = sql(connection.prepare_cached(PUT))?;
        sql(put.execute(params![client.0, owner.0, row::encode(after)]))?;
        counters.replace(owner, before.as_ref(), Some(after))?;
    }
    Ok(())
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the search for passed rows stands. It is lost at a restart and begins anew.
#[derive(Default)]
pub(super) struct Sweep {
    asks: u32,
    after: ([u8; 16], u32),
}

struct Passed {
    id: [u8; 16],
    owner: u32,
    row: ClientRow,
}

impl Sweep {
    fn step(
        &mut self,
        connection: &Connection,
        counters: &mut Counters<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.asks += 1;
        if self.asks < SWEEP_ASKS {
            return Ok(());
        }
        self.asks = 0;
        for passed in self.slice(connection, now)? {
            remove(connection, counters, &passed, now)?;
        }
        Ok(())
    }

    /// The passed rows of the next slice; moves on behind it, or to the beginning after the last.
    fn slice(&mut self, connection: &Connection, now: Timestamp) -> Result<Vec<Passed>, Refusal> {
        const NEXT: &str = "SELECT id, publisher, packed FROM clients \
                            WHERE (id, publisher) > (?1, ?2) ORDER BY id, publisher LIMIT ?3";
        let mut next = sql(connection.prepare_cached(NEXT))?;
        let from = params![self.after.0, self.after.1, SWEEP_ROWS];
        let mut rows = sql(next.query(from))?;
        let (mut passed, mut seen) = (Vec::new(), 0);
        while let Some(found) = sql(rows.next())? {
            seen += 1;
            self.after = (sql(found.get(0))?, sql(found.get(1))?);
            let packed = sql(found.get_ref(2))?;
            // A row that cannot be read is left for a check to find: others must not suffer for it.
            let Some(row) = packed
                .as_blob()
                .ok()
                .and_then(|packed| row::decode(packed).ok())
            else {
                continue;
            };
            if row.is_over_at(now) {
                let (id, owner) = self.after;
                passed.push(Passed { id, owner, row });
            }
        }
        if seen < SWEEP_ROWS {
            self.after = Default::default();
        }
        Ok(passed)
    }
}

fn remove(
    connection: &Connection,
    counters: &mut Counters<'_>,
    passed: &Passed,
    now: Timestamp,
) -> Result<(), Refusal> {
    const REMOVE: &str = "DELETE FROM clients WHERE id = ?1 AND publisher = ?2";
    const EMPTY: &str = "DELETE FROM ends WHERE pool = ?1 AND hour = ?2 AND seats = 0";
    let owner = PoolNumber(passed.owner);
    sql(sql(connection.prepare_cached(REMOVE))?.execute(params![passed.id, passed.owner]))?;
    counters.replace(owner, Some(&passed.row), None)?;
    let mut empty = sql(connection.prepare_cached(EMPTY))?;
    for seat in &passed.row.seats {
        sql(empty.execute(params![seat.pool.0, seat.until_hour]))?;
    }
    sql(empty.execute(params![owner.0, passed.row.until_hour()]))?;
    write_audit(connection, Event::Ended, Some(owner), &passed.id, now)
}
