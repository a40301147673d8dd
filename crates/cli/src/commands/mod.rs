//! The verbs: each takes its arguments, calls a role, and gives back a report.

mod explain;
mod inspect;
mod shell;

use muster_proto::Refusal;

use crate::args::{Cli, ConfigVerb, Noun};
use crate::report::Report;

/// Runs the command that was typed.
pub(crate) async fn run(cli: Cli) -> Result<Report, Refusal> {
    match cli.noun {
        Noun::Inspect(args) => inspect::run(&args),
        Noun::Explain { code } => explain::run(code.as_deref()),
        Noun::Completions { shell } => shell::completions(shell),
        Noun::Man { dir } => shell::man(&dir),
        _ => todo!(),
    }
}
