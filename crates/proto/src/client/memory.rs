//! What outlives the removal of a product: the least policy version that is taken again, the initial
//! grace once begun, and a rearm once spent. A product that is removed and installed again is where
//! it was, so that nothing is gained by it.

use crate::ids::ProductId;
use crate::limits::CLIENT_REMOVED_MAX;
use crate::statement::Verified;
use crate::statement::policy::Policy;
use crate::statement::revocations::RevocationSet;
use crate::statement::root::Root;

use super::state::{HeldStatement, Holding, Installed, Marks, PolicySeen, Removed};
use super::trust::Trust;
use super::trusted_time::Moment;

impl Holding {
    /// Removes a product with its leases and remembers what a later installation must not undo. Past
    /// [`CLIENT_REMOVED_MAX`] the one that was removed first is forgotten.
    pub fn remove(&mut self, product: &ProductId) {
        let Some(installed) = self.products.remove(product) else {
            return;
        };
        let before = self.forget(product).and_then(|removed| removed.policy);
        let policy = installed.policy.as_ref();
        let policy = policy.and_then(|held| seen(&self.root, held)).or(before);
        if self.removed.len() >= CLIENT_REMOVED_MAX {
            self.removed.remove(0);
        }
        self.removed.push(Removed {
            product: product.clone(),
            policy,
            marks: installed.marks.lasting(),
        });
    }

    /// The place of a product. A new one begins now, one that was removed where it was then.
    pub fn place(&mut self, product: &ProductId, now: Moment) -> &mut Installed {
        let removed = self.removed.iter();
        let removed = removed.rev().find(|removed| removed.product == *product);
        let marks = match removed {
            Some(removed) => removed.marks,
            None => Marks {
                installed: now,
                ..Marks::default()
            },
        };
        let installed = self.products.entry(product.clone());
        installed.or_insert_with(|| Installed {
            marks,
            ..Installed::default()
        })
    }

    /// Ends remembering a product: a policy that may not be older has been taken.
    pub(super) fn forget(&mut self, product: &ProductId) -> Option<Removed> {
        let mut removed = self.removed.iter();
        let at = removed.position(|removed| removed.product == *product)?;
        Some(self.removed.remove(at))
    }

    /// The policy version of a removed product, where no key above that policy is revoked.
    pub(super) fn version_seen(&self, product: &ProductId, revoked: &RevocationSet) -> Option<u32> {
        let mut removed = self.removed.iter();
        let removed = removed.find(|removed| removed.product == *product)?;
        let seen = removed.policy.as_ref()?;
        let is_revoked = seen.keys.iter().any(|key| revoked.holds(key));
        (!is_revoked).then_some(seen.version)
    }
}

impl Marks {
    /// Those that nothing but a licence ends: what was given once is not given again.
    pub fn lasting(self) -> Self {
        Self {
            installed: self.installed,
            rearmed: self.rearmed,
            rearm_spent: self.rearm_spent,
            ..Self::default()
        }
    }
}

fn seen(root: &Root, held: &HeldStatement) -> Option<PolicySeen> {
    let policy: Verified<Policy> = Trust::new(root).verify(held).ok()?;
    Some(PolicySeen {
        version: policy.claims.version,
        keys: policy.signer.keys,
    })
}
