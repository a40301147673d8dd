//! The store's identity, the values it keeps as they are, their revision, and the audit log.

use std::path::Path;

use muster_proto::Refusal;
use muster_proto::host::{PoolNumber, StoreIdentity};
use muster_proto::ids::StoreId;
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::sql;
use crate::kms::audit::Event;
use crate::kms::{NamedValue, ValueChange};
use crate::sqlite;

/// Makes the identity of a new store.
pub(super) fn make_identity(
    connection: &Connection,
    new_identity: impl FnOnce() -> StoreIdentity,
) -> Result<(), Refusal> {
    const IS_MADE: &str = "SELECT count(*) FROM store";
    const MAKE: &str = "INSERT INTO store VALUES (1, ?1, 0)";
    let made: u32 = sql(connection.query_row(IS_MADE, [], |row| row.get(0)))?;
    if made == 0 {
        let identity = new_identity();
        let bytes = Zeroizing::new([&identity.id.0[..], identity.key.as_slice()].concat());
        sql(connection.execute(MAKE, params![*bytes]))?;
    }
    Ok(())
}

pub(super) fn identity(connection: &Connection) -> Result<StoreIdentity, Refusal> {
    let bytes = sql(
        connection.query_row("SELECT identity FROM store", [], |row| {
            row.get::<_, Vec<u8>>(0).map(Zeroizing::new)
        }),
    )?;
    let read = || {
        let (id, key) = bytes.split_first_chunk::<8>()?;
        Some(StoreIdentity {
            id: StoreId(*id),
            key: Zeroizing::new(key.try_into().ok()?),
        })
    };
    read().ok_or_else(|| Refusal::new(reasons::ROW_UNREADABLE, "the store's identity"))
}

/// The store's id alone, as each ask compares it; the secret beside it is not read.
pub(super) fn store_id(connection: &Connection) -> Result<StoreId, Refusal> {
    const FIND: &str = "SELECT substr(identity, 1, 8) FROM store";
    let mut find = sql(connection.prepare_cached(FIND))?;
    sql(find.query_row([], |row| row.get(0))).map(StoreId)
}

pub(super) fn value(
    connection: &Connection,
    kind: &str,
    name: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
    const FIND: &str = "SELECT value FROM kept WHERE kind = ?1 AND name = ?2";
    let mut find = sql(connection.prepare_cached(FIND))?;
    let found = find.query_row(params![kind, name], |row| {
        row.get::<_, Vec<u8>>(0).map(Zeroizing::new)
    });
    sql(found.optional())
}

pub(super) fn values(connection: &Connection, kind: &str) -> Result<Vec<NamedValue>, Refusal> {
    const FIND: &str = "SELECT name, value FROM kept WHERE kind = ?1 ORDER BY name";
    let mut find = sql(connection.prepare_cached(FIND))?;
    let rows = find.query_map(params![kind], |row| {
        Ok((row.get(0)?, Zeroizing::new(row.get::<_, Vec<u8>>(1)?)))
    });
    sql(sql(rows)?.collect())
}

pub(super) fn change(
    connection: &Connection,
    change: &ValueChange,
    now: Timestamp,
) -> Result<u64, Refusal> {
    const PUT: &str = "INSERT INTO kept VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO UPDATE SET value = excluded.value";
    const DELETE: &str = "DELETE FROM kept WHERE kind = ?1 AND name = ?2";
    change.check()?;
    let present = revision(connection)?;
    if change.expected.is_some_and(|seen| seen != present) {
        return Err(reasons::CHANGED_MEANWHILE.into());
    }
    for (kind, name) in &change.deletes {
        sql(connection.execute(DELETE, params![kind, name]))?;
    }
    for (kind, name, value) in &change.puts {
        sql(connection.execute(PUT, params![kind, name, value.as_slice()]))?;
    }
    if !change.said.is_empty() {
        write_said(connection, Event::Changed, &change.said, now)?;
    }
    set_revision(connection, present + 1)
}

pub(super) fn revision(connection: &Connection) -> Result<u64, Refusal> {
    let read = connection.query_row("SELECT revision FROM store", [], |row| row.get::<_, i64>(0));
    Ok(sql(read)?.unsigned_abs())
}

fn set_revision(connection: &Connection, revision: u64) -> Result<u64, Refusal> {
    sql(connection.execute("UPDATE store SET revision = ?1", params![as_i64(revision)]))?;
    Ok(revision)
}

/// The revision of a store in a file, as far as it can be read: a restore must not repeat it.
pub(super) fn revision_in_file(path: &Path) -> u64 {
    sqlite::look(path).map_or(0, |connection| revision(&connection).unwrap_or(0))
}

/// Moves the revision past the one before the restore, and audits it.
pub(super) fn note_restored(
    connection: &Connection,
    before: u64,
    said: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    let next = revision(connection)?.max(before) + 1;
    set_revision(connection, next)?;
    write_said(connection, Event::Restored, said, now)
}

pub(super) fn write_audit(
    connection: &Connection,
    event: Event,
    publisher: Option<PoolNumber>,
    subject: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    const ADD: &str = "INSERT INTO audit (at, event, publisher, subject) VALUES (?1, ?2, ?3, ?4)";
    let mut add = sql(connection.prepare_cached(ADD))?;
    let publisher = publisher.map(|number| number.0);
    let row = params![as_i64(now.seconds()), event as u8, publisher, subject];
    sql(add.execute(row)).map(|_| ())
}

fn write_said(
    connection: &Connection,
    event: Event,
    said: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    const ADD: &str = "INSERT INTO audit (at, event, said) VALUES (?1, ?2, ?3)";
    let row = params![as_i64(now.seconds()), event as u8, said];
    sql(connection.execute(ADD, row)).map(|_| ())
}

/// SQLite's integers are signed; times and revisions are far from the limit.
pub(super) fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
