//! Requests for a certificate: an issuing key asks the root, a host asks the authority.

use ciborium::value::Value;

use crate::cbor::{MapReader, MapWriter};
use crate::crypto::{PublicKey, SIGNATURE_BYTES};
use crate::hardware::ComponentTags;
use crate::ids::{PublisherId, Thumbprint};
use crate::limits::{NAME_BYTES_MAX, PRODUCTS_MAX};
use crate::reason::{Refusal, statement as reasons};
use crate::time::Timestamp;

use super::ask::succession;
use super::envelope::{Body, Claims, Envelope, ReadBody, confirm_key, read_confirmed_key};
use super::{Role, Typ};

const ROLE: i64 = -1;
const OPENING_KEY: i64 = -2;
const SEALED_KEYS: i64 = -3;
const PREVIOUS: i64 = -4;
const NONCE: i64 = -5;
const NAME: i64 = 1;
const COMPONENTS: i64 = 2;

const PREVIOUS_KEY: i64 = -1;
const PREVIOUS_CERT: i64 = -2;
const PREVIOUS_SIGNATURE: i64 = -3;

/// Bytes of one sealed product key at most.
const SEALED_KEY_BYTES_MAX: usize = 160;

/// The certificate a request renews or widens, proved by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// The key certified before.
    pub key: PublicKey,
    /// The name of its certificate.
    pub cert: Thumbprint,
    /// Its signature over [`succession`] of both keys.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// A request's claims. The hash of the request, its name, is its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The role asked for.
    pub role: Role,
    /// The new signing key; the request is signed with it.
    pub key: PublicKey,
    /// The new opening key.
    pub opening_key: [u8; 32],
    /// Product keys of the host, each sealed to the issuing key's opening key; none for a renewal.
    pub sealed_keys: Vec<Vec<u8>>,
    /// The machine's component tags: they tell the same machine from another one.
    pub components: ComponentTags,
    /// The certificate that is renewed or widened.
    pub previous: Option<Previous>,
    /// A display name.
    pub name: String,
    /// Random, so that two requests of one second differ.
    pub nonce: [u8; 16],
    /// When it was made.
    pub issued: Timestamp,
}

impl Request {
    /// Opens a request: form, self-signature, publisher, and the previous key's proof. Returns the
    /// request and its name.
    pub fn open(bytes: &[u8], publisher: PublisherId) -> Result<(Request, Thumbprint), Refusal> {
        let envelope = Envelope::decode(bytes, Typ::Request)?;
        if envelope.publisher != publisher {
            return Err(reasons::WRONG_PUBLISHER.into());
        }
        if !envelope.chain.is_empty() {
            return Err(Refusal::new(
                reasons::CHAIN_LENGTH,
                "a request carries no chain",
            ));
        }
        let request: Request = envelope.claims()?;
        if envelope.parent != request.key.thumbprint() {
            return Err(reasons::WRONG_PARENT.into());
        }
        envelope.check_signature(&request.key)?;
        if let Some(previous) = &request.previous {
            previous
                .key
                .verify(
                    &succession(publisher, &previous.key, &request.key),
                    &previous.signature,
                )
                .map_err(|_| Refusal::new(reasons::POSSESSION, "request.previous"))?;
        }
        Ok((request, envelope.name()))
    }
}

impl Claims for Request {
    const TYP: Typ = Typ::Request;

    fn write(&self) -> Body {
        let previous = self.previous.as_ref().map(|previous| {
            MapWriter::new()
                .put(PREVIOUS_KEY, previous.key.to_value())
                .bytes(PREVIOUS_CERT, &previous.cert.0)
                .bytes(PREVIOUS_SIGNATURE, &previous.signature)
                .into_value()
        });
        let own = MapWriter::new()
            .put_opt(ROLE, self.role.number())
            .bytes(OPENING_KEY, &self.opening_key)
            .put(
                SEALED_KEYS,
                Value::Array(self.sealed_keys.iter().cloned().map(Value::Bytes).collect()),
            )
            .put_opt(PREVIOUS, previous)
            .bytes(NONCE, &self.nonce)
            .put(NAME, self.name.as_str())
            .put(COMPONENTS, self.components.to_value());
        Body {
            confirmation: Some(confirm_key(&self.key)),
            ..Body::new(self.issued, own)
        }
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let key = read_confirmed_key(body.confirmation()?)?;
        let own = &mut body.own;
        let sealed = |value| match value {
            Value::Bytes(bytes) if bytes.len() <= SEALED_KEY_BYTES_MAX => Ok(bytes),
            _ => Err(Refusal::new(
                reasons::FIELD_WRONG,
                "request.sealed_keys holds something else",
            )),
        };
        let request = Self {
            role: Role::from_number(own.uint(ROLE, "role")?)
                .ok_or_else(|| Refusal::new(reasons::FIELD_WRONG, "request.role is not known"))?,
            key,
            opening_key: own.array(OPENING_KEY, "opening_key")?,
            sealed_keys: own
                .list(SEALED_KEYS, "sealed_keys", PRODUCTS_MAX)?
                .into_iter()
                .map(sealed)
                .collect::<Result<_, Refusal>>()?,
            components: ComponentTags::from_value(own.need(COMPONENTS, "components")?)?,
            previous: own
                .map_opt(PREVIOUS, "previous")?
                .map(read_previous)
                .transpose()?,
            name: own.line(NAME, "name", NAME_BYTES_MAX)?,
            nonce: own.array(NONCE, "nonce")?,
            issued: body.issued,
        };
        body.finish()?;
        Ok(request)
    }

    fn issued(&self) -> Timestamp {
        self.issued
    }
}

fn read_previous(mut map: MapReader) -> Result<Previous, Refusal> {
    let previous = Previous {
        key: PublicKey::from_value(map.need(PREVIOUS_KEY, "key")?)?,
        cert: Thumbprint(map.array(PREVIOUS_CERT, "cert")?),
        signature: map.array(PREVIOUS_SIGNATURE, "signature")?,
    };
    map.finish()?;
    Ok(previous)
}
