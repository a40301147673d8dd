//! `muster kms`: a KMS host, from its product key to its service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use muster_host::{
    Admin, AuthorityAccess, ClientPage, DnsOptions, Enrolled, Options, Ready, Renewal, RootPin,
    Table,
};
use muster_machine::Machine;
use muster_net::dns::{TsigKey, parse_server};
use muster_proto::Refusal;
use muster_proto::authority::answer::Publisher;
use muster_proto::key::ProductKey;
use muster_proto::limits::{ACTIVATION_BYTES_MAX, BUNDLE_BYTES_MAX, ROOT_BYTES_MAX};
use muster_proto::reason::config as reasons;
use muster_proto::statement::root::Root;
use muster_proto::time::Span;
use muster_proto::wire::Bundle;
use serde_json::json;

use super::doctor_show;
use super::kms_show;
use super::service;
use super::watching::watch;
use crate::args::kms::{AuthorityAccess as AccessArgs, DnsArgs, Kms, KmsArgs, KmsDir, ServeArgs};
use crate::config::{self, KMS_PORT, KmsConfig};
use crate::report::{Report, say};
use crate::times;
use crate::{dirs, files};

/// Runs a verb of `muster kms`.
pub(super) async fn run(args: KmsArgs) -> Result<Report, Refusal> {
    let host = Host::open(&args.at)?;
    match args.verb {
        Kms::InstallKey {
            key,
            access,
            root,
            offline,
            out,
        } => {
            let key = ProductKey::parse(&files::key_argument(&key)?)?;
            if offline {
                host.request(&key, root.as_deref(), out.as_deref()).await
            } else {
                host.install(&key, root.as_deref(), &access).await
            }
        }
        Kms::Apply { file } => {
            let answer = files::read(&file, ACTIVATION_BYTES_MAX)?;
            Ok(enrolled_report(&host.admin()?.apply(&answer).await?))
        }
        Kms::Renew { access, out } => host.renew(&access, out.as_deref()).await,
        Kms::RemoveKey { last5 } => {
            host.admin()?.remove_key(&last5).await?;
            let text = format!("Removed the key …{last5}.");
            Ok(Report::new(json!({ "removed": last5 }), text))
        }
        Kms::Serve(args) => serve(host, args).await,
        Kms::Status => Ok(kms_show::status(&host.admin()?.status().await?)),
        Kms::Doctor { dns, access } => {
            let options = host.options(&dns, Vec::new(), &access)?;
            Ok(doctor_show::report(&muster_host::doctor(&options).await))
        }
        Kms::Clients {
            product,
            limit,
            after,
        } => {
            let after = after.map(|id| id.parse()).transpose()?;
            let page = ClientPage {
                product,
                after,
                limit: limit as usize,
            };
            Ok(kms_show::clients(&host.admin()?.clients(&page).await?))
        }
        Kms::Set {
            renewal,
            retry,
            new_identities,
        } => {
            let (renewal, retry) = (interval(renewal)?, interval(retry)?);
            let settings = host.admin()?.set(renewal, retry, new_identities).await?;
            Ok(kms_show::settings(&settings))
        }
        Kms::Retire { dns } => host.retire(&dns).await,
        Kms::DnsRecords { dns } => host.dns_records(&dns).await,
        Kms::ConfirmClock => host.confirm_clock().await,
        Kms::Backup { out } => host.backup(&out).await,
        Kms::Restore { file } => host.restore(&file),
    }
}

/// A host's directory with its configuration and the machine it is on.
struct Host {
    dir: PathBuf,
    config: KmsConfig,
    /// Where it is told to count.
    table: Option<Table>,
    machine: Machine,
}

impl Host {
    fn open(at: &KmsDir) -> Result<Self, Refusal> {
        let config: KmsConfig = config::load(at.config.as_deref(), "kms")?;
        let dir = dirs::role_dir(at.dir.as_deref(), config.dir.as_deref(), "kms");
        // Read here and not by the parser of arguments, which would show the password of a wrong one.
        let table = at.store.as_deref().map(str::parse).transpose()?;
        Ok(Self {
            dir,
            table: table.or_else(|| config.store.clone()),
            config,
            machine: Machine::at(at.sysroot.as_deref()),
        })
    }

    fn admin(&self) -> Result<Admin, Refusal> {
        Admin::open_existing(&self.dir, self.table.as_ref(), self.machine.clone())
    }

    /// For the verbs that make a host where there is none.
    fn make(&self) -> Result<Admin, Refusal> {
        Admin::open(&self.dir, self.table.as_ref(), self.machine.clone())
    }

    fn access(&self, args: &AccessArgs) -> AuthorityAccess {
        AuthorityAccess {
            url: args
                .authority
                .clone()
                .or_else(|| self.config.authority.clone()),
            ca_file: args.ca_file.clone().or_else(|| self.config.ca_file.clone()),
            insecure_http: args.insecure_http,
        }
    }

