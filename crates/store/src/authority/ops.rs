//! The changes of an authority's store. Each loads what the rules want to know, lets
//! [`muster_proto::authority`] decide, and writes what was decided with its audit entry. Every
//! check comes before the first write.

use muster_proto::Refusal;
use muster_proto::authority::publish::{entry_ends, number_entries, tiles};
use muster_proto::authority::{
    Asked, CertRow, Decision, Grant, HostNumber, Issuing, KeyId, KeyRow, Known, KnownCert,
    KnownKey, SlotRow, certify as decide,
};
use muster_proto::ids::{ProductId, PublisherId, Thumbprint};
use muster_proto::key::{Channel, ProductGroup};
use muster_proto::limits::{
    AUDIT_TEXT_BYTES_MAX, RESTORE_REVOCATIONS_SKIPPED, RESTORE_SERIALS_SKIPPED,
    RESTORE_VERSIONS_SKIPPED,
};
use muster_proto::reason::authority as reasons;
use muster_proto::reason::store as store_reasons;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::revocations::Revocations;
use muster_proto::statement::{Draft, Envelope, Typ};
use muster_proto::time::{Span, Timestamp};

use super::{CertStatement, ProductRow, Tables, issuing};

/// What became of a certification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certified {
    /// The certificate of this name answers the request; its statement may want a signature.
    Granted(Thumbprint, CertStatement),
    /// Refused as a fork of the certificate of this name.
    Forked(Thumbprint),
}

/// Decides about a request and charges for it.
pub fn certify(
    tables: &mut dyn Tables,
    publisher: PublisherId,
    asked: &Asked,
    issuing: &Issuing,
    now: Timestamp,
) -> Result<Certified, Refusal> {
    let known = known(tables, asked)?;
    match decide(&known, asked, issuing, now)? {
        Decision::Repeat(name) => statement_of(tables, name).map(|s| Certified::Granted(name, s)),
        Decision::Fork(name) => {
            record_fork(tables, name, asked, now)?;
            Ok(Certified::Forked(name))
        }
        Decision::Grant(grant) => {
            let draft = Draft::new(&grant.cert, publisher, issuing.name, &issuing.cert.key);
            let name = draft.name();
            let statement = CertStatement {
                parent: issuing.name,
                bytes: draft.finish([0; 64], &[]),
                is_signed: false,
            };
            apply(tables, asked, &grant, name, now)?;
            tables.put_statement(name, &statement)?;
            Ok(Certified::Granted(name, statement))
        }
    }
}

/// Whether a request was answered before; its product keys need not be opened again then.
pub fn is_repeat(tables: &dyn Tables, request: Thumbprint) -> Result<bool, Refusal> {
    Ok(tables.cert_of_request(request)?.is_some())
}

/// Keeps a certificate's signature; of several the first stands. Returns what is kept.
pub fn attach_signature(
    tables: &mut dyn Tables,
    name: Thumbprint,
    signed: &[u8],
) -> Result<Vec<u8>, Refusal> {
    let mut statement = statement_of(tables, name)?;
    if !statement.is_signed {
        statement.bytes = signed.to_vec();
        statement.is_signed = true;
        tables.put_statement(name, &statement)?;
    }
    Ok(statement.bytes)
}

fn known(tables: &dyn Tables, asked: &Asked) -> Result<Known, Refusal> {
    let named = asked.request.previous.as_ref();
    let previous = match named {
        Some(named) => tables.cert(named.cert)?,
        None => None,
    };
    let repeat = tables.cert_of_request(asked.name)?;
    let mut keys = Vec::with_capacity(asked.keys.len());
    for id in &asked.keys {
        keys.push(known_key(tables, *id)?);
    }
    Ok(Known {
        repeat: repeat.map(|row| known_cert(tables, row)).transpose()?,
        signing_key_used: tables.is_signing_key_used(asked.request.key.thumbprint())?,
        keys,
        previous: previous.map(|row| known_cert(tables, row)).transpose()?,
        next_host: tables.next_host()?,
    })
}

fn known_cert(tables: &dyn Tables, row: CertRow) -> Result<KnownCert, Refusal> {
    let mut keys = Vec::with_capacity(row.keys.len());
    for id in &row.keys {
        keys.extend(known_key(tables, *id)?);
    }
    Ok(KnownCert {
        successor: successor(tables, &row)?,
        is_signer_revoked: issuing::is_revoked(tables, statement_of(tables, row.name)?.parent)?,
        keys,
        row,
    })
}

