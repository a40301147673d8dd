//! The project's own tasks, run as `cargo xtask VERB`: the whole test run, the house rules that a
//! machine can check, the golden vectors and the book.
//!
//! Exit 0 done, 1 a check failed, 2 misused.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a task runner speaks to the terminal")]
#![expect(clippy::print_stderr, reason = "a task runner speaks to the terminal")]

mod bench;
mod book;
mod failure;
mod fuzz;
mod markdown;
mod packages;
mod programs;
mod test;
mod tidy;
mod tree;
mod vectors;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use failure::Failure;

const USAGE: &str = "\
cargo xtask VERB

  test [--long] [STAGE...]   every check the project has, in order, each timed
                             --long also runs the tests marked as long and renders the book
  test --list                the stages and what each does
  tidy                       the house rules of STYLE.md and ARCHITECTURE.md that a machine can check
  vectors [--check]          write new golden vectors (or only check them); changing old bytes is refused
  bench [--quick] [--json FILE] [GROUP...]
                             every figure of docs/src/benchmarks.md, against its floor or its peers
  fuzz [TARGET...] [--seconds N] [--seed N]
                             hostile input for everything that reads, N seconds each (60), all without a name
  fuzz TARGET --input FILE   one input, to see what it does
  book                       render the book under docs/ to target/book";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let root = workspace_root();
    let outcome = match words.as_slice() {
        ["test", "--list"] => test::list(),
        ["test", rest @ ..] => match test::Options::parse(rest) {
            Ok(options) => test::run(&root, &options),
            Err(failure) => return misused(&failure.to_string()),
        },
        ["tidy"] => tidy::run(&root),
        ["vectors"] => vectors::run(&root, vectors::Mode::Write),
        ["vectors", "--check"] => vectors::run(&root, vectors::Mode::Check),
        ["bench", words @ ..] => bench::run(&root, words),
        ["fuzz", words @ ..] => match fuzz::Options::parse(words) {
            Ok(options) => fuzz::run(&root, &options),
            Err(failure) => return misused(&failure.to_string()),
        },
        ["book"] => book::run(&root),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => return misused("no such task"),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn misused(what: &str) -> ExitCode {
    eprintln!("xtask: {what}\n\n{USAGE}");
    ExitCode::from(2)
}

/// The folder that holds the workspace's Cargo.toml; known when xtask is compiled.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("xtask stands one folder below the workspace's root")
        .to_path_buf()
}