    /// How the service is run with these arguments.
    fn options(
        &self,
        dns: &DnsArgs,
        listen: Vec<SocketAddr>,
        access: &AccessArgs,
    ) -> Result<Options, Refusal> {
        let listen = match (listen.is_empty(), self.config.listen.is_empty()) {
            (false, _) => listen,
            (true, false) => self.config.listen.clone(),
            (true, true) => vec![SocketAddr::from((
                std::net::Ipv6Addr::UNSPECIFIED,
                KMS_PORT,
            ))],
        };
        Ok(Options {
            dir: self.dir.clone(),
            table: self.table.clone(),
            listen,
            dns: dns_options(dns, &self.config, &self.machine)?,
            machine: self.machine.clone(),
            access: self.access(access),
        })
    }

    async fn install(
        &self,
        key: &ProductKey,
        root: Option<&str>,
        access: &AccessArgs,
    ) -> Result<Report, Refusal> {
        let mut access = self.access(access);
        if access.url.is_none() {
            access.url = self.make()?.known_authority().await?;
        }
        let publisher = Admin::publisher(&access).await?;
        let pin = root.map(root_pin).transpose()?;
        let enrolled = self
            .make()?
            .install_key(key, &publisher, pin.as_ref(), &access)
            .await?;
        let report = enrolled_report(&enrolled);
        Ok(if pin.is_some() {
            report
        } else {
            report.say(pinned_words(&publisher))
        })
    }

    async fn request(
        &self,
        key: &ProductKey,
        root: Option<&str>,
        out: Option<&Path>,
    ) -> Result<Report, Refusal> {
        let need = |what| Refusal::new(reasons::MISUSED, what);
        let out = out.ok_or_else(|| need("--offline needs --out"))?;
        let request = match root {
            Some(bundle) => {
                let bundle = Bundle::decode(&files::read(Path::new(bundle), BUNDLE_BYTES_MAX)?)?;
                self.make()?.request_offline(key, &bundle, None).await?
            }
            None => {
                let known = match self.admin() {
                    Ok(admin) => admin.known_publisher().await?,
                    Err(_) => None,
                };
                // The key is sealed to the publisher's certificate, so that must be at hand.
                let publisher = known.ok_or_else(|| {
                    need("give --root with a policy bundle of the product: the key is sealed to it")
                })?;
                self.make()?.request(key, &publisher, None, None).await?
            }
        };
        files::write(out, &request)?;
        Ok(request_report(&[out.to_path_buf()]))
    }

    async fn retire(&self, dns: &DnsArgs) -> Result<Report, Refusal> {
        let admin = self.admin()?;
        let port = admin.port().await?.unwrap_or(KMS_PORT);
        let dns = dns_options(dns, &self.config, &self.machine)?;
        Ok(kms_show::zones(&admin.retire(&dns, port).await?))
    }

    async fn dns_records(&self, dns: &DnsArgs) -> Result<Report, Refusal> {
        // The records may be asked for before there is a host.
        let port = match self.admin() {
            Ok(admin) => admin.port().await?,
            Err(_) => None,
        };
        let dns = dns_options(dns, &self.config, &self.machine)?;
        Ok(kms_show::records(&dns.lines(port.unwrap_or(KMS_PORT))?))
    }

    async fn backup(&self, out: &Path) -> Result<Report, Refusal> {
        let admin = self.admin()?;
        admin.backup(out).await?;
        let text = format!(
            "Backup written to {}. It holds this host's keys.",
            out.display()
        );
        let shared = admin.shared_table();
        let report = Report::new(json!({ "backup": out, "not_in_it": shared }), text);
        Ok(match shared {
            None => report,
            Some(table) => report.say(format!(
                "note: the machines are counted in {table}; that database needs a backup of its own"
            )),
        })
    }

    fn restore(&self, file: &Path) -> Result<Report, Refusal> {
        Admin::restore(file, &self.dir)?;
        let text = format!("Restored {} into {}.", file.display(), self.dir.display());
        Ok(Report::new(
            json!({ "restored": file, "dir": self.dir }),
            text,
        ))
    }

    async fn confirm_clock(&self) -> Result<Report, Refusal> {
        self.admin()?.confirm_clock().await?;
        let now = times::now();
        let text = format!("The clock is taken to be right: {}.", times::local(now));
        Ok(Report::new(
            json!({ "confirmed_at": times::rfc3339(now) }),
            text,
        ))
    }

