//! The running host: listens, answers, keeps DNS and its own keys fresh, follows what other
//! commands change, and stops in order.

use std::fs::{File, TryLockError};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use muster_machine::Machine;
use muster_net::http::{Listener, Request, Response, ServerLimits, serve as serve_http};
use muster_net::watch::{Alive, Watch, serve_page};
use muster_proto::Refusal;
use muster_proto::host::{Made, Round};
use muster_proto::ids::{ProductId, PublisherId};
use muster_proto::limits::{FOLLOW_SECONDS, SEALED_ASK_BYTES_MAX};
use muster_proto::reason::{config, kms as reasons, store as store_reasons};
use muster_proto::time::Timestamp;
use muster_store::owner;
use tokio::task::JoinHandle;

use crate::admin::{Admin, AuthorityAccess};
use crate::dns::DnsOptions;
use crate::metrics::Scrape;
use crate::records::Records;
use crate::state::KmsHost;
use crate::table::Table;
use crate::unanswered::UnansweredLog;

const CBOR: &str = "application/cbor";
const BYTES: &str = "application/octet-stream";
/// The file in the host's directory whose lock the service holds.
pub(crate) const LOCK: &str = "serve.lock";

/// How a host serves.
#[derive(Clone)]
pub struct Options {
    /// The host's directory.
    pub dir: PathBuf,
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Where it counts its clients; without one, where it did last.
    pub table: Option<Table>,
    /// How it stands in DNS.
    pub dns: DnsOptions,
    /// The machine, for renewals.
    pub machine: Machine,
    /// How authorities are reached.
    pub access: AuthorityAccess,
}

/// A host that is ready to serve: it listens and holds its keys.
pub struct Ready {
    shared: Arc<KmsHost>,
    listener: Listener,
    dns: DnsOptions,
    admin: Admin,
    access: AuthorityAccess,
    watch: Watch,
    /// Held while it serves.
    lock: File,
}

impl Ready {
    /// Opens the directory and the port. Refuses when the host is not certified, the port is taken,
    /// or the store cannot be opened.
    pub async fn open(options: Options) -> Result<Self, Refusal> {
        let records = Records::open(&options.dir, options.table.as_ref())?;
        let lock = lock_service(&options.dir)?;
        let admin = Admin::over(records, options.machine);
        let shared = KmsHost::load(&admin).await?;
        if shared.publishers() == 0 {
            return Err(reasons::NOT_CERTIFIED.into());
        }
        let listener = Listener::bind(&options.listen)?;
        let addresses: Vec<String> = listener
            .addresses()
            .iter()
            .map(ToString::to_string)
            .collect();
        let (records, now) = (&shared.records, shared.records.now());
        records.put_table(now).await?;
        records.put_listen(&addresses, now).await?;
        let zones = options.dns.zones.iter().map(|zone| zone.name.as_str());
        records
            .put_configured_zones(&zones.collect::<Vec<_>>(), now)
            .await?;
        let shared = Arc::new(shared);
        Ok(Self {
            shared,
            listener,
            dns: options.dns,
            admin,
            access: options.access,
            watch: Watch::default(),
            lock,
        })
    }

    /// The same host, watched.
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listener.addresses()
    }
}

/// Serves until `shutdown` comes: then no connection is taken any more, what is under way is
/// answered, and the store is closed. DNS records stay; only `retire` withdraws them.
///
/// # Errors
/// `STOPPED` when the store no longer trusts its disk: whoever supervises the host starts it anew.
pub async fn serve(ready: Ready, shutdown: impl Future<Output = ()>) -> Result<(), Refusal> {
    let Ready {
        shared,
        listener,
        dns,
        admin,
        access,
        watch,
        lock,
    } = ready;
    let scrape = Scrape {
        host: Arc::clone(&shared),
        traffic: listener.traffic(),
        zones: dns.zones.iter().map(|zone| zone.name.clone()).collect(),
    };
    let metrics = watch.page.map(|page| tokio::spawn(publish(page, scrape)));
    let port = listener.addresses().first().map_or(0, SocketAddr::port);
    let rounds = [
        tokio::spawn(follow(Arc::clone(&shared), watch.alive)),
        tokio::spawn(keep_up(Arc::clone(&shared))),
        tokio::spawn(refresh(Arc::clone(&shared), admin, access)),
        tokio::spawn(register(Arc::clone(&shared), dns, port)),
    ];
    let limits = ServerLimits {
        body_bytes_max: SEALED_ASK_BYTES_MAX,
        ..ServerLimits::default()
    };
    let (routed, watched) = (Arc::clone(&shared), Arc::clone(&shared));
    let unanswered = Arc::new(UnansweredLog::default());
    let served = serve_http(
        listener,
        limits,
        move |request| route(Arc::clone(&routed), Arc::clone(&unanswered), request),
        async move {
            tokio::select! {
                () = shutdown => {}
                () = watched.store_ended() => {}
            }
        },
    );
    let report = served.await;
    rounds.iter().chain(&metrics).for_each(JoinHandle::abort);
    shared.records.close().await?;
    drop(lock);
    let report = report?;
    tracing::info!(connections = report.connections, "the host has stopped");
    if shared.has_store_ended() {
        return Err(store_reasons::STOPPED.into());
    }
    Ok(())
}

