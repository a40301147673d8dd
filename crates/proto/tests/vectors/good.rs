//! Good vectors: at least one of every type, and of everything that travels around statements.

use muster_proto::ids::Thumbprint;
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::{Ask, AskedProduct};
use muster_proto::statement::cert::{Cert, Flags};
use muster_proto::statement::policy::{FileDigest, Policy};
use muster_proto::statement::request::{Previous, Request};
use muster_proto::statement::revocations::{Revocations, Revoked};
use muster_proto::statement::root::Root;
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Role, Typ};
use muster_proto::time::Span;
use muster_proto::wire::{Bundle, Hello, SealedHead, opening_key_id};
use serde_json::{Value as Json, json};

use super::device;
use super::estate::{
    CLIENT, Estate, KMS_HOST, OTHER_HOST, OTHER_ISSUING, STORE, day, product, site, ticket,
};
use super::forge::Forge;
use super::writer::{Vector, to_hex};

/// Every good vector.
pub(crate) fn all(estate: &Estate) -> Vec<Json> {
    [
        certs(estate),
        policies(estate),
        asks(estate),
        answers(estate),
        leases(estate),
        revocations(estate),
        others(estate),
        carriers(estate),
    ]
    .concat()
}

fn certs(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let of = |name: &str, signer: &super::estate::Signer, cert: &Cert| {
        let bytes = signer.sign(publisher, cert);
        Vector::statement(name, Typ::Cert, &bytes).accepted(&bytes)
    };
    let device_key = Cert {
        key: device::public(1),
        ..estate.kms_cert()
    };
    let granting_nothing = Cert {
        products: Scope::default(),
        sites: Scope::default(),
        client_budget: 0,
        flags: Flags::NONE,
        policy_bounds: None,
        ..estate.issuing_cert()
    };
    let all = Cert {
        products: Scope::All,
        sites: Scope::All,
        ..estate.issuing_cert()
    };
    vec![
        of("cert-issuing", &estate.root_key, &estate.issuing_cert()),
        of(
            "cert-issuing-by-next-root-key",
            &estate.next_root_key,
            &estate.issuing_cert(),
        ),
        of("cert-issuing-for-all", &estate.root_key, &all),
        of(
            "cert-issuing-that-grants-nothing",
            &estate.root_key,
            &granting_nothing,
        ),
        of("cert-kms-host", &estate.issuing, &estate.kms_cert()),
        of("cert-vm-host", &estate.issuing, &estate.vm_cert()),
        of("cert-of-a-p256-key", &estate.issuing, &device_key),
    ]
}

fn policies(estate: &Estate) -> Vec<Json> {
    let of = |name: &str, signer: &super::estate::Signer, policy: &Policy| {
        let bytes = signer.sign(estate.publisher, policy);
        Vector::statement(name, Typ::Policy, &bytes).accepted(&bytes)
    };
    let full = Policy {
        site: Some(site("hq")),
        requires_base: vec![product("base"), product("office")],
        advisory: true,
        count_users: true,
        refuse_declared: true,
        digests: vec![FileDigest {
            name: "bin/cad".into(),
            sha256: [0x77; 32],
        }],
        confirmation_key: Some([0x99; 96]),
        threshold: 5,
        version: 4,
        ..estate.policy()
    };
    let beyond_bounds = Policy {
        threshold: 1,
        validity: Span::from_days(365),
        ..estate.policy()
    };
    vec![
        of("policy-defaults", &estate.issuing, &estate.policy()),
        of("policy-with-everything", &estate.issuing, &full),
        of(
            "policy-by-the-root-without-bounds",
            &estate.root_key,
            &beyond_bounds,
        ),
    ]
}

