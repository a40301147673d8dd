//! Builds the test programs, then runs them, reading their output on the way to the terminal.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::tally::Tally;
use crate::failure::{Failure, not_started, output_of, refused};

/// The program's name, as its users type it.
const BINARY: &str = "muster";

/// One message of cargo's build; those of other shapes leave all fields empty.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds everything that `run` runs; gives back the path of the built `muster`. It is built with
/// the same features as for the tests, so nothing is built twice.
pub(super) fn build(root: &Path) -> Result<Option<PathBuf>, Failure> {
    let messages = output_of(Command::new("cargo").current_dir(root).args([
        "test",
        "--release",
        "--workspace",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]))?;
    Ok(messages.lines().find_map(binary_of))
}

/// The path of `muster`, when a message of cargo's tells it.
fn binary_of(line: &str) -> Option<PathBuf> {
    let message: Message = serde_json::from_str(line).ok()?;
    let target = message.target?;
    let is_ours = target.name == BINARY && target.kind.iter().any(|kind| kind == "bin");
    let is_test = message.profile?.test;
    if is_ours && !is_test {
        message.executable
    } else {
        None
    }
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

#[cfg(test)]
mod tests {
    use super::binary_of;

    #[test]
    fn the_binary_is_found_and_its_unit_tests_are_not_it() {
        let message = |kind: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"muster","kind":["{kind}"]}},
                   "profile":{{"test":{test}}},"executable":"/t/release/muster"}}"#
            )
        };
        assert!(binary_of(&message("bin", false)).is_some_and(|path| path.ends_with("muster")));
        assert!(binary_of(&message("bin", true)).is_none());
        assert!(binary_of(&message("lib", false)).is_none());
        assert!(binary_of(r#"{"reason":"build-finished","success":true}"#).is_none());
        assert!(binary_of("no json").is_none());
    }
}
