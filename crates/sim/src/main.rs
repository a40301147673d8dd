//! `muster-sim`: one world from one seed, or a sweep of seeds, each in a process of its own.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "progress and violations go to the terminal"
)]

mod args;
mod sweep;

use std::io::Write;
use std::process::ExitCode;

use args::Args;
use clap::Parser;
use muster_sim::{Options, Outcome, simulate};
use serde_json::json;

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.seeds() {
        Ok((first, last)) if first < last => sweep::run(&args, first, last),
        Ok((seed, _)) => one(&args, seed),
        Err(said) => Err(std::io::Error::other(said)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("muster-sim: {error}");
            ExitCode::from(2)
        }
    }
}

/// One seed; tells whether every promise held.
fn one(args: &Args, seed: u64) -> std::io::Result<bool> {
    let outcome = run(args, args.options(seed))?;
    if args.json {
        let mut document = outcome.summary.to_json();
        document["seed"] = json!(seed);
        document["log_sha256"] = json!(hex(&outcome.digest));
        document["violation"] = json!(outcome.violation.as_ref().map(ToString::to_string));
        let text = serde_json::to_string_pretty(&document)?;
        writeln!(std::io::stdout(), "{text}")?;
    } else {
        tell(seed, &outcome)?;
    }
    if let Some(violation) = &outcome.violation {
        eprintln!("{violation}\nto see it again: {}", args.replay(seed));
    }
    Ok(outcome.violation.is_none())
}

fn tell(seed: u64, outcome: &Outcome) -> std::io::Result<()> {
    let summary = &outcome.summary;
    let held = match outcome.violation {
        None => "every promise held",
        Some(_) => "a promise broke",
    };
    writeln!(
        std::io::stdout(),
        "seed {seed}: {held}; {:.1} client-years, {} asks, {} grants, {} of {} products licensed at \
         the end; log {}",
        summary.client_years,
        summary.asks,
        summary.grants,
        summary.licensed,
        summary.products,
        hex(&outcome.digest)
    )
}

#[cfg(not(feature = "break-rules"))]
fn run(args: &Args, options: Options) -> std::io::Result<Outcome> {
    simulate(options, args.log.as_deref())
}

#[cfg(feature = "break-rules")]
fn run(args: &Args, options: Options) -> std::io::Result<Outcome> {
    match args.broken_rule() {
        None => simulate(options, args.log.as_deref()),
        Some(rule) => muster_proto::rules::without(rule, || simulate(options, args.log.as_deref())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
