//! Being certified: the request a host makes when a host product key is installed or a certificate
//! renewed, and what it does with the authority's answer. On wire or in files, it is the same.

use muster_machine::{Machine, random};
use muster_net::seal::{self, OpeningKey};
use muster_proto::authority::answer::{Activation, Publisher, RevocationList};
use muster_proto::authority::sealed_key;
use muster_proto::crypto::SecretKey;
use muster_proto::key::ProductKey;
use muster_proto::reason::{kms as reasons, statement};
use muster_proto::statement::ask::succession;
use muster_proto::statement::envelope::Envelope;
use muster_proto::statement::request::{Previous, Request};
use muster_proto::statement::root::Root;
use muster_proto::statement::{Draft, Role, Typ};
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::{Bundle, product_key_info};
use muster_proto::{Refusal, ids::Thumbprint};

use crate::keys::{PublisherKeys, StoredInstalled, StoredKeys, StoredOpening, StoredPending};

/// A pending request for a product key is made anew when it is older than this, in days: the
/// authority's or the host's state may have changed since. A renewal never is: if its answer was
/// lost, another one would be a fork.
const PENDING_DAYS_MAX: u64 = 30;

/// What the administrator insists on about the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootPin {
    /// Exactly this root.
    Root(Root),
    /// A root of this fingerprint.
    Fingerprint(Thumbprint),
}

impl RootPin {
    /// Refuses another root.
    pub fn check(&self, root: &Root) -> Result<(), Refusal> {
        let (same, wanted) = match self {
            Self::Root(pinned) => (pinned == root, pinned.fingerprint()),
            Self::Fingerprint(pinned) => (*pinned == root.fingerprint(), *pinned),
        };
        if same {
            return Ok(());
        }
        let detail = format!("it has {}, {wanted} is pinned", root.fingerprint());
        Err(Refusal::new(statement::ROOT_UNKNOWN, detail))
    }
}

/// What a host was certified for.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// The publisher's name and root fingerprint.
    pub root: Root,
    /// Products the host now serves.
    pub products: Vec<String>,
    /// Until when the certificate is valid.
    pub not_after: Timestamp,
}

impl StoredKeys {
    /// What a host holds of a publisher it meets for the first time.
    pub(crate) fn first(root: &Root) -> Self {
        Self {
            root: root.encode(),
            authority: None,
            signing_seed: [0; 32],
            opening: Vec::new(),
            chain: Vec::new(),
            bundles: Vec::new(),
            revocations: Vec::new(),
            installed: Vec::new(),
            pending: None,
        }
    }

    /// The publisher's root.
    pub(crate) fn root(&self) -> Result<Root, Refusal> {
        Root::decode(&self.root)
    }

    /// Remembers where the authority is.
    pub(crate) fn set_authority(&mut self, url: Option<String>) {
        self.authority = url.or_else(|| self.authority.take());
    }

    /// Where the authority is.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }
}

/// The publisher as a bundle tells of it, for a host that cannot reach the authority.
pub fn publisher_of(bundle: &Bundle) -> Publisher {
    Publisher {
        root: bundle.root.clone(),
        chain: bundle.chain.clone(),
        url: None,
    }
}

