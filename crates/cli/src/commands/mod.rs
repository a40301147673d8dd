//! The verbs: each takes its arguments, calls a role, and gives back a report.

mod authority;
mod authority_keys;
mod authority_products;
mod explain;
mod inspect;
mod kms;
mod kms_show;
mod service;
mod shell;

use muster_proto::Refusal;
use serde_json::json;

use crate::args::{Cli, ConfigVerb, Noun};
use crate::config;
use crate::report::Report;

/// Runs the command that was typed.
pub(crate) async fn run(cli: Cli) -> Result<Report, Refusal> {
    service::log(cli.verbose);
    match cli.noun {
        Noun::Authority(verb) => authority::run(verb).await,
        Noun::Kms(verb) => kms::run(verb).await,
        Noun::Inspect(args) => inspect::run(&args),
        Noun::Explain { code } => explain::run(code.as_deref()),
        Noun::Config(ConfigVerb::Check { file }) => {
            let role = config::check(&file)?;
            let text = format!("{}: a good {role} configuration.", file.display());
            Ok(Report::new(
                json!({ "file": file, "role": role, "good": true }),
                text,
            ))
        }
        Noun::Completions { shell } => shell::completions(shell),
        Noun::Man { dir } => shell::man(&dir),
        Noun::Lab(_) | Noun::Client(_) => unreachable!("the client's verbs come next"),
    }
}
