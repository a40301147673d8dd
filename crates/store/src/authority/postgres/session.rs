//! A connection within a transaction, as a database for the authority's statements.
//!
//! A change is a function that knows no runtime: it runs on a thread of the store's own, which waits
//! for each statement.

use std::cell::RefCell;
use std::time::Duration;

use muster_proto::Refusal;
use muster_proto::limits::POSTGRES_TRANSACTION_MILLISECONDS;
use muster_proto::reason::store as reasons;
use sqlx_core::Error;
use sqlx_core::arguments::Arguments;
use sqlx_core::query::{Query, query_with};
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::row::Row;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgArguments, PgConnection, PgRow, Postgres};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::super::sql::{Columns, Engine, Value};
use crate::postgres::Fault;

/// What stands before the names of the authority's tables: others may share its database.
const PREFIX: &str = "authority_";

/// A connection at work, and the first thing that went wrong on it.
pub(super) struct Session<'a> {
    runtime: &'a Runtime,
    connection: RefCell<&'a mut PgConnection>,
    fault: RefCell<Option<Fault>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(runtime: &'a Runtime, connection: &'a mut PgConnection) -> Self {
        Self {
            runtime,
            connection: RefCell::new(connection),
            fault: RefCell::default(),
        }
    }

    /// What went wrong first, and forgets it. A change that did not heed it has failed all the same.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.fault.take()
    }

    /// A statement's outcome with the fault behind it.
    pub(super) fn heed<T>(&self, outcome: Result<T, Refusal>) -> Result<T, Fault> {
        outcome.map_err(|refusal| self.take_fault().unwrap_or(Fault::Refused(refusal)))
    }

    /// Runs statements without parameters.
    pub(super) fn plain(&self, sql: &'static str) -> Result<(), Fault> {
        let mut connection = self.connection.borrow_mut();
        let done = self.wait(raw_sql(sql).execute(&mut **connection));
        self.heed(done).map(drop)
    }

    /// Waits for a statement, as long as one may take.
    fn wait<T>(&self, statement: impl Future<Output = Result<T, Error>>) -> Result<T, Refusal> {
        const LIMIT: Duration = Duration::from_millis(POSTGRES_TRANSACTION_MILLISECONDS);
        // Nothing more is asked of a transaction that has failed, whatever the change goes on to do.
        if let Some(fault) = &*self.fault.borrow() {
            return Err(fault.clone().refusal());
        }
        let result = self
            .runtime
            .block_on(async { timeout(LIMIT, statement).await });
        let fault = match result {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => fault_of(error),
            // A server that hangs is not asked a second time: the asker would wait too long.
            Err(_) => Fault::Refused(Refusal::new(
                reasons::SERVER_UNREACHABLE,
                "it did not answer in time",
            )),
        };
        let refusal = fault.clone().refusal();
        self.fault.borrow_mut().get_or_insert(fault);
        Err(refusal)
    }
}

/// A row that another one made at the same time: every number and name was looked for before, so
/// that it is seen when the change is run again.
fn fault_of(error: Error) -> Fault {
    const TAKEN: &str = "23505";
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some(TAKEN) => Fault::Conflict(error.to_string()),
        _ => error.into(),
    }
}

impl Engine for Session<'_> {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Refusal> {
        let statement = statement(sql, values)?;
        let mut connection = self.connection.borrow_mut();
        let done = self.wait(statement.execute(&mut **connection))?;
        Ok(done.rows_affected())
    }

    fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: &mut dyn FnMut(&dyn Columns) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let statement = statement(sql, values)?;
        let rows = {
            let mut connection = self.connection.borrow_mut();
            self.wait(statement.fetch_all(&mut **connection))?
        };
        rows.iter().try_for_each(|row| read(row))
    }
}

/// A statement as this database writes it; it is prepared once on each connection.
fn statement(
    sql: &str,
    values: &[Value<'_>],
) -> Result<Query<'static, Postgres, PgArguments>, Refusal> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
        };
        added.map_err(|error| Refusal::new(reasons::VALUE_TOO_LARGE, error.to_string()))?;
    }
    let sql = sql.replace('@', PREFIX).replace('?', "$");
    Ok(query_with(AssertSqlSafe(sql), arguments))
}

impl Columns for PgRow {
    fn int_opt(&self, at: usize) -> Result<Option<i64>, Refusal> {
        self.try_get(at).map_err(unreadable)
    }

    fn text(&self, at: usize) -> Result<String, Refusal> {
        self.try_get(at).map_err(unreadable)
    }

    fn bytes_opt(&self, at: usize) -> Result<Option<Vec<u8>>, Refusal> {
        self.try_get(at).map_err(unreadable)
    }
}

fn unreadable(error: Error) -> Refusal {
    Refusal::new(reasons::ROW_UNREADABLE, error.to_string())
}
