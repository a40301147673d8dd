//! What is shown: pools, clients, the audit log.

use muster_proto::Refusal;
use muster_proto::host::{ClientKey, PoolNumber, hour_of};
use muster_proto::ids::{ClientId, PublisherId};
use muster_proto::limits::LIST_ROWS_MAX;
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::counters::settle;
use super::sql;
use super::values::as_i64;
use crate::kms::audit::{self, Event};
use crate::kms::{AuditEntry, Audited, ClientEntry, ClientPage, PoolStatus, Requests, row};

pub(super) fn pools(connection: &Connection, now: Timestamp) -> Result<Vec<PoolStatus>, Refusal> {
    const ALL: &str = "SELECT number, publisher, name, counted, hour, total, failed, \
         state0, state1, state2, state3, state4, state5, state6 \
         FROM pools WHERE name <> '' ORDER BY number";
    let mut all = sql(connection.prepare_cached(ALL))?;
    let mut rows = sql(all.query([]))?;
    let mut pools = Vec::new();
    while let Some(found) = sql(rows.next())? {
        let (counted, hour) = (sql(found.get(3))?, sql(found.get(4))?);
        let number = sql(found.get(0))?;
        let name: String = sql(found.get(2))?;
        pools.push(PoolStatus {
            publisher: PublisherId(sql(found.get(1))?),
            pool: name.parse().map_err(|_| unreadable("a pool"))?,
            number: PoolNumber(number),
            count: settle(connection, number, counted, hour, hour_of(now))?,
            requests: sql(requests(found))?,
        });
    }
    Ok(pools)
}

fn requests(found: &Row<'_>) -> rusqlite::Result<Requests> {
    let number = |column: usize| found.get::<_, i64>(column).map(i64::unsigned_abs);
    let mut by_state = [0; 7];
    for (column, state) in by_state.iter_mut().enumerate() {
        *state = number(7 + column)?;
    }
    Ok(Requests {
        total: number(5)?,
        failed: number(6)?,
        by_state,
    })
}

pub(super) fn clients(
    connection: &Connection,
    page: &ClientPage,
) -> Result<Vec<ClientEntry>, Refusal> {
    const NEXT: &str = "SELECT clients.id, pools.publisher, clients.packed FROM clients \
         LEFT JOIN pools ON pools.number = clients.publisher \
         WHERE clients.id > ?1 ORDER BY clients.id, clients.publisher";
    let mut next = sql(connection.prepare_cached(NEXT))?;
    let after = page.after.map_or_else(Vec::new, |after| after.0.to_vec());
    let mut rows = sql(next.query(params![after]))?;
    let mut entries = Vec::new();
    while entries.len() < page.limit() {
        let Some(found) = sql(rows.next())? else {
            break;
        };
        let key = ClientKey {
            client: ClientId(sql(found.get(0))?),
            publisher: PublisherId(sql(found.get(1))?),
        };
        let packed = sql(found.get_ref(2))?;
        let row = row::decode(packed.as_blob().map_err(|_| unreadable("a client"))?)?;
        if page.takes(&key, &row) {
            entries.push(ClientEntry { key, row });
        }
    }
    Ok(entries)
}

pub(super) fn audit(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditEntry>, Refusal> {
    const NEXT: &str = "SELECT audit.number, at, event, pools.publisher, subject, said FROM audit \
         LEFT JOIN pools ON pools.number = audit.publisher \
         WHERE audit.number > ?1 ORDER BY audit.number LIMIT ?2";
    let mut next = sql(connection.prepare_cached(NEXT))?;
    let limit = as_i64(limit.min(LIST_ROWS_MAX) as u64);
    let mut rows = sql(next.query(params![as_i64(after), limit]))?;
    let mut entries = Vec::new();
    while let Some(found) = sql(rows.next())? {
        let at: i64 = sql(found.get(1))?;
        entries.push(AuditEntry {
            number: sql(found.get::<_, i64>(0))?.unsigned_abs(),
            at: Timestamp::from_seconds(at.unsigned_abs()),
            event: sql(event(found))?.ok_or_else(|| unreadable("an audit entry"))?,
        });
    }
    Ok(entries)
}

/// The event of an entry; none for a kind that this release does not know.
fn event(found: &Row<'_>) -> rusqlite::Result<Option<Audited>> {
    let kind: u8 = found.get(2)?;
    let is = |event: Event| kind == event as u8;
    let said = || Ok(found.get::<_, Option<String>>(5)?.unwrap_or_default());
    if is(Event::Changed) {
        return said().map(|said| Some(Audited::Changed(said)));
    }
    if is(Event::Restored) {
        return said().map(|said| Some(Audited::Restored(said)));
    }
    let publisher = PublisherId(found.get(3)?);
    let subject: Vec<u8> = found.get(4)?;
    Ok(audit::of_client(kind, publisher, &subject))
}

fn unreadable(what: &str) -> Refusal {
    Refusal::new(reasons::ROW_UNREADABLE, what)
}
