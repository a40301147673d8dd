//! What the state proves about one product: its statements verified under the root that the caller
//! pins, and the bookkeeping beside them. Nothing here judges.

use crate::ids::{ProductId, SiteId, Thumbprint};
use crate::reason::{Refusal, client as reasons, statement};
use crate::statement::lease::Lease;
use crate::statement::policy::Policy;
use crate::statement::revocations::{RevocationSet, Revocations};
use crate::statement::root::Root;
use crate::statement::{Anchor, Verified};
use crate::time::Timestamp;

use super::schedule::Intervals;
use super::state::{HeldLease, Holding, Installed, Marks, State};
use super::trust::Trust;
use super::trusted_time::{Life, Moment};

/// What the product compiled in: no file, key or network supplies it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The least policy version the product accepts.
    pub policy_version_min: u32,
    /// When the product was built; 1970 where it does not say.
    pub built: Timestamp,
}

/// What is proved about one product.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The product's policy.
    pub policy: Policy,
    /// Which key above the policy is revoked.
    pub policy_revoked: Option<Refusal>,
    /// The last lease whose count was enough when it came.
    pub lease: Option<Proof>,
    /// Why a lease is held but proves nothing.
    pub refused: Option<Refusal>,
    /// The count of a newer lease that was not enough.
    pub counted: Option<u32>,
    /// No time before this is believed.
    pub floor: Timestamp,
    /// What was noticed, and when.
    pub marks: Marks,
    /// When the state was last written: what nobody noted had happened by then at the earliest.
    pub written: Moment,
    /// When the next ask is due.
    pub next_ask: Option<Moment>,
}

/// A verified lease that is this machine's.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The lease.
    pub lease: Lease,
    /// The host's site.
    pub site: Option<SiteId>,
    /// Which key above it is revoked.
    pub revoked: Option<Refusal>,
    /// When it was received.
    pub received: Moment,
    /// How its life is counted.
    pub life: Life,
}

/// Reads one publisher's part of a state under a pinned root.
pub struct Reader<'a> {
    state: &'a State,
    holding: &'a Holding,
    trust: Trust<'a>,
    revoked: RevocationSet,
}

impl<'a> Reader<'a> {
    /// Opens the part of the root's publisher and verifies its revocations.
    ///
    /// # Errors
    /// `NOT_INSTALLED` when the state holds nothing of the publisher; else what is wrong with a
    /// revocation delta.
    pub fn open(state: &'a State, root: &'a Root) -> Result<Self, Refusal> {
        let holding = state.publishers.get(&root.publisher()).ok_or_else(|| {
            let detail = format!("nothing of {} is installed", root.name());
            Refusal::new(reasons::NOT_INSTALLED, detail)
        })?;
        Ok(Self {
            state,
            holding,
            trust: Trust::new(root),
            revoked: revocations(root, &holding.revocations)?,
        })
    }

