//! What a host holds of one publisher: its own signing and opening keys, the chain above them, the
//! policies of the products it serves, and the revocations it has been told of.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use muster_net::seal::OpeningKey;
use muster_proto::Refusal;
use muster_proto::crypto::SecretKey;
use muster_proto::host::{PoolNumbers, Rotation, rotation};
use muster_proto::ids::{ProductId, PublisherId, StoreId, Thumbprint};
use muster_proto::reason::{kms as reasons, store as store_reasons};
use muster_proto::statement::cert::Cert;
use muster_proto::statement::envelope::{Claims, Envelope};
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::revocations::{RevocationSet, Revocations};
use muster_proto::statement::root::Root;
use muster_proto::statement::{Anchor, Draft, Permit, Typ, Verified};
use muster_proto::time::Timestamp;
use muster_proto::wire::{Bundle, Hello, OpeningKeyId, opening_key_id};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The stored form of a publisher's keys. It lies in the host's 0600 database only.
///
/// *Warning:* this type is used in stored state: fields are only ever added, with a default.
#[derive(Clone, Serialize, Deserialize, ZeroizeOnDrop)]
pub(crate) struct StoredKeys {
    pub(crate) root: Vec<u8>,
    pub(crate) authority: Option<String>,
    pub(crate) signing_seed: [u8; 32],
    pub(crate) opening: Vec<StoredOpening>,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) bundles: Vec<Vec<u8>>,
    pub(crate) revocations: Vec<Vec<u8>>,
    pub(crate) installed: Vec<StoredInstalled>,
    #[serde(default)]
    pub(crate) pending: Option<StoredPending>,
}

/// One opening key. The statement that announces it is signed anew at each load: the same bytes,
/// since they follow from the key, when it was made and the store.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct StoredOpening {
    pub(crate) secret: [u8; 32],
    pub(crate) made: u64,
}

/// One installed host product key: what may be shown of it.
#[derive(Clone, Debug, Serialize, Deserialize, Zeroize)]
pub(crate) struct StoredInstalled {
    pub(crate) last5: String,
    pub(crate) at: u64,
}

/// A request that was sent or written and not yet answered: asked again, it is the same request.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct StoredPending {
    pub(crate) request: Vec<u8>,
    pub(crate) signing_seed: [u8; 32],
    pub(crate) opening_secret: [u8; 32],
    pub(crate) last5: Option<String>,
    pub(crate) made: u64,
}

impl StoredKeys {
    /// The bytes for the store.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(8_192));
        ciborium::into_writer(self, &mut *bytes).expect("writing to memory cannot fail");
        bytes
    }

    /// Reads the bytes of the store.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        ciborium::from_reader(bytes).map_err(|_| {
            Refusal::new(
                store_reasons::ROW_UNREADABLE,
                "a publisher's keys cannot be read",
            )
        })
    }

    /// Whether the host has been certified for this publisher.
    pub(crate) fn is_certified(&self) -> bool {
        !self.chain.is_empty()
    }
}

/// A publisher's keys, verified and ready to serve.
pub(crate) struct PublisherKeys {
    pub(crate) publisher: PublisherId,
    pub(crate) root: Root,
    pub(crate) signing: SecretKey,
    pub(crate) permit: Permit,
    pub(crate) cert: Cert,
    pub(crate) policies: BTreeMap<ProductId, Policy>,
    pub(crate) bundles: BTreeMap<ProductId, Vec<u8>>,
    pub(crate) revoked: RevocationSet,
    pub(crate) revocations: NumberedRevocations,
    pub(crate) numbers: PoolNumbers,
    newest_opening: ([u8; 32], Timestamp),
    hello: OnceLock<Vec<u8>>,
    chain: Vec<Vec<u8>>,
    opening: Vec<(OpeningKeyId, OpeningKey)>,
}

