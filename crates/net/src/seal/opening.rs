//! The receiving side of HPKE (RFC 9180) for the one suite of the seal, in base mode, with the private
//! key parsed once: a library that parses it and reckons its public half anew for each message takes
//! half as long again. Sending is rustls' own, so every test that opens what was sealed compares two
//! implementations.

use std::sync::LazyLock;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use super::{AEAD_KEY_BYTES, PUBLIC_KEY_BYTES};

/// RFC 9180 section 4: the version that every label begins with.
const VERSION: &[u8] = b"HPKE-v1";
/// Section 4.1: "KEM" and DHKEM(X25519, HKDF-SHA256).
const KEM: &[u8] = b"KEM\x00\x20";
/// Section 5.1: "HPKE" and the numbers of KEM, KDF and AEAD.
const SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x01";
/// Section 5: base mode.
const MODE_BASE: &[u8] = &[0];
/// Bytes of SHA-256, and so of every HKDF key.
const HASH_BYTES: usize = 32;

/// The key of extractions without a salt, and what is extracted of the PSK's id, which is empty in base
/// mode: the same for every message.
static NO_SALT: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(HMAC_SHA256, &[]));
static PSK_ID_HASH: LazyLock<Secret> =
    LazyLock::new(|| mac(&NO_SALT, &[VERSION, SUITE, b"psk_id_hash"]));

type Secret = Zeroizing<[u8; HASH_BYTES]>;

/// A key that messages are sealed to. aws-lc wipes the private half when it is freed.
pub(super) struct Recipient {
    private: PrivateKey,
    public: [u8; PUBLIC_KEY_BYTES],
}

impl Recipient {
    /// The key of its private bytes; none when the library refuses them.
    pub(super) fn of(bytes: &[u8; PUBLIC_KEY_BYTES]) -> Option<Self> {
        let private = PrivateKey::from_private_key(&X25519, bytes).ok()?;
        let public = private.compute_public_key().ok()?;
        let public = public.as_ref().try_into().ok()?;
        Some(Self { private, public })
    }

    pub(super) fn public(&self) -> [u8; PUBLIC_KEY_BYTES] {
        self.public
    }

    /// Opens the one message of a context, sequence number 0, without associated data (section 6.1);
    /// none when anything of it is wrong.
    pub(super) fn open(
        &self,
        enc: &[u8; PUBLIC_KEY_BYTES],
        info: &[u8],
        ciphertext: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (key, nonce) = key_schedule(&self.shared_secret(enc)?, info);
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let opened = key.open_in_place(nonce, Aad::empty(), &mut plain).ok()?;
        let length = opened.len();
        plain.truncate(length);
        Some(plain)
    }

    /// Section 4.1, Decap. aws-lc gives no secret of zeros, so a point of small order is refused as
    /// section 7.1.4 demands.
    fn shared_secret(&self, enc: &[u8; PUBLIC_KEY_BYTES]) -> Option<Secret> {
        let peer = UnparsedPublicKey::new(&X25519, enc);
        let shared = agree(&self.private, peer, (), |dh| {
            let prk = Prk::of(&NO_SALT, &[VERSION, KEM, b"eae_prk", dh]);
            let context = [enc.as_slice(), &self.public];
            Ok(labeled_expand(&prk, KEM, b"shared_secret", &context))
        });
        shared.ok()
    }
}

/// Section 5.1, KeySchedule in base mode: no PSK, and its id is empty.
fn key_schedule(shared_secret: &Secret, info: &[u8]) -> (LessSafeKey, Nonce) {
    let info_hash = mac(&NO_SALT, &[VERSION, SUITE, b"info_hash", info]);
    let secret = Prk::extract(&shared_secret[..], &[VERSION, SUITE, b"secret"]);
    let context = [MODE_BASE, &PSK_ID_HASH[..], &info_hash[..]];
    let key: Zeroizing<[u8; AEAD_KEY_BYTES]> = labeled_expand(&secret, SUITE, b"key", &context);
    let nonce: Zeroizing<[u8; aead::NONCE_LEN]> =
        labeled_expand(&secret, SUITE, b"base_nonce", &context);
    (aes_key(&key), Nonce::assume_unique_for_key(*nonce))
}

/// A key of AES-128-GCM.
pub(super) fn aes_key(key: &[u8; AEAD_KEY_BYTES]) -> LessSafeKey {
    let key = UnboundKey::new(&aead::AES_128_GCM, key).expect("an AES-128 key is 16 bytes");
    LessSafeKey::new(key)
}

/// Section 4, LabeledExpand.
fn labeled_expand<const BYTES: usize>(
    prk: &Prk,
    suite: &[u8],
    label: &[u8],
    context: &[&[u8]],
) -> Zeroizing<[u8; BYTES]> {
    let length = (BYTES as u16).to_be_bytes();
    let head = [&length, VERSION, suite, label];
    prk.expand(&[&head, context].concat())
}

/// What HKDF with SHA-256 has extracted, ready to expand; aws-lc wipes what it frees.
pub(super) struct Prk(hmac::Key);

impl Prk {
    /// HKDF-Extract (RFC 5869 section 2.2) of an input in parts.
    pub(super) fn extract(salt: &[u8], input: &[&[u8]]) -> Self {
        Self::of(&hmac::Key::new(HMAC_SHA256, salt), input)
    }

    fn of(salt: &hmac::Key, input: &[&[u8]]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, &mac(salt, input)[..]))
    }

    /// HKDF-Expand (RFC 5869 section 2.3), info in parts, of at most one block.
    pub(super) fn expand<const BYTES: usize>(&self, info: &[&[u8]]) -> Zeroizing<[u8; BYTES]> {
        const { assert!(BYTES <= HASH_BYTES) };
        let block = mac(&self.0, &[info, &[&[1]]].concat());
        let mut out = Zeroizing::new([0; BYTES]);
        out.copy_from_slice(&block[..BYTES]);
        out
    }
}

fn mac(key: &hmac::Key, parts: &[&[u8]]) -> Secret {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let mut out = Zeroizing::new([0; HASH_BYTES]);
    out.copy_from_slice(context.sign().as_ref());
    out
}
