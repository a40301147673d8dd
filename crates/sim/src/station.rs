//! One KMS host: its keys for each publisher, its clock and its desk, over a store that it may share.
//! It answers with proto's decisions; what is left out is the seal around asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use muster_proto::Refusal;
use muster_proto::authority::answer::{Activation, RevocationList};
use muster_proto::authority::{KeyId, renewable_from};
use muster_proto::client::discover::HostAddr;
use muster_proto::crypto::SecretKey;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::host::{
    AnswerParts, AskFacts, ClockGuard, ClockReference, Decision, Desk, Intervals, PoolNumber,
    PoolNumbers, Served, Source, StoreIdentity, answer_claims, lease_claims, rotation,
    sort_products,
};
use muster_proto::ids::{ProductId, PublisherId, Thumbprint};
use muster_proto::reason::{kms as reasons, statement};
use muster_proto::statement::ask::{Ask, succession};
use muster_proto::statement::cert::Cert;
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::request::{Previous, Request};
use muster_proto::statement::revocations::{RevocationSet, Revocations};
use muster_proto::statement::root::Root;
use muster_proto::statement::{Anchor, Envelope, Permit, Role, Typ};
use muster_proto::time::Timestamp;
use muster_proto::wire::{Bundle, Hello};
use muster_store::kms::{ClientTable, MemoryKms};

use crate::clock::NodeClock;
use crate::dice::Dice;
use crate::publisher::{Publisher, sign};
use crate::ready::ready;

/// A KMS host.
pub(crate) struct Station {
    pub(crate) number: usize,
    pub(crate) place: HostAddr,
    /// The store it works on.
    pub(crate) store: usize,
    pub(crate) clock: NodeClock,
    /// Whether it runs; a machine that is on answers.
    pub(crate) is_up: bool,
    /// The number of its hardware: another one is another machine to an authority.
    pub(crate) hardware: u64,
    /// By publisher.
    pub(crate) keys: Vec<Option<Keys>>,
    pub(crate) pending: Vec<Option<PendingRequest>>,
    /// The moment on both clocks that its store holds.
    noted: Option<ClockReference>,
    guard: ClockGuard,
    desk: Arc<Mutex<Desk>>,
}

/// What it holds of one publisher.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) cert: Cert,
    pub(crate) permit: Permit,
    pub(crate) bundles: BTreeMap<ProductId, Bundle>,
    policies: BTreeMap<ProductId, Policy>,
    publisher: PublisherId,
    root: Root,
    signing: SecretKey,
    revoked: RevocationSet,
    deltas: Vec<(u64, u64, Vec<u8>)>,
    numbers: PoolNumbers,
    /// When each opening key was made, and the key; the newest first.
    opening: Vec<(Timestamp, [u8; 32])>,
    hello: Hello,
}

/// A request for a certificate that was not yet answered: asked again, it is the same.
#[derive(Clone)]
pub(crate) struct PendingRequest {
    pub(crate) bytes: Vec<u8>,
    pub(crate) keys: Vec<KeyId>,
    signing: SecretKey,
    opening: [u8; 32],
}

/// An ask that was opened and decided.
pub(crate) struct Decided {
    pub(crate) ask: Ask,
    pub(crate) name: Thumbprint,
    /// None where no product is served: then no store was asked.
    pub(crate) facts: Option<AskFacts>,
    pub(crate) decision: Decision,
    /// The pool of each product that is served.
    pub(crate) pools: Vec<(ProductId, PoolNumber)>,
    /// The host's clock.
    pub(crate) now: Timestamp,
}

impl Station {
    /// A host that nobody has certified yet.
    pub(crate) fn new(
        number: usize,
        store: usize,
        identity: StoreIdentity,
        publishers: usize,
        clock: NodeClock,
        now: u64,
    ) -> Result<Self, Refusal> {
        let reference = clock.reference(now);
        Ok(Self {
            number,
            place: format!("kms{number}.corp.test").parse()?,
            store,
            is_up: true,
            hardware: number as u64,
            keys: vec![None; publishers],
            pending: vec![None; publishers],
            noted: None,
            guard: ClockGuard::begin(reference),
            desk: Arc::new(Mutex::new(Desk::new(identity))),
            clock,
        })
    }