fn asks(estate: &Estate) -> Vec<Json> {
    let of = |name: &str, ask: &Ask| {
        let bytes = estate.own(CLIENT).sign(estate.publisher, ask);
        Vector::ask(name, estate, &bytes).accepted(&bytes)
    };
    let full = Ask {
        ticket: Some(ticket(7)),
        predecessor: Some(estate.predecessor()),
        base_licence: true,
        in_vm: true,
        name: Some("desk-17.corp.test".into()),
        user_identity: true,
        declared: true,
        products: vec![
            AskedProduct {
                product: product("cad"),
                state: muster_proto::client::LicenceState::Licensed,
                minutes_left: Some(250_000),
                required: Some(25),
            },
            AskedProduct {
                product: product("cam"),
                state: muster_proto::client::LicenceState::OutOfToleranceGrace,
                minutes_left: Some(1_440),
                required: None,
            },
        ],
        ..estate.ask()
    };
    let device = device::ask(estate);
    let unknown = Forge::of(&estate.own(CLIENT).sign(estate.publisher, &estate.ask()))
        .own(|own| own.put(99, super::forge::Cbor::Text("later".into())))
        .sign(&estate.key(CLIENT));
    vec![
        of("ask-first", &estate.ask()),
        of("ask-with-everything", &full),
        Vector::ask("ask-of-a-p256-key", estate, &device).accepted(&device),
        Vector::ask(
            "ask-with-an-unknown-claim-that-is-ignored",
            estate,
            &unknown,
        )
        .accepted(&unknown),
    ]
}

fn answers(estate: &Estate) -> Vec<Json> {
    let of = |name: &str, answer: &Answer| {
        let bytes = estate.kms_host.sign(estate.publisher, answer);
        Vector::statement(name, Typ::Answer, &bytes)
            .with("pending_nonce", answer.nonce.to_string())
            .with("pending_ask", answer.ask.to_string())
            .accepted(&bytes)
    };
    let plain = |outcome: Outcome| Answer {
        outcome,
        reason: "MUSTER-KMS-0002".into(),
        ticket: None,
        ..estate.answer()
    };
    let partly = Answer {
        refused: vec![(product("cam"), "MUSTER-KMS-0004".into())],
        ..estate.answer()
    };
    vec![
        of("answer-granted", &estate.answer()),
        of("answer-granted-in-part", &partly),
        of("answer-wait", &plain(Outcome::Wait)),
        of(
            "answer-new-key",
            &plain(Outcome::NewKey { order: ticket(2) }),
        ),
        of("answer-refused", &plain(Outcome::Refused)),
    ]
}

fn leases(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let kms = estate.kms_host.sign(publisher, &estate.lease());
    let vm = estate.vm_host.sign(publisher, &estate.vm_lease());
    let alone = estate.kms_host.sign_alone(publisher, &estate.lease());
    vec![
        Vector::statement("lease-kms", Typ::Lease, &kms).accepted(&kms),
        Vector::statement("lease-vm", Typ::Lease, &vm).accepted(&vm),
        Vector::statement("lease-without-its-chain", Typ::Lease, &alone)
            .chain(&estate.kms_host.chain)
            .accepted(&alone),
    ]
}

fn revocations(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let first = estate.issuing.sign(publisher, &estate.revocations());
    let second = Revocations {
        from: 1,
        number: 1 << 40,
        entries: vec![Revoked {
            key: estate.public(OTHER_ISSUING).thumbprint(),
            ends: day(5 * 365),
        }],
        issued: day(20),
    };
    let second = estate.root_key.sign(publisher, &second);
    let from_nothing = Revocations {
        number: 5,
        entries: Vec::new(),
        ..estate.revocations()
    };
    let from_nothing = estate.issuing.sign(publisher, &from_nothing);
    vec![
        Vector::statement("revocations-first", Typ::Revocations, &first).accepted(&first),
        Vector::statement(
            "revocations-that-follow-by-the-root",
            Typ::Revocations,
            &second,
        )
        .with("held", vec![to_hex(&first)])
        .accepted(&second),
        Vector::statement("revocations-that-overlap", Typ::Revocations, &from_nothing)
            .with("held", vec![to_hex(&first)])
            .accepted(&from_nothing),
    ]
}

