//! Renders the book under docs/ to target/book with mdBook, which is installed once, in a fixed
//! version, under target/tools. It is a program and not a dependency: nothing else needs it, and it
//! would add some hundred crates to every build.

use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, run as run_command};

/// The version for which docs/book.toml is written.
const VERSION: &str = "0.5.4";

/// Renders the book.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let home = root.join(format!("target/tools/mdbook-{VERSION}"));
    let program = home.join("bin/mdbook");
    if !program.is_file() {
        let mut install = Command::new("cargo");
        install.args([
            "install",
            "--locked",
            "--no-default-features",
            "--version",
            VERSION,
        ]);
        run_command(install.arg("--root").arg(&home).arg("mdbook"))?;
    }
    run_command(Command::new(program).arg("build").arg(root.join("docs")))
}