    /// Starts the service again: what it only remembered is forgotten.
    pub(crate) fn start(&mut self, identity: StoreIdentity, now: u64) {
        let reference = self.clock.reference(now);
        self.guard = match self.noted {
            Some(stored) => ClockGuard::resume(stored, reference),
            None => ClockGuard::begin(reference),
        };
        self.desk = Arc::new(Mutex::new(Desk::new(identity)));
        self.is_up = true;
    }

    /// Somebody says that the clock is right.
    pub(crate) fn confirm_clock(&mut self, now: u64) {
        let reference = self.clock.reference(now);
        self.guard.confirm(reference);
        self.noted = Some(reference);
    }

    /// What a host does every hour: notes its clock while it is good, and replaces opening keys.
    /// Tells whether the clock was noted.
    pub(crate) fn upkeep(&mut self, dice: &mut Dice, now: u64) -> bool {
        let Ok(trusted) = self.trusted_now(now) else {
            return false;
        };
        self.confirm_clock(now);
        let store = self.identity();
        for keys in self.keys.iter_mut().flatten() {
            keys.rotate(&store, dice, trusted);
        }
        true
    }

    fn identity(&self) -> StoreIdentity {
        let desk = self
            .desk
            .lock()
            .expect("one thread, and no panic leaves a world in use");
        desk.store().clone()
    }

    /// The time to decide and sign at.
    pub(crate) fn trusted_now(&self, now: u64) -> Result<Timestamp, Refusal> {
        self.guard
            .check(self.clock.wall(now), self.clock.uptime(now))
    }

    /// The greeting for a publisher.
    pub(crate) fn hello(&self, publisher: usize) -> Option<&Hello> {
        self.keys[publisher].as_ref().map(|keys| &keys.hello)
    }

