//! How many products one ask may name, so that neither it nor its answer passes
//! [`EXCHANGE_BYTES_MAX`] on the wire. A machine with more asks again for the rest.

use crate::crypto::SIGNATURE_BYTES;
use crate::hardware::ComponentTags;
use crate::ids::{Nonce, ProductId, PublisherId, StoreId, Thumbprint};
use crate::limits::{EXCHANGE_BYTES_MAX, SEAL_ANSWER_BYTES, SEAL_ASK_BYTES};
use crate::statement::answer::{Answer, Outcome};
use crate::statement::ask::Ticket;
use crate::statement::lease::{Lease, LeaseKind};
use crate::statement::{Claims, Draft};
use crate::time::{Span, Timestamp};

use super::asking::Host;

/// Whether a signed ask fits when it is sealed.
pub(crate) fn ask_fits(signed: &[u8]) -> bool {
    signed.len() + SEAL_ASK_BYTES <= EXCHANGE_BYTES_MAX
}

/// How many of the products, from the first, an answer with a lease for each has room for; one at
/// least.
pub(crate) fn answer_fits<'a>(
    publisher: PublisherId,
    host: &Host,
    components: ComponentTags,
    products: impl Iterator<Item = &'a ProductId>,
) -> usize {
    let mut leases = Vec::new();
    for product in products {
        leases.push(size(
            publisher,
            host,
            &lease(host, components, product.clone()),
        ));
        let answer = size(publisher, host, &answer(leases.clone()));
        if answer.len() + SEAL_ANSWER_BYTES > EXCHANGE_BYTES_MAX {
            leases.pop();
            break;
        }
    }
    leases.len().max(1)
}

/// A statement as long as the host's own will be; nobody signs it.
fn size<C: Claims>(publisher: PublisherId, host: &Host, claims: &C) -> Vec<u8> {
    let permit = &host.verified.permit;
    let draft = Draft::new(claims, publisher, permit.thumbprint, &permit.key);
    draft.finish([0; SIGNATURE_BYTES], &[])
}

/// Numbers as large as they grow: the count to the certificate's budget, the rest to 32 bits.
fn lease(host: &Host, components: ComponentTags, product: ProductId) -> Lease {
    Lease {
        kind: LeaseKind::Kms,
        product,
        client: Thumbprint([0; 32]),
        count: host.verified.permit.client_budget(),
        components,
        policy_version: u32::MAX,
        revocations: u32::MAX.into(),
        issued: TIME,
        expires: TIME,
    }
}

fn answer(leases: Vec<Vec<u8>>) -> Answer {
    Answer {
        nonce: Nonce([0; 16]),
        ask: Thumbprint([0; 32]),
        outcome: Outcome::Granted { leases },
        reason: "MUSTER-KMS-0000".into(),
        refused: Vec::new(),
        store: StoreId([0; 8]),
        ticket: Some(Ticket {
            store: StoreId([0; 8]),
            generation: u32::MAX,
            tag: [0; 16],
        }),
        renewal: Span::from_days(30),
        retry: Span::from_days(30),
        revocations: u32::MAX.into(),
        issued: TIME,
    }
}

/// Any time that takes five bytes, as all do until 2106.
const TIME: Timestamp = Timestamp::from_seconds(u32::MAX as u64);
