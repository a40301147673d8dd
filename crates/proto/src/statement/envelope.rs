//! The one envelope: COSE_Sign1 (RFC 9052) with CWT claims (RFC 8392) in deterministic CBOR.
//!
//! ```text
//! statement  = #6.18([ protected: bstr .cbor header, unprotected, payload: bstr .cbor claims, signature ])
//! header     = { 1: alg, 4: parent thumbprint, 16: typ, -65537: publisher id }   ; never 2: crit
//! unprotected = {} / { -65538: [ + certificate ] }          ; leaf first, the root never carried
//! claims     = { ? 4: exp, ? 5: nbf, 6: iat, ? 8: cnf, -65537: { muster's own claims } }
//! ```

use ciborium::value::Value;

use super::Typ;
use crate::cbor::{self, MapReader, MapWriter};
use crate::crypto::{PublicKey, SIGNATURE_BYTES, sha256};
use crate::ids::{PublisherId, Thumbprint};
use crate::limits::{CERT_BYTES_MAX, CHAIN_CERTIFICATES_MAX};
use crate::reason::{Refusal, statement as reasons};
use crate::time::Timestamp;

/// Bound into every signature (RFC 9052 section 4.3), so that no signature of another protocol or
/// version can be taken for one of these.
const EXTERNAL_AAD: &[u8] = b"muster/v1";

/// Header labels (RFC 9052 section 3.1, RFC 9596); negative ones are private use.
const HEADER_ALG: i64 = 1;
const HEADER_CRIT: i64 = 2;
const HEADER_KID: i64 = 4;
const HEADER_TYP: i64 = 16;
const HEADER_PUBLISHER: i64 = -65_537;
const HEADER_CHAIN: i64 = -65_538;

/// CWT claim keys (RFC 8392 section 4, RFC 8747); the private one holds muster's own claims.
const CLAIM_EXP: i64 = 4;
const CLAIM_NBF: i64 = 5;
const CLAIM_IAT: i64 = 6;
const CLAIM_CNF: i64 = 8;
const CLAIM_MUSTER: i64 = -65_537;

/// The claims of one statement type.
pub trait Claims: Sized {
    /// The type that the protected header names.
    const TYP: Typ;

    /// Takes the claims apart for encoding.
    fn write(&self) -> Body;

    /// Reads the claims; refuses missing and wrong fields by name.
    fn read(body: ReadBody) -> Result<Self, Refusal>;

    /// When the statement was issued: the time it is judged at.
    fn issued(&self) -> Timestamp;
}

/// Claims on their way into a payload.
pub struct Body {
    pub(crate) issued: Timestamp,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) confirmation: Option<Value>,
    pub(crate) own: MapWriter,
}

impl Body {
    pub(crate) fn new(issued: Timestamp, own: MapWriter) -> Self {
        Self {
            issued,
            not_before: None,
            expires: None,
            confirmation: None,
            own,
        }
    }

    fn encode(self) -> Vec<u8> {
        let map = MapWriter::new()
            .put_opt(CLAIM_EXP, self.expires.map(Timestamp::seconds))
            .put_opt(CLAIM_NBF, self.not_before.map(Timestamp::seconds))
            .put(CLAIM_IAT, self.issued.seconds())
            .put_opt(CLAIM_CNF, self.confirmation)
            .put(CLAIM_MUSTER, self.own.into_value());
        cbor::encode(&map.into_value())
    }
}

/// Claims on their way out of a payload.
pub struct ReadBody {
    pub(crate) issued: Timestamp,
    not_before: Option<Timestamp>,
    expires: Option<Timestamp>,
    confirmation: Option<Value>,
    pub(crate) own: MapReader,
}

impl ReadBody {
    fn decode(payload: &[u8]) -> Result<Self, Refusal> {
        let mut map = MapReader::new("claims", cbor::decode(payload)?)?;
        let expires = map.time_opt(CLAIM_EXP, "exp")?;
        let not_before = map.time_opt(CLAIM_NBF, "nbf")?;
        let issued = map.time(CLAIM_IAT, "iat")?;
        let confirmation = map.take(CLAIM_CNF);
        let own = map
            .map_opt(CLAIM_MUSTER, "claims")?
            .ok_or_else(|| Refusal::new(reasons::FIELD_MISSING, "claims.muster"))?;
        map.finish()?;
        if expires.is_some_and(|end| end < not_before.unwrap_or(issued)) {
            return Err(reasons::CLAIM_TIMES.into());
        }
        Ok(Self {
            issued,
            not_before,
            expires,
            confirmation,
            own,
        })
    }

