//! The certification of KMS hosts: the 6 x 10 rule, repeats, renewals, forks and widening.
//!
//! | the request brings | what it is | what it costs |
//! |---|---|---|
//! | the same hash again | the same certificate again; once the issuing key above it is revoked, the same under another one | nothing |
//! | product keys | an activation | for each key: a new place for another machine, else one of the place's activations |
//! | a previous certificate | a renewal, from half of its life to its end, or at any time once the issuing key above it is revoked | nothing |
//! | both | a wider certificate: products are added | for each key named, as an activation |
//!
//! A place (slot) is a host product key with the tags of one machine. Its newest certificate alone
//! can be renewed, and once: whatever replaced a certificate is its successor, and a second
//! successor is a fork, which is refused and recorded. A certificate of the same signing key under
//! another issuing key replaces nothing: it is the same one, issued again.

use std::collections::BTreeSet;

use crate::hardware::ComponentTags;
use crate::ids::{ProductId, SiteId, Thumbprint};
use crate::key::{Channel, Last5};
use crate::limits::{CERT_BACKDATED_SECONDS, HOST_CERT_SECONDS, PRODUCTS_MAX};
use crate::reason::{Refusal, authority as reasons, key as key_reasons, statement};
use crate::rules::{Rule, holds};
use crate::statement::Role;
use crate::statement::cert::{Cert, Flags};
use crate::statement::request::Request;
use crate::statement::scope::Scope;
use crate::time::{Span, Timestamp};

use super::key_id::KeyId;
use super::machine::same_machine;

/// A host as the publisher counts and revokes it: the machine that holds one or more places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostNumber(pub u64);

/// An issued product key.
///
/// *Warning:* this type is used in stored state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its serial.
    pub id: KeyId,
    /// Its last group.
    pub last5: Last5,
    /// The product it was issued for.
    pub product: ProductId,
    /// The site whose hosts it activates.
    pub site: SiteId,
    /// Machines it may activate.
    pub hosts_max: u32,
    /// Activations of each machine.
    pub activations_max: u32,
    /// Clients one host may count.
    pub client_budget: u32,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// A place of a host product key that is taken.
///
/// *Warning:* this type is used in stored state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRow {
    /// Its number under its key; numbers of places that were freed are not used again.
    pub number: u32,
    /// The machine's tags when it was last certified.
    pub machine: ComponentTags,
    /// Activations charged.
    pub activations: u32,
    /// The host that holds it.
    pub host: HostNumber,
    /// Its newest certificate.
    pub cert: Thumbprint,
}

/// A certificate that was issued.
///
/// *Warning:* this type is used in stored state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertRow {
    /// Its name.
    pub name: Thumbprint,
    /// The name of the request it answers: the idempotency key. Its own name once another answers
    /// that request.
    pub request: Thumbprint,
    /// The host.
    pub host: HostNumber,
    /// The thumbprint of the signing key it certifies.
    pub key: Thumbprint,
    /// The product keys it rests on.
    pub keys: BTreeSet<KeyId>,
    /// Products it names.
    pub products: BTreeSet<ProductId>,
    /// Its site.
    pub site: SiteId,
    /// Its client budget.
    pub client_budget: u32,
    /// The host's display name.
    pub host_name: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// The certificate that renewed or replaced it.
    pub successor: Option<Thumbprint>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Requests that were refused because it already has a successor.
    pub forks: u32,
}

/// A product key with its places, as a store knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The key.
    pub row: KeyRow,
    /// The places that are taken; freed ones are left out.
    pub slots: Vec<SlotRow>,
    /// The number a new place would get.
    pub next_slot: u32,
}

/// A certificate with what a store knows above and below it.
#[derive(Clone, Debug)]
pub struct KnownCert {
    /// The certificate.
    pub row: CertRow,
    /// What replaced it, where that has another signing key.
    pub successor: Option<Thumbprint>,
    /// Whether the issuing key that signed it is revoked: no host and no client takes it any more.
    pub is_signer_revoked: bool,
    /// The keys it rests on.
    pub keys: Vec<KnownKey>,
}

