//! Products and their signed policies.

use muster_proto::Refusal;
use muster_proto::ids::{ProductId, Thumbprint};
use muster_proto::limits::REVOCATION_DELTAS_MAX;
use muster_proto::reason::authority as reasons;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::{Anchor, Envelope, Typ};
use muster_proto::time::Timestamp;
use muster_proto::wire::Bundle;
use muster_store::authority::{AuthorityStore, ProductRow, Tables, ops};

use crate::Authority;
use crate::authority::TRIES_MAX;

/// A product with its newest policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductReport {
    /// When the product was added.
    pub added: Timestamp,
    /// Its newest policy, with group and version.
    pub policy: Policy,
}

/// A change that keeps a signed policy: of a new product, or the next version.
type Keep = fn(&mut dyn Tables, &Policy, &[u8], Timestamp) -> Result<ProductRow, Refusal>;

impl<S: AuthorityStore> Authority<S> {
    /// Adds a product. Group, version and time of issue of the policy are set here. The same
    /// product with the same policy again changes nothing.
    ///
    /// # Errors
    /// `PRODUCT_EXISTS` with another policy, `FIELD_WRONG` and `POLICY_BOUNDS` when the policy is
    /// not allowed, `AWAITING_ROOT`.
    pub async fn add_product(
        &self,
        policy: Policy,
        now: Timestamp,
    ) -> Result<ProductReport, Refusal> {
        policy.check()?;
        for _ in 0..TRIES_MAX {
            let id = policy.product.clone();
            let found = move |tables: &mut dyn Tables| match tables.product(&id)? {
                Some(_) => ops::newest_policy(tables, &id).map(Some),
                None => Ok(None),
            };
            if let Some(found) = self.store.view(found).await? {
                let report = report(found)?;
                if is_same(&report.policy, &policy) {
                    return Ok(report);
                }
                let detail = format!("product {}", policy.product);
                return Err(Refusal::new(reasons::PRODUCT_EXISTS, detail));
            }
            let mut policy = policy.clone();
            let next = |tables: &mut dyn Tables| {
                Ok((ops::next_group(tables)?, ops::next_version(tables, None)?))
            };
            (policy.group, policy.version) = self.store.view(next).await?;
            match self.put(policy, now, ops::add_product).await {
                Err(refusal) if refusal.reason == reasons::CHANGED_MEANWHILE => {}
                other => return other,
            }
        }
        Err(reasons::CHANGED_MEANWHILE.into())
    }

    /// Changes a product's policy; its version grows by one, unless nothing changed. Product,
    /// group, version and time of issue are not the caller's to change.
    ///
    /// # Errors
    /// As [`Authority::add_product`], and `PRODUCT_UNKNOWN`.
    pub async fn set_product(
        &self,
        id: &ProductId,
        change: impl Fn(&mut Policy),
        now: Timestamp,
    ) -> Result<ProductReport, Refusal> {
        for _ in 0..TRIES_MAX {
            let before = self.product(id).await?;
            let mut policy = before.policy.clone();
            change(&mut policy);
            policy.product = id.clone();
            policy.group = before.policy.group;
            policy.version = before.policy.version;
            if is_same(&policy, &before.policy) {
                return Ok(before);
            }
            policy.check()?;
            let id = id.clone();
            let next = move |tables: &mut dyn Tables| {
                let row = ops::product(tables, &id)?;
                ops::next_version(tables, Some(&row))
            };
            policy.version = self.store.view(next).await?;
            match self.put(policy, now, ops::set_policy).await {
                Err(refusal) if refusal.reason == reasons::CHANGED_MEANWHILE => {}
                other => return other,
            }
        }
        Err(reasons::CHANGED_MEANWHILE.into())
    }