/// What replaced a certificate. One of the same signing key is the same, issued again.
fn successor(tables: &dyn Tables, cert: &CertRow) -> Result<Option<Thumbprint>, Refusal> {
    let mut next = cert.successor;
    while let Some(name) = next {
        match tables.cert(name)? {
            Some(row) if row.key == cert.key => next = row.successor,
            _ => break,
        }
    }
    Ok(next)
}

fn known_key(tables: &dyn Tables, id: KeyId) -> Result<Option<KnownKey>, Refusal> {
    let Some(row) = tables.key(id)? else {
        return Ok(None);
    };
    Ok(Some(KnownKey {
        row,
        slots: tables.slots(id)?,
        next_slot: tables.next_slot(id)?,
    }))
}

fn statement_of(tables: &dyn Tables, name: Thumbprint) -> Result<CertStatement, Refusal> {
    let missing = || Refusal::new(store_reasons::ROW_UNREADABLE, format!("certificate {name}"));
    tables.statement(name)?.ok_or_else(missing)
}

fn record_fork(
    tables: &mut dyn Tables,
    name: Thumbprint,
    asked: &Asked,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(mut cert) = tables.cert(name)? else {
        return Ok(());
    };
    cert.forks = cert.forks.saturating_add(1);
    tables.put_cert(&cert)?;
    // The first fork is an event; a copy that asks again and again must not fill the log.
    if cert.forks > 1 {
        return Ok(());
    }
    let detail = format!("certificate {name}, refused {}", asked.name);
    audit(
        tables,
        now,
        "host-forked",
        &host_subject(cert.host),
        &detail,
    )
}

fn apply(
    tables: &mut dyn Tables,
    asked: &Asked,
    grant: &Grant,
    name: Thumbprint,
    now: Timestamp,
) -> Result<(), Refusal> {
    for change in &grant.slots {
        let slot = SlotRow {
            number: change.number,
            machine: asked.request.components,
            activations: change.activations,
            host: grant.host,
            cert: name,
        };
        tables.put_slot(change.key, &slot)?;
    }
    for old in &grant.succeeds {
        if let Some(mut cert) = tables.cert(*old)?
            && cert.successor.is_none()
        {
            cert.successor = Some(name);
            if cert.request == asked.name {
                cert.request = cert.name;
            }
            tables.put_cert(&cert)?;
        }
    }
    tables.put_cert(&cert_row(asked, grant, name)?)?;
    let keys: Vec<String> = grant.keys.iter().map(KeyId::to_string).collect();
    let detail = format!("certificate {name}, keys {}", keys.join(" "));
    audit(
        tables,
        now,
        grant.kind.name(),
        &host_subject(grant.host),
        &detail,
    )
}

fn cert_row(asked: &Asked, grant: &Grant, name: Thumbprint) -> Result<CertRow, Refusal> {
    let cert = &grant.cert;
    let site = cert
        .site()
        .ok_or_else(|| Refusal::from(reasons::SITES_MIXED))?;
    Ok(CertRow {
        name,
        request: asked.name,
        host: grant.host,
        key: cert.key.thumbprint(),
        keys: grant.keys.clone(),
        products: cert.products.named().cloned().collect(),
        site: site.clone(),
        client_budget: cert.client_budget,
        host_name: cert.name.clone(),
        issued: cert.issued,
        not_after: cert.not_after,
        successor: None,
        revoked: None,
        forks: 0,
    })
}

/// The group that the next product gets: one above the highest, so that none is used twice. Group 0
/// is left out: it is what a policy says to which none was allotted.
pub fn next_group(tables: &dyn Tables) -> Result<ProductGroup, Refusal> {
    let used = tables.products()?.into_iter().map(|row| row.group.get());
    let highest = used.max().unwrap_or(0);
    ProductGroup::new(highest + 1).map_err(|_| Refusal::from(reasons::GROUPS_SPENT))
}

/// The version of a product's next policy.
pub fn next_version(tables: &dyn Tables, row: Option<&ProductRow>) -> Result<u32, Refusal> {
    let newest = row.map_or(0, |row| u64::from(row.version));
    let next = newest.max(floors(tables)?.version) + 1;
    u32::try_from(next).map_err(|_| Refusal::new(reasons::TERMS_WRONG, "no version is left"))
}

