//! Arguments of `muster kms`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use muster_proto::ids::ProductId;

/// The directory of a KMS host.
#[derive(Clone, Debug, Args)]
pub(crate) struct KmsDir {
    /// The host's directory [default: /var/lib/muster/kms; without root
    /// ~/.local/share/muster/kms].
    #[arg(long, global = true, env = "MUSTER_KMS_DIR", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The configuration file [default: /etc/muster/kms.toml].
    #[arg(long, global = true, env = "MUSTER_KMS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Count machines in a PostgreSQL table that several hosts share, postgres://USER@HOST/DATABASE;
    /// `own` goes back to this host's own [default: where the service counted last, else its own].
    #[arg(
        long,
        global = true,
        env = "MUSTER_KMS_STORE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
    /// Read /etc/machine-id, /sys and /proc under this directory: images, containers, tests.
    #[arg(long, global = true, env = "MUSTER_SYSROOT", value_name = "DIR")]
    pub(crate) sysroot: Option<PathBuf>,
}

/// How the authority is reached.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AuthorityAccess {
    /// The authority's address, https://…; plain http on loopback only.
    #[arg(long, env = "MUSTER_AUTHORITY_URL", value_name = "URL")]
    pub(crate) authority: Option<String>,
    /// A file of CA certificates (PEM) to trust for the authority beside the system's.
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
        /// Insist on this root: its public file or its fingerprint; without it the root is pinned
        /// as found. With --offline: the policy bundle of the product, which holds the root.
        #[arg(long, value_name = "FILE|FINGERPRINT")]
        root: Option<String>,
        /// Write a request file instead of asking the authority.
        #[arg(long, requires = "out")]
        offline: bool,
        /// Where to write the request.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Take in the authority's answer to this host's request file.
    Apply {
        /// The authority's answer file.
        file: PathBuf,
    },
    /// Renew the host's certificates, when half of their life has passed.
    Renew {
        #[command(flatten)]
        access: AuthorityAccess,
        /// Write the request to this file instead of asking the authority; further publishers' to
        /// FILE.PUBLISHER.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Remove a host product key; a publisher's last one takes the certificate with it.
    RemoveKey {
        /// Its last five symbols, as `kms status` shows them.
        last5: String,
    },
    /// Answer machines, in the foreground; prints one line when it is ready.
    ///
    /// It logs to standard output, or to the journal where systemd reads its output.
    Serve(ServeArgs),
    /// Show the counts, keys, certificates and DNS records of this host.
    Status,
    /// Go through every step of this host, and say what was seen.
    ///
    /// Store, disk, clock, keys and certificates, the service, the authority, and what each DNS zone
    /// says. Nothing is changed. Exit code 0: nothing fails, 1: a step fails; it is named, with what to
    /// do next.
    Doctor {
        #[command(flatten)]
        dns: DnsArgs,
        #[command(flatten)]
        access: AuthorityAccess,
    },
    /// List the machines that were counted, and until when they count.
    Clients {
        /// Only those counted in the pool of this product.
        #[arg(long)]
        product: Option<ProductId>,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only those after this id: the next page.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Change settings, or show them; a running service follows within a few seconds.
    Set {
        /// How long after its last answer a licensed machine renews, 15m to 30d; `policy` goes
        /// back to each product's own.
        #[arg(long, value_name = "SPAN")]
        renewal: Option<String>,
        /// How long after an ask another machine asks again, 15m to 30d; `policy` goes back to each
        /// product's own.
        #[arg(long, value_name = "SPAN")]
        retry: Option<String>,
        /// How many new machines one network address may bring in an hour.
        #[arg(long, value_name = "N")]
        new_identities: Option<u32>,
    },
    /// Withdraw this host's own records from DNS for good.
    Retire {
        #[command(flatten)]
        dns: DnsArgs,
    },
    /// Print the DNS records for a zone that is kept by hand; --dns-zone names it.
    DnsRecords {
        #[command(flatten)]
        dns: DnsArgs,
    },
    /// Say that the clock is right, after the host stopped because it jumped by more than a day.
    ConfirmClock,
    /// Write a backup of this host, with its keys; also while the service runs.
    Backup {
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Put a backup in the place of this host's store, also while the service runs.
    ///
    /// What the store holds now is replaced: make a backup of it first where it matters.
    Restore {
        /// The backup file.
        file: PathBuf,
    },
}

/// Where and how the host stands in DNS.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct DnsArgs {
    /// The DNS server to update [default: each zone's own primary].
    #[arg(long, env = "MUSTER_KMS_DNS_SERVER", value_name = "ADDR[:PORT]")]
    pub(crate) dns_server: Option<String>,
    /// A zone to stand in; can be given more than once.
    #[arg(
        long,
        env = "MUSTER_KMS_DNS_ZONE",
        value_name = "ZONE[,PRIORITY[,WEIGHT]]"
    )]
    pub(crate) dns_zone: Vec<String>,
    /// The TSIG key that signs updates: a file in BIND's format, closed to other users.
    #[arg(long, env = "MUSTER_KMS_TSIG_KEY", value_name = "FILE")]
    pub(crate) tsig_key: Option<PathBuf>,
    /// This host's full name in DNS [default: the machine's].
    #[arg(long, env = "MUSTER_KMS_HOST_NAME", value_name = "NAME")]
    pub(crate) host_name: Option<String>,
    /// Register these addresses for the host's name too; can be given more than once.
    #[arg(long, value_name = "IP")]
    pub(crate) host_address: Vec<std::net::IpAddr>,
}

/// Arguments of `muster kms serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// An address to listen on; can be given more than once [default: every address, port 1688].
    #[arg(long, env = "MUSTER_KMS_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Serve numbers for Prometheus at http://ADDR/metrics; loopback is enough for an agent [default:
    /// none are served].
    #[arg(long, env = "MUSTER_KMS_METRICS", value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) dns: DnsArgs,
    #[command(flatten)]
    pub(crate) access: AuthorityAccess,
}