    /// Every product, by id.
    pub async fn products(&self) -> Result<Vec<ProductReport>, Refusal> {
        let read = |tables: &mut dyn Tables| {
            let products = tables.products()?.into_iter();
            products
                .map(|row| ops::newest_policy(tables, &row.id))
                .collect::<Result<Vec<_>, Refusal>>()
        };
        self.store
            .view(read)
            .await?
            .into_iter()
            .map(report)
            .collect()
    }

    /// A product.
    ///
    /// # Errors
    /// `PRODUCT_UNKNOWN`.
    pub async fn product(&self, id: &ProductId) -> Result<ProductReport, Refusal> {
        let id = id.clone();
        let read = move |tables: &mut dyn Tables| ops::newest_policy(tables, &id);
        self.store.view(read).await.and_then(report)
    }

    /// The bundle a product ships with: root, issuing certificate, policy, revocations.
    ///
    /// # Errors
    /// `PRODUCT_UNKNOWN`, `AWAITING_ROOT`, `ISSUING_ENDED`.
    pub async fn bundle(&self, id: &ProductId, now: Timestamp) -> Result<Bundle, Refusal> {
        let product = id.clone();
        let read = move |tables: &mut dyn Tables| ops::newest_policy(tables, &product);
        let (_, policy) = self.store.view(read).await?;
        let mut revocations = self.deltas(now).await?;
        revocations.truncate(REVOCATION_DELTAS_MAX);
        let bundle = Bundle {
            root: self.root.clone(),
            chain: vec![self.current(now).await?.statement],
            policy,
            revocations,
        };
        bundle.verify()?;
        Ok(bundle)
    }

    /// Gives every policy whose newest version a revoked key signed a new version that says the
    /// same.
    pub(crate) async fn sign_policies_again(
        &self,
        revoked: Thumbprint,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        for report in self.products().await? {
            let id = report.policy.product;
            for _ in 0..TRIES_MAX {
                let product = id.clone();
                let read = move |tables: &mut dyn Tables| {
                    let (row, statement) = ops::newest_policy(tables, &product)?;
                    Ok((ops::next_version(tables, Some(&row))?, statement))
                };
                let (version, statement) = self.store.view(read).await?;
                if !self.is_signed_by(&statement, revoked)? {
                    break;
                }
                let mut policy: Policy = Envelope::decode(&statement, Typ::Policy)?.claims()?;
                policy.version = version;
                match self.put(policy, now, ops::set_policy).await {
                    Err(refusal) if refusal.reason == reasons::CHANGED_MEANWHILE => {}
                    other => {
                        other?;
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn is_signed_by(&self, statement: &[u8], key: Thumbprint) -> Result<bool, Refusal> {
        let envelope = Envelope::decode(statement, Typ::Policy)?;
        let anchor = Anchor {
            root: &self.root,
            revoked: &RevocationSet::default(),
        };
        let signer = anchor.signer(&envelope, &envelope.chain)?;
        Ok(signer.key.thumbprint() == key)
    }

    /// Signs a policy, verifies it as a client would, and keeps it.
    async fn put(
        &self,
        mut policy: Policy,
        now: Timestamp,
        keep: Keep,
    ) -> Result<ProductReport, Refusal> {
        policy.issued = now;
        let statement = self.sign(&policy, now).await?;
        let policy: Policy = self.verify(&statement)?;
        let kept = policy.clone();
        let row = self
            .store
            .change(move |tables| keep(tables, &kept, &statement, now))
            .await?;
        Ok(ProductReport {
            added: row.added,
            policy,
        })
    }
}

/// Whether two policies say the same, apart from what the authority sets itself.
fn is_same(one: &Policy, other: &Policy) -> bool {
    let mut like = other.clone();
    (like.group, like.version, like.issued) = (one.group, one.version, one.issued);
    like == *one
}

fn report((row, statement): (ProductRow, Vec<u8>)) -> Result<ProductReport, Refusal> {
    Ok(ProductReport {
        added: row.added,
        policy: Envelope::decode(&statement, Typ::Policy)?.claims()?,
    })
}
