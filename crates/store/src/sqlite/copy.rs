//! Backup and restore by SQLite's online backup interface.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use muster_proto::reason::{config, store as reasons};
use muster_proto::{Reason, Refusal};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::{Options, Schema, open, refuse};

/// Every page in one step: the source is read in one snapshot, which never makes a writer wait.
const ALL_PAGES: i32 = -1;

/// Copies a database into a file that appears whole or not at all.
pub(super) fn backup(from: &Connection, schema: &Schema, to: &Path) -> Result<(), Refusal> {
    let unwritable = |error| refuse(config::FILE_UNWRITABLE, to, error);
    let partial = partial_of(to);
    remove_if_there(&partial).map_err(unwritable)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .map_err(unwritable)?;
    let made = fill(from, schema, &partial).and_then(|()| {
        // SQLite has synced its pages; this is for the file's own size and the name.
        let sync = |path: &Path| fs::File::open(path)?.sync_all();
        sync(&partial)
            .and_then(|()| fs::rename(&partial, to))
            .and_then(|()| sync(open::directory_of(to)))
            .map_err(unwritable)
    });
    if made.is_err() {
        // The refusal says what happened; a rest that cannot be removed changes nothing about it.
        let _ = fs::remove_file(&partial);
    }
    made
}

fn fill(from: &Connection, schema: &Schema, to: &Path) -> Result<(), Refusal> {
    let named = |error: rusqlite::Error| open::in_file(to, &error);
    let mut copy = open::connect(to, 0).map_err(named)?;
    copy_pages(from, &mut copy).map_err(named)?;
    // One file without a log beside it, on whatever disk.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .map_err(named)?;
    check_backup(&copy, schema, to)
}

/// Puts a backup in the place of a database, also while a service uses it: the service sees the
/// restored state at its next transaction. Refuses a file that is no backup of this role, that is
/// damaged or of a newer release; the present database is then left as it is.
pub fn restore(from: &Path, to: &Path, schema: Schema) -> Result<(), Refusal> {
    let unreadable = |what: String| refuse(reasons::NO_BACKUP, from, what);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source =
        Connection::open_with_flags(from, flags).map_err(|error| unreadable(error.to_string()))?;
    check_backup(&source, &schema, from)?;
    // Opening it makes an empty one where there is none. A damaged one was moved aside before.
    let mut present = open::writer(to, &schema, &Options::default())?;
    copy_pages(&source, &mut present).map_err(|error| open::in_file(to, &error))?;
    drop(present);
    // A backup of an older release is brought up to date at once.
    open::writer(to, &schema, &Options::default()).map(drop)
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

fn partial_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
