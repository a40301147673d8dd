//! Files that travel between root, authority and host: the activation (the authority's answer to a
//! host), the issuing answer (the root's), the publisher document and the list of revocations.
//! Everything in them is signed or pinned; the containers themselves are not trusted.

use ciborium::value::Value;

use crate::cbor::{self, MapReader, MapWriter};
use crate::crypto::PublicKey;
use crate::ids::Thumbprint;
use crate::limits::{
    ACTIVATION_BYTES_MAX, CERT_BYTES_MAX, CHAIN_CERTIFICATES_MAX, ISSUING_ANSWER_BYTES_MAX,
    NAME_BYTES_MAX, POLICY_BYTES_MAX, PRODUCTS_MAX, PUBLISHER_BYTES_MAX, REVOCATION_DELTAS_MAX,
    REVOCATION_LIST_BYTES_MAX, REVOCATIONS_BYTES_MAX, URL_BYTES_MAX,
};
use crate::reason::{Refusal, statement as reasons};
use crate::statement::cert::Cert;
use crate::statement::policy::Policy;
use crate::statement::revocations::{RevocationSet, Revocations};
use crate::statement::root::Root;
use crate::statement::{Anchor, Envelope, Permit, Role, Typ, Verified};
use crate::time::Timestamp;
use crate::wire::{Bundle, bytes_of, each_within};

const KIND: i64 = 0;

const ACTIVATION: &str = "muster-activation";
const ACTIVATION_CHAIN: i64 = 1;
const ACTIVATION_POLICIES: i64 = 2;
const ACTIVATION_REVOCATIONS: i64 = 3;

/// The authority's answer to a host's request: its certificate, and the policies and revocations it
/// hands on to its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The host's certificate and the issuing key's, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The newest policy of each product of the certificate, each with its chain, in the order of
    /// the product ids.
    pub policies: Vec<Vec<u8>>,
    /// Revocation deltas from the first, in order.
    pub revocations: Vec<Vec<u8>>,
}

/// An activation that has been verified to the pinned root for the host's own key.
#[derive(Clone, Debug)]
pub struct VerifiedActivation {
    /// What the host may do.
    pub permit: Permit,
    /// Its certificate.
    pub cert: Cert,
    /// The certificate it stands under: product keys are sealed to its opening key.
    pub issuing: Cert,
    /// The name of the issuing certificate, bound into the seal of product keys.
    pub issuing_name: Thumbprint,
    /// The policies of its products.
    pub policies: Vec<Verified<Policy>>,
    /// All revocations: those held before and those that came.
    pub revoked: RevocationSet,
}

impl Activation {
    /// Encodes the activation.
    pub fn encode(&self) -> Vec<u8> {
        let map = MapWriter::new()
            .put(KIND, ACTIVATION)
            .put(ACTIVATION_CHAIN, list(&self.chain))
            .put(ACTIVATION_POLICIES, list(&self.policies))
            .put(ACTIVATION_REVOCATIONS, list(&self.revocations));
        cbor::encode(&map.into_value())
    }

    /// Reads an activation.
    ///
    /// # Errors
    /// Form, kind and limits; nothing is verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut map = open(bytes, ACTIVATION_BYTES_MAX, "activation", ACTIVATION)?;
        let chain = map.list_needed(ACTIVATION_CHAIN, "chain", CHAIN_CERTIFICATES_MAX)?;
        let policies = map.list_needed(ACTIVATION_POLICIES, "policies", PRODUCTS_MAX)?;
        let revocations =
            map.list_needed(ACTIVATION_REVOCATIONS, "revocations", REVOCATION_DELTAS_MAX)?;
        map.finish_exact()?;
        Ok(Self {
            chain: each_within(chain, CERT_BYTES_MAX)?,
            policies: each_within(policies, POLICY_BYTES_MAX)?,
            revocations: each_within(revocations, REVOCATIONS_BYTES_MAX)?,
        })
    }

    /// Verifies everything to the pinned root, for the host whose signing key is `key`: the chain
    /// is that key's, valid `now` and not revoked, names one site, and there is a policy for each
    /// of its products and for no other. `held` are the revocations known before.
    pub fn verify(
        &self,
        root: &Root,
        held: &RevocationSet,
        key: &PublicKey,
        now: Timestamp,
    ) -> Result<VerifiedActivation, Refusal> {
        let revoked = take_in(root, held, &self.revocations)?;
        let anchor = Anchor {
            root,
            revoked: &revoked,
        };
        let [_, issuing_bytes] = self.chain.as_slice() else {
            let detail = format!("{} certificates, 2 are needed", self.chain.len());
            return Err(Refusal::new(reasons::CHAIN_LENGTH, detail));
        };
        // A chain that is not empty is judged by its own certificates; the parent is then unused.
        let permit = anchor.chain(&self.chain, Thumbprint([0; 32]))?;
        let cert = host_of(&permit, key)?;
        permit.check_valid_at(now)?;
        anchor.check_revoked(&permit)?;
        let issuing = Envelope::decode(issuing_bytes, Typ::Cert)?;
        let policies = self
            .policies
            .iter()
            .map(|bytes| anchor.verify(bytes))
            .collect::<Result<Vec<Verified<Policy>>, _>>()?;
        check_products(&cert, &policies)?;
        Ok(VerifiedActivation {
            permit,
            cert,
            issuing: issuing.claims()?,
            issuing_name: issuing.name(),
            policies,
            revoked,
        })
    }

    /// A policy bundle for each product, as the host hands it to clients.
    pub fn bundles(&self, root: &Root) -> Vec<Bundle> {
        let bundle = |policy: &Vec<u8>| Bundle {
            root: root.clone(),
            chain: self.chain.last().cloned().into_iter().collect(),
            policy: policy.clone(),
            revocations: self.revocations.clone(),
        };
        self.policies.iter().map(bundle).collect()
    }
}

