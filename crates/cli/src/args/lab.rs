//! Arguments of `muster lab`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `muster lab`.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// How many machines with a client product.
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    pub(crate) clients: u32,
    /// How many machines with a server product.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    pub(crate) servers: u32,
    /// Keep the estate's files here; without it they are removed at the end.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// End when every machine has asked twice after the last new one; exit code 0 when all are
    /// licensed, else 1.
    #[arg(long)]
    pub(crate) once: bool,
    /// Let this many days of simulated time pass afterwards, with a KMS outage of 30 days and one
    /// of 220 days, and print a timeline.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(crate) days: Option<u32>,
}
