//! `muster lab`: a whole estate in one process, with real sockets, real storage and its own DNS
//! server, so that a newcomer sees the main job done within seconds.

mod days;
mod estate;
mod machines;
mod show;
mod simulated;
mod timeline;

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use muster_machine::clock;
use muster_proto::Refusal;
use muster_proto::reason::config as reasons;
use tempfile::TempDir;

use crate::args::lab::LabArgs;
use crate::commands::service;
use crate::report::Report;

use estate::Estate;
use machines::Machines;

/// How many times every machine asks after the last new one was counted.
const ASKS_AFTER_LAST: u32 = 2;

/// Runs `muster lab`.
pub(crate) async fn run(args: LabArgs, json: bool) -> Result<Report, Refusal> {
    if args.clients + args.servers == 0 {
        return Err(Refusal::new(
            reasons::MISUSED,
            "a lab needs at least one machine",
        ));
    }
    let started = tokio::time::Instant::now();
    let place = Place::of(args.dir.as_deref())?;
    let stop = service::shutdown()?;
    let steps = ASKS_AFTER_LAST + 1;
    let bar = progress(u64::from((args.clients + args.servers) * steps));

    bar.set_message("starting authority, DNS and KMS host");
    let estate = Estate::start(place.path(), &args).await?;
    let mut machines = Machines::make(place.path(), &estate, &args)?;
    for round in 0..steps {
        bar.set_message(if round == 0 {
            "every machine asks"
        } else {
            "every machine asks again"
        });
        machines.ask_all(&bar).await;
    }
    bar.finish_and_clear();

    let outcome = show::Outcome {
        machines: machines.statuses()?,
        kms: estate.host_status().await?,
        dns: estate.dns_address(),
        zone: estate.zone().to_owned(),
        authority: estate.authority_url().to_owned(),
        seconds: started.elapsed(),
        timeline: match args.days {
            Some(days) => Some(days::simulate(place.path(), &args, days, clock::now()).await?),
            None => None,
        },
    };
    let report = outcome.report();
    if args.once {
        estate.stop().await?;
        return Ok(report);
    }
    report.print(json);
    crate::report::say(&outcome.what_next(place.path()));
    stop.await;
    estate.stop().await?;
    Ok(Report::quiet())
}

/// Where the estate's files lie; a directory of its own is removed at the end.
enum Place {
    Kept(PathBuf),
    Own(TempDir),
}

impl Place {
    fn of(dir: Option<&Path>) -> Result<Self, Refusal> {
        let unwritable =
            |error: std::io::Error| Refusal::new(reasons::FILE_UNWRITABLE, error.to_string());
        match dir {
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(unwritable)?;
                Ok(Self::Kept(dir.to_path_buf()))
            }
            None => tempfile::Builder::new()
                .prefix("muster-lab-")
                .tempdir()
                .map(Self::Own)
                .map_err(unwritable),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Own(dir) => dir.path(),
        }
    }
}

/// A bar on stderr; it draws nothing where no terminal is.
fn progress(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
