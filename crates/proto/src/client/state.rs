//! The `state` file: signed statements, and plain bookkeeping beside them. Everybody may read it
//! and it holds no secret. Nothing in it licenses but what a publisher's keys signed; the
//! bookkeeping says when things were noticed, which host served, and when to ask again.

use std::collections::BTreeMap;

use crate::client::schedule::Intervals;
use crate::client::trusted_time::{Floor, Life, Moment, Written};
use crate::ids::{ProductId, PublisherId, SiteId, Thumbprint};
use crate::key::Last5;
use crate::reason::Refusal;
use crate::statement::root::Root;
use crate::time::Timestamp;

use super::files::STATE;
use super::state_codec;

/// Everything in the file.
///
/// *Warning:* this is a stored format, see [`super::files`]; change it only with a new version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// When it was last written, on both clocks.
    pub written: Written,
    /// Whether the hardware was declared with `--sysroot`.
    pub declared: bool,
    /// What is held of each publisher.
    pub publishers: BTreeMap<PublisherId, Holding>,
}

/// What is held of one publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Signed by nobody, pinned: the root of the service's and the command line's own view. A
    /// product compares with the root that it was compiled with.
    pub root: Root,
    /// The client key that leases are bound to.
    pub client: Option<Thumbprint>,
    /// The key that succeeds it and asks already.
    pub successor: Option<Thumbprint>,
    /// Signed: revocation deltas, in order from the first.
    pub revocations: Vec<Vec<u8>>,
    /// Signed: the newest certificate of each host met, newest host last.
    pub hosts: Vec<SeenHost>,
    /// The floor that answers have proved.
    pub floor: Floor,
    /// The intervals the last host gave.
    pub intervals: Option<Intervals>,
    /// When to ask next.
    pub next_ask: Option<Moment>,
    /// The last host that answered.
    pub last: Option<Contact>,
    /// How the last ask ended.
    pub outcome: Option<Noted>,
    /// The highest revocation number that a verified answer or lease named.
    pub revocations_offered: u64,
    /// The products installed.
    pub products: BTreeMap<ProductId, Installed>,
    /// What is remembered of products that were removed, the one removed last at the end.
    pub removed: Vec<Removed>,
}

impl Holding {
    /// A publisher of whom nothing but the root is known yet.
    pub fn new(root: Root) -> Self {
        Self {
            root,
            client: None,
            successor: None,
            revocations: Vec::new(),
            hosts: Vec::new(),
            floor: Floor::default(),
            intervals: None,
            next_ask: None,
            last: None,
            outcome: None,
            revocations_offered: 0,
            products: BTreeMap::new(),
            removed: Vec::new(),
        }
    }

    /// Whether leases bound to a key are this machine's.
    pub fn owns(&self, client: &Thumbprint) -> bool {
        self.client.as_ref() == Some(client) || self.successor.as_ref() == Some(client)
    }
}

/// A host's certificate as it was seen last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenHost {
    /// The chain, the host's certificate first.
    pub chain: Vec<Vec<u8>>,
    /// When that certificate was issued: never back.
    pub issued: Timestamp,
    /// The host's name in it.
    pub name: String,
    /// Where it was reached, as `HOST:PORT`.
    pub place: String,
}

/// A host that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Where, as `HOST:PORT`.
    pub host: String,
    /// The host's site.
    pub site: Option<SiteId>,
    /// When, by the machine's clock.
    pub at: Timestamp,
    /// The host's time in that answer.
    pub host_time: Timestamp,
}

/// A reason as it was noted, with its detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The code.
    pub code: String,
    /// What was seen.
    pub detail: String,
}

impl Noted {
    /// Notes a refusal; a detail that is too long is cut.
    pub fn of(refusal: &Refusal) -> Self {
        Self {
            code: refusal.reason.code().to_owned(),
            detail: refusal.detail.chars().take(200).collect(),
        }
    }
}

/// Asking that brought no lease that is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, by the machine's clock.
    pub at: Timestamp,
    /// Why.
    pub why: Noted,
}

impl Failure {
    /// Notes a failure.
    pub fn of(at: Timestamp, why: &Refusal) -> Self {
        Self {
            at,
            why: Noted::of(why),
        }
    }
}

/// One installed product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// The product key's last group; the key itself stands in `identity` alone.
    pub last5: Option<Last5>,
    /// Signed: the policy.
    pub policy: Option<HeldStatement>,
    /// The highest policy version that a verified lease named.
    pub policy_offered: u32,
    /// Signed: the last lease whose count was enough when it came.
    pub lease: Option<HeldLease>,
    /// Signed: a newer lease whose count was not enough.
    pub counted: Option<HeldLease>,
    /// Why the last verified answer held no lease for this product.
    pub refused: Option<Noted>,
    /// How asking failed last; none once it has brought a lease that is enough.
    pub failed: Option<Failure>,
    /// What was noticed, and when.
    pub marks: Marks,
}

/// A product that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The product.
    pub product: ProductId,
    /// The policy it had.
    pub policy: Option<PolicySeen>,
    /// What nothing but a licence ends ([`Marks::lasting`]).
    pub marks: Marks,
}

/// A policy that was held once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySeen {
    /// Its version: no older one is taken again.
    pub version: u32,
    /// The keys it stood under, its signer's first: once one is revoked, the version counts no more.
    pub keys: Vec<Thumbprint>,
}

/// A statement apart from its chain, so that a certificate shared by several is verified once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldStatement {
    /// The statement, carrying no chain.
    pub bytes: Vec<u8>,
    /// The signer's chain, leaf first; empty for the root.
    pub chain: Vec<Vec<u8>>,
}

/// A lease with what its judgement needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    /// Signed: the lease.
    pub statement: HeldStatement,
    /// When it was received.
    pub received: Moment,
    /// How its life is counted.
    pub life: Life,
    /// The host, as `HOST:PORT`.
    pub host: String,
}

/// Moments at which something was noticed that no statement dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The key was installed.
    pub installed: Moment,
    /// The hardware was found changed.
    pub hardware: Option<Moment>,
    /// The clock was found behind the floor.
    pub clock: Option<Moment>,
    /// The host was found revoked.
    pub revoked: Option<Moment>,
    /// A lease that had licensed was found not to be enough any more.
    pub unproven: Option<Moment>,
    /// An administrator rearmed the product.
    pub rearmed: Option<Moment>,
    /// The rearm was used and the product was not licensed since.
    pub rearm_spent: bool,
}

impl State {
    /// The file's bytes; the same state always makes the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        STATE.seal(&state_codec::encode(self))
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// `STATE_FOREIGN`, `STATE_VERSION`, `STATE_CUT`, `STATE_ALTERED`, `STATE_CONTENTS`.
    pub fn decode(file: &[u8]) -> Result<Self, Refusal> {
        Self::decode_knowing(file, None)
    }

    /// As [`State::decode`], where a root is known already: its keys are not checked again to be
    /// points of their curve.
    ///
    /// # Errors
    /// As [`State::decode`].
    pub fn decode_knowing(file: &[u8], known: Option<&Root>) -> Result<Self, Refusal> {
        let value = STATE.open(file)?;
        state_codec::decode(value, known).map_err(|refusal| STATE.contents(&refusal))
    }
}
