//! The table's identity and the numbers of its pools: made once, whichever host comes first.

use muster_proto::host::{PoolNumber, StoreIdentity};
use muster_proto::ids::{PoolId, PublisherId, StoreId};
use muster_proto::limits::STORE_POOLS_MAX;
use muster_proto::reason::store as reasons;
use sqlx_core::query::query;
use sqlx_core::query_as::query_as;
use sqlx_core::query_scalar::query_scalar;
use sqlx_postgres::{PgConnection, Postgres};
use zeroize::Zeroizing;

use super::load::{bytes, small};
use crate::postgres::Fault;

/// The name of the row that counts all clients of a publisher.
const ALL_CLIENTS: &str = "";

/// The identity; none where the table is new.
pub(super) async fn identity(
    connection: &mut PgConnection,
) -> Result<Option<StoreIdentity>, Fault> {
    const FIND: &str = "SELECT id, key FROM kms_store";
    let found: Option<(Vec<u8>, Vec<u8>)> = query_as::<Postgres, _>(FIND)
        .fetch_optional(connection)
        .await?;
    let Some((id, key)) = found else {
        return Ok(None);
    };
    let key = Zeroizing::new(key);
    Ok(Some(StoreIdentity {
        id: StoreId(bytes(&id)?),
        key: Zeroizing::new(bytes(&key)?),
    }))
}

/// Gives a new table its identity; another host's stands.
pub(super) async fn make_identity(
    connection: &mut PgConnection,
    identity: StoreIdentity,
) -> Result<(), Fault> {
    const MAKE: &str = "INSERT INTO kms_store (single, id, key) VALUES (1, $1, $2) \
         ON CONFLICT (single) DO NOTHING";
    query::<Postgres>(MAKE)
        .bind(identity.id.0.to_vec())
        .bind(identity.key.to_vec())
        .execute(connection)
        .await?;
    Ok(())
}

/// The number of a publisher's pool; both rows are made at its first mention.
pub(super) async fn pool(
    connection: &mut PgConnection,
    publisher: PublisherId,
    pool: PoolId,
) -> Result<PoolNumber, Fault> {
    let owner = number(connection, publisher, ALL_CLIENTS, None).await?;
    let number = number(connection, publisher, pool.as_str(), Some(owner)).await?;
    Ok(PoolNumber(number))
}

async fn number(
    connection: &mut PgConnection,
    publisher: PublisherId,
    name: &str,
    owner: Option<u32>,
) -> Result<u32, Fault> {
    const FIND: &str = "SELECT number FROM kms_pools WHERE publisher = $1 AND name = $2";
    const LAST: &str = "SELECT coalesce(max(number), 0) FROM kms_pools";
    const ADD: &str =
        "INSERT INTO kms_pools (number, publisher, name, owner) VALUES ($1, $2, $3, $4)";
    let publisher = publisher.0.to_vec();
    let found: Option<i64> = query_scalar::<Postgres, _>(FIND)
        .bind(publisher.clone())
        .bind(name)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(number) = found {
        return small(number);
    }
    let last: i64 = query_scalar::<Postgres, _>(LAST)
        .fetch_one(&mut *connection)
        .await?;
    let next = small(last)? + 1;
    if next > STORE_POOLS_MAX {
        return Err(reasons::TOO_MANY_POOLS.into());
    }
    let added = query::<Postgres>(ADD)
        .bind(i64::from(next))
        .bind(publisher)
        .bind(name)
        .bind(i64::from(owner.unwrap_or(next)))
        .execute(connection)
        .await;
    // Another host took the number or the name at the same time: look again.
    added.map_err(|error| Fault::of_insert(&error))?;
    Ok(next)
}
