//! The diagnosis: what `muster kms doctor` sees of a host's directory, its service, its authorities
//! and its zones. It changes nothing but for a file that it writes and removes to try the disk. What
//! the observations mean is `muster_proto::doctor::host`'s to say.

use std::fs::{File, TryLockError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use muster_machine::disk::try_directory;
use muster_net::dns::{Resolver, SERVICE};
use muster_net::http::probe::{self, Spoken};
use muster_net::http::{ClientLimits, Dated};
use muster_proto::authority::answer::Publisher;
use muster_proto::doctor::Report;
use muster_proto::doctor::host::{
    AuthoritySeen, CertificateSeen, PublisherSeen, Seen, ZoneSeen, judge,
};
use muster_proto::doctor::replication::DatabaseSeen;
use muster_proto::host::ClockGuard;
use muster_proto::ids::PublisherId;
use muster_proto::limits::{HTTP_CONNECT_SECONDS, STORE_TRY_BYTES};
use muster_proto::reason::{dns, kms as reasons};
use muster_proto::statement::root::Root;
use muster_proto::time::Timestamp;
use muster_proto::wire::Hello;
use muster_proto::{Reason, Refusal};
use muster_store::kms::{ClientTable, PostgresKms};

use crate::admin::{Admin, accept, client};
use crate::dns::{Zone, ZoneStatus};
use crate::keys::{PublisherKeys, StoredKeys};
use crate::records::DATABASE;
use crate::service::{LOCK, Options};

/// Goes through every step of a host and tells what it saw.
pub async fn doctor(options: &Options) -> Report {
    let disk = options.dir.is_dir();
    let disk = disk.then(|| try_directory(&options.dir, STORE_TRY_BYTES));
    let now = muster_machine::clock::now();
    let nothing = |refusal: Refusal| Seen {
        store: Err(refusal),
        table: None,
        disk: disk.clone(),
        clock: Ok(now),
        now,
        is_serving: false,
        ports: Vec::new(),
        publishers: Vec::new(),
        zones: Vec::new(),
    };
    let admin = Admin::open_existing(
        &options.dir,
        options.table.as_ref(),
        options.machine.clone(),
    );
    let seen = match admin {
        Err(refusal) => nothing(refusal),
        Ok(admin) => match examine(&admin, options).await {
            Err(refusal) => nothing(refusal),
            Ok(seen) => Seen { disk, ..seen },
        },
    };
    judge(&seen)
}

/// What the store and the network say.
///
/// # Errors
/// What the store refuses to read.
async fn examine(admin: &Admin, options: &Options) -> Result<Seen, Refusal> {
    let records = &admin.records;
    records.values.check().await?;
    let database = options.dir.join(DATABASE);
    let bytes = std::fs::metadata(&database).map_or(0, |found| found.len());
    let reference = records.reference();
    let guard = match records.clock_reference().await? {
        Some(stored) => ClockGuard::resume(stored, reference),
        None => ClockGuard::begin(reference),
    };
    let ports = ports(&records.listen().await?, &options.listen).await;
    let visit = Visit {
        options,
        open: ports
            .iter()
            .find(|(_, tried)| tried.is_ok())
            .map(|(addr, _)| *addr),
        now: reference.wall,
    };
    let mut publishers = Vec::new();
    for stored in records.all_keys().await?.1 {
        publishers.push(visit.publisher(&stored).await?);
    }
    Ok(Seen {
        store: Ok(format!("{}: {bytes} bytes, whole", database.display())),
        table: match &records.shared {
            Some(shared) => Some(table(shared).await),
            None => None,
        },
        disk: None,
        clock: guard.check(reference.wall, reference.since_boot),
        now: reference.wall,
        is_serving: is_serving(&options.dir),
        zones: visit
            .zones(&records.zones().await?, port(&ports, options))
            .await,
        ports,
        publishers,
    })
}

/// Whether the server of a shared table answers, and how it replicates.
async fn table(shared: &PostgresKms) -> DatabaseSeen {
    // The tables, too: a server that answers may know nothing of them.
    let answer = async {
        shared.identity().await?;
        shared.replication().await
    };
    DatabaseSeen {
        url: shared.url().to_string(),
        answer: answer.await.map(|found| found.seen()),
    }
}

/// Whether a process holds the directory's lock. It is held for a moment to find out.
fn is_serving(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join(LOCK)) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Connects to where the service listens or last listened, else to where it should.
async fn ports(
    noted: &[String],
    configured: &[SocketAddr],
) -> Vec<(SocketAddr, Result<(), Refusal>)> {
    let noted: Vec<SocketAddr> = noted.iter().filter_map(|addr| addr.parse().ok()).collect();
    let addresses = match noted.is_empty() {
        true => configured,
        false => &noted,
    };
    let reachable: Vec<SocketAddr> = addresses.iter().map(from_here).collect();
    probe::ports(&reachable, Duration::from_secs(HTTP_CONNECT_SECONDS)).await
}

/// Every address of this machine is reached by its loopback address.
fn from_here(addr: &SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

fn port(ports: &[(SocketAddr, Result<(), Refusal>)], options: &Options) -> u16 {
    let noted = ports.first().map(|(addr, _)| addr.port());
    let configured = options.listen.first().map(SocketAddr::port);
    noted.or(configured).unwrap_or_default()
}

/// What is looked at beyond the directory.
struct Visit<'a> {
    options: &'a Options,
    /// Where the service accepts connections.
    open: Option<SocketAddr>,
    now: Timestamp,
}

impl Visit<'_> {
    async fn publisher(&self, stored: &StoredKeys) -> Result<PublisherSeen, Refusal> {
        let root = stored.root()?;
        let keys = match stored.is_certified() {
            true => PublisherKeys::load(stored.clone()),
            false => Err(not_certified(stored)),
        };
        let certificate = keys.and_then(|keys| {
            keys.check_may_sign(self.now)?;
            let named = keys.cert.products.named();
            Ok(CertificateSeen {
                products: named.map(ToString::to_string).collect(),
                issued: keys.cert.issued,
                not_after: keys.cert.not_after,
            })
        });
        let opening = stored.opening.first();
        Ok(PublisherSeen {
            name: root.name().to_owned(),
            last5: stored.installed.iter().map(|it| it.last5.clone()).collect(),
            certificate,
            opening_made: opening.map(|key| Timestamp::from_seconds(key.made)),
            greeting: match stored.is_certified() {
                true => self.greeting(root.publisher(), stored).await,
                false => None,
            },
            authority: self.authority(&root, stored).await,
        })
    }

    /// Whether what answers on the port greets with the certificate that is held here.
    async fn greeting(
        &self,
        publisher: PublisherId,
        stored: &StoredKeys,
    ) -> Option<Result<bool, Refusal>> {
        let open = self.open?;
        let path = format!("/muster/v1/hello/{publisher}");
        let place = open.to_string();
        let answer = probe::look(&[open], &place, &path, ClientLimits::default()).await;
        Some(answer.map(|spoken| match spoken {
            Spoken::Http(Dated { body, .. }) => {
                Hello::decode(&body).is_ok_and(|hello| hello.chain == stored.chain)
            }
            Spoken::Other(_) => false,
        }))
    }

    async fn authority(&self, root: &Root, stored: &StoredKeys) -> Option<AuthoritySeen> {
        let access = &self.options.access;
        let url = access.url.as_deref().or(stored.authority())?;
        let call = async {
            let answer = client(url, access)?.get_dated("/v1/publisher").await?;
            let publisher = Publisher::decode(&accept(answer.status, &answer.body)?)?;
            publisher.verify()?;
            Ok((publisher.root == *root, answer.date))
        };
        let answer: Result<(bool, Option<Timestamp>), Refusal> = call.await;
        let date = answer.as_ref().ok().and_then(|(_, date)| *date);
        Some(AuthoritySeen {
            url: url.to_owned(),
            answer: answer.map(|(is_ours, _)| is_ours),
            date,
        })
    }

    /// The configured zones, and those that the service has registered in.
    async fn zones(&self, noted: &[ZoneStatus], port: u16) -> Vec<ZoneSeen> {
        let dns = &self.options.dns;
        let mut zones: Vec<(Zone, Option<&ZoneStatus>)> = Vec::new();
        for zone in &dns.zones {
            let status = noted.iter().find(|status| status.zone == zone.name);
            zones.push((zone.clone(), status));
        }
        for status in noted.iter().filter(|status| status.state != "withdrawn") {
            if let (false, Ok(zone)) = (
                dns.zones.iter().any(|it| it.name == status.zone),
                status.zone.parse(),
            ) {
                zones.push((zone, Some(status)));
            }
        }
        let mut seen = Vec::new();
        for (zone, status) in zones {
            seen.push(self.zone(&zone, status, port).await);
        }
        seen
    }

    async fn zone(&self, zone: &Zone, status: Option<&ZoneStatus>, port: u16) -> ZoneSeen {
        let records = self.options.dns.records(zone, port);
        // Where the options of the service are not given here, what it noted tells its name.
        let noted = status.and_then(|status| status.written.clone());
        let is_configured = self.options.dns.zones.contains(zone);
        let (target, port) = match noted {
            Some(written) if !is_configured => written,
            _ => (records.target, port),
        };
        let (found, addresses) = match self.resolver(&zone.name).await {
            Err(refusal) => (Err(refusal), Ok(Vec::new())),
            Ok(resolver) => {
                let name = format!("{SERVICE}.{}", zone.name);
                let found = resolver.srv(&name).await.map(|found| {
                    let pair = |record: muster_net::dns::SrvRecord| (record.target, record.port);
                    found.into_iter().map(pair).collect()
                });
                let addresses = resolver.addresses(&target).await;
                let shown = |ips: Vec<IpAddr>| ips.iter().map(ToString::to_string).collect();
                (found, addresses.map(shown))
            }
        };
        ZoneSeen {
            zone: zone.name.clone(),
            wanted: (target, port),
            found,
            addresses,
            last_failure: status.and_then(failure),
        }
    }

    /// Asks the zone's own server: what others still hold of it says nothing about it.
    async fn resolver(&self, zone: &str) -> Result<Resolver, Refusal> {
        let servers = match self.options.dns.servers.as_slice() {
            [] => Resolver::system()?.zone_servers(zone).await?,
            servers => servers.to_vec(),
        };
        let unknown = || Refusal::new(dns::DNS_ZONE_SERVER_UNKNOWN, zone);
        Resolver::with_server(*servers.first().ok_or_else(unknown)?)
    }
}

fn not_certified(stored: &StoredKeys) -> Refusal {
    let detail = match stored.pending {
        Some(_) => "a request waits for the authority's answer",
        None => "no certificate is held",
    };
    Refusal::new(reasons::NOT_CERTIFIED, detail)
}

fn failure(status: &ZoneStatus) -> Option<Refusal> {
    let reason = Reason::find(status.reason.as_deref()?)?;
    Some(Refusal::new(
        reason,
        status.message.clone().unwrap_or_default(),
    ))
}
