//! Public keys, signatures and thumbprints: Ed25519 strict for everyone, ES256 with low S for
//! device keys (a TPM rarely signs Ed25519).

mod ed25519;

use ciborium::value::Value;
use ed25519_dalek::VerifyingKey;
use p256::ecdsa::signature::Verifier as _;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::cbor::{MapReader, MapWriter, encode};
use crate::ids::Thumbprint;
use crate::reason::{Refusal, statement as reasons};

/// Bytes of a signature of either algorithm.
pub const SIGNATURE_BYTES: usize = 64;

/// COSE algorithm numbers (RFC 9864): Ed25519 and ESP256.
const ALG_ED25519: i64 = -19;
const ALG_ESP256: i64 = -9;

/// COSE key labels (RFC 9052 section 7, RFC 9053 section 7).
const KEY_KTY: i64 = 1;
const KEY_CRV: i64 = -1;
const KEY_X: i64 = -2;
const KEY_Y: i64 = -3;
const KTY_OKP: u64 = 1;
const KTY_EC2: u64 = 2;
const CRV_ED25519: u64 = 6;
const CRV_P256: u64 = 1;

/// What stands before x in the deterministic COSE_Key of an Ed25519 key: a map of three, kty OKP, crv
/// Ed25519, and the head of 32 bytes.
const ED25519_COSE_KEY: [u8; 8] = [0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];

/// A public key that has been checked: canonical, on the curve, not of small order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublicKey {
    /// Ed25519 (RFC 8032), the 32 bytes of the point.
    Ed25519([u8; 32]),
    /// NIST P-256, the coordinates x and y; for client keys in a TPM.
    P256([u8; 32], [u8; 32]),
}

impl PublicKey {
    /// Takes an Ed25519 public key. Refuses one that is not canonical or is of small order.
    pub fn ed25519(bytes: [u8; 32]) -> Result<Self, Refusal> {
        if CHEAP {
            return Ok(Self::Ed25519(bytes));
        }
        let key = VerifyingKey::from_bytes(&bytes)
            .map_err(|_| Refusal::new(reasons::BAD_KEY, "not a point of the curve"))?;
        if key.is_weak() {
            return Err(Refusal::new(reasons::BAD_KEY, "of small order"));
        }
        // Decoding reduces y modulo the field's prime. The other second form, x = 0 with its sign
        // set, exists for points of small order only.
        if !is_below_field_prime(&bytes) {
            return Err(Refusal::new(reasons::BAD_KEY, "not canonical"));
        }
        Ok(Self::Ed25519(bytes))
    }

    /// Takes an Ed25519 public key without a look whether it is a point: a good signature under it shows
    /// that, and takes less time than both. Refuses what is not canonical or of small order.
    fn ed25519_unproved(bytes: [u8; 32]) -> Result<Self, Refusal> {
        if ed25519::is_of_small_order(&bytes) || !is_below_field_prime(&bytes) {
            return Self::ed25519(bytes);
        }
        Ok(Self::Ed25519(bytes))
    }

    /// Refuses a key that is no point of its curve.
    pub(crate) fn check_point(&self) -> Result<(), Refusal> {
        match self {
            Self::Ed25519(bytes) => Self::ed25519(*bytes).map(|_| ()),
            Self::P256(x, y) => Self::p256(*x, *y).map(|_| ()),
        }
    }

    /// Takes a P-256 public key by its coordinates. Refuses one that is not on the curve.
    pub fn p256(x: [u8; 32], y: [u8; 32]) -> Result<Self, Refusal> {
        p256_key(&x, &y)?;
        Ok(Self::P256(x, y))
    }

    /// The algorithm that signatures under this key name in their header.
    pub(crate) fn algorithm(&self) -> i64 {
        match self {
            Self::Ed25519(_) => ALG_ED25519,
            Self::P256(..) => ALG_ESP256,
        }
    }