fn others(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let opening = estate.kms_host.sign_alone(publisher, &estate.opening());
    let first = estate.own(KMS_HOST).sign(publisher, &estate.request());
    let proof = muster_proto::statement::ask::succession(
        publisher,
        &estate.public(KMS_HOST),
        &estate.public(OTHER_HOST),
    );
    let renewal = Request {
        key: estate.public(OTHER_HOST),
        sealed_keys: Vec::new(),
        previous: Some(Previous {
            key: estate.public(KMS_HOST),
            cert: estate.kms_host.parent,
            signature: estate.key(KMS_HOST).sign(&proof),
        }),
        issued: day(183),
        ..estate.request()
    };
    let renewal = estate.own(OTHER_HOST).sign(publisher, &renewal);
    let issuing = Request {
        role: Role::Issuing,
        key: estate.public(OTHER_ISSUING),
        sealed_keys: Vec::new(),
        name: "issuing 2".into(),
        ..estate.request()
    };
    let issuing = estate.own(OTHER_ISSUING).sign(publisher, &issuing);
    let mut vectors = vec![
        Vector::statement("opening", Typ::Opening, &opening)
            .chain(&estate.kms_host.chain)
            .accepted(&opening),
        Vector::request("request-of-a-host", estate, &first).accepted(&first),
        Vector::request("request-that-renews", estate, &renewal).accepted(&renewal),
        Vector::request("request-of-an-issuing-key", estate, &issuing).accepted(&issuing),
    ];
    for typ in [Typ::Object, Typ::Confirmation] {
        let bytes = super::cells::without_claims(typ, &estate.issuing, publisher);
        let name = format!("{typ}-whose-signer-alone-is-judged");
        vectors.push(
            Vector::new(&name, "signer", &bytes)
                .with("typ", typ.name())
                .with("root", "contoso")
                .accepted(&bytes),
        );
    }
    vectors
}

fn carriers(estate: &Estate) -> Vec<Json> {
    let mut vectors = hellos(estate);
    vectors.push(bundle(estate));
    let three = Root::new(
        "Three Keys",
        [0x31, 0x32, 0x33]
            .map(|n| super::estate::key(n).public())
            .to_vec(),
    );
    for (name, root) in [
        ("root-of-two-keys", &estate.root),
        ("root-of-three-keys", &three.expect("a root")),
    ] {
        let bytes = root.encode();
        let means = json!({
            "publisher": root.publisher().to_string(),
            "fingerprint": root.fingerprint().to_string(),
        });
        vectors.push(Vector::new(name, "root", &bytes).accepted_as(means));
    }
    let head = SealedHead {
        publisher: estate.publisher,
        audience: estate.kms_host.parent,
        opening_key: opening_key_id(&estate.kms_cert().opening_key),
    };
    let means = json!({
        "publisher": head.publisher.to_string(),
        "audience": head.audience.to_string(),
        "opening_key_id": to_hex(&head.opening_key),
        "info": to_hex(&head.info()),
        "seal": to_hex(&[0x5e; 64]),
    });
    vectors.push(
        Vector::new("sealed-head", "sealed-head", &head.join(&[0x5e; 64])).accepted_as(means),
    );
    vectors
}

fn hellos(estate: &Estate) -> Vec<Json> {
    let opening = estate
        .kms_host
        .sign_alone(estate.publisher, &estate.opening());
    let first = estate
        .kms_host
        .sign_alone(estate.publisher, &estate.first_opening());
    let hello = |opening: Vec<u8>| Hello {
        chain: estate.kms_host.chain.clone(),
        opening,
    };
    let means = |key: [u8; 32]| json!({ "opening_key": Thumbprint(key).to_string(), "store": STORE.to_string() });
    let of = |name: &str, hello: &Hello, floor: u64| {
        Vector::new(name, "hello", &hello.encode())
            .with("root", "contoso")
            .with("floor", floor)
    };
    let first = hello(first);
    vec![
        of("hello-first", &first, day(2).seconds())
            .accepted_as(means(estate.kms_cert().opening_key)),
        of("hello-of-a-machine-whose-clock-is-behind", &first, 0)
            .accepted_as(means(estate.kms_cert().opening_key)),
        of(
            "hello-with-a-new-opening-key",
            &hello(opening),
            day(60).seconds(),
        )
        .accepted_as(means(estate.opening().opening_key)),
    ]
}

fn bundle(estate: &Estate) -> Json {
    let bundle = bundle_of(estate);
    let means = json!({
        "policy": muster_proto::statement::Envelope::decode_any(&bundle.policy)
            .expect("a policy").name().to_string(),
        "issuing": estate.issuing.parent.to_string(),
        "revocations": 1,
    });
    Vector::new("bundle", "bundle", &bundle.encode())
        .with("root", "contoso")
        .accepted_as(means)
}

/// The bundle of the estate's product.
pub(crate) fn bundle_of(estate: &Estate) -> Bundle {
    Bundle {
        root: estate.root.clone(),
        chain: estate.issuing.chain.clone(),
        policy: estate.issuing.sign(estate.publisher, &estate.policy()),
        revocations: vec![estate.issuing.sign(estate.publisher, &estate.revocations())],
    }
}
