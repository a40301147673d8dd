//! Asking one host, and what of its answer is believed.
//!
//! [`prepare`] chooses the nonce and the ticket of the host's store and signs the ask; the caller
//! stores the identity, sends, and gives the bytes that came back to [`check`]. Only what that has
//! verified reaches [`apply`], which changes identity and state together. Whatever is not a
//! verified answer to the pending nonce changes nothing.

use crate::hardware::ComponentTags;
use crate::ids::{Nonce, ProductId, PublisherId, SiteId, StoreId, Thumbprint};
use crate::limits::{
    CLIENT_HOSTS_MAX, EXCHANGE_BYTES_MAX, REKEY_ORDERS_MAX, REKEY_WINDOW_SECONDS, SEAL_ASK_BYTES,
    TICKETS_MAX,
};
use crate::reason::{Reason, Refusal, client as reasons, statement};
use crate::rules::{Rule, holds};
use crate::statement::answer::{Answer, Outcome};
use crate::statement::ask::{Ask, AskedProduct, Predecessor, Ticket, succession};
use crate::statement::lease::Lease;
use crate::statement::revocations::RevocationSet;
use crate::statement::root::Root;
use crate::statement::{Anchor, Draft, Verified};
use crate::time::{Span, Timestamp};
use crate::wire::{Hello, VerifiedHost};

use super::batch;
use super::evidence::{self, Proof};
use super::identity::{AtStore, Obeyed, Own, Successor};
use super::judge::is_enough;
use super::schedule::Intervals;
use super::state::{Contact, Failure, HeldLease, HeldStatement, Holding, Noted, SeenHost};
use super::trusted_time::{Life, Moment};

/// What an ask says of the machine.
#[derive(Clone, Debug)]
pub struct About {
    /// The products asked for, in ascending order of ids.
    pub products: Vec<AskedProduct>,
    /// The component tags.
    pub components: ComponentTags,
    /// Whether a base licence was found where a policy demands one.
    pub base_licence: bool,
    /// Whether the machine is a virtual one.
    pub in_vm: bool,
    /// The asking program and its version.
    pub version: String,
    /// The machine's name, where the administrator allows it.
    pub name: Option<String>,
    /// Whether the identity lies in a user's own directory.
    pub user_identity: bool,
    /// Whether the hardware was declared.
    pub declared: bool,
    /// The machine's clock.
    pub now: Timestamp,
}

/// A host whose greeting was verified, as it is about to be asked.
#[derive(Clone, Debug)]
pub struct Host {
    /// What the greeting proved.
    pub verified: VerifiedHost,
    /// The chain shown.
    pub chain: Vec<Vec<u8>>,
    /// The store it names, signed with its opening key.
    pub store: StoreId,
}

impl Host {
    /// Verifies a greeting: under the pinned root, not revoked, not ended at the client's floor,
    /// of a site the administrator allows, and never an older certificate than the same host
    /// showed before. Names are for display and two hosts may share one, so the same host is one of
    /// the same name at the same `place` (`HOST:PORT`).
    pub fn greet(
        hello: &Hello,
        place: &str,
        holding: &Holding,
        revoked: &RevocationSet,
        pinned_site: Option<&SiteId>,
        floor: Timestamp,
    ) -> Result<Self, Refusal> {
        let anchor = Anchor {
            root: &holding.root,
            revoked,
        };
        let verified = hello.verify(&anchor, floor)?;
        let cert = &verified.cert;
        let same = |seen: &&SeenHost| seen.name == cert.name && seen.place == place;
        let seen = holding.hosts.iter().find(same);
        if let Some(seen) = seen.filter(|seen| seen.issued > cert.issued) {
            let detail = format!(
                "{}: issued {}, seen was {}",
                cert.name,
                cert.issued.seconds(),
                seen.issued.seconds()
            );
            return Err(Refusal::new(reasons::CHAIN_OLDER, detail));
        }
        if let Some(pinned) = pinned_site
            && cert.site() != Some(pinned)
        {
            let site = cert.site().map_or("none", SiteId::as_str);
            let detail = format!("site {site}, pinned is {pinned}");
            return Err(Refusal::new(reasons::SITE_PINNED, detail));
        }
        Ok(Self {
            chain: hello.chain.clone(),
            store: verified.store,
            verified,
        })
    }
}

