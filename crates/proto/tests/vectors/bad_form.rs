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
    let extra = |name: &str, reason, raw: &[u8]| {
        signed(estate, name, reason, |forge| {
            forge.payload.at(-65_537).put(99, Cbor::Raw(raw.to_vec()));
        })
    };
    let long = estate.lease().issued.seconds().to_be_bytes();
    let deep = [&[0x81; 8][..], &[0]].concat();
    let much_deeper = [&[0x81; 200][..], &[0]].concat();
    vec![
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
        extra(
            "payload-length-not-shortest",
            reasons::NOT_DETERMINISTIC,
            &[0x58, 0x01, 0x00],
        ),
        extra(
            "payload-bytes-in-pieces",
            reasons::NOT_DETERMINISTIC,
            &[0x5f, 0x41, 0x00, 0xff],
        ),
        extra(
            "payload-text-in-pieces",
            reasons::NOT_DETERMINISTIC,
            &[0x7f, 0x61, 0x61, 0xff],
        ),
        extra(
            "payload-array-without-length",
            reasons::NOT_DETERMINISTIC,
            &[0x9f, 0x00, 0xff],
        ),
        extra(
            "payload-map-without-length",
            reasons::NOT_DETERMINISTIC,
            &[0xbf, 0x00, 0x00, 0xff],
        ),
        extra(
            "payload-map-out-of-order",
            reasons::OUTSIDE_PROFILE,
            &[0xa2, 0x20, 0x00, 0x01, 0x00],
        ),
        extra(
            "payload-map-key-twice",
            reasons::OUTSIDE_PROFILE,
            &[0xa2, 0x01, 0x00, 0x01, 0x00],
        ),
        extra(
            "payload-map-key-text",
            reasons::OUTSIDE_PROFILE,
            &[0xa1, 0x61, 0x61, 0x00],
        ),
        extra("payload-undefined", reasons::OUTSIDE_PROFILE, &[0xf7]),
        extra(
            "payload-true-in-two-bytes",
            reasons::NOT_DETERMINISTIC,
            &[0xf8, 0x15],
        ),
        extra(
            "payload-half-float",
            reasons::OUTSIDE_PROFILE,
            &[0xf9, 0x3c, 0x00],
        ),
        extra(
            "payload-cose-tag-inside",
            reasons::OUTSIDE_PROFILE,
            &[0xd2, 0x00],
        ),
        extra("payload-text-not-utf8", reasons::NOT_CBOR, &[0x61, 0xff]),
        extra("payload-nested-too-deep", reasons::OUTSIDE_PROFILE, &deep),
        extra(
            "payload-nested-without-end",
            reasons::NOT_CBOR,
            &much_deeper,
        ),
        extra("payload-reserved-head", reasons::NOT_CBOR, &[0x1c]),
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
    ]
}

fn protected_headers(estate: &Estate) -> Vec<Json> {
    let header = |name: &str, reason, alter: fn(&mut Cbor)| {
        signed(estate, name, reason, |forge| alter(&mut forge.protected))
    };
    vec![
        header("header-alg-in-two-bytes", reasons::NOT_DETERMINISTIC, |h| {
            *h.at(1) = Cbor::Raw(vec![0x39, 0x00, 0x12]);
        }),
        header("header-out-of-order", reasons::OUTSIDE_PROFILE, |h| {
            let Cbor::Map(entries) = h else {
                unreachable!("a header is a map")
            };
            entries.swap(0, 1);
        }),
        header("header-key-twice", reasons::OUTSIDE_PROFILE, |h| {
            let Cbor::Map(entries) = h else {
                unreachable!("a header is a map")
            };
            entries.insert(1, entries[0].clone());
        }),
        header(
            "header-unknown-critical-label",
            reasons::UNKNOWN_CRITICAL,
            |h| {
                h.put(-70_000, Cbor::Int(1));
            },
        ),
        header("header-with-crit", reasons::UNKNOWN_CRITICAL, |h| {
            h.put(2, Cbor::Array(vec![Cbor::Int(99)]));
            h.put(99, Cbor::Int(1));
        }),
        header("header-without-alg", reasons::FIELD_MISSING, |h| h.take(1)),
        header("header-without-kid", reasons::FIELD_MISSING, |h| h.take(4)),
        header("header-without-typ", reasons::FIELD_MISSING, |h| h.take(16)),
        header("header-without-publisher", reasons::FIELD_MISSING, |h| {
            h.take(-65_537)
        }),
        header("header-kid-of-31-bytes", reasons::FIELD_WRONG, |h| {
            *h.at(4) = Cbor::Bytes(vec![0; 31])
        }),
        header("header-publisher-of-17-bytes", reasons::FIELD_WRONG, |h| {
            *h.at(-65_537) = Cbor::Bytes(vec![0; 17]);
        }),
        header("header-typ-of-another-type", reasons::WRONG_TYPE, |h| {
            *h.at(16) = Cbor::Text("muster-answer+cwt".into());
        }),
        header("header-typ-unknown", reasons::WRONG_TYPE, |h| {
            *h.at(16) = Cbor::Text("application/cwt".into())
        }),
        header("header-typ-with-application", reasons::WRONG_TYPE, |h| {
            *h.at(16) = Cbor::Text("application/muster-lease+cwt".into());
        }),
        header("header-typ-as-number", reasons::FIELD_WRONG, |h| {
            *h.at(16) = Cbor::Int(61)
        }),
        header("header-alg-as-text", reasons::WRONG_ALGORITHM, |h| {
            *h.at(1) = Cbor::Text("Ed25519".into())
        }),
        header("header-alg-of-p256", reasons::WRONG_ALGORITHM, |h| {
            *h.at(1) = Cbor::Int(-9)
        }),
        header("header-alg-eddsa-of-old", reasons::WRONG_ALGORITHM, |h| {
            *h.at(1) = Cbor::Int(-8)
        }),
        header("header-alg-hmac", reasons::WRONG_ALGORITHM, |h| {
            *h.at(1) = Cbor::Int(5)
        }),
        signed(estate, "header-empty", reasons::NOT_CBOR, |forge| {
            forge.protected = Cbor::Raw(Vec::new());
        }),
    ]
}

