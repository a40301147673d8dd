//! The `identity` file: what this machine asks with, and what cannot be had back by asking. It is
//! the service's alone (mode 0600) and holds the secrets: client keys and product keys.

use std::collections::BTreeMap;

use ciborium::value::Value;
use zeroize::{Zeroize, Zeroizing};

use crate::cbor::{self, MapReader, MapWriter};
use crate::crypto::{PublicKey, SecretKey};
use crate::ids::{Nonce, ProductId, PublisherId, SiteId, StoreId};
use crate::key::ProductKey;
use crate::limits::{
    CLIENT_PUBLISHERS_MAX, CONFIGURED_HOSTS_MAX, HOST_BYTES_MAX, ID_BYTES_MAX, PRODUCTS_MAX,
    REKEY_ORDERS_MAX, TICKETS_MAX,
};
use crate::reason::{Refusal, statement as reasons};
use crate::statement::ask::{Predecessor, Ticket};
use crate::statement::policy::Method;
use crate::statement::root::Root;
use crate::time::Timestamp;

use super::discover::HostAddr;
use super::files::IDENTITY;
use super::state_codec::{in_order, missing, time};

/// Everything in the file.
///
/// *Warning:* this is a stored format, see [`super::files`]; change it only with a new version.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// What the administrator set.
    pub settings: Settings,
    /// One identity for each publisher.
    pub publishers: BTreeMap<PublisherId, Own>,
}

/// What the administrator set; it outlives a lost state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Hosts for every publisher.
    pub hosts: Vec<HostAddr>,
    /// The domain in which hosts are looked up first.
    pub domain: Option<String>,
    /// The one method allowed; none allows all.
    pub method: Option<Method>,
    /// The one site whose hosts may serve this machine.
    pub site: Option<SiteId>,
    /// Whether the machine's name goes into its asks.
    pub tell_name: bool,
}

/// This machine's identity for one publisher.
#[derive(Clone)]
pub struct Own {
    /// The pinned root, so that a lost state can be rebuilt by asking.
    pub root: Root,
    /// The key that leases are bound to.
    pub key: SecretKey,
    /// The key that asks instead, once a host ordered a new one.
    pub successor: Option<Successor>,
    /// What the asking key holds of each store it has met, the newest last.
    pub stores: Vec<AtStore>,
    /// Orders to make a new key that were obeyed, the oldest first.
    pub orders: Vec<Obeyed>,
    /// Hosts for this publisher.
    pub hosts: Vec<HostAddr>,
    /// The products installed.
    pub products: BTreeMap<ProductId, OwnProduct>,
}

/// What is kept for one product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnProduct {
    /// The product key; none after a lost identity was made anew.
    pub key: Option<ProductKey>,
    /// Hosts for this product.
    pub hosts: Vec<HostAddr>,
}

/// A key made on a host's order.
#[derive(Clone)]
pub struct Successor {
    /// The new key.
    pub key: SecretKey,
    /// The old key's proof, shown until a host has counted the new one.
    pub predecessor: Option<Predecessor>,
}

/// What is held of one store: one ticket, and one nonce from before an ask is sent until an answer
/// of that store is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtStore {
    /// The store.
    pub store: StoreId,
    /// The ticket it gave last.
    pub ticket: Option<Ticket>,
    /// The nonce of the ask under way.
    pub pending: Option<Nonce>,
}

/// An order that was obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obeyed {
    /// The store that gave it.
    pub store: StoreId,
    /// When.
    pub at: Timestamp,
}

impl Own {
    /// A new identity for a publisher.
    pub fn new(root: Root, seed: &[u8; 32]) -> Self {
        Self {
            root,
            key: SecretKey::from_seed(seed),
            successor: None,
            stores: Vec::new(),
            orders: Vec::new(),
            hosts: Vec::new(),
            products: BTreeMap::new(),
        }
    }

    /// The key that asks now.
    pub fn asking_key(&self) -> &SecretKey {
        self.successor.as_ref().map_or(&self.key, |next| &next.key)
    }
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Own")
            .field("key", &self.key)
            .field("successor", &self.successor.as_ref().map(|next| &next.key))
            .field("stores", &self.stores)
            .field("products", &self.products)
            .finish_non_exhaustive()
    }
}

/// By their bytes: secrets are compared in memory that is wiped.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.encode() == other.encode()
    }
}

impl Eq for Identity {}

