//! The contents of the `state` file as CBOR maps with integer keys.

use std::collections::BTreeMap;

use ciborium::value::Value;

use crate::cbor::{self, MapReader, MapWriter};
use crate::ids::{ProductId, PublisherId, Thumbprint};
use crate::limits::{
    CERT_BYTES_MAX, CHAIN_CERTIFICATES_MAX, CLIENT_HOSTS_MAX, CLIENT_PUBLISHERS_MAX,
    CLIENT_REMOVED_MAX, CLIENT_REVOCATION_DELTAS_MAX, HOST_BYTES_MAX, ID_BYTES_MAX,
    LEASE_BYTES_MAX, NAME_BYTES_MAX, POLICY_BYTES_MAX, PRODUCTS_MAX, REVOCATIONS_BYTES_MAX,
};
use crate::reason::{Refusal, statement as reasons};
use crate::statement::root::Root;
use crate::time::{Span, Timestamp};

use super::schedule::Intervals;
use super::state::{
    Contact, Failure, HeldLease, HeldStatement, Holding, Installed, Marks, Noted, PolicySeen,
    Removed, SeenHost, State,
};
use super::trusted_time::{Floor, Life, Moment, Written};

/// Bytes of a noted reason's detail: 200 characters.
const DETAIL_BYTES_MAX: usize = 800;

pub(super) fn encode(state: &State) -> Vec<u8> {
    let publishers = state.publishers.values().map(holding).collect();
    let map = MapWriter::new()
        .put(1, moment(state.written.at))
        .bytes(2, &state.written.boot)
        .put(3, state.written.uptime.seconds())
        .put_opt(4, state.declared.then_some(true))
        .put(5, Value::Array(publishers));
    cbor::encode(&map.into_value())
}

pub(super) fn decode(value: Value, known: Option<&Root>) -> Result<State, Refusal> {
    let mut map = MapReader::new("state", value)?;
    let written = Written {
        at: read_moment(map.need(1, "written")?)?,
        boot: map.array(2, "boot")?,
        uptime: Span::from_seconds(map.uint(3, "uptime")?),
    };
    let declared = map.bool_or_false(4, "declared")?;
    let mut publishers: BTreeMap<PublisherId, Holding> = BTreeMap::new();
    for value in map.list(5, "publishers", CLIENT_PUBLISHERS_MAX)? {
        let holding = read_holding(value, known)?;
        let id = holding.root.publisher();
        in_order(publishers.keys().next_back(), &id, "state.publishers")?;
        publishers.insert(id, holding);
    }
    map.finish()?;
    Ok(State {
        written,
        declared,
        publishers,
    })
}

fn holding(holding: &Holding) -> Value {
    let products = holding
        .products
        .iter()
        .map(|(id, product)| installed(id, product))
        .collect();
    MapWriter::new()
        .put(1, holding.root.to_value())
        .put_opt(2, holding.client.map(thumbprint))
        .put_opt(3, holding.successor.map(thumbprint))
        .put(4, blobs(&holding.revocations))
        .put(5, Value::Array(holding.hosts.iter().map(seen).collect()))
        .put(6, holding.floor.at().seconds())
        .put_opt(7, holding.intervals.map(intervals))
        .put_opt(8, holding.next_ask.map(moment))
        .put_opt(9, holding.last.as_ref().map(contact))
        .put_opt(10, holding.outcome.as_ref().map(noted))
        .put(11, holding.revocations_offered)
        .put(12, Value::Array(products))
        .put_opt(13, list_opt(holding.removed.iter().map(removed).collect()))
        .into_value()
}

/// An empty list is left out: a state without one is written as the first releases did.
fn list_opt(items: Vec<Value>) -> Option<Value> {
    (!items.is_empty()).then_some(Value::Array(items))
}

