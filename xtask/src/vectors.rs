//! Golden vectors: written and checked by the tests of proto, and never changed once committed.
//!
//! A new file may come; a committed one that differs or is gone is refused, because another
//! implementation may hold its bytes. Pages (`.md`) beside the vectors are free to change.

use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, output_of, run as run_command};

/// Where the vectors are.
const FOLDER: &str = "vectors";

/// What the test program is to do; told through `MUSTER_VECTORS`.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// Write the missing files.
    Write,
    /// Compare only.
    Check,
}

/// Writes or checks the vectors, then makes sure that no committed one changed.
pub(crate) fn run(root: &Path, mode: Mode) -> Result<(), Failure> {
    let word = match mode {
        Mode::Write => "write",
        Mode::Check => "check",
    };
    let mut command = Command::new("cargo");
    command.args([
        "test",
        "--release",
        "--package",
        "muster-proto",
        "--test",
        "vectors",
    ]);
    run_command(command.current_dir(root).env("MUSTER_VECTORS", word))?;
    check_unchanged(root)
}

/// Compares the folder with the last commit.
pub(crate) fn check_unchanged(root: &Path) -> Result<(), Failure> {
    let mut command = Command::new("git");
    command.args([
        "diff",
        "--name-status",
        "--no-renames",
        "HEAD",
        "--",
        FOLDER,
    ]);
    let status = output_of(command.current_dir(root))?;
    let broken = changed_in(&status);
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::said(format!(
        "committed vectors changed: {}\nundo it (`git checkout HEAD -- FILE`) and give the new \
         bytes a new name; a change of old bytes is a new protocol version",
        broken.join(", ")
    )))
}

/// The files that `git diff --name-status` names with anything but `A`, added.
fn changed_in(status: &str) -> Vec<&str> {
    let fields = status.lines().filter_map(|line| line.split_once('\t'));
    let broken = fields.filter(|(letter, path)| *letter != "A" && !path.ends_with(".md"));
    broken.map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::changed_in;

    #[test]
    fn adding_is_allowed_and_changing_or_taking_away_is_not() {
        assert!(changed_in("A\tvectors/wire/ask.hex\nM\tvectors/README.md\n").is_empty());
        let status = "M\tvectors/wire/ask.hex\nD\tvectors/wire/lease.hex\n";
        assert_eq!(
            changed_in(status),
            ["vectors/wire/ask.hex", "vectors/wire/lease.hex"]
        );
    }
}