    pub(crate) fn expires(&mut self) -> Result<Timestamp, Refusal> {
        let missing = || Refusal::new(reasons::FIELD_MISSING, "claims.exp");
        self.expires.take().ok_or_else(missing)
    }

    pub(crate) fn not_before(&mut self) -> Result<Timestamp, Refusal> {
        let missing = || Refusal::new(reasons::FIELD_MISSING, "claims.nbf");
        self.not_before.take().ok_or_else(missing)
    }

    /// Ends reading. A standard claim that this type does not use refuses: its maker meant it to
    /// be kept, and nobody here would keep it.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        let unused = [
            (self.expires.is_some(), "claims.exp"),
            (self.not_before.is_some(), "claims.nbf"),
            (self.confirmation.is_some(), "claims.cnf"),
        ];
        match unused.iter().find(|(stands, _)| *stands) {
            Some((_, name)) => {
                let detail = format!("{name} does not belong to this type");
                Err(Refusal::new(reasons::FIELD_WRONG, detail))
            }
            None => self.own.finish(),
        }
    }

    pub(crate) fn confirmation(&mut self) -> Result<MapReader, Refusal> {
        let missing = || Refusal::new(reasons::FIELD_MISSING, "claims.cnf");
        MapReader::new("cnf", self.confirmation.take().ok_or_else(missing)?)
    }
}

/// Confirmation methods (RFC 8747 section 3.1, RFC 9679 section 5).
const CNF_COSE_KEY: i64 = 1;
const CNF_KEY_THUMBPRINT: i64 = 5;

pub(crate) fn confirm_key(key: &PublicKey) -> Value {
    MapWriter::new()
        .put(CNF_COSE_KEY, key.to_value())
        .into_value()
}

pub(crate) fn confirm_thumbprint(thumbprint: &Thumbprint) -> Value {
    MapWriter::new()
        .bytes(CNF_KEY_THUMBPRINT, &thumbprint.0)
        .into_value()
}

pub(crate) fn read_confirmed_key(mut cnf: MapReader) -> Result<PublicKey, Refusal> {
    let key = PublicKey::from_value(cnf.need(CNF_COSE_KEY, "key")?)?;
    cnf.finish()?;
    Ok(key)
}

/// The key that the statement itself is signed with; see [`PublicKey::from_value_of_own`].
pub(crate) fn read_confirmed_own_key(mut cnf: MapReader) -> Result<PublicKey, Refusal> {
    let key = PublicKey::from_value_of_own(cnf.need(CNF_COSE_KEY, "key")?)?;
    cnf.finish()?;
    Ok(key)
}

pub(crate) fn read_confirmed_thumbprint(mut cnf: MapReader) -> Result<Thumbprint, Refusal> {
    let thumbprint = Thumbprint(cnf.array(CNF_KEY_THUMBPRINT, "thumbprint")?);
    cnf.finish()?;
    Ok(thumbprint)
}

/// A statement before it is signed. Signing is an effect of the caller, whose answer may come
/// later: sign [`Draft::to_be_signed`], then [`Draft::finish`].
#[derive(Clone, Debug)]
pub struct Draft {
    typ: Typ,
    protected: Vec<u8>,
    payload: Vec<u8>,
}

impl Draft {
    /// Prepares a statement of `publisher` to be signed by `signer`, whose certificate (or root
    /// key, or for self-signed types own key) has the thumbprint `parent`.
    pub fn new<C: Claims>(
        claims: &C,
        publisher: PublisherId,
        parent: Thumbprint,
        signer: &PublicKey,
    ) -> Self {
        let header = MapWriter::new()
            .put(HEADER_ALG, signer.algorithm())
            .bytes(HEADER_KID, &parent.0)
            .put(HEADER_TYP, C::TYP.media_type())
            .bytes(HEADER_PUBLISHER, &publisher.0);
        Self {
            typ: C::TYP,
            protected: cbor::encode(&header.into_value()),
            payload: claims.write().encode(),
        }
    }

    /// The bytes to sign: COSE's Sig_structure (RFC 9052 section 4.4).
    pub fn to_be_signed(&self) -> Vec<u8> {
        sig_structure(&self.protected, &self.payload)
    }

    /// The name the statement will have.
    pub fn name(&self) -> Thumbprint {
        name(&self.protected, &self.payload)
    }

    /// Refuses a draft whose statement nobody would read: larger, with the chain it will carry,
    /// than its type may be. To be asked before somebody signs what people's input made.
    pub fn check_size(&self, chain: &[Vec<u8>]) -> Result<(), Refusal> {
        let bytes = self.clone().finish([0; SIGNATURE_BYTES], chain).len();
        if bytes > self.typ.bytes_max() {
            return Err(too_large(bytes, self.typ.bytes_max()));
        }
        Ok(())
    }

