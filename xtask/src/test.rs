//! `cargo xtask test`: every check the project has, in order, each timed.
//!
//! A stage that fails does not stop the others, except those that need what it makes. The last line
//! is `N passed, N failed`, the sum over all test programs; readers of CI logs look for it. The exit
//! code tells of every stage.

mod cargo_test;
mod deny;
mod examples;
mod tally;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Failure, run as run_command};
use crate::programs::Programs;
use crate::{bench, book, packages, tidy, vectors};
use tally::Tally;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Also what takes long.
    long: bool,
    /// The stages to run; empty means all.
    only: Vec<String>,
}

impl Options {
    /// Reads the words after `test`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self::default();
        for word in words {
            if *word == "--long" {
                options.long = true;
            } else if STAGES.iter().any(|stage| stage.name == *word) {
                options.only.push((*word).to_owned());
            } else {
                return Err(Failure::said(format!(
                    "`{word}` is no stage; see `test --list`"
                )));
            }
        }
        Ok(options)
    }

    fn wants(&self, stage: &Stage) -> bool {
        let is_needed_by = |only: &String| {
            STAGES
                .iter()
                .any(|other| other.name == only && other.needs.contains(&stage.name))
        };
        self.only.is_empty()
            || self
                .only
                .iter()
                .any(|only| only == stage.name || is_needed_by(only))
    }
}

/// One part of the run.
struct Stage {
    name: &'static str,
    does: &'static str,
    /// Stages whose success this one needs.
    needs: &'static [&'static str],
    run: fn(&mut Bench) -> Result<(), Failure>,
}

/// What the stages share.
struct Bench {
    root: PathBuf,
    long: bool,
    /// The built programs, once the build has told where they are.
    programs: Programs,
    tally: Tally,
}

const STAGES: [Stage; 14] = [
    Stage {
        name: "packages",
        does: "the programs that tests call are there (Debian: installed when root)",
        needs: &[],
        run: |bench| packages::provide(&bench.root, packages::TESTS),
    },
    Stage {
        name: "format",
        does: "cargo fmt --check",
        needs: &[],
        run: |bench| cargo(bench, &["fmt", "--all", "--check"]),
    },
    Stage {
        name: "tidy",
        does: "house rules, paths and links in documents",
        needs: &[],
        run: |bench| tidy::run(&bench.root),
    },
    Stage {
        name: "clippy",
        does: "lints with warnings denied",
        needs: &[],
        run: |bench| {
            let words = ["clippy", "--release", "--workspace", "--all-targets"];
            cargo(bench, &[&words[..], &["--", "-D", "warnings"]].concat())
        },
    },
    Stage {
        name: "deny",
        does: "licences, sources and banned crates of the whole dependency tree",
        needs: &[],
        run: |bench| deny::check(&bench.root),
    },
    Stage {
        name: "rustdoc",
        does: "API documentation with warnings denied",
        needs: &[],
        run: rustdoc,
    },
    Stage {
        name: "build",
        does: "every test program and the binary",
        needs: &[],
        run: |bench| {
            bench.programs = cargo_test::build(&bench.root)?;
            Ok(())
        },
    },
    Stage {
        name: "vectors",
        does: "golden vectors: nothing committed was changed",
        needs: &[],
        run: |bench| vectors::check_unchanged(&bench.root),
    },
    Stage {
        name: "examples",
        does: "every script under examples/, with the built binary in MUSTER",
        needs: &["packages", "build"],
        run: |bench| examples::run(&bench.root, bench.programs.muster.as_deref()),
    },
    Stage {
        name: "bench",
        does: "a short run in which every row is measured; speed is not judged",
        needs: &["build"],
        run: |bench| bench::check(&bench.root, &bench.programs),
    },
    Stage {
        name: "book",
        does: "with --long: the book is rendered",
        needs: &[],
        run: |bench| {
            if bench.long {
                book::run(&bench.root)
            } else {
                Ok(())
            }
        },
    },
    Stage {
        name: "rules",
        does: "the rules of proto with each one broken in turn: a test must notice",
        needs: &[],
        run: |bench| {
            // Apart from the workspace: what is shipped is never built with this feature.
            let words = ["test", "--release", "--package", "muster-proto"];
            cargo(
                bench,
                &[&words[..], &["--features", "break-rules"]].concat(),
            )
        },
    },
    Stage {
        name: "sim",
        does: "the simulator: a sweep, and each rule broken in turn; with --long a long sweep",
        needs: &[],
        run: simulator,
    },
    Stage {
        name: "test",
        does: "cargo test: unit, integration and documentation tests",
        needs: &["packages", "build"],
        run: |bench| cargo_test::run(&bench.root, bench.long, &mut bench.tally),
    },
];

/// Prints the stages.
pub(crate) fn list() -> Result<(), Failure> {
    for stage in &STAGES {
        println!("{:<10} {}", stage.name, stage.does);
    }
    Ok(())
}

