//! Reading files of the client's directory, within a limit and with the mode that their contents
//! need. Linux and other Unix systems; this and `disk::write` are the places that know of modes.

#[cfg(feature = "ask")]
mod write;

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use muster_proto::Refusal;
use muster_proto::reason::config as reasons;

/// A file that everybody may read.
pub(crate) const PUBLIC: u32 = 0o644;
/// A file with a secret.
pub(crate) const SECRET: u32 = 0o600;

#[cfg(feature = "ask")]
pub(crate) use write::{lock_file, make_directory, set_aside, version, write};

/// Reads a file of at most `max` bytes; nothing where there is none. A file with a secret that
/// others can read is refused.
///
/// # Errors
/// `FILE_UNREADABLE`, `FILE_TOO_LARGE`, `FILE_MODE`.
pub(crate) fn read(path: &Path, max: usize, mode: u32) -> Result<Option<Vec<u8>>, Refusal> {
    // Opening a pipe would wait for somebody to write into it.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let detail = format!("{}: not a regular file", path.display());
        return Err(Refusal::new(reasons::FILE_UNREADABLE, detail));
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(reasons::FILE_UNREADABLE, path, &error)),
    };
    let unreadable = |error: io::Error| at(reasons::FILE_UNREADABLE, path, &error);
    let metadata = file.metadata().map_err(unreadable)?;
    if mode == SECRET && metadata.permissions().mode() & 0o077 != 0 {
        let detail = format!(
            "{}: mode {:o}",
            path.display(),
            metadata.permissions().mode() & 0o777
        );
        return Err(Refusal::new(reasons::FILE_MODE, detail));
    }
    let room = usize::try_from(metadata.len()).unwrap_or(max).min(max) + 1;
    // Room for all at once: a secret that grows would leave copies behind.
    let mut bytes = Vec::with_capacity(room);
    file.take(max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > max {
        let detail = format!("{}: at most {max} bytes are allowed", path.display());
        return Err(Refusal::new(reasons::FILE_TOO_LARGE, detail));
    }
    Ok(Some(bytes))
}

/// Whether this machine's own disk is why something failed, whoever else had a part in it.
#[cfg(feature = "ask")]
pub(crate) fn is_at_fault(refusal: &Refusal) -> bool {
    [reasons::FILE_UNWRITABLE, reasons::FILE_UNREADABLE].contains(&refusal.reason)
}

fn at(reason: muster_proto::Reason, path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(reason, format!("{}: {error}", path.display()))
}
