//! Provides the programs that tasks call: those of xtask/packages.txt for the tests, those of
//! xtask/bench-packages.txt for the bench. What is missing is installed on Debian when root, and
//! named otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, run as run_command};

/// The list for the tests.
pub(crate) const TESTS: &str = "xtask/packages.txt";
/// Another apt may be at work on a new machine: wait for it, in seconds.
const LOCK_WAIT: &str = "DPkg::Lock::Timeout=300";

/// A program and the Debian package that brings it.
#[derive(Debug, PartialEq, Eq)]
struct Need<'a> {
    package: &'a str,
    program: &'a str,
}

/// Makes sure that every program of a list is there; a line is `PACKAGE PROGRAM # why`.
pub(crate) fn provide(root: &Path, list: &str) -> Result<(), Failure> {
    let text = std::fs::read_to_string(root.join(list)).map_err(|source| Failure::File {
        path: list.to_owned(),
        source,
    })?;
    let needs = parse(list, &text)?;
    let missing = missing_of(&needs);
    if missing.is_empty() {
        return Ok(());
    }
    if is_on_path("apt-get") && is_root() {
        install(&missing)?;
    }
    let missing = missing_of(&needs);
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = missing
        .iter()
        .map(|need| format!("  {} (Debian package {})", need.program, need.package))
        .collect();
    Err(Failure::said(format!(
        "these programs are missing:\n{}",
        lines.join("\n")
    )))
}

fn parse<'a>(list: &str, text: &'a str) -> Result<Vec<Need<'a>>, Failure> {
    let mut needs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (words, why) = line.split_once('#').unwrap_or((line, ""));
        match words.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => {}
            [package, program] if !why.trim().is_empty() => needs.push(Need { package, program }),
            _ => {
                let said = format!("{list}:{}: write `PACKAGE PROGRAM # why`", index + 1);
                return Err(Failure::said(said));
            }
        }
    }
    Ok(needs)
}

fn missing_of<'a, 'b>(needs: &'b [Need<'a>]) -> Vec<&'b Need<'a>> {
    needs
        .iter()
        .filter(|need| !is_there(need.program))
        .collect()
}

/// A name is looked for on the search path; with slashes it is a file, in which `*` stands for any
/// one folder.
fn is_there(program: &str) -> bool {
    match program.split_once('*') {
        _ if !program.contains('/') => is_on_path(program),
        None => Path::new(program).is_file(),
        Some((before, after)) => {
            let folders = std::fs::read_dir(before).into_iter().flatten().flatten();
            folders
                .map(|folder| folder.path().join(after.trim_start_matches('/')))
                .any(|file: PathBuf| file.is_file())
        }
    }
}

/// Servers lie where only root's path leads.
fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    let said = Command::new("id").arg("-u").output();
    said.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn install(missing: &[&Need<'_>]) -> Result<(), Failure> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command
            .args(["-q", "-o", LOCK_WAIT])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run_command(apt().arg("update"))?;
    let packages = missing.iter().map(|need| need.package);
    run_command(
        apt()
            .args(["install", "-y", "--no-install-recommends", "--no-remove"])
            .args(packages),
    )
}

#[cfg(test)]
mod tests {
    use super::{Need, is_there, parse};

    #[test]
    fn a_line_is_package_program_and_reason() {
        let needs = parse(
            "list",
            "# head\n\nbind9-dnsutils dig # asks the lab's server\n",
        )
        .expect("good");
        assert_eq!(
            needs,
            [Need {
                package: "bind9-dnsutils",
                program: "dig"
            }]
        );
        assert!(parse("list", "bind9-dnsutils # no program\n").is_err());
        assert!(parse("list", "bind9-dnsutils dig\n").is_err());
    }

    #[test]
    fn a_program_is_looked_for_on_the_path_or_as_a_file() {
        assert!(is_there("cargo"));
        assert!(!is_there("a-program-that-nobody-has"));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/*/main.rs");
        assert!(is_there(folder));
        assert!(!is_there("/usr/*/a-program-that-nobody-has"));
    }

    #[test]
    fn the_committed_lists_are_well_formed() {
        let lists = [
            include_str!("../packages.txt"),
            include_str!("../bench-packages.txt"),
        ];
        for text in lists {
            assert!(!parse("list", text).expect("good").is_empty());
        }
    }
}
