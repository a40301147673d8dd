//! An authority's store in SQLite, on the shared executor.

use std::path::Path;

use muster_proto::Refusal;
use muster_proto::authority::publish::Numbered;
use muster_proto::authority::{CertRow, HostNumber, KeyId, KeyRow, SlotRow};
use muster_proto::ids::{ProductId, Thumbprint};
use muster_proto::key::{Channel, Last5, ProductGroup};
use muster_proto::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::rows::{self, integer, number, packed, seconds};
use super::{AuditEntry, AuthorityStore, CertStatement, IssuingRow, ProductRow, Tables, ops};
use crate::sqlite::{self, Executor, Options, Schema, Work, refusal_of};

/// The tables. Migrations are only ever added to.
///
/// Serials are packed into 48 bits: channel 3, product group 13, serial 32. Lists of ids are text,
/// separated by spaces, which no id holds. Times are seconds since 1970.
pub const SCHEMA: Schema = Schema {
    kind: "authority",
    application_id: i32::from_be_bytes(*b"MuAu"),
    migrations: &["
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
    "],
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
        let marks = |connection: &Connection| ops::high_marks(&SqliteTables(connection));
        // A database that is missing or damaged tells nothing; the gap alone must then do.
        let present = match to.exists() {
            true => Executor::open_with(to, SCHEMA, Options::default(), marks)
                .ok()
                .map(|(_, present)| present),
            false => None,
        };
        sqlite::restore(from, to, SCHEMA)?;
        Executor::open_with(to, SCHEMA, Options::default(), |connection| {
            ops::raise_floors(
                &mut SqliteTables(connection),
                present.unwrap_or_default(),
                now,
            )
        })
        .map(drop)
    }

    /// The executor, for backups and checks.
    pub fn executor(&self) -> &Executor {
        &self.0
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
            .write(move |connection| change(&mut SqliteTables(connection)))
            .await
    }

    async fn view<T, F>(&self, view: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        self.0
            .read(move |connection| view(&mut SqliteTables(connection)))
            .await
    }

    fn work(&self) -> Work {
        self.0.work()
    }
}

struct SqliteTables<'a>(&'a Connection);

impl SqliteTables<'_> {
    fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Refusal> {
        self.0
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(|error| refusal_of(&error))
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Refusal> {
        self.0
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(|error| refusal_of(&error))
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Refusal> {
        let rows = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.0.prepare_cached(sql)?;
            statement.query_map(params, read)?.collect()
        };
        rows().map_err(|error| refusal_of(&error))
    }

    /// A number that a query always gives, such as a maximum; 0 where it gives none.
    fn figure(&self, sql: &str, params: impl Params) -> Result<u64, Refusal> {
        let figure = self.one(sql, params, |row| row.get::<_, Option<i64>>(0))?;
        Ok(figure.flatten().map_or(0, number))
    }
}

const KEY: &str = "SELECT id, last5, product, site, hosts_max, activations_max, client_budget, \
    issued, revoked FROM product_key";
const SLOT: &str =
    "SELECT product_key, number, machine, activations, host, cert FROM slot WHERE freed IS NULL";
const CERT: &str = "SELECT name, request, host, signing_key, keys, products, site, client_budget, \
    host_name, issued, not_after, successor, revoked, forks FROM cert";

