//! What a host says: the claims of leases and answers, for the host to sign and seal.

use crate::ids::{ProductId, StoreId, Thumbprint};
use crate::reason::Reason;
use crate::statement::answer::{Answer, Outcome};
use crate::statement::ask::Ask;
use crate::statement::lease::{Lease, LeaseKind};
use crate::time::{Span, Timestamp};

use super::desk::{Decision, Verdict};
use super::facts::PoolNumbers;
use super::products::Served;

/// The leases of a granted decision, one for each served product, in order; none otherwise.
///
/// The count stated never exceeds `client_budget`, which every verifier holds it against: after the
/// budget of a renewed certificate was made smaller, the machines counted so far keep their leases.
pub fn lease_claims(
    served: &[Served<'_>],
    numbers: &PoolNumbers,
    decision: &Decision,
    ask: &Ask,
    client_budget: u32,
    revocations: u64,
    now: Timestamp,
) -> Vec<Lease> {
    if !matches!(decision.verdict, Verdict::Granted { .. }) {
        return Vec::new();
    }
    let client = ask.client.thumbprint();
    let lease = |served: &Served<'_>| {
        let policy = served.policy;
        let count = decision.count_of(*numbers.get(&policy.pool)?)?;
        Some(Lease {
            kind: LeaseKind::Kms,
            product: policy.product.clone(),
            client,
            count: count.min(client_budget),
            components: ask.components,
            policy_version: policy.version,
            revocations,
            issued: now,
            expires: now + policy.validity,
        })
    };
    served.iter().filter_map(lease).collect()
}

/// What goes into an answer beside the ask and the decision.
#[derive(Clone, Debug)]
pub struct AnswerParts {
    /// The ask's name.
    pub ask: Thumbprint,
    /// The host's store.
    pub store: StoreId,
    /// The signed leases without their chain, as [`lease_claims`] ordered them.
    pub leases: Vec<Vec<u8>>,
    /// Products that are not served.
    pub refused: Vec<(ProductId, Reason)>,
    /// When to renew, and when to ask again while not licensed.
    pub intervals: (Span, Span),
    /// The newest revocation number the host holds.
    pub revocations: u64,
    /// The host's time.
    pub now: Timestamp,
}

/// The claims of the answer to an ask.
pub fn answer_claims(ask: &Ask, decision: &Decision, parts: AnswerParts) -> Answer {
    let (outcome, ticket) = match decision.verdict {
        Verdict::Granted { ticket } => {
            let leases = parts.leases;
            (Outcome::Granted { leases }, Some(ticket))
        }
        Verdict::Wait { ticket } => (Outcome::Wait, ticket),
        Verdict::NewKey { order } => (Outcome::NewKey { order }, None),
        Verdict::Refused => (Outcome::Refused, None),
    };
    let code = |(product, reason): (ProductId, Reason)| (product, reason.code().to_owned());
    Answer {
        nonce: ask.nonce,
        ask: parts.ask,
        outcome,
        reason: decision.reason.code().to_owned(),
        refused: parts.refused.into_iter().map(code).collect(),
        store: parts.store,
        ticket,
        renewal: parts.intervals.0,
        retry: parts.intervals.1,
        revocations: parts.revocations,
        issued: parts.now,
    }
}
