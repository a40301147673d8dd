//! What a host seals to the authority when it redeems a product key: the key and the thumbprint of
//! the request's signing key, so that a sealed key taken out of one request opens in no other.
//!
//! ```text
//! message = product key (16, big-endian) | SHA-256 thumbprint of the requesting key (32)
//! ```
//!
//! It is sealed with [`crate::wire::product_key_info`] to the opening key of the issuing
//! certificate.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::crypto::PublicKey;
use crate::key::ProductKey;
use crate::reason::{Refusal, authority as reasons};

/// Bytes of the message.
pub const MESSAGE_BYTES: usize = ProductKey::BYTES + 32;

/// The message to seal.
pub fn message(key: &ProductKey, requester: &PublicKey) -> Zeroizing<[u8; MESSAGE_BYTES]> {
    let mut message = Zeroizing::new([0; MESSAGE_BYTES]);
    message[..ProductKey::BYTES].copy_from_slice(&*key.to_bytes());
    message[ProductKey::BYTES..].copy_from_slice(&requester.thumbprint().0);
    message
}

/// Reads an opened message of a request signed by `requester`.
///
/// # Errors
/// `KEY_UNREADABLE`, or a reason of product keys when what is inside is none.
pub fn read(message: &[u8], requester: &PublicKey) -> Result<ProductKey, Refusal> {
    let wrong = |what: &str| Refusal::new(reasons::KEY_UNREADABLE, what);
    let (key, bound) = message
        .split_first_chunk::<{ ProductKey::BYTES }>()
        .filter(|_| message.len() == MESSAGE_BYTES)
        .ok_or_else(|| wrong("its length is wrong"))?;
    if !bool::from(bound.ct_eq(requester.thumbprint().0.as_slice())) {
        return Err(wrong("it was sealed for another request"));
    }
    ProductKey::from_bytes(key)
}
