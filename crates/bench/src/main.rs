//! `muster-bench`: measures the real `muster kms serve` and the library against their floors and
//! peers, in turn, in one run on one machine. `cargo xtask bench` builds and starts it. The rows and
//! what they must reach stand in docs/src/benchmarks.md.
//!
//! It never judges: a row is printed whether it is good or bad. A row whose peer is not there has no
//! figure, says so, and is named at the end. It exits with 1 when something else went wrong, and with
//! 2 when it is misused.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench speaks to the terminal")]
#![expect(clippy::print_stderr, reason = "a bench speaks to the terminal")]

mod cores;
mod echo;
mod estate;
mod failure;
mod figures;
mod fleet;
mod groups;
mod hold_ups;
mod load;
mod parts;
mod peers;
mod process;
mod report;
mod scale;
mod schedule;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::cores::{Cores, stay_on};
use crate::echo::Sizes;
use crate::estate::Estate;
use crate::failure::{During, Failure, Outcome};
use crate::groups::{Bench, Group};
use crate::report::Report;
use crate::scale::Scale;

const USAGE: &str = "\
muster-bench --muster FILE [--quick] [--json FILE] [GROUP...]

  --muster FILE   the binary under test
  --quick         every row in a minute or two; the figures mean little
  --json FILE     also write the rows as JSON
  GROUP           some rows only: library, wire, connect, load, kept,
                  shared, large";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime can be made where there are file descriptors");
    let outcome = runtime.block_on(async {
        match words.as_slice() {
            ["echo-http", answer] => echo::serve_http(number(answer)?).await,
            ["echo-tls", cert, key, request, answer] => {
                let sizes = Sizes {
                    request: number(request)?,
                    answer: number(answer)?,
                };
                echo::serve_tls(Path::new(cert), Path::new(key), sizes).await
            }
            words => match Options::parse(words) {
                Ok(options) => until_stopped(measure(&options)).await,
                Err(failure) => {
                    eprintln!("muster-bench: {failure}\n\n{USAGE}");
                    return Ok(ExitCode::from(2));
                }
            },
        }
        .map(|()| ExitCode::SUCCESS)
    });
    outcome.unwrap_or_else(|failure: Failure| {
        eprintln!("muster-bench: {failure}");
        ExitCode::FAILURE
    })
}

/// What was asked for.
#[derive(Debug, Default)]
struct Options {
    muster: PathBuf,
    quick: bool,
    json: Option<PathBuf>,
    groups: Vec<Group>,
}

impl Options {
    fn parse(words: &[&str]) -> Outcome<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        let no_file = || Failure::said("a file's name is missing");
        while let Some(word) = words.next() {
            match *word {
                "--quick" => options.quick = true,
                "--muster" => options.muster = words.next().ok_or_else(no_file)?.into(),
                "--json" => options.json = Some(words.next().ok_or_else(no_file)?.into()),
                name => options.groups.push(groups::parse(name)?),
            }
        }
        if options.muster.as_os_str().is_empty() {
            return Err(Failure::said("--muster FILE is missing"));
        }
        if options.groups.is_empty() {
            options.groups.extend(Group::ALL);
        }
        Ok(options)
    }
}

/// Ctrl-C and SIGTERM end the run: every server that was started is ended, every file removed.
async fn until_stopped(run: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    let mut terminate = signal(SignalKind::terminate()).during("signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).during("signals")?;
    tokio::select! {
        ended = run => ended,
        _ = terminate.recv() => Err(Failure::said("stopped")),
        _ = interrupt.recv() => Err(Failure::said("stopped")),
    }
}

async fn measure(options: &Options) -> Outcome<()> {
    let cores = Cores::of_this_machine()?;
    stay_on(cores.load)?;
    let scale = if options.quick {
        Scale::QUICK
    } else {
        Scale::FULL
    };
    let muster = std::fs::canonicalize(&options.muster).during("the binary under test")?;
    let bench = Bench {
        estate: Estate::new(&muster, cores)?,
        scale,
    };
    let mut report = Report::default();
    let mut has_failed = false;
    for group in &options.groups {
        eprintln!("measuring: {}", group.name());
        match group.measure(&bench).await {
            Ok(rows) => report.add(rows),
            Err(failure) => {
                report.add(group.missing(&failure));
                has_failed = true;
            }
        }
    }
    if let Some(file) = &options.json {
        let more = json!({
            "quick": options.quick,
            "at": muster_machine::clock::now().to_string(),
            "processor": processor(),
            "server_core": cores.server,
            "load_core": cores.load,
        });
        let text = format!("{:#}\n", report.json(more));
        std::fs::write(file, text).during(&file.display().to_string())?;
    }
    println!("{}", report.text());
    if has_failed {
        return Err(Failure::said("not every row could be measured"));
    }
    Ok(())
}

/// The processor's model, where the kernel tells it.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn number(word: &str) -> Outcome<usize> {
    word.parse().during("a number of bytes")
}
