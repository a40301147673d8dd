//! A host's present opening key: replaced every 30 days, signed by the host's signing key.

use crate::cbor::MapWriter;
use crate::limits::{OPENING_KEY_KEPT_SECONDS, OPENING_KEY_SECONDS};
use crate::reason::{Refusal, statement as reasons};
use crate::time::{Span, Timestamp};

use super::Typ;
use super::chain::{Permit, UnderRoot};
use super::envelope::{Body, Claims, ReadBody};
use super::root::Root;

const OPENING_KEY: i64 = -1;

/// The claims of an opening-key statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The X25519 key to seal asks to.
    pub opening_key: [u8; 32],
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
        let own = MapWriter::new().bytes(OPENING_KEY, &self.opening_key);
        Body {
            expires: Some(self.expires),
            ..Body::new(self.issued, own)
        }
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let expires = body.expires()?;
        let opening_key = body.own.array(OPENING_KEY, "opening_key")?;
        let opening = Self {
            opening_key,
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
