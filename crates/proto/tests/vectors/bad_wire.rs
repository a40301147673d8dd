//! Bad vectors of what is exchanged: answers that belong to another ask, asks and requests without
//! proof, greetings, bundles, root files and heads of sealed asks.

use muster_proto::Reason;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::Typ;
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::{Ask, Predecessor, Ticket, succession};
use muster_proto::statement::opening::Opening;
use muster_proto::statement::request::{Previous, Request};
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::{Bundle, Hello};
use serde_json::Value as Json;

use super::estate::{CLIENT, Estate, KMS_HOST, OLD_CLIENT, OTHER_HOST, STORE, Signer, day, ticket};
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
    let of = |name: &str, ask: &Ask, reason| {
        Vector::ask(name, estate, &client.sign(publisher, ask)).refused(reason)
    };
    let other = Estate::fabrikam();
    let to_other = Ask {
        audience: estate.vm_host.parent,
        ..estate.ask()
    };
    let foreign = client.sign(other.publisher, &estate.ask());
    // Named by the old key, signed by the new: the proof is of other keys.
    let unproved = Predecessor {
        key: estate.public(OTHER_HOST),
        ..estate.predecessor()
    };
    let turned = succession(
        publisher,
        &estate.public(CLIENT),
        &estate.public(OLD_CLIENT),
    );
    let turned = Predecessor {
        signature: estate.key(OLD_CLIENT).sign(&turned),
        ..estate.predecessor()
    };
    let elsewhere = succession(
        other.publisher,
        &estate.public(OLD_CLIENT),
        &estate.public(CLIENT),
    );
    let elsewhere = Predecessor {
        signature: estate.key(OLD_CLIENT).sign(&elsewhere),
        ..estate.predecessor()
    };
    let itself = succession(publisher, &estate.public(CLIENT), &estate.public(CLIENT));
    let itself = Predecessor {
        key: estate.public(CLIENT),
        signature: estate.key(CLIENT).sign(&itself),
        ..estate.predecessor()
    };
    let with = |predecessor: Predecessor| Ask {
        predecessor: Some(predecessor),
        ..estate.ask()
    };
    let twice = Ask {
        products: [estate.ask().products, estate.ask().products].concat(),
        ..estate.ask()
    };
    let none = Ask {
        products: Vec::new(),
        ..estate.ask()
    };
    let named = Ask {
        name: Some("desk\n17".into()),
        ..estate.ask()
    };
    let wrong_parent = Signer {
        parent: estate.public(OLD_CLIENT).thumbprint(),
        ..estate.own(CLIENT)
    };
    let wrong_parent = wrong_parent.sign(publisher, &estate.ask());
    let large = Forge::of(&client.sign(publisher, &estate.ask()))
        .own(|own| own.put(99, Cbor::Bytes(vec![0; 1_400])))
        .sign(&estate.key(CLIENT));
    vec![
        of("ask-to-another-host", &to_other, reasons::AUDIENCE),
        Vector::ask("ask-to-another-publisher", estate, &foreign).refused(reasons::WRONG_PUBLISHER),
        Vector::ask("ask-that-names-another-key", estate, &wrong_parent)
            .refused(reasons::WRONG_PARENT),
        Vector::ask("ask-too-large", estate, &large).refused(reasons::TOO_LARGE),
        of(
            "ask-with-an-unproved-predecessor",
            &with(unproved),
            reasons::POSSESSION,
        ),
        of(
            "ask-with-a-proof-turned-round",
            &with(turned),
            reasons::POSSESSION,
        ),
        of(
            "ask-with-a-proof-for-another-publisher",
            &with(elsewhere),
            reasons::POSSESSION,
        ),
        of(
            "ask-that-succeeds-itself",
            &with(itself),
            reasons::FIELD_WRONG,
        ),
        of("ask-for-one-product-twice", &twice, reasons::FIELD_WRONG),
        of("ask-for-no-product", &none, reasons::FIELD_WRONG),
        of("ask-whose-name-has-two-lines", &named, reasons::FIELD_WRONG),
    ]
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
    vec![
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
    let vector = |name: &str, bytes: &[u8], floor: Timestamp, reason: Reason| {
        Vector::new(name, "hello", bytes)
            .with("root", "contoso")
            .with("floor", floor.seconds())
            .refused(reason)
    };
    let of = |name: &str, chain: &[Vec<u8>], floor, reason| {
        let hello = Hello {
            chain: chain.to_vec(),
            opening: None,
            store: STORE,
        };
        vector(name, &hello.encode(), floor, reason)
    };
    let chain = &estate.kms_host.chain;
    let first = Hello {
        chain: chain.clone(),
        opening: None,
        store: STORE,
    };
    let opening = |signer: &Signer| Hello {
        chain: chain.clone(),
        opening: Some(signer.sign_alone(estate.publisher, &estate.opening())),
        store: STORE,
    };
    let after_opening = estate.opening().expires + Span::from_seconds(1);
    let mut unknown_member = Cbor::read(&first.encode());
    unknown_member.put(4, Cbor::Int(1));
    let mut without_chain = Cbor::read(&first.encode());
    without_chain.take(1);
    let mut without_store = Cbor::read(&first.encode());
    without_store.take(3);
    let other = Estate::fabrikam();
    vec![
        of(
            "hello-of-another-publisher",
            &other.kms_host.chain,
            day(2),
            reasons::WRONG_PUBLISHER,
        ),
        of(
            "hello-of-a-vm-host",
            &estate.vm_host.chain,
            day(2),
            reasons::SIGNER_ROLE,
        ),
        of(
            "hello-of-an-issuing-key",
            &estate.issuing.chain,
            day(2),
            reasons::CHAIN_LENGTH,
        ),
        of(
            "hello-without-certificates",
            &[],
            day(2),
            reasons::CHAIN_LENGTH,
        ),
        of(
            "hello-whose-certificate-ended",
            chain,
            day(367),
            reasons::SIGNER_EXPIRED,
        ),
        of(
            "hello-whose-first-opening-key-ended",
            chain,
            day(1 + 37) + Span::from_seconds(1),
            reasons::SIGNER_EXPIRED,
        ),
        vector(
            "hello-whose-opening-key-ended",
            &opening(&estate.kms_host).encode(),
            after_opening,
            reasons::SIGNER_EXPIRED,
        ),
        vector(
            "hello-whose-opening-key-another-host-signed",
            &opening(&estate.vm_host).encode(),
            day(60),
            reasons::WRONG_PARENT,
        ),
        vector(
            "hello-with-an-unknown-member",
            &unknown_member.write(),
            day(2),
            reasons::UNKNOWN_CRITICAL,
        ),
        vector(
            "hello-without-its-chain",
            &without_chain.write(),
            day(2),
            reasons::FIELD_MISSING,
        ),
        vector(
            "hello-without-its-store",
            &without_store.write(),
            day(2),
            reasons::FIELD_MISSING,
        ),
        Vector::new("hello-of-a-revoked-host", "hello", &first.encode())
            .with("root", "contoso")
            .with("floor", day(2).seconds())
            .revoked(&[estate.public(KMS_HOST).thumbprint()])
            .refused(reasons::REVOKED),
    ]
}

