//! Bad vectors of form: encodings that are not deterministic, forms outside the profile, headers,
//! algorithms, keys and signatures. All but the last are signed over exactly the bytes they hold,
//! so that the named rule alone refuses them.

use muster_proto::Reason;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::Typ;
use serde_json::Value as Json;

use super::device;
use super::estate::{CLIENT, Estate, KMS_HOST, VM_HOST};
use super::forge::{Cbor, Forge};
use super::writer::Vector;

/// Every bad vector of form.
pub(crate) fn all(estate: &Estate) -> Vec<Json> {
    [
        payloads(estate),
        protected_headers(estate),
        outer(estate),
        claims(estate),
        keys(estate),
        signatures(estate),
    ]
    .concat()
}

/// One alteration, and why it is refused.
type Case = (&'static str, fn(&mut Cbor), Reason);

/// Members of the claims in forms they must not have.
const MEMBERS: &[(&str, &[u8], Reason)] = &[
    (
        "payload-length-not-shortest",
        &[0x58, 0x01, 0x00],
        reasons::NOT_DETERMINISTIC,
    ),
    (
        "payload-bytes-in-pieces",
        &[0x5f, 0x41, 0x00, 0xff],
        reasons::NOT_DETERMINISTIC,
    ),
    (
        "payload-text-in-pieces",
        &[0x7f, 0x61, 0x61, 0xff],
        reasons::NOT_DETERMINISTIC,
    ),
    (
        "payload-array-without-length",
        &[0x9f, 0x00, 0xff],
        reasons::NOT_DETERMINISTIC,
    ),
    (
        "payload-map-without-length",
        &[0xbf, 0x00, 0x00, 0xff],
        reasons::NOT_DETERMINISTIC,
    ),
    (
        "payload-map-out-of-order",
        &[0xa2, 0x20, 0x00, 0x01, 0x00],
        reasons::OUTSIDE_PROFILE,
    ),
    (
        "payload-map-key-twice",
        &[0xa2, 0x01, 0x00, 0x01, 0x00],
        reasons::OUTSIDE_PROFILE,
    ),
    (
        "payload-map-key-text",
        &[0xa1, 0x61, 0x61, 0x00],
        reasons::OUTSIDE_PROFILE,
    ),
    ("payload-undefined", &[0xf7], reasons::OUTSIDE_PROFILE),
    (
        "payload-true-in-two-bytes",
        &[0xf8, 0x15],
        reasons::NOT_DETERMINISTIC,
    ),
    (
        "payload-half-float",
        &[0xf9, 0x3c, 0x00],
        reasons::OUTSIDE_PROFILE,
    ),
    (
        "payload-cose-tag-inside",
        &[0xd2, 0x00],
        reasons::OUTSIDE_PROFILE,
    ),
    ("payload-text-not-utf8", &[0x61, 0xff], reasons::NOT_CBOR),
    ("payload-reserved-head", &[0x1c], reasons::NOT_CBOR),
];

/// Protected headers, signed as they stand.
const HEADERS: &[Case] = &[
    (
        "header-alg-in-two-bytes",
        |h| {
            *h.at(1) = Cbor::Raw(vec![0x39, 0x00, 0x12]);
        },
        reasons::NOT_DETERMINISTIC,
    ),
    (
        "header-out-of-order",
        |h| {
            let Cbor::Map(entries) = h else {
                unreachable!("a header is a map")
            };
            entries.swap(0, 1);
        },
        reasons::OUTSIDE_PROFILE,
    ),
    (
        "header-key-twice",
        |h| {
            let Cbor::Map(entries) = h else {
                unreachable!("a header is a map")
            };
            entries.insert(1, entries[0].clone());
        },
        reasons::OUTSIDE_PROFILE,
    ),
    (
        "header-unknown-critical-label",
        |h| {
            h.put(-70_000, Cbor::Int(1));
        },
        reasons::UNKNOWN_CRITICAL,
    ),
    (
        "header-with-crit",
        |h| {
            h.put(2, Cbor::Array(vec![Cbor::Int(99)]));
            h.put(99, Cbor::Int(1));
        },
        reasons::UNKNOWN_CRITICAL,
    ),
    ("header-without-alg", |h| h.take(1), reasons::FIELD_MISSING),
    ("header-without-kid", |h| h.take(4), reasons::FIELD_MISSING),
    ("header-without-typ", |h| h.take(16), reasons::FIELD_MISSING),
    (
        "header-without-publisher",
        |h| h.take(-65_537),
        reasons::FIELD_MISSING,
    ),
    (
        "header-kid-of-31-bytes",
        |h| *h.at(4) = Cbor::Bytes(vec![0; 31]),
        reasons::FIELD_WRONG,
    ),
    (
        "header-publisher-of-17-bytes",
        |h| {
            *h.at(-65_537) = Cbor::Bytes(vec![0; 17]);
        },
        reasons::FIELD_WRONG,
    ),
    (
        "header-typ-of-another-type",
        |h| {
            *h.at(16) = Cbor::Text("muster-answer+cwt".into());
        },
        reasons::WRONG_TYPE,
    ),
    (
        "header-typ-unknown",
        |h| *h.at(16) = Cbor::Text("application/cwt".into()),
        reasons::WRONG_TYPE,
    ),
    (
        "header-typ-with-application",
        |h| {
            *h.at(16) = Cbor::Text("application/muster-lease+cwt".into());
        },
        reasons::WRONG_TYPE,
    ),
    (
        "header-typ-as-number",
        |h| *h.at(16) = Cbor::Int(61),
        reasons::FIELD_WRONG,
    ),
    (
        "header-alg-as-text",
        |h| *h.at(1) = Cbor::Text("Ed25519".into()),
        reasons::WRONG_ALGORITHM,
    ),
    (
        "header-alg-of-p256",
        |h| *h.at(1) = Cbor::Int(-9),
        reasons::WRONG_ALGORITHM,
    ),
    (
        "header-alg-eddsa-of-old",
        |h| *h.at(1) = Cbor::Int(-8),
        reasons::WRONG_ALGORITHM,
    ),
    (
        "header-alg-hmac",
        |h| *h.at(1) = Cbor::Int(5),
        reasons::WRONG_ALGORITHM,
    ),
];

/// Unprotected headers, which nobody signs.
const UNPROTECTED: &[Case] = &[
    (
        "unprotected-with-another-label",
        |u| u.put(4, Cbor::Bytes(vec![1])),
        reasons::NOT_COSE,
    ),
    (
        "unprotected-with-the-algorithm",
        |u| u.put(1, Cbor::Int(-19)),
        reasons::NOT_COSE,
    ),
    (
        "unprotected-an-array",
        |u| *u = Cbor::Array(Vec::new()),
        reasons::NOT_COSE,
    ),
    (
        "unprotected-chain-of-text",
        |u| {
            *u.at(-65_538) = Cbor::Array(vec![Cbor::Text("a".into())]);
        },
        reasons::NOT_COSE,
    ),
    (
        "unprotected-certificate-too-large",
        |u| {
            *u.at(-65_538) = Cbor::Array(vec![Cbor::Bytes(vec![0; 1_025])]);
        },
        reasons::TOO_LARGE,
    ),
];

/// Standard claims of a lease.
const CLAIMS: &[Case] = &[
    (
        "claims-unknown-critical",
        |p| p.put(-65_538, Cbor::Int(1)),
        reasons::UNKNOWN_CRITICAL,
    ),
    ("claims-without-iat", |p| p.take(6), reasons::FIELD_MISSING),
    ("claims-without-exp", |p| p.take(4), reasons::FIELD_MISSING),
    ("claims-without-cnf", |p| p.take(8), reasons::FIELD_MISSING),
    (
        "claims-without-musters-own",
        |p| p.take(-65_537),
        reasons::FIELD_MISSING,
    ),
    (
        "claims-nbf-in-a-lease",
        |p| p.put(5, Cbor::Int(1_800_864_000)),
        reasons::FIELD_WRONG,
    ),
    (
        "claims-exp-before-iat",
        |p| *p.at(4) = Cbor::Int(1_800_000_000),
        reasons::CLAIM_TIMES,
    ),
    (
        "claims-time-after-9999",
        |p| *p.at(4) = Cbor::Int(253_402_300_800),
        reasons::FIELD_WRONG,
    ),
    (
        "claims-time-negative",
        |p| *p.at(6) = Cbor::Int(-1),
        reasons::FIELD_WRONG,
    ),
    (
        "claims-cnf-with-an-unknown-critical-method",
        |p| {
            p.at(8).put(-1, Cbor::Int(1));
        },
        reasons::UNKNOWN_CRITICAL,
    ),
];

/// Muster's own claims of a lease.
const OWN_CLAIMS: &[Case] = &[
    (
        "claims-unknown-critical-of-musters-own",
        |own| {
            own.put(-99, Cbor::Int(1));
        },
        reasons::UNKNOWN_CRITICAL,
    ),
    (
        "claims-count-of-33-bits",
        |own| *own.at(-3) = Cbor::Int(1 << 32),
        reasons::FIELD_WRONG,
    ),
    (
        "claims-product-id-not-allowed",
        |own| {
            *own.at(-1) = Cbor::Text("CAD".into());
        },
        reasons::FIELD_WRONG,
    ),
    (
        "claims-product-id-too-long",
        |own| *own.at(-1) = Cbor::Text("a".repeat(33)),
        reasons::FIELD_WRONG,
    ),
    (
        "claims-component-tags-cut",
        |own| *own.at(-4) = Cbor::Bytes(vec![3, 0, 0]),
        reasons::FIELD_WRONG,
    ),
    (
        "claims-lease-of-an-unknown-kind",
        |own| *own.at(-2) = Cbor::Int(3),
        reasons::FIELD_WRONG,
    ),
];

fn lease(estate: &Estate) -> Forge {
    Forge::of(&estate.kms_host.sign(estate.publisher, &estate.lease()))
}

/// A lease whose alteration is signed.
fn signed(estate: &Estate, name: &str, reason: Reason, alter: impl FnOnce(&mut Forge)) -> Json {
    let bytes = lease(estate).with(alter).sign(&estate.key(KMS_HOST));
    Vector::statement(name, Typ::Lease, &bytes).refused(reason)
}

/// `iat` in each form it must not have, and the other forms within the payload.
fn payloads(estate: &Estate) -> Vec<Json> {
    let iat = |name: &str, reason, raw: Vec<u8>| {
        signed(estate, name, reason, |forge| {
            *forge.payload.at(6) = Cbor::Raw(raw);
        })
    };
    let long = estate.lease().issued.seconds().to_be_bytes();
    let deep = [&[0x81; 8][..], &[0]].concat();
    let much_deeper = [&[0x81; 200][..], &[0]].concat();
    let mut vectors = vec![
        iat(
            "payload-integer-in-eight-bytes",
            reasons::NOT_DETERMINISTIC,
            [&[0x1b], &long[..]].concat(),
        ),
        iat(
            "payload-integer-as-big-number",
            reasons::NOT_DETERMINISTIC,
            [&[0xc2, 0x48], &long[..]].concat(),
        ),
        iat(
            "payload-time-as-float",
            reasons::OUTSIDE_PROFILE,
            vec![0xfa, 0x4e, 0xd6, 0x93, 0xa4],
        ),
        iat("payload-time-null", reasons::OUTSIDE_PROFILE, vec![0xf6]),
        iat(
            "payload-time-tagged",
            reasons::OUTSIDE_PROFILE,
            [&[0xc1, 0x1a], &long[4..]].concat(),
        ),
        signed(
            estate,
            "payload-followed-by-a-byte",
            reasons::NOT_CBOR,
            |forge| {
                forge.payload = Cbor::Raw([forge.payload.write(), vec![0]].concat());
            },
        ),
        signed(estate, "payload-empty", reasons::NOT_CBOR, |forge| {
            forge.payload = Cbor::Raw(Vec::new())
        }),
        signed(estate, "payload-an-array", reasons::FIELD_WRONG, |forge| {
            forge.payload = Cbor::Array(Vec::new());
        }),
        with_member(
            estate,
            "payload-nested-too-deep",
            reasons::OUTSIDE_PROFILE,
            &deep,
        ),
        with_member(
            estate,
            "payload-nested-without-end",
            reasons::NOT_CBOR,
            &much_deeper,
        ),
    ];
    let members = MEMBERS.iter();
    vectors.extend(members.map(|(name, raw, reason)| with_member(estate, name, *reason, raw)));
    vectors
}

/// A lease with one more member among its claims.
fn with_member(estate: &Estate, name: &str, reason: Reason, raw: &[u8]) -> Json {
    signed(estate, name, reason, |forge| {
        forge.payload.at(-65_537).put(99, Cbor::Raw(raw.to_vec()));
    })
}

fn protected_headers(estate: &Estate) -> Vec<Json> {
    let header = |(name, alter, reason): &Case| {
        signed(estate, name, *reason, |forge| alter(&mut forge.protected))
    };
    let mut vectors: Vec<Json> = HEADERS.iter().map(header).collect();
    vectors.push(signed(estate, "header-empty", reasons::NOT_CBOR, |forge| {
        forge.protected = Cbor::Raw(Vec::new());
    }));
    vectors
}

/// The outer structure, which nobody signs.
fn outer(estate: &Estate) -> Vec<Json> {
    let good = estate.kms_host.sign(estate.publisher, &estate.lease());
    let vector = |name: &str, reason, bytes: Vec<u8>| {
        Vector::statement(name, Typ::Lease, &bytes).refused(reason)
    };
    let chain_of = |count: usize| {
        move |unprotected: &mut Cbor| {
            *unprotected.at(-65_538) = Cbor::Array(vec![Cbor::Bytes(vec![0]); count]);
        }
    };
    let with_chain = |name: &str, reason, count: usize| {
        let forge = lease(estate).with(|forge| chain_of(count)(&mut forge.unprotected));
        vector(name, reason, forge.join())
    };
    let indefinite = [&[0xd2, 0x9f][..], &good[2..], &[0xff]].concat();
    let long_tag = [&[0xd8, 0x12], &good[1..]].concat();
    let mac_tag = [&[0xd1], &good[1..]].concat();
    let five = [&[0xd2, 0x85][..], &good[2..], &[0x00]].concat();
    let huge = vec![0xd2; 4_097];
    let short_signature = lease(estate).with(|forge| {
        forge.signature.pop();
    });
    let mut vectors = vec![
        vector("outer-empty", reasons::NOT_CBOR, Vec::new()),
        vector(
            "outer-followed-by-a-byte",
            reasons::NOT_CBOR,
            [&good[..], &[0]].concat(),
        ),
        vector(
            "outer-cut",
            reasons::NOT_CBOR,
            good[..good.len() - 1].to_vec(),
        ),
        vector(
            "outer-tag-in-two-bytes",
            reasons::NOT_DETERMINISTIC,
            long_tag,
        ),
        vector(
            "outer-without-length",
            reasons::NOT_DETERMINISTIC,
            indefinite,
        ),
        vector("outer-without-tag", reasons::NOT_COSE, good[1..].to_vec()),
        vector("outer-tag-of-a-mac", reasons::OUTSIDE_PROFILE, mac_tag),
        vector("outer-five-parts", reasons::NOT_COSE, five),
        vector("outer-too-large", reasons::TOO_LARGE, huge),
        vector(
            "outer-signature-of-63-bytes",
            reasons::NOT_COSE,
            short_signature.join(),
        ),
        with_chain("unprotected-chain-empty", reasons::CHAIN_LENGTH, 0),
        with_chain("unprotected-chain-of-three", reasons::CHAIN_LENGTH, 3),
        {
            let of_a_host = estate.issuing.sign(estate.publisher, &estate.kms_cert());
            Vector::statement("lease-that-is-a-certificate", Typ::Lease, &of_a_host)
                .refused(reasons::WRONG_TYPE)
        },
    ];
    for (name, alter, reason) in UNPROTECTED {
        let forge = lease(estate).with(|forge| alter(&mut forge.unprotected));
        vectors.push(vector(name, *reason, forge.join()));
    }
    vectors
}

fn claims(estate: &Estate) -> Vec<Json> {
    let payload = |(name, alter, reason): &Case| {
        signed(estate, name, *reason, |forge| alter(&mut forge.payload))
    };
    let own = |(name, alter, reason): &Case| {
        signed(estate, name, *reason, |forge| {
            alter(forge.payload.at(-65_537))
        })
    };
    CLAIMS
        .iter()
        .map(payload)
        .chain(OWN_CLAIMS.iter().map(own))
        .collect()
}

/// Points of Ed25519 that are no key: the first byte, those between, and the last.
const POINTS: &[(&str, [u8; 3])] = &[
    ("key-neutral-element", [1, 0, 0]),
    ("key-of-order-two", [0xec, 0xff, 0x7f]),
    ("key-of-order-four", [0, 0, 0]),
    ("key-not-canonical", [0xed + 3, 0xff, 0x7f]),
    ("key-negative-zero", [1, 0, 0x80]),
    ("key-off-the-curve", [2, 0, 0]),
];

const ORDER_EIGHT: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];

