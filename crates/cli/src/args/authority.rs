//! Arguments of `muster authority`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use muster_proto::ids::{PoolId, ProductId, SiteId};
use muster_proto::key::Channel;
use muster_proto::time::Span;

/// The directory of an authority.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuthorityDir {
    /// The authority's directory [default: /var/lib/muster/authority; without root
    /// ~/.local/share/muster/authority].
    #[arg(long, global = true, env = "MUSTER_AUTHORITY_DIR", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The configuration file [default: /etc/muster/authority.toml].
    #[arg(
        long,
        global = true,
        env = "MUSTER_AUTHORITY_CONFIG",
        value_name = "FILE"
    )]
    pub(crate) config: Option<PathBuf>,
}

/// An authority: its directory and a verb.
#[derive(Debug, Args)]
pub(crate) struct AuthorityArgs {
    #[command(flatten)]
    pub(crate) at: AuthorityDir,
    #[command(subcommand)]
    pub(crate) verb: Authority,
}

/// Verbs of `muster authority`.
#[derive(Debug, Subcommand)]
pub(crate) enum Authority {
    /// The offline root: make it, let it sign, show its fingerprint.
    ///
    /// For a machine that never meets the network. The ceremony: `root init` here makes the secret
    /// file, `root export` the public one; `authority init --offline` on the server writes a
    /// request; `root sign` here answers it; `authority apply` on the server takes the answer in.
    #[command(subcommand)]
    Root(Root),
    /// Make an authority, with a root of its own or under an offline root.
    ///
    /// Without --root a root is made here too: easy, and right for trying and for small publishers.
    /// With --offline, --root and --out a request is written for a root that is kept elsewhere.
    Init {
        /// The publisher's name, as customers read it.
        #[arg(long, value_name = "NAME")]
        publisher: String,
        /// The address by which hosts reach the authority, https://…; they remember it.
        #[arg(long)]
        url: Option<String>,
        /// The root to stand under: with --offline its public file, else its secret file, which
        /// signs here and now.
        #[arg(long, value_name = "FILE")]
        root: Option<PathBuf>,
        /// The root is elsewhere: write a request for it to sign; --root names its public file.
        #[arg(long, requires = "out")]
        offline: bool,
        /// Where to write the request for the root.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        on: StoreServer,
    },
    /// Take in the root's answer to this authority's request.
    Apply {
        /// The root's answer file.
        file: PathBuf,
    },
    /// Make a new issuing key; what the old one signed stays valid.
    Rotate {
        /// Where to write the request, when the root is offline.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// The issuing keys: list, revoke one that has leaked.
    #[command(subcommand)]
    Issuing(Issuing),
    /// Serve hosts in the foreground: plain HTTP on loopback, HTTPS with certificate files.
    ///
    /// It logs to standard output, or to the journal where systemd reads its output.
    Serve {
        #[command(flatten)]
        on: StoreServer,
        /// The address to listen on [default: 127.0.0.1:8443].
        #[arg(long, value_name = "ADDR", env = "MUSTER_AUTHORITY_LISTEN")]
        listen: Option<SocketAddr>,
        /// Serve numbers for Prometheus at http://ADDR/metrics; loopback is enough for an agent
        /// [default: none are served].
        #[arg(long, value_name = "ADDR", env = "MUSTER_AUTHORITY_METRICS")]
        metrics: Option<SocketAddr>,
        /// The TLS certificate chain, PEM.
        #[arg(
            long,
            value_name = "FILE",
            requires = "tls_key",
            env = "MUSTER_AUTHORITY_TLS_CERT"
        )]
        tls_cert: Option<PathBuf>,
        /// The TLS private key, PEM.
        #[arg(
            long,
            value_name = "FILE",
            requires = "tls_cert",
            env = "MUSTER_AUTHORITY_TLS_KEY"
        )]
        tls_key: Option<PathBuf>,
        /// Serve plain HTTP on an address other than loopback.
        #[arg(long)]
        insecure_http: bool,
    },
    /// Go through every step of this authority, and say what was seen.
    ///
    /// Root, secrets, store, disk, clock, issuing key, products and the service. Nothing is changed. Exit
    /// code 0: nothing fails, 1: a step fails; it is named, with what to do next.
    Doctor {
        /// Where the service should answer [default: the URL that init was told, else where it listens].
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// A file of CA certificates (PEM) to trust for it beside the system's.
        #[arg(long, value_name = "FILE")]
        ca_file: Option<PathBuf>,
    },
    /// Products and their signed policies: add, list, show, change, write out.
    #[command(subcommand)]
    Product(Box<Product>),
    /// Product keys: issue, list, show, revoke.
    #[command(subcommand)]
    Key(Key),
    /// Hosts that were certified: list, revoke.
    #[command(subcommand)]
    Host(Host),
    /// Answer the request file of a host that cannot reach the authority.
    Certify {
        /// The host's request file.
        file: PathBuf,
        /// Where to write the answer for the host.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write a backup of the store, and with --with-keys of the secret keys beside it.
    ///
    /// The store alone cannot be used without the files root.pub, product-keys.key, issuing-….key and,
    /// where the root is kept here, root.key: copy them once and after every `rotate`, and keep them
    /// apart. The command names those that it leaves out.
    Backup {
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Copy the key files too, into FILE.keys (mode 700): whoever takes both is this publisher.
        #[arg(long)]
        with_keys: bool,
    },
    /// Put a backup in the place of the store, also while the service runs.
    ///
    /// The directory must hold its key files and root.pub, or --with-keys brings them; what the store
    /// holds now is replaced.
    Restore {
        /// The backup file.
        file: PathBuf,
        /// Put the key files of FILE.keys into the directory first; none there is ever replaced.
        #[arg(long)]
        with_keys: bool,
    },
    /// Go on safely after the database server of the store was brought back to an earlier time.
    ///
    /// Serials, revocation numbers and policy versions that may have been given out since are left
    /// unused, as `restore` does for a store in a file. Run it once, before keys are issued again.
    Restored,
}

