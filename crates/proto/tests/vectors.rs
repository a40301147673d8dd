//! The golden vectors of statements: made from fixed seeds, compared byte for byte with the files,
//! and judged. `MUSTER_VECTORS=write` writes files that are not there yet; what is there never
//! changes, because another implementation may hold its bytes.

#[path = "vectors/bad_chain.rs"]
mod bad_chain;
#[path = "vectors/bad_form.rs"]
mod bad_form;
#[path = "vectors/bad_wire.rs"]
mod bad_wire;
#[path = "vectors/cells.rs"]
mod cells;
mod common;
#[path = "vectors/device.rs"]
mod device;
#[path = "vectors/edges.rs"]
mod edges;
#[path = "vectors/estate.rs"]
mod estate;
#[path = "vectors/forge.rs"]
mod forge;
#[path = "vectors/good.rs"]
mod good;
#[path = "vectors/permission.rs"]
mod permission;
#[path = "vectors/writer.rs"]
mod writer;

use std::collections::HashSet;

use common::Roots;
use estate::{Estate, Signer};
use serde_json::{Map, Value as Json, json};

/// Every file with its document.
fn documents() -> Vec<(&'static str, Json)> {
    let contoso = Estate::contoso();
    let list = |about: &str, vectors: Vec<Json>| json!({ "about": about, "vectors": vectors });
    vec![
        ("estate.json", estate_document(&contoso)),
        (
            "good.json",
            list(
                "Accepted: what each says stands beside its bytes.",
                good::all(&contoso),
            ),
        ),
        (
            "bad-signers.json",
            list(
                "Refused: every empty cell of the signer table.",
                cells::empty(&contoso),
            ),
        ),
        (
            "bad-form.json",
            list(
                "Refused: encodings, headers, claims, keys and signatures.",
                bad_form::all(&contoso),
            ),
        ),
        (
            "bad-chain.json",
            list(
                "Refused: chains, permissions, times and revocations.",
                bad_chain::all(&contoso),
            ),
        ),
        (
            "bad-wire.json",
            list(
                "Refused: what is exchanged around statements.",
                bad_wire::all(&contoso),
            ),
        ),
        (
            "edges.json",
            list(
                "Accepted and refused: where two readers of the book came to differ.",
                edges::all(&contoso),
            ),
        ),
    ]
}

/// Seeds, keys and roots, from which everything else can be made again.
fn estate_document(contoso: &Estate) -> Json {
    let fabrikam = Estate::fabrikam();
    let mut keys = Map::new();
    for (publisher, first) in [("contoso", 0x10), ("fabrikam", 0x20)] {
        let names = [
            "root",
            "next-root",
            "issuing",
            "kms-host",
            "vm-host",
            "client",
            "old-client",
        ];
        for (number, name) in (first..).zip(names) {
            let signer = Signer::root(number);
            let entry = json!({
                "seed": writer::to_hex(&[number; 32]),
                "cose_key": writer::to_hex(&cose_key(&signer.key)),
                "thumbprint": signer.parent.to_string(),
            });
            keys.insert(format!("{publisher}-{name}"), entry);
        }
    }
    let root = |estate: &Estate| {
        json!({
            "file": writer::to_hex(&estate.root.encode()),
            "fingerprint": estate.root.fingerprint().to_string(),
            "publisher": estate.publisher.to_string(),
        })
    };
    let device = device::public(1);
    json!({
        "about": "Keys of fixed seeds and the roots that the vectors are judged under.",
        "roots": { "contoso": root(contoso), "fabrikam": root(&fabrikam) },
        "keys": keys,
        "device": {
            "scalar": writer::to_hex(&[1; 32]),
            "thumbprint": device.thumbprint().to_string(),
        },
    })
}

fn cose_key(key: &muster_proto::crypto::SecretKey) -> Vec<u8> {
    let muster_proto::crypto::PublicKey::Ed25519(x) = key.public() else {
        panic!("the estate's keys are Ed25519");
    };
    let map = vec![
        (1, forge::Cbor::Int(1)),
        (-1, forge::Cbor::Int(6)),
        (-2, forge::Cbor::Bytes(x.to_vec())),
    ];
    let entries = map
        .into_iter()
        .map(|(label, value)| (forge::Cbor::Int(label), value));
    forge::Cbor::Map(entries.collect()).write()
}

#[test]
fn every_vector_is_made_again_byte_for_byte_and_judged_as_it_says() {
    let writing = std::env::var("MUSTER_VECTORS").is_ok_and(|word| word == "write");
    let documents = documents();
    for (name, document) in &documents {
        let path = common::folder().join(name);
        if writing && !path.exists() {
            let mut text = serde_json::to_string_pretty(document).expect("JSON");
            text.push('\n');
            std::fs::write(&path, text).expect("the folder of the vectors can be written");
        }
        assert_same(name, document, &common::read(name));
    }
    let roots = Roots::of(&documents[0].1);
    for (name, document) in &documents[1..] {
        judge_all(name, &roots, common::vectors(document));
    }
}

/// Compares by vector, so that a difference is named.
fn assert_same(file: &str, made: &Json, held: &Json) {
    let by_name = |document: &Json| -> Vec<(String, Json)> {
        let vectors = document["vectors"].as_array().into_iter().flatten();
        vectors
            .map(|vector| (common::name_of(vector).to_owned(), vector.clone()))
            .collect()
    };
    for (one, other) in by_name(made).iter().zip(&by_name(held)) {
        assert_eq!(one, other, "{file}: what is made is not what is held");
    }
    assert_eq!(made, held, "{file}");
}

fn judge_all(file: &str, roots: &Roots, vectors: &[Json]) {
    let mut names = HashSet::new();
    let mut wrong = Vec::new();
    for vector in vectors {
        let name = common::name_of(vector);
        assert!(names.insert(name.to_owned()), "{file}: {name} stands twice");
        let outcome = match common::judge(roots, vector, &common::hex(&vector["bytes"])) {
            Ok(_) => "accepted",
            Err(refusal) => refusal.reason.code(),
        };
        if vector["outcome"] != outcome {
            wrong.push(format!(
                "{name}: {} expected, {outcome} seen",
                vector["outcome"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{file}:\n{}", wrong.join("\n"));
}