/// Keys that a certificate must not name.
fn keys(estate: &Estate) -> Vec<Json> {
    let okp = |crv: i128, x: &[u8; 32]| {
        let x = Cbor::Bytes(x.to_vec());
        vec![(1, Cbor::Int(1)), (-1, Cbor::Int(crv)), (-2, x)]
    };
    let p256 = |x: u8, y: u8| {
        let coordinate = |byte| Cbor::Bytes(vec![byte; 32]);
        let (x, y) = (coordinate(x), coordinate(y));
        vec![(1, Cbor::Int(2)), (-1, Cbor::Int(1)), (-2, x), (-3, y)]
    };
    let bad = |name: &str, key| naming_key(estate, name, reasons::BAD_KEY, key);
    let points = POINTS.iter().map(|(name, [first, between, last])| {
        let mut x = [*between; 32];
        (x[0], x[31]) = (*first, *last);
        bad(name, okp(6, &x))
    });
    let mut vectors: Vec<Json> = points.collect();
    let muster_proto::crypto::PublicKey::Ed25519(x) = estate.public(KMS_HOST) else {
        panic!("the estate's keys are Ed25519");
    };
    let mut private = okp(6, &x);
    private.push((-4, Cbor::Bytes(vec![7; 32])));
    vectors.extend([
        bad("key-of-order-eight", okp(6, &ORDER_EIGHT)),
        bad("key-p256-off-the-curve", p256(1, 1)),
        bad("key-p256-coordinate-above-the-prime", p256(0xff, 1)),
        bad("key-x25519", okp(4, &[9; 32])),
        naming_key(
            estate,
            "key-that-holds-its-private-half",
            reasons::UNKNOWN_CRITICAL,
            private,
        ),
    ]);
    vectors
}

