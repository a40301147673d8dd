//! The verbs: each takes its arguments, calls a role, and gives back a report.

mod authority;
mod authority_issuing;
mod authority_keys;
mod authority_products;
mod authority_store;
mod client;
mod client_show;
mod doctor_show;
mod explain;
pub(crate) mod inspect;
mod kms;
pub(crate) mod kms_show;
mod log;
mod log_limit;
pub(crate) mod service;
mod shell;
mod watching;

use muster_proto::Refusal;
use serde_json::json;

use crate::args::{self, Cli, ConfigVerb, Noun};
use crate::config;
use crate::report::Report;
use log::Logger;

/// Runs the command that was typed.
pub(crate) async fn run(cli: Cli) -> Result<Report, Refusal> {
    let logger = if is_service(&cli.noun) {
        Logger::Service { json: cli.json }
    } else {
        Logger::Command
    };
    let _until_the_end = log::start(logger, cli.verbose);
    match cli.noun {
        Noun::Authority(args) => authority::run(args).await,
        Noun::Kms(args) => kms::run(args).await,
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
        Noun::Client(args) => client::run(args).await,
        Noun::Lab(args) => crate::lab::run(args, cli.json).await,
    }
}

fn is_service(noun: &Noun) -> bool {
    match noun {
        Noun::Authority(args) => {
            matches!(args.verb, args::authority::Authority::Serve { .. })
        }
        Noun::Kms(args) => matches!(args.verb, args::kms::Kms::Serve(_)),
        Noun::Client(args) => matches!(args.verb, args::client::Client::Serve),
        _ => false,
    }
}
