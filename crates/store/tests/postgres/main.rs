//! The base of the stores on a database server, on a real PostgreSQL.
#![expect(
    clippy::unwrap_used,
    reason = "a test whose server or query fails has failed"
)]

mod authority;
mod faults;
mod migrations;
#[path = "../../../../testenv/postgres/server.rs"]
mod server;
mod tls;
mod transactions;

use muster_store::postgres::sqlx_core::query_scalar::query_scalar;
use muster_store::postgres::sqlx_core::raw_sql::raw_sql;
use muster_store::postgres::sqlx_core::sql_str::AssertSqlSafe;
use muster_store::postgres::{Server, sqlx_postgres};

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn connect(url: &str) -> Server {
    Server::new(url.parse().unwrap(), 1)
}

/// Runs statements that the test needs.
pub(crate) async fn run(server: &Server, sql: &str) {
    let mut transaction = server.begin().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    let ran = raw_sql(sql).execute(transaction.connection()).await;
    ran.unwrap();
    transaction.commit().await.unwrap();
}

/// One text.
pub(crate) async fn shown(server: &Server, sql: &'static str) -> String {
    let mut transaction = server.begin_read().await.unwrap();
    let read = query_scalar::<sqlx_postgres::Postgres, String>(sql)
        .fetch_one(transaction.connection())
        .await;
    transaction.roll_back().await.unwrap();
    read.unwrap()
}

/// One number.
pub(crate) async fn number(server: &Server, sql: &'static str) -> i64 {
    let mut transaction = server.begin_read().await.unwrap();
    let read = query_scalar::<sqlx_postgres::Postgres, i64>(sql)
        .fetch_one(transaction.connection())
        .await;
    transaction.roll_back().await.unwrap();
    read.unwrap()
}