/// What a store knows before a decision.
#[derive(Clone, Debug)]
pub struct Known {
    /// The certificate that answered this very request before.
    pub repeat: Option<KnownCert>,
    /// Whether the request's signing key was certified before.
    pub signing_key_used: bool,
    /// The keys the request names, in its order; none for a serial that was never issued.
    pub keys: Vec<Option<KnownKey>>,
    /// The certificate the request renews, if this authority issued it.
    pub previous: Option<KnownCert>,
    /// The number a new host would get.
    pub next_host: HostNumber,
}

/// The issuing key that will sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuing {
    /// The name of its certificate.
    pub name: Thumbprint,
    /// Its certificate.
    pub cert: Cert,
}

/// What is asked: an opened request whose product keys have been opened too.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The request; its signatures have been checked.
    pub request: Request,
    /// Its name.
    pub name: Thumbprint,
    /// The serials of its product keys, each once; their tags have been checked.
    pub keys: Vec<KeyId>,
}

/// What was decided; a refusal is the error beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Answer with the certificate of this name, as before.
    Repeat(Thumbprint),
    /// Sign a new certificate and charge for it.
    Grant(Box<Grant>),
    /// Refuse as `FORKED`, and record it at the certificate of this name.
    Fork(Thumbprint),
}

/// Why a certificate was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// Product keys, on a machine that is new to at least one of them.
    Activated,
    /// Product keys, on a machine that each of them has activated before.
    ActivatedAgain,
    /// A previous certificate.
    Renewed,
    /// A previous certificate and product keys.
    Widened,
    /// The same request, answered before under an issuing key that was revoked since.
    Reissued,
}

impl GrantKind {
    /// The event's name in the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Activated => "host-activated",
            Self::ActivatedAgain => "host-activated-again",
            Self::Renewed => "host-renewed",
            Self::Widened => "host-widened",
            Self::Reissued => "host-reissued",
        }
    }
}

/// A place as it is after a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotChange {
    /// The key.
    pub key: KeyId,
    /// The place's number under the key.
    pub number: u32,
    /// Activations charged so far.
    pub activations: u32,
}

/// A certificate to be signed, and what changes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Why.
    pub kind: GrantKind,
    /// The host.
    pub host: HostNumber,
    /// The certificate's claims.
    pub cert: Cert,
    /// The product keys it rests on.
    pub keys: BTreeSet<KeyId>,
    /// Places taken or used; their machine, host and certificate become this grant's.
    pub slots: Vec<SlotChange>,
    /// Certificates this one succeeds.
    pub succeeds: Vec<Thumbprint>,
}

/// Decides about a host's request.
///
/// # Errors
/// The reason why nothing is certified; nothing is charged then.
pub fn certify(
    known: &Known,
    asked: &Asked,
    issuing: &Issuing,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    if let Some(cert) = known.repeat.as_ref().filter(|_| holds(Rule::RequestOnce)) {
        check_still_good(&cert.row, now)?;
        if cert.is_signer_revoked && cert.successor.is_none() {
            return reissue(cert, asked, issuing, now).map(|g| Decision::Grant(Box::new(g)));
        }
        return Ok(Decision::Repeat(cert.row.name));
    }
    let request = &asked.request;
    if request.role != Role::KmsHost {
        let detail = format!("role {}", request.role);
        return Err(Refusal::new(reasons::ROLE_NOT_CERTIFIED, detail));
    }
    if asked.keys.is_empty() && request.previous.is_none() {
        return Err(reasons::NOTHING_ASKED.into());
    }
    let new_keys = redeemable(known, asked)?;
    let previous = match &request.previous {
        None => None,
        Some(_) => Some(renewable(known, asked, now)?),
    };
    if let Some(cert) = previous.filter(|cert| cert.successor.is_some() && holds(Rule::RenewedOnce))
    {
        return Ok(Decision::Fork(cert.row.name));
    }
    if known.signing_key_used && holds(Rule::RequestOnce) {
        return Err(reasons::SIGNING_KEY_USED.into());
    }
    grant(known, asked, issuing, &new_keys, previous, now).map(|g| Decision::Grant(Box::new(g)))
}

