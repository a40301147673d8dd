//! Product keys: issued, listed, shown, revoked. The store keeps serials; the keys themselves are
//! made from the authority's secret whenever they are needed.

use std::ops::RangeInclusive;

use muster_proto::Refusal;
use muster_proto::authority::{KeyId, KeyRow};
use muster_proto::ids::{ProductId, SiteId};
use muster_proto::key::{Channel, Last5, ProductKey};
use muster_proto::limits::{
    HOST_CLIENT_BUDGET_DEFAULT, HOST_KEY_ACTIVATIONS_DEFAULT, HOST_KEY_HOSTS_DEFAULT,
    KEY_LIMIT_MAX, KEYS_ISSUED_AT_ONCE_MAX, LIST_ROWS_MAX,
};
use muster_proto::reason::authority as reasons;
use muster_proto::time::Timestamp;
use muster_store::authority::{AuthorityStore, KeyReport, Tables, key_report, ops};

use crate::Authority;

/// The site of keys and hosts when none is named.
const SITE_DEFAULT: &str = "default";

/// Serials listed when the last five symbols are ambiguous.
const AMBIGUOUS_LISTED_MAX: usize = 20;

/// What keys to issue. [`KeyOrder::new`] holds every default.
#[derive(Clone, Debug)]
pub struct KeyOrder {
    /// The product.
    pub product: ProductId,
    /// The channel.
    pub channel: Channel,
    /// How many keys, 1 to 100,000.
    pub count: u32,
    /// Machines a key activates: 6 for a host key, else 1; keys that open nothing have none.
    pub hosts: Option<u32>,
    /// Activations of each machine: 10 for a host key, else 1; keys that open nothing have none.
    pub activations: Option<u32>,
    /// The site or customer: `default`.
    pub site: Option<SiteId>,
    /// Clients one host may count: 100,000, at most what the issuing certificate grants.
    pub client_budget: Option<u32>,
}

impl KeyOrder {
    /// An order of one key with every default.
    pub fn new(product: ProductId, channel: Channel) -> Self {
        Self {
            product,
            channel,
            count: 1,
            hosts: None,
            activations: None,
            site: None,
            client_budget: None,
        }
    }

    /// Hosts and activations of each.
    fn limits(&self) -> Result<(u32, u32), Refusal> {
        let (hosts, activations) = match self.channel {
            Channel::KmsHost | Channel::VmHost => {
                (HOST_KEY_HOSTS_DEFAULT, HOST_KEY_ACTIVATIONS_DEFAULT)
            }
            Channel::Mak | Channel::Retail | Channel::Oem => (1, 1),
            Channel::GenericVolume | Channel::VmGuest => {
                if self.hosts.or(self.activations).is_some() {
                    let detail = format!("{} keys are public and have no limits", self.channel);
                    return Err(Refusal::new(reasons::KEY_COUNT, detail));
                }
                return Ok((0, 0));
            }
        };
        Ok((
            within("hosts", self.hosts.unwrap_or(hosts), 1..=KEY_LIMIT_MAX)?,
            within(
                "activations",
                self.activations.unwrap_or(activations),
                1..=KEY_LIMIT_MAX,
            )?,
        ))
    }
}

fn within(what: &str, value: u32, bounds: RangeInclusive<u32>) -> Result<u32, Refusal> {
    if bounds.contains(&value) {
        return Ok(value);
    }
    let detail = format!("{what} must be {} to {}", bounds.start(), bounds.end());
    Err(Refusal::new(reasons::KEY_COUNT, detail))
}

/// A key that was just issued: the one time it is shown without being asked for by serial.
#[derive(Clone, Debug)]
pub struct IssuedKey {
    /// Its serial.
    pub id: KeyId,
    /// The key.
    pub key: ProductKey,
    /// The product.
    pub product: ProductId,
}

