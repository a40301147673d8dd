//! An authority's store in SQLite, on the shared executor.

use std::path::Path;

use muster_proto::Refusal;
use muster_proto::time::Timestamp;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Row, ToSql, params_from_iter};

use super::sql::{Columns, Engine, SqlTables, Value};
use super::{AuthorityStore, Tables, check, ops};
use crate::sqlite::{self, Executor, Options, Schema, Work, refusal_of};

/// The tables. Migrations are only ever added to.
///
/// Serials are packed into 48 bits: channel 3, product group 13, serial 32. Lists of ids are text,
/// separated by spaces, which no id holds. Times are seconds since 1970.
pub const SCHEMA: Schema = Schema {
    kind: "authority",
    application_id: i32::from_be_bytes(*b"MuAu"),
    migrations: &[
        "
        CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE product (
            id TEXT PRIMARY KEY, product_group INTEGER NOT NULL UNIQUE, version INTEGER NOT NULL,
            validity_max INTEGER NOT NULL, added INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE policy (
            product TEXT NOT NULL REFERENCES product, version INTEGER NOT NULL,
            statement BLOB NOT NULL, PRIMARY KEY (product, version)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE serial (
            channel INTEGER NOT NULL, product_group INTEGER NOT NULL, next INTEGER NOT NULL,
            PRIMARY KEY (channel, product_group)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE product_key (
            id INTEGER PRIMARY KEY, last5 TEXT NOT NULL, product TEXT NOT NULL REFERENCES product,
            site TEXT NOT NULL, hosts_max INTEGER NOT NULL, activations_max INTEGER NOT NULL,
            client_budget INTEGER NOT NULL, issued INTEGER NOT NULL, revoked INTEGER
        ) STRICT;
        CREATE INDEX product_key_last5 ON product_key (last5);
        CREATE INDEX product_key_product ON product_key (product, id);
        CREATE TABLE slot (
            product_key INTEGER NOT NULL REFERENCES product_key, number INTEGER NOT NULL,
            machine BLOB NOT NULL, activations INTEGER NOT NULL, host INTEGER NOT NULL,
            cert BLOB NOT NULL, freed INTEGER, PRIMARY KEY (product_key, number)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX slot_host ON slot (host);
        CREATE TABLE cert (
            number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, request BLOB NOT NULL UNIQUE,
            host INTEGER NOT NULL, signing_key BLOB NOT NULL UNIQUE, keys TEXT NOT NULL,
            products TEXT NOT NULL, site TEXT NOT NULL, client_budget INTEGER NOT NULL,
            host_name TEXT NOT NULL, issued INTEGER NOT NULL, not_after INTEGER NOT NULL,
            successor BLOB, revoked INTEGER, forks INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX cert_host ON cert (host);
        CREATE TABLE cert_statement (
            name BLOB PRIMARY KEY, parent BLOB NOT NULL, statement BLOB NOT NULL,
            is_signed INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE issuing (
            number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, signing_key BLOB NOT NULL,
            statement BLOB NOT NULL, added INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE revocation (
            number INTEGER PRIMARY KEY, signing_key BLOB NOT NULL UNIQUE, ends INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE delta (number INTEGER PRIMARY KEY, statement BLOB NOT NULL) STRICT;
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, event TEXT NOT NULL,
            subject TEXT NOT NULL, detail TEXT NOT NULL
        ) STRICT;
    ",
        "
        -- A signing key has one certificate more where the first was issued again.
        CREATE TABLE cert_2 (
            number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, request BLOB NOT NULL UNIQUE,
            host INTEGER NOT NULL, signing_key BLOB NOT NULL, keys TEXT NOT NULL,
            products TEXT NOT NULL, site TEXT NOT NULL, client_budget INTEGER NOT NULL,
            host_name TEXT NOT NULL, issued INTEGER NOT NULL, not_after INTEGER NOT NULL,
            successor BLOB, revoked INTEGER, forks INTEGER NOT NULL
        ) STRICT;
        INSERT INTO cert_2 SELECT * FROM cert;
        DROP TABLE cert;
        ALTER TABLE cert_2 RENAME TO cert;
        CREATE INDEX cert_host ON cert (host);
        CREATE INDEX cert_signing_key ON cert (signing_key);
    ",
    ],
};

/// The store.
#[derive(Clone)]
pub struct SqliteAuthority(Executor);

impl SqliteAuthority {
    /// Opens the database, or makes it.
    ///
    /// # Errors
    /// As [`Executor::open`].
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        Executor::open(path, SCHEMA, Options::default()).map(Self)
    }

    /// Puts a backup in the place of a database, also while a service uses it. Serials, revocation
    /// numbers and policy versions that may have been given out since are left unused: a key must
    /// not be sold twice, and holders of a newer list or policy must not ignore the next one.
    ///
    /// # Errors
    /// As [`sqlite::restore`]; the present database is then left as it is.
    pub fn restore(from: &Path, to: &Path, now: Timestamp) -> Result<(), Refusal> {
        let marks = |connection: &Connection| ops::high_marks(&SqlTables(connection));
        // A database that is missing or damaged tells nothing; the gap alone must then do.
        let present = match to.exists() {
            true => Executor::open_with(to, SCHEMA, Options::default(), marks)
                .ok()
                .map(|(_, present)| present),
            false => None,
        };
        let present = present.unwrap_or_default();
        sqlite::restore(from, to, SCHEMA, |connection| {
            ops::raise_floors(&mut SqlTables(connection), present, now)
        })
    }

    /// The executor, for backups and whole checks.
    pub fn executor(&self) -> &Executor {
        &self.0
    }

    /// Reads every page, and compares what the tables say of one another: quick enough for a
    /// diagnosis beside a running service.
    ///
    /// # Errors
    /// `CORRUPT` with the first thing that is wrong, `ROW_UNREADABLE`.
    pub async fn check(&self) -> Result<(), Refusal> {
        self.0.check_quickly().await?;
        self.0.read(check::rows).await
    }
}

impl std::fmt::Debug for SqliteAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteAuthority({})", self.0.path().display())
    }
}

impl AuthorityStore for SqliteAuthority {
    async fn change<T, F>(&self, change: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        self.0
            .write(move |connection| change(&mut SqlTables(connection)))
            .await
    }

    async fn view<T, F>(&self, view: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        self.0
            .read(move |connection| view(&mut SqlTables(connection)))
            .await
    }

    fn work(&self) -> Work {
        self.0.work()
    }
}

impl Engine for Connection {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Refusal> {
        let written = self
            .prepare_cached(&named(sql))
            .and_then(|mut statement| statement.execute(params_from_iter(values)))
            .map_err(|error| refusal_of(&error))?;
        Ok(written as u64)
    }

    fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: &mut dyn FnMut(&dyn Columns) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let refused = |error: rusqlite::Error| refusal_of(&error);
        let mut statement = self.prepare_cached(&named(sql)).map_err(refused)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(refused)?;
        while let Some(row) = rows.next().map_err(refused)? {
            read(row)?;
        }
        Ok(())
    }
}

/// Tables have no prefix here: each role has a database of its own.
fn named(sql: &str) -> String {
    sql.replace('@', "")
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Int(value) => value.to_sql(),
            Self::Text(value) => value.to_sql(),
            Self::Bytes(value) => value.to_sql(),
        }
    }
}

impl Columns for Row<'_> {
    fn int_opt(&self, at: usize) -> Result<Option<i64>, Refusal> {
        self.get(at).map_err(|error| refusal_of(&error))
    }

    fn text(&self, at: usize) -> Result<String, Refusal> {
        self.get(at).map_err(|error| refusal_of(&error))
    }

    fn bytes_opt(&self, at: usize) -> Result<Option<Vec<u8>>, Refusal> {
        self.get(at).map_err(|error| refusal_of(&error))
    }
}
