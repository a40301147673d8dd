//! Builds the test programs, then runs them, reading their output on the way to the terminal.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::tally::Tally;
use crate::failure::{Failure, not_started, refused};
use crate::programs::Programs;

/// Builds everything that `run` runs. The programs are built with the same features as for the
/// tests, so nothing is built twice; those with a test under tests/ are among them.
pub(super) fn build(root: &Path) -> Result<Programs, Failure> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--release", "--workspace", "--no-run"]);
    Programs::built_by(cargo.current_dir(root))
}

/// Runs all tests, also after one has failed, and counts.
pub(super) fn run(root: &Path, long: bool, tally: &mut Tally) -> Result<(), Failure> {
    let pipe = |source| Failure::File {
        path: "a pipe".to_owned(),
        source,
    };
    let (reader, writer) = std::io::pipe().map_err(pipe)?;
    let mut command = Command::new("cargo");
    command
        .current_dir(root)
        .args(["test", "--release", "--workspace", "--no-fail-fast"])
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(pipe)?)
        .stderr(writer);
    if long {
        command.args(["--", "--include-ignored"]);
    }
    let mut child = command
        .spawn()
        .map_err(|source| not_started(&command, source))?;
    // The command holds the pipe's writing end: kept open here, reading would never end.
    let named = refused(&command, "some tests failed");
    drop(command);
    let mut terminal = std::io::stdout().lock();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.map_err(pipe)?;
        let line = String::from_utf8_lossy(&line);
        tally.take(&line);
        writeln!(terminal, "{line}").map_err(pipe)?;
    }
    let status = child.wait().map_err(pipe)?;
    if status.success() { Ok(()) } else { Err(named) }
}
