//! Whether the counts are those of the rows. A page of another time is well-formed, and SQLite finds
//! nothing wrong with it; a client whose row is lost so would be counted once more when it asks.

use std::collections::BTreeMap;

use muster_proto::Refusal;
use muster_proto::host::PoolNumber;
use muster_proto::reason::store as reasons;
use rusqlite::Connection;

use super::sql;
use crate::kms::row;
use crate::kms::seats::moves;

/// How many seats of a pool end at an hour. As many as there are pools times hours at which a seat
/// ends: some hundreds for each pool, however many clients there are.
type Ends = BTreeMap<(u32, u32), i64>;

/// Reads every row once and compares what they add up to with what is counted.
///
/// # Errors
/// `CORRUPT` names the first count that is another one, `ROW_UNREADABLE` a row.
pub(super) fn counts(connection: &Connection) -> Result<(), Refusal> {
    let of_rows = ends_of_rows(connection)?;
    let kept = ends_kept(connection)?;
    let hours = of_rows.keys().chain(kept.keys());
    for hour in hours {
        let seats = |ends: &Ends| ends.get(hour).copied().unwrap_or_default();
        if seats(&of_rows) != seats(&kept) {
            let (rows, kept) = (seats(&of_rows), seats(&kept));
            let (pool, hour) = hour;
            return Err(differs(format!(
                "pool {pool}: {kept} seats end at hour {hour}, {rows} by the clients' rows"
            )));
        }
    }
    counts_of_pools(connection, of_rows)
}

/// The counts of the pools themselves, each at the hour at which it was kept.
fn counts_of_pools(connection: &Connection, mut ends: Ends) -> Result<(), Refusal> {
    const ALL: &str = "SELECT number, counted, hour FROM pools";
    let mut all = sql(connection.prepare_cached(ALL))?;
    let mut rows = sql(all.query([]))?;
    while let Some(found) = sql(rows.next())? {
        let (pool, counted): (u32, i64) = (sql(found.get(0))?, sql(found.get(1))?);
        let at: u32 = sql(found.get(2))?;
        let of_pool: Vec<_> = ends
            .extract_if((pool, 0)..=(pool, u32::MAX), |_, _| true)
            .collect();
        let later = of_pool.iter().filter(|((_, hour), _)| *hour > at);
        let seats: i64 = later.map(|(_, seats)| seats).sum();
        if seats != counted {
            return Err(differs(format!(
                "pool {pool}: {counted} are counted, {seats} by the clients' rows"
            )));
        }
    }
    match ends.into_iter().find(|(_, seats)| *seats != 0) {
        None => Ok(()),
        Some(((pool, _), _)) => Err(differs(format!("pool {pool} has clients and is not known"))),
    }
}

fn ends_of_rows(connection: &Connection) -> Result<Ends, Refusal> {
    const ALL: &str = "SELECT publisher, packed FROM clients";
    let mut all = sql(connection.prepare_cached(ALL))?;
    let mut rows = sql(all.query([]))?;
    let mut ends = Ends::new();
    while let Some(found) = sql(rows.next())? {
        let owner = PoolNumber(sql(found.get(0))?);
        let packed = sql(found.get_ref(1))?;
        let packed = packed.as_blob().map_err(|_| reasons::ROW_UNREADABLE)?;
        let row = row::decode(packed)?;
        for moved in moves(owner, None, Some(&row)) {
            for (hour, seats) in moved.ends() {
                *ends.entry((moved.pool.0, hour)).or_default() += seats;
            }
        }
    }
    Ok(ends)
}

fn ends_kept(connection: &Connection) -> Result<Ends, Refusal> {
    let mut all = sql(connection.prepare_cached("SELECT pool, hour, seats FROM ends"))?;
    let ends = sql(all.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))))?;
    sql(ends.collect())
}

fn differs(what: String) -> Refusal {
    Refusal::new(reasons::CORRUPT, what)
}
