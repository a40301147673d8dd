//! Taking in what comes without an ask: policy bundles, newer policies and revocations. Whatever
//! is taken stands under the pinned root, and nothing ever goes back to an older one.

use crate::ids::ProductId;
use crate::limits::CLIENT_REVOCATION_DELTAS_MAX;
use crate::reason::{Refusal, client as reasons, statement};
use crate::rules::{Rule, holds};
use crate::statement::policy::Policy;
use crate::statement::revocations::{RevocationSet, Revocations};
use crate::statement::root::Root;
use crate::statement::{Anchor, Envelope, Typ, Verified};
use crate::wire::Bundle;

use super::evidence::{self, Reader};
use super::judge::is_enough;
use super::state::{HeldStatement, Holding, State};
use super::trust::Trust;
use super::trusted_time::Moment;

/// Takes a bundle's policy and revocations into a publisher's part. The root must be the pinned
/// one. Tells whether the policy is newer than the one held. A product that is new here is installed
/// at `now`.
///
/// # Errors
/// `ROOT_UNKNOWN`, `BACKWARDS`, `POLICY_BACKWARDS`, or what is wrong with the bundle; nothing is
/// changed then.
pub fn take_bundle(holding: &mut Holding, bundle: &Bundle, now: Moment) -> Result<bool, Refusal> {
    if bundle.root != holding.root {
        let detail = format!(
            "fingerprint {}, pinned is {}",
            bundle.root.fingerprint(),
            holding.root.fingerprint()
        );
        return Err(Refusal::new(statement::ROOT_UNKNOWN, detail));
    }
    let verified = bundle.verify()?;
    let policy = &verified.policy.claims;
    let mut next = holding.clone();
    take_deltas(&mut next, &bundle.revocations)?;
    let revoked = evidence::revocations(&next.root, &next.revocations)?;
    let anchor = Anchor {
        root: &next.root,
        revoked: &revoked,
    };
    anchor.check_revoked(&verified.policy.signer)?;
    let envelope = Envelope::decode(&bundle.policy, Typ::Policy)?;
    let held = HeldStatement {
        bytes: envelope.with_chain(&[]),
        chain: envelope.chain,
    };
    let is_newer = hold(&mut next, policy, held, &revoked, now)?;
    *holding = next;
    Ok(is_newer)
}

/// Takes a product over from another directory of this machine, with its policy where none is held
/// here.
///
/// # Errors
/// `POLICY_BACKWARDS`, or what is wrong with the policy; nothing is changed then.
pub fn take_over(
    holding: &mut Holding,
    theirs: &Holding,
    product: &ProductId,
    now: Moment,
) -> Result<(), Refusal> {
    let mut next = holding.clone();
    if next.revocations.is_empty() {
        next.revocations.clone_from(&theirs.revocations);
    }
    let installed = theirs.products.get(product);
    let mine = next.place(product, now);
    mine.last5 = mine
        .last5
        .or(installed.and_then(|installed| installed.last5));
    // A newer policy of a later release is fetched from the host.
    let is_missing = mine.policy.is_none();
    let policy = installed.and_then(|installed| installed.policy.as_ref());
    if let Some(held) = policy.filter(|_| is_missing) {
        let verified: Verified<Policy> = Trust::new(&holding.root).verify(held)?;
        let revoked = evidence::revocations(&next.root, &next.revocations)?;
        hold(&mut next, &verified.claims, held.clone(), &revoked, now)?;
    }
    *holding = next;
    Ok(())
}

/// Holds a verified policy, unless it is older than the one held, or than the one that was held
/// before the product was removed. A policy whose signer is revoked gives way to any version: a
/// stolen issuing key must not fix a product to a version that the publisher can never pass.
fn hold(
    holding: &mut Holding,
    policy: &Policy,
    signed: HeldStatement,
    revoked: &RevocationSet,
    now: Moment,
) -> Result<bool, Refusal> {
    let (product, version) = (&policy.product, policy.version);
    let held = held_version(holding, product, revoked);
    let is_later = |held: &u32| *held > version && holds(Rule::PolicyForward);
    if let Some(held) = held.filter(is_later) {
        let detail = format!("policy version {version}, {held} is held");
        return Err(Refusal::new(statement::BACKWARDS, detail));
    }
    let seen = holding.version_seen(product, revoked);
    if let Some(seen) = seen.filter(is_later) {
        let detail = format!("{product}: policy version {version}, {seen} was installed before");
        return Err(Refusal::new(reasons::POLICY_BACKWARDS, detail));
    }
    holding.place(product, now).policy = Some(signed);
    holding.forget(product);
    Ok(held.is_none_or(|held| held < version))
}

