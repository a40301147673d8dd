//! Backup and restore by SQLite's online backup interface.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use muster_proto::reason::{config, store as reasons};
use muster_proto::{Reason, Refusal};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::{Options, Schema, open, refuse};
use crate::owner;

/// Every page in one step: the source is read in one snapshot, which never makes a writer wait.
const ALL_PAGES: i32 = -1;

/// Copies a database into a file that appears whole or not at all.
pub(super) fn backup(from: &Connection, schema: &Schema, to: &Path) -> Result<(), Refusal> {
    let unwritable = |error| refuse(config::FILE_UNWRITABLE, to, error);
    let partial = beside(to, ".partial");
    let made = begin(&partial).map_err(unwritable).and_then(|_| {
        let copy = copied(from, &partial)?;
        check_backup(&copy, schema, &partial)?;
        drop(copy);
        put_in_place(&partial, to, |partial| fs::rename(partial, to)).map_err(unwritable)
    });
    if made.is_err() {
        // The refusal says what happened; a rest that cannot be removed changes nothing about it.
        let _ = remove(&partial);
    }
    made
}

/// A file's pages in another one: without a log beside it, on whatever disk.
fn copied(from: &Connection, to: &Path) -> Result<Connection, Refusal> {
    let named = |error: rusqlite::Error| open::in_file(to, &error);
    let mut copy = open::connect(to, 0).map_err(named)?;
    copy_pages(from, &mut copy).map_err(named)?;
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .map_err(named)?;
    Ok(copy)
}

/// Puts a backup in the place of a database, also while a service uses it: the service sees the
/// restored state at its next transaction. `note` changes what is restored before anybody sees it,
/// so that no crash parts the two. Refuses a file that is no backup of this role, that is damaged or
/// of a newer release; the present database is then left as it is. Needs room for the backup twice.
pub fn restore(
    from: &Path,
    to: &Path,
    schema: Schema,
    note: impl FnOnce(&Connection) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let unreadable = |what: String| refuse(reasons::NO_BACKUP, from, what);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source =
        Connection::open_with_flags(from, flags).map_err(|error| unreadable(error.to_string()))?;
    check_backup(&source, &schema, from)?;
    // A damaged one is refused; it is to be moved aside before.
    let present = match to.exists() {
        true => Some(open::writer(to, &schema, &Options::default())?),
        false => None,
    };
    let staged = beside(to, ".restored");
    let restored = stage(&source, &staged, &schema, note).and_then(|copy| match present {
        Some(mut present) => {
            copy_pages(&copy, &mut present).map_err(|error| open::in_file(to, &error))
        }
        None => {
            drop(copy);
            // A link fails where another command has made a database meanwhile.
            put_in_place(&staged, to, |staged| fs::hard_link(staged, to))
                .map_err(|error| refuse(open::reason_of(&error), to, error))
        }
    });
    let removed = remove(&staged).map_err(|error| refuse(open::reason_of(&error), &staged, error));
    restored.and(removed)
}

/// A copy of a backup beside its place, brought up to date and noted.
fn stage(
    source: &Connection,
    staged: &Path,
    schema: &Schema,
    note: impl FnOnce(&Connection) -> Result<(), Refusal>,
) -> Result<Connection, Refusal> {
    open::check_directory(staged)?;
    begin(staged)
        .and_then(|file| owner::give(&file, open::directory_of(staged)))
        .map_err(|error| refuse(open::reason_of(&error), staged, error))?;
    let mut copy = copied(source, staged)?;
    open::migrate(&mut copy, schema, staged)?;
    open::in_transaction(&copy, staged, note)?;
    Ok(copy)
}

fn copy_pages(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let backup = Backup::new(from, to)?;
    // Whoever holds the file lets go within a transaction; as often as SQLite itself would wait.
    for _ in 0..BUSY_TRIES {
        match backup.step(ALL_PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked => std::thread::yield_now(),
            _ => {}
        }
    }
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    Err(rusqlite::Error::SqliteFailure(busy, None))
}

/// Each try waits the connection's busy timeout by itself.
const BUSY_TRIES: usize = 16;

fn check_backup(copy: &Connection, schema: &Schema, path: &Path) -> Result<(), Refusal> {
    let is_empty = fs::metadata(path).map_or(true, |found| found.len() == 0);
    if is_empty {
        return Err(refuse(reasons::NO_BACKUP, path, "it is empty or missing"));
    }
    open::check_kind(copy, schema, path).map_err(no_backup)?;
    open::check_whole(copy)
        .map_err(|refusal| refuse(refusal.reason, path, refusal.detail))
        .map_err(no_backup)
}

/// What is damaged or foreign is no backup; what is newer says so itself.
fn no_backup(refusal: Refusal) -> Refusal {
    const NOT: [Reason; 2] = [reasons::CORRUPT, reasons::WRONG_KIND];
    if NOT.contains(&refusal.reason) {
        Refusal::new(reasons::NO_BACKUP, refusal.detail)
    } else {
        refusal
    }
}

/// A name in the same directory.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// Makes an empty file in the place of what a crash may have left there.
fn begin(path: &Path) -> io::Result<File> {
    remove(path)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// SQLite has synced its pages; this is for the file's own size, and for its name.
fn put_in_place(
    from: &Path,
    to: &Path,
    rename: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let sync = |path: &Path| File::open(path)?.sync_all();
    sync(from)?;
    rename(from)?;
    sync(open::directory_of(to))
}

/// Removes a database that is not in use, with what SQLite keeps beside one.
fn remove(path: &Path) -> io::Result<()> {
    ["", "-journal", "-wal", "-shm"]
        .into_iter()
        .map(|ending| fs::remove_file(beside(path, ending)))
        .try_for_each(|removed| match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
}
