//! Answers: a host's signed reply to one ask, sealed back to its asker.

use ciborium::value::Value;

use crate::cbor::{MapReader, MapWriter};
use crate::ids::{Nonce, ProductId, StoreId, Thumbprint};
use crate::limits::{LEASE_BYTES_MAX, PRODUCTS_MAX, REASON_CODE_BYTES_MAX};
use crate::reason::{Reason, Refusal, statement as reasons};
use crate::time::{Span, Timestamp};

use super::Typ;
use super::ask::Ticket;
use super::chain::{Permit, UnderRoot};
use super::envelope::{Body, Claims, ReadBody};
use super::root::Root;

const NONCE: i64 = -1;
const ASK: i64 = -2;
const OUTCOME: i64 = -3;
const LEASES: i64 = -4;
const ORDER: i64 = -5;
const STORE: i64 = -6;
const RENEWAL: i64 = -7;
const RETRY: i64 = -8;
const TICKET: i64 = 1;
const REASON: i64 = 2;
const REFUSED: i64 = 3;
const REVOCATIONS: i64 = 4;

const REFUSED_PRODUCT: i64 = -1;
const REFUSED_REASON: i64 = -2;

/// What a host decided about an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Counted, with a lease for each product the host is certified for. The client judges the
    /// count that a lease states.
    Granted {
        /// Lease statements without their chain, which is the answer's.
        leases: Vec<Vec<u8>>,
    },
    /// Not counted now; ask again after the retry interval.
    Wait,
    /// Two machines share this identity: make a new key and name the old one as predecessor.
    NewKey {
        /// The order, to be shown with the successor's first ask.
        order: Ticket,
    },
    /// Refused.
    Refused,
}

impl Outcome {
    const fn number(&self) -> u64 {
        match self {
            Self::Granted { .. } => 0,
            Self::Wait => 1,
            Self::NewKey { .. } => 2,
            Self::Refused => 3,
        }
    }
}

/// An answer's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The ask's nonce.
    pub nonce: Nonce,
    /// The ask's name.
    pub ask: Thumbprint,
    /// What was decided.
    pub outcome: Outcome,
    /// Why: a stable reason code. Codes this release does not know are kept as text.
    pub reason: String,
    /// Products for which no lease was granted, with their reason codes.
    pub refused: Vec<(ProductId, String)>,
    /// The host's store.
    pub store: StoreId,
    /// The client's new ticket at that store.
    pub ticket: Option<Ticket>,
    /// When to renew.
    pub renewal: Span,
    /// When to ask again while not licensed.
    pub retry: Span,
    /// The newest revocation number the host holds.
    pub revocations: u64,
    /// The host's time.
    pub issued: Timestamp,
}

impl Answer {
    /// Refuses an answer that does not belong to the pending ask.
    pub fn check_for(&self, nonce: Nonce, ask: Thumbprint) -> Result<(), Refusal> {
        if self.nonce != nonce {
            return Err(reasons::NONCE.into());
        }
        if self.ask != ask {
            return Err(reasons::ASK_HASH.into());
        }
        Ok(())
    }

    /// A ticket or order of another store than the answering one would lead its holder to show
    /// that store something it never gave.
    fn check_store(&self) -> Result<(), Refusal> {
        let order = match &self.outcome {
            Outcome::NewKey { order } => Some(order),
            _ => None,
        };
        let mut given = self.ticket.iter().chain(order);
        if given.any(|ticket| ticket.store != self.store) {
            return Err(Refusal::new(
                reasons::FIELD_WRONG,
                "answer.ticket or answer.order is of another store",
            ));
        }
        Ok(())
    }

    /// The reason, where this release knows its code.
    pub fn known_reason(&self) -> Option<Reason> {
        Reason::find(&self.reason)
    }
}

impl Claims for Answer {
    const TYP: Typ = Typ::Answer;

