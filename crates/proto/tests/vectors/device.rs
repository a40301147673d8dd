//! A client key in a device: P-256, signed with ES256.

use muster_proto::crypto::PublicKey;
use muster_proto::statement::Draft;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};

use super::estate::Estate;

fn secret(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).expect("a scalar below the order")
}

/// The public half of a device key, whose secret is its number, 32 times.
pub(crate) fn public(number: u8) -> PublicKey {
    let point = secret(number).verifying_key().to_sec1_point(false);
    let (x, y) = (point.x().expect("x"), point.y().expect("y"));
    PublicKey::p256((*x).into(), (*y).into()).expect("a point of the curve")
}

/// The estate's first ask under a device key.
pub(crate) fn ask(estate: &Estate) -> Vec<u8> {
    let (draft, signature) = signed(estate);
    draft.finish(signature.to_bytes().into(), &[])
}

/// The same with S in the upper half: as good for the curve, refused by the profile.
pub(crate) fn ask_with_high_s(estate: &Estate) -> Vec<u8> {
    let (draft, low) = signed(estate);
    let high = Signature::from_scalars(low.r(), -*low.s()).expect("scalars");
    draft.finish(high.to_bytes().into(), &[])
}

fn signed(estate: &Estate) -> (Draft, Signature) {
    let ask = muster_proto::statement::ask::Ask {
        client: public(1),
        ..estate.ask()
    };
    let draft = Draft::new(&ask, estate.publisher, public(1).thumbprint(), &public(1));
    let signature: Signature = secret(1).sign(&draft.to_be_signed());
    (draft, signature.normalize_s())
}
