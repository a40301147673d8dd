//! Vectors of both kinds where two readers of the book came to differ: depth of nesting, encodings at
//! the border of two steps, keys that hold more or less than they need, lists that are absent.

use muster_proto::Reason;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::Typ;
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::root::Root;
use serde_json::Value as Json;

use super::estate::{Estate, ticket};
use super::forge::{Cbor, Forge};
use super::good::bundle_of;
use super::writer::Vector;

/// A member of muster's own claims that no reader knows and that none needs to.
const UNKNOWN: i128 = 900;
/// The private part of a COSE_Key.
const PRIVATE: i128 = -4;

/// Every vector of an edge.
pub(crate) fn all(estate: &Estate) -> Vec<Json> {
    [
        encodings(estate),
        depths(estate),
        keys(estate),
        lists(estate),
        answers(estate),
        roots(estate),
        bundles(estate),
    ]
    .concat()
}

/// What was altered, and whether that refuses.
type Case<T> = (&'static str, T, Option<Reason>);

/// Encodings that one step finds and not another.
const ENCODINGS: &[Case<&[u8]>] = &[
    (
        "lease-with-a-simple-value",
        &[0xe0],
        Some(reasons::NOT_CBOR),
    ),
    (
        "lease-with-a-simple-value-in-two-bytes",
        &[0xf8, 0x20],
        Some(reasons::NOT_CBOR),
    ),
    (
        "lease-with-null-in-two-bytes",
        &[0xf8, 0x16],
        Some(reasons::OUTSIDE_PROFILE),
    ),
    (
        "lease-with-a-big-number-of-65-bits",
        &[0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        Some(reasons::OUTSIDE_PROFILE),
    ),
    (
        "lease-with-a-big-number-with-a-leading-zero",
        &[0xc2, 0x42, 0, 1],
        Some(reasons::NOT_DETERMINISTIC),
    ),
    (
        "lease-with-the-least-integer",
        &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        None,
    ),
];

fn encodings(estate: &Estate) -> Vec<Json> {
    let vector = |(name, raw, reason): &Case<&[u8]>| {
        lease_with(estate, name, Cbor::Raw(raw.to_vec()), *reason)
    };
    ENCODINGS.iter().map(vector).collect()
}

/// The member's value is the third level: below the claims, and below muster's own.
fn depths(estate: &Estate) -> Vec<Json> {
    let nested = |arrays: usize| Cbor::Raw([vec![0x81; arrays], vec![0]].concat());
    let cases = [
        ("lease-eight-levels-deep", 5, None),
        ("lease-nine-levels-deep", 6, Some(reasons::OUTSIDE_PROFILE)),
        (
            "lease-of-32-arrays-and-maps",
            30,
            Some(reasons::OUTSIDE_PROFILE),
        ),
        ("lease-of-33-arrays-and-maps", 31, Some(reasons::NOT_CBOR)),
    ];
    let vector = |(name, arrays, reason)| lease_with(estate, name, nested(arrays), reason);
    cases.into_iter().map(vector).collect()
}

fn lease_with(estate: &Estate, name: &str, member: Cbor, reason: Option<Reason>) -> Json {
    let good = estate.kms_host.sign(estate.publisher, &estate.lease());
    let bytes = Forge::of(&good)
        .own(|own| own.put(UNKNOWN, member))
        .sign(&estate.kms_host.key);
    judged(name, Typ::Lease, &bytes, reason)
}

/// A key in something signed follows the rules of every signed map.
const KEYS: &[Case<fn(&mut Cbor)>] = &[
    ("cert-whose-key-holds-more", |k| k.put(4, name()), None),
    (
        "cert-whose-key-is-of-no-kind",
        |k| k.take(1),
        Some(reasons::FIELD_MISSING),
    ),
    (
        "cert-whose-key-is-of-no-curve",
        |k| k.take(-1),
        Some(reasons::FIELD_MISSING),
    ),
    (
        "cert-whose-key-names-its-kind-in-words",
        |k| *k.at(1) = Cbor::Text("OKP".into()),
        Some(reasons::FIELD_WRONG),
    ),
    (
        "cert-whose-ed25519-key-has-a-y",
        |k| k.put(-3, Cbor::Bytes(vec![1; 32])),
        Some(reasons::UNKNOWN_CRITICAL),
    ),
];

fn name() -> Cbor {
    Cbor::Text("a".into())
}

fn keys(estate: &Estate) -> Vec<Json> {
    let good = estate.issuing.sign(estate.publisher, &estate.kms_cert());
    let vector = |(name, alter, reason): &Case<fn(&mut Cbor)>| {
        let bytes = Forge::of(&good)
            .with(|forge| alter(forge.payload.at(8).at(1)))
            .sign(&estate.issuing.key);
        judged(name, Typ::Cert, &bytes, *reason)
    };
    KEYS.iter().map(vector).collect()
}

/// An absent list is an empty one.
fn lists(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let revocations = Forge::of(&estate.issuing.sign(publisher, &estate.revocations()))
        .own(|own| own.take(-3))
        .sign(&estate.issuing.key);
    let bases = Cbor::Array(vec![Cbor::Text("cam".into()), Cbor::Text("cad".into())]);
    let policy = Forge::of(&estate.issuing.sign(publisher, &estate.policy()))
        .own(|own| own.put(-15, bases))
        .sign(&estate.issuing.key);
    let client = estate.own(super::estate::CLIENT);
    let ask = Forge::of(&client.sign(publisher, &estate.ask()))
        .own(|own| own.take(-3))
        .sign(&client.key);
    vec![
        judged(
            "revocations-without-entries",
            Typ::Revocations,
            &revocations,
            None,
        ),
        judged(
            "policy-whose-bases-are-in-no-order",
            Typ::Policy,
            &policy,
            None,
        ),
        Vector::ask("ask-without-its-products", estate, &ask).refused(reasons::FIELD_WRONG),
    ]
}

/// Leases and an order only beside their outcome; the order always.
fn answers(estate: &Estate) -> Vec<Json> {
    let vector = |name, outcome, reason| {
        let answer = Answer {
            outcome,
            ..estate.answer()
        };
        let mut forge = Forge::of(&estate.kms_host.sign(estate.publisher, &answer));
        match name {
            "answer-that-orders-without-an-order" => forge = forge.own(|own| own.take(-5)),
            "answer-that-waits-with-an-order" => {
                let order = Cbor::Bytes(ticket(3).to_bytes().to_vec());
                forge = forge.own(|own| own.put(-5, order));
            }
            _ => {}
        }
        judged(name, Typ::Answer, &forge.sign(&estate.kms_host.key), reason)
    };
    let granting_nothing = Outcome::Granted { leases: Vec::new() };
    let order = Outcome::NewKey { order: ticket(3) };
    vec![
        vector("answer-that-grants-nothing", granting_nothing, None),
        vector(
            "answer-that-orders-without-an-order",
            order,
            Some(reasons::FIELD_WRONG),
        ),
        vector(
            "answer-that-waits-with-an-order",
            Outcome::Wait,
            Some(reasons::FIELD_WRONG),
        ),
    ]
}

/// A key in a root file holds what it needs and no more: the file's fingerprint covers every byte.
const ROOTS: &[Case<fn(&mut Cbor)>] = &[
    (
        "root-whose-key-holds-more",
        |r| first_key(r).put(4, name()),
        Some(reasons::UNKNOWN_CRITICAL),
    ),
    (
        "root-whose-key-holds-its-private-half",
        |r| first_key(r).put(PRIVATE, Cbor::Bytes(vec![7; 32])),
        Some(reasons::UNKNOWN_CRITICAL),
    ),
    (
        "root-without-the-list-of-its-keys",
        |r| r.take(2),
        Some(reasons::FIELD_MISSING),
    ),
];

fn first_key(root: &mut Cbor) -> &mut Cbor {
    match root.at(2) {
        Cbor::Array(keys) => &mut keys[0],
        other => panic!("{other:?} are no keys"),
    }
}

fn roots(estate: &Estate) -> Vec<Json> {
    let vector = |(name, alter, reason): &Case<fn(&mut Cbor)>| {
        let mut root = Cbor::read(&estate.root.encode());
        alter(&mut root);
        let reason = reason.expect("no good root is among them");
        Vector::new(name, "root", &root.write()).refused(reason)
    };
    ROOTS.iter().map(vector).collect()
}

fn bundles(estate: &Estate) -> Vec<Json> {
    let vector = |name, bytes: &[u8]| Vector::new(name, "bundle", bytes).with("root", "contoso");
    let mut holds_more = Cbor::read(&bundle_of(estate).encode());
    first_key(holds_more.at(1)).put(4, name());
    let mut renamed = bundle_of(estate);
    renamed.root = Root::new("Contoso Ltd", estate.root.keys().to_vec()).expect("a good root");
    vec![
        vector("bundle-whose-root-holds-more", &holds_more.write())
            .refused(reasons::UNKNOWN_CRITICAL),
        vector("bundle-whose-root-has-another-name", &renamed.encode())
            .refused(reasons::ROOT_UNKNOWN),
    ]
}

fn judged(name: &str, typ: Typ, bytes: &[u8], reason: Option<Reason>) -> Json {
    let vector = Vector::statement(name, typ, bytes);
    match reason {
        Some(reason) => vector.refused(reason),
        None => vector.accepted(bytes),
    }
}
