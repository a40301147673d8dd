//! Removing rows that no longer count: now and then a slice of the table is looked at, and what has
//! passed is removed in a transaction of its own, through the same counters as an ask.

use std::collections::BTreeSet;

use muster_proto::Refusal;
use muster_proto::host::PoolNumber;
use muster_proto::ids::ClientId;
use muster_proto::limits::STORE_BATCH_MAX;
use muster_proto::time::Timestamp;
use sqlx_core::query::query;
use sqlx_core::query_as::query_as;
use sqlx_postgres::{PgConnection, Postgres};

use super::batch::Place;
use super::keep::keep;
use super::load::{bytes, load, small};
use crate::kms::{SWEEP_ASKS, SWEEP_ROWS, row};
use crate::postgres::{Fault, Server};

/// Where the search for passed rows stands. It is lost at a restart and begins anew; several hosts
/// search each for themselves.
#[derive(Default)]
pub(super) struct Sweep {
    asks: u32,
    after: (Vec<u8>, i64),
}

/// What a slice of the table holds.
struct Slice {
    rows: usize,
    last: Option<(Vec<u8>, i64)>,
    passed: Vec<Place>,
}

impl Sweep {
    /// Counts asks, and looks at the next slice when it is time: at twice as many rows as were
    /// asks.
    pub(super) async fn step(
        &mut self,
        server: &Server,
        asks: usize,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.asks += u32::try_from(asks).unwrap_or(u32::MAX);
        if self.asks < SWEEP_ASKS {
            return Ok(());
        }
        let slices = self.asks / SWEEP_ASKS;
        let rows = (slices as usize * SWEEP_ROWS as usize).min(STORE_BATCH_MAX);
        self.asks = 0;
        let after = self.after.clone();
        let look = server.read(|connection| Box::pin(slice(connection, after.clone(), rows, now)));
        let slice = look.await?;
        self.after = match slice.last {
            Some(last) if slice.rows == rows => last,
            _ => Default::default(),
        };
        if slice.passed.is_empty() {
            return Ok(());
        }
        let passed = slice.passed;
        let removal =
            server.transact_in_turn(|connection| Box::pin(remove(connection, passed.clone(), now)));
        removal.await
    }
}

async fn slice(
    connection: &mut PgConnection,
    after: (Vec<u8>, i64),
    limit: usize,
    now: Timestamp,
) -> Result<Slice, Fault> {
    const NEXT: &str = "SELECT id, publisher, packed FROM kms_clients \
         WHERE (id, publisher) > ($1, $2) ORDER BY id, publisher LIMIT $3";
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = query_as::<Postgres, _>(NEXT)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let mut passed = Vec::new();
    for (id, publisher, packed) in &rows {
        // A row that cannot be read is left for a check to find: others must not suffer for it.
        if row::decode(packed).is_ok_and(|row| row.is_over_at(now)) {
            passed.push((ClientId(bytes(id)?), PoolNumber(small(*publisher)?)));
        }
    }
    Ok(Slice {
        rows: rows.len(),
        last: rows
            .into_iter()
            .last()
            .map(|(id, publisher, _)| (id, publisher)),
        passed,
    })
}

/// Removes what has passed still: its client may have asked since it was looked at.
async fn remove(
    connection: &mut PgConnection,
    passed: Vec<Place>,
    now: Timestamp,
) -> Result<(), Fault> {
    const EMPTY: &str = "DELETE FROM kms_ends WHERE pool = ANY ($1) AND hour <= $2 AND seats = 0";
    let owners: BTreeSet<_> = passed.iter().map(|(_, owner)| *owner).collect();
    let clients: BTreeSet<_> = passed.iter().map(|(client, _)| *client).collect();
    let mut batch = load(connection, &owners, &clients, now).await?;
    for place in passed {
        batch.remove_passed(place, now);
    }
    keep(connection, &batch).await?;
    let pools: Vec<i64> = batch.pools.keys().map(|pool| i64::from(pool.0)).collect();
    let empty = query::<Postgres>(EMPTY)
        .bind(pools)
        .bind(i64::from(batch.hour));
    empty.execute(connection).await?;
    Ok(())
}