impl PublisherKeys {
    /// Verifies stored keys to their own root. A host that lost its certification still loads, so
    /// that it can say so; what it may not sign is judged when it signs.
    pub(crate) fn load(stored: StoredKeys) -> Result<Self, Refusal> {
        let root = Root::decode(&stored.root)?;
        let (revoked, revocations) = read_revocations(&root, &stored.revocations)?;
        let anchor = Anchor {
            root: &root,
            revoked: &revoked,
        };
        let leaf = stored
            .chain
            .first()
            .ok_or(Refusal::from(reasons::NOT_CERTIFIED))?;
        let permit = anchor.chain(&stored.chain, Envelope::decode(leaf, Typ::Cert)?.parent)?;
        let cert = permit
            .cert
            .clone()
            .ok_or(Refusal::from(reasons::NOT_CERTIFIED))?;
        let signing = SecretKey::from_seed(&stored.signing_seed);
        if signing.public() != cert.key {
            let detail = "the signing key is not the one certified";
            return Err(Refusal::new(store_reasons::ROW_UNREADABLE, detail));
        }
        let mut policies = BTreeMap::new();
        let mut bundles = BTreeMap::new();
        for bytes in &stored.bundles {
            let bundle = Bundle::decode(bytes)?;
            // A policy whose signer was revoked stays until the authority's next one is taken in.
            let (policy, _): (Verified<Policy>, _) = anchor.judge(&bundle.policy)?;
            bundles.insert(policy.claims.product.clone(), bytes.clone());
            policies.insert(policy.claims.product.clone(), policy.claims);
        }
        let opening = stored
            .opening
            .iter()
            .map(|key| {
                let opening = OpeningKey::from_bytes(&key.secret)?;
                Ok((opening_key_id(&opening.public()), opening))
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        let newest = stored
            .opening
            .first()
            .ok_or(Refusal::from(reasons::NOT_CERTIFIED))?;
        let made = Timestamp::from_seconds(newest.made);
        let newest_opening = (OpeningKey::from_bytes(&newest.secret)?.public(), made);
        Ok(Self {
            publisher: root.publisher(),
            root,
            signing,
            permit,
            cert,
            policies,
            bundles,
            revoked,
            revocations,
            numbers: PoolNumbers::new(),
            newest_opening,
            hello: OnceLock::new(),
            chain: stored.chain.clone(),
            opening,
        })
    }

    /// The opening key of an id: the present one, or one replaced within the last 7 days.
    pub(crate) fn opening_key(&self, id: &OpeningKeyId) -> Option<&OpeningKey> {
        self.opening
            .iter()
            .find(|(known, _)| known == id)
            .map(|(_, key)| key)
    }

    /// The name of the host's certificate: the audience of asks.
    pub(crate) fn audience(&self) -> Thumbprint {
        self.permit.thumbprint
    }

    /// The host's greeting for this publisher, made once.
    pub(crate) fn hello(&self, store: StoreId) -> Vec<u8> {
        let greet = || {
            let (opening_key, made) = self.newest_opening;
            let claims = Opening {
                opening_key,
                store,
                issued: made,
                expires: self.opening_ends(),
            };
            let opening = self.sign(&claims);
            Hello {
                chain: self.chain.clone(),
                opening,
            }
            .encode()
        };
        self.hello.get_or_init(greet).clone()
    }

    /// Until when the present opening key may be sealed to.
    pub(crate) fn opening_ends(&self) -> Timestamp {
        self.newest_opening.1 + Opening::LIFE
    }

    /// Signs claims under the host's certificate; the chain is left out, the client has it.
    pub(crate) fn sign<C: Claims>(&self, claims: &C) -> Vec<u8> {
        let draft = Draft::new(claims, self.publisher, self.audience(), &self.cert.key);
        let signature = self.signing.sign(&draft.to_be_signed());
        draft.finish(signature, &[])
    }

    /// The revocation delta that follows a number, the first where the holder has a gap.
    pub(crate) fn revocations_after(&self, number: u64) -> Option<Vec<u8>> {
        let next = self
            .revocations
            .iter()
            .rev()
            .find(|(from, to, _)| *from <= number && *to > number);
        next.map(|(.., bytes)| bytes.clone())
    }

    /// Whether a key above the host's own is revoked: then a certificate under another one is due.
    pub(crate) fn is_cut_off(&self) -> bool {
        let above = self.permit.keys.iter().skip(1);
        above.into_iter().any(|key| self.revoked.holds(key))
    }

    /// Refuses to sign outside the certificate's life or when a key of the chain is revoked.
    pub(crate) fn check_may_sign(&self, now: Timestamp) -> Result<(), Refusal> {
        self.permit.check_valid_at(now)?;
        Anchor {
            root: &self.root,
            revoked: &self.revoked,
        }
        .check_revoked(&self.permit)
    }
}

/// Replaces the opening key when it is 30 days old, and forgets what was replaced over 7 days ago.
/// Returns whether anything changed.
pub(crate) fn rotate_opening_key(
    keys: &mut StoredKeys,
    fresh: &OpeningKey,
    now: Timestamp,
) -> Result<bool, Refusal> {
    let made = keys.opening.iter();
    let made: Vec<_> = made.map(|key| Timestamp::from_seconds(key.made)).collect();
    if made.is_empty() {
        return Err(reasons::NOT_CERTIFIED.into());
    }
    let Rotation { is_due, stays } = rotation(&made, now);
    let before = keys.opening.len();
    let mut stays = stays.into_iter();
    keys.opening.retain(|_| stays.next().unwrap_or(true));
    let is_changed = is_due || keys.opening.len() != before;
    if is_due {
        let secret = *fresh.to_bytes();
        let made = now.seconds();
        keys.opening.insert(0, StoredOpening { secret, made });
    }
    Ok(is_changed)
}

/// Deltas with the numbers they lead from and to.
type NumberedRevocations = Vec<(u64, u64, Vec<u8>)>;

fn read_revocations(
    root: &Root,
    deltas: &[Vec<u8>],
) -> Result<(RevocationSet, NumberedRevocations), Refusal> {
    let mut revoked = RevocationSet::default();
    let mut numbered = Vec::new();
    for bytes in deltas {
        let anchor = Anchor {
            root,
            revoked: &revoked,
        };
        let delta: Verified<Revocations> = anchor.verify(bytes)?;
        revoked.apply(&delta.claims)?;
        numbered.push((delta.claims.from, delta.claims.number, bytes.clone()));
    }
    Ok((revoked, numbered))
}

#[cfg(test)]
mod tests {
    use muster_proto::time::Span;

    use super::*;

    const MADE: u64 = 1_800_000_000;

    fn after_days(days: u64) -> Timestamp {
        Timestamp::from_seconds(MADE) + Span::from_days(days)
    }

    /// Keys with one opening key, made at [`MADE`].
    fn keys() -> StoredKeys {
        StoredKeys {
            root: Vec::new(),
            authority: None,
            signing_seed: [1; 32],
            opening: vec![StoredOpening {
                secret: [2; 32],
                made: MADE,
            }],
            chain: Vec::new(),
            bundles: Vec::new(),
            revocations: Vec::new(),
            installed: Vec::new(),
            pending: None,
        }
    }

    fn made(keys: &StoredKeys) -> Vec<u64> {
        let days = keys.opening.iter().map(|key| (key.made - MADE) / 86_400);
        days.collect()
    }

    #[test]
    fn an_opening_key_serves_30_days_and_is_kept_7_more() {
        let mut keys = keys();
        let mut changes = Vec::new();
        for day in 0..=68 {
            if rotate_opening_key(&mut keys, &OpeningKey::generate(), after_days(day)).unwrap() {
                changes.push((day, made(&keys)));
            }
        }
        let replaced = |day, made: &[u64]| (day, made.to_vec());
        let expected = [
            replaced(30, &[30, 0]),
            replaced(38, &[30]),
            replaced(60, &[60, 30]),
            replaced(68, &[60]),
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_host_that_was_off_keeps_no_key_beyond_its_time() {
        let mut keys = keys();
        let late = after_days(38);
        assert!(rotate_opening_key(&mut keys, &OpeningKey::generate(), late).unwrap());
        assert_eq!(
            made(&keys),
            [38],
            "what was sealed to it is older than any row"
        );
    }
}