    /// The signed statement with the chain of its signer, leaf first; empty where none is carried.
    pub fn finish(self, signature: [u8; SIGNATURE_BYTES], chain: &[Vec<u8>]) -> Vec<u8> {
        assemble(self.protected, self.payload, &signature, chain)
    }
}

fn assemble(
    protected: Vec<u8>,
    payload: Vec<u8>,
    signature: &[u8; SIGNATURE_BYTES],
    chain: &[Vec<u8>],
) -> Vec<u8> {
    let unprotected = if chain.is_empty() {
        MapWriter::new()
    } else {
        let chain = chain.iter().cloned().map(Value::Bytes).collect();
        MapWriter::new().put(HEADER_CHAIN, Value::Array(chain))
    };
    let parts = vec![
        Value::Bytes(protected),
        unprotected.into_value(),
        Value::Bytes(payload),
        Value::Bytes(signature.to_vec()),
    ];
    cbor::encode(&Value::Tag(
        cbor::TAG_COSE_SIGN1,
        Box::new(Value::Array(parts)),
    ))
}

/// A statement taken apart and checked for form; its signature is not yet checked.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The type named in the protected header.
    pub typ: Typ,
    /// The publisher named in the protected header.
    pub publisher: PublisherId,
    /// The thumbprint of the certificate (or root key, or own key) it is signed under.
    pub parent: Thumbprint,
    /// The signer's chain, leaf first, as carried in the unprotected header.
    pub chain: Vec<Vec<u8>>,
    algorithm: i64,
    protected: Vec<u8>,
    payload: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Envelope {
    /// Takes a statement of the expected type apart. The order of checks: size, CBOR profile, COSE
    /// form, protected header, type, unprotected header.
    pub fn decode(bytes: &[u8], typ: Typ) -> Result<Self, Refusal> {
        if bytes.len() > typ.bytes_max() {
            return Err(too_large(bytes.len(), typ.bytes_max()));
        }
        let envelope = Self::decode_any(bytes)?;
        if envelope.typ != typ {
            let detail = format!("it is a {}, a {typ} is needed", envelope.typ);
            return Err(Refusal::new(reasons::WRONG_TYPE, detail));
        }
        Ok(envelope)
    }

    /// Takes a statement of any type apart, within the largest size of the type it names.
    pub fn decode_any(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > Typ::BYTES_MAX {
            return Err(too_large(bytes.len(), Typ::BYTES_MAX));
        }
        let (protected, unprotected, payload, signature) = read_cose(cbor::decode(bytes)?)?;
        let header = ProtectedHeader::read(&protected)?;
        if bytes.len() > header.typ.bytes_max() {
            return Err(too_large(bytes.len(), header.typ.bytes_max()));
        }
        Ok(Self {
            typ: header.typ,
            publisher: header.publisher,
            parent: header.parent,
            algorithm: header.algorithm,
            chain: read_chain(unprotected)?,
            protected,
            payload,
            signature,
        })
    }

    /// Checks the algorithm and the signature under a key.
    pub fn check_signature(&self, key: &PublicKey) -> Result<(), Refusal> {
        if self.algorithm != key.algorithm() {
            return Err(reasons::WRONG_ALGORITHM.into());
        }
        key.verify(
            &sig_structure(&self.protected, &self.payload),
            &self.signature,
        )
    }

    /// Reads the claims. Check the signature first, except for self-signed types, whose claims
    /// name the key to check it under.
    pub fn claims<C: Claims>(&self) -> Result<C, Refusal> {
        if self.typ != C::TYP {
            return Err(reasons::WRONG_TYPE.into());
        }
        C::read(ReadBody::decode(&self.payload)?)
    }

    /// The statement's name: SHA-256 over its protected header and payload. A signature is no part
    /// of it, so that two signatures over the same words are the same statement.
    pub fn name(&self) -> Thumbprint {
        name(&self.protected, &self.payload)
    }

    /// The statement with another chain, leaf first. The chain is not signed, so it can be left
    /// out where the receiver has it and put back when the statement is kept alone.
    pub fn with_chain(&self, chain: &[Vec<u8>]) -> Vec<u8> {
        assemble(
            self.protected.clone(),
            self.payload.clone(),
            &self.signature,
            chain,
        )
    }

    /// The payload as CBOR, for display.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

struct ProtectedHeader {
    algorithm: i64,
    parent: Thumbprint,
    typ: Typ,
    publisher: PublisherId,
}

impl ProtectedHeader {
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut map = MapReader::new("header", cbor::decode(bytes)?)?;
        // RFC 9052 section 3.1: labels that `crit` lists must be understood; none is listed here.
        if map.take(HEADER_CRIT).is_some() {
            return Err(Refusal::new(reasons::UNKNOWN_CRITICAL, "header.crit"));
        }
        let algorithm = match map.need(HEADER_ALG, "alg")? {
            Value::Integer(number) => i64::try_from(i128::from(number)).ok(),
            _ => None,
        };
        let header = Self {
            algorithm: algorithm.ok_or_else(|| Refusal::from(reasons::WRONG_ALGORITHM))?,
            parent: Thumbprint(map.array(HEADER_KID, "kid")?),
            typ: Typ::from_media_type(&map.text(HEADER_TYP, "typ", 64)?)?,
            publisher: PublisherId(map.array(HEADER_PUBLISHER, "publisher")?),
        };
        map.finish()?;
        Ok(header)
    }
}

