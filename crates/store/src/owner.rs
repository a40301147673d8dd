//! Files in a role's directory belong to whom the directory belongs to. A service runs as its own
//! user, the commands beside it as root: what root's commands leave there the service must read.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

/// Gives a file that root has just made in a directory to the directory's owner and group. For
/// everyone else, and in root's own directories, it does nothing.
///
/// # Errors
/// What the system says; the file is then root's still.
pub fn give(file: &File, directory: &Path) -> io::Result<()> {
    let (made, around) = (file.metadata()?, fs::metadata(directory)?);
    match heir(made.uid(), around.uid()) {
        Some(owner) => fchown(file, Some(owner), Some(around.gid())),
        None => Ok(()),
    }
}

/// To whom a file of a maker goes in a directory of an owner; none where it stays.
fn heir(maker: u32, owner: u32) -> Option<u32> {
    (maker == 0 && owner != 0).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_gives_and_only_to_others() {
        assert_eq!(heir(0, 999), Some(999));
        assert_eq!(heir(0, 0), None);
        assert_eq!(heir(1_000, 999), None);
        assert_eq!(heir(1_000, 1_000), None);
    }

    #[test]
    fn a_file_in_its_maker_s_directory_stays_his() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("file")).unwrap();
        let before = file.metadata().unwrap().uid();
        give(&file, dir.path()).unwrap();
        assert_eq!(file.metadata().unwrap().uid(), before);
    }
}