fn bundles(estate: &Estate) -> Vec<Json> {
    let vector = |name: &str, bytes: &[u8], reason: Reason| {
        Vector::new(name, "bundle", bytes)
            .with("root", "contoso")
            .refused(reason)
    };
    let of = |name: &str, alter: &dyn Fn(&mut Bundle), reason| {
        let mut bundle = bundle_of(estate);
        alter(&mut bundle);
        vector(name, &bundle.encode(), reason)
    };
    let raw = |name: &str, alter: &dyn Fn(&mut Cbor), reason| {
        let mut bundle = Cbor::read(&bundle_of(estate).encode());
        alter(&mut bundle);
        vector(name, &bundle.write(), reason)
    };
    let other = Estate::fabrikam();
    let theirs = bundle_of(&other).encode();
    let smuggled = muster_proto::statement::root::Root::new(
        "Contoso",
        vec![estate.root_key.key.public(), other.root_key.key.public()],
    )
    .expect("a root");
    let revoking = muster_proto::statement::revocations::Revocations {
        entries: vec![muster_proto::statement::revocations::Revoked {
            key: estate.issuing.key.public().thumbprint(),
            ends: day(9_999),
        }],
        ..estate.revocations()
    };
    let revoking = estate.root_key.sign(estate.publisher, &revoking);
    vec![
        vector(
            "bundle-of-another-publisher",
            &theirs,
            reasons::ROOT_UNKNOWN,
        ),
        of(
            "bundle-with-a-strange-second-root-key",
            &|b| b.root = smuggled.clone(),
            reasons::ROOT_UNKNOWN,
        ),
        of(
            "bundle-with-another-root-over-the-statements",
            &|b| b.root = other.root.clone(),
            reasons::WRONG_PUBLISHER,
        ),
        of(
            "bundle-whose-policy-is-a-lease",
            &|b| {
                b.policy = estate.kms_host.sign(estate.publisher, &estate.lease());
            },
            reasons::WRONG_TYPE,
        ),
        of(
            "bundle-without-its-certificate",
            &|b| b.chain.clear(),
            reasons::CHAIN_LENGTH,
        ),
        of(
            "bundle-with-a-host-certificate",
            &|b| b.chain = estate.kms_host.chain.clone(),
            reasons::CHAIN_LENGTH,
        ),
        of(
            "bundle-that-revokes-its-own-issuing-key",
            &|b| b.revocations = vec![revoking.clone()],
            reasons::REVOKED,
        ),
        of(
            "bundle-with-revocations-twice",
            &|b| b.revocations.push(b.revocations[0].clone()),
            reasons::BACKWARDS,
        ),
        raw(
            "bundle-without-its-revocations",
            &|b| b.take(4),
            reasons::FIELD_MISSING,
        ),
        raw(
            "bundle-with-an-unknown-member",
            &|b| b.put(5, Cbor::Int(1)),
            reasons::UNKNOWN_CRITICAL,
        ),
        raw(
            "bundle-that-says-it-is-a-root",
            &|b| *b.at(0) = Cbor::Text("muster-root".into()),
            reasons::WRONG_TYPE,
        ),
        vector("bundle-too-large", &vec![0; 16_385], reasons::TOO_LARGE),
    ]
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
