//! Opens databases: the directory and file are checked first, then what the file holds, then its
//! version.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use muster_proto::limits::STORE_READER_CACHE_KIB;
use muster_proto::reason::{config, store as reasons};
use muster_proto::{Reason, Refusal};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::{Options, Schema, refusal_of, refuse};
use crate::owner;

/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Statements kept prepared by each connection.
const STATEMENTS_KEPT: usize = 128;

/// Opens the writing connection, making and migrating the database where needed.
pub(super) fn writer(
    path: &Path,
    schema: &Schema,
    options: &Options,
) -> Result<Connection, Refusal> {
    check_directory(path)?;
    make_or_check_file(path)?;
    let named = |error: rusqlite::Error| in_file(path, &error);
    let mut connection = connect(path, options.busy_milliseconds).map_err(named)?;
    check_kind(&connection, schema, path)?;
    prepare_writer(&connection, options).map_err(named)?;
    migrate(&mut connection, schema, path)?;
    tidy_up_at_close(&connection, true).map_err(named)?;
    Ok(connection)
}

/// Opens a connection that reads only.
pub(super) fn reader(path: &Path, options: &Options) -> Result<Connection, Refusal> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = connect(path, options.busy_milliseconds)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -i64::from(STORE_READER_CACHE_KIB))?;
        // The writer has opened the log of this process before.
        tidy_up_at_close(&connection, true)?;
        Ok(connection)
    };
    open().map_err(|error| in_file(path, &error))
}

pub(super) fn connect(path: &Path, busy_milliseconds: u64) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    tidy_up_at_close(&connection, false)?;
    connection.busy_timeout(Duration::from_millis(busy_milliseconds))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // 540 MB instead of 18 MB of memory with ten million clients, for no gain.
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(connection)
}

/// Whether closing the last connection moves the log into the database and removes it. One that
/// could not be opened must not: where the log's index could be opened for reading only, SQLite 3.51
/// takes its own failure to lock it for somebody who reads, moves nothing, and removes the log with
/// all that it held.
fn tidy_up_at_close(connection: &Connection, is_wanted: bool) -> rusqlite::Result<()> {
    let config = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(config, !is_wanted).map(drop)
}

pub(super) fn in_file(path: &Path, error: &rusqlite::Error) -> Refusal {
    let refusal = refusal_of(error);
    let is_read_only = || {
        let written = OpenOptions::new().write(true).open(path);
        written.is_err_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem)
    };
    // SQLite says no more than that the files beside the database cannot be made.
    let reason = match refusal.reason == reasons::NOT_OPENED && is_read_only() {
        true => reasons::READ_ONLY,
        false => refusal.reason,
    };
    refuse(reason, path, refusal.detail)
}

/// Others must not be able to replace the file by another.
pub(super) fn check_directory(path: &Path) -> Result<(), Refusal> {
    let directory = directory_of(path);
    let found =
        fs::metadata(directory).map_err(|error| refuse(reasons::NOT_OPENED, directory, error))?;
    if !found.is_dir() {
        return Err(refuse(reasons::NOT_OPENED, directory, "not a directory"));
    }
    // The sticky bit keeps others from replacing files in a directory that all may write to.
    if found.mode() & 0o022 != 0 && found.mode() & 0o1000 == 0 {
        let mode = format!("its mode is {:04o}", found.mode() & 0o7777);
        return Err(refuse(reasons::DIRECTORY_OPEN, directory, mode));
    }
    Ok(())
}

pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// SQLite gives its log files the mode of the database, so the database is made first.
fn make_or_check_file(path: &Path) -> Result<(), Refusal> {
    let new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match new {
        // The name must be as durable as what will be acknowledged under it.
        Ok(file) => owner::give(&file, directory_of(path))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::File::open(directory_of(path))?.sync_all())
            .map_err(|error| refuse(reason_of(&error), path, error)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check_file(path),
        Err(error) => Err(refuse(reason_of(&error), path, error)),
    }
}

pub(super) fn reason_of(error: &std::io::Error) -> Reason {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem => reasons::READ_ONLY,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => reasons::FULL,
        _ => reasons::NOT_OPENED,
    }
}