/// One process serves a directory: two would each have a limiter of their own. The lock goes with
/// the process, however it ends.
fn lock_service(dir: &Path) -> Result<File, Refusal> {
    let path = dir.join(LOCK);
    let unwritable = |error: std::io::Error| {
        Refusal::new(
            config::FILE_UNWRITABLE,
            format!("{}: {error}", path.display()),
        )
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.map_err(unwritable)?;
    owner::give(&file, dir).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Refusal::new(
            reasons::ALREADY_SERVING,
            dir.display().to_string(),
        )),
        Err(TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

async fn route(shared: Arc<KmsHost>, log: Arc<UnansweredLog>, request: Request) -> Response {
    let method = request.method().as_str();
    let path = request
        .path()
        .strip_prefix("/muster/v1/")
        .unwrap_or_default();
    match (method, path.split_once('/').unwrap_or((path, ""))) {
        ("POST", ("ask", "")) => ask(&shared, &log, &request).await,
        ("GET", ("hello", publisher)) => hello(&shared, publisher),
        ("GET", ("policy", rest)) => policy(&shared, rest),
        ("GET", ("revocations", publisher)) => revocations(&shared, publisher, request.query()),
        _ => Response::text(
            404,
            "this is a muster KMS host; there is nothing at this path\n",
        ),
    }
}

async fn ask(shared: &KmsHost, log: &UnansweredLog, request: &Request) -> Response {
    match shared.answer(request.peer.ip(), &request.body).await {
        Ok(sealed) => Response::new(200, BYTES, sealed),
        Err(unanswered) => {
            shared.asks.unanswered(unanswered.refusal.reason);
            log.take(request.peer.ip(), &unanswered);
            Response::text(unanswered.status, format!("{}\n", unanswered.refusal))
        }
    }
}

fn hello(shared: &KmsHost, publisher: &str) -> Response {
    match PublisherId::from_str(publisher)
        .ok()
        .and_then(|id| shared.hello(&id))
    {
        Some(hello) => Response::new(200, CBOR, hello),
        None => unknown_publisher(),
    }
}

fn policy(shared: &KmsHost, rest: &str) -> Response {
    let found = rest.split_once('/').and_then(|(publisher, product)| {
        let keys = shared.keys_of(&publisher.parse().ok()?)?;
        keys.bundles
            .get(&product.parse::<ProductId>().ok()?)
            .cloned()
    });
    match found {
        Some(bundle) => Response::new(200, CBOR, bundle),
        None => Response::text(404, format!("{}\n", reasons::PRODUCT_UNKNOWN)),
    }
}

fn revocations(shared: &KmsHost, publisher: &str, query: Option<&str>) -> Response {
    let Some(keys) = PublisherId::from_str(publisher)
        .ok()
        .and_then(|id| shared.keys_of(&id))
    else {
        return unknown_publisher();
    };
    let from = query
        .and_then(|query| query.strip_prefix("from="))
        .and_then(|n| n.parse().ok());
    match keys.revocations_after(from.unwrap_or(0)) {
        Some(delta) => Response::new(200, CBOR, delta),
        None => Response::new(204, CBOR, Vec::new()),
    }
}

fn unknown_publisher() -> Response {
    Response::text(404, format!("{}\n", reasons::UNKNOWN_PUBLISHER))
}

/// Serves the page of metrics.
async fn publish(page: Listener, scrape: Scrape) {
    let scrape = Arc::new(scrape);
    let read = move || {
        let scrape = Arc::clone(&scrape);
        async move { scrape.page().await }
    };
    if let Err(refusal) = serve_page(page, read).await {
        tracing::error!(code = refusal.reason.code(), "metrics: {refusal}");
    }
}

/// Follows what other commands change in the directory. It reads the store each time, so its sign of
/// life tells that the service and its store go on.
async fn follow(shared: Arc<KmsHost>, alive: Option<Alive>) {
    let mut look = looks();
    loop {
        look.tick().await;
        told(shared.follow().await.map(|_| ()));
        Watch::beat(alive.as_ref());
    }
}

/// Makes a round whenever it is due. `make` tells whether it did all it should.
async fn make_rounds<F: Future<Output = bool>>(
    shared: &KmsHost,
    round: Round,
    make: impl Fn(Timestamp) -> F,
) {
    let started = shared.records.now();
    let mut last = None;
    let mut look = looks();
    loop {
        look.tick().await;
        let now = shared.records.now();
        if round.is_due(started, last, now) {
            let is_done = make(now).await;
            last = Some(Made { at: now, is_done });
        }
    }
}

/// Looks every second; those that were missed, because the machine slept, are not made up for.
fn looks() -> tokio::time::Interval {
    let mut looks = tokio::time::interval(Duration::from_secs(FOLLOW_SECONDS));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    looks
}

/// What time brings: opening keys are replaced, the clock is noted.
async fn keep_up(shared: Arc<KmsHost>) {
    let make = |_| async { told(shared.upkeep().await) };
    make_rounds(&shared, Round::UPKEEP, make).await;
}

/// Registers in every zone.
async fn register(shared: Arc<KmsHost>, dns: DnsOptions, port: u16) {
    if dns.zones.is_empty() {
        return;
    }
    let (shared, dns) = (&*shared, &dns);
    let make = |now| async move {
        let before = shared.records.zones().await.unwrap_or_default();
        let (zones, made) = dns.publish(port, &before, now).await;
        told(shared.records.put_zones(&zones, now).await);
        made.is_done
    };
    make_rounds(shared, Round::REGISTRATION, make).await;
}

/// Asks the authorities.
async fn refresh(shared: Arc<KmsHost>, admin: Admin, access: AuthorityAccess) {
    let make = |_| async { told(admin.refresh(&access).await) };
    make_rounds(&shared, Round::REFRESH, make).await;
}

/// Whether something succeeded; what failed is told in the log.
fn told(outcome: Result<(), Refusal>) -> bool {
    if let Err(refusal) = &outcome {
        tracing::warn!(code = refusal.reason.code(), "{refusal}");
    }
    outcome.is_ok()
}
