//! Bad vectors of chains: publishers, roots and parents mixed up, certificates stretched beyond
//! what stands above, statements outside their signer's time, permission or life.

use muster_proto::Reason;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::cert::{Cert, Flags, PolicyBounds};
use muster_proto::statement::lease::Lease;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::revocations::{Revocations, Revoked};
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Claims, Typ};
use muster_proto::time::Span;
use serde_json::Value as Json;

use super::estate::{
    Estate, ISSUING, KMS_HOST, OTHER_HOST, OTHER_ISSUING, ROOT, START, Signer, day, product, site,
};
use super::forge::{Cbor, Forge};
use super::writer::{Vector, to_hex};

/// Every bad vector of chains.
pub(crate) fn all(estate: &Estate) -> Vec<Json> {
    [
        anchors(estate),
        swaps(estate),
        lengths(estate),
        stretched(estate),
        times(estate),
        revoked(estate),
        leases(estate),
        policies(estate),
        revocations(estate),
    ]
    .concat()
}

fn refused(name: &str, typ: Typ, bytes: &[u8], reason: Reason) -> Json {
    Vector::statement(name, typ, bytes).refused(reason)
}

fn signed<C: Claims>(
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
    let wrong_parent = Forge::of(&lease)
        .with(|forge| *forge.protected.at(4) = Cbor::Bytes(vec![0x55; 32]))
        .sign(&estate.key(KMS_HOST));
    let root_parent = Forge::of(&lease)
        .with(|forge| *forge.protected.at(4) = Cbor::Bytes(estate.root_key.parent.0.to_vec()))
        .sign(&estate.key(KMS_HOST));
    let unknown_root = Forge::of(&estate.root_key.sign(publisher, &estate.policy()))
        .with(|forge| *forge.protected.at(4) = Cbor::Bytes(vec![0x55; 32]))
        .sign(&estate.key(ROOT));
    let cross = Forge::of(&estate.root_key.sign(publisher, &estate.policy()))
        .with(|forge| *forge.protected.at(4) = Cbor::Bytes(estate.next_root_key.parent.0.to_vec()))
        .sign(&estate.key(ROOT));
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

/// A certificate beyond the one above: judged alone, and with a lease or policy under it.
fn stretched(estate: &Estate) -> Vec<Json> {
    let host = |name: &str, alter: fn(&mut Cert), reason| {
        let mut cert = estate.kms_cert();
        alter(&mut cert);
        signed(estate, name, &estate.issuing, &cert, reason)
    };
    let lease_of = |name: &str, alter: fn(&mut Cert), reason| {
        let mut cert = estate.kms_cert();
        alter(&mut cert);
        let holder = estate.certified(&estate.issuing, KMS_HOST, &cert);
        signed(estate, name, &holder, &estate.lease(), reason)
    };
    let under = |name: &str, alter: fn(&mut Cert), reason| {
        let mut cert = estate.issuing_cert();
        alter(&mut cert);
        let issuing = estate.certified(&estate.root_key, ISSUING, &cert);
        let holder = estate.certified(&issuing, KMS_HOST, &estate.kms_cert());
        signed(estate, name, &holder, &estate.lease(), reason)
    };
    let direct = estate.certified(&estate.root_key, KMS_HOST, &estate.kms_cert());
    let second = estate.certified(
        &estate.issuing,
        OTHER_ISSUING,
        &Cert {
            key: estate.public(OTHER_ISSUING),
            depth: 0,
            ..estate.issuing_cert()
        },
    );
    vec![
        host(
            "host-certificate-stretched-in-products",
            |c| c.products = Scope::only([product("cad"), product("cax")]),
            reasons::STRETCHED_PRODUCTS,
        ),
        host(
            "host-certificate-for-all-products",
            |c| c.products = Scope::All,
            reasons::STRETCHED_PRODUCTS,
        ),
        host(
            "host-certificate-stretched-in-sites",
            |c| c.sites = Scope::only([site("berlin")]),
            reasons::STRETCHED_SITES,
        ),
        host(
            "host-certificate-for-all-sites",
            |c| c.sites = Scope::All,
            reasons::FIELD_WRONG,
        ),
        host(
            "host-certificate-for-two-sites",
            |c| c.sites = Scope::only([site("hq"), site("lab")]),
            reasons::FIELD_WRONG,
        ),
        host(
            "host-certificate-for-no-site",
            |c| c.sites = Scope::default(),
            reasons::FIELD_WRONG,
        ),
        host(
            "host-certificate-stretched-in-budget",
            |c| c.client_budget = 100_001,
            reasons::STRETCHED_BUDGET,
        ),
        host(
            "host-certificate-that-outlives-the-issuing-one",
            |c| c.not_after = day(5 * 365 + 1),
            reasons::STRETCHED_TIME,
        ),
        host(
            "host-certificate-that-begins-before-the-issuing-one",
            |c| c.not_before = START - Span::from_hours(2),
            reasons::STRETCHED_TIME,
        ),
        host(
            "host-certificate-stretched-in-depth",
            |c| c.depth = 1,
            reasons::STRETCHED_DEPTH,
        ),
        lease_of(
            "lease-under-a-certificate-stretched-in-products",
            |c| c.products = Scope::All,
            reasons::STRETCHED_PRODUCTS,
        ),
        lease_of(
            "lease-under-a-certificate-stretched-in-sites",
            |c| c.sites = Scope::only([site("berlin")]),
            reasons::STRETCHED_SITES,
        ),
        lease_of(
            "lease-under-a-certificate-stretched-in-budget",
            |c| c.client_budget = u32::MAX,
            reasons::STRETCHED_BUDGET,
        ),
        lease_of(
            "lease-under-a-certificate-stretched-in-time",
            |c| c.not_after = day(9_999),
            reasons::STRETCHED_TIME,
        ),
        lease_of(
            "lease-under-a-host-certificate-with-depth",
            |c| c.depth = 1,
            reasons::STRETCHED_DEPTH,
        ),
        under(
            "lease-under-an-issuing-certificate-of-depth-0",
            |c| c.depth = 0,
            reasons::STRETCHED_DEPTH,
        ),
        under(
            "lease-under-an-issuing-key-that-may-certify-no-kms-host",
            |c| c.flags = Flags::CERTIFY_VM_HOSTS.and(Flags::POLICIES),
            reasons::SIGNER_FLAG,
        ),
        under(
            "lease-under-an-issuing-key-without-flags",
            |c| c.flags = Flags::NONE,
            reasons::SIGNER_FLAG,
        ),
        under(
            "lease-under-an-issuing-key-without-products",
            |c| c.products = Scope::default(),
            reasons::STRETCHED_PRODUCTS,
        ),
        under(
            "lease-under-an-issuing-key-without-sites",
            |c| c.sites = Scope::default(),
            reasons::STRETCHED_SITES,
        ),
        under(
            "lease-under-an-issuing-key-without-budget",
            |c| c.client_budget = 0,
            reasons::STRETCHED_BUDGET,
        ),
        flags_stretched(estate),
        unknown_flag(estate),
        unknown_role(estate),
        signed(
            estate,
            "lease-of-a-host-that-the-root-certified",
            &direct,
            &estate.lease(),
            reasons::SIGNER_ROLE,
        ),
        signed(
            estate,
            "policy-of-an-issuing-key-that-an-issuing-key-certified",
            &second,
            &estate.policy(),
            reasons::SIGNER_ROLE,
        ),
        third_certificate(estate),
    ]
}

/// A host certificate with a permission that the issuing key has not.
fn flags_stretched(estate: &Estate) -> Json {
    let few = Cert {
        flags: Flags::CERTIFY_KMS_HOSTS,
        ..estate.issuing_cert()
    };
    let issuing = estate.certified(&estate.root_key, ISSUING, &few);
    let more = Cert {
        flags: Flags::REVOCATIONS,
        ..estate.kms_cert()
    };
    let host = estate.certified(&issuing, KMS_HOST, &more);
    let name = "lease-under-a-certificate-stretched-in-flags";
    signed(
        estate,
        name,
        &host,
        &estate.lease(),
        reasons::STRETCHED_FLAGS,
    )
}

fn unknown_flag(estate: &Estate) -> Json {
    let cert = Forge::of(
        &estate
            .root_key
            .sign(estate.publisher, &estate.issuing_cert()),
    )
    .own(|own| *own.at(-6) = Cbor::Int(0x7f))
    .sign(&estate.key(ROOT));
    refused(
        "certificate-with-an-unknown-flag",
        Typ::Cert,
        &cert,
        reasons::UNKNOWN_CRITICAL,
    )
}

/// A host that certified another host: the chain no longer fits, so it stands without its top.
fn third_certificate(estate: &Estate) -> Json {
    let second = Cert {
        key: estate.public(OTHER_HOST),
        ..estate.kms_cert()
    };
    let name = "certificate-that-a-host-signed";
    signed(
        estate,
        name,
        &estate.kms_host,
        &second,
        reasons::SIGNER_ROLE,
    )
}

/// Statements issued outside the life of what stands above.
fn times(estate: &Estate) -> Vec<Json> {
    let lease = |name: &str, issued, reason| {
        let lease = Lease {
            issued,
            expires: issued + Span::from_days(180),
            ..estate.lease()
        };
        signed(estate, name, &estate.kms_host, &lease, reason)
    };
    let cert = estate.kms_cert();
    let late = Cert {
        issued: day(5 * 365 + 2),
        ..estate.kms_cert()
    };
    let early = Cert {
        issued: START - Span::from_days(2),
        ..estate.kms_cert()
    };
    let early_policy = Policy {
        issued: START - Span::from_days(1),
        ..estate.policy()
    };
    let second = Span::from_seconds(1);
    vec![
        lease(
            "lease-issued-before-its-host-was-certified",
            cert.not_before - second,
            reasons::SIGNER_NOT_YET_VALID,
        ),
        lease(
            "lease-issued-after-its-host-certificate-ended",
            cert.not_after + second,
            reasons::SIGNER_EXPIRED,
        ),
        signed(
            estate,
            "host-certificate-issued-after-the-issuing-one-ended",
            &estate.issuing,
            &late,
            reasons::SIGNER_EXPIRED,
        ),
        signed(
            estate,
            "host-certificate-issued-before-the-issuing-one-began",
            &estate.issuing,
            &early,
            reasons::SIGNER_NOT_YET_VALID,
        ),
        signed(
            estate,
            "policy-issued-before-the-issuing-certificate-began",
            &estate.issuing,
            &early_policy,
            reasons::SIGNER_NOT_YET_VALID,
        ),
    ]
}

fn revoked(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let lease = estate.kms_host.sign(publisher, &estate.lease());
    let policy = estate.issuing.sign(publisher, &estate.policy());
    let by_root = estate.root_key.sign(publisher, &estate.policy());
    let with = |name: &str, typ, bytes: &[u8], keys: &[u8]| {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| estate.public(*key).thumbprint())
            .collect();
        Vector::statement(name, typ, bytes)
            .revoked(&keys)
            .refused(reasons::REVOKED)
    };
    vec![
        with("lease-of-a-revoked-host", Typ::Lease, &lease, &[KMS_HOST]),
        with(
            "lease-under-a-revoked-issuing-key",
            Typ::Lease,
            &lease,
            &[OTHER_HOST, ISSUING],
        ),
        with(
            "policy-of-a-revoked-issuing-key",
            Typ::Policy,
            &policy,
            &[ISSUING],
        ),
        with(
            "policy-of-a-revoked-root-key",
            Typ::Policy,
            &by_root,
            &[ROOT],
        ),
    ]
}

