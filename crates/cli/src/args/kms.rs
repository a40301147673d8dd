//! Arguments of `muster kms`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use muster_proto::ids::ProductId;
use muster_proto::time::Span;

/// The directory of a KMS host.
#[derive(Clone, Debug, Args)]
pub(crate) struct KmsDir {
    /// The host's directory [default: /var/lib/muster/kms, or the user's].
    #[arg(long, global = true, env = "MUSTER_KMS_DIR", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The configuration file [default: /etc/muster/kms.toml].
    #[arg(long, global = true, env = "MUSTER_KMS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests.
    #[arg(long, global = true, env = "MUSTER_SYSROOT", value_name = "DIR")]
    pub(crate) sysroot: Option<PathBuf>,
}

/// How the authority is reached.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AuthorityAccess {
    /// The authority's address, https://…; plain http only on loopback.
    #[arg(long, env = "MUSTER_AUTHORITY_URL", value_name = "URL")]
    pub(crate) authority: Option<String>,
    /// A file of CA certificates to trust for the authority, PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Allow plain HTTP to an authority that is not on this machine.
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

/// A KMS host: its directory and a verb.
#[derive(Debug, Args)]
pub(crate) struct KmsArgs {
    #[command(flatten)]
    pub(crate) at: KmsDir,
    #[command(subcommand)]
    pub(crate) verb: Kms,
}

/// Verbs of `muster kms`.
#[derive(Debug, Subcommand)]
pub(crate) enum Kms {
    /// Install a host product key and have this host certified.
    InstallKey {
        /// The host product key; - reads standard input, @FILE a file.
        key: String,
        #[command(flatten)]
        access: AuthorityAccess,
        /// The publisher's root file or its fingerprint; without it the root is pinned as found.
        #[arg(long, value_name = "FILE|FINGERPRINT")]
        root: Option<String>,
        /// Write a request file instead of asking the authority; --root then names a policy bundle.
        #[arg(long, requires = "out", requires = "root")]
        offline: bool,
        /// Where to write the request.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Take the authority's answer file in.
    Apply {
        /// The answer.
        file: PathBuf,
    },
    /// Renew the host's certificates from half of their life.
    Renew {
        #[command(flatten)]
        access: AuthorityAccess,
        /// Write request files for an offline authority instead.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Remove a host product key.
    RemoveKey {
        /// Its last five symbols.
        last5: String,
    },
    /// Serve machines.
    Serve(ServeArgs),
    /// Show counts, keys, certificates and DNS.
    Status,
    /// List client computers.
    Clients {
        /// Only clients counted for this product.
        #[arg(long)]
        product: Option<ProductId>,
        /// At most this many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only clients after this id: for the next page.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Change settings; they take effect without a restart.
    Set {
        /// When licensed machines renew, within the policy; `policy` returns to it.
        #[arg(long, value_name = "SPAN")]
        renewal: Option<String>,
        /// When other machines ask again, within the policy; `policy` returns to it.
        #[arg(long, value_name = "SPAN")]
        retry: Option<String>,
        /// New identities one source may bring in an hour.
        #[arg(long, value_name = "N")]
        new_identities: Option<u32>,
    },
    /// Withdraw this host's own records from DNS.
    Retire {
        #[command(flatten)]
        dns: DnsArgs,
    },
    /// Print the DNS records for a zone that is kept by hand.
    DnsRecords {
        #[command(flatten)]
        dns: DnsArgs,
    },
    /// Confirm the clock after it jumped by more than a day.
    ConfirmClock,
    /// Write a backup of the host's store.
    Backup {
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Restore the store from a backup; the present one is kept aside.
    Restore {
        /// The backup.
        file: PathBuf,
    },
}

/// Where and how the host stands in DNS.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct DnsArgs {
    /// The DNS server to update [default: each zone's own primary].
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) dns_server: Option<String>,
    /// A zone to register in; can be given more than once.
    #[arg(long, value_name = "ZONE[,PRIORITY[,WEIGHT]]")]
    pub(crate) dns_zone: Vec<String>,
    /// The TSIG key, a file in BIND's format.
    #[arg(long, value_name = "FILE")]
    pub(crate) tsig_key: Option<PathBuf>,
    /// This host's name in DNS [default: the machine's].
    #[arg(long, value_name = "NAME")]
    pub(crate) host_name: Option<String>,
    /// Register these addresses for the host's name too; can be given more than once.
    #[arg(long, value_name = "IP")]
    pub(crate) host_address: Vec<std::net::IpAddr>,
}

/// Arguments of `muster kms serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// An address to listen on; can be given more than once [default: every address, port 1688].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<SocketAddr>,
    #[command(flatten)]
    pub(crate) dns: DnsArgs,
    /// How often the DNS records are written again [default: 24h].
    #[arg(long, value_name = "SPAN", hide = true)]
    pub(crate) dns_refresh: Option<Span>,
    #[command(flatten)]
    pub(crate) access: AuthorityAccess,
}
