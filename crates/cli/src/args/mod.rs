//! The command line as it is typed. `docs` and the man pages are made from it.

pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod kms;
pub(crate) mod lab;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Volume activation for any publisher's own products.
///
/// Data goes to standard output, words to standard error. Exit code 0: done, 1: refused or failed,
/// 2: misused.
#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    max_term_width = 100,
    propagate_version = true
)]
pub(crate) struct Cli {
    /// Print one JSON document on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Log more; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) noun: Noun,
}

/// What the command is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Run a whole estate in one process: authority, KMS host, DNS, machines.
    Lab(lab::LabArgs),
    /// The publisher's side: root, products, keys, certificates.
    Authority(authority::AuthorityArgs),
    /// A KMS host: it counts and licenses the machines of a network.
    Kms(kms::KmsArgs),
    /// This machine: install keys, activate, see what is licensed and why.
    Client(client::ClientArgs),
    /// Show any statement or file, and say what is wrong with a bad one.
    Inspect(InspectArgs),
    /// Explain a reason code.
    Explain {
        /// The code, as MUSTER-KMS-0007; without one, all are listed.
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
        /// The directory; it is made where it is missing.
        dir: PathBuf,
    },
}

/// Verbs of `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Check a configuration file and name what is wrong, by line.
    Check {
        /// The file.
        file: PathBuf,
    },
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The file: a statement, a root file, a policy bundle.
    pub(crate) file: PathBuf,
    /// Verify it under the root; exit code 1 when it is not valid.
    #[arg(long, requires = "root")]
    pub(crate) verify: bool,
    /// The root file.
    #[arg(long, value_name = "FILE")]
    pub(crate) root: Option<PathBuf>,
}
