//! What travels around the statements: the head of a sealed ask, the host's greeting, and the
//! policy bundle that a product ships with.

use ciborium::value::Value;

use crate::cbor::{self, MapReader, MapWriter};
use crate::crypto::sha256;
use crate::ids::{PublisherId, StoreId, Thumbprint};
use crate::limits::{
    BUNDLE_BYTES_MAX, CERT_BYTES_MAX, CHAIN_CERTIFICATES_MAX, HELLO_BYTES_MAX, NAME_BYTES_MAX,
    OPENING_BYTES_MAX, POLICY_BYTES_MAX, REVOCATION_DELTAS_MAX, REVOCATIONS_BYTES_MAX,
    SEALED_ASK_BYTES_MAX, SEALED_HEAD_BYTES,
};
use crate::reason::{Refusal, statement as reasons};
use crate::statement::cert::Cert;
use crate::statement::envelope::Envelope;
use crate::statement::opening::Opening;
use crate::statement::policy::Policy;
use crate::statement::revocations::{RevocationSet, Revocations};
use crate::statement::root::Root;
use crate::statement::{Anchor, Permit, Role, Typ, Verified};
use crate::time::Timestamp;

/// The version in the first byte of a sealed ask; there is one.
const VERSION: u8 = 1;

/// The first eight bytes of an opening key's SHA-256: it tells the host which key opens.
pub type OpeningKeyId = [u8; 8];

/// The id of an opening key.
pub fn opening_key_id(opening_key: &[u8; 32]) -> OpeningKeyId {
    let mut id = [0; 8];
    id.copy_from_slice(&sha256(opening_key)[..8]);
    id
}

/// The clear head of a sealed ask; what it says is bound into the seal by [`SealedHead::info`].
///
/// ```text
/// sealed ask = version(1) | publisher id(16) | host certificate's name(32) | opening key id(8) | seal
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedHead {
    /// Whose product it is.
    pub publisher: PublisherId,
    /// The name of the host certificate the client saw.
    pub audience: Thumbprint,
    /// Which of the host's opening keys opens the seal.
    pub opening_key: OpeningKeyId,
}

impl SealedHead {
    /// The head with the seal behind it.
    pub fn join(&self, seal: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEALED_HEAD_BYTES + seal.len());
        bytes.push(VERSION);
        bytes.extend(self.publisher.0);
        bytes.extend(self.audience.0);
        bytes.extend(self.opening_key);
        bytes.extend(seal);
        bytes
    }

    /// Takes a sealed ask apart.
    pub fn split(bytes: &[u8]) -> Result<(Self, &[u8]), Refusal> {
        if bytes.len() > SEALED_ASK_BYTES_MAX {
            let detail = format!(
                "{} bytes, at most {SEALED_ASK_BYTES_MAX} are allowed",
                bytes.len()
            );
            return Err(Refusal::new(reasons::TOO_LARGE, detail));
        }
        let cut = || Refusal::new(reasons::NOT_CBOR, "a sealed ask is cut");
        let (head, seal) = bytes
            .split_first_chunk::<SEALED_HEAD_BYTES>()
            .ok_or_else(cut)?;
        if head[0] != VERSION {
            let detail = format!("version {} of the sealed ask", head[0]);
            return Err(Refusal::new(reasons::UNKNOWN_CRITICAL, detail));
        }
        let part = |from: usize, to: usize| &head[from..to];
        Ok((
            Self {
                publisher: PublisherId(part(1, 17).try_into().map_err(|_| cut())?),
                audience: Thumbprint(part(17, 49).try_into().map_err(|_| cut())?),
                opening_key: part(49, 57).try_into().map_err(|_| cut())?,
            },
            seal,
        ))
    }

    /// HPKE's `info` (RFC 9180 section 5.1): binds version, publisher and host certificate.
    pub fn info(&self) -> Vec<u8> {
        [
            b"muster/v1 ask".as_slice(),
            &self.publisher.0,
            &self.audience.0,
        ]
        .concat()
    }
}

/// HPKE's `info` for a product key sealed to a publisher's issuing certificate.
pub fn product_key_info(publisher: PublisherId, issuing_cert: Thumbprint) -> Vec<u8> {
    [
        b"muster/v1 product key".as_slice(),
        &publisher.0,
        &issuing_cert.0,
    ]
    .concat()
}

const HELLO_CHAIN: i64 = 1;
const HELLO_OPENING: i64 = 2;

/// A host's greeting for one publisher: its chain and its present opening key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The host's certificate and the issuing key's, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The statement that announces its present opening key and names its store.
    pub opening: Vec<u8>,
}