/// Adds a product with its first policy, which names the group from [`next_group`].
pub fn add_product(
    tables: &mut dyn Tables,
    policy: &Policy,
    statement: &[u8],
    now: Timestamp,
) -> Result<ProductRow, Refusal> {
    if tables.product(&policy.product)?.is_some() {
        let detail = format!("product {}", policy.product);
        return Err(Refusal::new(reasons::PRODUCT_EXISTS, detail));
    }
    let group = next_group(tables)?;
    if policy.group != group || policy.version != next_version(tables, None)? {
        let detail = format!("group {} was given out", policy.group);
        return Err(Refusal::new(reasons::CHANGED_MEANWHILE, detail));
    }
    let row = ProductRow {
        id: policy.product.clone(),
        group,
        version: policy.version,
        validity_max: policy.validity.max(policy.vm_validity),
        added: now,
    };
    tables.put_product(&row)?;
    tables.put_policy(&row.id, row.version, statement)?;
    audit(
        tables,
        now,
        "product-added",
        row.id.as_str(),
        &policy_detail(policy),
    )?;
    Ok(row)
}

/// Keeps the next version of a product's policy; refuses when another change came first.
pub fn set_policy(
    tables: &mut dyn Tables,
    policy: &Policy,
    statement: &[u8],
    now: Timestamp,
) -> Result<ProductRow, Refusal> {
    let mut row = product(tables, &policy.product)?;
    if policy.version != next_version(tables, Some(&row))? || row.group != policy.group {
        let detail = format!("version {} is the newest", row.version);
        return Err(Refusal::new(reasons::CHANGED_MEANWHILE, detail));
    }
    row.version = policy.version;
    row.validity_max = row
        .validity_max
        .max(policy.validity)
        .max(policy.vm_validity);
    tables.put_product(&row)?;
    tables.put_policy(&row.id, row.version, statement)?;
    audit(
        tables,
        now,
        "policy-changed",
        row.id.as_str(),
        &policy_detail(policy),
    )?;
    Ok(row)
}

fn policy_detail(policy: &Policy) -> String {
    format!(
        "version {}, {}, threshold {}, pool {}, validity {}, renewal {}",
        policy.version,
        policy.kind.name(),
        policy.threshold,
        policy.pool,
        policy.validity,
        policy.renewal
    )
}

/// A product, or a refusal that names it.
pub fn product(tables: &dyn Tables, id: &ProductId) -> Result<ProductRow, Refusal> {
    let unknown = || Refusal::new(reasons::PRODUCT_UNKNOWN, format!("product {id}"));
    tables.product(id)?.ok_or_else(unknown)
}

/// A product with its newest policy.
pub fn newest_policy(
    tables: &dyn Tables,
    id: &ProductId,
) -> Result<(ProductRow, Vec<u8>), Refusal> {
    let row = product(tables, id)?;
    let missing = || Refusal::new(store_reasons::ROW_UNREADABLE, format!("policy of {id}"));
    let policy = tables.policy(id, row.version)?.ok_or_else(missing)?;
    Ok((row, policy))
}

/// Takes serials out of a channel's and group's range; those of a command that then fails stay
/// unused.
pub fn reserve_serials(
    tables: &mut dyn Tables,
    channel: Channel,
    group: ProductGroup,
    count: u32,
) -> Result<u32, Refusal> {
    let first = tables
        .next_serial(channel, group)?
        .max(floors(tables)?.serial);
    let next = first + u64::from(count);
    let first = match u32::try_from(first) {
        Ok(first) if next <= 1 << 32 => first,
        _ => return Err(reasons::SERIALS_SPENT.into()),
    };
    tables.put_next_serial(channel, group, next)?;
    Ok(first)
}

/// Keeps issued keys with one audit entry.
pub fn add_keys(tables: &mut dyn Tables, keys: &[KeyRow], now: Timestamp) -> Result<(), Refusal> {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return Ok(());
    };
    for key in keys {
        tables.put_key(key)?;
    }
    let detail = format!(
        "{} keys to serial {}, site {}, {} hosts x {} activations",
        keys.len(),
        last.id,
        first.site,
        first.hosts_max,
        first.activations_max
    );
    audit(tables, now, "keys-issued", &first.id.to_string(), &detail)
}