impl<S: AuthorityStore> Authority<S> {
    /// Issues product keys.
    ///
    /// # Errors
    /// `PRODUCT_UNKNOWN`, `KEY_COUNT`, `SERIALS_SPENT`.
    pub async fn issue_keys(
        &self,
        order: &KeyOrder,
        now: Timestamp,
    ) -> Result<Vec<IssuedKey>, Refusal> {
        let count = within("count", order.count, 1..=KEYS_ISSUED_AT_ONCE_MAX)?;
        let (hosts_max, activations_max) = order.limits()?;
        let budget = order.client_budget.unwrap_or(HOST_CLIENT_BUDGET_DEFAULT);
        let client_budget = within("client budget", budget, 1..=u32::MAX)?;
        let site = match &order.site {
            Some(site) => site.clone(),
            None => SITE_DEFAULT.parse()?,
        };
        let (product, channel) = (order.product.clone(), order.channel);
        let reserve = move |tables: &mut dyn Tables| {
            let group = ops::product(tables, &product)?.group;
            let first = ops::reserve_serials(tables, channel, group, count)?;
            Ok((group, first))
        };
        let (group, first) = self.store.change(reserve).await?;
        let publisher = self.publisher_id();
        let mut issued = Vec::with_capacity(count as usize);
        let mut rows = Vec::with_capacity(count as usize);
        for serial in (first..=u32::MAX).take(count as usize) {
            let key = self.ring.issue(&publisher.0, channel, group, serial);
            let id = KeyId {
                channel,
                group,
                serial,
            };
            rows.push(KeyRow {
                id,
                last5: key.last5(),
                product: order.product.clone(),
                site: site.clone(),
                hosts_max,
                activations_max,
                client_budget,
                issued: now,
                revoked: None,
            });
            let product = order.product.clone();
            issued.push(IssuedKey { id, key, product });
        }
        self.store
            .change(move |tables| ops::add_keys(tables, &rows, now))
            .await?;
        Ok(issued)
    }

    /// Keys after a serial, of one product or of all, at most `limit` and never more than a page.
    pub async fn keys(
        &self,
        product: Option<&ProductId>,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyReport>, Refusal> {
        let product = product.cloned();
        let read = move |tables: &mut dyn Tables| {
            let rows = tables.keys(product.as_ref(), after, limit.min(LIST_ROWS_MAX))?;
            rows.into_iter()
                .map(|row| key_report(tables, row))
                .collect()
        };
        self.store.view(read).await
    }

    /// A key by its last five symbols, its serial (`kms-host/1/17`) or the whole key.
    ///
    /// # Errors
    /// `KEY_NOT_FOUND`, `KEY_AMBIGUOUS` with the serials, `SELECTOR_WRONG`.
    pub async fn key(&self, selector: &str) -> Result<KeyReport, Refusal> {
        let selector = self.selector(selector)?;
        let read = move |tables: &mut dyn Tables| {
            let row = select(tables, &selector)?;
            key_report(tables, row)
        };
        self.store.view(read).await
    }

    /// The whole key of a serial. The caller shows it to whoever may see it and keeps it nowhere.
    ///
    /// # Errors
    /// `KEY_NOT_FOUND`.
    pub async fn reveal_key(&self, id: KeyId) -> Result<ProductKey, Refusal> {
        self.key(&id.to_string()).await?;
        let publisher = self.publisher_id();
        Ok(self
            .ring
            .issue(&publisher.0, id.channel, id.group, id.serial))
    }

    /// Revokes a key: nothing more is granted under it, and renewals leave its product out. Hosts
    /// that it activated keep their certificates unless they are revoked with it.
    ///
    /// # Errors
    /// As [`Authority::key`].
    pub async fn revoke_key(
        &self,
        selector: &str,
        with_hosts: bool,
        now: Timestamp,
    ) -> Result<KeyReport, Refusal> {
        let selector = self.selector(selector)?;
        let revoke = move |tables: &mut dyn Tables| {
            let id = select(tables, &selector)?.id;
            ops::revoke_key(tables, id, with_hosts, now)?;
            let row = select(tables, &Selector::Serial(id))?;
            key_report(tables, row)
        };
        let report = self.store.change(revoke).await?;
        if with_hosts {
            self.deltas(now).await?;
        }
        Ok(report)
    }

    fn selector(&self, text: &str) -> Result<Selector, Refusal> {
        if text.contains('/') {
            return text.parse().map(Selector::Serial);
        }
        if let Ok(last5) = text.parse() {
            return Ok(Selector::Last5(last5));
        }
        let key = ProductKey::parse(text).map_err(|_| Refusal::from(reasons::SELECTOR_WRONG))?;
        let fields = self.ring.open(&self.publisher_id().0, &key)?;
        Ok(Selector::Serial(fields.into()))
    }
}

enum Selector {
    Last5(Last5),
    Serial(KeyId),
}

fn select(tables: &dyn Tables, selector: &Selector) -> Result<KeyRow, Refusal> {
    let not_found = |what: String| Refusal::new(reasons::KEY_NOT_FOUND, what);
    let last5 = match selector {
        Selector::Serial(id) => return tables.key(*id)?.ok_or_else(|| not_found(id.to_string())),
        Selector::Last5(last5) => *last5,
    };
    let mut rows = tables.keys_ending(last5, AMBIGUOUS_LISTED_MAX)?;
    match (rows.len(), rows.pop()) {
        (1, Some(row)) => Ok(row),
        (_, None) => Err(not_found(last5.to_string())),
        (_, Some(last)) => {
            rows.push(last);
            let serials: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
            Err(Refusal::new(reasons::KEY_AMBIGUOUS, serials.join(", ")))
        }
    }
}