/// A greeting that has been verified to the pinned root.
#[derive(Clone, Debug)]
pub struct VerifiedHost {
    /// The host.
    pub permit: Permit,
    /// Its certificate.
    pub cert: Cert,
    /// The key to seal to.
    pub opening_key: [u8; 32],
    /// The store whose tickets and nonces are used.
    pub store: StoreId,
}

impl Hello {
    /// Encodes the greeting.
    pub fn encode(&self) -> Vec<u8> {
        let chain = self.chain.iter().cloned().map(Value::Bytes).collect();
        let map = MapWriter::new()
            .put(HELLO_CHAIN, Value::Array(chain))
            .bytes(HELLO_OPENING, &self.opening);
        cbor::encode(&map.into_value())
    }

    /// Reads a greeting.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > HELLO_BYTES_MAX {
            return Err(Refusal::new(reasons::TOO_LARGE, "the host's greeting"));
        }
        let mut map = MapReader::new("hello", cbor::decode(bytes)?)?;
        let chain = map.list_needed(HELLO_CHAIN, "chain", CHAIN_CERTIFICATES_MAX)?;
        let chain = each_within(chain, CERT_BYTES_MAX)?;
        let opening = bytes_of(map.need(HELLO_OPENING, "opening")?, OPENING_BYTES_MAX)?;
        map.finish_exact()?;
        Ok(Self { chain, opening })
    }

    /// Verifies the greeting to the pinned root: a KMS host's chain, not revoked, and its opening
    /// key; neither had ended at `floor`, the client's trusted time.
    ///
    /// The machine's own clock has no say: a machine whose clock is years off must still be able
    /// to ask, since an answer is what sets it right. What is not yet valid is not refused for the
    /// same reason; an answer is judged at its own time.
    pub fn verify(&self, anchor: &Anchor<'_>, floor: Timestamp) -> Result<VerifiedHost, Refusal> {
        if self.chain.len() != CHAIN_CERTIFICATES_MAX {
            let detail = format!("{} certificates, 2 are needed", self.chain.len());
            return Err(Refusal::new(reasons::CHAIN_LENGTH, detail));
        }
        // A chain that is not empty is judged by its own certificates; the parent is then unused.
        let permit = anchor.chain(&self.chain, Thumbprint([0; 32]))?;
        let Some(cert) = permit
            .cert
            .clone()
            .filter(|cert| cert.role == Role::KmsHost)
        else {
            return Err(Refusal::new(
                reasons::SIGNER_ROLE,
                "the greeting is not a KMS host's",
            ));
        };
        anchor.check_revoked(&permit)?;
        check_not_ended(cert.not_after, floor, "the host's certificate")?;
        let opening: Verified<Opening> = anchor.verify_under(&self.opening, &permit)?;
        check_not_ended(opening.claims.expires, floor, "the opening key")?;
        Ok(VerifiedHost {
            permit,
            cert,
            opening_key: opening.claims.opening_key,
            store: opening.claims.store,
        })
    }
}

fn check_not_ended(ends: Timestamp, floor: Timestamp, what: &str) -> Result<(), Refusal> {
    if ends < floor {
        let detail = format!("{what} ended at {ends}, it is {floor} or later");
        return Err(Refusal::new(reasons::SIGNER_EXPIRED, detail));
    }
    Ok(())
}

const BUNDLE_KIND: i64 = 0;
const BUNDLE_ROOT: i64 = 1;
const BUNDLE_CHAIN: i64 = 2;
const BUNDLE_POLICY: i64 = 3;
const BUNDLE_REVOCATIONS: i64 = 4;
const KIND: &str = "muster-policy";

/// A policy bundle: what a product ships with. Installing it pins its root for the service's and
/// the command line's own view; the product itself is compiled with the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The publisher's root.
    pub root: Root,
    /// The issuing key's certificate: product keys are sealed to it.
    pub chain: Vec<Vec<u8>>,
    /// The policy statement with its chain.
    pub policy: Vec<u8>,
    /// Revocation deltas from the first, in order.
    pub revocations: Vec<Vec<u8>>,
}

/// A bundle that has been verified to its own root. The caller compares the whole root (or its
/// fingerprint, never the publisher id alone) with the pinned one.
#[derive(Clone, Debug)]
pub struct VerifiedBundle {
    /// The policy.
    pub policy: Verified<Policy>,
    /// The issuing key.
    pub issuing: Permit,
    /// The revocations.
    pub revoked: RevocationSet,
}

impl Bundle {
    /// Encodes the bundle.
    pub fn encode(&self) -> Vec<u8> {
        let list =
            |items: &[Vec<u8>]| Value::Array(items.iter().cloned().map(Value::Bytes).collect());
        let map = MapWriter::new()
            .put(BUNDLE_KIND, KIND)
            .put(BUNDLE_ROOT, self.root.to_value())
            .put(BUNDLE_CHAIN, list(&self.chain))
            .bytes(BUNDLE_POLICY, &self.policy)
            .put(BUNDLE_REVOCATIONS, list(&self.revocations));
        cbor::encode(&map.into_value())
    }

