//! The seal around an ask and its answer, so that no carrier has to be trusted.
//!
//! An ask is sealed to a host's opening key with HPKE in base mode (RFC 9180) and one suite only:
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM. There is no negotiation: a second suite
//! would be a second path to test and to attack. The answer is sealed as RFC 9458 section 4.4 does
//! it, under a key derived from a secret of the exchange and a fresh response nonce.
//!
//! RFC 9458 exports that secret from the HPKE context. The HPKE that is fast here has no export,
//! so the asker draws 32 random bytes and carries them inside the seal, in front of the message:
//! known to the same two parties, and bound to the same ciphertext.
//!
//! ```text
//! sealed ask    = enc (32) || AES-128-GCM( response secret (32) || message ) with tag (16)
//! sealed answer = response nonce (16) || AES-128-GCM( answer ) with tag (16)
//! ```

mod opening;

use std::fmt;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use muster_proto::limits::{SEAL_ANSWER_BYTES, SEAL_ASK_BYTES, SEALED_HEAD_BYTES};
use muster_proto::reason::dns as reason;
use muster_proto::{Reason, Refusal};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_128;
use rustls::crypto::hpke::{Hpke, HpkePublicKey};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use opening::{Prk, Recipient, aes_key};

/// Length of a public opening key and of the encapsulated key `enc` (RFC 9180 section 7.1: Npk).
pub const PUBLIC_KEY_BYTES: usize = 32;
/// What sealing adds to a message: `enc`, the response secret and the tag.
pub const OVERHEAD_BYTES: usize = PUBLIC_KEY_BYTES + RESPONSE_SECRET_BYTES + TAG_BYTES;
/// What sealing adds to an answer: the response nonce and the tag.
pub const ANSWER_OVERHEAD_BYTES: usize = RESPONSE_NONCE_BYTES + TAG_BYTES;
/// `proto` counts with them when it fills an ask.
const _: () = assert!(
    SEALED_HEAD_BYTES + OVERHEAD_BYTES == SEAL_ASK_BYTES
        && ANSWER_OVERHEAD_BYTES == SEAL_ANSWER_BYTES
);

const RESPONSE_SECRET_BYTES: usize = 32;
/// RFC 9458 section 4.4: the larger of the AEAD's key and nonce lengths, `max(Nk, Nn)`.
const RESPONSE_NONCE_BYTES: usize = AEAD_KEY_BYTES;
const AEAD_KEY_BYTES: usize = 16;
const TAG_BYTES: usize = 16;

/// The one suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM (RFC 9180 section 7).
fn suite() -> &'static dyn Hpke {
    DH_KEM_X25519_HKDF_SHA256_AES_128
}

/// A host's private opening key with its public half; the private half is wiped on drop.
pub struct OpeningKey {
    recipient: Recipient,
    bytes: Zeroizing<[u8; 32]>,
}

impl OpeningKey {
    /// Draws a new key from the operating system's random source.
    ///
    /// # Panics
    /// When that source fails, which leaves nothing safe to do.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(bytes.as_mut());
        Self::from_bytes(&bytes).expect("every 32 bytes are a key of X25519")
    }

    /// Takes a stored private key.
    ///
    /// # Errors
    /// `SEAL_KEY_INVALID` when the library refuses the bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Refusal> {
        let recipient = Recipient::of(bytes).ok_or(Refusal::from(reason::SEAL_KEY_INVALID))?;
        let bytes = Zeroizing::new(*bytes);
        Ok(Self { recipient, bytes })
    }

    /// The private key, to be stored in a file that only the service's user can read.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.bytes.clone()
    }

    /// The public key, as a host certificate or a signed opening-key statement names it.
    pub fn public(&self) -> [u8; PUBLIC_KEY_BYTES] {
        self.recipient.public()
    }

    /// Opens a sealed message; the key that seals its answers comes with it.
    ///
    /// # Errors
    /// `SEAL_BROKEN` when it was not sealed to this key with this `info`, or was altered or cut.
    pub fn open(
        &self,
        info: &[u8],
        sealed: &[u8],
    ) -> Result<(Zeroizing<Vec<u8>>, AnswerKey), Refusal> {
        let (enc, ciphertext) = sealed
            .split_first_chunk::<PUBLIC_KEY_BYTES>()
            .filter(|_| sealed.len() >= OVERHEAD_BYTES)
            .ok_or_else(|| too_short(reason::SEAL_BROKEN, sealed.len(), OVERHEAD_BYTES))?;
        let broken = || Refusal::from(reason::SEAL_BROKEN);
        let plain = self.recipient.open(enc, info, ciphertext);
        let plain = plain.ok_or_else(broken)?;
        let (secret, message) = plain
            .split_first_chunk::<RESPONSE_SECRET_BYTES>()
            .ok_or_else(broken)?;
        let answer = AnswerKey {
            enc: *enc,
            secret: *secret,
        };
        Ok((Zeroizing::new(message.to_vec()), answer))
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpeningKey")
            .field("public", &self.public())
            .finish_non_exhaustive()
    }
}