impl Identity {
    /// The file's bytes, wiped when dropped; the same identity always makes the same bytes.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut value = self.to_value();
        let contents = Zeroizing::new(cbor::encode(&value));
        wipe(&mut value);
        Zeroizing::new(IDENTITY.seal(&contents))
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// `IDENTITY_FOREIGN`, `IDENTITY_VERSION`, `IDENTITY_CUT`, `IDENTITY_ALTERED`,
    /// `IDENTITY_CONTENTS`.
    pub fn decode(file: &[u8]) -> Result<Self, Refusal> {
        let value = IDENTITY.open(file)?;
        Self::read(value).map_err(|refusal| IDENTITY.contents(&refusal))
    }

    fn to_value(&self) -> Value {
        MapWriter::new()
            .put(1, settings(&self.settings))
            .put(2, Value::Array(self.publishers.values().map(own).collect()))
            .into_value()
    }

    fn read(value: Value) -> Result<Self, Refusal> {
        let mut map = MapReader::new("identity", value)?;
        let settings = read_settings(map.need(1, "settings")?)?;
        let mut publishers: BTreeMap<PublisherId, Own> = BTreeMap::new();
        for value in map.list(2, "publishers", CLIENT_PUBLISHERS_MAX)? {
            let own = read_own(value)?;
            let id = own.root.publisher();
            in_order(publishers.keys().next_back(), &id, "identity.publishers")?;
            publishers.insert(id, own);
        }
        map.finish()?;
        Ok(Self {
            settings,
            publishers,
        })
    }
}

fn settings(settings: &Settings) -> Value {
    MapWriter::new()
        .put(1, hosts(&settings.hosts))
        .put_opt(2, settings.domain.as_deref())
        .put_opt(3, settings.method.map(Method::name))
        .put_opt(4, settings.site.as_ref().map(SiteId::as_str))
        .put_opt(5, settings.tell_name.then_some(true))
        .into_value()
}

fn read_settings(value: Value) -> Result<Settings, Refusal> {
    let mut map = MapReader::new("settings", value)?;
    let method = map.text_opt(3, "method", ID_BYTES_MAX)?;
    let method = method.map(|name| Method::parse(&name).ok_or_else(|| wrong("settings.method")));
    let settings = Settings {
        hosts: read_hosts(&mut map, 1)?,
        domain: map.text_opt(2, "domain", HOST_BYTES_MAX)?,
        method: method.transpose()?,
        site: map
            .text_opt(4, "site", ID_BYTES_MAX)?
            .map(|site| site.parse())
            .transpose()?,
        tell_name: map.bool_or_false(5, "tell_name")?,
    };
    map.finish()?;
    Ok(settings)
}

fn own(own: &Own) -> Value {
    let products = own.products.iter().map(|(id, kept)| product(id, kept));
    MapWriter::new()
        .put(1, own.root.to_value())
        .bytes(2, own.key.seed().as_slice())
        .put_opt(3, own.successor.as_ref().map(successor))
        .put(4, Value::Array(own.stores.iter().map(at_store).collect()))
        .put(5, Value::Array(own.orders.iter().map(obeyed).collect()))
        .put(6, hosts(&own.hosts))
        .put(7, Value::Array(products.collect()))
        .into_value()
}

fn read_own(value: Value) -> Result<Own, Refusal> {
    let mut map = MapReader::new("publisher", value)?;
    let mut products: BTreeMap<ProductId, OwnProduct> = BTreeMap::new();
    for value in map.list(7, "products", PRODUCTS_MAX)? {
        let (id, kept) = read_product(value)?;
        in_order(products.keys().next_back(), &id, "publisher.products")?;
        products.insert(id, kept);
    }
    let stores = map.list(4, "stores", TICKETS_MAX)?;
    let orders = map.list(5, "orders", REKEY_ORDERS_MAX)?;
    let own = Own {
        root: Root::from_value(map.need(1, "root")?)?,
        key: read_seed(&mut map, 2)?,
        successor: map.take(3).map(read_successor).transpose()?,
        stores: stores
            .into_iter()
            .map(read_at_store)
            .collect::<Result<_, _>>()?,
        orders: orders
            .into_iter()
            .map(read_obeyed)
            .collect::<Result<_, _>>()?,
        hosts: read_hosts(&mut map, 6)?,
        products,
    };
    map.finish()?;
    Ok(own)
}

fn product(id: &ProductId, kept: &OwnProduct) -> Value {
    let key = kept.key.as_ref();
    MapWriter::new()
        .put(1, id.as_str())
        .put_opt(2, key.map(|key| Value::Bytes(key.to_bytes().to_vec())))
        .put(3, hosts(&kept.hosts))
        .into_value()
}

