//! A corpus as one file: each input behind its length in four bytes, big-endian; sorted, so that the
//! same inputs are the same file. `fuzz/src/pack.rs` reads it.

use std::fs;
use std::path::Path;

use super::failed;
use crate::failure::Failure;

/// Writes the files of a folder into one.
pub(super) fn pack(folder: &Path, to: &Path) -> Result<(), Failure> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        inputs.push(fs::read(&path).map_err(failed(&path))?);
    }
    inputs.sort_by(|one, two| (one.len(), one).cmp(&(two.len(), two)));
    let mut bytes = Vec::new();
    for input in inputs {
        let length = u32::try_from(input.len());
        let too_long = |_| Failure::said("an input of four gigabytes");
        bytes.extend(length.map_err(too_long)?.to_be_bytes());
        bytes.extend(input);
    }
    fs::write(to, bytes).map_err(failed(to))
}

/// Writes each input of a pack into a file of its own; where there is no pack, none.
pub(super) fn unpack(from: &Path, folder: &Path) -> Result<(), Failure> {
    if !from.exists() {
        return Ok(());
    }
    let bytes = fs::read(from).map_err(failed(from))?;
    let mut rest = &bytes[..];
    let mut number = 0;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let cut = || Failure::said(format!("{} is cut", from.display()));
        let (input, after) = after.split_at_checked(length).ok_or_else(cut)?;
        let file = folder.join(format!("kept-{number}"));
        fs::write(&file, input).map_err(failed(&file))?;
        (rest, number) = (after, number + 1);
    }
    Ok(())
}