fn leases(estate: &Estate) -> Vec<Json> {
    let of = |name: &str, signer: &Signer, lease: Lease, reason| {
        signed(estate, name, signer, &lease, reason)
    };
    let second = Span::from_seconds(1);
    vec![
        of(
            "vm-lease-of-a-kms-host",
            &estate.kms_host,
            estate.vm_lease(),
            reasons::LEASE_KIND,
        ),
        of(
            "kms-lease-of-a-vm-host",
            &estate.vm_host,
            Lease {
                count: 4,
                ..estate.lease()
            },
            reasons::LEASE_KIND,
        ),
        of(
            "vm-lease-of-seven-days-and-a-second",
            &estate.vm_host,
            Lease {
                expires: day(17) + second,
                ..estate.vm_lease()
            },
            reasons::LEASE_TOO_LONG,
        ),
        of(
            "lease-for-a-product-the-host-has-not",
            &estate.kms_host,
            Lease {
                product: product("cam"),
                ..estate.lease()
            },
            reasons::STRETCHED_PRODUCTS,
        ),
        of(
            "lease-that-counts-more-than-the-budget",
            &estate.kms_host,
            Lease {
                count: 1_001,
                ..estate.lease()
            },
            reasons::STRETCHED_BUDGET,
        ),
    ]
}

