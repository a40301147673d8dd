//! Transactions of several writers at once.

use muster_store::postgres::sqlx_core::query::query;
use muster_store::postgres::sqlx_core::query_scalar::query_scalar;
use muster_store::postgres::sqlx_core::raw_sql::raw_sql;
use muster_store::postgres::sqlx_postgres::{PgConnection, Postgres as Db};
use muster_store::postgres::{Fault, Server};

use crate::server::Postgres;
use crate::{block_on, connect, number, run};

const READ: &str = "SELECT count FROM counter";
const WRITE: &str = "UPDATE counter SET count = $1";

/// Reads, and writes what follows from it: what no two may do at once.
async fn step(connection: &mut PgConnection) -> Result<i64, Fault> {
    let before: i64 = query_scalar::<Db, i64>(READ)
        .fetch_one(&mut *connection)
        .await?;
    query::<Db>(WRITE)
        .bind(before + 1)
        .execute(connection)
        .await?;
    Ok(before + 1)
}

async fn counter() -> (String, Server) {
    let url = Postgres::shared().database();
    let server = connect(&url);
    run(
        &server,
        "CREATE TABLE counter (count BIGINT NOT NULL); INSERT INTO counter VALUES (0)",
    )
    .await;
    (url, server)
}

/// Four writers, each with connections of its own, lose no step of one another's.
#[test]
fn writers_in_conflict_lose_nothing() {
    block_on(async {
        let (url, server) = counter().await;
        let mut writers = tokio::task::JoinSet::new();
        for seed in 0..4 {
            let other = Server::new(url.parse().unwrap(), seed);
            writers.spawn(async move {
                for _ in 0..20 {
                    other.transact(|it| Box::pin(step(it))).await.unwrap();
                }
            });
        }
        writers.join_all().await;
        assert_eq!(number(&server, READ).await, 80);
    });
}

/// The control: of two transactions that saw the same state only one is committed.
#[test]
fn the_second_of_two_is_a_conflict() {
    block_on(async {
        let (_, server) = counter().await;
        let mut one = server.begin().await.unwrap();
        let mut two = server.begin().await.unwrap();
        query_scalar::<Db, i64>(READ)
            .fetch_one(two.connection())
            .await
            .unwrap();
        step(one.connection()).await.unwrap();
        one.commit().await.unwrap();
        let fault = step(two.connection()).await.unwrap_err();
        assert!(matches!(fault, Fault::Conflict(_)), "{fault:?}");
        drop(two);
        assert_eq!(number(&server, READ).await, 1);
    });
}

/// A statement whose error nobody heeded does not let its transaction pass for committed.
#[test]
fn a_failed_transaction_is_not_committed() {
    block_on(async {
        let (_, server) = counter().await;
        let mut transaction = server.begin().await.unwrap();
        step(transaction.connection()).await.unwrap();
        let _ = raw_sql("SELECT nonsense")
            .execute(transaction.connection())
            .await;
        let fault = transaction.commit().await.unwrap_err();
        assert!(matches!(fault, Fault::Refused(_)), "{fault:?}");
        assert_eq!(number(&server, READ).await, 0);
    });
}

/// What is not committed is undone, and its connection is not used again.
#[test]
fn a_dropped_transaction_is_undone() {
    block_on(async {
        let (_, server) = counter().await;
        let mut transaction = server.begin().await.unwrap();
        step(transaction.connection()).await.unwrap();
        drop(transaction);
        assert_eq!(number(&server, READ).await, 0);
        assert_eq!(server.transact(|it| Box::pin(step(it))).await.unwrap(), 1);
    });
}
