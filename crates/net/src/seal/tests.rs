//! Tests of the seal: a golden vector computed by an independent implementation (RFC 9180 and
//! RFC 9458 written out on Python's `cryptography`), every flipped bit, and keys that must be refused.

use super::*;

const INFO: &[u8] = b"muster/v1 golden info";
const MESSAGE: &[u8] = b"the signed ask";
const ANSWER: &[u8] = b"the signed answer";
const PUBLIC: &str = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c";
const SEALED: &str = concat!(
    "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484663335a2cdaf51e3a4",
    "d32b37b0e5d7d3d63c0c31a1c3b8fabb8da2ffbdc0658705f46e5d6863b48e8d19dd52ffccba247a",
    "e816743a085cf66874bb1a8f6bbb",
);
const SEALED_ANSWER: &str = concat!(
    "c8c9cacbcccdcecfd0d1d2d3d4d5d6d7767e141b7699255729fb271b62f9bf6f018576bee13279ac",
    "9fdb7827863227c92d",
);

/// The golden opening key: the bytes 1 to 32.
fn golden_key() -> OpeningKey {
    let bytes: [u8; 32] = std::array::from_fn(|i| i as u8 + 1);
    OpeningKey::from_bytes(&bytes).expect("the golden key is a key")
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

#[test]
fn the_golden_exchange_opens() {
    let key = golden_key();
    assert_eq!(key.public().to_vec(), unhex(PUBLIC));
    let (message, answer_key) = key.open(INFO, &unhex(SEALED)).unwrap();
    assert_eq!(message.as_slice(), MESSAGE);
    assert_eq!(
        answer_key.open_answer(&unhex(SEALED_ANSWER)).unwrap(),
        ANSWER
    );
    let nonce: [u8; 16] = std::array::from_fn(|i| i as u8 + 200);
    assert_eq!(
        answer_key.seal_answer_with(&nonce, ANSWER),
        unhex(SEALED_ANSWER)
    );
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let key = golden_key();
    let (sealed, answer) = (unhex(SEALED), unhex(SEALED_ANSWER));
    let (_, answer_key) = key.open(INFO, &sealed).unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut bad = sealed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let refusal = key.open(INFO, &bad).expect_err("a flipped bit opens");
        assert_eq!(refusal.reason, reason::SEAL_BROKEN, "bit {bit}");
    }
    for bit in 0..answer.len() * 8 {
        let mut bad = answer.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let refusal = answer_key
            .open_answer(&bad)
            .expect_err("a flipped bit opens");
        assert_eq!(refusal.reason, reason::SEAL_ANSWER_BROKEN, "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(
            key.open(INFO, &sealed[..length]).is_err(),
            "cut to {length}"
        );
    }
    for length in 0..answer.len() {
        assert!(
            answer_key.open_answer(&answer[..length]).is_err(),
            "cut to {length}"
        );
    }
}

#[test]
fn what_is_sealed_opens_only_with_its_key_and_info() {
    let key = OpeningKey::generate();
    let (sealed, asker) = seal(&key.public(), INFO, MESSAGE).unwrap();
    assert_eq!(sealed.len(), MESSAGE.len() + OVERHEAD_BYTES);
    let (message, host) = key.open(INFO, &sealed).unwrap();
    assert_eq!(message.as_slice(), MESSAGE);
    assert_eq!(
        key.open(b"other", &sealed).unwrap_err().reason,
        reason::SEAL_BROKEN
    );
    let other = OpeningKey::generate();
    assert_eq!(
        other.open(INFO, &sealed).unwrap_err().reason,
        reason::SEAL_BROKEN
    );

    let (first, second) = (host.seal_answer(ANSWER), host.seal_answer(ANSWER));
    assert_eq!(first.len(), ANSWER.len() + ANSWER_OVERHEAD_BYTES);
    assert_ne!(first, second, "a response nonce was used twice");
    assert_eq!(asker.open_answer(&first).unwrap(), ANSWER);
    assert_eq!(asker.open_answer(&second).unwrap(), ANSWER);
    let (_, stranger) = seal(&key.public(), INFO, MESSAGE).unwrap();
    assert_eq!(
        stranger.open_answer(&first).unwrap_err().reason,
        reason::SEAL_ANSWER_BROKEN
    );
}

#[test]
fn a_stored_key_is_the_same_key() {
    let key = OpeningKey::generate();
    let again = OpeningKey::from_bytes(&key.to_bytes()).unwrap();
    assert_eq!(key.public(), again.public());
    let (sealed, _) = seal(&key.public(), INFO, MESSAGE).unwrap();
    assert_eq!(again.open(INFO, &sealed).unwrap().0.as_slice(), MESSAGE);
}

#[test]
fn keys_of_small_order_are_refused_on_both_sides() {
    // The points of order 1, 2, 4 and 8 and their non-canonical forms (RFC 7748 section 6.1).
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for point in points {
        let public: [u8; 32] = unhex(point).try_into().unwrap();
        let refusal = seal(&public, INFO, MESSAGE).expect_err(point);
        assert_eq!(refusal.reason, reason::SEAL_PUBLIC_KEY_INVALID, "{point}");
        let mut sealed = unhex(SEALED);
        sealed[..32].copy_from_slice(&public);
        assert_eq!(
            golden_key().open(INFO, &sealed).unwrap_err().reason,
            reason::SEAL_BROKEN
        );
    }
}

#[test]
fn debug_shows_no_secret() {
    let key = golden_key();
    let (_, answer_key) = key.open(INFO, &unhex(SEALED)).unwrap();
    assert_eq!(format!("{answer_key:?}"), "AnswerKey { .. }");
    assert!(!format!("{key:?}").contains("1, 2, 3, 4"));
}

proptest::proptest! {
    #[test]
    fn bytes_that_nobody_sealed_are_refused(bytes in proptest::collection::vec(0u8.., 0..200)) {
        let key = golden_key();
        proptest::prop_assert_eq!(key.open(INFO, &bytes).unwrap_err().reason, reason::SEAL_BROKEN);
        let (_, answer_key) = key.open(INFO, &unhex(SEALED)).unwrap();
        let refusal = answer_key.open_answer(&bytes).unwrap_err();
        proptest::prop_assert_eq!(refusal.reason, reason::SEAL_ANSWER_BROKEN);
    }
}
