//! Bad vectors of chains: publishers, roots and parents mixed up, chains put together from parts.

use muster_proto::Reason;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::cert::Cert;
use muster_proto::statement::lease::Lease;
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Claims, Typ};
use serde_json::Value as Json;

use super::estate::{Estate, ISSUING, KMS_HOST, ROOT, Signer, day, product};
use super::forge::{Cbor, Forge};
use super::permission;
use super::writer::Vector;

/// Every bad vector of chains.
pub(crate) fn all(estate: &Estate) -> Vec<Json> {
    [
        anchors(estate),
        swaps(estate),
        parents(estate),
        lengths(estate),
        permission::all(estate),
    ]
    .concat()
}

pub(crate) fn refused(name: &str, typ: Typ, bytes: &[u8], reason: Reason) -> Json {
    Vector::statement(name, typ, bytes).refused(reason)
}

pub(crate) fn signed<C: Claims>(
    estate: &Estate,
    name: &str,
    signer: &Signer,
    claims: &C,
    reason: Reason,
) -> Json {
    refused(name, C::TYP, &signer.sign(estate.publisher, claims), reason)
}

/// Publishers and roots.
fn anchors(estate: &Estate) -> Vec<Json> {
    let other = Estate::fabrikam();
    let theirs = other.kms_host.sign(other.publisher, &estate.lease());
    let claimed = other.kms_host.sign(estate.publisher, &estate.lease());
    let disclaimed = estate.kms_host.sign(other.publisher, &estate.lease());
    // A whole chain of another root that names this publisher.
    let (root, publisher) = (&other.root_key, estate.publisher);
    let issuing = Signer::under(
        root,
        0x20 + ISSUING,
        &root.sign_alone(publisher, &other.issuing_cert()),
    );
    let host = Signer::under(
        &issuing,
        0x20 + KMS_HOST,
        &issuing.sign_alone(publisher, &other.kms_cert()),
    );
    let forged = host.sign(publisher, &estate.lease());
    let foreign_cert = estate
        .root_key
        .sign_alone(other.publisher, &estate.issuing_cert());
    let foreign_cert = Signer::under(&estate.root_key, 0x10 + ISSUING, &foreign_cert);
    let under_foreign = foreign_cert.sign(publisher, &estate.policy());
    vec![
        refused(
            "lease-of-another-publisher",
            Typ::Lease,
            &theirs,
            reasons::WRONG_PUBLISHER,
        ),
        refused(
            "lease-under-certificates-of-another-publisher",
            Typ::Lease,
            &claimed,
            reasons::WRONG_PUBLISHER,
        ),
        refused(
            "lease-that-names-another-publisher",
            Typ::Lease,
            &disclaimed,
            reasons::WRONG_PUBLISHER,
        ),
        refused(
            "lease-under-another-root",
            Typ::Lease,
            &forged,
            reasons::ROOT_UNKNOWN,
        ),
        refused(
            "certificate-that-names-another-publisher",
            Typ::Policy,
            &under_foreign,
            reasons::WRONG_PUBLISHER,
        ),
    ]
}