/// The four parts of a COSE_Sign1 (RFC 9052 section 4.2).
fn read_cose(value: Value) -> Result<Parts, Refusal> {
    let not_cose = |what: &str| Refusal::new(reasons::NOT_COSE, what);
    let Value::Tag(cbor::TAG_COSE_SIGN1, inner) = value else {
        return Err(not_cose("the tag of COSE_Sign1 is missing"));
    };
    let Value::Array(parts) = *inner else {
        return Err(not_cose("not an array"));
    };
    let Ok([protected, unprotected, payload, signature]) = <[Value; 4]>::try_from(parts) else {
        return Err(not_cose("not four parts"));
    };
    let bytes = |part, what| match part {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(not_cose(what)),
    };
    let signature = bytes(signature, "the signature is not a byte string")?.try_into();
    Ok((
        bytes(protected, "the protected header is not a byte string")?,
        unprotected,
        bytes(payload, "the payload is not a byte string")?,
        signature.map_err(|_| not_cose("the signature is not 64 bytes"))?,
    ))
}

type Parts = (Vec<u8>, Value, Vec<u8>, [u8; SIGNATURE_BYTES]);

/// The unprotected header holds the chain and nothing else.
fn read_chain(unprotected: Value) -> Result<Vec<Vec<u8>>, Refusal> {
    let wrong = |what: &str| Refusal::new(reasons::NOT_COSE, format!("unprotected header: {what}"));
    let Value::Map(mut entries) = unprotected else {
        return Err(wrong("not a map"));
    };
    let items = match (entries.pop(), entries.is_empty()) {
        (None, _) => return Ok(Vec::new()),
        (Some((label, Value::Array(items))), true) if label == Value::from(HEADER_CHAIN) => items,
        _ => return Err(wrong("it holds something other than the chain")),
    };
    if items.is_empty() || items.len() > CHAIN_CERTIFICATES_MAX {
        return Err(Refusal::new(
            reasons::CHAIN_LENGTH,
            format!("{} certificates", items.len()),
        ));
    }
    let certificate = |item| match item {
        Value::Bytes(bytes) if bytes.len() <= CERT_BYTES_MAX => Ok(bytes),
        Value::Bytes(bytes) => Err(too_large(bytes.len(), CERT_BYTES_MAX)),
        _ => Err(wrong("a certificate is not a byte string")),
    };
    items.into_iter().map(certificate).collect()
}

fn too_large(bytes: usize, max: usize) -> Refusal {
    Refusal::new(
        reasons::TOO_LARGE,
        format!("{bytes} bytes, at most {max} are allowed"),
    )
}

/// COSE's Sig_structure (RFC 9052 section 4.4) of a COSE_Sign1.
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    cbor::encode_named_strings("Signature1", &[protected, EXTERNAL_AAD, payload])
}

fn name(protected: &[u8], payload: &[u8]) -> Thumbprint {
    Thumbprint(sha256(&cbor::encode_strings(&[protected, payload])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_what_coset_says() {
        for (protected, payload) in [
            (&b"\xa1\x01\x26"[..], &b""[..]),
            (&[7; 23], &[8; 24]),
            (&[7; 255], &[8; 256]),
            (&[7; 300], &[8; 70_000]),
        ] {
            let header = coset::ProtectedHeader {
                original_data: Some(protected.to_vec()),
                header: coset::Header::default(),
            };
            let context = coset::SignatureContext::CoseSign1;
            let expected = coset::sig_structure_data(context, header, None, EXTERNAL_AAD, payload);
            assert_eq!(sig_structure(protected, payload), expected);
        }
    }
}
