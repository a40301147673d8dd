//! Ed25519 (RFC 8032) by one of two libraries that accept the same signatures: ed25519-dalek, which
//! is Rust alone, or, with the feature `aws-lc`, aws-lc, which takes two thirds of the time to verify
//! and half of it to sign. Who links `net` has aws-lc anyway.
//!
//! What is accepted is dalek's `verify_strict`: S below the group's order, R and the key canonical and
//! not of small order, and the equation without cofactor. aws-lc checks all of it but small orders:
//! the key's is refused when the key is taken in, R's is refused here. `crates/proto/tests/ed25519.rs`
//! compares both over every mixture of small orders.

#[cfg(feature = "aws-lc")]
pub(super) use aws_lc::{Signer, verify};
#[cfg(not(feature = "aws-lc"))]
pub(super) use dalek::{Signer, verify};

/// The y of the points of small order: 0 (order 4), 1 (order 1), both of
/// order 8, and -1 (order 2). The bit for the sign of x is left out.
const SMALL_ORDERS: [[u8; 32]; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
];

/// Whether an encoded point is of small order, where it is a point and canonical.
pub(super) fn is_of_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    SMALL_ORDERS.contains(&y)
}

#[cfg(not(feature = "aws-lc"))]
mod dalek {
    use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

    /// Whether a signature under a key that was checked before is good.
    pub(in crate::crypto) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        VerifyingKey::from_bytes(key)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }

    /// A key ready to sign; it is wiped when dropped.
    #[derive(Clone)]
    pub(in crate::crypto) struct Signer(SigningKey);

    impl Signer {
        pub(in crate::crypto) fn of_seed(seed: &[u8; 32]) -> Self {
            Self(SigningKey::from_bytes(seed))
        }

        pub(in crate::crypto) fn public(&self) -> [u8; 32] {
            self.0.verifying_key().to_bytes()
        }

        pub(in crate::crypto) fn sign(&self, message: &[u8]) -> [u8; 64] {
            self.0.sign(message).to_bytes()
        }
    }
}

#[cfg(feature = "aws-lc")]
mod aws_lc {
    use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, VerificationAlgorithm};

    use super::is_of_small_order;

    /// Whether a signature under a key that was checked before is good.
    pub(in crate::crypto) fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        // aws-lc encodes the R that it reckons and compares the bytes, so one that is no canonical
        // encoding fails there.
        let r = signature.first_chunk().expect("a signature is 64 bytes");
        !is_of_small_order(r) && ED25519.verify_sig(key, message, signature).is_ok()
    }

    /// A key ready to sign; aws-lc wipes what it frees.
    #[derive(Clone)]
    pub(in crate::crypto) struct Signer(Ed25519KeyPair);

    impl Signer {
        pub(in crate::crypto) fn of_seed(seed: &[u8; 32]) -> Self {
            let pair = Ed25519KeyPair::from_seed_unchecked(seed);
            Self(pair.expect("every 32 bytes are a seed"))
        }

        pub(in crate::crypto) fn public(&self) -> [u8; 32] {
            let public = self.0.public_key().as_ref();
            public
                .try_into()
                .expect("an Ed25519 public key is 32 bytes")
        }

        pub(in crate::crypto) fn sign(&self, message: &[u8]) -> [u8; 64] {
            let signature = self.0.sign(message);
            let signature = signature.as_ref();
            signature
                .try_into()
                .expect("an Ed25519 signature is 64 bytes")
        }
    }
}