/// Revokes a product key, and where asked the hosts it activated. Twice changes nothing.
pub fn revoke_key(
    tables: &mut dyn Tables,
    id: KeyId,
    with_hosts: bool,
    now: Timestamp,
) -> Result<(), Refusal> {
    let unknown = || Refusal::new(reasons::KEY_NOT_FOUND, id.to_string());
    let mut row = tables.key(id)?.ok_or_else(unknown)?;
    if row.revoked.is_none() {
        row.revoked = Some(now);
        tables.put_key(&row)?;
        let detail = format!("ends in {}", row.last5);
        audit(tables, now, "key-revoked", &id.to_string(), &detail)?;
    }
    if with_hosts {
        for slot in tables.slots(id)? {
            revoke_host(tables, slot.host, now)?;
        }
    }
    Ok(())
}

/// Revokes every certificate of a host that has not ended, and frees its places. Twice changes
/// nothing.
pub fn revoke_host(
    tables: &mut dyn Tables,
    host: HostNumber,
    now: Timestamp,
) -> Result<(), Refusal> {
    let certs = tables.certs_of_host(host)?;
    if certs.is_empty() {
        let detail = format!("host {}", host.0);
        return Err(Refusal::new(reasons::HOST_UNKNOWN, detail));
    }
    let mut keys: Vec<(Thumbprint, Timestamp)> = Vec::new();
    let mut is_changed = false;
    for mut cert in certs.into_iter().filter(|cert| cert.revoked.is_none()) {
        let ends = entry_ends(cert.not_after, longest_validity(tables, &cert)?);
        // A certificate that was issued again has the key of the one before it.
        match keys.iter_mut().find(|(key, _)| *key == cert.key) {
            Some((_, last)) => *last = ends.max(*last),
            None if ends > now => keys.push((cert.key, ends)),
            None => {}
        }
        cert.revoked = Some(now);
        tables.put_cert(&cert)?;
        is_changed = true;
    }
    let entries = number_entries(newest_revocation(tables)?, keys);
    for entry in &entries {
        tables.put_revocation(entry)?;
    }
    let freed = tables.free_slots(host, now)?;
    if !is_changed && freed == 0 {
        return Ok(());
    }
    let newest = newest_revocation(tables)?;
    let detail = format!(
        "{} keys up to number {newest}, {freed} places freed",
        entries.len()
    );
    audit(tables, now, "host-revoked", &host_subject(host), &detail)
}

fn longest_validity(tables: &dyn Tables, cert: &CertRow) -> Result<Span, Refusal> {
    let mut longest = Span::ZERO;
    for id in &cert.products {
        if let Some(row) = tables.product(id)? {
            longest = longest.max(row.validity_max);
        }
    }
    Ok(longest)
}

/// What must be signed so that the deltas cover the newest number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaPlan {
    /// The newest number.
    pub newest: u64,
    /// Each delta in order: one that is signed already, or the claims of a new one.
    pub deltas: Vec<Result<Vec<u8>, Revocations>>,
}

impl DeltaPlan {
    /// Whether nothing is left to sign.
    pub fn is_complete(&self) -> bool {
        self.deltas.iter().all(Result::is_ok)
    }
}

/// Tiles the revocations, keeping every signed delta that still says the same. A list whose last
/// delta reaches the newest number is left as it is: entries that ended since do no harm.
pub fn plan_deltas(tables: &dyn Tables, now: Timestamp) -> Result<DeltaPlan, Refusal> {
    let newest = newest_revocation(tables)?;
    let signed = tables.deltas()?;
    let mut claims = Vec::with_capacity(signed.len());
    for bytes in &signed {
        claims.push(Envelope::decode(bytes, Typ::Revocations)?.claims::<Revocations>()?);
    }
    if claims.last().map_or(0, |last| last.number) == newest {
        let deltas = signed.into_iter().map(Ok).collect();
        return Ok(DeltaPlan { newest, deltas });
    }
    let keep = |tile: Revocations| {
        let same = |old: &Revocations| {
            (old.from, old.number, &old.entries) == (tile.from, tile.number, &tile.entries)
        };
        match claims.iter().position(same) {
            Some(at) => Ok(signed[at].clone()),
            None => Err(tile),
        }
    };
    let tiles = tiles(&tables.revocations(now)?, newest, now);
    Ok(DeltaPlan {
        newest,
        deltas: tiles.into_iter().map(keep).collect(),
    })
}

