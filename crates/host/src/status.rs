//! What `muster kms status` and `muster kms clients` tell.

use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::host::ClientKey;
use muster_proto::ids::{ClientId, ProductId, PublisherId, Thumbprint};
use muster_proto::limits::CERT_WARNING_DAYS;
use muster_proto::reason::kms as reasons;
use muster_proto::statement::cert::Cert;
use muster_proto::statement::root::Root;
use muster_proto::time::{Span, Timestamp};
use muster_store::kms as store;

use crate::dns::ZoneStatus;
use crate::keys::{PublisherKeys, StoredKeys};
use crate::records::Records;
use crate::records::Settings;

/// Everything about the host.
#[derive(Debug)]
pub struct Status {
    /// Where the service listens or last listened.
    pub listen: Vec<String>,
    /// Where the clients are counted.
    pub table: TableStatus,
    /// Counts by pool; none while a shared table does not answer.
    pub pools: Vec<PoolStatus>,
    /// Installed host product keys with their certificates.
    pub keys: Vec<KeyStatus>,
    /// What became of the last DNS updates of the zones that are configured.
    pub dns: Vec<ZoneStatus>,
    /// The administrator's settings.
    pub settings: Settings,
    /// What needs an administrator now.
    pub warnings: Vec<Refusal>,
}

/// Where the clients are counted.
#[derive(Debug)]
pub struct TableStatus {
    /// `own`, or the URL without its password.
    pub name: String,
    /// Whether other hosts may count there too.
    pub is_shared: bool,
    /// Whether it answers.
    pub answers: bool,
}

/// One count pool.
#[derive(Debug)]
pub struct PoolStatus {
    /// The publisher.
    pub publisher: PublisherId,
    /// The pool.
    pub pool: String,
    /// Machines counted now.
    pub count: u32,
    /// Products in the pool with the count each needs.
    pub products: Vec<(String, u32)>,
    /// Asks answered.
    pub total: u64,
    /// Asks not granted.
    pub failed: u64,
    /// Asks by the licence state that the machine was in.
    pub by_state: Vec<(LicenceState, u64)>,
}

/// One publisher's host keys and certificate.
#[derive(Debug)]
pub struct KeyStatus {
    /// The publisher's id and name.
    pub publisher: PublisherId,
    /// The publisher's display name.
    pub name: String,
    /// The root's fingerprint.
    pub fingerprint: String,
    /// Last five symbols of the installed keys.
    pub last5: Vec<String>,
    /// Products the host is certified for.
    pub products: Vec<String>,
    /// The site.
    pub site: Option<String>,
    /// Machines the certificate lets the host count.
    pub client_budget: Option<u32>,
    /// The certificate's name, as the authority lists it.
    pub certificate: Option<Thumbprint>,
    /// Until when the certificate is valid.
    pub not_after: Option<Timestamp>,
    /// Whether a request waits for its answer.
    pub is_pending: bool,
    /// Where the authority is.
    pub authority: Option<String>,
}

/// Which clients to list.
#[derive(Clone, Debug, Default)]
pub struct ClientPage {
    /// Only clients counted for this product.
    pub product: Option<ProductId>,
    /// Only clients after this one.
    pub after: Option<ClientId>,
    /// At most this many.
    pub limit: usize,
}

/// One client computer in one pool.
#[derive(Debug)]
pub struct ClientLine {
    /// The client, with its publisher.
    pub client: ClientKey,
    /// The pool it is counted in; none when it was succeeded and has not asked since.
    pub pool: Option<String>,
    /// When it first asked.
    pub first_seen: Timestamp,
    /// When it last asked.
    pub last_seen: Timestamp,
    /// Until when it counts.
    pub counts_until: Option<Timestamp>,
    /// The licence state it reported last.
    pub state: LicenceState,
}

pub(crate) async fn read(records: &Records, now: Timestamp) -> Result<Status, Refusal> {
    let mut keys = Vec::new();
    let mut warnings = Vec::new();
    let mut products = Vec::new();
    for stored in records.all_keys().await?.1 {
        let root = stored.root()?;
        let loaded = PublisherKeys::load(stored.clone());
        let certified = loaded.as_ref().ok();
        let cert = certified.map(|keys| &keys.cert);
        if let Some(end) = cert
            .map(|cert| cert.not_after)
            .filter(|end| end.since(now) < Span::from_days(CERT_WARNING_DAYS))
        {
            let detail = format!("{}: {} left", root.name(), end.since(now));
            warnings.push(Refusal::new(reasons::CERTIFICATE_ENDS, detail));
        }
        if let Ok(keys) = &loaded {
            warnings.extend(keys.check_may_sign(now).err());
            let policies = keys.policies.values();
            products.extend(policies.map(|p| {
                (
                    keys.publisher,
                    p.pool.clone(),
                    p.product.to_string(),
                    p.threshold,
                )
            }));
        }
        if let Err(refusal) = &loaded
            && stored.is_certified()
        {
            warnings.push(refusal.clone());
        }
        keys.push(key_status(&stored, &root, certified));
    }
    let pool = |pool: store::PoolStatus| PoolStatus {
        products: products
            .iter()
            .filter(|(publisher, name, ..)| *publisher == pool.publisher && *name == pool.pool)
            .map(|(_, _, product, threshold)| (product.clone(), *threshold))
            .collect(),
        publisher: pool.publisher,
        pool: pool.pool.to_string(),
        count: pool.count,
        total: pool.requests.total,
        failed: pool.requests.failed,
        by_state: LicenceState::ALL
            .into_iter()
            .zip(pool.requests.by_state)
            .collect(),
    };
    let dns = zones(records, &mut warnings).await?;
    let (table, counted) = counted(records, now, &mut warnings).await?;
    Ok(Status {
        listen: records.listen().await?,
        table,
        pools: counted.into_iter().map(pool).collect(),
        keys,
        dns,
        settings: records.settings().await?,
        warnings,
    })
}

