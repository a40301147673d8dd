//! Writing a batch back: what changed of all its asks goes in one statement for each table.

use muster_proto::host::PoolNumber;
use muster_proto::time::Timestamp;
use sqlx_core::query::query;
use sqlx_core::query_scalar::query_scalar;
use sqlx_postgres::{PgConnection, Postgres};

use super::batch::{Batch, Entry, Place, Pool};
use crate::kms::row;
use crate::postgres::Fault;

/// Writes all that a batch changed.
pub(super) async fn keep(connection: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    put_clients(connection, batch).await?;
    remove_clients(connection, batch).await?;
    put_ends(connection, batch).await?;
    put_pools(connection, batch).await?;
    add_entries(connection, &batch.entries).await
}

async fn put_clients(connection: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    const PUT: &str = "INSERT INTO kms_clients (id, publisher, packed) \
         SELECT * FROM unnest($1::BYTEA[], $2::BIGINT[], $3::BYTEA[]) \
         ON CONFLICT (id, publisher) DO UPDATE SET packed = excluded.packed";
    let (mut places, mut packed) = (Vec::new(), Vec::new());
    for place in &batch.changed {
        if let Some(Ok(row)) = batch.clients.get(place) {
            places.push(*place);
            packed.push(row::encode(row));
        }
    }
    if places.is_empty() {
        return Ok(());
    }
    let (ids, publishers) = columns(&places);
    let put = query::<Postgres>(PUT)
        .bind(ids)
        .bind(publishers)
        .bind(packed);
    put.execute(connection).await?;
    Ok(())
}

async fn remove_clients(connection: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    const REMOVE: &str = "DELETE FROM kms_clients AS client \
         USING unnest($1::BYTEA[], $2::BIGINT[]) AS gone (id, publisher) \
         WHERE client.id = gone.id AND client.publisher = gone.publisher";
    let is_gone = |place: &&Place| !batch.clients.contains_key(place);
    let places: Vec<Place> = batch.changed.iter().filter(is_gone).copied().collect();
    if places.is_empty() {
        return Ok(());
    }
    let (ids, publishers) = columns(&places);
    let remove = query::<Postgres>(REMOVE).bind(ids).bind(publishers);
    remove.execute(connection).await?;
    Ok(())
}

fn columns(places: &[Place]) -> (Vec<Vec<u8>>, Vec<i64>) {
    let column = |(client, owner): &Place| (client.0.to_vec(), i64::from(owner.0));
    places.iter().map(column).unzip()
}

async fn put_ends(connection: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    const ADD: &str = "INSERT INTO kms_ends (pool, hour, seats) \
         SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[]) \
         ON CONFLICT (pool, hour) DO UPDATE SET seats = kms_ends.seats + excluded.seats";
    let (mut pools, mut hours, mut seats) = (Vec::new(), Vec::new(), Vec::new());
    for ((pool, hour), step) in batch.ends.iter().filter(|(_, step)| **step != 0) {
        pools.push(i64::from(pool.0));
        hours.push(i64::from(*hour));
        seats.push(*step);
    }
    if pools.is_empty() {
        return Ok(());
    }
    let add = query::<Postgres>(ADD).bind(pools).bind(hours).bind(seats);
    add.execute(connection).await?;
    Ok(())
}

async fn put_pools(connection: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    const PUT: &str = "UPDATE kms_pools AS pool SET counted = fresh.counted, hour = $1, \
         total = pool.total + fresh.total, failed = pool.failed + fresh.failed, \
         state0 = pool.state0 + fresh.state0, state1 = pool.state1 + fresh.state1, \
         state2 = pool.state2 + fresh.state2, state3 = pool.state3 + fresh.state3, \
         state4 = pool.state4 + fresh.state4, state5 = pool.state5 + fresh.state5, \
         state6 = pool.state6 + fresh.state6 \
         FROM unnest($2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], \
         $7::BIGINT[], $8::BIGINT[], $9::BIGINT[], $10::BIGINT[], $11::BIGINT[], $12::BIGINT[]) \
         AS fresh (number, counted, total, failed, \
         state0, state1, state2, state3, state4, state5, state6) \
         WHERE pool.number = fresh.number";
    let mut columns: [Vec<i64>; 11] = Default::default();
    let is_changed = |pool: &Pool| pool.is_changed || pool.asked.total > 0;
    for (number, pool) in batch.pools.iter().filter(|(_, pool)| is_changed(pool)) {
        for (column, value) in columns.iter_mut().zip(values(*number, pool)) {
            column.push(value);
        }
    }
    if columns[0].is_empty() {
        return Ok(());
    }
    let put = query::<Postgres>(PUT).bind(i64::from(batch.hour));
    let put = columns
        .into_iter()
        .fold(put, |put, column| put.bind(column));
    put.execute(connection).await?;
    Ok(())
}

fn values(number: PoolNumber, pool: &Pool) -> impl Iterator<Item = i64> {
    let head = [i64::from(number.0), i64::from(pool.counted)];
    let asked = [pool.asked.total, pool.asked.failed];
    let counters = asked.into_iter().chain(pool.asked.by_state);
    head.into_iter().chain(counters.map(|count| count as i64))
}

/// Audit entries are numbered without a gap: the number is counted in a row, and a transaction that
/// is undone gives its numbers back.
async fn add_entries(connection: &mut PgConnection, entries: &[Entry]) -> Result<(), Fault> {
    const NUMBER: &str = "UPDATE kms_store SET audited = audited + $1 RETURNING audited";
    const ADD: &str = "INSERT INTO kms_audit (number, at, event, publisher, subject) \
         SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BYTEA[])";
    if entries.is_empty() {
        return Ok(());
    }
    let count = entries.len() as i64;
    let last: i64 = query_scalar::<Postgres, _>(NUMBER)
        .bind(count)
        .fetch_one(&mut *connection)
        .await?;
    let of = |value: fn(&Entry) -> i64| -> Vec<i64> { entries.iter().map(value).collect() };
    let subjects: Vec<Vec<u8>> = entries.iter().map(|entry| entry.subject.clone()).collect();
    let numbers: Vec<i64> = (last - count + 1..=last).collect();
    let add = query::<Postgres>(ADD)
        .bind(numbers)
        .bind(of(|entry| seconds(entry.at)))
        .bind(of(|entry| entry.event as i64))
        .bind(of(|entry| i64::from(entry.owner.0)))
        .bind(subjects);
    add.execute(connection).await?;
    Ok(())
}

/// Times end in the year 9999 and fit.
fn seconds(time: Timestamp) -> i64 {
    i64::try_from(time.seconds()).unwrap_or(i64::MAX)
}
