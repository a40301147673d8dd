//! The host's page of metrics. Labels hold reason codes, publishers, pools, products and configured
//! zones: never a client, a machine's name or an address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_net::http::Traffic;
use muster_net::watch::{Histogram, Page};
use muster_proto::host::{Decision, Verdict};
use muster_proto::ids::PublisherId;
use muster_proto::reason::kms as reasons;
use muster_proto::{Reason, Refusal};
use muster_store::kms::PoolStatus;

use crate::dns::ZoneStatus;
use crate::keys::PublisherKeys;
use crate::state::KmsHost;

/// What the running host has answered; a restart begins anew, as Prometheus expects of a counter.
#[derive(Default)]
pub(crate) struct Asks(Mutex<Counts>);

#[derive(Clone, Default)]
struct Counts {
    /// By outcome and reason code.
    asks: BTreeMap<(&'static str, &'static str), u64>,
    new_identities: u64,
    rekey_orders: u64,
    limited: u64,
}

impl Asks {
    /// Counts an ask that got a signed answer.
    pub(crate) fn decided(&self, decision: &Decision) {
        let outcome = match decision.verdict {
            Verdict::Granted { .. } => "granted",
            Verdict::Wait { .. } => "wait",
            Verdict::NewKey { .. } => "new_key",
            Verdict::Refused => "refused",
        };
        let mut counts = self.lock();
        counts.count(outcome, decision.reason);
        counts.new_identities += u64::from(decision.change.audit.is_some());
        counts.rekey_orders += u64::from(outcome == "new_key");
        counts.limited += u64::from(decision.reason == reasons::BUSY);
    }

    /// Counts what got no signed answer.
    pub(crate) fn unanswered(&self, reason: Reason) {
        self.lock().count("unanswered", reason);
    }

    /// A panic while the lock is held leaves the counts whole enough to go on.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn count(&mut self, outcome: &'static str, reason: Reason) {
        *self.asks.entry((outcome, reason.code())).or_default() += 1;
    }

    fn write(&self, page: &mut Page) {
        let asks = self.asks.iter().map(|((outcome, code), count)| {
            let labels = [
                ("outcome", (*outcome).to_owned()),
                ("code", (*code).to_owned()),
            ];
            (labels, *count)
        });
        let help = "Asks by outcome and reason code; unanswered ones got no signed answer";
        page.counters("muster_kms_asks", help, asks);
        let help = "Client identities that were counted for the first time";
        page.counter("muster_kms_new_identities", help, self.new_identities);
        let help = "Orders to make a new key, given to copies of a machine";
        page.counter("muster_kms_rekey_orders", help, self.rekey_orders);
        let help =
            "New identities that were told to wait, because their source had brought too many";
        page.counter("muster_kms_limiter_refusals", help, self.limited);
    }
}

/// What a page is read from.
pub(crate) struct Scrape {
    pub(crate) host: Arc<KmsHost>,
    pub(crate) traffic: Arc<Traffic>,
    /// The zones that are configured.
    pub(crate) zones: Vec<String>,
}

impl Scrape {
    /// The page now. The store is read, a row for each pool; a shared table that does not answer
    /// leaves its counts out.
    pub(crate) async fn page(&self) -> Result<Page, Refusal> {
        let records = &self.host.records;
        let counted = records.table.pools(records.now()).await;
        let answers = counted.is_ok();
        let pools = match counted {
            Err(_) if records.shared.is_some() => Vec::new(),
            counted => counted?,
        };
        let zones = records.zones().await?;
        let mut page = Page::new("kms", env!("CARGO_PKG_VERSION"));
        self.host.asks.lock().clone().write(&mut page);
        let help = "1 while the table of clients answers; asks are refused while it does not";
        page.gauge("muster_kms_store_up", help, u64::from(answers));
        write_pools(&mut page, &pools);
        write_keys(&mut page, &self.host.all_keys());
        self.write_zones(&mut page, &zones);
        let jumped = self.host.trusted_now().is_err();
        let help = "1 while the host signs nothing, because its clock has jumped and nobody has \
                    confirmed it";
        page.gauge(
            "muster_kms_clock_confirmation_pending",
            help,
            u64::from(jumped),
        );
        page.traffic("muster_kms", &self.traffic);
        let work = records.table.work();
        let commits = Histogram {
            buckets: work.buckets().collect(),
            count: work.commits,
            seconds: work.seconds,
        };
        page.store("muster_kms", work.changes, commits);
        Ok(page)
    }

