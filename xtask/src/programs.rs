//! The programs that a build of cargo's has made, and where they are.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use crate::failure::{Failure, output_of};

/// The program's name, as its users type it.
const MUSTER: &str = "muster";
/// What measures it.
const BENCH: &str = "muster-bench";

/// What a build made of the programs that tasks start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Programs {
    /// The one binary.
    pub(crate) muster: Option<PathBuf>,
    /// The bench.
    pub(crate) bench: Option<PathBuf>,
}

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

impl Programs {
    /// Runs a build and reads its messages; what it has to say to a person reaches the terminal.
    pub(crate) fn built_by(cargo: &mut Command) -> Result<Self, Failure> {
        let messages = output_of(cargo.arg("--message-format=json-render-diagnostics"))?;
        Ok(Self::read(&messages))
    }

    fn read(messages: &str) -> Self {
        let find = |name| messages.lines().find_map(|line| program_of(line, name));
        Self {
            muster: find(MUSTER),
            bench: find(BENCH),
        }
    }
}

/// The path of a program, when a message of cargo's tells it.
fn program_of(line: &str, name: &str) -> Option<PathBuf> {
    let message: Message = serde_json::from_str(line).ok()?;
    let target = message.target?;
    let is_it = target.name == name && target.kind.iter().any(|kind| kind == "bin");
    let is_test = message.profile?.test;
    if is_it && !is_test {
        message.executable
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Programs;

    #[test]
    fn programs_are_found_and_their_unit_tests_are_not_them() {
        let message = |name: &str, kind: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"{name}","kind":["{kind}"]}},"profile":{{"test":{test}}},"executable":"/t/release/{name}"}}"#
            )
        };
        let read = |lines: &[String]| Programs::read(&lines.join("\n"));
        let both = [
            message("muster", "bin", false),
            message("muster-bench", "bin", false),
        ];
        let found = read(&both);
        assert!(found.muster.is_some_and(|path| path.ends_with("muster")));
        assert!(
            found
                .bench
                .is_some_and(|path| path.ends_with("muster-bench"))
        );
        let others = [
            message("muster", "bin", true),
            message("muster", "lib", false),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
            "no json".to_owned(),
        ];
        assert_eq!(read(&others), Programs::default());
    }
}
