//! How the root certifies an issuing key: the terms of the ceremony and their defaults.

use crate::ids::{ProductId, SiteId};
use crate::limits::{
    CERT_BACKDATED_SECONDS, ISSUING_CERT_SECONDS, ISSUING_CLIENT_BUDGET_DEFAULT,
    POLICY_VALIDITY_DAYS_MAX,
};
use crate::reason::{Refusal, authority as reasons};
use crate::statement::Role;
use crate::statement::cert::{Cert, Flags, PolicyBounds};
use crate::statement::request::Request;
use crate::statement::scope::Scope;
use crate::time::{Span, Timestamp};

/// What the root grants to an issuing key; [`IssuingTerms::default`] holds every default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuingTerms {
    /// How long the certificate is valid: 5 years.
    pub life: Span,
    /// Products it may name: all.
    pub products: Scope<ProductId>,
    /// Sites it may name: all.
    pub sites: Scope<SiteId>,
    /// Clients it may grant to one host: 1,000,000.
    pub client_budget: u32,
    /// What it may do beyond: everything.
    pub flags: Flags,
    /// Bounds for the policies it signs: any threshold, validity of at most 3,660 days.
    pub bounds: PolicyBounds,
}

impl Default for IssuingTerms {
    fn default() -> Self {
        Self {
            life: Span::from_seconds(ISSUING_CERT_SECONDS),
            products: Scope::All,
            sites: Scope::All,
            client_budget: ISSUING_CLIENT_BUDGET_DEFAULT,
            flags: Flags::ALL,
            bounds: PolicyBounds {
                threshold_min: 1,
                validity_max: Span::from_days(POLICY_VALIDITY_DAYS_MAX),
            },
        }
    }
}

/// The certificate the root signs in answer to an issuing key's opened request.
///
/// # Errors
/// `ROOT_REQUEST` for a request of another role or with product keys, `TERMS_WRONG`.
pub fn issuing_cert(
    request: &Request,
    terms: &IssuingTerms,
    now: Timestamp,
) -> Result<Cert, Refusal> {
    if request.role != Role::Issuing || !request.sealed_keys.is_empty() {
        let detail = format!("the request is of role {}", request.role);
        return Err(Refusal::new(reasons::ROOT_REQUEST, detail));
    }
    if terms.life < Span::from_days(1) || terms.life > Span::from_days(36_600) {
        let detail = "the certificate's life must be 1 day to 36600 days";
        return Err(Refusal::new(reasons::TERMS_WRONG, detail));
    }
    if terms.bounds.threshold_min == 0 || terms.bounds.validity_max == Span::ZERO {
        let detail = "threshold_min and validity_max must not be zero";
        return Err(Refusal::new(reasons::TERMS_WRONG, detail));
    }
    Ok(Cert {
        role: Role::Issuing,
        key: request.key,
        opening_key: request.opening_key,
        name: request.name.clone(),
        products: terms.products.clone(),
        sites: terms.sites.clone(),
        client_budget: terms.client_budget,
        depth: 1,
        flags: terms.flags,
        policy_bounds: Some(terms.bounds),
        issued: now,
        not_before: now - Span::from_seconds(CERT_BACKDATED_SECONDS),
        not_after: now + terms.life,
    })
}
