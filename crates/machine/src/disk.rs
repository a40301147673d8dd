//! Disks as `doctor` tries them: a file is really written, because modes, quotas and mounts only
//! show then.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use muster_proto::doctor::{DiskSeen, WriteFault};

/// The names of the file that is written and removed again, and of what it replaces.
const PROBE: [&str; 2] = [".doctor.new", ".doctor"];

/// Tries a directory that is there: writes a file of so many bytes as the role's own files are
/// written (beside its place, to the disk, renamed), and removes it.
pub fn try_directory(dir: &Path, bytes: usize) -> DiskSeen {
    let write = probe(dir, bytes).map_err(|error| (fault(&error), error.to_string()));
    DiskSeen {
        dir: dir.display().to_string(),
        write,
        free_bytes: free_bytes(dir),
    }
}

fn probe(dir: &Path, bytes: usize) -> io::Result<()> {
    let [beside, place] = PROBE.map(|name| dir.join(name));
    let written = write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, &place))
        .and_then(|()| File::open(dir)?.sync_all());
    for left in [&beside, &place] {
        match fs::remove_file(left) {
            Err(error) if error.kind() != ErrorKind::NotFound && written.is_ok() => {
                return Err(error);
            }
            _ => {}
        }
    }
    written
}

fn write(path: &Path, bytes: usize) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.write_all(&vec![0; bytes])?;
    file.sync_all()
}

fn fault(error: &io::Error) -> WriteFault {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => WriteFault::Full,
        ErrorKind::FileTooLarge => WriteFault::TooLarge,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => WriteFault::Denied,
        _ => WriteFault::Other,
    }
}

/// Bytes that this user may still write in a directory.
#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Elsewhere the system is not asked.
#[cfg(not(unix))]
fn free_bytes(_dir: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_tried_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let seen = try_directory(dir.path(), 4_096);
        assert_eq!(seen.write, Ok(()));
        assert!(seen.free_bytes.is_some_and(|bytes| bytes > 0));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let seen = try_directory(&dir.path().join("none"), 1);
        assert!(matches!(seen.write, Err((WriteFault::Other, _))));
    }

    #[test]
    fn a_file_that_was_left_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(PROBE[0]), b"left").unwrap();
        assert_eq!(try_directory(dir.path(), 1).write, Ok(()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