/// Statements and chains put together from parts.
fn swaps(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let lease = estate.kms_host.sign(publisher, &estate.lease());
    let under = |chain: &[Vec<u8>]| {
        muster_proto::statement::Envelope::decode_any(&lease)
            .expect("a lease")
            .with_chain(chain)
    };
    // The same host key certified a second time, for more.
    let wider = Cert {
        products: Scope::only([product("cad"), product("cam")]),
        ..estate.kms_cert()
    };
    let wider = estate.certified(&estate.issuing, KMS_HOST, &wider);
    let renewed_issuing = Cert {
        issued: day(3),
        ..estate.issuing_cert()
    };
    let renewed_issuing = estate.certified(&estate.root_key, ISSUING, &renewed_issuing);
    let cam = Lease {
        product: product("cam"),
        ..estate.lease()
    };
    let under_narrower = Forge::of(&estate.kms_host.sign(publisher, &cam)).with(|forge| {
        let chain = wider.chain.iter().cloned().map(Cbor::Bytes).collect();
        *forge.unprotected.at(-65_538) = Cbor::Array(chain);
    });
    let [host, issuing] = &estate.kms_host.chain[..] else {
        panic!("a host's chain has two certificates");
    };
    let mixed = [host.clone(), renewed_issuing.chain[0].clone()];
    let swap =
        |name: &str, chain: &[Vec<u8>], reason| refused(name, Typ::Lease, &under(chain), reason);
    vec![
        swap(
            "chain-of-another-host",
            &estate.vm_host.chain,
            reasons::WRONG_PARENT,
        ),
        swap(
            "chain-of-the-same-key-certified-for-more",
            &wider.chain,
            reasons::WRONG_PARENT,
        ),
        swap(
            "chain-with-the-issuing-certificate-renewed",
            &mixed,
            reasons::WRONG_PARENT,
        ),
        swap(
            "chain-upside-down",
            &[issuing.clone(), host.clone()],
            reasons::ROOT_UNKNOWN,
        ),
        refused(
            "lease-moved-under-the-wider-certificate",
            Typ::Lease,
            &under_narrower.join(),
            reasons::WRONG_PARENT,
        ),
    ]
}

/// Statements that name another parent than the one they stand under.
fn parents(estate: &Estate) -> Vec<Json> {
    let lease = estate.kms_host.sign(estate.publisher, &estate.lease());
    let policy = estate.root_key.sign(estate.publisher, &estate.policy());
    let naming = |statement: &[u8], parent: &[u8], key| {
        let parent = Cbor::Bytes(parent.to_vec());
        let forge = Forge::of(statement).with(|forge| *forge.protected.at(4) = parent);
        forge.sign(&estate.key(key))
    };
    let wrong_parent = naming(&lease, &[0x55; 32], KMS_HOST);
    let root_parent = naming(&lease, &estate.root_key.parent.0, KMS_HOST);
    let unknown_root = naming(&policy, &[0x55; 32], ROOT);
    let cross = naming(&policy, &estate.next_root_key.parent.0, ROOT);
    vec![
        refused(
            "lease-wrong-parent",
            Typ::Lease,
            &wrong_parent,
            reasons::WRONG_PARENT,
        ),
        refused(
            "lease-that-names-the-root-as-parent",
            Typ::Lease,
            &root_parent,
            reasons::WRONG_PARENT,
        ),
        refused(
            "policy-of-an-unknown-root-key",
            Typ::Policy,
            &unknown_root,
            reasons::ROOT_UNKNOWN,
        ),
        refused(
            "policy-that-names-the-other-root-key",
            Typ::Policy,
            &cross,
            reasons::BAD_SIGNATURE,
        ),
    ]
}

fn lengths(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let lease = estate.kms_host.sign_alone(publisher, &estate.lease());
    let under = |chain: &[Vec<u8>]| {
        muster_proto::statement::Envelope::decode_any(&lease)
            .expect("a lease")
            .with_chain(chain)
    };
    let host = &estate.kms_host.chain[0];
    let carrying = estate.issuing.sign(publisher, &estate.kms_cert());
    let carrying = [carrying, estate.issuing.chain[0].clone()];
    let twice = estate.kms_host.sign(publisher, &estate.lease());
    vec![
        refused("chain-missing", Typ::Lease, &lease, reasons::ROOT_UNKNOWN),
        refused(
            "chain-without-the-issuing-certificate",
            Typ::Lease,
            &under(std::slice::from_ref(host)),
            reasons::ROOT_UNKNOWN,
        ),
        refused(
            "chain-whose-certificate-carries-a-chain",
            Typ::Lease,
            &under(&carrying),
            reasons::CHAIN_LENGTH,
        ),
        Vector::statement(
            "lease-that-carries-a-chain-beside-its-carrier",
            Typ::Lease,
            &twice,
        )
        .chain(&estate.kms_host.chain)
        .refused(reasons::CHAIN_LENGTH),
    ]
}