    /// Reads a bundle.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            let detail = format!(
                "{} bytes, at most {BUNDLE_BYTES_MAX} are allowed",
                bytes.len()
            );
            return Err(Refusal::new(reasons::TOO_LARGE, detail));
        }
        let mut map = MapReader::new("bundle", cbor::decode(bytes)?)?;
        if map.text(BUNDLE_KIND, "kind", NAME_BYTES_MAX)? != KIND {
            return Err(Refusal::new(reasons::WRONG_TYPE, "it is no policy bundle"));
        }
        let root = Root::from_value(map.need(BUNDLE_ROOT, "root")?)?;
        let chain = map.list_needed(BUNDLE_CHAIN, "chain", CHAIN_CERTIFICATES_MAX)?;
        let policy = bytes_of(map.need(BUNDLE_POLICY, "policy")?, POLICY_BYTES_MAX)?;
        let revocations =
            map.list_needed(BUNDLE_REVOCATIONS, "revocations", REVOCATION_DELTAS_MAX)?;
        map.finish_exact()?;
        Ok(Self {
            root,
            chain: each_within(chain, CERT_BYTES_MAX)?,
            policy,
            revocations: each_within(revocations, REVOCATIONS_BYTES_MAX)?,
        })
    }

    /// Verifies everything in the bundle to its own root.
    pub fn verify(&self) -> Result<VerifiedBundle, Refusal> {
        let mut revoked = RevocationSet::default();
        for bytes in &self.revocations {
            let anchor = Anchor {
                root: &self.root,
                revoked: &revoked,
            };
            let delta: Verified<Revocations> = anchor.verify(bytes)?;
            revoked.apply(&delta.claims)?;
        }
        let anchor = Anchor {
            root: &self.root,
            revoked: &revoked,
        };
        let policy = anchor.verify(&self.policy)?;
        let issuing = self.issuing(&anchor)?;
        Ok(VerifiedBundle {
            policy,
            issuing,
            revoked,
        })
    }

    fn issuing(&self, anchor: &Anchor<'_>) -> Result<Permit, Refusal> {
        let [certificate] = self.chain.as_slice() else {
            return Err(Refusal::new(
                reasons::CHAIN_LENGTH,
                "a bundle carries one certificate",
            ));
        };
        let permit = anchor.chain(
            &self.chain,
            Envelope::decode(certificate, Typ::Cert)?.parent,
        )?;
        anchor.check_revoked(&permit)?;
        Ok(permit)
    }
}

pub(crate) fn each_within(items: Vec<Value>, max: usize) -> Result<Vec<Vec<u8>>, Refusal> {
    items.into_iter().map(|item| bytes_of(item, max)).collect()
}

pub(crate) fn bytes_of(value: Value, max: usize) -> Result<Vec<u8>, Refusal> {
    match value {
        Value::Bytes(bytes) if bytes.len() <= max => Ok(bytes),
        Value::Bytes(bytes) => {
            let detail = format!("{} bytes, at most {max} are allowed", bytes.len());
            Err(Refusal::new(reasons::TOO_LARGE, detail))
        }
        _ => Err(Refusal::new(
            reasons::FIELD_WRONG,
            "a list holds something other than bytes",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_limited_before_they_are_read() {
        let too_large = vec![0; BUNDLE_BYTES_MAX + 1];
        let refusals = [
            Bundle::decode(&too_large).unwrap_err(),
            Hello::decode(&too_large[..HELLO_BYTES_MAX + 1]).unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.reason, reasons::TOO_LARGE);
        }
    }

    #[test]
    fn a_sealed_head_is_read_as_it_is_written() {
        let head = SealedHead {
            publisher: PublisherId([1; 16]),
            audience: Thumbprint([2; 32]),
            opening_key: [3; 8],
        };
        let bytes = head.join(b"seal");
        assert_eq!(
            SealedHead::split(&bytes).unwrap(),
            (head, b"seal".as_slice())
        );
        assert_eq!(
            SealedHead::split(&bytes[..56]).unwrap_err().reason,
            reasons::NOT_CBOR
        );
        let mut other = bytes.clone();
        other[0] = 2;
        assert_eq!(
            SealedHead::split(&other).unwrap_err().reason,
            reasons::UNKNOWN_CRITICAL
        );
        let long = vec![VERSION; SEALED_ASK_BYTES_MAX + 1];
        assert_eq!(
            SealedHead::split(&long).unwrap_err().reason,
            reasons::TOO_LARGE
        );
    }
}