pub(super) fn check_file(path: &Path) -> Result<(), Refusal> {
    let unreadable = |error| refuse(reasons::NOT_OPENED, path, error);
    let mut file = fs::File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(refuse(reasons::WRONG_KIND, path, "not a file"));
    }
    if found.mode() & 0o077 != 0 {
        let mode = format!("its mode is {:04o}", found.mode() & 0o7777);
        return Err(refuse(config::FILE_MODE, path, mode));
    }
    let mut head = Vec::with_capacity(MAGIC.len());
    let limit = MAGIC.len() as u64;
    file.by_ref()
        .take(limit)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    if head.is_empty() || head == MAGIC {
        Ok(())
    } else {
        Err(refuse(
            reasons::CORRUPT,
            path,
            "it does not begin as a database",
        ))
    }
}

/// Refuses another role's database, and one of a newer release; an empty file is a new one.
pub(super) fn check_kind(
    connection: &Connection,
    schema: &Schema,
    path: &Path,
) -> Result<(), Refusal> {
    let number = |name: &str| -> Result<i64, Refusal> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| in_file(path, &error))
    };
    let (kind, version) = (number("application_id")?, number("user_version")?);
    let is_new = kind == 0 && version == 0 && number("schema_version")? == 0;
    if !is_new && kind != i64::from(schema.application_id) {
        let what = format!("not a database of the {} role", schema.kind);
        return Err(refuse(reasons::WRONG_KIND, path, what));
    }
    let known = schema.version();
    match u32::try_from(version) {
        Err(_) => Err(refuse(reasons::CORRUPT, path, format!("version {version}"))),
        Ok(version) if version > known => {
            let what = format!("version {version}, this release knows up to {known}");
            Err(refuse(reasons::NEWER, path, what))
        }
        Ok(_) => Ok(()),
    }
}

fn prepare_writer(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    connection.pragma_update_and_check(
        None,
        "wal_autocheckpoint",
        options.wal_pages,
        |_| Ok(()),
    )?;
    // Old host keys are overwritten where that costs no write of its own.
    connection.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))
}

/// Applies what is missing in one transaction: a migration that fails leaves the old version.
pub(super) fn migrate(
    connection: &mut Connection,
    schema: &Schema,
    path: &Path,
) -> Result<(), Refusal> {
    let named = |error: rusqlite::Error| in_file(path, &error);
    let version_of = |connection: &Connection| -> Result<u32, Refusal> {
        connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(named)
    };
    if version_of(connection)? == schema.version() {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(named)?;
    // Asked again inside: another process may have migrated in between.
    let applied = version_of(&transaction)? as usize;
    for step in schema.migrations.iter().skip(applied) {
        transaction.execute_batch(step).map_err(named)?;
    }
    transaction
        .pragma_update(None, "application_id", schema.application_id)
        .and_then(|()| transaction.pragma_update(None, "user_version", schema.version()))
        .and_then(|()| transaction.commit())
        .map_err(named)
}

/// Runs one change in a transaction of its own.
pub(super) fn in_transaction<T>(
    connection: &Connection,
    path: &Path,
    change: impl FnOnce(&Connection) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let named = |error: rusqlite::Error| in_file(path, &error);
    // Rolled back when it is dropped without a commit.
    let transaction =
        Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(named)?;
    let result = change(&transaction)?;
    transaction.commit().map_err(named)?;
    Ok(result)
}

/// Reads everything; the first fault is named.
pub(super) fn check_whole(connection: &Connection) -> Result<(), Refusal> {
    check_by(connection, "integrity_check")
}

/// Reads every page, and does not compare indices with their tables.
pub(super) fn check_quickly(connection: &Connection) -> Result<(), Refusal> {
    check_by(connection, "quick_check")
}

fn check_by(connection: &Connection, pragma: &str) -> Result<(), Refusal> {
    let found: String = connection
        .pragma_query_value(None, pragma, |row| row.get(0))
        .map_err(|error| refusal_of(&error))?;
    if found == "ok" {
        Ok(())
    } else {
        let shown: String = found.chars().take(200).collect();
        Err(Refusal::new(reasons::CORRUPT, shown))
    }
}