/// From when a certificate can be renewed: half of its life.
pub fn renewable_from(issued: Timestamp, not_after: Timestamp) -> Timestamp {
    issued + Span::from_seconds(not_after.since(issued).seconds() / 2)
}

fn check_still_good(cert: &CertRow, now: Timestamp) -> Result<(), Refusal> {
    if cert.revoked.is_some() {
        let detail = format!("host {}", cert.host.0);
        return Err(Refusal::new(reasons::HOST_REVOKED, detail));
    }
    if cert.not_after < now {
        let detail = format!("it ended at {}", cert.not_after);
        return Err(Refusal::new(reasons::PREVIOUS_ENDED, detail));
    }
    Ok(())
}

/// The keys named, each known, of the right channel and not revoked.
fn redeemable<'a>(known: &'a Known, asked: &Asked) -> Result<Vec<&'a KnownKey>, Refusal> {
    let mut keys: Vec<&KnownKey> = Vec::with_capacity(asked.keys.len());
    for (id, known) in asked.keys.iter().zip(&known.keys) {
        let key = known
            .as_ref()
            .ok_or_else(|| Refusal::from(key_reasons::UNKNOWN))?;
        match id.channel {
            Channel::KmsHost => {}
            Channel::GenericVolume | Channel::VmGuest => {
                let detail = format!(
                    "the key is of channel {}, needed is {}",
                    id.channel,
                    Channel::KmsHost
                );
                return Err(Refusal::new(key_reasons::WRONG_CHANNEL, detail));
            }
            Channel::Mak | Channel::VmHost | Channel::Retail | Channel::Oem => {
                let detail = format!("the key is of channel {}", id.channel);
                return Err(Refusal::new(reasons::CHANNEL_LATER, detail));
            }
        }
        if key.row.revoked.is_some() {
            return Err(Refusal::new(reasons::KEY_REVOKED, ending(&key.row)));
        }
        if !keys.iter().any(|other| other.row.id == key.row.id) {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn ending(row: &KeyRow) -> String {
    format!("the key that ends in {}", row.last5)
}

/// The certificate named as previous, if it can be renewed or widened now. Whether it already was
/// is for the caller to see.
fn renewable<'a>(
    known: &'a Known,
    asked: &Asked,
    now: Timestamp,
) -> Result<&'a KnownCert, Refusal> {
    let named = asked.request.previous.as_ref();
    let (named, cert) = named
        .zip(known.previous.as_ref())
        .ok_or_else(|| Refusal::from(reasons::PREVIOUS_UNKNOWN))?;
    let row = &cert.row;
    if named.key.thumbprint() != row.key {
        return Err(Refusal::new(
            statement::POSSESSION,
            "request.previous names another key than its certificate",
        ));
    }
    check_still_good(row, now)?;
    let from = renewable_from(row.issued, row.not_after);
    let early = now < from && !cert.is_signer_revoked;
    if cert.successor.is_none() && asked.keys.is_empty() && early {
        let detail = format!("it can be renewed from {}", from);
        return Err(Refusal::new(reasons::RENEWAL_EARLY, detail));
    }
    Ok(cert)
}

