//! One ask, from the bytes that came to the bytes that go back: open, decide, sign, seal.

use std::net::IpAddr;

use muster_proto::host::{self, AnswerParts, AskFacts, Decision, Served};
use muster_proto::ids::{ProductId, PublisherId, StoreId, Thumbprint};
use muster_proto::reason::{kms as reasons, statement, store as store_reasons};
use muster_proto::statement::ask::Ask;
use muster_proto::time::Timestamp;
use muster_proto::wire::SealedHead;
use muster_proto::{Reason, Refusal};

use crate::keys::PublisherKeys;
use crate::state::KmsHost;

/// Why there is no signed answer; the peer gets a status code and changes no state.
#[derive(Debug)]
pub struct Unanswered {
    /// The HTTP status.
    pub status: u16,
    /// The reason, for the log and the peer.
    pub refusal: Refusal,
}

impl Unanswered {
    fn new(status: u16, refusal: impl Into<Refusal>) -> Self {
        Self {
            status,
            refusal: refusal.into(),
        }
    }
}

/// An ask that was opened, on its way to its answer.
struct Exchange<'a> {
    keys: &'a PublisherKeys,
    store: StoreId,
    ask: &'a Ask,
    name: Thumbprint,
    now: Timestamp,
}

impl KmsHost {
    /// Answers a sealed ask from a peer with a sealed answer.
    pub async fn answer(&self, peer: IpAddr, body: &[u8]) -> Result<Vec<u8>, Unanswered> {
        let bad = |refusal| Unanswered::new(400, refusal);
        let unavailable = |refusal| Unanswered::new(503, refusal);
        let now = self.trusted_now().map_err(unavailable)?;
        let (head, seal) = SealedHead::split(body).map_err(bad)?;
        let (keys, store) = self
            .served_by(&head.publisher)
            .ok_or_else(|| Unanswered::new(404, reasons::UNKNOWN_PUBLISHER))?;
        // What changed under the client is told by 409: it fetches the greeting again and seals anew.
        if head.audience != keys.audience() {
            return Err(Unanswered::new(409, statement::AUDIENCE));
        }
        let opening = keys
            .opening_key(&head.opening_key)
            .ok_or_else(|| Unanswered::new(409, reasons::OPENING_KEY_UNKNOWN))?;
        keys.check_may_sign(now).map_err(unavailable)?;
        let (bytes, answer_key) = opening.open(&head.info(), seal).map_err(bad)?;
        let (ask, name) = Ask::open(&bytes, head.publisher, keys.audience()).map_err(bad)?;
        let exchange = Exchange {
            keys: &keys,
            store,
            ask: &ask,
            name,
            now,
        };
        match self.decide(&exchange, peer).await {
            Ok(answer) => Ok(answer_key.seal_answer(&answer)),
            Err(refusal) if refusal.reason == store_reasons::REPLACED => {
                self.follow_replaced().await.map_err(unavailable)?;
                Err(Unanswered::new(409, refusal))
            }
            Err(refusal) => Err(unavailable(refusal)),
        }
    }

    /// The host's greeting for a publisher; none for one it does not serve.
    pub fn hello(&self, publisher: &PublisherId) -> Option<Vec<u8>> {
        let (keys, store) = self.served_by(publisher)?;
        Some(keys.hello(store))
    }

    async fn decide(&self, exchange: &Exchange<'_>, peer: IpAddr) -> Result<Vec<u8>, Refusal> {
        let Exchange {
            keys,
            store,
            ask,
            now,
            ..
        } = exchange;
        let (served, refused) = host::sort_products(ask, &keys.cert, &keys.policies);
        let decision = if served.is_empty() {
            Decision::refused(reasons::NOTHING_SERVED)
        } else {
            let budget = keys.cert.client_budget;
            let facts = AskFacts::of(
                *store,
                ask,
                keys.publisher,
                peer.into(),
                &served,
                &keys.numbers,
                budget,
            );
            self.submit(facts, *now).await?
        };
        self.asks.decided(&decision);
        tell(exchange, peer, &decision, &refused);
        Ok(self.sign(exchange, &served, refused, &decision))
    }

    /// Signs the leases and the answer that holds them.
    fn sign(
        &self,
        exchange: &Exchange<'_>,
        served: &[Served<'_>],
        refused: Vec<(ProductId, Reason)>,
        decision: &Decision,
    ) -> Vec<u8> {
        let Exchange {
            keys,
            store,
            ask,
            name,
            now,
        } = exchange;
        let revocations = keys.revoked.number();
        let budget = keys.cert.client_budget;
        let leases = host::lease_claims(
            served,
            &keys.numbers,
            decision,
            ask,
            budget,
            revocations,
            *now,
        );
        let parts = AnswerParts {
            ask: *name,
            store: *store,
            leases: leases.iter().map(|lease| keys.sign(lease)).collect(),
            refused,
            intervals: self.intervals().effective(served),
            revocations,
            now: *now,
        };
        keys.sign(&host::answer_claims(ask, decision, parts))
    }
}

/// One event for each ask, with its reason.
fn tell(
    exchange: &Exchange<'_>,
    peer: IpAddr,
    decision: &Decision,
    refused: &[(ProductId, Reason)],
) {
    let thumbprint = exchange.ask.client.thumbprint();
    let client = muster_proto::ids::ClientId::from(thumbprint);
    let reason = decision.reason;
    let count = decision.counts.iter().map(|(_, count)| *count).max();
    let name = exchange.ask.name.as_deref();
    let code = reason.code();
    if decision.is_granted() && refused.is_empty() && reason != reasons::SUCCEEDED {
        tracing::info!(code, %client, %peer, name, count, "{}", reason.text());
    } else {
        let refused: Vec<String> = refused
            .iter()
            .map(|(product, reason)| format!("{product}: {reason}"))
            .collect();
        tracing::warn!(code, %client, %peer, name, count, ?refused, "{}", reason.text());
    }
}