fn host_of(permit: &Permit, key: &PublicKey) -> Result<Cert, Refusal> {
    let host = permit.cert.clone();
    let host = host.filter(|cert| matches!(cert.role, Role::KmsHost | Role::VmHost));
    let wrong = |what| Refusal::new(reasons::SIGNER_ROLE, what);
    let cert = host.ok_or_else(|| wrong("the activation is not a host's"))?;
    if cert.key != *key {
        return Err(Refusal::new(
            reasons::POSSESSION,
            "the activation is for another signing key",
        ));
    }
    if cert.site().is_none() {
        return Err(Refusal::new(
            reasons::FIELD_WRONG,
            "cert.sites must name exactly one site",
        ));
    }
    Ok(cert)
}

fn check_products(cert: &Cert, policies: &[Verified<Policy>]) -> Result<(), Refusal> {
    let named: Vec<_> = cert.products.named().collect();
    let given: Vec<_> = policies.iter().map(|p| &p.claims.product).collect();
    if named != given {
        return Err(Refusal::new(
            reasons::FIELD_WRONG,
            "activation.policies are not those of the certificate's products, in their order",
        ));
    }
    Ok(())
}

/// Takes verified deltas into a copy of what is held; older ones are skipped.
fn take_in(
    root: &Root,
    held: &RevocationSet,
    deltas: &[Vec<u8>],
) -> Result<RevocationSet, Refusal> {
    let mut revoked = held.clone();
    for bytes in deltas {
        let anchor = Anchor {
            root,
            revoked: &revoked,
        };
        let delta: Verified<Revocations> = anchor.verify(bytes)?;
        if delta.claims.number > revoked.number() {
            revoked.apply(&delta.claims)?;
        }
    }
    Ok(revoked)
}

const ISSUING: &str = "muster-issuing";
const ISSUING_ROOT: i64 = 1;
const ISSUING_CERT: i64 = 2;

/// The root's answer to an issuing key's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuingAnswer {
    /// The root; it is compared with the pinned one.
    pub root: Root,
    /// The issuing certificate.
    pub cert: Vec<u8>,
}

impl IssuingAnswer {
    /// Encodes the answer.
    pub fn encode(&self) -> Vec<u8> {
        let map = MapWriter::new()
            .put(KIND, ISSUING)
            .put(ISSUING_ROOT, self.root.to_value())
            .bytes(ISSUING_CERT, &self.cert);
        cbor::encode(&map.into_value())
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// Form, kind and limits; nothing is verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut map = open(bytes, ISSUING_ANSWER_BYTES_MAX, "issuing", ISSUING)?;
        let root = Root::from_value(map.need(ISSUING_ROOT, "root")?)?;
        let cert = bytes_of(map.need(ISSUING_CERT, "cert")?, CERT_BYTES_MAX)?;
        map.finish_exact()?;
        Ok(Self { root, cert })
    }

    /// Verifies the certificate to the answer's own root, which the caller compares with the
    /// pinned one.
    pub fn verify(&self) -> Result<(Cert, Thumbprint), Refusal> {
        issuing_of(&self.root, std::slice::from_ref(&self.cert))
    }
}

/// An issuing certificate verified to a root: its claims and name.
fn issuing_of(root: &Root, chain: &[Vec<u8>]) -> Result<(Cert, Thumbprint), Refusal> {
    let [_] = chain else {
        let detail = format!("{} certificates, 1 is needed", chain.len());
        return Err(Refusal::new(reasons::CHAIN_LENGTH, detail));
    };
    let anchor = Anchor {
        root,
        revoked: &RevocationSet::default(),
    };
    let permit = anchor.chain(chain, Thumbprint([0; 32]))?;
    match permit.cert {
        Some(cert) if cert.role == Role::Issuing => Ok((cert, permit.thumbprint)),
        _ => Err(Refusal::new(
            reasons::SIGNER_ROLE,
            "the certificate is not an issuing key's",
        )),
    }
}