impl Tables for SqliteTables<'_> {
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let sql = "SELECT value FROM setting WHERE name = ?";
        self.one(sql, [name], |row| row.get(0))
    }

    fn put_setting(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        let sql = "INSERT INTO setting VALUES (?, ?) \
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.execute(sql, params![name, value]).map(drop)
    }

    fn products(&self) -> Result<Vec<ProductRow>, Refusal> {
        self.all("SELECT * FROM product ORDER BY id", [], rows::product)
    }

    fn product(&self, id: &ProductId) -> Result<Option<ProductRow>, Refusal> {
        let sql = "SELECT * FROM product WHERE id = ?";
        self.one(sql, [id.as_str()], rows::product)
    }

    fn put_product(&mut self, row: &ProductRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO product VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET \
            version = excluded.version, validity_max = excluded.validity_max";
        let validity = integer(row.validity_max.seconds());
        let values = params![
            row.id.as_str(),
            row.group.get(),
            row.version,
            validity,
            seconds(row.added)
        ];
        self.execute(sql, values).map(drop)
    }

    fn policy(&self, id: &ProductId, version: u32) -> Result<Option<Vec<u8>>, Refusal> {
        let sql = "SELECT statement FROM policy WHERE product = ? AND version = ?";
        self.one(sql, params![id.as_str(), version], |row| row.get(0))
    }

    fn put_policy(&mut self, id: &ProductId, version: u32, policy: &[u8]) -> Result<(), Refusal> {
        let sql = "INSERT INTO policy VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        self.execute(sql, params![id.as_str(), version, policy])
            .map(drop)
    }

    fn next_serial(&self, channel: Channel, group: ProductGroup) -> Result<u64, Refusal> {
        let sql = "SELECT next FROM serial WHERE channel = ? AND product_group = ?";
        self.figure(sql, params![channel.code(), group.get()])
    }

    fn highest_serial(&self) -> Result<u64, Refusal> {
        self.figure("SELECT MAX(next) FROM serial", [])
    }

    fn put_next_serial(
        &mut self,
        channel: Channel,
        group: ProductGroup,
        next: u64,
    ) -> Result<(), Refusal> {
        let sql = "INSERT INTO serial VALUES (?, ?, ?) \
            ON CONFLICT (channel, product_group) DO UPDATE SET next = excluded.next";
        let values = params![channel.code(), group.get(), integer(next)];
        self.execute(sql, values).map(drop)
    }

    fn key(&self, id: KeyId) -> Result<Option<KeyRow>, Refusal> {
        self.one(&format!("{KEY} WHERE id = ?"), [packed(id)], rows::key)
    }

    fn keys(
        &self,
        product: Option<&ProductId>,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyRow>, Refusal> {
        let after = after.map_or(-1, packed);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        match product {
            None => {
                let sql = format!("{KEY} WHERE id > ? ORDER BY id LIMIT ?");
                self.all(&sql, params![after, limit], rows::key)
            }
            Some(product) => {
                let sql = format!("{KEY} WHERE product = ? AND id > ? ORDER BY id LIMIT ?");
                self.all(&sql, params![product.as_str(), after, limit], rows::key)
            }
        }
    }

    fn keys_ending(&self, last5: Last5, limit: usize) -> Result<Vec<KeyRow>, Refusal> {
        let sql = format!("{KEY} WHERE last5 = ? ORDER BY id LIMIT ?");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(&sql, params![last5.to_string(), limit], rows::key)
    }

    fn put_key(&mut self, row: &KeyRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO product_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) \
            ON CONFLICT (id) DO UPDATE SET revoked = excluded.revoked";
        let values = params![
            packed(row.id),
            row.last5.to_string(),
            row.product.as_str(),
            row.site.as_str(),
            row.hosts_max,
            row.activations_max,
            row.client_budget,
            seconds(row.issued),
            row.revoked.map(seconds),
        ];
        self.execute(sql, values).map(drop)
    }

    fn slots(&self, key: KeyId) -> Result<Vec<SlotRow>, Refusal> {
        let sql = format!("{SLOT} AND product_key = ? ORDER BY number");
        self.all(&sql, [packed(key)], |row| {
            rows::slot(row).map(|(_, slot)| slot)
        })
    }

    fn next_slot(&self, key: KeyId) -> Result<u32, Refusal> {
        let sql = "SELECT COALESCE(MAX(number) + 1, 0) FROM slot WHERE product_key = ?";
        let next = self.figure(sql, [packed(key)])?;
        Ok(u32::try_from(next).unwrap_or(u32::MAX))
    }

    fn slots_of_host(&self, host: HostNumber) -> Result<Vec<(KeyId, SlotRow)>, Refusal> {
        let sql = format!("{SLOT} AND host = ? ORDER BY product_key, number");
        self.all(&sql, [integer(host.0)], rows::slot)
    }

    fn put_slot(&mut self, key: KeyId, row: &SlotRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO slot VALUES (?, ?, ?, ?, ?, ?, NULL) \
            ON CONFLICT (product_key, number) DO UPDATE SET machine = excluded.machine, \
            activations = excluded.activations, host = excluded.host, cert = excluded.cert";
        let values = params![
            packed(key),
            row.number,
            row.machine.to_bytes(),
            row.activations,
            integer(row.host.0),
            row.cert.0,
        ];
        self.execute(sql, values).map(drop)
    }

    fn free_slots(&mut self, host: HostNumber, at: Timestamp) -> Result<u32, Refusal> {
        let sql = "UPDATE slot SET freed = ? WHERE host = ? AND freed IS NULL";
        let freed = self.execute(sql, params![seconds(at), integer(host.0)])?;
        Ok(u32::try_from(freed).unwrap_or(u32::MAX))
    }

    fn next_host(&self) -> Result<HostNumber, Refusal> {
        self.figure("SELECT MAX(host) FROM cert", [])
            .map(|last| HostNumber(last + 1))
    }

    fn hosts(&self, after: HostNumber, limit: usize) -> Result<Vec<HostNumber>, Refusal> {
        let sql = "SELECT DISTINCT host FROM cert WHERE host > ? ORDER BY host LIMIT ?";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(sql, params![integer(after.0), limit], |row| {
            row.get(0).map(|host| HostNumber(number(host)))
        })
    }

    fn cert(&self, name: Thumbprint) -> Result<Option<CertRow>, Refusal> {
        self.one(&format!("{CERT} WHERE name = ?"), [name.0], rows::cert)
    }

    fn cert_of_request(&self, request: Thumbprint) -> Result<Option<CertRow>, Refusal> {
        let sql = format!("{CERT} WHERE request = ?");
        self.one(&sql, [request.0], rows::cert)
    }

    fn certs_of_host(&self, host: HostNumber) -> Result<Vec<CertRow>, Refusal> {
        let sql = format!("{CERT} WHERE host = ? ORDER BY number");
        self.all(&sql, [integer(host.0)], rows::cert)
    }

    fn is_signing_key_used(&self, key: Thumbprint) -> Result<bool, Refusal> {
        let sql = "SELECT 1 FROM cert WHERE signing_key = ?";
        let found = self.one(sql, [key.0], |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn put_cert(&mut self, row: &CertRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO cert VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
            ON CONFLICT (name) DO UPDATE SET successor = excluded.successor, \
            revoked = excluded.revoked, forks = excluded.forks";
        let values = params![
            row.name.0,
            row.request.0,
            integer(row.host.0),
            row.key.0,
            rows::joined(&row.keys),
            rows::joined(&row.products),
            row.site.as_str(),
            row.client_budget,
            row.host_name,
            seconds(row.issued),
            seconds(row.not_after),
            row.successor.map(|name| name.0),
            row.revoked.map(seconds),
            row.forks,
        ];
        self.execute(sql, values).map(drop)
    }

    fn statement(&self, name: Thumbprint) -> Result<Option<CertStatement>, Refusal> {
        let sql = "SELECT parent, statement, is_signed FROM cert_statement WHERE name = ?";
        self.one(sql, [name.0], |row| {
            Ok(CertStatement {
                parent: Thumbprint(row.get(0)?),
                bytes: row.get(1)?,
                is_signed: row.get(2)?,
            })
        })
    }

    fn put_statement(&mut self, name: Thumbprint, row: &CertStatement) -> Result<(), Refusal> {
        let sql = "INSERT INTO cert_statement VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE \
            SET statement = excluded.statement, is_signed = excluded.is_signed";
        let values = params![name.0, row.parent.0, row.bytes, row.is_signed];
        self.execute(sql, values).map(drop)
    }

    fn issuing(&self) -> Result<Vec<IssuingRow>, Refusal> {
        let sql = "SELECT name, signing_key, statement, added FROM issuing ORDER BY number";
        self.all(sql, [], |row| {
            Ok(IssuingRow {
                name: Thumbprint(row.get(0)?),
                key: Thumbprint(row.get(1)?),
                statement: row.get(2)?,
                added: rows::time(row, 3)?,
            })
        })
    }

    fn put_issuing(&mut self, row: &IssuingRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO issuing VALUES (NULL, ?, ?, ?, ?)";
        let values = params![row.name.0, row.key.0, row.statement, seconds(row.added)];
        self.execute(sql, values).map(drop)
    }

    fn newest_revocation(&self) -> Result<u64, Refusal> {
        self.figure("SELECT MAX(number) FROM revocation", [])
    }

    fn revocations(&self, now: Timestamp) -> Result<Vec<Numbered>, Refusal> {
        let sql = "SELECT number, signing_key, ends FROM revocation WHERE ends > ? ORDER BY number";
        self.all(sql, [seconds(now)], rows::revocation)
    }

    fn is_revoked(&self, key: Thumbprint) -> Result<bool, Refusal> {
        let sql = "SELECT 1 FROM revocation WHERE signing_key = ?";
        let found = self.one(sql, [key.0], |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn put_revocation(&mut self, row: &Numbered) -> Result<(), Refusal> {
        let sql = "INSERT INTO revocation VALUES (?, ?, ?)";
        let revoked = row.revoked;
        let values = params![integer(row.number), revoked.key.0, seconds(revoked.ends)];
        self.execute(sql, values).map(drop)
    }

    fn deltas(&self) -> Result<Vec<Vec<u8>>, Refusal> {
        let sql = "SELECT statement FROM delta ORDER BY number";
        self.all(sql, [], |row| row.get(0))
    }

    fn put_deltas(&mut self, deltas: &[Vec<u8>]) -> Result<(), Refusal> {
        self.execute("DELETE FROM delta", [])?;
        for delta in deltas {
            self.execute("INSERT INTO delta VALUES (NULL, ?)", [delta])?;
        }
        Ok(())
    }

    fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, Refusal> {
        let sql = "SELECT number, at, event, subject, detail FROM audit \
            WHERE number > ? ORDER BY number LIMIT ?";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(sql, params![integer(after), limit], |row| {
            Ok(AuditEntry {
                number: number(row.get(0)?),
                at: rows::time(row, 1)?,
                event: row.get(2)?,
                subject: row.get(3)?,
                detail: row.get(4)?,
            })
        })
    }

    fn put_audit(
        &mut self,
        at: Timestamp,
        event: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), Refusal> {
        let sql = "INSERT INTO audit VALUES (NULL, ?, ?, ?, ?)";
        let values = params![seconds(at), event, subject, detail];
        self.execute(sql, values).map(drop)
    }
}