    /// Opens an ask, lets the store decide and commit.
    pub(crate) fn decide(
        &mut self,
        kms: &MemoryKms,
        publisher: usize,
        ask: &SealedAsk,
        now: u64,
    ) -> Result<Decided, Refusal> {
        let trusted = self.trusted_now(now)?;
        let keys = self.keys[publisher].as_ref();
        let keys = keys.ok_or_else(|| Refusal::from(reasons::UNKNOWN_PUBLISHER))?;
        if ask.audience != keys.permit.thumbprint {
            return Err(statement::AUDIENCE.into());
        }
        if keys.opening.iter().all(|(_, key)| *key != ask.opening_key) {
            return Err(reasons::OPENING_KEY_UNKNOWN.into());
        }
        keys.check_may_sign(trusted)?;
        let (ask_claims, name) = Ask::open(&ask.bytes, keys.publisher, ask.audience)?;
        let (served, _) = sort_products(&ask_claims, &keys.cert, &keys.policies);
        let pool = |served: &Served<'_>| {
            let policy = served.policy;
            let number = *keys.numbers.get(&policy.pool)?;
            Some((policy.product.clone(), number))
        };
        let pools = served.iter().filter_map(pool).collect();
        let mut facts = None;
        let decision = if served.is_empty() {
            Decision::refused(reasons::NOTHING_SERVED)
        } else {
            let found = AskFacts::of(
                self.identity().id,
                &ask_claims,
                keys.publisher,
                ask.source,
                &served,
                &keys.numbers,
                keys.cert.client_budget,
            );
            facts = Some(found.clone());
            let desk: Arc<Mutex<Desk>> = Arc::clone(&self.desk);
            ready(kms.submit(desk, found, trusted))?
        };
        Ok(Decided {
            ask: ask_claims,
            name,
            facts,
            decision,
            pools,
            now: trusted,
        })
    }

    /// Signs what was decided.
    pub(crate) fn sign(&self, publisher: usize, decided: &Decided) -> Result<Vec<u8>, Refusal> {
        let keys = self.keys[publisher].as_ref();
        let keys = keys.ok_or_else(|| Refusal::from(reasons::UNKNOWN_PUBLISHER))?;
        let (ask, decision, now) = (&decided.ask, &decided.decision, decided.now);
        let (served, refused) = sort_products(ask, &keys.cert, &keys.policies);
        let (budget, revocations) = (keys.cert.client_budget, keys.revoked.number());
        let numbers = &keys.numbers;
        let leases = lease_claims(&served, numbers, decision, ask, budget, revocations, now);
        let parts = AnswerParts {
            ask: decided.name,
            store: self.identity().id,
            leases: leases.iter().map(|lease| keys.sign(lease)).collect(),
            refused,
            intervals: Intervals::default().effective(&served),
            revocations,
            now,
        };
        Ok(keys.sign(&answer_claims(ask, decision, parts)))
    }

    /// Makes the request for a certificate: with product keys for the first time or anew, without
    /// for a renewal. One that is under way is sent again.
    pub(crate) fn request(
        &mut self,
        publisher: &Publisher,
        at: usize,
        keys: &[KeyId],
        dice: &mut Dice,
        now: u64,
    ) -> PendingRequest {
        if let Some(pending) = &self.pending[at]
            && pending.keys == keys
        {
            return pending.clone();
        }
        let signing = SecretKey::from_seed(&dice.bytes());
        let previous = self.keys[at].as_ref().map(|held| held.previous(&signing));
        let claims = Request {
            role: Role::KmsHost,
            key: signing.public(),
            opening_key: dice.bytes(),
            sealed_keys: Vec::new(),
            components: tags(publisher.id, self.hardware),
            previous,
            name: format!("kms{}", self.number),
            nonce: dice.bytes(),
            issued: self.clock.wall(now),
        };
        let own = signing.public().thumbprint();
        let pending = PendingRequest {
            bytes: sign(&claims, publisher.id, own, &signing, &[]),
            keys: keys.to_vec(),
            opening: claims.opening_key,
            signing,
        };
        self.pending[at] = Some(pending.clone());
        pending
    }

    /// Takes an authority's answer in; the name of the certificate.
    pub(crate) fn complete(
        &mut self,
        kms: &MemoryKms,
        publisher: &Publisher,
        at: usize,
        activation: &Activation,
        now: u64,
    ) -> Result<Thumbprint, Refusal> {
        let pending = self.pending[at].as_ref();
        let pending = pending.ok_or_else(|| Refusal::from(reasons::NOTHING_PENDING))?;
        let wall = self.clock.wall(now);
        let signing = pending.signing.clone();
        let nothing = RevocationSet::default();
        let verified = activation.verify(&publisher.root, &nothing, &signing.public(), wall)?;
        let mut keys = Keys {
            cert: verified.cert,
            permit: verified.permit,
            bundles: BTreeMap::new(),
            policies: BTreeMap::new(),
            publisher: publisher.id,
            root: publisher.root.clone(),
            signing,
            revoked: verified.revoked,
            deltas: numbered(&activation.revocations)?,
            numbers: PoolNumbers::new(),
            opening: vec![(wall, pending.opening)],
            hello: Hello {
                chain: activation.chain.clone(),
                opening: Vec::new(),
            },
        };
        for bundle in activation.bundles(&publisher.root) {
            keys.hold(kms, bundle)?;
        }
        keys.greet(&self.identity());
        let name = keys.permit.thumbprint;
        self.keys[at] = Some(keys);
        self.pending[at] = None;
        Ok(name)
    }

    /// Takes in what the authority has that is newer.
    pub(crate) fn take_news(
        &mut self,
        kms: &MemoryKms,
        at: usize,
        list: &RevocationList,
        bundles: Vec<Bundle>,
    ) -> Result<(), Refusal> {
        let Some(keys) = &mut self.keys[at] else {
            return Ok(());
        };
        let newer = list.apply(&keys.root, &keys.revoked)?;
        if newer.number() > keys.revoked.number() {
            keys.deltas.extend(numbered(&list.deltas)?);
            keys.revoked = newer;
        }
        for bundle in bundles {
            let policy = bundle.verify()?.policy.claims;
            let held = keys.policies.get(&policy.product);
            if held.is_some_and(|held| held.version < policy.version) {
                keys.hold(kms, bundle)?;
            }
        }
        Ok(())
    }
}