fn policies(estate: &Estate) -> Vec<Json> {
    let of = |name: &str, alter: fn(&mut Policy), reason| {
        let mut policy = estate.policy();
        alter(&mut policy);
        signed(estate, name, &estate.issuing, &policy, reason)
    };
    let by = |name: &str, alter: fn(&mut Cert), reason| {
        let mut cert = estate.issuing_cert();
        alter(&mut cert);
        let issuing = estate.certified(&estate.root_key, ISSUING, &cert);
        signed(estate, name, &issuing, &estate.policy(), reason)
    };
    vec![
        of(
            "policy-below-the-least-threshold",
            |p| p.threshold = 4,
            reasons::POLICY_BOUNDS,
        ),
        of(
            "policy-beyond-the-longest-validity",
            |p| p.validity = Span::from_days(181),
            reasons::POLICY_BOUNDS,
        ),
        of(
            "policy-with-a-grace-beyond-the-longest-validity",
            |p| p.initial_grace = Span::from_days(181),
            reasons::POLICY_BOUNDS,
        ),
        of(
            "policy-for-a-product-the-issuing-key-has-not",
            |p| p.product = product("cax"),
            reasons::STRETCHED_PRODUCTS,
        ),
        of(
            "policy-for-a-site-the-issuing-key-has-not",
            |p| p.site = Some(site("berlin")),
            reasons::STRETCHED_SITES,
        ),
        of(
            "policy-with-threshold-0",
            |p| p.threshold = 0,
            reasons::FIELD_WRONG,
        ),
        of(
            "policy-with-version-0",
            |p| p.version = 0,
            reasons::FIELD_WRONG,
        ),
        of(
            "policy-renewed-every-minute",
            |p| p.renewal = Span::from_minutes(1),
            reasons::FIELD_WRONG,
        ),
        of(
            "policy-asked-again-after-a-year",
            |p| p.retry = Span::from_days(365),
            reasons::FIELD_WRONG,
        ),
        of(
            "policy-with-vm-leases-of-eight-days",
            |p| p.vm_validity = Span::from_days(8),
            reasons::FIELD_WRONG,
        ),
        of(
            "policy-whose-leases-end-before-renewal",
            |p| p.validity = Span::from_days(6),
            reasons::FIELD_WRONG,
        ),
        of(
            "policy-with-a-grace-of-a-century",
            |p| p.tolerance_grace = Span::from_days(36_500),
            reasons::FIELD_WRONG,
        ),
        of(
            "policy-whose-name-steers-a-terminal",
            |p| p.name = "CAD\u{1b}[2J".into(),
            reasons::FIELD_WRONG,
        ),
        by(
            "policy-of-an-issuing-key-without-bounds",
            |c| c.policy_bounds = None,
            reasons::POLICY_BOUNDS,
        ),
        by(
            "policy-of-an-issuing-key-with-tighter-bounds",
            |c| {
                c.policy_bounds = Some(PolicyBounds {
                    threshold_min: 50,
                    validity_max: Span::from_days(180),
                });
            },
            reasons::POLICY_BOUNDS,
        ),
        by(
            "policy-of-an-issuing-key-that-may-sign-none",
            |c| {
                c.flags = Flags::CERTIFY_KMS_HOSTS.and(Flags::REVOCATIONS);
            },
            reasons::SIGNER_FLAG,
        ),
    ]
}