fn grant(
    known: &Known,
    asked: &Asked,
    issuing: &Issuing,
    new_keys: &[&KnownKey],
    previous: Option<&KnownCert>,
    now: Timestamp,
) -> Result<Grant, Refusal> {
    let carried = match previous {
        Some(cert) => carried_keys(cert, new_keys)?,
        None => Vec::new(),
    };
    let previous = previous.map(|cert| &cert.row);
    let mut places = Vec::new();
    for key in new_keys {
        places.push(charged_place(key, previous, &asked.request.components)?);
    }
    let is_new = places.iter().any(|place| place.taken.is_none());
    if let Some(cert) = previous {
        places.extend(
            carried
                .iter()
                .filter_map(|key| carried_place(key, cert.host)),
        );
    }
    let rows: Vec<&KeyRow> = new_keys.iter().chain(&carried).map(|k| &k.row).collect();
    let cert = host_cert(&asked.request, issuing, &rows, now)?;
    let host = previous
        .map(|cert| cert.host)
        .or_else(|| places.iter().find_map(|p| p.taken.map(|slot| slot.host)))
        .unwrap_or(known.next_host);
    let mut succeeds: Vec<Thumbprint> = previous.iter().map(|cert| cert.name).collect();
    for slot in places.iter().filter_map(|place| place.taken) {
        if !succeeds.contains(&slot.cert) {
            succeeds.push(slot.cert);
        }
    }
    Ok(Grant {
        kind: match (previous, new_keys.is_empty()) {
            (Some(_), true) => GrantKind::Renewed,
            (Some(_), false) => GrantKind::Widened,
            (None, _) if is_new => GrantKind::Activated,
            (None, _) => GrantKind::ActivatedAgain,
        },
        host,
        cert,
        keys: rows.iter().map(|row| row.id).collect(),
        slots: places.into_iter().map(|place| place.change).collect(),
        succeeds,
    })
}

/// The answer to a request once more, under the issuing key in use: what was answered before can have
/// been lost, and nobody takes it any more. Nothing is charged.
fn reissue(
    cert: &KnownCert,
    asked: &Asked,
    issuing: &Issuing,
    now: Timestamp,
) -> Result<Grant, Refusal> {
    let host = cert.row.host;
    let carried = carried_keys(cert, &[])?;
    let places = carried.iter().filter_map(|key| carried_place(key, host));
    let slots = places.map(|place| place.change).collect();
    let rows: Vec<&KeyRow> = carried.iter().map(|key| &key.row).collect();
    Ok(Grant {
        kind: GrantKind::Reissued,
        host,
        cert: host_cert(&asked.request, issuing, &rows, now)?,
        keys: rows.iter().map(|row| row.id).collect(),
        slots,
        succeeds: vec![cert.row.name],
    })
}

/// The keys a renewal carries on: those of the previous certificate that were not revoked since and
/// are not named anew.
fn carried_keys<'a>(
    previous: &'a KnownCert,
    new_keys: &[&KnownKey],
) -> Result<Vec<&'a KnownKey>, Refusal> {
    let is_new = |key: &KnownKey| new_keys.iter().any(|new| new.row.id == key.row.id);
    let good = |key: &&KnownKey| key.row.revoked.is_none() && !is_new(key);
    let carried: Vec<_> = previous.keys.iter().filter(good).collect();
    if carried.is_empty() && new_keys.is_empty() {
        let detail = "every key the certificate rests on";
        return Err(Refusal::new(reasons::KEY_REVOKED, detail));
    }
    Ok(carried)
}

struct Place<'a> {
    /// The place as it was, if it was taken.
    taken: Option<&'a SlotRow>,
    change: SlotChange,
}