/// Keeps signed deltas that reach `newest`; false when more was revoked meanwhile.
pub fn put_deltas(
    tables: &mut dyn Tables,
    newest: u64,
    deltas: &[Vec<u8>],
) -> Result<bool, Refusal> {
    if newest_revocation(tables)? != newest {
        return Ok(false);
    }
    tables.put_deltas(deltas)?;
    Ok(true)
}

/// The newest revocation number; 0 when nothing was ever revoked or restored.
pub fn newest_revocation(tables: &dyn Tables) -> Result<u64, Refusal> {
    Ok(tables.newest_revocation()?.max(floors(tables)?.revocation))
}

/// What a store has given out and must not give out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The next serial of every channel and group is at least this.
    pub serial: u64,
    /// The newest revocation number is at least this.
    pub revocation: u64,
    /// The next policy version of every product is above this.
    pub version: u64,
}

const FLOOR_SERIAL: &str = "floor-serial";
const FLOOR_REVOCATION: &str = "floor-revocation";
const FLOOR_VERSION: &str = "floor-version";

fn floors(tables: &dyn Tables) -> Result<Marks, Refusal> {
    let floor = |name| -> Result<u64, Refusal> {
        let Some(value) = tables.setting(name)? else {
            return Ok(0);
        };
        let number = std::str::from_utf8(&value)
            .ok()
            .and_then(|t| t.parse().ok());
        number.ok_or_else(|| Refusal::new(store_reasons::ROW_UNREADABLE, format!("setting {name}")))
    };
    Ok(Marks {
        serial: floor(FLOOR_SERIAL)?,
        revocation: floor(FLOOR_REVOCATION)?,
        version: floor(FLOOR_VERSION)?,
    })
}

/// How far a store has got.
pub fn high_marks(tables: &dyn Tables) -> Result<Marks, Refusal> {
    let floors = floors(tables)?;
    let versions = tables
        .products()?
        .into_iter()
        .map(|row| u64::from(row.version));
    Ok(Marks {
        serial: tables.highest_serial()?.max(floors.serial),
        revocation: tables.newest_revocation()?.max(floors.revocation),
        version: versions.max().unwrap_or(0).max(floors.version),
    })
}

/// After a restore: goes on beyond what this store and the one before it had given out, and beyond
/// what neither knows of.
pub fn raise_floors(
    tables: &mut dyn Tables,
    present: Marks,
    now: Timestamp,
) -> Result<(), Refusal> {
    let own = high_marks(tables)?;
    let raised = [
        (
            FLOOR_SERIAL,
            own.serial.max(present.serial),
            RESTORE_SERIALS_SKIPPED,
        ),
        (
            FLOOR_REVOCATION,
            own.revocation.max(present.revocation),
            RESTORE_REVOCATIONS_SKIPPED,
        ),
        (
            FLOOR_VERSION,
            own.version.max(present.version),
            RESTORE_VERSIONS_SKIPPED,
        ),
    ];
    for (name, mark, skipped) in raised {
        let value = (mark + skipped).to_string();
        tables.put_setting(name, value.as_bytes())?;
    }
    let [serial, revocation, version] = raised.map(|(_, mark, skipped)| mark + skipped);
    let detail = format!("serials from {serial}, revocations {revocation}, versions {version}");
    audit(tables, now, "restored", "store", &detail)
}

/// Sets a setting; the same value again is no event.
pub fn set_setting(
    tables: &mut dyn Tables,
    name: &str,
    value: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    if tables.setting(name)?.as_deref() == Some(value.as_bytes()) {
        return Ok(());
    }
    tables.put_setting(name, value.as_bytes())?;
    audit(tables, now, "setting-changed", name, value)
}

fn host_subject(host: HostNumber) -> String {
    format!("host {}", host.0)
}

pub(super) fn audit(
    tables: &mut dyn Tables,
    at: Timestamp,
    event: &str,
    subject: &str,
    detail: &str,
) -> Result<(), Refusal> {
    let mut end = detail.len().min(AUDIT_TEXT_BYTES_MAX);
    while !detail.is_char_boundary(end) {
        end -= 1;
    }
    tables.put_audit(at, event, subject, &detail[..end])
}
