//! All of `muster`, so that tests reach what its one binary reads. The binary calls [`run`]: parse,
//! run one command, print its report, set the exit code: 0 done, 1 refused or failed, 2 misused.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod config;
mod dirs;
mod files;
mod lab;
mod notify;
pub mod read;
mod report;
mod times;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;

/// One call of the command line.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return report::misused(&error),
    };
    let json = cli.json;
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return report::fail_to_start(&error, json),
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(report) => report.print(json),
        Err(refusal) => report::print_refusal(&refusal, json),
    }
}
