//! Tickets and orders: a generation, and the store's proof that it gave it out.

use subtle::ConstantTimeEq;

use crate::crypto::hmac256;
use crate::ids::{PublisherId, Thumbprint};
use crate::rules::{Rule, holds};
use crate::statement::ask::{TICKET_TAG_BYTES, Ticket};

use super::table::StoreIdentity;

/// What a tag is for; the domain keeps one from being shown as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A client shows its newest generation.
    Ticket,
    /// A client shows that it was told to make a new key.
    Order,
}

impl Purpose {
    const fn domain(self) -> &'static str {
        match self {
            Self::Ticket => "muster/v1/ticket",
            Self::Order => "muster/v1/order",
        }
    }

    const fn rule(self) -> Rule {
        match self {
            Self::Ticket => Rule::TrueTicket,
            Self::Order => Rule::TrueOrder,
        }
    }
}

/// Whose ticket it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) publisher: PublisherId,
    pub(super) thumbprint: Thumbprint,
}

/// Gives out a ticket or order: HMAC-SHA-256 under the store key over the domain, publisher, client
/// thumbprint and generation (big-endian), the first 16 bytes.
pub(super) fn give(
    store: &StoreIdentity,
    purpose: Purpose,
    holder: Holder,
    generation: u32,
) -> Ticket {
    let mac = hmac256(
        store.key.as_slice(),
        purpose.domain(),
        &[
            &holder.publisher.0,
            &holder.thumbprint.0,
            &generation.to_be_bytes(),
        ],
    );
    let mut tag = [0; TICKET_TAG_BYTES];
    tag.copy_from_slice(&mac[..TICKET_TAG_BYTES]);
    Ticket {
        store: store.id,
        generation,
        tag,
    }
}

/// Whether this store gave the ticket or order to this holder; compared in constant time.
pub(super) fn is_true(
    store: &StoreIdentity,
    purpose: Purpose,
    holder: Holder,
    shown: &Ticket,
) -> bool {
    if !holds(purpose.rule()) {
        return true;
    }
    let given = give(store, purpose, holder, shown.generation);
    shown.store == store.id && bool::from(given.tag.ct_eq(&shown.tag))
}
