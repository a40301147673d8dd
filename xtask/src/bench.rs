//! `cargo xtask bench`: builds `muster` and `muster-bench`, provides the peers that it compares
//! with, and starts it. Every figure is the bench's; nothing is measured here.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::failure::{Failure, run as run_command};
use crate::packages;
use crate::programs::Programs;

/// The peers, as packages.
const PEERS: &str = "xtask/bench-packages.txt";
/// Where the short run of `cargo xtask test` leaves its rows.
const QUICK_ROWS: &str = "target/bench-quick.json";

/// Runs the bench with the words given. A peer that cannot be had is named, and its rows have no
/// figure; the others are measured.
pub(crate) fn run(root: &Path, words: &[&str]) -> Result<(), Failure> {
    if let Err(failure) = packages::provide(root, PEERS) {
        println!("bench: {failure}\ntheir rows will have no figure");
    }
    let mut build = Command::new("cargo");
    let packages = ["--package", "muster", "--package", "muster-bench"];
    build.args(["build", "--release"]).args(packages);
    let programs = Programs::built_by(build.current_dir(root))?;
    run_command(&mut command(&programs, words)?)
}

/// The short run, with every peer: each row must have a figure. What it is, is not judged.
pub(crate) fn check(root: &Path, programs: &Programs) -> Result<(), Failure> {
    packages::provide(root, PEERS)?;
    let file = root.join(QUICK_ROWS);
    let name = file.to_string_lossy();
    run_command(&mut command(programs, &["--quick", "--json", &name])?)?;
    let text = std::fs::read_to_string(&file).map_err(|source| Failure::File {
        path: QUICK_ROWS.to_owned(),
        source,
    })?;
    let without = rows_without_a_figure(&text)?;
    if without.is_empty() {
        Ok(())
    } else {
        Err(Failure::said(format!(
            "these rows have no figure: {}",
            without.join(", ")
        )))
    }
}

fn command(programs: &Programs, words: &[&str]) -> Result<Command, Failure> {
    let (Some(muster), Some(bench)) = (&programs.muster, &programs.bench) else {
        let said = "the build made no `muster` or no `muster-bench`";
        return Err(Failure::said(said));
    };
    let mut command = Command::new(bench);
    command.arg("--muster").arg(muster).args(words);
    Ok(command)
}

/// What is read of the bench's document.
#[derive(Deserialize)]
struct Document {
    rows: Vec<Row>,
    /// Figures that have nothing to reach.
    told: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    ratio: Option<f64>,
}

fn rows_without_a_figure(json: &str) -> Result<Vec<String>, Failure> {
    let document: Document = serde_json::from_str(json)
        .map_err(|error| Failure::said(format!("{QUICK_ROWS}: {error}")))?;
    if document.rows.is_empty() {
        return Err(Failure::said(format!("{QUICK_ROWS} holds no row")));
    }
    let all = document.rows.into_iter().chain(document.told);
    let without = all.filter(|row| row.ratio.is_none());
    Ok(without.map(|row| row.name).collect())
}

#[cfg(test)]
mod tests {
    use super::rows_without_a_figure;

    #[test]
    fn a_row_without_a_figure_is_named_and_no_rows_are_an_error() {
        let json = r#"{"rows":[{"name":"a","ratio":1.5},{"name":"b","ratio":null}],
                       "told":[{"name":"c","ratio":null},{"name":"d","ratio":0.5}]}"#;
        assert_eq!(rows_without_a_figure(json).expect("good"), ["b", "c"]);
        assert!(rows_without_a_figure(r#"{"rows":[],"told":[]}"#).is_err());
        assert!(rows_without_a_figure("{}").is_err());
    }
}