    /// The publisher's part.
    pub fn holding(&self) -> &'a Holding {
        self.holding
    }

    /// The revocations held.
    pub fn revoked(&self) -> &RevocationSet {
        &self.revoked
    }

    /// A product's policy, verified, all but revocation.
    ///
    /// # Errors
    /// `NOT_INSTALLED`, `POLICY_MISSING`, or what is wrong with the policy.
    pub fn policy(&mut self, product: &ProductId) -> Result<Verified<Policy>, Refusal> {
        let held = self.installed(product)?.policy.as_ref();
        let held = held.ok_or_else(|| Refusal::new(reasons::POLICY_MISSING, product.as_str()))?;
        let verified: Verified<Policy> = self.trust.verify(held)?;
        if verified.claims.product != *product {
            let detail = format!("the policy is of {}", verified.claims.product);
            return Err(Refusal::new(statement::FIELD_WRONG, detail));
        }
        Ok(verified)
    }

    /// Everything proved about a product.
    ///
    /// # Errors
    /// As [`Reader::policy`], and `POLICY_TOO_OLD`.
    pub fn evidence(
        &mut self,
        product: &ProductId,
        compiled: Compiled,
    ) -> Result<Evidence, Refusal> {
        let policy = self.policy(product)?;
        if policy.claims.version < compiled.policy_version_min {
            let detail = format!(
                "version {}, the product needs {}",
                policy.claims.version, compiled.policy_version_min
            );
            return Err(Refusal::new(reasons::POLICY_TOO_OLD, detail));
        }
        let installed = self.installed(product)?;
        let (lease, refused) = match installed
            .lease
            .as_ref()
            .map(|held| self.proof(product, held))
        {
            None => (None, None),
            Some(Ok(proof)) => (Some(proof), None),
            Some(Err(refusal)) => (None, Some(refusal)),
        };
        let counted = installed.counted.as_ref();
        let counted = counted.and_then(|held| self.proof(product, held).ok());
        let ends = ends(&policy);
        let revoked = self.trust.check_revoked(&policy.signer, &self.revoked);
        // A stolen key must not move the floor.
        let issued = match revoked {
            Ok(()) => policy.claims.issued,
            Err(_) => Timestamp::default(),
        };
        Ok(Evidence {
            policy_revoked: revoked.err(),
            floor: self.holding.floor.with(issued, ends, compiled.built),
            policy: policy.claims,
            lease,
            refused,
            counted: counted.map(|proof| proof.lease.count),
            marks: installed.marks,
            written: self.state.written.at,
            next_ask: self.holding.next_ask,
        })
    }

    /// The floor that answers and all policies of the publisher have proved.
    pub fn floor(&mut self) -> Timestamp {
        let holding = self.holding;
        let mut floor = holding.floor.at();
        for product in holding.products.keys() {
            if let Ok(policy) = self.policy(product)
                && self
                    .trust
                    .check_revoked(&policy.signer, &self.revoked)
                    .is_ok()
            {
                floor = holding
                    .floor
                    .with(policy.claims.issued, ends(&policy), floor);
            }
        }
        floor
    }

    /// The shortest intervals of the publisher's products: the host's, where one gave some.
    pub fn intervals(&mut self) -> Intervals {
        let holding = self.holding;
        let mut shortest: Option<Intervals> = None;
        for product in holding.products.keys() {
            let Ok(policy) = self.policy(product) else {
                continue;
            };
            let own = match holding.intervals {
                Some(host) => Intervals::of_host(host.renewal, host.retry, &policy.claims),
                None => Intervals::of_policy(&policy.claims),
            };
            shortest = Some(shortest.map_or(own, |so_far| so_far.shorter(own)));
        }
        shortest.unwrap_or_default()
    }

    fn installed(&self, product: &ProductId) -> Result<&'a Installed, Refusal> {
        let installed = self.holding.products.get(product);
        installed.ok_or_else(|| Refusal::new(reasons::NOT_INSTALLED, product.as_str()))
    }

    /// Verifies a lease: under the root, of this product, granted to this machine's key.
    pub(super) fn proof(
        &mut self,
        product: &ProductId,
        held: &HeldLease,
    ) -> Result<Proof, Refusal> {
        let verified: Verified<Lease> = self.trust.verify(&held.statement)?;
        let lease = verified.claims;
        if !self.holding.owns(&lease.client) {
            return Err(statement::LEASE_OTHER_CLIENT.into());
        }
        if lease.product != *product {
            let detail = format!("the lease is of {}", lease.product);
            return Err(Refusal::new(statement::FIELD_WRONG, detail));
        }
        Ok(Proof {
            revoked: self
                .trust
                .check_revoked(&verified.signer, &self.revoked)
                .err(),
            site: verified
                .signer
                .cert
                .as_ref()
                .and_then(|cert| cert.site().cloned()),
            lease,
            received: held.received,
            life: held.life,
        })
    }
}

/// When the certificate of a statement's signer ends; the root has none.
fn ends<C>(verified: &Verified<C>) -> Timestamp {
    let cert = verified.signer.cert.as_ref();
    cert.map_or(Timestamp::MAX, |cert| cert.not_after)
}

/// Verifies revocation deltas in order and adds them up.
pub(super) fn revocations(root: &Root, deltas: &[Vec<u8>]) -> Result<RevocationSet, Refusal> {
    let mut revoked = RevocationSet::default();
    for bytes in deltas {
        let anchor = Anchor {
            root,
            revoked: &revoked,
        };
        let delta: Verified<Revocations> = anchor.verify(bytes)?;
        revoked.apply(&delta.claims)?;
    }
    Ok(revoked)
}

/// Whether a key is one of those that leases of this publisher may be bound to.
pub(super) fn bound_to(held: &HeldLease) -> Option<Thumbprint> {
    let envelope =
        crate::statement::Envelope::decode(&held.statement.bytes, crate::statement::Typ::Lease);
    let lease: Lease = envelope.ok()?.claims().ok()?;
    Some(lease.client)
}