/// The database server of an authority's store.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StoreServer {
    /// Keep the store on this PostgreSQL server, postgres://USER@HOST/DATABASE; - reads standard
    /// input, @FILE a file. The directory remembers it [default: as remembered, else the file
    /// authority.db].
    #[arg(
        long,
        env = "MUSTER_AUTHORITY_STORE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
}

/// Verbs of `muster authority issuing`.
#[derive(Debug, Subcommand)]
pub(crate) enum Issuing {
    /// List issuing keys, the oldest first.
    List,
    /// Revoke an issuing key that has leaked, after `rotate` has made another.
    ///
    /// The newest key signs the revocation, and anew every policy that the revoked one signed. Hosts
    /// renew their certificates at their next round or at `muster kms renew`, free of charge; their
    /// machines follow at their next ask.
    Revoke {
        /// The key's thumbprint, or its first digits: see `list`.
        key: String,
    },
}

/// Verbs of `muster authority root`, for a machine that never meets the network.
#[derive(Debug, Subcommand)]
pub(crate) enum Root {
    /// Make the root's keys: the present one and the next.
    Init {
        /// The publisher's name, as customers read it.
        #[arg(long, value_name = "NAME", default_value = "publisher")]
        publisher: String,
        /// Where to write the secret file; keep it offline, with copies.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How many root keys to make; all but the first are for later.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
        keys: u8,
    },
    /// Sign an authority's request; look at it first with `muster inspect`.
    Sign {
        /// The authority's request file.
        request: PathBuf,
        /// The secret root file.
        #[arg(
            long,
            value_name = "FILE",
            env = "MUSTER_ROOT_KEY",
            default_value = "root.key"
        )]
        key: PathBuf,
        /// Which of the root's keys signs, from 1: the next one when the first is lost.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        use_key: usize,
        /// Where to write the answer for the authority.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write the public root file and show its fingerprint.
    Export {
        /// The secret root file; without it, the authority's pinned root is exported.
        #[arg(long, value_name = "FILE", env = "MUSTER_ROOT_KEY")]
        key: Option<PathBuf>,
        /// Where to write the public root file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Verbs of `muster authority product`.
#[derive(Debug, Subcommand)]
pub(crate) enum Product {
    /// Add a product with its policy.
    Add {
        /// The product's id: 1 to 32 of a-z, 0-9, '.', '_' and '-'.
        id: ProductId,
        /// Its name, as people read it.
        #[arg(long)]
        name: String,
        /// What it runs on: decides the default threshold.
        #[arg(long, value_parser = ["client", "server"])]
        kind: String,
        #[command(flatten)]
        policy: Box<PolicyFields>,
    },
    /// List products.
    List,
    /// Show one product and its policy.
    Show {
        /// The product.
        id: ProductId,
    },
    /// Change a product's policy; its version grows by one.
    Set {
        /// The product.
        id: ProductId,
        /// A new name, as people read it.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        policy: Box<PolicyFields>,
    },
    /// Write the signed policy bundle that the product ships with.
    Policy {
        /// The product.
        id: ProductId,
        /// Where to write it [default: PRODUCT.policy].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Fields of a policy; what is not given keeps its value or its default.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PolicyFields {
    /// How many machines must be counted before any is licensed [default: 25 client, 5 server].
    #[arg(long)]
    pub(crate) threshold: Option<u32>,
    /// The pool its machines are counted in [default: the product's id].
    #[arg(long)]
    pub(crate) pool: Option<PoolId>,
    /// How long a machine counts after it last asked [default: 30d].
    #[arg(long, value_name = "SPAN")]
    pub(crate) window: Option<Span>,
    /// How long a lease lasts [default: 180d].
    #[arg(long, value_name = "SPAN")]
    pub(crate) validity: Option<Span>,
    /// How long after its last answer a licensed machine renews, 15m to 30d [default: 7d].
    #[arg(long, value_name = "SPAN")]
    pub(crate) renewal: Option<Span>,
    /// How long after an ask a machine that is not licensed asks again, 15m to 30d [default: 2h].
    #[arg(long, value_name = "SPAN")]
    pub(crate) retry: Option<Span>,
    /// Grace after installation [default: 0s, none].
    #[arg(long, value_name = "SPAN")]
    pub(crate) initial_grace: Option<Span>,
    /// Grace after a lease ran out or the hardware changed [default: 30d].
    #[arg(long, value_name = "SPAN")]
    pub(crate) tolerance_grace: Option<Span>,
    /// Grace after a revocation [default: 30d].
    #[arg(long, value_name = "SPAN")]
    pub(crate) non_genuine_grace: Option<Span>,
    /// Grace that `client rearm` gives [default: 0s, none].
    #[arg(long, value_name = "SPAN")]
    pub(crate) extended_grace: Option<Span>,
    /// Warn this long before a licence ends [default: 30d].
    #[arg(long, value_name = "SPAN")]
    pub(crate) warning: Option<Span>,
    /// Allowed methods, separated by commas: kms, directory, vm, online, confirmation, oem
    /// [default: all].
    #[arg(long, value_delimiter = ',')]
    pub(crate) methods: Option<Vec<String>>,
    /// Only leases of this site satisfy the policy.
    #[arg(long)]
    pub(crate) site: Option<SiteId>,
    /// Products of which one must be licensed too, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) requires_base: Option<Vec<ProductId>>,
    /// How many percent of the machine's readable components must match the lease [default: 50].
    #[arg(long)]
    pub(crate) hardware_percent: Option<u32>,
    /// How many components must be readable at least [default: 1].
    #[arg(long)]
    pub(crate) hardware_floor: Option<u32>,
    /// Refuse hardware declared with --sysroot.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) refuse_declared: Option<bool>,
    /// Count the identities of users beside those of machines.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) count_users: Option<bool>,
    /// Report what is wrong, but never restrict the product.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) advisory: Option<bool>,
}

/// Verbs of `muster authority key`.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Issue product keys, one a line; afterwards they are shown by `key show --reveal` alone.
    Issue {
        /// The product.
        #[arg(long)]
        product: ProductId,
        /// generic (public, for machines), kms-host (for a customer's hosts), mak, vm-host,
        /// vm-guest, retail or oem.
        #[arg(long)]
        channel: Channel,
        /// How many keys.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
        /// How often each host, or the key, may be activated [default: 10 for kms-host].
        #[arg(long)]
        activations: Option<u32>,
        /// How many hosts the key activates [default: 6 for kms-host].
        #[arg(long)]
        hosts: Option<u32>,
        /// The site or customer the key is for.
        #[arg(long)]
        site: Option<SiteId>,
        /// How many machines one host may count [default: 100000].
        #[arg(long, value_name = "N")]
        client_budget: Option<u32>,
    },
    /// List keys by their last five symbols.
    List {
        /// Only this product's.
        #[arg(long)]
        product: Option<ProductId>,
    },
    /// Show one key's limits and use.
    Show {
        /// The last five symbols, or the serial as `key list` shows it.
        key: Option<String>,
        /// Show the whole key of this serial.
        #[arg(long, value_name = "SERIAL")]
        reveal: Option<String>,
    },
    /// Revoke a key: nothing more is granted under it.
    Revoke {
        /// The last five symbols, or the serial as `key list` shows it.
        key: String,
        /// Revoke the hosts that were activated under it too.
        #[arg(long)]
        with_hosts: bool,
    },
}

/// Verbs of `muster authority host`.
#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// List certified hosts.
    List,
    /// Revoke a host and free its place.
    Revoke {
        /// The host's number, as `host list` shows it.
        host: String,
    },
}