fn read_holding(value: Value, known: Option<&Root>) -> Result<Holding, Refusal> {
    let mut map = MapReader::new("publisher", value)?;
    let mut products: BTreeMap<ProductId, Installed> = BTreeMap::new();
    for value in map.list(12, "products", PRODUCTS_MAX)? {
        let (id, product) = read_installed(value)?;
        in_order(products.keys().next_back(), &id, "publisher.products")?;
        products.insert(id, product);
    }
    let revocations = map.list(4, "revocations", CLIENT_REVOCATION_DELTAS_MAX)?;
    let hosts = map.list(5, "hosts", CLIENT_HOSTS_MAX)?;
    let holding = Holding {
        root: read_root(map.need(1, "root")?, known)?,
        client: map.array_opt(2, "client")?.map(Thumbprint),
        successor: map.array_opt(3, "successor")?.map(Thumbprint),
        revocations: read_blobs(revocations, REVOCATIONS_BYTES_MAX)?,
        hosts: hosts.into_iter().map(read_seen).collect::<Result<_, _>>()?,
        floor: Floor::from_stored(time(map.uint(6, "floor")?)?),
        intervals: map.take(7).map(read_intervals).transpose()?,
        next_ask: map.take(8).map(read_moment).transpose()?,
        last: map.take(9).map(read_contact).transpose()?,
        outcome: map.take(10).map(read_noted).transpose()?,
        revocations_offered: map.uint(11, "revocations_offered")?,
        products,
        removed: read_all_removed(map.list(13, "removed", CLIENT_REMOVED_MAX)?)?,
    };
    map.finish()?;
    Ok(holding)
}

fn read_root(value: Value, known: Option<&Root>) -> Result<Root, Refusal> {
    match known {
        Some(known) if known.to_value() == value => Ok(known.clone()),
        _ => Root::from_value(value),
    }
}

fn removed(removed: &Removed) -> Value {
    MapWriter::new()
        .put(1, removed.product.as_str())
        .put_opt(2, removed.policy.as_ref().map(policy_seen))
        .put(3, marks(&removed.marks))
        .into_value()
}

fn read_all_removed(values: Vec<Value>) -> Result<Vec<Removed>, Refusal> {
    let mut all: Vec<Removed> = Vec::with_capacity(values.len());
    for value in values {
        let one = read_removed(value)?;
        if all.iter().any(|other| other.product == one.product) {
            let detail = "publisher.removed names a product twice";
            return Err(Refusal::new(reasons::FIELD_WRONG, detail));
        }
        all.push(one);
    }
    Ok(all)
}

fn read_removed(value: Value) -> Result<Removed, Refusal> {
    let mut map = MapReader::new("removed", value)?;
    let removed = Removed {
        product: map.id(1, "product")?,
        policy: map.take(2).map(read_policy_seen).transpose()?,
        marks: read_marks(map.need(3, "marks")?)?,
    };
    map.finish()?;
    Ok(removed)
}

fn policy_seen(seen: &PolicySeen) -> Value {
    let keys = seen.keys.iter().copied().map(thumbprint).collect();
    MapWriter::new()
        .put(1, seen.version)
        .put(2, Value::Array(keys))
        .into_value()
}

fn read_policy_seen(value: Value) -> Result<PolicySeen, Refusal> {
    let mut map = MapReader::new("policy_seen", value)?;
    // The certificates of the chain and the root's own key.
    let keys = map.list(2, "keys", CHAIN_CERTIFICATES_MAX + 1)?;
    let seen = PolicySeen {
        version: map.uint32(1, "version")?,
        keys: keys.iter().map(read_thumbprint).collect::<Result<_, _>>()?,
    };
    map.finish()?;
    Ok(seen)
}

fn installed(id: &ProductId, product: &Installed) -> Value {
    MapWriter::new()
        .put(1, id.as_str())
        .put_opt(2, product.last5.map(|last5| last5.to_string()))
        .put_opt(3, product.policy.as_ref().map(statement))
        .put(4, product.policy_offered)
        .put_opt(5, product.lease.as_ref().map(lease))
        .put_opt(6, product.counted.as_ref().map(lease))
        .put_opt(7, product.refused.as_ref().map(noted))
        .put(8, marks(&product.marks))
        .put_opt(9, product.failed.as_ref().map(failure))
        .into_value()
}

fn read_installed(value: Value) -> Result<(ProductId, Installed), Refusal> {
    let mut map = MapReader::new("product", value)?;
    let id = map.text(1, "id", ID_BYTES_MAX)?.parse()?;
    let last5 = map.text_opt(2, "last5", ID_BYTES_MAX)?;
    let product = Installed {
        last5: last5.map(|text| text.parse()).transpose()?,
        policy: map
            .take(3)
            .map(|value| read_statement(value, POLICY_BYTES_MAX))
            .transpose()?,
        policy_offered: map.uint32(4, "policy_offered")?,
        lease: map.take(5).map(read_lease).transpose()?,
        counted: map.take(6).map(read_lease).transpose()?,
        refused: map.take(7).map(read_noted).transpose()?,
        marks: read_marks(map.need(8, "marks")?)?,
        failed: map.take(9).map(read_failure).transpose()?,
    };
    map.finish()?;
    Ok((id, product))
}