/// Begins to be certified: for a host product key, or, without one, renewing the present
/// certificate. Returns the request to send or to carry to the authority. The same key asked again
/// gives the same request, so that a lost answer costs no activation.
pub(crate) fn begin(
    stored: &mut StoredKeys,
    publisher: &Publisher,
    key: Option<&ProductKey>,
    machine: &Machine,
    now: Timestamp,
) -> Result<Vec<u8>, Refusal> {
    let (issuing, issuing_name) = publisher.verify()?;
    if publisher.root != stored.root()? {
        let detail = format!("{} answers", publisher.root.fingerprint());
        return Err(Refusal::new(statement::ROOT_UNKNOWN, detail));
    }
    let last5 = key.map(|key| key.last5().to_string());
    if let Some(pending) = &stored.pending {
        let age = now.since(Timestamp::from_seconds(pending.made));
        let is_young = last5.is_none() || age < Span::from_days(PENDING_DAYS_MAX);
        if pending.last5 == last5 && is_young {
            return Ok(pending.request.clone());
        }
    }
    let id = publisher.root.publisher();
    let signing_seed = random::bytes::<32>();
    let signing = SecretKey::from_seed(&signing_seed);
    let opening = OpeningKey::generate();
    let sealed_keys = match key {
        None => Vec::new(),
        Some(key) => {
            let message = sealed_key::message(key, &signing.public());
            let info = product_key_info(id, issuing_name);
            vec![seal::seal(&issuing.opening_key, &info, &*message)?.0]
        }
    };
    let claims = Request {
        role: Role::KmsHost,
        key: signing.public(),
        opening_key: opening.public(),
        sealed_keys,
        components: machine.tags(id),
        previous: previous(stored, &signing, id)?,
        name: machine.host_name().unwrap_or_else(|| "kms-host".to_owned()),
        nonce: *random::bytes(),
        issued: now,
    };
    let draft = Draft::new(
        &claims,
        id,
        signing.public().thumbprint(),
        &signing.public(),
    );
    let signature = signing.sign(&draft.to_be_signed());
    let request = draft.finish(signature, &[]);
    stored.pending = Some(StoredPending {
        request: request.clone(),
        signing_seed: *signing_seed,
        opening_secret: *opening.to_bytes(),
        last5,
        made: now.seconds(),
    });
    Ok(request)
}

/// The present certificate, proved by its key: a renewal is free of charge, and a further product
/// key widens it.
fn previous(
    stored: &StoredKeys,
    successor: &SecretKey,
    publisher: muster_proto::ids::PublisherId,
) -> Result<Option<Previous>, Refusal> {
    let Some(leaf) = stored.chain.first() else {
        return Ok(None);
    };
    let present = SecretKey::from_seed(&stored.signing_seed);
    let message = succession(publisher, &present.public(), &successor.public());
    Ok(Some(Previous {
        key: present.public(),
        cert: Envelope::decode(leaf, Typ::Cert)?.name(),
        signature: present.sign(&message),
    }))
}

/// Takes the authority's answer in: verified whole to the pinned root for the pending request's
/// key, then in force. Until then the present certificate serves on.
pub(crate) fn complete(
    stored: &mut StoredKeys,
    answer: &[u8],
    now: Timestamp,
) -> Result<Enrolled, Refusal> {
    let pending = stored
        .pending
        .clone()
        .ok_or(Refusal::from(reasons::NOTHING_PENDING))?;
    let root = stored.root()?;
    let activation = Activation::decode(answer)?;
    let signing = SecretKey::from_seed(&pending.signing_seed);
    // The list comes whole, from the first number on.
    let verified = activation.verify(&root, &Default::default(), &signing.public(), now)?;
    let mut next = stored.clone();
    next.signing_seed = pending.signing_seed;
    next.opening = vec![StoredOpening {
        secret: pending.opening_secret,
        made: now.seconds(),
    }];
    next.chain = activation.chain.clone();
    next.bundles = activation
        .bundles(&root)
        .iter()
        .map(Bundle::encode)
        .collect();
    next.revocations = activation.revocations.clone();
    if let Some(last5) = &pending.last5 {
        next.installed.retain(|installed| installed.last5 != *last5);
        next.installed.push(StoredInstalled {
            last5: last5.clone(),
            at: now.seconds(),
        });
    }
    next.pending = None;
    PublisherKeys::load(next.clone())?;
    *stored = next;
    Ok(Enrolled {
        root,
        products: verified
            .cert
            .products
            .named()
            .map(ToString::to_string)
            .collect(),
        not_after: verified.cert.not_after,
    })
}

/// Takes newer revocations in, as the authority lists them.
pub(crate) fn take_revocations(
    stored: &mut StoredKeys,
    list: &RevocationList,
) -> Result<bool, Refusal> {
    let keys = PublisherKeys::load(stored.clone())?;
    let newer = list.apply(&keys.root, &keys.revoked)?;
    if newer.number() == keys.revoked.number() {
        return Ok(false);
    }
    stored.revocations.extend(list.deltas.iter().cloned());
    Ok(true)
}