/// The outer structure, which nobody signs.
fn outer(estate: &Estate) -> Vec<Json> {
    let good = estate.kms_host.sign(estate.publisher, &estate.lease());
    let vector = |name: &str, reason, bytes: Vec<u8>| {
        Vector::statement(name, Typ::Lease, &bytes).refused(reason)
    };
    let unprotected = |name: &str, reason, alter: fn(&mut Cbor)| {
        let forge = lease(estate).with(|forge| alter(&mut forge.unprotected));
        vector(name, reason, forge.join())
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
    vec![
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
        unprotected("unprotected-with-another-label", reasons::NOT_COSE, |u| {
            u.put(4, Cbor::Bytes(vec![1]))
        }),
        unprotected("unprotected-with-the-algorithm", reasons::NOT_COSE, |u| {
            u.put(1, Cbor::Int(-19))
        }),
        unprotected("unprotected-an-array", reasons::NOT_COSE, |u| {
            *u = Cbor::Array(Vec::new())
        }),
        unprotected("unprotected-chain-of-text", reasons::NOT_COSE, |u| {
            *u.at(-65_538) = Cbor::Array(vec![Cbor::Text("a".into())]);
        }),
        with_chain("unprotected-chain-empty", reasons::CHAIN_LENGTH, 0),
        with_chain("unprotected-chain-of-three", reasons::CHAIN_LENGTH, 3),
        unprotected(
            "unprotected-certificate-too-large",
            reasons::TOO_LARGE,
            |u| {
                *u.at(-65_538) = Cbor::Array(vec![Cbor::Bytes(vec![0; 1_025])]);
            },
        ),
        {
            let of_a_host = estate.issuing.sign(estate.publisher, &estate.kms_cert());
            Vector::statement("lease-that-is-a-certificate", Typ::Lease, &of_a_host)
                .refused(reasons::WRONG_TYPE)
        },
    ]
}

fn claims(estate: &Estate) -> Vec<Json> {
    let payload = |name: &str, reason, alter: fn(&mut Cbor)| {
        signed(estate, name, reason, |forge| alter(&mut forge.payload))
    };
    let own = |name: &str, reason, alter: fn(&mut Cbor)| {
        signed(estate, name, reason, |forge| {
            alter(forge.payload.at(-65_537))
        })
    };
    vec![
        payload("claims-unknown-critical", reasons::UNKNOWN_CRITICAL, |p| {
            p.put(-65_538, Cbor::Int(1))
        }),
        own(
            "claims-unknown-critical-of-musters-own",
            reasons::UNKNOWN_CRITICAL,
            |own| {
                own.put(-99, Cbor::Int(1));
            },
        ),
        payload("claims-without-iat", reasons::FIELD_MISSING, |p| p.take(6)),
        payload("claims-without-exp", reasons::FIELD_MISSING, |p| p.take(4)),
        payload("claims-without-cnf", reasons::FIELD_MISSING, |p| p.take(8)),
        payload("claims-without-musters-own", reasons::FIELD_MISSING, |p| {
            p.take(-65_537)
        }),
        payload("claims-nbf-in-a-lease", reasons::FIELD_WRONG, |p| {
            p.put(5, Cbor::Int(1_800_864_000))
        }),
        payload("claims-exp-before-iat", reasons::CLAIM_TIMES, |p| {
            *p.at(4) = Cbor::Int(1_800_000_000)
        }),
        payload("claims-time-after-9999", reasons::FIELD_WRONG, |p| {
            *p.at(4) = Cbor::Int(253_402_300_800)
        }),
        payload("claims-time-negative", reasons::FIELD_WRONG, |p| {
            *p.at(6) = Cbor::Int(-1)
        }),
        payload(
            "claims-cnf-with-an-unknown-critical-method",
            reasons::UNKNOWN_CRITICAL,
            |p| {
                p.at(8).put(-1, Cbor::Int(1));
            },
        ),
        own("claims-count-of-33-bits", reasons::FIELD_WRONG, |own| {
            *own.at(-3) = Cbor::Int(1 << 32)
        }),
        own(
            "claims-product-id-not-allowed",
            reasons::FIELD_WRONG,
            |own| {
                *own.at(-1) = Cbor::Text("CAD".into());
            },
        ),
        own("claims-product-id-too-long", reasons::FIELD_WRONG, |own| {
            *own.at(-1) = Cbor::Text("a".repeat(33))
        }),
        own("claims-component-tags-cut", reasons::FIELD_WRONG, |own| {
            *own.at(-4) = Cbor::Bytes(vec![3, 0, 0])
        }),
        own(
            "claims-lease-of-an-unknown-kind",
            reasons::FIELD_WRONG,
            |own| *own.at(-2) = Cbor::Int(3),
        ),
    ]
}

/// Keys that a certificate must not name.
fn keys(estate: &Estate) -> Vec<Json> {
    let cert = Forge::of(&estate.issuing.sign(estate.publisher, &estate.kms_cert()));
    let key = |name: &str, reason, cose_key: Vec<(i128, Cbor)>| {
        let entries = cose_key
            .into_iter()
            .map(|(label, value)| (Cbor::Int(label), value));
        let cose_key = Cbor::Map(entries.collect());
        let forge = cert
            .clone()
            .with(|forge| *forge.payload.at(8).at(1) = cose_key);
        let bytes = forge.sign(&estate.issuing.key);
        Vector::statement(name, Typ::Cert, &bytes).refused(reason)
    };
    let okp = |x: [u8; 32]| {
        vec![
            (1, Cbor::Int(1)),
            (-1, Cbor::Int(6)),
            (-2, Cbor::Bytes(x.to_vec())),
        ]
    };
    let point = |low: u8, fill: u8, top: u8| {
        let mut x = [fill; 32];
        (x[0], x[31]) = (low, top);
        x
    };
    let p256 = |x: [u8; 32], y: [u8; 32]| {
        let coordinate = |bytes: [u8; 32]| Cbor::Bytes(bytes.to_vec());
        vec![
            (1, Cbor::Int(2)),
            (-1, Cbor::Int(1)),
            (-2, coordinate(x)),
            (-3, coordinate(y)),
        ]
    };
    let mut order_eight = okp([0; 32]);
    order_eight[2].1 = Cbor::Bytes(vec![
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ]);
    let mut private = okp([7; 32]);
    private.push((-4, Cbor::Bytes(vec![7; 32])));
    private[2].1 = Cbor::Bytes(match estate.public(KMS_HOST) {
        muster_proto::crypto::PublicKey::Ed25519(x) => x.to_vec(),
        other => panic!("{other:?}"),
    });
    vec![
        key("key-neutral-element", reasons::BAD_KEY, okp(point(1, 0, 0))),
        key(
            "key-of-order-two",
            reasons::BAD_KEY,
            okp(point(0xec, 0xff, 0x7f)),
        ),
        key("key-of-order-four", reasons::BAD_KEY, okp(point(0, 0, 0))),
        key("key-of-order-eight", reasons::BAD_KEY, order_eight),
        key(
            "key-not-canonical",
            reasons::BAD_KEY,
            okp(point(0xed + 3, 0xff, 0x7f)),
        ),
        key(
            "key-negative-zero",
            reasons::BAD_KEY,
            okp(point(1, 0, 0x80)),
        ),
        key("key-off-the-curve", reasons::BAD_KEY, okp(point(2, 0, 0))),
        key(
            "key-p256-off-the-curve",
            reasons::BAD_KEY,
            p256([1; 32], [1; 32]),
        ),
        key(
            "key-p256-coordinate-above-the-prime",
            reasons::BAD_KEY,
            p256([0xff; 32], [1; 32]),
        ),
        key(
            "key-x25519",
            reasons::BAD_KEY,
            vec![
                (1, Cbor::Int(1)),
                (-1, Cbor::Int(4)),
                (-2, Cbor::Bytes(vec![9; 32])),
            ],
        ),
        key(
            "key-that-holds-its-private-half",
            reasons::UNKNOWN_CRITICAL,
            private,
        ),
    ]
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
