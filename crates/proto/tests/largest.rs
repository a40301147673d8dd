//! The largest statement of each type that its counts allow fits the type's limit of bytes, or its
//! maker is told before anybody signs it.

use muster_proto::Refusal;
use muster_proto::crypto::SecretKey;
use muster_proto::hardware::ComponentTags;
use muster_proto::ids::{Nonce, ProductId, PublisherId, SiteId, StoreId, Thumbprint};
use muster_proto::limits::{
    CERT_BYTES_MAX, FILE_DIGESTS_MAX, PRODUCTS_MAX, REVOCATION_ENTRIES_MAX, SITES_MAX,
};
use muster_proto::reason::statement as reasons;
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::Ticket;
use muster_proto::statement::cert::{Cert, Flags};
use muster_proto::statement::lease::{Lease, LeaseKind};
use muster_proto::statement::policy::{FileDigest, Policy, ProductKind};
use muster_proto::statement::request::{Previous, Request};
use muster_proto::statement::revocations::{Revocations, Revoked};
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Claims, Draft, Envelope, Role};
use muster_proto::time::{Span, Timestamp};

/// Ids of the greatest length, each another.
fn longest<T: std::str::FromStr<Err = Refusal>>(count: usize) -> impl Iterator<Item = T> {
    (0..count).map(|n| format!("{n:032}").parse().expect("an id of 32 bytes"))
}

fn tags() -> ComponentTags {
    ComponentTags::from_bytes(&[0xff; 17]).expect("eight tags")
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn draft<C: Claims>(claims: &C) -> Draft {
    Draft::new(
        claims,
        PublisherId([9; 16]),
        Thumbprint([9; 32]),
        &key().public(),
    )
}

/// Signed, and read again with every byte it has.
fn fits<C: Claims>(claims: &C, chain: &[Vec<u8>]) -> Vec<u8> {
    let draft = draft(claims);
    draft.check_size(chain).expect("it fits");
    let signature = key().sign(&draft.to_be_signed());
    let bytes = draft.finish(signature, chain);
    let envelope = Envelope::decode(&bytes, C::TYP).expect("it is read");
    assert!(envelope.claims::<C>().is_ok());
    bytes
}

/// A chain of two certificates as large as they may be.
fn chain() -> Vec<Vec<u8>> {
    vec![vec![0; CERT_BYTES_MAX]; 2]
}

fn host() -> Cert {
    Cert {
        role: Role::KmsHost,
        key: key().public(),
        opening_key: [0xff; 32],
        name: "n".repeat(128),
        products: Scope::only(longest::<ProductId>(PRODUCTS_MAX)),
        sites: Scope::only(longest::<SiteId>(1)),
        client_budget: u32::MAX,
        depth: 0,
        flags: Flags::NONE,
        policy_bounds: None,
        issued: Timestamp::MAX,
        not_before: Timestamp::MAX,
        not_after: Timestamp::MAX,
    }
}

fn lease(product: ProductId) -> Lease {
    Lease {
        kind: LeaseKind::Kms,
        product,
        client: Thumbprint([9; 32]),
        count: u32::MAX,
        components: tags(),
        policy_version: u32::MAX,
        revocations: u64::MAX,
        issued: Timestamp::MAX,
        expires: Timestamp::MAX,
    }
}

#[test]
fn a_host_for_sixteen_products_has_a_certificate() {
    fits(&host(), &[]);
}

#[test]
fn an_answer_with_sixteen_leases_is_read() {
    let leases = longest(PRODUCTS_MAX).map(|product| fits(&lease(product), &[]));
    let answer = Answer {
        nonce: Nonce([9; 16]),
        ask: Thumbprint([9; 32]),
        outcome: Outcome::Granted {
            leases: leases.collect(),
        },
        reason: "M".repeat(24),
        refused: Vec::new(),
        store: StoreId([9; 8]),
        ticket: Some(Ticket {
            store: StoreId([9; 8]),
            generation: u32::MAX,
            tag: [9; 16],
        }),
        renewal: Span::from_seconds(u64::MAX),
        retry: Span::from_seconds(u64::MAX),
        revocations: u64::MAX,
        issued: Timestamp::MAX,
    };
    fits(&answer, &chain());
}

#[test]
fn a_lease_is_read_with_the_largest_chain() {
    fits(&lease(longest(1).next().expect("one")), &chain());
}

#[test]
fn a_full_revocation_delta_is_read() {
    // Until 2106 a time has four bytes; later ones leave room for 58 entries.
    let entry = Revoked {
        key: Thumbprint([9; 32]),
        ends: Timestamp::from_seconds(u64::from(u32::MAX)),
    };
    let delta = Revocations {
        from: u64::MAX - 1,
        number: u64::MAX,
        entries: vec![entry; REVOCATION_ENTRIES_MAX],
        issued: Timestamp::MAX,
    };
    fits(&delta, &chain()[..1]);
}

#[test]
fn a_request_with_sixteen_product_keys_is_read() {
    let request = Request {
        role: Role::KmsHost,
        key: key().public(),
        opening_key: [9; 32],
        sealed_keys: vec![vec![9; 160]; PRODUCTS_MAX],
        components: tags(),
        previous: Some(Previous {
            key: key().public(),
            cert: Thumbprint([9; 32]),
            signature: [9; 64],
        }),
        name: "n".repeat(128),
        nonce: [9; 16],
        issued: Timestamp::MAX,
    };
    fits(&request, &[]);
}

#[test]
fn what_would_be_too_large_is_told_before_it_is_signed() {
    let issuing = Cert {
        role: Role::Issuing,
        sites: Scope::only(longest::<SiteId>(SITES_MAX)),
        ..host()
    };
    let mut policy = Policy::new(
        longest(1).next().expect("one"),
        "CAD",
        ProductKind::Client,
        Timestamp::MAX,
    );
    policy.digests = vec![
        FileDigest {
            name: "f".repeat(128),
            sha256: [9; 32],
        };
        FILE_DIGESTS_MAX
    ];
    let refusals = [
        draft(&issuing).check_size(&[]).unwrap_err(),
        draft(&policy).check_size(&chain()[..1]).unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.reason, reasons::TOO_LARGE);
    }
}