/// Takes a revocation delta that a host offered. Tells whether it was new.
///
/// # Errors
/// `BACKWARDS` for a gap, or what is wrong with the delta; nothing is changed then.
pub fn take_revocations(holding: &mut Holding, delta: &[u8]) -> Result<bool, Refusal> {
    take_deltas(holding, &[delta.to_vec()])
}

fn take_deltas(holding: &mut Holding, deltas: &[Vec<u8>]) -> Result<bool, Refusal> {
    let mut kept = read_deltas(&holding.root, &holding.revocations)?;
    let mut revoked = evidence::revocations(&holding.root, &holding.revocations)?;
    let mut changed = false;
    for bytes in deltas {
        let anchor = Anchor {
            root: &holding.root,
            revoked: &revoked,
        };
        let delta: Verified<Revocations> = anchor.verify(bytes)?;
        let delta = delta.claims;
        if delta.number <= revoked.number() {
            continue;
        }
        revoked.apply(&delta)?;
        // Deltas that the new one covers and says again whole are needed no more. All of them go or
        // none: one that stayed without those before it would leave a gap, and no entry is lost.
        let is_covered = |(old, _): &(Revocations, Vec<u8>)| old.from >= delta.from;
        let is_said_again = |(old, _): &(Revocations, Vec<u8>)| {
            old.entries
                .iter()
                .all(|entry| delta.entries.contains(entry))
        };
        if kept
            .iter()
            .filter(|held| is_covered(held))
            .all(is_said_again)
        {
            kept.retain(|held| !is_covered(held));
        }
        kept.push((delta, bytes.clone()));
        changed = true;
    }
    if kept.len() > CLIENT_REVOCATION_DELTAS_MAX {
        let detail = format!("more than {CLIENT_REVOCATION_DELTAS_MAX} deltas");
        return Err(Refusal::new(statement::BACKWARDS, detail));
    }
    holding.revocations = kept.into_iter().map(|(_, bytes)| bytes).collect();
    Ok(changed)
}

/// Held deltas with their claims; they were verified when they came and are again at every read.
fn read_deltas(root: &Root, deltas: &[Vec<u8>]) -> Result<Vec<(Revocations, Vec<u8>)>, Refusal> {
    let nothing = RevocationSet::default();
    let anchor = Anchor {
        root,
        revoked: &nothing,
    };
    let read = |bytes: &Vec<u8>| {
        let delta: Verified<Revocations> = anchor.verify(bytes)?;
        Ok((delta.claims, bytes.clone()))
    };
    deltas.iter().map(read).collect()
}

/// The version held, where its signer is not revoked.
fn held_version(holding: &Holding, product: &ProductId, revoked: &RevocationSet) -> Option<u32> {
    let held = holding.products.get(product)?.policy.as_ref()?;
    let mut trust = Trust::new(&holding.root);
    let policy: Verified<Policy> = trust.verify(held).ok()?;
    trust.check_revoked(&policy.signer, revoked).ok()?;
    Some(policy.claims.version)
}

/// After a policy came: leases that were not enough under the one before may be enough now.
pub fn settle(state: &mut State, publisher: crate::ids::PublisherId) {
    let Some(holding) = state.publishers.get(&publisher) else {
        return;
    };
    let enough: Vec<ProductId> = {
        let Ok(mut reader) = Reader::open(state, &holding.root) else {
            return;
        };
        let products = holding.products.iter();
        let counted = products.filter(|(_, installed)| installed.counted.is_some());
        counted
            .filter(|(product, _)| reader.counted_is_enough(product))
            .map(|(product, _)| product.clone())
            .collect()
    };
    let Some(holding) = state.publishers.get_mut(&publisher) else {
        return;
    };
    for product in enough {
        if let Some(installed) = holding.products.get_mut(&product) {
            installed.lease = installed.counted.take();
            installed.failed = None;
        }
    }
}

impl Reader<'_> {
    fn counted_is_enough(&mut self, product: &ProductId) -> bool {
        let Some(counted) = self
            .holding()
            .products
            .get(product)
            .and_then(|p| p.counted.as_ref())
        else {
            return false;
        };
        let Ok(policy) = self.policy(product) else {
            return false;
        };
        let proof = self.proof(product, counted);
        proof.is_ok_and(|proof| is_enough(&proof, &policy.claims, true, false).is_ok())
    }
}

/// Refuses a bundle whose root is not the one insisted on: by file or by fingerprint.
///
/// # Errors
/// `ROOT_DIFFERS`.
pub fn check_root(bundle: &Bundle, insisted: &crate::ids::Thumbprint) -> Result<(), Refusal> {
    let found = bundle.root.fingerprint();
    if found != *insisted {
        let detail = format!("fingerprint {found}, insisted was on {insisted}");
        return Err(Refusal::new(reasons::ROOT_DIFFERS, detail));
    }
    Ok(())
}