    /// Checks a signature over `message`, strictly: Ed25519 by RFC 8032 without cofactor and with
    /// canonical parts, ES256 with S in the lower half.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<(), Refusal> {
        match self {
            Self::Ed25519(bytes) if CHEAP => match *signature == cheap_signature(bytes, message) {
                true => Ok(()),
                false => Err(reasons::BAD_SIGNATURE.into()),
            },
            Self::Ed25519(bytes) => match ed25519::verify(bytes, message, signature) {
                true => Ok(()),
                false => Err(reasons::BAD_SIGNATURE.into()),
            },
            Self::P256(x, y) => {
                let bad = |_| Refusal::from(reasons::BAD_SIGNATURE);
                let signature = p256::ecdsa::Signature::from_slice(signature).map_err(bad)?;
                if signature.normalize_s() != signature {
                    return Err(Refusal::new(
                        reasons::BAD_SIGNATURE,
                        "S is in the upper half",
                    ));
                }
                p256_key(x, y)?.verify(message, &signature).map_err(bad)
            }
        }
    }

    /// The key as a COSE_Key with the members RFC 9679 requires, and no others.
    pub(crate) fn to_value(self) -> Value {
        let map = MapWriter::new();
        match self {
            Self::Ed25519(x) => map
                .put(KEY_KTY, KTY_OKP)
                .put(KEY_CRV, CRV_ED25519)
                .bytes(KEY_X, &x)
                .into_value(),
            Self::P256(x, y) => map
                .put(KEY_KTY, KTY_EC2)
                .put(KEY_CRV, CRV_P256)
                .bytes(KEY_X, &x)
                .bytes(KEY_Y, &y)
                .into_value(),
        }
    }

    /// A key in something signed: unknown members of 0 and above are ignored.
    pub(crate) fn from_value(value: Value) -> Result<Self, Refusal> {
        let (key, rest) = Self::read(value, Self::ed25519)?;
        rest.finish()?;
        Ok(key)
    }

    /// A key in something that is signed with that key itself. Who reads it checks that signature, and
    /// where it is not good, [`PublicKey::check_point`].
    pub(crate) fn from_value_of_own(value: Value) -> Result<Self, Refusal> {
        let (key, rest) = Self::read(value, Self::ed25519_unproved)?;
        rest.finish()?;
        Ok(key)
    }

    /// A key in a container that nobody signed, with the members it needs and no others.
    pub(crate) fn from_value_exact(value: Value) -> Result<Self, Refusal> {
        let (key, rest) = Self::read(value, Self::ed25519)?;
        rest.finish_exact()?;
        Ok(key)
    }

    /// The key, and what else its map holds.
    fn read(
        value: Value,
        ed25519: impl FnOnce([u8; 32]) -> Result<Self, Refusal>,
    ) -> Result<(Self, MapReader), Refusal> {
        let mut map = MapReader::new("key", value)?;
        let kty = map.uint(KEY_KTY, "kty")?;
        let crv = map.uint(KEY_CRV, "crv")?;
        let x = map.array(KEY_X, "x")?;
        let key = match (kty, crv) {
            (KTY_OKP, CRV_ED25519) => ed25519(x)?,
            (KTY_EC2, CRV_P256) => Self::p256(x, map.array(KEY_Y, "y")?)?,
            _ => return Err(Refusal::new(reasons::BAD_KEY, "neither Ed25519 nor P-256")),
        };
        Ok((key, map))
    }

    /// The key's thumbprint (RFC 9679): SHA-256 of its deterministic COSE_Key.
    pub fn thumbprint(&self) -> Thumbprint {
        match self {
            // The same bytes without the map: a host needs some of these for each ask.
            Self::Ed25519(x) => {
                let key = Sha256::new().chain_update(ED25519_COSE_KEY).chain_update(x);
                Thumbprint(key.finalize().into())
            }
            Self::P256(..) => Thumbprint(sha256(&encode(&self.to_value()))),
        }
    }
}

/// Whether the y of an encoded point is below 2^255 - 19 (RFC 8032 section 5.1.3).
fn is_below_field_prime(point: &[u8; 32]) -> bool {
    let high = point[31] & 0x7f == 0x7f && point[1..31].iter().all(|byte| *byte == 0xff);
    !(high && point[0] >= 0xed)
}

fn p256_key(x: &[u8; 32], y: &[u8; 32]) -> Result<p256::ecdsa::VerifyingKey, Refusal> {
    let mut point = [4; 65];
    point[1..33].copy_from_slice(x);
    point[33..].copy_from_slice(y);
    p256::ecdsa::VerifyingKey::from_sec1_bytes(&point)
        .map_err(|_| Refusal::new(reasons::BAD_KEY, "not a point of P-256"))
}

