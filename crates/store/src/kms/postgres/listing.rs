//! What is shown: pools, clients, the audit log.

use muster_proto::host::{ClientKey, PoolNumber, hour_of};
use muster_proto::ids::{ClientId, PublisherId};
use muster_proto::limits::{LIST_ROWS_MAX, STORE_BATCH_MAX};
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use sqlx_core::query::query;
use sqlx_core::query_as::query_as;
use sqlx_core::row::Row;
use sqlx_postgres::{PgConnection, PgRow, Postgres};

use super::load::{bytes, small};
use crate::kms::seats::settled;
use crate::kms::{AuditEntry, ClientEntry, ClientPage, PoolStatus, Requests, audit, row};
use crate::postgres::Fault;

pub(super) async fn pools(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<Vec<PoolStatus>, Fault> {
    const ALL: &str = "SELECT number, publisher, name, counted, hour, total, failed, \
         state0, state1, state2, state3, state4, state5, state6, \
         (SELECT coalesce(sum(seats), 0) FROM kms_ends WHERE pool = number \
          AND kms_ends.hour > least(kms_pools.hour, $1) \
          AND kms_ends.hour <= greatest(kms_pools.hour, $1))::BIGINT \
         FROM kms_pools WHERE name <> '' ORDER BY number";
    let all = query::<Postgres>(ALL).bind(i64::from(hour_of(now)));
    let rows = all.fetch_all(connection).await?;
    rows.iter().map(|row| pool(row, hour_of(now))).collect()
}

fn pool(row: &PgRow, hour: u32) -> Result<PoolStatus, Fault> {
    let number = |column: usize| row.try_get::<i64, _>(column);
    let count = |column: usize| number(column).map(i64::unsigned_abs);
    let name: String = row.try_get(2)?;
    let mut by_state = [0; 7];
    for (column, state) in by_state.iter_mut().enumerate() {
        *state = count(7 + column)?;
    }
    let (at, ended) = (small(number(4)?)?, small(number(14)?)?);
    Ok(PoolStatus {
        publisher: PublisherId(bytes(&row.try_get::<Vec<u8>, _>(1)?)?),
        pool: name
            .parse()
            .map_err(|_| Fault::from(reasons::ROW_UNREADABLE))?,
        number: PoolNumber(small(number(0)?)?),
        count: settled(small(number(3)?)?, at, hour, ended),
        requests: Requests {
            total: count(5)?,
            failed: count(6)?,
            by_state,
        },
    })
}

pub(super) async fn clients(
    connection: &mut PgConnection,
    page: ClientPage,
) -> Result<Vec<ClientEntry>, Fault> {
    const NEXT: &str = "SELECT client.id, pool.publisher, client.packed, client.publisher \
         FROM kms_clients AS client JOIN kms_pools AS pool ON pool.number = client.publisher \
         WHERE (client.id, client.publisher) > ($1, $2) \
         ORDER BY client.id, client.publisher LIMIT $3";
    type Found = (Vec<u8>, Vec<u8>, Vec<u8>, i64);
    // Those of the id itself are not listed, whatever their publisher.
    let mut after = match page.after {
        Some(after) => (after.0.to_vec(), i64::MAX),
        None => (Vec::new(), 0),
    };
    let limit = page.limit();
    // Where none are left out, one look finds them all.
    let slice = if page.takes_all() {
        limit
    } else {
        STORE_BATCH_MAX
    };
    let mut entries = Vec::new();
    while entries.len() < limit {
        let rows: Vec<Found> = query_as::<Postgres, _>(NEXT)
            .bind(after.0.clone())
            .bind(after.1)
            .bind(i64::try_from(slice).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await?;
        for (id, publisher, packed, _) in &rows {
            let key = ClientKey {
                client: ClientId(bytes(id)?),
                publisher: PublisherId(bytes(publisher)?),
            };
            let row = row::decode(packed)?;
            if entries.len() < limit && page.takes(&key, &row) {
                entries.push(ClientEntry { key, row });
            }
        }
        let is_end = rows.len() < slice;
        let Some((id, _, _, owner)) = rows.into_iter().last() else {
            break;
        };
        if is_end {
            break;
        }
        after = (id, owner);
    }
    Ok(entries)
}

pub(super) async fn audit_entries(
    connection: &mut PgConnection,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditEntry>, Fault> {
    const NEXT: &str = "SELECT entry.number, at, event, pool.publisher, subject \
         FROM kms_audit AS entry JOIN kms_pools AS pool ON pool.number = entry.publisher \
         WHERE entry.number > $1 ORDER BY entry.number LIMIT $2";
    type Found = (i64, i64, i64, Vec<u8>, Vec<u8>);
    let rows: Vec<Found> = query_as::<Postgres, _>(NEXT)
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::try_from(limit.min(LIST_ROWS_MAX)).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let entry = |(number, at, event, publisher, subject): Found| {
        let publisher = PublisherId(bytes(&publisher)?);
        let event = u8::try_from(event).unwrap_or(0);
        Ok(AuditEntry {
            number: number.unsigned_abs(),
            at: Timestamp::from_seconds(at.unsigned_abs()),
            event: audit::of_client(event, publisher, &subject)
                .ok_or(Fault::from(reasons::ROW_UNREADABLE))?,
        })
    };
    rows.into_iter().map(entry).collect()
}
