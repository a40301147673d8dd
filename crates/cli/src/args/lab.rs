//! Arguments of `muster lab`.

use std::path::PathBuf;

use clap::Args;

/// Run a whole estate in one process with real sockets, real storage and its own DNS server.
///
/// An authority, a KMS host that registers itself, and machines that find it and activate. It
/// stays up until Ctrl-C, or ends by itself with --once.
#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    /// Machines of kind client.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    pub(crate) clients: u32,
    /// Machines of kind server.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=5_000))]
    pub(crate) servers: u32,
    /// Keep the estate's files here; without it they are removed at the end.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// End when every machine has asked twice after the last new one. Exit code 0 when all are
    /// licensed.
    #[arg(long)]
    pub(crate) once: bool,
    /// Let this many days of simulated time pass afterwards, with a KMS outage of 30 days and one
    /// of 220 days, and print a timeline.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(crate) days: Option<u32>,
}