/// A signed ask under way.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The signed ask, to be sealed.
    pub bytes: Vec<u8>,
    /// Its name, which the answer repeats.
    pub name: Thumbprint,
    /// Its nonce, which the answer repeats.
    pub nonce: Nonce,
    /// The store it was prepared for.
    pub store: StoreId,
    /// The key it was signed with.
    pub client: Thumbprint,
    /// The products asked for.
    pub products: Vec<ProductId>,
    /// Whether more products are to be asked for than had room.
    pub is_part: bool,
    /// The tags it named.
    pub components: ComponentTags,
}

/// Prepares an ask to one host, for as many of the products as have room in it and in its answer;
/// ask again for the others where [`Pending::is_part`] says so. The nonce that is pending at its store is kept, else `fresh` is
/// noted: store the identity before the ask is sent.
///
/// # Errors
/// `ASK_TOO_LARGE`.
pub fn prepare(
    own: &mut Own,
    host: &Host,
    about: &About,
    fresh: Nonce,
) -> Result<Pending, Refusal> {
    let at = store_entry(&mut own.stores, host.store);
    let nonce = *at.pending.get_or_insert(fresh);
    let ticket = at.ticket;
    let key = own.asking_key();
    let publisher = own.root.publisher();
    let ids = about.products.iter().map(|asked| &asked.product);
    let room = batch::answer_fits(publisher, host, about.components, ids);
    let predecessor = own
        .successor
        .as_ref()
        .and_then(|next| next.predecessor.clone());
    let ask = Ask {
        audience: host.verified.permit.thumbprint,
        client: key.public(),
        nonce,
        products: about.products.iter().take(room).cloned().collect(),
        ticket,
        components: about.components,
        predecessor,
        base_licence: about.base_licence,
        in_vm: about.in_vm,
        version: about.version.clone(),
        name: about.name.clone(),
        user_identity: about.user_identity,
        declared: about.declared,
        issued: about.now,
    };
    let (name, bytes) = sign(&ask, publisher, own);
    if !batch::ask_fits(&bytes) {
        let max = EXCHANGE_BYTES_MAX - SEAL_ASK_BYTES;
        let detail = format!("{} bytes, at most {max}", bytes.len());
        return Err(Refusal::new(reasons::ASK_TOO_LARGE, detail));
    }
    Ok(Pending {
        bytes,
        name,
        nonce,
        store: host.store,
        client: ask.client.thumbprint(),
        is_part: ask.products.len() < about.products.len(),
        products: ask
            .products
            .into_iter()
            .map(|asked| asked.product)
            .collect(),
        components: ask.components,
    })
}

fn sign(ask: &Ask, publisher: PublisherId, own: &Own) -> (Thumbprint, Vec<u8>) {
    let draft = Draft::new(ask, publisher, ask.client.thumbprint(), &ask.client);
    let signature = own.asking_key().sign(&draft.to_be_signed());
    (draft.name(), draft.finish(signature, &[]))
}

/// The entry of a store, moved to the end as the newest. When there are too many, the oldest without
/// a ticket leaves first: greetings are not signed, and naming stores that do not exist must not
/// drive real tickets out.
fn store_entry(stores: &mut Vec<AtStore>, store: StoreId) -> &mut AtStore {
    let at = stores.iter().position(|at| at.store == store);
    let entry = at.map_or(
        AtStore {
            store,
            ticket: None,
            pending: None,
        },
        |at| stores.remove(at),
    );
    if stores.len() >= TICKETS_MAX {
        let least = stores.iter().position(|at| at.ticket.is_none());
        stores.remove(least.unwrap_or(0));
    }
    stores.push(entry);
    stores.last_mut().expect("an entry was just added")
}

/// An answer of which everything was verified.
#[derive(Clone, Debug)]
pub struct Checked {
    answer: Answer,
    leases: Vec<(Lease, Vec<u8>)>,
}

impl Checked {
    /// The answer.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The leases, verified.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.iter().map(|(lease, _)| lease)
    }
}

