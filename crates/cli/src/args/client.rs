//! Arguments of `muster client`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use muster_proto::ids::ProductId;

use super::kms::AuthorityAccess;

/// The directory of a client, and what it reads of the machine.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClientDir {
    /// The client's directory [default: /var/lib/muster/client; without root
    /// ~/.local/share/muster/client].
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

/// What a verb works on; without either on everything that is installed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Only {
    /// Only this product.
    #[arg(long)]
    pub(crate) product: Option<ProductId>,
    /// Only what is of this publisher, by name or id.
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) publisher: Option<String>,
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
        /// The policy file that came with the product.
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// Insist on this publisher's root: its public file or its fingerprint.
        #[arg(long, value_name = "FILE|FINGERPRINT")]
        root: Option<String>,
        /// Take the authority's policy where it is newer than the file.
        #[command(flatten)]
        access: AuthorityAccess,
    },
    /// Ask for a lease now; exit code 0: licensed, 1: not, with the reason.
    ///
    /// Without root, what is installed on the machine is asked for by its service, or where none runs in
    /// the user's own directory.
    Activate {
        #[command(flatten)]
        only: Only,
    },
    /// Show state, method, until when, why, and what happens next and when.
    Status {
        #[command(flatten)]
        only: Only,
        /// Show everything that is known, one field a line.
        #[arg(long)]
        long: bool,
        /// Exit with 1 unless every product shown is licensed; without it 0 whenever it can answer.
        #[arg(long)]
        check: bool,
    },
    /// Go through every step between this machine and its licences, and say what was seen.
    ///
    /// Files, hardware, products and clock; then for each publisher where hosts come from, and for
    /// each host its address, port, service, certificate, clock, answer and count. An ask that it makes
    /// is a real one. Exit code 0: nothing fails, 1: a step fails; it is named, with what to do next.
    Doctor,
    /// Ask this KMS host, and look for none in DNS.
    SetHost {
        /// HOST or HOST:PORT, an IPv6 address with a port in brackets; the port is 1688 by default.
        host: String,
        #[command(flatten)]
        only: Only,
    },
    /// Forget the host that was set, and look in DNS again.
    ClearHost {
        #[command(flatten)]
        only: Only,
    },
    /// Look for KMS hosts in this DNS domain first.
    SetDomain {
        /// The domain; `-` goes back to the machine's own.
        domain: String,
    },
    /// Accept KMS hosts of this site only.
    SetSite {
        /// The site's id; `-` accepts all.
        site: String,
    },
    /// Tell hosts this machine's name, or not; they list it where it is told.
    SetName {
        /// yes or no.
        #[arg(value_parser = ["yes", "no"])]
        tell: String,
    },
    /// Ask a host for the time, and show how far this machine's clock is off.
    SetTime,
    /// Allow one method of activation alone, or all.
    SetMethod {
        /// The method; this version activates by kms.
        #[arg(value_parser = ["all", "directory", "kms", "vm"])]
        method: String,
    },
    /// Write the leases, policies and roots to files, for an independent verifier.
    Export {
        /// A directory to write into; it is made where it is missing.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Replace the product key of a product that is installed.
    ChangeKey {
        /// The new product key; - reads standard input, @FILE a file.
        key: String,
        /// The policy file of the new key's product, where that is another one.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["product", "publisher"])]
        policy: Option<PathBuf>,
        #[command(flatten)]
        only: Only,
    },
    /// Remove a product's key and leases from this machine.
    RemoveKey {
        /// The product's id, as `client status` shows it.
        product: ProductId,
        /// Of this publisher, by name or id, where several have a product of that id.
        #[arg(long, value_name = "NAME|ID")]
        publisher: Option<String>,
    },
    /// Begin the extended grace, where the policy gives one: once until the next licence.
    Rearm {
        #[command(flatten)]
        only: Only,
    },
    /// Forget this machine's identity and leases, before an image of it is taken.
    ///
    /// Product keys, policies and settings stay. Copies of the image share the new identity until they
    /// ask; the host then tells each to make its own.
    ResetIdentity,
    /// Keep everything on this machine renewed: the service, in the foreground.
    ///
    /// Products and users without privileges have it ask a host for them, on a local socket that the
    /// client's directory leads to.
    ///
    /// It logs to standard output, or to the journal where systemd reads its output.
    Serve,
}
