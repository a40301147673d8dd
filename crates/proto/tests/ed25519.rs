//! The set of Ed25519 signatures that is accepted, whichever library verifies: exactly what
//! ed25519-dalek's `verify_strict` accepts. Built with the feature `aws-lc`, as every role is that
//! links `net`, this compares aws-lc with dalek over signatures of every mixture of small orders
//! ("Taming the many EdDSAs", table 6, and beyond it), over encodings that are not canonical, and over
//! altered and random ones.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::{Signature, VerifyingKey};
use muster_proto::crypto::{PublicKey, SecretKey, sha256};
use sha2::{Digest, Sha512};

/// The order of the group, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// What dalek says; a key that it cannot read refuses.
fn strict(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    })
}

/// What the product says.
fn ours(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    PublicKey::ed25519(*key).is_ok_and(|key| key.verify(message, signature).is_ok())
}

/// Both must say the same; tells what.
fn both(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let said = ours(key, message, signature);
    let expected = strict(key, message, signature);
    assert_eq!(said, expected, "{key:02x?} {message:02x?} {signature:02x?}");
    said
}

/// Numbers that are random enough, the same in every run.
fn scalar(what: &str, number: u64) -> Scalar {
    let hash = Sha512::new()
        .chain_update(what)
        .chain_update(number.to_be_bytes());
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// The hash of RFC 8032 section 5.1.7 over the bytes as they are written.
fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(key)
        .chain_update(message);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn joined(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r);
    signature[32..].copy_from_slice(s);
    signature
}

/// S below the order plus so many orders, where that fits 256 bits.
fn plus_orders(s: &[u8; 32], orders: u16) -> Option<[u8; 32]> {
    let mut sum = [0; 32];
    let mut carry = 0;
    for (at, byte) in sum.iter_mut().enumerate() {
        carry += u32::from(s[at]) + u32::from(ORDER[at]) * u32::from(orders);
        *byte = carry as u8;
        carry >>= 8;
    }
    (carry == 0).then_some(sum)
}

/// Every encoding of a point, canonical or not: y and, where it fits, y + p, with either sign of x
/// where x is 0.
fn encodings(point: EdwardsPoint) -> Vec<[u8; 32]> {
    let canonical = point.compress().to_bytes();
    let mut found = vec![canonical];
    if canonical[0] < 19
        && canonical[1..31].iter().all(|byte| *byte == 0)
        && canonical[31] & 0x7f == 0
    {
        let mut higher = [0xff; 32];
        higher[0] = 0xed + canonical[0];
        higher[31] = 0x7f | canonical[31];
        found.push(higher);
    }
    let signs = found.clone().into_iter().map(|mut encoding| {
        encoding[31] ^= 0x80;
        encoding
    });
    found.extend(signs);
    found
}

#[test]
fn every_mixture_of_small_orders_is_judged_as_the_strict_rule_does() {
    let (mut accepted, mut refused) = (0, 0);
    let torsions = EIGHT_TORSION
        .iter()
        .flat_map(|a| EIGHT_TORSION.iter().map(move |r| (a, r)));
    for (in_key, in_r) in torsions {
        for number in 0..24 {
            // Every eighth time the key, or R, or both are of small order and nothing else.
            let a = if number % 8 == 1 {
                Scalar::ZERO
            } else {
                scalar("a", number)
            };
            let r = if number % 8 < 2 {
                Scalar::ZERO
            } else {
                scalar("r", number)
            };
            let key = ED25519_BASEPOINT_POINT * a + in_key;
            let point = ED25519_BASEPOINT_POINT * r + in_r;
            let message = number.to_be_bytes();
            for key in encodings(key) {
                for point in encodings(point) {
                    let s = r + challenge(&point, &key, &message) * a;
                    match both(&key, &message, &joined(&point, s.as_bytes())) {
                        true => accepted += 1,
                        false => refused += 1,
                    }
                }
            }
        }
    }
    // Both outcomes are met: a key with a part of small order is good where the hash cancels it.
    assert!(
        accepted > 100 && refused > 1_000,
        "{accepted} and {refused}"
    );
}

#[test]
fn a_second_form_of_s_is_refused() {
    let key = SecretKey::from_seed(&[7; 32]);
    let PublicKey::Ed25519(public) = key.public() else {
        unreachable!("a secret key is one of Ed25519")
    };
    let signature = key.sign(b"message");
    assert!(both(&public, b"message", &signature));
    let (r, s) = signature.split_first_chunk().expect("64 bytes");
    let s: [u8; 32] = s.try_into().expect("32 bytes");
    let mut forms = 0;
    for orders in 1..=16 {
        if let Some(form) = plus_orders(&s, orders) {
            assert!(!both(&public, b"message", &joined(r, &form)));
            forms += 1;
        }
    }
    assert!(forms >= 14);
    for (r, s) in [
        (*r, ORDER),
        (*r, [0xff; 32]),
        ([0; 32], [0; 32]),
        (*r, [0; 32]),
    ] {
        assert!(!both(&public, b"message", &joined(&r, &s)));
    }
}

#[test]
fn what_is_signed_is_what_the_rfc_says_and_every_flipped_bit_is_refused() {
    for number in 0..16u64 {
        let seed = sha256(&number.to_be_bytes());
        let key = SecretKey::from_seed(&seed);
        let message = vec![number as u8; 17 * number as usize];
        let signature = key.sign(&message);
        let dalek = ed25519_dalek::SigningKey::from_bytes(&seed);
        let expected = ed25519_dalek::Signer::sign(&dalek, &message).to_bytes();
        assert_eq!(signature, expected, "signing is deterministic");
        let public = dalek.verifying_key().to_bytes();
        assert_eq!(key.public(), PublicKey::Ed25519(public));
        assert_eq!(*key.seed(), seed);
        assert!(both(&public, &message, &signature));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!both(&public, &message, &flipped));
        }
        for bit in 0..256 {
            let mut other = public;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!both(&other, &message, &signature));
        }
    }
}

#[test]
fn random_bytes_are_judged_alike() {
    for number in 0..2_000u64 {
        let part = |what: u8| sha256(&[&[what][..], &number.to_be_bytes()].concat());
        let mut signature = joined(&part(1), &part(2));
        // Half of them with an S that may be below the order.
        if number % 2 == 0 {
            signature[63] &= 0x0f;
        }
        assert!(!both(&part(0), &part(3), &signature));
    }
}
