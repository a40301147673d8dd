//! Files and streams named on the command line: read within a limit, written whole or not at all.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use muster_proto::Refusal;
use muster_proto::limits::KEY_TEXT_BYTES_MAX;
use muster_proto::reason::config as reasons;
use zeroize::Zeroizing;

/// Reads a whole file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: usize) -> Result<Vec<u8>, Refusal> {
    let unreadable = |error: std::io::Error| {
        Refusal::new(
            reasons::FILE_UNREADABLE,
            format!("{}: {error}", path.display()),
        )
    };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(max as u64 + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() > max {
        let detail = format!("{}: at most {max} bytes are allowed", path.display());
        return Err(Refusal::new(reasons::FILE_TOO_LARGE, detail));
    }
    Ok(bytes)
}

/// Whether others than its owner may read a file.
pub(crate) fn is_open(path: &Path) -> Result<bool, Refusal> {
    let found = fs::metadata(path).map_err(|error| {
        let detail = format!("{}: {error}", path.display());
        Refusal::new(reasons::FILE_UNREADABLE, detail)
    })?;
    Ok(found.permissions().mode() & 0o077 != 0)
}

/// Writes a whole file: beside it first, then renamed over it, so that no half of it is ever seen.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let unwritable = |error: std::io::Error| {
        Refusal::new(
            reasons::FILE_UNWRITABLE,
            format!("{}: {error}", path.display()),
        )
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".new-{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| sync_directory(path));
    written.map_err(|error| {
        // What is left of a failed write helps nobody; its own failure changes nothing.
        let _ = fs::remove_file(&beside);
        unwritable(error)
    })
}

/// The name must be as durable as what it names.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::File::open(parent)?.sync_all(),
        _ => fs::File::open(".")?.sync_all(),
    }
}

/// Reads a `KEY` argument: the key itself, `-` for standard input, or `@FILE`.
pub(crate) fn key_argument(argument: &str) -> Result<Zeroizing<String>, Refusal> {
    secret_argument(argument, "the product key", KEY_TEXT_BYTES_MAX)
}

/// Reads a secret argument of at most `max` bytes: itself, `-` for standard input, or `@FILE`.
pub(crate) fn secret_argument(
    argument: &str,
    what: &str,
    max: usize,
) -> Result<Zeroizing<String>, Refusal> {
    let bytes = if argument == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .take(max as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Refusal::new(reasons::FILE_UNREADABLE, format!("stdin: {error}")))?;
        Zeroizing::new(bytes)
    } else if let Some(path) = argument.strip_prefix('@') {
        Zeroizing::new(read(Path::new(path), max)?)
    } else {
        return Ok(Zeroizing::new(argument.to_owned()));
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.trim().to_owned())),
        Err(_) => Err(Refusal::new(
            reasons::FILE_UNREADABLE,
            format!("{what} is not text"),
        )),
    }
}