fn lease(lease: &HeldLease) -> Value {
    MapWriter::new()
        .put(1, statement(&lease.statement))
        .put(2, moment(lease.received))
        .put_opt(3, (lease.life == Life::Running).then_some(true))
        .put(4, lease.host.as_str())
        .into_value()
}

fn read_lease(value: Value) -> Result<HeldLease, Refusal> {
    let mut map = MapReader::new("lease", value)?;
    let lease = HeldLease {
        statement: read_statement(map.need(1, "statement")?, LEASE_BYTES_MAX)?,
        received: read_moment(map.need(2, "received")?)?,
        life: match map.bool_or_false(3, "running")? {
            true => Life::Running,
            false => Life::Clock,
        },
        host: map.text(4, "host", HOST_BYTES_MAX)?,
    };
    map.finish()?;
    Ok(lease)
}

/// A statement and its chain share one array, or a state would nest too deeply.
fn statement(held: &HeldStatement) -> Value {
    let parts = std::iter::once(&held.bytes).chain(&held.chain);
    Value::Array(parts.cloned().map(Value::Bytes).collect())
}

fn read_statement(value: Value, max: usize) -> Result<HeldStatement, Refusal> {
    let wrong = || Refusal::new(reasons::FIELD_WRONG, "a statement and its chain are needed");
    let Value::Array(parts) = value else {
        return Err(wrong());
    };
    if parts.is_empty() || parts.len() > 1 + CHAIN_CERTIFICATES_MAX {
        return Err(wrong());
    }
    let mut parts = read_blobs(parts, max.max(CERT_BYTES_MAX))?;
    Ok(HeldStatement {
        bytes: parts.remove(0),
        chain: parts,
    })
}

fn marks(marks: &Marks) -> Value {
    MapWriter::new()
        .put(1, moment(marks.installed))
        .put_opt(2, marks.hardware.map(moment))
        .put_opt(3, marks.clock.map(moment))
        .put_opt(4, marks.revoked.map(moment))
        .put_opt(5, marks.unproven.map(moment))
        .put_opt(6, marks.rearmed.map(moment))
        .put_opt(7, marks.rearm_spent.then_some(true))
        .into_value()
}

fn read_marks(value: Value) -> Result<Marks, Refusal> {
    let mut map = MapReader::new("marks", value)?;
    let marks = Marks {
        installed: read_moment(map.need(1, "installed")?)?,
        hardware: map.take(2).map(read_moment).transpose()?,
        clock: map.take(3).map(read_moment).transpose()?,
        revoked: map.take(4).map(read_moment).transpose()?,
        unproven: map.take(5).map(read_moment).transpose()?,
        rearmed: map.take(6).map(read_moment).transpose()?,
        rearm_spent: map.bool_or_false(7, "rearm_spent")?,
    };
    map.finish()?;
    Ok(marks)
}

fn seen(host: &SeenHost) -> Value {
    MapWriter::new()
        .put(1, blobs(&host.chain))
        .put(2, host.issued.seconds())
        .put(3, host.name.as_str())
        .put(4, host.place.as_str())
        .into_value()
}

fn read_seen(value: Value) -> Result<SeenHost, Refusal> {
    let mut map = MapReader::new("host", value)?;
    let chain = map.list(1, "chain", CHAIN_CERTIFICATES_MAX)?;
    let host = SeenHost {
        chain: read_blobs(chain, CERT_BYTES_MAX)?,
        issued: time(map.uint(2, "issued")?)?,
        name: map.text(3, "name", NAME_BYTES_MAX)?,
        place: map.text(4, "place", HOST_BYTES_MAX)?,
    };
    map.finish()?;
    Ok(host)
}

fn contact(contact: &Contact) -> Value {
    MapWriter::new()
        .put(1, contact.host.as_str())
        .put_opt(2, contact.site.as_ref().map(|site| site.to_string()))
        .put(3, contact.at.seconds())
        .put(4, contact.host_time.seconds())
        .into_value()
}