    async fn renew(&self, access: &AccessArgs, out: Option<&Path>) -> Result<Report, Refusal> {
        let access = self.access(access);
        let admin = self.admin()?;
        if out.is_none() {
            // The authority tells of newer policies and revocations too, due or not.
            admin.news(&access).await?;
        }
        let outcomes = admin.renew(&access, out.is_some()).await?;
        let mut written = Vec::new();
        let mut lines = Vec::new();
        let mut failed = None;
        for (publisher, outcome) in outcomes {
            match outcome {
                Ok(Renewal::Done(enrolled)) => lines.push(enrolled_text(&enrolled)),
                Ok(Renewal::NotDue(due)) => {
                    lines.push(format!("Not due before {}.", times::local(due)));
                }
                Ok(Renewal::Request(request)) => {
                    let out = out.unwrap_or(Path::new("renewal.request"));
                    // One file for each publisher: the first has the name given.
                    let path = if written.is_empty() {
                        out.to_path_buf()
                    } else {
                        PathBuf::from(format!("{}.{publisher}", out.display()))
                    };
                    files::write(&path, &request)?;
                    written.push(path);
                }
                Err(refusal) => failed = Some(refusal),
            }
        }
        if let Some(refusal) = failed {
            return Err(refusal);
        }
        if written.is_empty() {
            let text = lines.join("\n");
            return Ok(Report::new(json!({ "renewed": lines }), text));
        }
        Ok(request_report(&written))
    }
}

async fn serve(host: Host, args: ServeArgs) -> Result<Report, Refusal> {
    let options = host.options(&args.dns, args.listen, &args.access)?;
    let dns = options.dns.clone();
    let metrics = args.metrics.or(host.config.metrics);
    let ready = Ready::open(options).await?.watched(watch(metrics)?);
    let shutdown = service::shutdown()?;
    service::tell_ready(&ready.addresses());
    if dns.zones.is_empty() {
        hint_records(&dns, &ready);
    }
    muster_host::serve(ready, shutdown).await?;
    Ok(Report::new(json!({ "stopped": true }), ""))
}

/// Without a zone, the records for a hand-kept one are printed.
fn hint_records(dns: &DnsOptions, ready: &Ready) {
    let port = ready.addresses().first().map_or(KMS_PORT, SocketAddr::port);
    let Ok(zone) = "example.com".parse() else {
        return;
    };
    let hand = DnsOptions {
        zones: vec![zone],
        ..dns.clone()
    };
    if let Ok(lines) = hand.lines(port) {
        say("No DNS zone is configured. In a zone kept by hand (here example.com), add:");
        lines.iter().for_each(|line| say(&format!("  {line}")));
    }
}

/// The DNS options of flags over configuration.
fn dns_options(
    args: &DnsArgs,
    config: &KmsConfig,
    machine: &Machine,
) -> Result<DnsOptions, Refusal> {
    let server = match &args.dns_server {
        Some(server) => Some(parse_server(server)?),
        None => config.dns.server,
    };
    let zones = if args.dns_zone.is_empty() {
        config.dns.zones.clone()
    } else {
        let zones = args.dns_zone.iter().map(|zone| zone.parse());
        zones.collect::<Result<_, _>>()?
    };
    let key = args.tsig_key.as_ref().or(config.dns.tsig_key.as_ref());
    let host_name = args
        .host_name
        .clone()
        .or_else(|| config.dns.host_name.clone());
    let addresses = if args.host_address.is_empty() {
        &config.dns.host_addresses
    } else {
        &args.host_address
    };
    Ok(DnsOptions {
        servers: server.into_iter().collect(),
        zones,
        key: key.map(|path| TsigKey::read(path)).transpose()?,
        host_name: host_name
            .or_else(|| machine.host_name())
            .unwrap_or_else(|| "localhost".into()),
        addresses: addresses.clone(),
    })
}

/// Reads `--root FILE|FINGERPRINT`.
pub(super) fn root_pin(text: &str) -> Result<RootPin, Refusal> {
    if let Ok(fingerprint) = text.parse() {
        return Ok(RootPin::Fingerprint(fingerprint));
    }
    Root::decode(&files::read(Path::new(text), ROOT_BYTES_MAX)?).map(RootPin::Root)
}

fn pinned_words(publisher: &Publisher) -> String {
    format!(
        "note: the root of {} was pinned as found; compare its fingerprint with the publisher's:\n  {}",
        publisher.root.name(),
        publisher.root.fingerprint()
    )
}

fn enrolled_text(enrolled: &Enrolled) -> String {
    format!(
        "Certified by {} for {} until {}.",
        enrolled.root.name(),
        enrolled.products.join(", "),
        times::local(enrolled.not_after)
    )
}

fn enrolled_report(enrolled: &Enrolled) -> Report {
    let json = json!({
        "publisher": enrolled.root.publisher().to_string(),
        "name": enrolled.root.name(),
        "root_fingerprint": enrolled.root.fingerprint().to_string(),
        "products": enrolled.products,
        "not_after": times::rfc3339(enrolled.not_after),
    });
    Report::new(json, enrolled_text(enrolled))
}

fn request_report(files: &[PathBuf]) -> Report {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let text = format!("Request written to {}.", names.join(", "));
    Report::new(json!({ "requests": names }), text)
        .say("next: the publisher answers it with `muster authority certify FILE --out ANSWER`;")
        .say("      then: muster kms apply ANSWER")
}

/// `policy` returns to the policy's own interval.
fn interval(text: Option<String>) -> Result<Option<Option<Span>>, Refusal> {
    match text.as_deref() {
        None => Ok(None),
        Some("policy") => Ok(Some(None)),
        Some(span) => span.parse().map(|span| Some(Some(span))),
    }
}
