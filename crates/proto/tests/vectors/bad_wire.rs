//! Bad vectors of what is exchanged: answers that belong to another ask, asks and requests without
//! proof, greetings, bundles, root files and heads of sealed asks.

use muster_proto::Reason;
use muster_proto::ids::PublisherId;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::Typ;
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::{Ask, Predecessor, Ticket, succession};
use muster_proto::statement::opening::Opening;
use muster_proto::statement::request::{Previous, Request};
use muster_proto::statement::revocations::{Revocations, Revoked};
use muster_proto::statement::root::Root;
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::{Bundle, Hello};
use serde_json::Value as Json;

use super::estate::{CLIENT, Estate, KMS_HOST, OLD_CLIENT, OTHER_HOST, Signer, day, ticket};
use super::forge::{Cbor, Forge};
use super::good::bundle_of;
use super::writer::Vector;

/// Every bad vector of what is exchanged.
pub(crate) fn all(estate: &Estate) -> Vec<Json> {
    [
        answers(estate),
        asks(estate),
        requests(estate),
        openings(estate),
        hellos(estate),
        bundles(estate),
        roots(estate),
        heads(estate),
    ]
    .concat()
}

/// One alteration, and why it is refused.
type Case<F> = (&'static str, F, Reason);
type Alter<T> = fn(&Estate, &mut T);
type Claimed = fn(&Estate) -> Predecessor;

/// Asks that are signed rightly and say what they must not.
const ASKS: &[Case<Alter<Ask>>] = &[
    (
        "ask-to-another-host",
        |estate, a| a.audience = estate.vm_host.parent,
        reasons::AUDIENCE,
    ),
    (
        "ask-for-one-product-twice",
        |_, a| a.products.push(a.products[0].clone()),
        reasons::FIELD_WRONG,
    ),
    (
        "ask-for-no-product",
        |_, a| a.products.clear(),
        reasons::FIELD_WRONG,
    ),
    (
        "ask-whose-name-has-two-lines",
        |_, a| a.name = Some("desk\n17".into()),
        reasons::FIELD_WRONG,
    ),
];

/// Predecessors whose key does not prove that this client succeeds it.
const PREDECESSORS: &[Case<Claimed>] = &[
    (
        "ask-with-an-unproved-predecessor",
        |estate| Predecessor {
            key: estate.public(OTHER_HOST),
            ..estate.predecessor()
        },
        reasons::POSSESSION,
    ),
    (
        "ask-with-a-proof-turned-round",
        |estate| proof(estate, estate.publisher, [OLD_CLIENT, CLIENT, OLD_CLIENT]),
        reasons::POSSESSION,
    ),
    (
        "ask-with-a-proof-for-another-publisher",
        |estate| {
            proof(
                estate,
                Estate::fabrikam().publisher,
                [OLD_CLIENT, OLD_CLIENT, CLIENT],
            )
        },
        reasons::POSSESSION,
    ),
    (
        "ask-that-succeeds-itself",
        |estate| proof(estate, estate.publisher, [CLIENT, CLIENT, CLIENT]),
        reasons::FIELD_WRONG,
    ),
];

/// Bundles with one thing wrong.
const BUNDLES: &[Case<Alter<Bundle>>] = &[
    (
        "bundle-with-a-strange-second-root-key",
        |estate, b| b.root = smuggled(estate),
        reasons::ROOT_UNKNOWN,
    ),
    (
        "bundle-with-another-root-over-the-statements",
        |_, b| b.root = Estate::fabrikam().root,
        reasons::WRONG_PUBLISHER,
    ),
    (
        "bundle-whose-policy-is-a-lease",
        |estate, b| {
            b.policy = estate.kms_host.sign(estate.publisher, &estate.lease());
        },
        reasons::WRONG_TYPE,
    ),
    (
        "bundle-without-its-certificate",
        |_, b| b.chain.clear(),
        reasons::CHAIN_LENGTH,
    ),
    (
        "bundle-with-a-host-certificate",
        |estate, b| b.chain = estate.kms_host.chain.clone(),
        reasons::CHAIN_LENGTH,
    ),
    (
        "bundle-that-revokes-its-own-issuing-key",
        |estate, b| b.revocations = vec![revoking(estate)],
        reasons::REVOKED,
    ),
    (
        "bundle-with-revocations-twice",
        |_, b| b.revocations.push(b.revocations[0].clone()),
        reasons::BACKWARDS,
    ),
];

/// Bundles with members that must not be so.
const BUNDLE_MEMBERS: &[Case<fn(&mut Cbor)>] = &[
    (
        "bundle-without-its-revocations",
        |b| b.take(4),
        reasons::FIELD_MISSING,
    ),
    (
        "bundle-with-an-unknown-member",
        |b| b.put(5, Cbor::Int(1)),
        reasons::UNKNOWN_CRITICAL,
    ),
    (
        "bundle-that-says-it-is-a-root",
        |b| *b.at(0) = Cbor::Text("muster-root".into()),
        reasons::WRONG_TYPE,
    ),
];

/// Greetings with members that must not be so.
const HELLO_MEMBERS: &[Case<fn(&mut Cbor)>] = &[
    (
        "hello-with-an-unknown-member",
        |h| h.put(4, Cbor::Int(1)),
        reasons::UNKNOWN_CRITICAL,
    ),
    (
        "hello-without-its-chain",
        |h| h.take(1),
        reasons::FIELD_MISSING,
    ),
    (
        "hello-without-its-opening-key",
        |h| h.take(2),
        reasons::FIELD_MISSING,
    ),
];

fn answers(estate: &Estate) -> Vec<Json> {
    let of = |name: &str, alter: fn(&mut Answer), reason| {
        let mut answer = estate.answer();
        alter(&mut answer);
        let bytes = estate.kms_host.sign(estate.publisher, &answer);
        Vector::statement(name, Typ::Answer, &bytes)
            .with("pending_nonce", estate.answer().nonce.to_string())
            .with("pending_ask", estate.answer().ask.to_string())
            .refused(reason)
    };
    let elsewhere = Ticket {
        store: muster_proto::ids::StoreId([0x58; 8]),
        ..ticket(1)
    };
    let strange_outcome = Forge::of(&estate.kms_host.sign(estate.publisher, &estate.answer()))
        .own(|own| *own.at(-3) = Cbor::Int(1))
        .sign(&estate.key(KMS_HOST));
    let of_elsewhere = Answer {
        ticket: Some(elsewhere),
        ..estate.answer()
    };
    let of_elsewhere = estate.kms_host.sign(estate.publisher, &of_elsewhere);
    let order_of_elsewhere = Answer {
        outcome: Outcome::NewKey { order: elsewhere },
        ticket: None,
        ..estate.answer()
    };
    let order_of_elsewhere = estate.kms_host.sign(estate.publisher, &order_of_elsewhere);
    let answer = |name: &str, bytes: &[u8]| {
        Vector::statement(name, Typ::Answer, bytes).refused(reasons::FIELD_WRONG)
    };
    vec![
        of(
            "answer-to-another-nonce",
            |a| a.nonce.0[0] ^= 1,
            reasons::NONCE,
        ),
        of(
            "answer-to-another-ask",
            |a| a.ask.0[31] ^= 1,
            reasons::ASK_HASH,
        ),
        of(
            "answer-issued-before-its-host-was-certified",
            |a| a.issued = Timestamp::default(),
            reasons::SIGNER_NOT_YET_VALID,
        ),
        of(
            "answer-whose-reason-steers-a-terminal",
            |a| a.reason = "\u{1b}[2J".into(),
            reasons::FIELD_WRONG,
        ),
        answer("answer-that-waits-and-grants", &strange_outcome),
        answer("answer-with-a-ticket-of-another-store", &of_elsewhere),
        answer("answer-with-an-order-of-another-store", &order_of_elsewhere),
    ]
}

fn asks(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let client = estate.own(CLIENT);
    let foreign = client.sign(Estate::fabrikam().publisher, &estate.ask());
    let wrong_parent = Signer {
        parent: estate.public(OLD_CLIENT).thumbprint(),
        ..estate.own(CLIENT)
    };
    let wrong_parent = wrong_parent.sign(publisher, &estate.ask());
    let large = Forge::of(&client.sign(publisher, &estate.ask()))
        .own(|own| own.put(99, Cbor::Bytes(vec![0; 1_400])))
        .sign(&estate.key(CLIENT));
    let ask = |name: &str, bytes: &[u8], reason| Vector::ask(name, estate, bytes).refused(reason);
    let mut vectors = vec![
        ask(
            "ask-to-another-publisher",
            &foreign,
            reasons::WRONG_PUBLISHER,
        ),
        ask(
            "ask-that-names-another-key",
            &wrong_parent,
            reasons::WRONG_PARENT,
        ),
        ask("ask-too-large", &large, reasons::TOO_LARGE),
    ];
    for (name, alter, reason) in ASKS {
        let mut claims = estate.ask();
        alter(estate, &mut claims);
        vectors.push(ask(name, &client.sign(publisher, &claims), *reason));
    }
    for (name, predecessor, reason) in PREDECESSORS {
        let claims = Ask {
            predecessor: Some(predecessor(estate)),
            ..estate.ask()
        };
        vectors.push(ask(name, &client.sign(publisher, &claims), *reason));
    }
    vectors
}

/// A proof by the key `old` that `new` succeeds it, shown as that of the key `named`.
fn proof(estate: &Estate, publisher: PublisherId, [named, old, new]: [u8; 3]) -> Predecessor {
    let (older, newer) = (estate.public(old), estate.public(new));
    let signed = succession(publisher, &older, &newer);
    Predecessor {
        key: estate.public(named),
        order: ticket(2),
        signature: estate.key(named).sign(&signed),
    }
}

fn requests(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let of = |name: &str, request: &Request, signer: &Signer, reason| {
        Vector::request(name, estate, &signer.sign(publisher, request)).refused(reason)
    };
    let stolen = Request {
        key: estate.public(OTHER_HOST),
        previous: Some(Previous {
            key: estate.public(KMS_HOST),
            cert: estate.kms_host.parent,
            signature: [7; 64],
        }),
        ..estate.request()
    };
    let named = Request {
        name: "kms\u{202e}tset".into(),
        ..estate.request()
    };
    let other = Estate::fabrikam();
    let foreign = estate
        .own(KMS_HOST)
        .sign(other.publisher, &estate.request());
    let host = estate.own(KMS_HOST);
    vec![
        of(
            "request-that-renews-without-proof",
            &stolen,
            &estate.own(OTHER_HOST),
            reasons::POSSESSION,
        ),
        of(
            "request-signed-by-another-key",
            &estate.request(),
            &estate.own(OTHER_HOST),
            reasons::WRONG_PARENT,
        ),
        of(
            "request-whose-name-turns-the-writing",
            &named,
            &host,
            reasons::FIELD_WRONG,
        ),
        Vector::request("request-to-another-publisher", estate, &foreign)
            .refused(reasons::WRONG_PUBLISHER),
    ]
}

fn openings(estate: &Estate) -> Vec<Json> {
    let of = |name: &str, signer: &Signer, opening: Opening, reason| {
        let bytes = signer.sign_alone(estate.publisher, &opening);
        Vector::statement(name, Typ::Opening, &bytes)
            .chain(&estate.kms_host.chain)
            .refused(reason)
    };
    let long = Opening {
        expires: day(31) + Opening::LIFE + Span::from_seconds(1),
        ..estate.opening()
    };
    let storeless = Forge::of(
        &estate
            .kms_host
            .sign_alone(estate.publisher, &estate.opening()),
    )
    .own(|own| own.take(-2))
    .sign(&estate.key(KMS_HOST));
    vec![
        Vector::statement("opening-without-its-store", Typ::Opening, &storeless)
            .chain(&estate.kms_host.chain)
            .refused(reasons::FIELD_MISSING),
        of(
            "opening-that-lasts-too-long",
            &estate.kms_host,
            long,
            reasons::FIELD_WRONG,
        ),
        of(
            "opening-of-another-host",
            &estate.vm_host,
            estate.opening(),
            reasons::WRONG_PARENT,
        ),
    ]
}

fn hellos(estate: &Estate) -> Vec<Json> {
    let vector = |name: &str, bytes: &[u8], floor: Timestamp| {
        Vector::new(name, "hello", bytes)
            .with("root", "contoso")
            .with("floor", floor.seconds())
    };
    let opening = estate
        .kms_host
        .sign_alone(estate.publisher, &estate.first_opening());
    let first = hello(&estate.kms_host.chain, &opening).encode();
    let key = estate.public(KMS_HOST).thumbprint();
    let revoked = vector("hello-of-a-revoked-host", &first, day(2)).revoked(&[key]);
    let mut vectors = vec![revoked.refused(reasons::REVOKED)];
    for (name, alter, reason) in HELLO_MEMBERS {
        let mut altered = Cbor::read(&first);
        alter(&mut altered);
        vectors.push(vector(name, &altered.write(), day(2)).refused(*reason));
    }
    for (name, chain, floor, reason) in hello_chains(estate) {
        let bytes = hello(&chain, &opening).encode();
        vectors.push(vector(name, &bytes, floor).refused(reason));
    }
    let ended = estate.opening().expires + Span::from_seconds(1);
    let openings = [
        (
            "hello-whose-opening-key-ended",
            &estate.kms_host,
            ended,
            reasons::SIGNER_EXPIRED,
        ),
        (
            "hello-whose-opening-key-another-host-signed",
            &estate.vm_host,
            day(60),
            reasons::WRONG_PARENT,
        ),
    ];
    for (name, signer, floor, reason) in openings {
        let opening = signer.sign_alone(estate.publisher, &estate.opening());
        let bytes = hello(&estate.kms_host.chain, &opening).encode();
        vectors.push(vector(name, &bytes, floor).refused(reason));
    }
    vectors
}

fn hello(chain: &[Vec<u8>], opening: &[u8]) -> Hello {
    Hello {
        chain: chain.to_vec(),
        opening: opening.to_vec(),
    }
}

/// Chains that make no greeting, with the floor they are judged at.
fn hello_chains(estate: &Estate) -> [(&'static str, Vec<Vec<u8>>, Timestamp, Reason); 6] {
    let own = || estate.kms_host.chain.clone();
    let first_key_ended = day(1 + 37) + Span::from_seconds(1);
    [
        (
            "hello-of-another-publisher",
            Estate::fabrikam().kms_host.chain,
            day(2),
            reasons::WRONG_PUBLISHER,
        ),
        (
            "hello-of-a-vm-host",
            estate.vm_host.chain.clone(),
            day(2),
            reasons::SIGNER_ROLE,
        ),
        (
            "hello-of-an-issuing-key",
            estate.issuing.chain.clone(),
            day(2),
            reasons::CHAIN_LENGTH,
        ),
        (
            "hello-without-certificates",
            Vec::new(),
            day(2),
            reasons::CHAIN_LENGTH,
        ),
        (
            "hello-whose-certificate-ended",
            own(),
            day(367),
            reasons::SIGNER_EXPIRED,
        ),
        (
            "hello-whose-first-opening-key-ended",
            own(),
            first_key_ended,
            reasons::SIGNER_EXPIRED,
        ),
    ]
}

fn bundles(estate: &Estate) -> Vec<Json> {
    let vector = |name: &str, bytes: &[u8], reason: Reason| {
        Vector::new(name, "bundle", bytes)
            .with("root", "contoso")
            .refused(reason)
    };
    let theirs = bundle_of(&Estate::fabrikam()).encode();
    let mut vectors = vec![vector(
        "bundle-of-another-publisher",
        &theirs,
        reasons::ROOT_UNKNOWN,
    )];
    for (name, alter, reason) in BUNDLES {
        let mut bundle = bundle_of(estate);
        alter(estate, &mut bundle);
        vectors.push(vector(name, &bundle.encode(), *reason));
    }
    for (name, alter, reason) in BUNDLE_MEMBERS {
        let mut bundle = Cbor::read(&bundle_of(estate).encode());
        alter(&mut bundle);
        vectors.push(vector(name, &bundle.write(), *reason));
    }
    vectors
}

/// A root with the publisher's first key, so with its id, and a stranger's second one.
fn smuggled(estate: &Estate) -> Root {
    let strange = Estate::fabrikam().root_key.key.public();
    let keys = vec![estate.root_key.key.public(), strange];
    Root::new("Contoso", keys).expect("a root of two keys")
}

/// The root revokes the issuing key.
fn revoking(estate: &Estate) -> Vec<u8> {
    let delta = Revocations {
        entries: vec![Revoked {
            key: estate.issuing.key.public().thumbprint(),
            ends: day(9_999),
        }],
        ..estate.revocations()
    };
    estate.root_key.sign(estate.publisher, &delta)
}

fn roots(estate: &Estate) -> Vec<Json> {
    let raw = |name: &str, alter: &dyn Fn(&mut Cbor), reason: Reason| {
        let mut root = Cbor::read(&estate.root.encode());
        alter(&mut root);
        Vector::new(name, "root", &root.write()).refused(reason)
    };
    let keys = |root: &mut Cbor, count: usize| {
        let Cbor::Array(keys) = root.at(2) else {
            panic!("a root's keys");
        };
        *keys = keys.iter().cycle().take(count).cloned().collect();
    };
    vec![
        raw("root-without-keys", &|r| keys(r, 0), reasons::FIELD_WRONG),
        raw(
            "root-with-a-key-twice",
            &|r| keys(r, 3),
            reasons::FIELD_WRONG,
        ),
        raw("root-with-four-keys", &|r| keys(r, 4), reasons::FIELD_WRONG),
        raw(
            "root-without-a-name",
            &|r| *r.at(1) = Cbor::Text(String::new()),
            reasons::FIELD_WRONG,
        ),
        raw(
            "root-with-an-unknown-member",
            &|r| r.put(3, Cbor::Int(1)),
            reasons::UNKNOWN_CRITICAL,
        ),
        raw(
            "root-that-says-it-is-a-bundle",
            &|r| *r.at(0) = Cbor::Text("muster-policy".into()),
            reasons::WRONG_TYPE,
        ),
    ]
}

fn heads(estate: &Estate) -> Vec<Json> {
    let head = muster_proto::wire::SealedHead {
        publisher: estate.publisher,
        audience: estate.kms_host.parent,
        opening_key: [1; 8],
    };
    let vector = |name: &str, bytes: &[u8], reason: Reason| {
        Vector::new(name, "sealed-head", bytes).refused(reason)
    };
    let mut newer = head.join(&[0; 80]);
    newer[0] = 2;
    vec![
        vector("sealed-head-cut", &head.join(&[])[..56], reasons::NOT_CBOR),
        vector(
            "sealed-head-of-version-2",
            &newer,
            reasons::UNKNOWN_CRITICAL,
        ),
        vector(
            "sealed-ask-too-large",
            &head.join(&[0; 1_600]),
            reasons::TOO_LARGE,
        ),
    ]
}
