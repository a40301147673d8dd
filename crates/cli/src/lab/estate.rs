//! The servers of the lab: an authority, a DNS server and a KMS host, each as in production, in one
//! process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_authority::serve::{ServeOptions, bind, serve};
use muster_authority::{Authority, Ceremony, KeyOrder};
use muster_host::{Admin, AuthorityAccess, DnsOptions, Options, Ready, RootPin, Status, Table};
use muster_machine::{Machine, clock};
use muster_net::dns::server::LabDns;
use muster_net::dns::{Resolver, SERVICE, TsigKey};
use muster_proto::Refusal;
use muster_proto::ids::ProductId;
use muster_proto::key::{Channel, ProductKey};
use muster_proto::limits::NEW_IDENTITIES_PER_SOURCE_HOUR;
use muster_proto::reason::dns as reasons;
use muster_proto::statement::policy::{Policy, ProductKind};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::machines::write_hardware;
use crate::args::lab::LabArgs;

/// The lab's DNS zone; `.test` is reserved for this (RFC 6761).
const ZONE: &str = "lab.test";
/// Any free port of this machine.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long the host's records may take to appear in DNS.
const PUBLISHED_TRIES: u32 = 200;

/// A product of the lab with what its machines are given.
pub(super) struct LabProduct {
    pub(super) id: ProductId,
    pub(super) kind: ProductKind,
    pub(super) generic: ProductKey,
    pub(super) bundle: Vec<u8>,
}

/// The running servers.
pub(super) struct Estate {
    pub(super) authority: Arc<Authority>,
    pub(super) products: Vec<LabProduct>,
    url: String,
    dns: LabDns,
    admin: Admin,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Result<(), Refusal>>>,
}

impl Estate {
    /// Starts everything and waits until the host can be found.
    pub(super) async fn start(dir: &Path, args: &LabArgs) -> Result<Self, Refusal> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();

        let path = dir.join("authority");
        let now = clock::now();
        let (authority, _) =
            Authority::init(&path, "Lab Publisher", None, Ceremony::Here, now).await?;
        let authority = Arc::new(authority);
        let options = ServeOptions {
            listen: vec![LOOPBACK],
            tls: None,
            insecure_http: false,
        };
        let listener = bind(&options)?;
        let address = listener.addresses().first().copied().unwrap_or(LOOPBACK);
        let (served, until) = (Arc::clone(&authority), stopped.clone());
        tasks.push(tokio::spawn(async move {
            serve(served, listener, Arc::new(clock::now), wait(until))
                .await
                .map(|_| ())
        }));
        let url = format!("http://{address}");

        let products = make_products(&authority, args).await?;
        let key = TsigKey::generate("lab-key")?;
        let dns = LabDns::start(ZONE, LOOPBACK, &key, &dir.join("dns")).await?;
        let (admin, ready) = start_host(dir, args, &authority, &products, &url, &dns, key).await?;
        tasks.push(tokio::spawn(muster_host::serve(ready, wait(stopped))));
        wait_until_published(dns.addr()).await?;
        Ok(Self {
            authority,
            products,
            url,
            dns,
            admin,
            stop,
            tasks,
        })
    }

    /// Where the lab's DNS server answers.
    pub(super) fn dns_address(&self) -> SocketAddr {
        self.dns.addr()
    }

    /// The lab's zone.
    pub(super) fn zone(&self) -> &'static str {
        ZONE
    }

    /// Where the authority answers.
    pub(super) fn authority_url(&self) -> &str {
        &self.url
    }

    /// What the KMS host tells of itself.
    pub(super) async fn host_status(&self) -> Result<Status, Refusal> {
        self.admin.status().await
    }

    /// Stops everything in order.
    pub(super) async fn stop(self) -> Result<(), Refusal> {
        // No receiver left means that every server has ended already.
        let _ = self.stop.send(true);
        for task in self.tasks {
            task.await.unwrap_or(Ok(()))?;
        }
        self.dns.stop().await?;
        self.authority.close().await;
        Ok(())
    }
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone stops the server too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn make_products(authority: &Authority, args: &LabArgs) -> Result<Vec<LabProduct>, Refusal> {
    let now = clock::now();
    let mut products = Vec::new();
    for (kind, machines) in [
        (ProductKind::Client, args.clients),
        (ProductKind::Server, args.servers),
    ] {
        if machines == 0 {
            continue;
        }
        let id: ProductId = format!("lab-{}", kind.name()).parse()?;
        let name = format!("Lab {}", kind.name());
        authority
            .add_product(Policy::new(id.clone(), &name, kind, now), now)
            .await?;
        let order = KeyOrder::new(id.clone(), Channel::GenericVolume);
        let generic = one_key(authority, &order).await?;
        let bundle = authority.bundle(&id, now).await?.encode();
        products.push(LabProduct {
            id,
            kind,
            generic,
            bundle,
        });
    }
    Ok(products)
}

async fn one_key(authority: &Authority, order: &KeyOrder) -> Result<ProductKey, Refusal> {
    let issued = authority.issue_keys(order, clock::now()).await?;
    let key = issued.into_iter().next().map(|issued| issued.key);
    Ok(key.expect("an order for one key gives one"))
}

/// Certifies a host for every product and opens its port.
async fn start_host(
    dir: &Path,
    args: &LabArgs,
    authority: &Authority,
    products: &[LabProduct],
    url: &str,
    dns: &LabDns,
    key: TsigKey,
) -> Result<(Admin, Ready), Refusal> {
    let path = dir.join("kms");
    let machine = Machine::declared(&write_hardware(dir, "kms")?);
    let admin = Admin::open(&path, Some(&Table::Own), machine.clone())?;
    let access = AuthorityAccess {
        url: Some(url.to_owned()),
        ..AuthorityAccess::default()
    };
    let publisher = Admin::publisher(&access).await?;
    let pin = RootPin::Root(authority.root().clone());
    for product in products {
        let order = KeyOrder::new(product.id.clone(), Channel::KmsHost);
        let host_key = one_key(authority, &order).await?;
        admin
            .install_key(&host_key, &publisher, Some(&pin), &access)
            .await?;
    }
    // All machines of a lab come from one address; the limit would take them for a flood.
    let machines = (args.clients + args.servers).max(NEW_IDENTITIES_PER_SOURCE_HOUR);
    admin.set(None, None, Some(machines)).await?;
    let dns = DnsOptions {
        servers: vec![dns.addr()],
        zones: vec![ZONE.parse()?],
        key: Some(key),
        host_name: "kms".to_owned(),
        addresses: vec![LOOPBACK.ip()],
    };
    let options = Options {
        dir: path,
        table: Some(Table::Own),
        listen: vec![LOOPBACK],
        dns,
        machine,
        access,
    };
    Ok((admin, Ready::open(options).await?))
}

/// Asks DNS until the host's record stands.
async fn wait_until_published(server: SocketAddr) -> Result<(), Refusal> {
    let resolver = Resolver::with_server(server)?;
    let name = format!("{SERVICE}.{ZONE}");
    let mut last = Refusal::from(reasons::DNS_NO_RECORD);
    for _ in 0..PUBLISHED_TRIES {
        match resolver.srv(&name).await {
            Ok(records) if !records.is_empty() => return Ok(()),
            Ok(_) => {}
            Err(refusal) => last = refusal,
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err(last)
}
