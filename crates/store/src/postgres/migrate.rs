//! The tables of a role, brought from version to version.
//!
//! `muster_schema` keeps one row for each role: its version, and the oldest code that can still
//! work with it. So a migration that only adds may run before the code it belongs to is installed
//! everywhere; one that takes something away runs when no older code is left, and then that code is
//! refused. Code that may not make tables works with the version it finds, as long as that is one
//! it knows how to use.

use muster_proto::Refusal;
use muster_proto::reason::store as reasons;
use sqlx_core::Error;
use sqlx_core::query::query;
use sqlx_core::query_as::query_as;
use sqlx_core::raw_sql::raw_sql;
use sqlx_postgres::{PgConnection, Postgres};

use super::failure::state;
use super::{Fault, Server};

/// What a role keeps on a database server. Its tables' names begin with the role's.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The role.
    pub role: &'static str,
    /// The steps from nothing to the present version; only ever added to.
    pub steps: &'static [Step],
    /// The oldest version that this code can work with.
    pub works_from: u32,
}

/// A step from one version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Statements, divided by semicolons.
    pub sql: &'static str,
    /// The version that code must know at least to work with the tables after this step: its own
    /// where it takes something away, an older one where it only adds.
    pub min_reader: u32,
}

impl Schema {
    /// The version that this code writes.
    pub fn version(&self) -> u32 {
        u32::try_from(self.steps.len()).expect("steps are few")
    }
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS muster_schema (\
     role TEXT PRIMARY KEY, version BIGINT NOT NULL, min_reader BIGINT NOT NULL)";

impl Server {
    /// Brings a role's tables to the present version; several processes may do so at once.
    ///
    /// # Errors
    /// `NEWER` for tables that this code no longer understands, `NOT_PERMITTED` where they are too
    /// old for it and its user may not change them, and why the server does not answer.
    pub async fn migrate(&self, schema: &Schema) -> Result<(), Refusal> {
        let role = schema.role;
        let found = self.transact(|connection| Box::pin(found(connection, role)));
        let (version, min_reader) = found.await?;
        check(schema, version, min_reader)?;
        if version >= schema.version() {
            return Ok(());
        }
        let schema = *schema;
        let applied = async {
            self.transact(|connection| Box::pin(make_table(connection)))
                .await?;
            self.transact(|connection| Box::pin(apply(connection, schema)))
                .await
        };
        match applied.await {
            Err(refusal)
                if refusal.reason == reasons::NOT_PERMITTED
                    && version >= schema.works_from.max(1) =>
            {
                tracing::warn!(
                    role = schema.role,
                    version,
                    "this user may not bring the tables to the present version"
                );
                Ok(())
            }
            result => result,
        }
    }

    /// The version of a role's tables; 0 where there are none.
    pub async fn schema_version(&self, role: &'static str) -> Result<u32, Refusal> {
        let found = self.read(|connection| Box::pin(found(connection, role)));
        Ok(found.await?.0)
    }
}

/// Refuses tables that this code is too old for.
fn check(schema: &Schema, version: u32, min_reader: u32) -> Result<(), Refusal> {
    if min_reader <= schema.version() {
        return Ok(());
    }
    let known = schema.version();
    let role = schema.role;
    Err(Refusal::new(
        reasons::NEWER,
        format!("{role}: version {version} of the tables, this release knows up to {known}"),
    ))
}

/// The version of a role's tables and the oldest code for it; both 0 where there are none.
async fn found(connection: &mut PgConnection, role: &'static str) -> Result<(u32, u32), Fault> {
    const EXISTS: &str = "SELECT count(*) FROM information_schema.tables \
         WHERE table_name = 'muster_schema' AND table_schema = ANY (current_schemas(false))";
    const FIND: &str = "SELECT version, min_reader FROM muster_schema WHERE role = $1";
    let exists: (i64,) = query_as::<Postgres, _>(EXISTS)
        .fetch_one(&mut *connection)
        .await?;
    if exists.0 == 0 {
        return Ok((0, 0));
    }
    let row: Option<(i64, i64)> = query_as::<Postgres, _>(FIND)
        .bind(role)
        .fetch_optional(connection)
        .await?;
    let number =
        |number: i64| u32::try_from(number).map_err(|_| Fault::from(reasons::ROW_UNREADABLE));
    let (version, min_reader) = row.unwrap_or_default();
    Ok((number(version)?, number(min_reader)?))
}

async fn make_table(connection: &mut PgConnection) -> Result<(), Fault> {
    let made = raw_sql(TABLE).execute(connection).await;
    made.map(|_| ()).map_err(at_once)
}

/// Applies what is missing, in one transaction: a step that fails leaves the old version.
async fn apply(connection: &mut PgConnection, schema: Schema) -> Result<(), Fault> {
    const BEGIN: &str = "INSERT INTO muster_schema (role, version, min_reader) VALUES ($1, 0, 0) \
                         ON CONFLICT (role) DO NOTHING";
    // Whoever holds the row migrates; the others wait here, and begin again.
    const HOLD: &str = "UPDATE muster_schema SET version = version WHERE role = $1";
    const MOVE: &str = "UPDATE muster_schema SET version = $2, min_reader = $3 WHERE role = $1";
    for statement in [BEGIN, HOLD] {
        query::<Postgres>(statement)
            .bind(schema.role)
            .execute(&mut *connection)
            .await?;
    }
    let (version, min_reader) = found(connection, schema.role).await?;
    check(&schema, version, min_reader)?;
    let missing = schema.steps.iter().skip(version as usize);
    for step in missing.clone() {
        let applied = raw_sql(step.sql).execute(&mut *connection).await;
        applied.map_err(at_once)?;
    }
    let newest = missing.map(|step| step.min_reader).max();
    let Some(newest) = newest else { return Ok(()) };
    query::<Postgres>(MOVE)
        .bind(schema.role)
        .bind(i64::from(schema.version()))
        .bind(i64::from(newest.max(min_reader)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Two processes that make the same table at once: the later one is told that it exists, or that a
/// row of the catalogue does. It begins again.
fn at_once(error: Error) -> Fault {
    match state(&error).as_deref() {
        Some("23505" | "42P07" | "42710" | "XX000") => Fault::Conflict(error.to_string()),
        _ => error.into(),
    }
}
