//! Arguments of `muster client`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use muster_proto::ids::ProductId;

/// The directory of a client, and what it reads of the machine.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClientDir {
    /// The client's directory [default: /var/lib/muster/client, or the user's].
    #[arg(long, global = true, env = "MUSTER_CLIENT_DIR", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The configuration file [default: /etc/muster/client.toml].
    #[arg(long, global = true, env = "MUSTER_CLIENT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests.
    #[arg(long, global = true, env = "MUSTER_SYSROOT", value_name = "DIR")]
    pub(crate) sysroot: Option<PathBuf>,
    /// The DNS server to ask instead of the system's.
    #[arg(
        long,
        global = true,
        env = "MUSTER_DNS_SERVER",
        value_name = "ADDR[:PORT]"
    )]
    pub(crate) dns_server: Option<String>,
}

/// A client: its directory and a verb.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    pub(crate) at: ClientDir,
    #[command(subcommand)]
    pub(crate) verb: Client,
}

/// Verbs of `muster client`.
#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Install a product key with its product's policy.
    InstallKey {
        /// The product key; - reads standard input, @FILE a file.
        key: String,
        /// The product's policy bundle.
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// Insist on this root: its file or its fingerprint.
        #[arg(long, value_name = "FILE|FINGERPRINT")]
        root: Option<String>,
    },
    /// Activate now. Exit code 0: licensed, 1: not, with the reason.
    Activate {
        /// Only this product.
        #[arg(long)]
        product: Option<ProductId>,
    },
    /// Show state, method, until when, why, and what happens next and when.
    Status {
        /// Only this product.
        #[arg(long)]
        product: Option<ProductId>,
        /// Show everything known.
        #[arg(long)]
        long: bool,
        /// Exit code 1 unless licensed.
        #[arg(long)]
        check: bool,
    },
    /// Always ask this KMS host.
    SetHost {
        /// HOST or HOST:PORT; the port is 1688 by default.
        host: String,
        /// Only for this product.
        #[arg(long)]
        product: Option<ProductId>,
    },
    /// Find hosts by DNS again.
    ClearHost {
        /// Only for this product.
        #[arg(long)]
        product: Option<ProductId>,
    },
    /// Look for KMS hosts in this DNS domain first.
    SetDomain {
        /// The domain; `-` clears it.
        domain: String,
    },
    /// Accept KMS hosts of this site only.
    SetSite {
        /// The site; `-` accepts all.
        site: String,
    },
    /// Allow asks to carry this machine's name, or not: hosts then list it.
    SetName {
        /// yes or no.
        #[arg(value_parser = ["yes", "no"])]
        tell: String,
    },
    /// Ask a host for the time and tell how this machine's clock stands to it.
    SetTime,
    /// Allow one method of activation alone.
    SetMethod {
        /// all, directory, kms or vm.
        #[arg(value_parser = ["all", "directory", "kms", "vm"])]
        method: String,
    },
    /// Write the leases and what they stand on, for an independent verifier.
    Export {
        /// A directory to write into; it is made where it is missing.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Replace the installed key of a product.
    ChangeKey {
        /// The new product key; - reads standard input, @FILE a file.
        key: String,
        /// The product's policy bundle, where it changes too.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Remove a product's key and leases.
    RemoveKey {
        /// The product.
        product: ProductId,
    },
    /// Start the grace that the policy allows for images once more.
    Rearm {
        /// Only this product.
        #[arg(long)]
        product: Option<ProductId>,
    },
    /// Forget keys, tickets and leases: for an image before it is copied.
    ResetIdentity,
    /// Renew everything on this machine in the background.
    Serve,
}