/// The table and its pools. While a shared one does not answer there are none: the rest of a status
/// is the host's own, and an administrator needs it then.
async fn counted(
    records: &Records,
    now: Timestamp,
    warnings: &mut Vec<Refusal>,
) -> Result<(TableStatus, Vec<store::PoolStatus>), Refusal> {
    let counted = records.table.pools(now).await;
    let table = TableStatus {
        name: records.named.to_string(),
        is_shared: records.shared.is_some(),
        answers: counted.is_ok(),
    };
    let pools = match counted {
        Err(refusal) if table.is_shared => {
            warnings.push(refusal);
            Vec::new()
        }
        counted => counted?,
    };
    Ok((table, pools))
}

/// The zones that are configured. Records that stand in others are named once, together.
async fn zones(records: &Records, warnings: &mut Vec<Refusal>) -> Result<Vec<ZoneStatus>, Refusal> {
    let all = records.zones().await?;
    let Some(configured) = records.configured_zones().await? else {
        return Ok(all);
    };
    let (dns, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|zone| configured.contains(&zone.zone));
    let left: Vec<String> = others
        .into_iter()
        .filter(ZoneStatus::may_stand)
        .map(|zone| zone.zone)
        .collect();
    if !left.is_empty() {
        warnings.push(Refusal::new(reasons::RECORDS_LEFT, left.join(", ")));
    }
    Ok(dns)
}

fn key_status(stored: &StoredKeys, root: &Root, keys: Option<&PublisherKeys>) -> KeyStatus {
    let cert = keys.map(|keys| &keys.cert);
    let products = cert.map(|cert| cert.products.named().map(ToString::to_string).collect());
    let installed = stored.installed.iter();
    KeyStatus {
        publisher: root.publisher(),
        name: root.name().to_owned(),
        fingerprint: root.fingerprint().to_string(),
        last5: installed.map(|key| key.last5.clone()).collect(),
        products: products.unwrap_or_default(),
        site: cert.and_then(Cert::site).map(ToString::to_string),
        client_budget: cert.map(|cert| cert.client_budget),
        certificate: keys.map(PublisherKeys::audience),
        not_after: cert.map(|cert| cert.not_after),
        is_pending: stored.pending.is_some(),
        authority: stored.authority.clone(),
    }
}

/// One page of clients, a line for each pool that a client is counted in.
pub(crate) async fn clients(
    records: &Records,
    page: &ClientPage,
    now: Timestamp,
) -> Result<Vec<ClientLine>, Refusal> {
    let pools = records.table.pools(now).await?;
    let mut wanted = Vec::new();
    if let Some(product) = &page.product {
        for stored in records.all_keys().await?.1 {
            let keys = PublisherKeys::load(stored)?;
            let pool = keys.policies.get(product).map(|policy| policy.pool.clone());
            let numbers = pools.iter().filter(|known| {
                known.publisher == keys.publisher && Some(&known.pool) == pool.as_ref()
            });
            wanted.extend(numbers.map(|known| known.number));
        }
        if wanted.is_empty() {
            return Err(Refusal::new(reasons::PRODUCT_UNKNOWN, product.to_string()));
        }
    }
    let asked = store::ClientPage {
        publisher: None,
        pools: wanted.clone(),
        after: page.after,
        limit: page.limit,
    };
    let mut lines = Vec::new();
    for entry in records.table.clients(asked).await? {
        let row = &entry.row;
        let line = |pool: Option<String>, until: Option<Timestamp>| ClientLine {
            client: entry.key,
            pool,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            counts_until: until,
            state: row.state,
        };
        let seats = row
            .seats
            .iter()
            .filter(|seat| wanted.is_empty() || wanted.contains(&seat.pool));
        let before = lines.len();
        for seat in seats {
            let name = pools.iter().find(|known| known.number == seat.pool);
            let until = Timestamp::from_seconds(u64::from(seat.until_hour) * 3_600);
            lines.push(line(name.map(|known| known.pool.to_string()), Some(until)));
        }
        if lines.len() == before && wanted.is_empty() {
            lines.push(line(None, None));
        }
    }
    Ok(lines)
}