/// Verifies an answer to a pending ask: signed by the host that was asked, nonce and ask repeated,
/// and each lease under the same certificate, for the asking key, the products and components
/// asked with, issued with the answer. One wrong lease spoils the whole answer.
pub fn check(
    pending: &Pending,
    host: &Host,
    root: &Root,
    revoked: &RevocationSet,
    bytes: &[u8],
) -> Result<Checked, Refusal> {
    let anchor = Anchor { root, revoked };
    let envelope = crate::statement::Envelope::decode(bytes, crate::statement::Typ::Answer)?;
    let permit = &host.verified.permit;
    if envelope.parent != permit.thumbprint
        || (!envelope.chain.is_empty() && envelope.chain != host.chain)
    {
        let detail = format!("{}, asked was {}", envelope.parent, permit.thumbprint);
        return Err(Refusal::new(reasons::ANSWER_OTHER_HOST, detail));
    }
    let answer: Verified<Answer> = anchor.verify_under(&envelope.with_chain(&[]), permit)?;
    let answer = answer.claims;
    answer.check_for(pending.nonce, pending.name)?;
    let mut leases = Vec::new();
    if let Outcome::Granted { leases: granted } = &answer.outcome {
        for bytes in granted {
            let lease: Verified<Lease> = anchor.verify_under(bytes, permit)?;
            check_lease(&lease.claims, pending, &answer)?;
            let again = leases
                .iter()
                .any(|(other, _): &(Lease, _)| other.product == lease.claims.product);
            if again {
                return Err(Refusal::new(
                    reasons::LEASE_NOT_ASKED,
                    "two for one product",
                ));
            }
            leases.push((lease.claims, bytes.clone()));
        }
    }
    Ok(Checked { answer, leases })
}

fn check_lease(lease: &Lease, pending: &Pending, answer: &Answer) -> Result<(), Refusal> {
    if lease.client != pending.client {
        return Err(statement::LEASE_OTHER_CLIENT.into());
    }
    if !pending.products.contains(&lease.product) {
        return Err(Refusal::new(
            reasons::LEASE_NOT_ASKED,
            lease.product.as_str(),
        ));
    }
    if lease.components != pending.components {
        return Err(reasons::LEASE_OTHER_COMPONENTS.into());
    }
    if lease.issued > answer.issued || answer.issued.since(lease.issued) > Span::from_hours(1) {
        let detail = format!(
            "{}, the answer {}",
            lease.issued.seconds(),
            answer.issued.seconds()
        );
        return Err(Refusal::new(reasons::LEASE_AHEAD, detail));
    }
    Ok(())
}

/// What the caller adds to an answer that is applied.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// Both clocks at receipt.
    pub now: Moment,
    /// The machine's trusted time: orders to make a new key are counted by it.
    pub trusted: Timestamp,
    /// Where the host was reached, as `HOST:PORT`.
    pub place: &'a str,
    /// Thirty-two random bytes: the seed of a new key, should one be ordered.
    pub seed: &'a [u8; 32],
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The host holds a newer policy of the product: fetch it there.
    FetchPolicy {
        /// The product.
        product: ProductId,
    },
    /// The host holds newer revocations: fetch those after this number there.
    FetchRevocations {
        /// The number held.
        from: u64,
    },
    /// Ask again at once: a new key was made.
    AskAgain,
    /// Another site serves this machine than before.
    SiteChanged {
        /// The site before.
        from: Option<SiteId>,
        /// The site now.
        to: Option<SiteId>,
    },
    /// The machine's clock and the host's differ by more than four hours.
    ClocksDiffer {
        /// By how much.
        by: Span,
        /// Whether the machine's clock is behind.
        behind: bool,
    },
    /// The old key is of no more use: a lease for the new one is stored for everything it held.
    KeyRetired,
}

/// What an answer came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The outcome in one reason: the host's own, or the client's.
    pub reason: Refusal,
    /// The products asked for.
    pub asked: Vec<ProductId>,
    /// Whether other products had no room in the ask and this host is to be asked for them now.
    pub rest_is_next: bool,
    /// The products that a lease was granted for.
    pub granted: Vec<ProductId>,
    /// What follows.
    pub effects: Vec<Effect>,
}

