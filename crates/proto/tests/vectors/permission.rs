//! Bad vectors of permission: certificates stretched beyond what stands above, statements outside
//! their signer's time, permission or life.

use muster_proto::Reason;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::Typ;
use muster_proto::statement::cert::{Cert, Flags, PolicyBounds};
use muster_proto::statement::lease::Lease;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::revocations::{Revocations, Revoked};
use muster_proto::statement::scope::Scope;
use muster_proto::time::Span;
use serde_json::Value as Json;

use super::bad_chain::{refused, signed};
use super::estate::{
    Estate, ISSUING, KMS_HOST, OTHER_HOST, OTHER_ISSUING, ROOT, START, Signer, day, product, site,
};
use super::forge::{Cbor, Forge};
use super::writer::{Vector, to_hex};

/// Every bad vector of permission.
pub(crate) fn all(estate: &Estate) -> Vec<Json> {
    [
        stretched(estate),
        times(estate),
        revoked(estate),
        leases(estate),
        policies(estate),
        revocations(estate),
    ]
    .concat()
}

/// One alteration, and why it is refused.
type Case<T> = (&'static str, fn(&mut T), Reason);

fn altered<T>(mut claims: T, alter: fn(&mut T)) -> T {
    alter(&mut claims);
    claims
}

/// Host certificates that go beyond the issuing one.
const HOST_CERTS: &[Case<Cert>] = &[
    (
        "host-certificate-stretched-in-products",
        |c| c.products = Scope::only([product("cad"), product("cax")]),
        reasons::STRETCHED_PRODUCTS,
    ),
    (
        "host-certificate-for-all-products",
        |c| c.products = Scope::All,
        reasons::STRETCHED_PRODUCTS,
    ),
    (
        "host-certificate-stretched-in-sites",
        |c| c.sites = Scope::only([site("berlin")]),
        reasons::STRETCHED_SITES,
    ),
    (
        "host-certificate-for-all-sites",
        |c| c.sites = Scope::All,
        reasons::FIELD_WRONG,
    ),
    (
        "host-certificate-for-two-sites",
        |c| c.sites = Scope::only([site("hq"), site("lab")]),
        reasons::FIELD_WRONG,
    ),
    (
        "host-certificate-for-no-site",
        |c| c.sites = Scope::default(),
        reasons::FIELD_WRONG,
    ),
    (
        "host-certificate-stretched-in-budget",
        |c| c.client_budget = 100_001,
        reasons::STRETCHED_BUDGET,
    ),
    (
        "host-certificate-that-outlives-the-issuing-one",
        |c| c.not_after = day(5 * 365 + 1),
        reasons::STRETCHED_TIME,
    ),
    (
        "host-certificate-that-begins-before-the-issuing-one",
        |c| c.not_before = START - Span::from_hours(2),
        reasons::STRETCHED_TIME,
    ),
    (
        "host-certificate-stretched-in-depth",
        |c| c.depth = 1,
        reasons::STRETCHED_DEPTH,
    ),
];

/// Host certificates under which a good lease is refused.
const LEASES_UNDER_HOST_CERTS: &[Case<Cert>] = &[
    (
        "lease-under-a-certificate-stretched-in-products",
        |c| c.products = Scope::All,
        reasons::STRETCHED_PRODUCTS,
    ),
    (
        "lease-under-a-certificate-stretched-in-sites",
        |c| c.sites = Scope::only([site("berlin")]),
        reasons::STRETCHED_SITES,
    ),
    (
        "lease-under-a-certificate-stretched-in-budget",
        |c| c.client_budget = u32::MAX,
        reasons::STRETCHED_BUDGET,
    ),
    (
        "lease-under-a-certificate-stretched-in-time",
        |c| c.not_after = day(9_999),
        reasons::STRETCHED_TIME,
    ),
    (
        "lease-under-a-host-certificate-with-depth",
        |c| c.depth = 1,
        reasons::STRETCHED_DEPTH,
    ),
];

/// Issuing certificates under which a good host and its lease are refused.
const LEASES_UNDER_ISSUING_CERTS: &[Case<Cert>] = &[
    (
        "lease-under-an-issuing-certificate-of-depth-0",
        |c| c.depth = 0,
        reasons::STRETCHED_DEPTH,
    ),
    (
        "lease-under-an-issuing-key-that-may-certify-no-kms-host",
        |c| c.flags = Flags::CERTIFY_VM_HOSTS.and(Flags::POLICIES),
        reasons::SIGNER_FLAG,
    ),
    (
        "lease-under-an-issuing-key-without-flags",
        |c| c.flags = Flags::NONE,
        reasons::SIGNER_FLAG,
    ),
    (
        "lease-under-an-issuing-key-without-products",
        |c| c.products = Scope::default(),
        reasons::STRETCHED_PRODUCTS,
    ),
    (
        "lease-under-an-issuing-key-without-sites",
        |c| c.sites = Scope::default(),
        reasons::STRETCHED_SITES,
    ),
    (
        "lease-under-an-issuing-key-without-budget",
        |c| c.client_budget = 0,
        reasons::STRETCHED_BUDGET,
    ),
];

/// Policies that the issuing key may not sign, or nobody.
const POLICIES: &[Case<Policy>] = &[
    (
        "policy-below-the-least-threshold",
        |p| p.threshold = 4,
        reasons::POLICY_BOUNDS,
    ),
    (
        "policy-beyond-the-longest-validity",
        |p| p.validity = Span::from_days(181),
        reasons::POLICY_BOUNDS,
    ),
    (
        "policy-with-a-grace-beyond-the-longest-validity",
        |p| p.initial_grace = Span::from_days(181),
        reasons::POLICY_BOUNDS,
    ),
    (
        "policy-for-a-product-the-issuing-key-has-not",
        |p| p.product = product("cax"),
        reasons::STRETCHED_PRODUCTS,
    ),
    (
        "policy-for-a-site-the-issuing-key-has-not",
        |p| p.site = Some(site("berlin")),
        reasons::STRETCHED_SITES,
    ),
    (
        "policy-with-threshold-0",
        |p| p.threshold = 0,
        reasons::FIELD_WRONG,
    ),
    (
        "policy-with-version-0",
        |p| p.version = 0,
        reasons::FIELD_WRONG,
    ),
    (
        "policy-renewed-every-minute",
        |p| p.renewal = Span::from_minutes(1),
        reasons::FIELD_WRONG,
    ),
    (
        "policy-asked-again-after-a-year",
        |p| p.retry = Span::from_days(365),
        reasons::FIELD_WRONG,
    ),
    (
        "policy-with-vm-leases-of-eight-days",
        |p| p.vm_validity = Span::from_days(8),
        reasons::FIELD_WRONG,
    ),
    (
        "policy-whose-leases-end-before-renewal",
        |p| p.validity = Span::from_days(6),
        reasons::FIELD_WRONG,
    ),
    (
        "policy-with-a-grace-of-a-century",
        |p| p.tolerance_grace = Span::from_days(36_500),
        reasons::FIELD_WRONG,
    ),
    (
        "policy-whose-name-steers-a-terminal",
        |p| p.name = "CAD\u{1b}[2J".into(),
        reasons::FIELD_WRONG,
    ),
];

/// Issuing certificates under which the default policy is refused.
const POLICIES_UNDER_ISSUING_CERTS: &[Case<Cert>] = &[
    (
        "policy-of-an-issuing-key-without-bounds",
        |c| c.policy_bounds = None,
        reasons::POLICY_BOUNDS,
    ),
    (
        "policy-of-an-issuing-key-with-tighter-bounds",
        |c| {
            c.policy_bounds = Some(PolicyBounds {
                threshold_min: 50,
                validity_max: Span::from_days(180),
            });
        },
        reasons::POLICY_BOUNDS,
    ),
    (
        "policy-of-an-issuing-key-that-may-sign-none",
        |c| {
            c.flags = Flags::CERTIFY_KMS_HOSTS.and(Flags::REVOCATIONS);
        },
        reasons::SIGNER_FLAG,
    ),
];

/// Deltas that the issuing key may not sign, or nobody.
const REVOCATIONS: &[Case<Revocations>] = &[
    (
        "revocations-that-do-not-move",
        |d| d.number = 0,
        reasons::FIELD_WRONG,
    ),
    (
        "revocations-that-spend-all-numbers",
        |d| d.number = u64::MAX,
        reasons::REVOCATION_BOUNDS,
    ),
    (
        "revocations-that-move-one-too-far",
        |d| d.number = (1 << 32) + 1,
        reasons::REVOCATION_BOUNDS,
    ),
    (
        "revocations-of-too-many-keys",
        |d| {
            d.entries = vec![d.entries[0]; 65];
        },
        reasons::FIELD_WRONG,
    ),
];

/// A certificate beyond the one above: judged alone, and with a lease or policy under it.
fn stretched(estate: &Estate) -> Vec<Json> {
    let mut vectors = Vec::new();
    for (name, alter, reason) in HOST_CERTS {
        let cert = altered(estate.kms_cert(), *alter);
        vectors.push(signed(estate, name, &estate.issuing, &cert, *reason));
    }
    for (name, alter, reason) in LEASES_UNDER_HOST_CERTS {
        let cert = altered(estate.kms_cert(), *alter);
        let holder = estate.certified(&estate.issuing, KMS_HOST, &cert);
        vectors.push(signed(estate, name, &holder, &estate.lease(), *reason));
    }
    for (name, alter, reason) in LEASES_UNDER_ISSUING_CERTS {
        let cert = altered(estate.issuing_cert(), *alter);
        let issuing = estate.certified(&estate.root_key, ISSUING, &cert);
        let holder = estate.certified(&issuing, KMS_HOST, &estate.kms_cert());
        vectors.push(signed(estate, name, &holder, &estate.lease(), *reason));
    }
    vectors.extend(ranks(estate));
    vectors
}

/// Keys certified by somebody who may not, and certificates of no kind.
fn ranks(estate: &Estate) -> Vec<Json> {
    let direct = estate.certified(&estate.root_key, KMS_HOST, &estate.kms_cert());
    let second = Cert {
        key: estate.public(OTHER_ISSUING),
        depth: 0,
        ..estate.issuing_cert()
    };
    let second = estate.certified(&estate.issuing, OTHER_ISSUING, &second);
    vec![
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
    let mut vectors = Vec::new();
    for (name, alter, reason) in POLICIES {
        let policy = altered(estate.policy(), *alter);
        vectors.push(signed(estate, name, &estate.issuing, &policy, *reason));
    }
    for (name, alter, reason) in POLICIES_UNDER_ISSUING_CERTS {
        let cert = altered(estate.issuing_cert(), *alter);
        let issuing = estate.certified(&estate.root_key, ISSUING, &cert);
        vectors.push(signed(estate, name, &issuing, &estate.policy(), *reason));
    }
    vectors
}

fn revocations(estate: &Estate) -> Vec<Json> {
    let publisher = estate.publisher;
    let first = estate.issuing.sign(publisher, &estate.revocations());
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
    let mut vectors = vec![
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
    ];
    for (name, alter, reason) in REVOCATIONS {
        let delta = altered(estate.revocations(), *alter);
        vectors.push(signed(estate, name, &estate.issuing, &delta, *reason));
    }
    vectors
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