impl Keys {
    /// Whether the certificate may be renewed by now, or has to be.
    pub(crate) fn is_renewable(&self, now: Timestamp) -> bool {
        let from = renewable_from(self.cert.issued, self.cert.not_after);
        let mut above = self.permit.keys.iter().skip(1);
        now >= from || above.any(|key| self.revoked.holds(key))
    }

    /// Refuses to sign outside the certificate's life or when a key of the chain is revoked.
    pub(crate) fn check_may_sign(&self, now: Timestamp) -> Result<(), Refusal> {
        self.permit.check_valid_at(now)?;
        let (root, revoked) = (&self.root, &self.revoked);
        Anchor { root, revoked }.check_revoked(&self.permit)
    }

    /// The present certificate, proved by its key.
    fn previous(&self, next: &SecretKey) -> Previous {
        let key = self.signing.public();
        let message = succession(self.publisher, &key, &next.public());
        Previous {
            key,
            cert: self.permit.thumbprint,
            signature: self.signing.sign(&message),
        }
    }

    /// The delta that follows a number.
    pub(crate) fn revocations_after(&self, number: u64) -> Option<&[u8]> {
        let mut newest = self.deltas.iter().rev();
        let next = newest.find(|(from, to, _)| *from <= number && *to > number);
        next.map(|(.., bytes)| bytes.as_slice())
    }

    fn hold(&mut self, kms: &MemoryKms, bundle: Bundle) -> Result<(), Refusal> {
        let policy: Policy = Envelope::decode(&bundle.policy, Typ::Policy)?.claims()?;
        let pool = policy.pool.clone();
        let number = ready(kms.pool(self.publisher, pool.clone()))?;
        self.numbers.insert(pool, number);
        self.bundles.insert(policy.product.clone(), bundle);
        self.policies.insert(policy.product.clone(), policy);
        Ok(())
    }

    fn rotate(&mut self, store: &StoreIdentity, dice: &mut Dice, now: Timestamp) {
        let made: Vec<Timestamp> = self.opening.iter().map(|(made, _)| *made).collect();
        let rotation = rotation(&made, now);
        let mut stays = rotation.stays.into_iter();
        self.opening.retain(|_| stays.next().unwrap_or(true));
        if rotation.is_due {
            self.opening.insert(0, (now, dice.bytes()));
            self.greet(store);
        }
    }

    /// Signs the greeting anew.
    fn greet(&mut self, store: &StoreIdentity) {
        let Some((made, opening_key)) = self.opening.first().copied() else {
            return;
        };
        let claims = Opening {
            opening_key,
            store: store.id,
            issued: made,
            expires: made + Opening::LIFE,
        };
        self.hello.opening = self.sign(&claims);
    }

    fn sign<C: muster_proto::statement::Claims>(&self, claims: &C) -> Vec<u8> {
        sign(
            claims,
            self.publisher,
            self.permit.thumbprint,
            &self.signing,
            &[],
        )
    }
}

/// An ask as it travels: what the seal's head says stands beside it.
#[derive(Clone, Debug)]
pub(crate) struct SealedAsk {
    pub(crate) audience: Thumbprint,
    pub(crate) opening_key: [u8; 32],
    pub(crate) source: Source,
    pub(crate) bytes: Vec<u8>,
}

/// The component tags of a hardware's number.
pub(crate) fn tags(publisher: PublisherId, hardware: u64) -> ComponentTags {
    let values = Component::ALL.map(|kind| (kind, format!("{} {hardware}", kind.name())));
    ComponentTags::of(
        publisher,
        values.iter().map(|(kind, value)| (*kind, value.as_str())),
    )
}

fn numbered(deltas: &[Vec<u8>]) -> Result<Vec<(u64, u64, Vec<u8>)>, Refusal> {
    let read = |bytes: &Vec<u8>| {
        let delta: Revocations = Envelope::decode(bytes, Typ::Revocations)?.claims()?;
        Ok((delta.from, delta.number, bytes.clone()))
    };
    deltas.iter().map(read).collect()
}
