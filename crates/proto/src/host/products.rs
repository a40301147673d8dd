//! Which of an ask's products a host serves, and why not the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::ProductId;
use crate::limits::CLIENT_POOLS_MAX;
use crate::reason::{Reason, kms as reasons};
use crate::statement::ask::Ask;
use crate::statement::cert::Cert;
use crate::statement::policy::{Method, Policy};

/// A product that the host serves, by its policy.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The newest policy of the product that the host holds.
    pub policy: &'a Policy,
}

/// Sorts an ask's products into those served and those refused, each with its reason, before
/// anything is counted. `cert` is the host's certificate, `policies` the newest it holds.
pub fn sort_products<'a>(
    ask: &Ask,
    cert: &Cert,
    policies: &'a BTreeMap<ProductId, Policy>,
) -> (Vec<Served<'a>>, Vec<(ProductId, Reason)>) {
    let mut served = Vec::new();
    let mut refused = Vec::new();
    let mut pools = BTreeSet::new();
    for asked in &ask.products {
        match judge(ask, cert, policies, &asked.product) {
            Err(reason) => refused.push((asked.product.clone(), reason)),
            Ok(policy) if pools.len() == CLIENT_POOLS_MAX && !pools.contains(&policy.pool) => {
                refused.push((asked.product.clone(), reasons::POOLS_TOO_MANY));
            }
            Ok(policy) => {
                pools.insert(&policy.pool);
                served.push(Served { policy });
            }
        }
    }
    (served, refused)
}

fn judge<'a>(
    ask: &Ask,
    cert: &Cert,
    policies: &'a BTreeMap<ProductId, Policy>,
    product: &ProductId,
) -> Result<&'a Policy, Reason> {
    if !cert.products.holds(product) {
        return Err(reasons::PRODUCT_NOT_CERTIFIED);
    }
    let policy = policies.get(product).ok_or(reasons::PRODUCT_UNKNOWN)?;
    if policy
        .site
        .as_ref()
        .is_some_and(|site| cert.site() != Some(site))
    {
        return Err(reasons::OTHER_SITE);
    }
    if !policy.methods.holds(Method::Kms) {
        return Err(reasons::METHOD_NOT_ALLOWED);
    }
    if ask.user_identity && !policy.count_users {
        return Err(reasons::USER_NOT_COUNTED);
    }
    if ask.declared && policy.refuse_declared {
        return Err(reasons::DECLARED_REFUSED);
    }
    if !policy.requires_base.is_empty() && !ask.base_licence {
        return Err(reasons::BASE_MISSING);
    }
    Ok(policy)
}
