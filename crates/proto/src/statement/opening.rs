//! A host's present opening key: replaced every 30 days, signed by the host's signing key.

use crate::cbor::MapWriter;
use crate::ids::StoreId;
use crate::limits::{OPENING_KEY_KEPT_SECONDS, OPENING_KEY_SECONDS};
use crate::reason::{Refusal, statement as reasons};
use crate::time::{Span, Timestamp};

use super::Typ;
use super::chain::{Permit, UnderRoot};
use super::envelope::{Body, Claims, ReadBody};
use super::root::Root;

const OPENING_KEY: i64 = -1;
const STORE: i64 = -2;

/// The claims of an opening-key statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The X25519 key to seal asks to.
    pub opening_key: [u8; 32],
    /// The host's store: it tells the client which of its tickets to show, and which pending nonce
    /// to repeat. Nonces are kept **per store** until an answer of that store is kept: an ask that
    /// one store took while its answer was lost, then answered by a host of another store, would
    /// otherwise come back to the first with a fresh nonce and an old ticket, and an honest machine
    /// would be told to make a new key. Signed, since a network that lied about it could do the
    /// same.
    pub store: StoreId,
    /// When it was made.
    pub issued: Timestamp,
    /// Until when it opens at the latest.
    pub expires: Timestamp,
}

impl Opening {
    /// How long a key opens at the longest: until it is replaced, and 7 days more.
    pub const LIFE: Span = Span::from_seconds(OPENING_KEY_SECONDS + OPENING_KEY_KEPT_SECONDS);
}

impl Claims for Opening {
    const TYP: Typ = Typ::Opening;

    fn write(&self) -> Body {
        let own = MapWriter::new()
            .bytes(OPENING_KEY, &self.opening_key)
            .bytes(STORE, &self.store.0);
        Body {
            expires: Some(self.expires),
            ..Body::new(self.issued, own)
        }
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let expires = body.expires()?;
        let opening_key = body.own.array(OPENING_KEY, "opening_key")?;
        let store = StoreId(body.own.array(STORE, "store")?);
        let opening = Self {
            opening_key,
            store,
            issued: body.issued,
            expires,
        };
        body.finish()?;
        if opening.expires.since(opening.issued) > Self::LIFE {
            return Err(Refusal::new(
                reasons::FIELD_WRONG,
                "opening.exp is more than 37 days after iat",
            ));
        }
        Ok(opening)
    }

    fn issued(&self) -> Timestamp {
        self.issued
    }
}

impl UnderRoot for Opening {
    fn check_under(&self, _: &Permit, _: &Root) -> Result<(), Refusal> {
        Ok(())
    }
}
