//! Writing files of the client's directory: whole or not at all, with their mode; locks; damaged
//! files set aside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use muster_proto::Refusal;
use muster_proto::reason::config as reasons;

use super::{SECRET, at};

/// How many damaged files of one name are kept aside; past that the last one is replaced.
const KEPT_ASIDE_MAX: u32 = 9;

/// Writes a file beside its place, brings it to the disk, and renames it over the old one: a full
/// disk or a crash leaves the old one whole.
///
/// # Errors
/// `FILE_UNWRITABLE`.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Refusal> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = write_beside(&beside, bytes, mode)
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| sync_directory(path));
    written.map_err(|error| {
        // What is left of a failed write helps nobody; failing to remove it changes nothing.
        let _ = fs::remove_file(&beside);
        at(reasons::FILE_UNWRITABLE, path, &error)
    })
}

fn write_beside(beside: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(beside)?;
    // The umask may have taken from the mode what readers of the state need.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes the directory, open for reading to all, where it is missing.
///
/// # Errors
/// `FILE_UNWRITABLE`.
pub(crate) fn make_directory(dir: &Path) -> Result<(), Refusal> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(dir)
        .map_err(|error| at(reasons::FILE_UNWRITABLE, dir, &error))
}

/// Renames a damaged file to NAME.corrupt-N and tells that name.
///
/// # Errors
/// `FILE_UNWRITABLE`.
pub(crate) fn set_aside(path: &Path) -> Result<PathBuf, Refusal> {
    let aside = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".corrupt-{number}"));
        PathBuf::from(name)
    };
    let free = (1..KEPT_ASIDE_MAX).map(aside).find(|name| !name.exists());
    let name = free.unwrap_or_else(|| aside(KEPT_ASIDE_MAX));
    fs::rename(path, &name).map_err(|error| at(reasons::FILE_UNWRITABLE, path, &error))?;
    Ok(name)
}

/// A lock file, open; the lock itself is taken by the caller.
///
/// # Errors
/// `FILE_UNWRITABLE`.
pub(crate) fn lock_file(path: &Path) -> Result<File, Refusal> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(SECRET)
        .open(path)
        .map_err(|error| at(reasons::FILE_UNWRITABLE, path, &error))
}

/// What tells one version of a file from another without reading it.
pub(crate) fn version(path: &Path) -> Option<(u64, u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some((
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{PUBLIC, read};
    use super::*;

    #[test]
    fn a_file_is_written_whole_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        assert_eq!(read(&path, 10, SECRET), Ok(None));
        write(&path, b"one", SECRET).unwrap();
        write(&path, b"two", SECRET).unwrap();
        assert_eq!(read(&path, 3, SECRET), Ok(Some(b"two".to_vec())));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside"
        );
        let refusal = read(&path, 2, SECRET).unwrap_err();
        assert_eq!(refusal.reason, reasons::FILE_TOO_LARGE);
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        write(&path, b"one", PUBLIC).unwrap();
        assert_eq!(
            read(&path, 9, SECRET).unwrap_err().reason,
            reasons::FILE_MODE
        );
        assert!(read(&path, 9, PUBLIC).is_ok());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        write(&path, b"old", PUBLIC).unwrap();
        // A directory in the place beside: it cannot be removed as a file.
        fs::create_dir(dir.path().join("state.new")).unwrap();
        let refusal = write(&path, b"new", PUBLIC).unwrap_err();
        assert_eq!(refusal.reason, reasons::FILE_UNWRITABLE);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn damaged_files_are_kept_aside_under_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        for number in [1, 2, 3, 4, 5, 6, 7, 8, 9, 9] {
            write(&path, b"x", PUBLIC).unwrap();
            let aside = set_aside(&path).unwrap();
            assert!(aside.ends_with(format!("state.corrupt-{number}")));
            assert!(!path.exists());
        }
    }
}
