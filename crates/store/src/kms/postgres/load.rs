//! Loading a batch. The rows of its publishers are locked first: whoever else works on them waits
//! there, and then sees all that was committed before.

use std::collections::{BTreeMap, BTreeSet};

use muster_proto::host::{PoolNumber, hour_of};
use muster_proto::ids::{ClientId, PublisherId, StoreId};
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use sqlx_core::query_as::query_as;
use sqlx_core::query_scalar::query_scalar;
use sqlx_postgres::{PgConnection, Postgres};

use super::batch::{Batch, Pool};
use crate::kms::seats::settled;
use crate::kms::{Requests, row};
use crate::postgres::Fault;

/// Locks and loads the rows of every publisher that has one of the pools, with their counts at the
/// hour of a time, and the rows of some clients.
pub(super) async fn load(
    connection: &mut PgConnection,
    pools: &BTreeSet<PoolNumber>,
    clients: &BTreeSet<ClientId>,
    now: Timestamp,
) -> Result<Batch, Fault> {
    let hour = hour_of(now);
    let locked = lock(connection, pools).await?;
    let store = store_id(connection).await?;
    let pools = settle(connection, locked, hour).await?;
    let mut batch = Batch {
        store,
        hour,
        pools,
        clients: BTreeMap::new(),
        changed: BTreeSet::new(),
        ends: BTreeMap::new(),
        entries: Vec::new(),
    };
    load_clients(connection, &mut batch, clients).await?;
    Ok(batch)
}

/// A pool's row with the hour of its count.
struct Locked {
    number: PoolNumber,
    pool: Pool,
    at: u32,
}

/// Everybody locks in the order of numbers, so that nobody waits in a circle.
async fn lock(
    connection: &mut PgConnection,
    pools: &BTreeSet<PoolNumber>,
) -> Result<Vec<Locked>, Fault> {
    const LOCK: &str = "SELECT number, publisher, name, owner, counted, hour FROM kms_pools \
         WHERE owner IN (SELECT owner FROM kms_pools WHERE number = ANY ($1)) \
         ORDER BY number FOR UPDATE";
    let numbers: Vec<i64> = pools.iter().map(|pool| i64::from(pool.0)).collect();
    let rows: Vec<(i64, Vec<u8>, String, i64, i64, i64)> = query_as::<Postgres, _>(LOCK)
        .bind(numbers)
        .fetch_all(connection)
        .await?;
    let read = |(number, publisher, name, owner, counted, hour): (_, Vec<u8>, _, _, _, _)| {
        let pool = Pool {
            publisher: PublisherId(bytes(&publisher)?),
            name,
            owner: PoolNumber(small(owner)?),
            counted: small(counted)?,
            is_changed: false,
            asked: Requests::default(),
        };
        Ok(Locked {
            number: PoolNumber(small(number)?),
            pool,
            at: small(hour)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// The table's id; none where it is not made.
async fn store_id(connection: &mut PgConnection) -> Result<Option<StoreId>, Fault> {
    const FIND: &str = "SELECT id FROM kms_store";
    let id: Option<Vec<u8>> = query_scalar::<Postgres, _>(FIND)
        .fetch_optional(connection)
        .await?;
    id.map(|id| bytes(&id).map(StoreId)).transpose()
}

/// Brings the counts to an hour; those that were at another one are written back.
async fn settle(
    connection: &mut PgConnection,
    locked: Vec<Locked>,
    hour: u32,
) -> Result<BTreeMap<PoolNumber, Pool>, Fault> {
    const ENDED: &str = "SELECT ends.pool, sum(ends.seats)::BIGINT FROM kms_ends AS ends \
         JOIN unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[]) AS span (pool, low, high) \
         ON ends.pool = span.pool AND ends.hour > span.low AND ends.hour <= span.high \
         GROUP BY ends.pool";
    let moved = || locked.iter().filter(|it| it.at != hour);
    let mut ended: BTreeMap<PoolNumber, u32> = BTreeMap::new();
    if moved().next().is_some() {
        let of = |value: fn(&Locked, u32) -> u32| -> Vec<i64> {
            moved().map(|it| i64::from(value(it, hour))).collect()
        };
        let rows: Vec<(i64, i64)> = query_as::<Postgres, _>(ENDED)
            .bind(of(|it, _| it.number.0))
            .bind(of(|it, hour| it.at.min(hour)))
            .bind(of(|it, hour| it.at.max(hour)))
            .fetch_all(connection)
            .await?;
        for (pool, seats) in rows {
            ended.insert(PoolNumber(small(pool)?), small(seats)?);
        }
    }
    let bring = |Locked { number, pool, at }| {
        let seats = ended.get(&number).copied().unwrap_or(0);
        let pool = Pool {
            counted: if at == hour {
                pool.counted
            } else {
                settled(pool.counted, at, hour, seats)
            },
            is_changed: at != hour,
            ..pool
        };
        (number, pool)
    };
    Ok(locked.into_iter().map(bring).collect())
}

async fn load_clients(
    connection: &mut PgConnection,
    batch: &mut Batch,
    clients: &BTreeSet<ClientId>,
) -> Result<(), Fault> {
    const FIND: &str = "SELECT id, publisher, packed FROM kms_clients WHERE id = ANY ($1)";
    let ids: Vec<Vec<u8>> = clients.iter().map(|client| client.0.to_vec()).collect();
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = query_as::<Postgres, _>(FIND)
        .bind(ids)
        .fetch_all(connection)
        .await?;
    for (id, publisher, packed) in rows {
        let place = (ClientId(bytes(&id)?), PoolNumber(small(publisher)?));
        // The same machine may be a client of another publisher, whose rows are not locked.
        if batch.pools.contains_key(&place.1) {
            batch.clients.insert(place, row::decode(&packed));
        }
    }
    Ok(())
}

/// A number that the program wrote: it is not negative and not large.
pub(super) fn small(number: i64) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| Fault::from(reasons::ROW_UNREADABLE))
}

/// An id of its length.
pub(super) fn bytes<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Fault> {
    let bytes = bytes.try_into();
    bytes.map_err(|_| Fault::from(reasons::ROW_UNREADABLE))
}
