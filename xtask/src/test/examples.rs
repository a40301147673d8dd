//! Runs the scripts under examples/, as a reader of the book would, with the built binary's path in
//! `MUSTER`. A script gets no input and a bounded time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, run as run_command};

/// Longest run of one script, in the words of `timeout`.
const SCRIPT_TIME_MAX: &str = "300s";

/// Runs every script in the order of names; stops at the first that fails.
pub(super) fn run(root: &Path, muster: Option<&Path>) -> Result<(), Failure> {
    let scripts = scripts_of(&root.join("examples"))?;
    if scripts.is_empty() {
        println!("no scripts under examples/");
        return Ok(());
    }
    let muster = muster.ok_or_else(|| {
        Failure::said("the build made no `muster`: does its crate have a test under tests/?")
    })?;
    for script in scripts {
        println!(
            "-- {}",
            script.strip_prefix(root).unwrap_or(&script).display()
        );
        let mut command = Command::new("timeout");
        command.args([SCRIPT_TIME_MAX, "bash"]).arg(&script);
        run_command(
            command
                .current_dir(root)
                .env("MUSTER", muster)
                .stdin(Stdio::null()),
        )?;
    }
    Ok(())
}

/// The shell scripts of a folder; none when the folder is missing.
fn scripts_of(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |source| Failure::File {
        path: folder.display().to_string(),
        source,
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|end| end == "sh") {
            scripts.push(path);
        }
    }
    scripts.sort();
    Ok(scripts)
}