impl Applied {
    /// Adds what the next answer of the same host came to; of the reasons, one that is no success
    /// stays.
    pub fn add(&mut self, next: Self) {
        if self.reason.reason == reasons::LICENSED {
            self.reason = next.reason;
        }
        self.asked.extend(next.asked);
        self.rest_is_next = next.rest_is_next;
        self.granted.extend(next.granted);
        for effect in next.effects {
            if !self.effects.contains(&effect) {
                self.effects.push(effect);
            }
        }
    }
}

/// Takes a verified answer into identity and state. Both may have changed since the ask was
/// prepared: when the key or the pending nonce is another by now, nothing changes.
///
/// # Errors
/// `NONCE` when the ask is not pending any more.
pub fn apply(
    own: &mut Own,
    holding: &mut Holding,
    pending: &Pending,
    host: &Host,
    checked: &Checked,
    receipt: &Receipt<'_>,
) -> Result<Applied, Refusal> {
    let answer = &checked.answer;
    let is_pending = own.asking_key().public().thumbprint() == pending.client
        && own
            .stores
            .iter()
            .any(|at| at.store == pending.store && at.pending == Some(pending.nonce));
    if !is_pending {
        return Err(statement::NONCE.into());
    }
    let mut effects = Vec::new();
    // A host that waits, or orders a new key, says so of the machine, whatever it asks for.
    let is_about_products = matches!(answer.outcome, Outcome::Granted { .. } | Outcome::Refused);
    note_host(holding, host, answer, receipt, &mut effects);
    let reason = match &answer.outcome {
        Outcome::Granted { .. } => {
            note_store(own, pending, answer);
            grant(own, holding, host, checked, receipt, &mut effects)
        }
        Outcome::NewKey { order } => {
            obey(own, holding, pending, answer, *order, receipt, &mut effects)
        }
        Outcome::Wait => {
            note_store(own, pending, answer);
            host_reason(reasons::HOST_WAIT, &answer.reason)
        }
        Outcome::Refused => {
            note_store(own, pending, answer);
            host_reason(reasons::HOST_REFUSED, &answer.reason)
        }
    };
    holding.outcome = Some(Noted::of(&reason));
    if matches!(answer.outcome, Outcome::Wait | Outcome::Refused) {
        note_failure(holding, &pending.products, receipt.now.wall, &reason);
        if !holds(Rule::LeaseKept) {
            let installed = holding.products.values_mut();
            installed.for_each(|installed| installed.lease = None);
        }
    }
    Ok(Applied {
        reason,
        asked: pending.products.clone(),
        rest_is_next: pending.is_part && is_about_products,
        granted: checked
            .leases()
            .map(|lease| lease.product.clone())
            .collect(),
        effects,
    })
}

/// Notes for products that asking has just failed.
pub fn note_failure(holding: &mut Holding, products: &[ProductId], at: Timestamp, why: &Refusal) {
    for product in products {
        if let Some(installed) = holding.products.get_mut(product) {
            installed.failed = Some(Failure::of(at, why));
        }
    }
}

/// The host's reason where this release knows it, with the code in any case.
fn host_reason(own: Reason, code: &str) -> Refusal {
    let text = Reason::find(code).map_or("", Reason::text);
    Refusal::new(own, format!("{code} {text}").trim_end())
}

/// Ends the pending nonce where the store that it was prepared for has answered, and keeps the new
/// ticket of the store that signed the answer. The greeting's store was a hint: where the answer
/// names another, the nonce stays pending, since the store it was meant for may have taken it in an
/// ask whose answer was lost; a fresh one would look like a copy there.
///
/// An answer without a ticket says that nothing was counted: the nonce stays pending too. Whoever
/// recorded that ask may send it again when there is room, and the store then takes this machine's
/// next ask for the same one and not for a copy's. An order that is not obeyed ends it.
fn note_store(own: &mut Own, pending: &Pending, answer: &Answer) {
    let is_counted = answer.ticket.is_some();
    let is_ended = is_counted || matches!(answer.outcome, Outcome::NewKey { .. });
    for at in &mut own.stores {
        if at.store == pending.store && answer.store == pending.store && is_ended {
            at.pending = at.pending.filter(|nonce| *nonce != pending.nonce);
        }
    }
    if let Some(ticket) = answer.ticket {
        store_entry(&mut own.stores, answer.store).ticket = Some(ticket);
    }
    own.stores
        .retain(|at| at.ticket.is_some() || at.pending.is_some());
}

