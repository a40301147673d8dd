//! The signer table: one bad vector for every empty cell.

use muster_proto::Reason;
use muster_proto::ids::PublisherId;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::Typ;
use serde_json::Value as Json;

use super::estate::{CLIENT, Estate, Signer};
use super::forge::{Cbor, Forge};
use super::writer::Vector;

/// The full cells of the specification's table, written out a second time.
const FULL: &[(&str, &[Typ])] = &[
    ("root", &[Typ::Cert, Typ::Policy, Typ::Revocations]),
    (
        "issuing",
        &[
            Typ::Cert,
            Typ::Policy,
            Typ::Object,
            Typ::Confirmation,
            Typ::Revocations,
        ],
    ),
    ("kms-host", &[Typ::Answer, Typ::Lease, Typ::Opening]),
    ("vm-host", &[Typ::Lease]),
    ("own", &[Typ::Ask, Typ::Request]),
];

/// A vector for each pair of role and type that the table does not name.
pub(crate) fn empty(estate: &Estate) -> Vec<Json> {
    let mut vectors = Vec::new();
    for (role, full) in FULL {
        let signer = signer_of(estate, role);
        for typ in Typ::ALL {
            if !full.contains(&typ) {
                let bytes = statement_of(estate, typ, &signer);
                let name = format!("cell-{role}-signs-{typ}");
                vectors.push(vector(estate, &name, role, typ, &bytes));
            }
        }
    }
    assert_eq!(
        vectors.len(),
        5 * 10 - 14,
        "every empty cell has its vector"
    );
    vectors
}

fn vector(estate: &Estate, name: &str, role: &str, typ: Typ, bytes: &[u8]) -> Json {
    match typ {
        Typ::Ask => Vector::ask(name, estate, bytes).refused(self_signed(role)),
        Typ::Request => Vector::request(name, estate, bytes).refused(self_signed(role)),
        Typ::Object | Typ::Confirmation => Vector::new(name, "signer", bytes)
            .with("typ", typ.name())
            .with("root", "contoso")
            .refused(under_root(role)),
        _ => Vector::statement(name, typ, bytes).refused(under_root(role)),
    }
}

/// Who signs for himself stands under no root; the others lack the role.
fn under_root(role: &str) -> Reason {
    if role == "own" {
        reasons::ROOT_UNKNOWN
    } else {
        reasons::SIGNER_ROLE
    }
}

/// A self-signed type names its own key and carries no chain.
fn self_signed(role: &str) -> Reason {
    if role == "root" {
        reasons::WRONG_PARENT
    } else {
        reasons::CHAIN_LENGTH
    }
}

fn signer_of(estate: &Estate, role: &str) -> Signer {
    match role {
        "root" => estate.root_key.clone(),
        "issuing" => estate.issuing.clone(),
        "kms-host" => estate.kms_host.clone(),
        "vm-host" => estate.vm_host.clone(),
        _ => estate.own(CLIENT),
    }
}

fn statement_of(estate: &Estate, typ: Typ, signer: &Signer) -> Vec<u8> {
    let publisher = estate.publisher;
    match typ {
        Typ::Cert => signer.sign(publisher, &estate.kms_cert()),
        Typ::Policy => signer.sign(publisher, &estate.policy()),
        Typ::Ask => signer.sign(publisher, &estate.ask()),
        Typ::Answer => signer.sign(publisher, &estate.answer()),
        Typ::Lease => signer.sign(publisher, &estate.lease()),
        Typ::Revocations => signer.sign(publisher, &estate.revocations()),
        Typ::Opening => signer.sign(publisher, &estate.opening()),
        Typ::Request => signer.sign(publisher, &estate.request()),
        Typ::Object | Typ::Confirmation => without_claims(typ, signer, publisher),
    }
}

/// A statement of a type whose claims are not specified yet: `iat` and none of muster's own.
pub(crate) fn without_claims(typ: Typ, signer: &Signer, publisher: PublisherId) -> Vec<u8> {
    let opening = muster_proto::statement::opening::Opening {
        opening_key: [0; 32],
        store: super::estate::STORE,
        issued: super::estate::day(3),
        expires: super::estate::day(3),
    };
    Forge::of(&signer.sign(publisher, &opening))
        .with(|forge| {
            forge.protected.put(16, Cbor::Text(typ.media_type()));
            forge.payload.take(4);
            forge.payload.put(-65_537, Cbor::Map(Vec::new()));
        })
        .sign(&signer.key)
}