fn read_product(value: Value) -> Result<(ProductId, OwnProduct), Refusal> {
    let mut map = MapReader::new("product", value)?;
    let id = map.text(1, "id", ID_BYTES_MAX)?.parse()?;
    let key = map
        .array_opt::<{ ProductKey::BYTES }>(2, "key")?
        .map(Zeroizing::new);
    let kept = OwnProduct {
        key: key
            .map(|bytes| ProductKey::from_bytes(&bytes))
            .transpose()?,
        hosts: read_hosts(&mut map, 3)?,
    };
    map.finish()?;
    Ok((id, kept))
}

fn successor(successor: &Successor) -> Value {
    MapWriter::new()
        .bytes(1, successor.key.seed().as_slice())
        .put_opt(2, successor.predecessor.as_ref().map(predecessor))
        .into_value()
}

fn read_successor(value: Value) -> Result<Successor, Refusal> {
    let mut map = MapReader::new("successor", value)?;
    let successor = Successor {
        key: read_seed(&mut map, 1)?,
        predecessor: map
            .map_opt(2, "predecessor")?
            .map(read_predecessor)
            .transpose()?,
    };
    map.finish()?;
    Ok(successor)
}

fn predecessor(predecessor: &Predecessor) -> Value {
    MapWriter::new()
        .put(1, predecessor.key.to_value())
        .bytes(2, &predecessor.order.to_bytes())
        .bytes(3, &predecessor.signature)
        .into_value()
}

fn read_predecessor(mut map: MapReader) -> Result<Predecessor, Refusal> {
    let predecessor = Predecessor {
        key: PublicKey::from_value(map.need(1, "key")?)?,
        order: Ticket::from_bytes(&map.array(2, "order")?),
        signature: map.array(3, "signature")?,
    };
    map.finish()?;
    Ok(predecessor)
}

fn at_store(at: &AtStore) -> Value {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    MapWriter::new()
        .bytes(1, &at.store.0)
        .put_opt(2, at.ticket.map(|ticket| bytes(&ticket.to_bytes())))
        .put_opt(3, at.pending.map(|nonce| bytes(&nonce.0)))
        .into_value()
}

fn read_at_store(value: Value) -> Result<AtStore, Refusal> {
    let mut map = MapReader::new("store", value)?;
    let ticket = map.array_opt(2, "ticket")?;
    let at = AtStore {
        store: StoreId(map.array(1, "store")?),
        ticket: ticket.map(|bytes| Ticket::from_bytes(&bytes)),
        pending: map.array_opt(3, "pending")?.map(Nonce),
    };
    map.finish()?;
    Ok(at)
}

fn obeyed(order: &Obeyed) -> Value {
    MapWriter::new()
        .bytes(1, &order.store.0)
        .put(2, order.at.seconds())
        .into_value()
}

fn read_obeyed(value: Value) -> Result<Obeyed, Refusal> {
    let mut map = MapReader::new("order", value)?;
    let order = Obeyed {
        store: StoreId(map.array(1, "store")?),
        at: time(map.uint(2, "at")?)?,
    };
    map.finish()?;
    Ok(order)
}

fn hosts(hosts: &[HostAddr]) -> Value {
    Value::Array(hosts.iter().map(|host| host.to_string().into()).collect())
}

fn read_hosts(map: &mut MapReader, key: i64) -> Result<Vec<HostAddr>, Refusal> {
    let read = |value| match value {
        Value::Text(text) => text.parse(),
        _ => Err(wrong("hosts")),
    };
    let hosts = map.list(key, "hosts", CONFIGURED_HOSTS_MAX)?;
    hosts.into_iter().map(read).collect()
}

fn read_seed(map: &mut MapReader, key: i64) -> Result<SecretKey, Refusal> {
    let seed = Zeroizing::new(
        map.array_opt::<32>(key, "key")?
            .ok_or_else(|| missing("key"))?,
    );
    Ok(SecretKey::from_seed(&seed))
}

fn wrong(field: &str) -> Refusal {
    Refusal::new(reasons::FIELD_WRONG, field)
}

/// Wipes the byte strings of a value: seeds and product keys pass through here.
fn wipe(value: &mut Value) {
    match value {
        Value::Bytes(bytes) => bytes.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, item)| wipe(item)),
        _ => {}
    }
}