/// Seals a message to a host's public opening key; `info` binds what both sides must agree on
/// (RFC 9180 section 8.1). Returns `OVERHEAD_BYTES` more than the message, and the key that opens
/// its answers.
///
/// # Errors
/// `SEAL_PUBLIC_KEY_INVALID` for a key that is no usable point.
///
/// # Panics
/// When the operating system's random source fails.
pub fn seal(
    public: &[u8; PUBLIC_KEY_BYTES],
    info: &[u8],
    message: &[u8],
) -> Result<(Vec<u8>, AnswerKey), Refusal> {
    let mut secret = Zeroizing::new([0; RESPONSE_SECRET_BYTES]);
    fill_random(secret.as_mut());
    let mut plain = Zeroizing::new(Vec::with_capacity(RESPONSE_SECRET_BYTES + message.len()));
    plain.extend_from_slice(secret.as_ref());
    plain.extend_from_slice(message);
    let (enc, ciphertext) = suite()
        .seal(info, &[], &plain, &HpkePublicKey(public.to_vec()))
        .map_err(|_| Refusal::from(reason::SEAL_PUBLIC_KEY_INVALID))?;
    let enc: [u8; PUBLIC_KEY_BYTES] = enc.0.try_into().expect("an X25519 enc is 32 bytes");
    let mut sealed = Vec::with_capacity(PUBLIC_KEY_BYTES + ciphertext.len());
    sealed.extend_from_slice(&enc);
    sealed.extend_from_slice(&ciphertext);
    Ok((
        sealed,
        AnswerKey {
            enc,
            secret: *secret,
        },
    ))
}

/// The key of one exchange's answers, held by the asker and by whoever opened the ask. It may seal
/// any number of answers: each is sealed under a key and nonce of its own.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct AnswerKey {
    enc: [u8; PUBLIC_KEY_BYTES],
    secret: [u8; RESPONSE_SECRET_BYTES],
}

impl AnswerKey {
    /// Seals an answer (RFC 9458 section 4.4) under a fresh response nonce, which stands in front.
    ///
    /// # Panics
    /// When the operating system's random source fails.
    pub fn seal_answer(&self, answer: &[u8]) -> Vec<u8> {
        let mut nonce = [0; RESPONSE_NONCE_BYTES];
        fill_random(&mut nonce);
        self.seal_answer_with(&nonce, answer)
    }

    /// Opens an answer to this exchange.
    ///
    /// # Errors
    /// `SEAL_ANSWER_BROKEN` when it was altered or cut, or belongs to another exchange.
    pub fn open_answer(&self, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (nonce, ciphertext) = sealed
            .split_first_chunk::<RESPONSE_NONCE_BYTES>()
            .filter(|_| sealed.len() >= ANSWER_OVERHEAD_BYTES)
            .ok_or_else(|| {
                too_short(
                    reason::SEAL_ANSWER_BROKEN,
                    sealed.len(),
                    ANSWER_OVERHEAD_BYTES,
                )
            })?;
        let (key, aead_nonce) = self.answer_keys(nonce);
        let mut answer = ciphertext.to_vec();
        let plain = key
            .open_in_place(aead_nonce, Aad::empty(), &mut answer)
            .map_err(|_| Refusal::from(reason::SEAL_ANSWER_BROKEN))?
            .len();
        answer.truncate(plain);
        Ok(answer)
    }

    fn seal_answer_with(&self, nonce: &[u8; RESPONSE_NONCE_BYTES], answer: &[u8]) -> Vec<u8> {
        let (key, aead_nonce) = self.answer_keys(nonce);
        let mut sealed = Vec::with_capacity(answer.len() + ANSWER_OVERHEAD_BYTES);
        sealed.extend_from_slice(nonce);
        sealed.extend_from_slice(answer);
        let tag = key
            .seal_in_place_separate_tag(
                aead_nonce,
                Aad::empty(),
                &mut sealed[RESPONSE_NONCE_BYTES..],
            )
            .expect("an answer is far below the AEAD's limit of 64 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// RFC 9458 section 4.4: salt = enc || response nonce; prk = Extract(salt, secret);
    /// key = Expand(prk, "key", Nk); nonce = Expand(prk, "nonce", Nn).
    fn answer_keys(&self, response_nonce: &[u8; RESPONSE_NONCE_BYTES]) -> (LessSafeKey, Nonce) {
        let salt = [&self.enc[..], response_nonce].concat();
        let prk = Prk::extract(&salt, &[&self.secret]);
        let key = prk.expand(&[b"key"]);
        let nonce = prk.expand(&[b"nonce"]);
        (aes_key(&key), Nonce::assume_unique_for_key(*nonce))
    }
}

impl fmt::Debug for AnswerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerKey").finish_non_exhaustive()
    }
}

fn fill_random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system's random source works: no seal without it");
}

fn too_short(reason: Reason, bytes: usize, bytes_min: usize) -> Refusal {
    Refusal::new(
        reason,
        format!("{bytes} bytes, at least {bytes_min} are needed"),
    )
}

#[cfg(test)]
mod tests;
