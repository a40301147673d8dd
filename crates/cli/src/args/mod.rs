//! The command line as it is typed. `docs` and the man pages are made from it.

pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod kms;
pub(crate) mod lab;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Volume activation for any publisher's own products.
///
/// To see it happen: muster lab. Data goes to standard output, words to standard error. Exit code
/// 0: done, 1: refused or failed, 2: misused. Every refusal has a code: muster explain CODE.
#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    max_term_width = 100,
    propagate_version = true
)]
pub(crate) struct Cli {
    /// Print one JSON document on standard output instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Log more; twice for everything. Services log to standard output or the systemd journal, other
    /// commands to standard error.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// What the command is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Try it: a whole estate in one process, with authority, KMS host, DNS and machines.
    ///
    /// Real sockets, real storage and a DNS server of its own, all on loopback and free ports. It
    /// stays up until Ctrl-C and says what to type next, or ends by itself with --once.
    Lab(lab::LabArgs),
    /// The publisher's side: root, products, keys, certificates.
    Authority(authority::AuthorityArgs),
    /// A KMS host: it counts and licenses the machines of a network.
    Kms(kms::KmsArgs),
    /// This machine: install keys, activate, see what is licensed and why.
    Client(client::ClientArgs),
    /// Show a file of muster's in words, and say what is wrong with a bad one.
    Inspect(InspectArgs),
    /// Explain a reason code: what happened, the likely cause, what to do.
    Explain {
        /// The code, for example MUSTER-KMS-0007; without one, all are listed.
        code: Option<String>,
    },
    /// Check configuration files.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory.
    Man {
        /// The directory to write into; it is made where it is missing.
        dir: PathBuf,
    },
}

/// Verbs of `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Check a configuration file and name what is wrong, by line.
    Check {
        /// The file; its name begins with its role: authority, kms or client.
        file: PathBuf,
    },
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The file: a root, policy, request or lease, or any other signed statement.
    pub(crate) file: PathBuf,
    /// Verify it under the root; exit code 1 when it is not valid.
    #[arg(long, requires = "root")]
    pub(crate) verify: bool,
    /// The publisher's public root file.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
}