/// A certificate, well signed, that names a key.
fn naming_key(estate: &Estate, name: &str, reason: Reason, key: Vec<(i128, Cbor)>) -> Json {
    let entries = key
        .into_iter()
        .map(|(label, value)| (Cbor::Int(label), value));
    let key = Cbor::Map(entries.collect());
    let cert = Forge::of(&estate.issuing.sign(estate.publisher, &estate.kms_cert()));
    let bytes = cert
        .with(|forge| *forge.payload.at(8).at(1) = key)
        .sign(&estate.issuing.key);
    Vector::statement(name, Typ::Cert, &bytes).refused(reason)
}

fn signatures(estate: &Estate) -> Vec<Json> {
    let vector = |name: &str, bytes: &[u8]| {
        Vector::statement(name, Typ::Lease, bytes).refused(reasons::BAD_SIGNATURE)
    };
    let good = lease(estate);
    let mut large_s = good.clone();
    large_s.signature = with_s_plus_order(&good.signature);
    let zero = good.clone().with(|forge| forge.signature = vec![0; 64]);
    let small_r = good.clone().with(|forge| {
        forge.signature[..32].fill(0);
        forge.signature[0] = 1;
    });
    let other_aad = good
        .clone()
        .bound_to(b"muster/v2")
        .sign(&estate.key(KMS_HOST));
    let no_aad = good.clone().bound_to(b"").sign(&estate.key(KMS_HOST));
    let high = device::ask_with_high_s(estate);
    let strange = Forge::of(&estate.own(CLIENT).sign(estate.publisher, &estate.ask()))
        .sign(&estate.key(VM_HOST));
    vec![
        vector(
            "signature-of-another-key",
            &good.clone().sign(&estate.key(VM_HOST)),
        ),
        vector("signature-with-s-plus-the-order", &large_s.join()),
        vector("signature-zero", &zero.join()),
        vector("signature-with-r-of-small-order", &small_r.join()),
        vector("signature-bound-to-another-version", &other_aad),
        vector("signature-bound-to-nothing", &no_aad),
        Vector::ask("ask-es256-with-high-s", estate, &high).refused(reasons::BAD_SIGNATURE),
        Vector::ask("ask-signed-by-another-key", estate, &strange).refused(reasons::BAD_SIGNATURE),
    ]
}

/// The second form of an Ed25519 signature: S + L (RFC 8032 section 5.1.7 refuses it).
fn with_s_plus_order(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut sum = signature.to_vec();
    let mut carry = 0;
    for (byte, order) in sum[32..].iter_mut().zip(ORDER) {
        let total = u16::from(*byte) + u16::from(order) + carry;
        *byte = total as u8;
        carry = total >> 8;
    }
    sum
}