    fn write(&self) -> Body {
        let (leases, order) = match &self.outcome {
            Outcome::Granted { leases } => {
                let leases = leases.iter().cloned().map(Value::Bytes).collect();
                (Some(Value::Array(leases)), None)
            }
            Outcome::NewKey { order } => (None, Some(order.to_value())),
            Outcome::Wait | Outcome::Refused => (None, None),
        };
        let refused = |(product, code): &(ProductId, String)| {
            MapWriter::new()
                .put(REFUSED_PRODUCT, product.as_str())
                .put(REFUSED_REASON, code.as_str())
                .into_value()
        };
        let refused: Vec<_> = self.refused.iter().map(refused).collect();
        let own = MapWriter::new()
            .bytes(NONCE, &self.nonce.0)
            .bytes(ASK, &self.ask.0)
            .put(OUTCOME, self.outcome.number())
            .put_opt(LEASES, leases)
            .put_opt(ORDER, order)
            .bytes(STORE, &self.store.0)
            .put(RENEWAL, self.renewal.seconds())
            .put(RETRY, self.retry.seconds())
            .put_opt(TICKET, self.ticket.map(Ticket::to_value))
            .put(REASON, self.reason.as_str())
            .put_opt(
                REFUSED,
                (!refused.is_empty()).then_some(Value::Array(refused)),
            )
            .put(REVOCATIONS, self.revocations);
        Body::new(self.issued, own)
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let own = &mut body.own;
        let answer = Self {
            nonce: Nonce(own.array(NONCE, "nonce")?),
            ask: Thumbprint(own.array(ASK, "ask")?),
            outcome: read_outcome(own)?,
            reason: own.line(REASON, "reason", REASON_CODE_BYTES_MAX)?,
            refused: own
                .list(REFUSED, "refused", PRODUCTS_MAX)?
                .into_iter()
                .map(read_refused)
                .collect::<Result<_, Refusal>>()?,
            store: StoreId(own.array(STORE, "store")?),
            ticket: own
                .array_opt(TICKET, "ticket")?
                .map(|bytes| Ticket::from_bytes(&bytes)),
            renewal: Span::from_seconds(own.uint(RENEWAL, "renewal")?),
            retry: Span::from_seconds(own.uint(RETRY, "retry")?),
            revocations: own.uint(REVOCATIONS, "revocations")?,
            issued: body.issued,
        };
        body.finish()?;
        answer.check_store()?;
        Ok(answer)
    }

    fn issued(&self) -> Timestamp {
        self.issued
    }
}

impl UnderRoot for Answer {
    fn check_under(&self, _: &Permit, _: &Root) -> Result<(), Refusal> {
        Ok(())
    }
}

fn read_outcome(map: &mut MapReader) -> Result<Outcome, Refusal> {
    let lease = |value| match value {
        Value::Bytes(bytes) if bytes.len() <= LEASE_BYTES_MAX => Ok(bytes),
        _ => Err(Refusal::new(
            reasons::FIELD_WRONG,
            "answer.leases holds something else",
        )),
    };
    let leases = map.list(LEASES, "leases", PRODUCTS_MAX)?;
    let order = map.array_opt(ORDER, "order")?;
    match (map.uint(OUTCOME, "outcome")?, order) {
        (0, None) => {
            let leases = leases
                .into_iter()
                .map(lease)
                .collect::<Result<_, Refusal>>()?;
            Ok(Outcome::Granted { leases })
        }
        (1, None) if leases.is_empty() => Ok(Outcome::Wait),
        (2, Some(order)) if leases.is_empty() => Ok(Outcome::NewKey {
            order: Ticket::from_bytes(&order),
        }),
        (3, None) if leases.is_empty() => Ok(Outcome::Refused),
        _ => Err(Refusal::new(
            reasons::FIELD_WRONG,
            "answer.outcome does not fit its fields",
        )),
    }
}

fn read_refused(value: Value) -> Result<(ProductId, String), Refusal> {
    let mut map = MapReader::new("answer.refused", value)?;
    let product = map.id(REFUSED_PRODUCT, "product")?;
    let code = map.line(REFUSED_REASON, "reason", REASON_CODE_BYTES_MAX)?;
    map.finish()?;
    Ok((product, code))
}