fn note_host(
    holding: &mut Holding,
    host: &Host,
    answer: &Answer,
    receipt: &Receipt<'_>,
    effects: &mut Vec<Effect>,
) {
    let cert = &host.verified.cert;
    holding
        .floor
        .raise_by_host(answer.issued, cert.not_after, receipt.now.wall);
    if Life::at_receipt(answer.issued, receipt.now.wall) == Life::Running {
        effects.push(Effect::ClocksDiffer {
            by: answer.issued.distance(receipt.now.wall),
            behind: receipt.now.wall < answer.issued,
        });
    }
    let site = cert.site().cloned();
    if let Some(last) = holding.last.as_ref().filter(|last| last.site != site) {
        effects.push(Effect::SiteChanged {
            from: last.site.clone(),
            to: site.clone(),
        });
    }
    let place = receipt.place;
    holding
        .hosts
        .retain(|seen| seen.name != cert.name || seen.place != place);
    if holding.hosts.len() >= CLIENT_HOSTS_MAX {
        holding.hosts.remove(0);
    }
    holding.hosts.push(SeenHost {
        chain: host.chain.clone(),
        issued: cert.issued,
        name: cert.name.clone(),
        place: place.to_owned(),
    });
    holding.last = Some(Contact {
        host: receipt.place.to_owned(),
        site,
        at: receipt.now.wall,
        host_time: answer.issued,
    });
    holding.intervals = Some(Intervals {
        renewal: answer.renewal,
        retry: answer.retry,
    });
    holding.revocations_offered = holding.revocations_offered.max(answer.revocations);
    let held = evidence::revocations(&holding.root, &holding.revocations);
    let held = held.map_or(0, |set| set.number());
    if answer.revocations > held {
        effects.push(Effect::FetchRevocations { from: held });
    }
}

/// Stores granted leases. One that is enough takes the held one's place; one that is not never
/// does, because the held one may still be in force.
fn grant(
    own: &mut Own,
    holding: &mut Holding,
    host: &Host,
    checked: &Checked,
    receipt: &Receipt<'_>,
    effects: &mut Vec<Effect>,
) -> Refusal {
    if let Some(successor) = &mut own.successor {
        successor.predecessor = None;
    }
    let life = Life::at_receipt(checked.answer.issued, receipt.now.wall);
    let mut reason = None;
    for (lease, bytes) in &checked.leases {
        let held = HeldLease {
            statement: HeldStatement {
                bytes: bytes.clone(),
                chain: host.chain.clone(),
            },
            received: receipt.now,
            life,
            host: receipt.place.to_owned(),
        };
        let outcome = place(holding, lease, held, host, effects);
        reason = reason.or(outcome.err());
    }
    for (product, code) in &checked.answer.refused {
        let refusal = host_reason(reasons::HOST_REFUSED, code);
        if let Some(installed) = holding.products.get_mut(product) {
            installed.refused = Some(Noted::of(&refusal));
            installed.failed = Some(Failure::of(receipt.now.wall, &refusal));
        }
        reason = reason.or(Some(refusal));
    }
    if retire(own, holding) {
        effects.push(Effect::KeyRetired);
    }
    reason.unwrap_or_else(|| reasons::LICENSED.into())
}

