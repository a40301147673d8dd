//! Provides the programs that tests call: those of xtask/packages.txt. What is missing is installed
//! on Debian when root, and named otherwise.

use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, run as run_command};

/// The list: a line is `PACKAGE PROGRAM # why`.
const FILE: &str = "xtask/packages.txt";
/// Another apt may be at work on a new machine: wait for it, in seconds.
const LOCK_WAIT: &str = "DPkg::Lock::Timeout=300";

/// A program and the Debian package that brings it.
#[derive(Debug, PartialEq, Eq)]
struct Need<'a> {
    package: &'a str,
    program: &'a str,
}

/// Makes sure that every program is there.
pub(super) fn provide(root: &Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(root.join(FILE)).map_err(|source| Failure::File {
        path: FILE.to_owned(),
        source,
    })?;
    let needs = parse(&text)?;
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

fn parse(text: &str) -> Result<Vec<Need<'_>>, Failure> {
    let mut needs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (words, why) = line.split_once('#').unwrap_or((line, ""));
        match words.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => {}
            [package, program] if !why.trim().is_empty() => needs.push(Need { package, program }),
            _ => {
                let said = format!("{FILE}:{}: write `PACKAGE PROGRAM # why`", index + 1);
                return Err(Failure::said(said));
            }
        }
    }
    Ok(needs)
}

fn missing_of<'a, 'b>(needs: &'b [Need<'a>]) -> Vec<&'b Need<'a>> {
    needs
        .iter()
        .filter(|need| !is_on_path(need.program))
        .collect()
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
    use super::{Need, is_on_path, parse};

    #[test]
    fn a_line_is_package_program_and_reason() {
        let needs = parse("# head\n\nbind9-dnsutils dig # asks the lab's server\n").expect("good");
        assert_eq!(
            needs,
            [Need {
                package: "bind9-dnsutils",
                program: "dig"
            }]
        );
        assert!(parse("bind9-dnsutils # no program\n").is_err());
        assert!(parse("bind9-dnsutils dig\n").is_err());
    }

    #[test]
    fn a_program_is_looked_for_on_the_path() {
        assert!(is_on_path("cargo"));
        assert!(!is_on_path("a-program-that-nobody-has"));
    }

    #[test]
    fn the_committed_list_is_well_formed() {
        assert!(
            !parse(include_str!("../../packages.txt"))
                .expect("good")
                .is_empty()
        );
    }
}