/// Runs the stages that were asked for.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let mut bench = Bench {
        root: root.to_path_buf(),
        long: options.long,
        programs: Programs::default(),
        tally: Tally::default(),
    };
    let mut rows: Vec<Row> = Vec::new();
    for stage in STAGES.iter().filter(|stage| options.wants(stage)) {
        let row = run_stage(stage, &mut bench, &rows);
        rows.push(row);
    }
    print_table(&rows, &bench.tally);
    let failed: Vec<&str> = rows
        .iter()
        .filter(|row| row.outcome != Outcome::Passed)
        .map(|row| row.name)
        .collect();
    if !failed.is_empty() {
        println!("\nnot passed: {}", failed.join(", "));
    }
    if rows.iter().any(|row| row.name == "test") {
        let tally = &bench.tally;
        for test in &tally.not_run {
            println!("\nnot run: {test}");
        }
        println!("\n{} passed, {} failed", tally.passed(), tally.failed);
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Told)
    }
}

/// One line of the table.
struct Row {
    name: &'static str,
    time: Duration,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// A stage that it needs did not pass.
    NotRun,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::NotRun => "not run",
        }
    }
}

fn run_stage(stage: &Stage, bench: &mut Bench, done: &[Row]) -> Row {
    let is_missing = |need: &&str| {
        done.iter()
            .any(|row| row.name == *need && row.outcome != Outcome::Passed)
    };
    if let Some(need) = stage.needs.iter().find(|need| is_missing(need)) {
        println!("\n== {}: not run, it needs {need}", stage.name);
        return Row {
            name: stage.name,
            time: Duration::ZERO,
            outcome: Outcome::NotRun,
        };
    }
    println!("\n== {}: {}", stage.name, stage.does);
    let start = now();
    let outcome = match (stage.run)(bench) {
        Ok(()) => Outcome::Passed,
        Err(failure) => {
            println!("{}: {failure}", stage.name);
            Outcome::Failed
        }
    };
    Row {
        name: stage.name,
        time: start.elapsed(),
        outcome,
    }
}

fn print_table(rows: &[Row], tally: &Tally) {
    println!("\n{:<10} {:>9}", "stage", "seconds");
    for row in rows {
        println!(
            "{:<10} {:>9.1}  {}",
            row.name,
            row.time.as_secs_f64(),
            row.outcome.word()
        );
    }
    let total: Duration = rows.iter().map(|row| row.time).sum();
    println!("{:<10} {:>9.1}", "all", total.as_secs_f64());
    let slowest = tally.slowest();
    if !slowest.is_empty() {
        println!("\nslowest test programs, seconds");
        for (program, seconds) in slowest {
            println!("{seconds:>9.1}  {program}");
        }
    }
}

/// The clock on the wall.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a stage takes is what is measured here"
)]
fn now() -> Instant {
    Instant::now()
}

fn cargo(bench: &Bench, words: &[&str]) -> Result<(), Failure> {
    run_command(Command::new("cargo").current_dir(&bench.root).args(words))
}

/// The simulator's own tests, with features that only tests enable: apart from the workspace, as the
/// rules are.
fn simulator(bench: &mut Bench) -> Result<(), Failure> {
    let words = [
        "test",
        "--release",
        "--package",
        "muster-sim",
        "--features",
        "break-rules,cheap-signatures",
        "--test",
        "breaks",
    ];
    let long: &[&str] = if bench.long {
        &["--", "--include-ignored"]
    } else {
        &[]
    };
    cargo(bench, &[&words[..], long].concat())
}

fn rustdoc(bench: &mut Bench) -> Result<(), Failure> {
    let words = [
        "doc",
        "--release",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    let mut command = Command::new("cargo");
    run_command(
        command
            .current_dir(&bench.root)
            .args(words)
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

#[cfg(test)]
mod tests {
    use super::{Options, STAGES};

    fn wanted(words: &[&str]) -> Vec<&'static str> {
        let options = Options::parse(words).expect("the words are stages");
        STAGES
            .iter()
            .filter(|stage| options.wants(stage))
            .map(|stage| stage.name)
            .collect()
    }

    #[test]
    fn all_stages_run_unless_some_are_named_and_those_bring_what_they_need() {
        assert_eq!(wanted(&[]).len(), STAGES.len());
        assert_eq!(wanted(&["--long", "tidy"]), ["tidy"]);
        assert_eq!(wanted(&["examples"]), ["packages", "build", "examples"]);
        assert!(Options::parse(&["everything"]).is_err());
    }

    #[test]
    fn a_stage_needs_only_stages_before_it() {
        for (at, stage) in STAGES.iter().enumerate() {
            for need in stage.needs {
                assert!(
                    STAGES[..at].iter().any(|before| before.name == *need),
                    "{need}"
                );
            }
        }
    }
}