/// The place a named key gets on this machine, with one activation charged.
fn charged_place<'a>(
    key: &'a KnownKey,
    previous: Option<&CertRow>,
    machine: &ComponentTags,
) -> Result<Place<'a>, Refusal> {
    let row = &key.row;
    let held = |slot: &&SlotRow| previous.is_some_and(|cert| cert.host == slot.host);
    let taken = key.slots.iter().find(held).or_else(|| {
        let same = key
            .slots
            .iter()
            .filter(|slot| same_machine(&slot.machine, machine));
        // Of several that fit, the best: most components match; then the first place.
        same.min_by_key(|slot| {
            (
                u32::MAX - slot.machine.compare(machine).matches,
                slot.number,
            )
        })
    });
    let (number, activations) = match taken {
        Some(slot) if slot.activations >= row.activations_max && holds(Rule::ActivationsOfHost) => {
            let detail = format!("{}: {} activations", ending(row), row.activations_max);
            return Err(Refusal::new(reasons::ACTIVATIONS_SPENT, detail));
        }
        Some(slot) => (slot.number, slot.activations + 1),
        None if key.slots.len() >= row.hosts_max as usize && holds(Rule::HostsOfKey) => {
            let detail = format!("{}: {} hosts", ending(row), row.hosts_max);
            return Err(Refusal::new(reasons::HOSTS_SPENT, detail));
        }
        None => (key.next_slot, 1),
    };
    Ok(Place {
        taken,
        change: SlotChange {
            key: row.id,
            number,
            activations,
        },
    })
}

/// The place a renewed host holds under a key; nothing is charged.
fn carried_place(key: &KnownKey, host: HostNumber) -> Option<Place<'_>> {
    let slot = key.slots.iter().find(|slot| slot.host == host)?;
    let change = SlotChange {
        key: key.row.id,
        number: slot.number,
        activations: slot.activations,
    };
    Some(Place {
        taken: Some(slot),
        change,
    })
}

/// The certificate of a host that rests on some product keys: one site, one year or to the end of
/// the issuing certificate, depth 0, no flags.
///
/// # Errors
/// `SITES_MIXED`, `PRODUCTS_TOO_MANY`, `ISSUING_ENDED`, `OUTSIDE_ISSUING`.
pub fn host_cert(
    request: &Request,
    issuing: &Issuing,
    keys: &[&KeyRow],
    now: Timestamp,
) -> Result<Cert, Refusal> {
    let above = &issuing.cert;
    if now < above.not_before || now > above.not_after {
        let (from, to) = (above.not_before, above.not_after);
        let detail = format!("valid {from} to {to}, now is {}", now);
        return Err(Refusal::new(reasons::ISSUING_ENDED, detail));
    }
    let products: BTreeSet<_> = keys.iter().map(|key| key.product.clone()).collect();
    if products.len() > PRODUCTS_MAX {
        let detail = format!("{}, at most {PRODUCTS_MAX}", products.len());
        return Err(Refusal::new(reasons::PRODUCTS_TOO_MANY, detail));
    }
    let sites: BTreeSet<_> = keys.iter().map(|key| key.site.clone()).collect();
    if sites.len() != 1 {
        let names: Vec<_> = sites.iter().map(SiteId::as_str).collect();
        return Err(Refusal::new(reasons::SITES_MIXED, names.join(", ")));
    }
    let budget = keys.iter().map(|key| key.client_budget).max();
    let cert = Cert {
        role: request.role,
        key: request.key,
        opening_key: request.opening_key,
        name: request.name.clone(),
        products: Scope::Only(products),
        sites: Scope::Only(sites),
        client_budget: budget.unwrap_or(0).min(above.client_budget),
        depth: 0,
        flags: Flags::NONE,
        policy_bounds: None,
        issued: now,
        not_before: above
            .not_before
            .max(now - Span::from_seconds(CERT_BACKDATED_SECONDS)),
        not_after: above
            .not_after
            .min(now + Span::from_seconds(HOST_CERT_SECONDS)),
    };
    check_within(above, &cert)?;
    Ok(cert)
}

fn check_within(above: &Cert, cert: &Cert) -> Result<(), Refusal> {
    let outside = |what: &str| Err(Refusal::new(reasons::OUTSIDE_ISSUING, what));
    if !above.products.covers(&cert.products) {
        return outside("products");
    }
    if !above.sites.covers(&cert.sites) {
        return outside("sites");
    }
    if !above.flags.holds(Flags::CERTIFY_KMS_HOSTS) {
        return outside("KMS hosts");
    }
    Ok(())
}
