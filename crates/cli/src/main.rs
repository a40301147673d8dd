//! `muster`: one tool for volume activation. This file parses, runs one command, prints its report
//! and sets the exit code: 0 done, 1 refused or failed, 2 misused.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod config;
mod dirs;
mod files;
mod lab;
mod notify;
mod report;
mod times;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;

fn main() -> ExitCode {
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