/// An Ed25519 secret key held in memory; zeroised when dropped, never shown.
#[derive(Clone)]
pub struct SecretKey {
    seed: Zeroizing<[u8; 32]>,
    signer: ed25519::Signer,
}

impl SecretKey {
    /// The key of a 32-byte seed, which is random or comes from a file.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self {
            seed: Zeroizing::new(*seed),
            signer: ed25519::Signer::of_seed(seed),
        }
    }

    /// The seed, to be stored.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.seed.clone()
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey::Ed25519(self.signer.public())
    }

    /// Signs a message (RFC 8032; deterministic).
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        if let (true, PublicKey::Ed25519(public)) = (CHEAP, self.public()) {
            return cheap_signature(&public, message);
        }
        self.signer.sign(message)
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public().thumbprint())
    }
}

/// Whether signatures are stand-ins that anybody could make: with the feature `cheap-signatures`,
/// which only simulations enable. There nobody forges anything, and the time is better spent on the
/// rules.
const CHEAP: bool = cfg!(feature = "cheap-signatures");

/// A stand-in for a signature: of one key over one message, as long, and no secret.
fn cheap_signature(key: &[u8; 32], message: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let mut signature = [0; SIGNATURE_BYTES];
    let mut digest = Sha256::new();
    digest.update(key);
    digest.update(message);
    signature[..32].copy_from_slice(&digest.finalize());
    signature
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// HMAC-SHA-256 (RFC 2104) over a domain string and parts, each preceded by its length, so that no
/// two lists of parts give the same input.
pub fn hmac256(key: &[u8], domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        mac.update(&(part.len() as u32).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_small_order_and_non_canonical_keys_are_refused() {
        let mut one = [0; 32];
        one[0] = 1; // the neutral element
        assert_eq!(
            PublicKey::ed25519(one).unwrap_err().reason,
            reasons::BAD_KEY
        );
        assert_eq!(
            PublicKey::ed25519([0; 32]).unwrap_err().reason,
            reasons::BAD_KEY
        );
        // y = p + n, a second encoding of y = n, with either sign of x
        for n in 0..19 {
            for top in [0x7f, 0xff] {
                let mut high = [0xff; 32];
                high[0] = 0xed + n;
                high[31] = top;
                assert_eq!(
                    PublicKey::ed25519(high).unwrap_err().reason,
                    reasons::BAD_KEY,
                    "{n}"
                );
            }
        }
        // x = 0 with its sign set
        for y in [1, 0xec] {
            let mut negative_zero = [if y == 1 { 0 } else { 0xff }; 32];
            negative_zero[0] = y;
            negative_zero[31] |= 0x80;
            assert!(PublicKey::ed25519(negative_zero).is_err());
        }
        assert!(PublicKey::p256([1; 32], [1; 32]).is_err());
    }

    #[test]
    fn a_thumbprint_is_of_the_deterministic_key() {
        for number in 0..=255 {
            let key = SecretKey::from_seed(&[number; 32]).public();
            let PublicKey::Ed25519(x) = key else {
                panic!("a seed makes an Ed25519 key");
            };
            let whole = encode(&key.to_value());
            assert_eq!(whole, [&ED25519_COSE_KEY[..], &x].concat());
            assert_eq!(key.thumbprint(), Thumbprint(sha256(&whole)));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_signature_is_refused() {
        let key = SecretKey::from_seed(&[7; 32]);
        let signature = key.sign(b"message");
        key.public().verify(b"message", &signature).unwrap();
        for bit in 0..8 * SIGNATURE_BYTES {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                key.public().verify(b"message", &flipped).is_err(),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn es256_with_high_s_is_refused() {
        use p256::ecdsa::signature::Signer;
        let secret = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
        let point = secret.verifying_key().to_sec1_point(false);
        let (x, y) = (point.x().unwrap(), point.y().unwrap());
        let key = PublicKey::p256((*x).into(), (*y).into()).unwrap();
        let signature: p256::ecdsa::Signature = secret.sign(b"message");
        let low = signature.normalize_s();
        key.verify(b"message", &low.to_bytes().into()).unwrap();
        let high = p256::ecdsa::Signature::from_scalars(low.r(), -*low.s()).unwrap();
        assert!(key.verify(b"message", &high.to_bytes().into()).is_err());
    }
}
