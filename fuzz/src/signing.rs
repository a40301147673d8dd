//! Statements of any words, under a signature that is right: what a hostile holder of a key can make,
//! and what no mutation of bytes would ever find.

use muster_proto::crypto::SecretKey;
use muster_proto::ids::{PublisherId, Thumbprint};
use muster_proto::statement::{Envelope, Typ};

/// Ed25519 (RFC 9864), the algorithm of every key here: -19 as CBOR.
const ALGORITHM: u8 = 0x32;

/// A key, where it stands, and the chain it shows.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) key: SecretKey,
    pub(crate) parent: Thumbprint,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl Signer {
    /// A statement with any payload, signed; `carry` puts the chain into it.
    pub(crate) fn sign(
        &self,
        typ: Typ,
        publisher: PublisherId,
        payload: &[u8],
        carry: bool,
    ) -> Vec<u8> {
        let protected = header(typ, publisher, self.parent);
        let signature = self.key.sign(&to_be_signed(&protected, payload));
        let chain = if carry { &self.chain[..] } else { &[] };
        let mut bytes = vec![0xd2, 0x84]; // tag 18, four parts
        put_bytes(&mut bytes, &protected);
        if chain.is_empty() {
            bytes.push(0xa0);
        } else {
            bytes.push(0xa1);
            put_head(&mut bytes, 1, 65_537); // -65538
            put_head(&mut bytes, 4, chain.len());
            for certificate in chain {
                put_bytes(&mut bytes, certificate);
            }
        }
        put_bytes(&mut bytes, payload);
        put_bytes(&mut bytes, &signature);
        bytes
    }

    /// A statement with the words of another one, signed anew; nothing where it is none.
    pub(crate) fn sign_again(&self, statement: &[u8], carry: bool) -> Option<Vec<u8>> {
        let envelope = Envelope::decode_any(statement).ok()?;
        Some(self.sign(envelope.typ, envelope.publisher, envelope.payload(), carry))
    }
}

/// `{1: -19, 4: parent, 16: typ, -65537: publisher}`.
fn header(typ: Typ, publisher: PublisherId, parent: Thumbprint) -> Vec<u8> {
    let mut bytes = vec![0xa4, 0x01, ALGORITHM, 0x04];
    put_bytes(&mut bytes, &parent.0);
    bytes.push(0x10);
    let name = typ.media_type();
    put_head(&mut bytes, 3, name.len());
    bytes.extend(name.as_bytes());
    put_head(&mut bytes, 1, 65_536); // -65537
    put_bytes(&mut bytes, &publisher.0);
    bytes
}

/// RFC 9052 section 4.4, with muster's words as the external data.
fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x84];
    put_head(&mut bytes, 3, 10);
    bytes.extend(b"Signature1");
    put_bytes(&mut bytes, protected);
    put_bytes(&mut bytes, b"muster/v1");
    put_bytes(&mut bytes, payload);
    bytes
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_head(to, 2, bytes.len());
    to.extend(bytes);
}

/// The shortest head of a CBOR item (RFC 8949 section 4.2.1).
fn put_head(to: &mut Vec<u8>, major: u8, number: usize) {
    let number = u32::try_from(number).expect("no input is that long");
    let [a, b, c, d] = number.to_be_bytes();
    match number {
        0..24 => to.push(major << 5 | d),
        24..=0xff => to.extend([major << 5 | 24, d]),
        0x100..=0xffff => to.extend([major << 5 | 25, c, d]),
        _ => to.extend([major << 5 | 26, a, b, c, d]),
    }
}