/// Puts one lease where it belongs; tells why it does not license.
fn place(
    holding: &mut Holding,
    lease: &Lease,
    held: HeldLease,
    host: &Host,
    effects: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let root = holding.root.clone();
    let Some(installed) = holding.products.get_mut(&lease.product) else {
        return Ok(()); // removed while the ask was under way
    };
    installed.refused = None;
    installed.policy_offered = installed.policy_offered.max(lease.policy_version);
    let policy = installed.policy.as_ref().and_then(|held| {
        let verified: Result<Verified<crate::statement::policy::Policy>, _> =
            super::trust::Trust::new(&root).verify(held);
        verified.ok().map(|verified| verified.claims)
    });
    let version = policy.as_ref().map_or(0, |policy| policy.version);
    if lease.policy_version > version {
        effects.push(Effect::FetchPolicy {
            product: lease.product.clone(),
        });
    }
    let missing = || Refusal::new(reasons::POLICY_MISSING, lease.product.as_str());
    let outcome = policy.ok_or_else(missing).and_then(|policy| {
        let proof = Proof {
            lease: lease.clone(),
            site: host.verified.cert.site().cloned(),
            revoked: None,
            received: held.received,
            life: held.life,
        };
        is_enough(&proof, &policy, true, false)
    });
    let failed = outcome.as_ref().err();
    installed.failed = failed.map(|why| Failure::of(held.received.wall, why));
    match &outcome {
        Ok(()) => (installed.lease, installed.counted) = (Some(held), None),
        Err(_) if holds(Rule::LeaseSetAside) => installed.counted = Some(held),
        Err(_) => installed.lease = Some(held),
    }
    outcome
}

/// Once no held lease is bound to the old key, the new one takes its place.
fn retire(own: &mut Own, holding: &mut Holding) -> bool {
    let Some(successor) = &own.successor else {
        return false;
    };
    let next = successor.key.public().thumbprint();
    let held = |installed: &super::state::Installed| {
        let leases = installed.lease.iter().chain(&installed.counted);
        leases.map(evidence::bound_to).collect::<Vec<_>>()
    };
    let bound: Vec<_> = holding.products.values().flat_map(held).collect();
    if !bound.contains(&Some(next)) || bound.iter().any(|client| *client != Some(next)) {
        return false;
    }
    own.key = successor.key.clone();
    own.successor = None;
    note_keys(own, holding);
    true
}

/// Writes into the state which keys leases may be bound to: the identity knows.
pub fn note_keys(own: &Own, holding: &mut Holding) {
    holding.client = Some(own.key.public().thumbprint());
    let successor = own.successor.as_ref();
    holding.successor = successor.map(|next| next.key.public().thumbprint());
}

/// Obeys an order to make a new key: at most one per store and renewal interval, three in 30 days,
/// and only from the store that the ask was prepared for.
fn obey(
    own: &mut Own,
    holding: &mut Holding,
    pending: &Pending,
    answer: &Answer,
    order: Ticket,
    receipt: &Receipt<'_>,
    effects: &mut Vec<Effect>,
) -> Refusal {
    let window = Span::from_seconds(REKEY_WINDOW_SECONDS);
    own.orders
        .retain(|obeyed| receipt.trusted.since(obeyed.at) < window);
    let interval = Intervals::clamped(answer.renewal);
    let again = own
        .orders
        .iter()
        .any(|obeyed| obeyed.store == answer.store && receipt.trusted.since(obeyed.at) < interval);
    let spent = (again || own.orders.len() >= REKEY_ORDERS_MAX) && holds(Rule::OrdersBounded);
    if spent || answer.store != pending.store {
        note_store(own, pending, answer);
        let detail = format!("{} obeyed in 30 days", own.orders.len());
        return Refusal::new(reasons::ORDER_IGNORED, detail);
    }
    let old = own.asking_key().clone();
    let key = crate::crypto::SecretKey::from_seed(receipt.seed);
    let proof = succession(own.root.publisher(), &old.public(), &key.public());
    own.orders.push(Obeyed {
        store: answer.store,
        at: receipt.trusted,
    });
    // Tickets and nonces belong to the key that asked.
    own.stores.clear();
    own.successor = Some(Successor {
        predecessor: Some(Predecessor {
            key: old.public(),
            order,
            signature: old.sign(&proof),
        }),
        key,
    });
    note_keys(own, holding);
    effects.push(Effect::AskAgain);
    let shown = own.asking_key().public().thumbprint();
    Refusal::new(reasons::ORDER_OBEYED, format!("the new key is {shown}"))
}
