//! Files of an authority: secrets with a checked mode, everything written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use muster_proto::authority::secret::{SecretFile, SecretKind};
use muster_proto::limits::SECRET_FILE_BYTES_MAX;
use muster_proto::reason::config as reasons;
use muster_proto::{Reason, Refusal};
use muster_store::owner;
use zeroize::Zeroizing;

/// Whose a new file is.
#[derive(Clone, Copy)]
pub(crate) enum Owner {
    /// The owner of the directory: it lies in an authority's own.
    Directory,
    /// Whoever makes it: it lies where the command line said.
    Maker,
}

/// Makes a directory of mode 0700 where there is none.
pub(crate) fn make_directory(path: &Path) -> Result<(), Refusal> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .map_err(|error| refuse(reasons::FILE_UNWRITABLE, path, error))
}

/// Reads a secret file; refuses one that others may read or write.
pub(crate) fn read_secret(path: &Path, kind: SecretKind) -> Result<SecretFile, Refusal> {
    let bytes = read_private(path, SECRET_FILE_BYTES_MAX + 1)?;
    SecretFile::decode(&bytes, kind).map_err(|refusal| refuse(refusal.reason, path, refusal.detail))
}

/// Reads at most `max` bytes of a file; refuses one that others may read or write.
pub(crate) fn read_private(path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let unreadable = |error| refuse(reasons::FILE_UNREADABLE, path, error);
    let file = File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if found.mode() & 0o077 != 0 {
        let mode = format!("its mode is {:04o}", found.mode() & 0o7777);
        return Err(refuse(reasons::FILE_MODE, path, mode));
    }
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(max));
    file.take(max as u64)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Writes a new secret file of mode 0600; refuses to replace one.
pub(crate) fn write_new_secret(
    path: &Path,
    secret: &SecretFile,
    owner: Owner,
) -> Result<(), Refusal> {
    write_new(path, &secret.encode(), owner)
}

/// Writes a new file of mode 0600; refuses to replace one.
pub(crate) fn write_new(path: &Path, bytes: &[u8], owner: Owner) -> Result<(), Refusal> {
    write_beside(path, bytes, owner, |beside| {
        // A link fails where a file is; a rename would replace it.
        fs::hard_link(beside, path)?;
        fs::remove_file(beside)
    })
}

/// Writes a file of mode 0600 in the place of an older one; it is its directory's owner's.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    write_beside(path, bytes, Owner::Directory, |beside| {
        fs::rename(beside, path)
    })
}

/// Reads a file of at most `max` bytes; nothing where there is none.
pub(crate) fn read_if_there(path: &Path, max: usize) -> Result<Option<Vec<u8>>, Refusal> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(reasons::FILE_UNREADABLE, path, error)),
        Ok(file) => file,
    };
    let mut bytes = Vec::new();
    file.take(max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(reasons::FILE_UNREADABLE, path, error))?;
    if bytes.len() > max {
        let detail = format!("at most {max} bytes are allowed");
        return Err(refuse(reasons::FILE_TOO_LARGE, path, detail));
    }
    Ok(Some(bytes))
}

/// Removes a file; none is as good.
pub(crate) fn remove(path: &Path) -> Result<(), Refusal> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(refuse(reasons::FILE_UNWRITABLE, path, error))
        }
        _ => Ok(()),
    }
}

fn write_beside(
    path: &Path,
    bytes: &[u8],
    owner: Owner,
    put_in_place: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), Refusal> {
    let beside = beside(path);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        if let Owner::Directory = owner {
            owner::give(&file, directory_of(path))?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        put_in_place(&beside)?;
        File::open(directory_of(path))?.sync_all()
    };
    write().map_err(|error| {
        // What is left of a failed write helps nobody; its own failure changes nothing.
        let _ = fs::remove_file(&beside);
        refuse(reasons::FILE_UNWRITABLE, path, error)
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    let random = muster_machine::random::number();
    name.push(format!(".{random:016x}.new"));
    PathBuf::from(name)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn refuse(reason: Reason, path: &Path, what: impl std::fmt::Display) -> Refusal {
    Refusal::new(reason, format!("{}: {what}", path.display()))
}