fn revocations(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let first = estate.issuing.sign(publisher, &estate.revocations());
    let of = |name: &str, alter: fn(&mut Revocations), reason| {
        let mut delta = estate.revocations();
        alter(&mut delta);
        signed(estate, name, &estate.issuing, &delta, reason)
    };
    let of_root = Revocations {
        entries: vec![Revoked {
            key: estate.next_root_key.parent,
            ends: day(9_999),
        }],
        ..estate.revocations()
    };
    let silent = Cert {
        flags: Flags::CERTIFY_KMS_HOSTS.and(Flags::POLICIES),
        ..estate.issuing_cert()
    };
    let silent = estate.certified(&estate.root_key, ISSUING, &silent);
    let gap = Revocations {
        from: 3,
        number: 4,
        ..estate.revocations()
    };
    let gap = estate.issuing.sign(publisher, &gap);
    let held = |name: &str, bytes: &[u8]| {
        Vector::statement(name, Typ::Revocations, bytes)
            .with("held", vec![to_hex(&first)])
            .refused(reasons::BACKWARDS)
    };
    let after_9999 = Forge::of(&first)
        .own(|own| {
            let Cbor::Array(entries) = own.at(-3) else {
                panic!("entries")
            };
            *entries[0].at(-2) = Cbor::Int(253_402_300_800);
        })
        .sign(&estate.issuing.key);
    vec![
        of(
            "revocations-that-do-not-move",
            |d| d.number = 0,
            reasons::FIELD_WRONG,
        ),
        of(
            "revocations-that-spend-all-numbers",
            |d| d.number = u64::MAX,
            reasons::REVOCATION_BOUNDS,
        ),
        of(
            "revocations-that-move-one-too-far",
            |d| d.number = (1 << 20) + 1,
            reasons::REVOCATION_BOUNDS,
        ),
        of(
            "revocations-of-too-many-keys",
            |d| {
                d.entries = vec![d.entries[0]; 65];
            },
            reasons::FIELD_WRONG,
        ),
        refused(
            "revocations-that-end-after-9999",
            Typ::Revocations,
            &after_9999,
            reasons::FIELD_WRONG,
        ),
        signed(
            estate,
            "revocations-of-a-root-key-by-an-issuing-key",
            &estate.issuing,
            &of_root,
            reasons::REVOCATION_BOUNDS,
        ),
        signed(
            estate,
            "revocations-of-an-issuing-key-that-may-sign-none",
            &silent,
            &estate.revocations(),
            reasons::SIGNER_FLAG,
        ),
        held("revocations-held-already", &first),
        held("revocations-that-leave-a-gap", &gap),
    ]
}

fn unknown_role(estate: &Estate) -> Json {
    let cert = Forge::of(
        &estate
            .root_key
            .sign(estate.publisher, &estate.issuing_cert()),
    )
    .own(|own| *own.at(-1) = Cbor::Int(9))
    .sign(&estate.key(ROOT));
    refused(
        "certificate-for-an-unknown-role",
        Typ::Cert,
        &cert,
        reasons::FIELD_WRONG,
    )
}