const PUBLISHER: &str = "muster-publisher";
const PUBLISHER_ROOT: i64 = 1;
const PUBLISHER_CHAIN: i64 = 2;
const PUBLISHER_URL: i64 = 3;

/// Who a publisher is: what a host needs to seal its product keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// The root; its fingerprint is compared with the pinned one.
    pub root: Root,
    /// The issuing certificate.
    pub chain: Vec<Vec<u8>>,
    /// Where the authority is found, if it says so.
    pub url: Option<String>,
}

impl Publisher {
    /// Encodes the document.
    pub fn encode(&self) -> Vec<u8> {
        let map = MapWriter::new()
            .put(KIND, PUBLISHER)
            .put(PUBLISHER_ROOT, self.root.to_value())
            .put(PUBLISHER_CHAIN, list(&self.chain))
            .put_opt(PUBLISHER_URL, self.url.as_deref());
        cbor::encode(&map.into_value())
    }

    /// Reads a document.
    ///
    /// # Errors
    /// Form, kind and limits; nothing is verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut map = open(bytes, PUBLISHER_BYTES_MAX, "publisher", PUBLISHER)?;
        let root = Root::from_value(map.need(PUBLISHER_ROOT, "root")?)?;
        let chain = map.list_needed(PUBLISHER_CHAIN, "chain", CHAIN_CERTIFICATES_MAX)?;
        let url = map.text_opt(PUBLISHER_URL, "url", URL_BYTES_MAX)?;
        map.finish_exact()?;
        let chain = each_within(chain, CERT_BYTES_MAX)?;
        Ok(Self { root, chain, url })
    }

    /// Verifies the issuing certificate to the document's own root, which the caller compares with
    /// the pinned one. Returns the certificate and its name: what product keys are sealed to.
    pub fn verify(&self) -> Result<(Cert, Thumbprint), Refusal> {
        issuing_of(&self.root, &self.chain)
    }
}

const REVOCATIONS: &str = "muster-revocations";
const REVOCATIONS_NUMBER: i64 = 1;
const REVOCATIONS_DELTAS: i64 = 2;

/// A list of revocation deltas, as the authority answers `GET /v1/revocations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// The newest number; when the deltas end before it, ask again from where they end.
    pub number: u64,
    /// Deltas in order.
    pub deltas: Vec<Vec<u8>>,
}

impl RevocationList {
    /// Encodes the list.
    pub fn encode(&self) -> Vec<u8> {
        let map = MapWriter::new()
            .put(KIND, REVOCATIONS)
            .put(REVOCATIONS_NUMBER, self.number)
            .put(REVOCATIONS_DELTAS, list(&self.deltas));
        cbor::encode(&map.into_value())
    }

    /// Reads a list.
    ///
    /// # Errors
    /// Form, kind and limits; nothing is verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut map = open(bytes, REVOCATION_LIST_BYTES_MAX, "revocations", REVOCATIONS)?;
        let number = map.uint(REVOCATIONS_NUMBER, "number")?;
        let deltas = map.list_needed(REVOCATIONS_DELTAS, "deltas", REVOCATION_DELTAS_MAX)?;
        map.finish_exact()?;
        let deltas = each_within(deltas, REVOCATIONS_BYTES_MAX)?;
        Ok(Self { number, deltas })
    }

    /// Verifies the deltas and takes them into a copy of what is held; older ones are skipped.
    pub fn apply(&self, root: &Root, held: &RevocationSet) -> Result<RevocationSet, Refusal> {
        take_in(root, held, &self.deltas)
    }
}

fn open(bytes: &[u8], max: usize, what: &'static str, kind: &str) -> Result<MapReader, Refusal> {
    if bytes.len() > max {
        let detail = format!("{} bytes, at most {max} are allowed", bytes.len());
        return Err(Refusal::new(reasons::TOO_LARGE, detail));
    }
    let mut map = MapReader::new(what, cbor::decode(bytes)?)?;
    let found = map.text(KIND, "kind", NAME_BYTES_MAX)?;
    if found != kind {
        let detail = format!("it is a {found:?} file, {kind:?} is needed");
        return Err(Refusal::new(reasons::WRONG_TYPE, detail));
    }
    Ok(map)
}

fn list(items: &[Vec<u8>]) -> Value {
    Value::Array(items.iter().cloned().map(Value::Bytes).collect())
}