fn read_contact(value: Value) -> Result<Contact, Refusal> {
    let mut map = MapReader::new("contact", value)?;
    let site = map.text_opt(2, "site", ID_BYTES_MAX)?;
    let contact = Contact {
        host: map.text(1, "host", HOST_BYTES_MAX)?,
        site: site.map(|site| site.parse()).transpose()?,
        at: time(map.uint(3, "at")?)?,
        host_time: time(map.uint(4, "host_time")?)?,
    };
    map.finish()?;
    Ok(contact)
}

fn noted(noted: &Noted) -> Value {
    MapWriter::new()
        .put(1, noted.code.as_str())
        .put(2, noted.detail.as_str())
        .into_value()
}

fn read_noted(value: Value) -> Result<Noted, Refusal> {
    let mut map = MapReader::new("noted", value)?;
    let noted = Noted {
        code: map.text(1, "code", ID_BYTES_MAX)?,
        detail: map.text(2, "detail", DETAIL_BYTES_MAX)?,
    };
    map.finish()?;
    Ok(noted)
}

fn failure(failure: &Failure) -> Value {
    MapWriter::new()
        .put(1, failure.at.seconds())
        .put(2, noted(&failure.why))
        .into_value()
}

fn read_failure(value: Value) -> Result<Failure, Refusal> {
    let mut map = MapReader::new("failure", value)?;
    let failure = Failure {
        at: map.time(1, "at")?,
        why: read_noted(map.need(2, "why")?)?,
    };
    map.finish()?;
    Ok(failure)
}

fn intervals(intervals: Intervals) -> Value {
    Value::Array(vec![
        intervals.renewal.seconds().into(),
        intervals.retry.seconds().into(),
    ])
}

fn read_intervals(value: Value) -> Result<Intervals, Refusal> {
    let [renewal, retry] = pair(value)?;
    Ok(Intervals {
        renewal: Span::from_seconds(renewal),
        retry: Span::from_seconds(retry),
    })
}

pub(super) fn moment(moment: Moment) -> Value {
    Value::Array(vec![
        moment.wall.seconds().into(),
        moment.running.seconds().into(),
    ])
}

pub(super) fn read_moment(value: Value) -> Result<Moment, Refusal> {
    let [wall, running] = pair(value)?;
    Ok(Moment {
        wall: time(wall)?,
        running: Span::from_seconds(running),
    })
}

fn pair(value: Value) -> Result<[u64; 2], Refusal> {
    let wrong = || Refusal::new(reasons::FIELD_WRONG, "a pair of numbers is needed");
    let Value::Array(items) = value else {
        return Err(wrong());
    };
    let numbers: Option<Vec<u64>> = items.iter().map(cbor::as_uint).collect();
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(wrong)
}

fn thumbprint(thumbprint: Thumbprint) -> Value {
    Value::Bytes(thumbprint.0.to_vec())
}

fn read_thumbprint(value: &Value) -> Result<Thumbprint, Refusal> {
    let bytes = value
        .as_bytes()
        .and_then(|bytes| bytes.as_slice().try_into().ok());
    let wrong = || Refusal::new(reasons::FIELD_WRONG, "a thumbprint of 32 bytes is needed");
    bytes.map(Thumbprint).ok_or_else(wrong)
}

fn blobs(items: &[Vec<u8>]) -> Value {
    Value::Array(items.iter().cloned().map(Value::Bytes).collect())
}

fn read_blobs(items: Vec<Value>, max: usize) -> Result<Vec<Vec<u8>>, Refusal> {
    let read = |item| match item {
        Value::Bytes(bytes) if bytes.len() <= max => Ok(bytes),
        _ => Err(Refusal::new(
            reasons::FIELD_WRONG,
            "a list of statements holds something else",
        )),
    };
    items.into_iter().map(read).collect()
}

pub(super) fn time(seconds: u64) -> Result<Timestamp, Refusal> {
    if seconds > Timestamp::MAX.seconds() {
        return Err(Refusal::new(
            reasons::FIELD_WRONG,
            "a time after the year 9999",
        ));
    }
    Ok(Timestamp::from_seconds(seconds))
}

pub(super) fn missing(field: &str) -> Refusal {
    Refusal::new(reasons::FIELD_MISSING, field)
}

/// Entries stand in ascending order, each once: one state has one encoding.
pub(super) fn in_order<T: Ord>(last: Option<&T>, next: &T, field: &str) -> Result<(), Refusal> {
    if last.is_some_and(|last| last >= next) {
        let detail = format!("{field} is not in ascending order");
        return Err(Refusal::new(reasons::FIELD_WRONG, detail));
    }
    Ok(())
}