    fn write_zones(&self, page: &mut Page, zones: &[ZoneStatus]) {
        let configured = || {
            let is_configured = |zone: &&ZoneStatus| self.zones.contains(&zone.zone);
            zones.iter().filter(is_configured)
        };
        let label = |zone: &ZoneStatus| [("zone", zone.zone.clone())];
        let stands = configured().map(|zone| (label(zone), u64::from(zone.state == "published")));
        let help = "1 when the last update of a configured zone succeeded";
        page.gauges("muster_kms_dns_zone_published", help, stands);
        let last = configured().filter_map(|zone| Some((label(zone), zone.published_at?)));
        let help = "When the records of a zone were last published";
        let name = "muster_kms_dns_zone_last_success_timestamp_seconds";
        page.gauges(name, help, last);
    }
}

fn write_pools(page: &mut Page, pools: &[PoolStatus]) {
    let label = |pool: &PoolStatus| [of(pool.publisher), ("pool", pool.pool.to_string())];
    let counts = pools
        .iter()
        .map(|pool| (label(pool), u64::from(pool.count)));
    page.gauges("muster_kms_clients", "Client computers counted now", counts);
    let total = pools.iter().map(|pool| (label(pool), pool.requests.total));
    let help = "Asks decided in a pool since the store was made";
    page.counters("muster_kms_pool_asks", help, total);
    let failed = pools.iter().map(|pool| (label(pool), pool.requests.failed));
    let help = "Asks not granted in a pool since the store was made";
    page.counters("muster_kms_pool_asks_failed", help, failed);
}

fn write_keys(page: &mut Page, all: &[Arc<PublisherKeys>]) {
    let each = |value: fn(&PublisherKeys) -> u64| {
        all.iter()
            .map(move |keys| ([of(keys.publisher)], value(keys)))
    };
    let names = all.iter().map(|keys| {
        (
            [of(keys.publisher), ("name", keys.root.name().to_owned())],
            1,
        )
    });
    page.gauges(
        "muster_kms_publisher_info",
        "Publishers served, by name",
        names,
    );
    let thresholds = all.iter().flat_map(|keys| {
        keys.policies.values().map(|policy| {
            let labels = [
                of(keys.publisher),
                ("pool", policy.pool.to_string()),
                ("product", policy.product.to_string()),
            ];
            (labels, u64::from(policy.threshold))
        })
    });
    let help = "Client computers that a product needs in its pool";
    page.gauges("muster_kms_clients_required", help, thresholds);
    let help = "Client computers that the certificate lets the host count";
    let budget = each(|keys| u64::from(keys.cert.client_budget));
    page.gauges("muster_kms_clients_budget", help, budget);
    let help = "When the host's certificate ends";
    let ends = each(|keys| keys.cert.not_after.seconds());
    page.gauges("muster_kms_certificate_end_timestamp_seconds", help, ends);
    let help = "When the present opening key ends; it is replaced a week before";
    let ends = each(|keys| keys.opening_ends().seconds());
    page.gauges("muster_kms_opening_key_end_timestamp_seconds", help, ends);
    let help = "The newest revocation list that the host holds";
    page.gauges(
        "muster_kms_revocation_number",
        help,
        each(|keys| keys.revoked.number()),
    );
}

/// The label of a publisher: its id; `muster_kms_publisher_info` tells its name.
fn of(publisher: PublisherId) -> (&'static str, String) {
    ("publisher", publisher.to_string())
}
