//! Every type of claims, drawn at random: what is written is read back equal, and its bytes are the
//! only ones. Random bytes make no reader panic.

use muster_proto::client::LicenceState;
use muster_proto::crypto::{PublicKey, SecretKey};
use muster_proto::hardware::ComponentTags;
use muster_proto::ids::{Nonce, ProductId, PublisherId, SiteId, StoreId, Thumbprint};
use muster_proto::key::ProductGroup;
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::{Ask, AskedProduct, Predecessor, Ticket};
use muster_proto::statement::cert::{Cert, Flags, PolicyBounds};
use muster_proto::statement::lease::{Lease, LeaseKind};
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::{FileDigest, Method, Methods, Policy, ProductKind};
use muster_proto::statement::request::{Previous, Request};
use muster_proto::statement::revocations::{Revocations, Revoked};
use muster_proto::statement::root::Root;
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Claims, Draft, Envelope, Role};
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::{Bundle, Hello, SealedHead};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// Signs, takes apart and reads again; then the same once more from what was read.
fn comes_back<C: Claims + PartialEq + std::fmt::Debug>(claims: &C) {
    let key = SecretKey::from_seed(&[9; 32]);
    let sign = |claims: &C| {
        let parent = Thumbprint([3; 32]);
        let draft = Draft::new(claims, PublisherId([4; 16]), parent, &key.public());
        let signature = key.sign(&draft.to_be_signed());
        (draft.name(), draft.finish(signature, &[]))
    };
    let (name, bytes) = sign(claims);
    let envelope = Envelope::decode(&bytes, C::TYP).expect("what was written is read");
    envelope
        .check_signature(&key.public())
        .expect("it was signed");
    assert_eq!(envelope.name(), name);
    let read: C = envelope
        .claims()
        .expect("claims are read as they were written");
    assert_eq!(&read, claims);
    assert_eq!(sign(&read).1, bytes, "there is one encoding");
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        (0..=Timestamp::MAX.seconds()).prop_map(Timestamp::from_seconds),
        Just(Timestamp::MAX),
        Just(Timestamp::default()),
    ]
}

/// Two times in order.
fn times() -> impl Strategy<Value = (Timestamp, Timestamp)> {
    (time(), time()).prop_map(|(one, other)| (one.min(other), one.max(other)))
}

fn days(most: u64) -> impl Strategy<Value = Span> {
    (0..=most * 86_400).prop_map(Span::from_seconds)
}

fn interval() -> impl Strategy<Value = Span> {
    (900..=30 * 86_400u64).prop_map(Span::from_seconds)
}

fn id() -> impl Strategy<Value = String> {
    "[a-z0-9][a-z0-9._-]{0,31}"
}

fn product() -> impl Strategy<Value = ProductId> {
    id().prop_map(|text| text.parse().expect("an id"))
}

fn site() -> impl Strategy<Value = SiteId> {
    id().prop_map(|text| text.parse().expect("an id"))
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9 äß東.-]{1,30}"
}

fn key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(|seed| SecretKey::from_seed(&seed).public())
}

fn thumbprint() -> impl Strategy<Value = Thumbprint> {
    any::<[u8; 32]>().prop_map(Thumbprint)
}

fn signature() -> impl Strategy<Value = [u8; 64]> {
    (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(one, other)| {
        let both = [one, other].concat();
        both.try_into().expect("64 bytes")
    })
}

fn ticket_of(store: StoreId) -> impl Strategy<Value = Ticket> {
    (any::<u32>(), any::<[u8; 16]>()).prop_map(move |(generation, tag)| Ticket {
        store,
        generation,
        tag,
    })
}

fn ticket() -> impl Strategy<Value = Ticket> {
    any::<[u8; 8]>().prop_flat_map(|store| ticket_of(StoreId(store)))
}

fn components() -> impl Strategy<Value = ComponentTags> {
    (any::<u8>(), any::<[u8; 16]>()).prop_map(|(mask, tags)| {
        let length = 1 + 2 * mask.count_ones() as usize;
        let bytes = [&[mask][..], &tags].concat();
        ComponentTags::from_bytes(&bytes[..length]).expect("tags of the kinds in the mask")
    })
}

fn scope<T: Ord + Clone + std::fmt::Debug>(
    one: impl Strategy<Value = T>,
    sizes: std::ops::Range<usize>,
) -> impl Strategy<Value = std::collections::BTreeSet<T>> {
    btree_set(one, sizes)
}

fn flags() -> impl Strategy<Value = Flags> {
    let all = [
        Flags::CERTIFY_KMS_HOSTS,
        Flags::CERTIFY_VM_HOSTS,
        Flags::POLICIES,
        Flags::REVOCATIONS,
        Flags::OBJECTS,
        Flags::CONFIRMATIONS,
    ];
    proptest::sample::subsequence(all.to_vec(), 0..=6)
        .prop_map(|some| some.into_iter().fold(Flags::NONE, Flags::and))
}

prop_compose! {
    fn cert()(
        host in any::<bool>(),
        all in any::<bool>(),
        key in key(),
        opening_key in any::<[u8; 32]>(),
        name in name(),
        products in scope(product(), 0..4),
        sites in scope(site(), 1..2),
        (client_budget, depth) in any::<(u32, u32)>(),
        flags in flags(),
        bounds in proptest::option::of((any::<u32>(), any::<u64>())),
        issued in time(),
        (not_before, not_after) in times(),
    ) -> Cert {
        Cert {
            role: if host { Role::KmsHost } else { Role::Issuing },
            key,
            opening_key,
            name,
            products: if all { Scope::All } else { Scope::Only(products) },
            sites: if all && !host { Scope::All } else { Scope::Only(sites) },
            client_budget,
            depth,
            flags,
            policy_bounds: bounds.map(|(threshold_min, validity_max)| PolicyBounds {
                threshold_min,
                validity_max: Span::from_seconds(validity_max),
            }),
            issued,
            not_before,
            not_after,
        }
    }
}

prop_compose! {
    fn policy()(
        product in product(),
        name in name(),
        server in any::<bool>(),
        (threshold, version) in (1..=u32::MAX, 1..=u32::MAX),
        (renewal, retry) in (interval(), interval()),
        graces in [days(3_660), days(3_660), days(3_660), days(3_660)],
        warning in days(3_660),
        methods in proptest::sample::subsequence(Method::ALL.to_vec(), 0..=6),
        site in proptest::option::of(site()),
        requires_base in vec(product_and(), 0..3),
        (hardware_percent, hardware_floor) in (0..=100u32, 0..=8u32),
        switches in any::<[bool; 3]>(),
        digests in vec((name_of_file(), any::<[u8; 32]>()), 0..3),
        confirmation_key in any::<bool>(),
        group in 0..1u16 << 13,
        issued in time(),
    ) -> Policy {
        let [initial_grace, tolerance_grace, non_genuine_grace, extended_grace] = graces;
        let [refuse_declared, count_users, advisory] = switches;
        let kind = if server { ProductKind::Server } else { ProductKind::Client };
        Policy {
            threshold,
            version,
            group: ProductGroup::new(group).expect("13 bits"),
            validity: renewal + Span::from_days(100),
            renewal,
            retry,
            initial_grace,
            tolerance_grace,
            non_genuine_grace,
            extended_grace,
            warning,
            methods: Methods::only(methods),
            site,
            requires_base,
            hardware_percent,
            hardware_floor,
            refuse_declared,
            count_users,
            advisory,
            digests: digests
                .into_iter()
                .map(|(name, sha256)| FileDigest { name, sha256 })
                .collect(),
            confirmation_key: confirmation_key.then_some([5; 96]),
            ..Policy::new(product, &name, kind, issued)
        }
    }
}

fn product_and() -> impl Strategy<Value = ProductId> {
    product()
}

fn name_of_file() -> impl Strategy<Value = String> {
    "[a-z/]{1,20}"
}

fn asked() -> impl Strategy<Value = Vec<AskedProduct>> {
    let one = (
        0..7usize,
        proptest::option::of(any::<u64>()),
        proptest::option::of(any::<u32>()),
    );
    btree_set(product(), 1..4).prop_flat_map(move |ids| {
        let ids: Vec<_> = ids.into_iter().collect();
        vec(one.clone(), ids.len()).prop_map(move |drawn| {
            let with_id = |(id, (state, minutes_left, required)): (&ProductId, _)| AskedProduct {
                product: id.clone(),
                state: LicenceState::ALL[state],
                minutes_left,
                required,
            };
            ids.iter().zip(drawn).map(with_id).collect()
        })
    })
}

prop_compose! {
    fn ask()(
        audience in thumbprint(),
        client in key(),
        nonce in any::<[u8; 16]>(),
        products in asked(),
        ticket in proptest::option::of(ticket()),
        components in components(),
        predecessor in proptest::option::of((key(), ticket(), signature())),
        switches in any::<[bool; 4]>(),
        version in name(),
        machine in proptest::option::of(name()),
        issued in time(),
    ) -> Ask {
        let [base_licence, in_vm, user_identity, declared] = switches;
        Ask {
            audience,
            client,
            nonce: Nonce(nonce),
            products,
            ticket,
            components,
            predecessor: predecessor.map(|(key, order, signature)| Predecessor {
                key,
                order,
                signature,
            }),
            base_licence,
            in_vm,
            version,
            name: machine,
            user_identity,
            declared,
            issued,
        }
    }
}

fn outcome(store: StoreId) -> impl Strategy<Value = Outcome> {
    prop_oneof![
        vec(vec(any::<u8>(), 0..300), 0..4).prop_map(|leases| Outcome::Granted { leases }),
        Just(Outcome::Wait),
        ticket_of(store).prop_map(|order| Outcome::NewKey { order }),
        Just(Outcome::Refused),
    ]
}

prop_compose! {
    fn answer()(store in any::<[u8; 8]>())(
        nonce in any::<[u8; 16]>(),
        ask in thumbprint(),
        outcome in outcome(StoreId(store)),
        reason in "MUSTER-[A-Z]{3}-[0-9]{4}",
        refused in vec((product(), "MUSTER-[A-Z]{3}-[0-9]{4}"), 0..3),
        ticket in proptest::option::of(ticket_of(StoreId(store))),
        (renewal, retry, revocations) in any::<(u64, u64, u64)>(),
        issued in time(),
        store in Just(store),
    ) -> Answer {
        Answer {
            nonce: Nonce(nonce),
            ask,
            outcome,
            reason,
            refused,
            store: StoreId(store),
            ticket,
            renewal: Span::from_seconds(renewal),
            retry: Span::from_seconds(retry),
            revocations,
            issued,
        }
    }
}

prop_compose! {
    fn lease()(
        vm in any::<bool>(),
        product in product(),
        client in thumbprint(),
        (count, policy_version, revocations) in any::<(u32, u32, u64)>(),
        components in components(),
        (issued, expires) in times(),
    ) -> Lease {
        Lease {
            kind: if vm { LeaseKind::Vm } else { LeaseKind::Kms },
            product,
            client,
            count,
            components,
            policy_version,
            revocations,
            issued,
            expires,
        }
    }
}

prop_compose! {
    fn revocations()(
        (from, step) in (0..1u64 << 40, 1..1u64 << 40),
        entries in vec((thumbprint(), time()), 0..8),
        issued in time(),
    ) -> Revocations {
        Revocations {
            from,
            number: from + step,
            entries: entries.into_iter().map(|(key, ends)| Revoked { key, ends }).collect(),
            issued,
        }
    }
}

prop_compose! {
    fn request()(
        role in proptest::sample::select(vec![Role::Issuing, Role::KmsHost, Role::VmHost]),
        key in key(),
        (opening_key, nonce) in any::<([u8; 32], [u8; 16])>(),
        sealed_keys in vec(vec(any::<u8>(), 0..160), 0..4),
        components in components(),
        previous in proptest::option::of((key(), thumbprint(), signature())),
        name in name(),
        issued in time(),
    ) -> Request {
        Request {
            role,
            key,
            opening_key,
            sealed_keys,
            components,
            previous: previous.map(|(key, cert, signature)| Previous {
                key,
                cert,
                signature,
            }),
            name,
            nonce,
            issued,
        }
    }
}

proptest! {
    #[test]
    fn certificates_come_back(claims in cert()) {
        comes_back(&claims);
    }

    #[test]
    fn policies_come_back(claims in policy()) {
        comes_back(&claims);
    }

    #[test]
    fn asks_come_back(claims in ask()) {
        comes_back(&claims);
    }

    #[test]
    fn answers_come_back(claims in answer()) {
        comes_back(&claims);
    }

    #[test]
    fn leases_come_back(claims in lease()) {
        comes_back(&claims);
    }

    #[test]
    fn revocations_come_back(claims in revocations()) {
        comes_back(&claims);
    }

    #[test]
    fn requests_come_back(claims in request()) {
        comes_back(&claims);
    }

    #[test]
    fn openings_come_back(
        opening_key in any::<[u8; 32]>(),
        store in any::<[u8; 8]>().prop_map(StoreId),
        issued in 0..Timestamp::MAX.seconds() - Opening::LIFE.seconds(),
        life in 0..=Opening::LIFE.seconds(),
    ) {
        let issued = Timestamp::from_seconds(issued);
        comes_back(&Opening { opening_key, store, issued, expires: issued + Span::from_seconds(life) });
    }

    #[test]
    fn roots_come_back(name in name(), first in any::<u8>(), count in 1..=3u8) {
        let keys = (0..count).map(|n| SecretKey::from_seed(&[first.wrapping_add(n); 32]).public());
        let root = Root::new(name, keys.collect()).expect("a root");
        prop_assert_eq!(Root::decode(&root.encode()).expect("a root file"), root);
    }

    #[test]
    fn greetings_come_back(
        chain in vec(vec(any::<u8>(), 0..1_024), 0..=2),
        opening in vec(any::<u8>(), 0..1_024),
    ) {
        let hello = Hello { chain, opening };
        prop_assert_eq!(Hello::decode(&hello.encode()).expect("a greeting"), hello);
    }

    #[test]
    fn bundles_come_back(
        chain in vec(vec(any::<u8>(), 0..1_024), 0..=2),
        policy in vec(any::<u8>(), 0..2_000),
        revocations in vec(vec(any::<u8>(), 0..1_000), 0..=8),
    ) {
        let keys = vec![SecretKey::from_seed(&[1; 32]).public()];
        let root = Root::new("Contoso", keys).expect("a root");
        let bundle = Bundle { root, chain, policy, revocations };
        prop_assert_eq!(Bundle::decode(&bundle.encode()).expect("a bundle"), bundle);
    }

    #[test]
    fn random_bytes_make_no_reader_panic(bytes in vec(any::<u8>(), 0..600)) {
        read_as_everything(&bytes);
    }

    /// Bytes that look like CBOR reach further than random ones.
    #[test]
    fn random_items_make_no_reader_panic(heads in vec(cbor_like(), 0..60)) {
        read_as_everything(&heads.concat());
        read_as_everything(&[&[0xd2, 0x84][..], &heads.concat()].concat());
    }
}

fn cbor_like() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..0x18u8).prop_map(|low| vec![low]),
        (0x20..0x38u8).prop_map(|low| vec![low]),
        vec(any::<u8>(), 0..24).prop_map(|b| [vec![0x40 | (b.len() as u8 % 24)], b].concat()),
        "[a-z]{0,20}".prop_map(|t| [vec![0x60 | t.len() as u8], t.into_bytes()].concat()),
        (0..6u8).prop_map(|count| vec![0x80 | count]),
        (0..6u8).prop_map(|count| vec![0xa0 | count]),
        (0xf4..0xf8u8).prop_map(|simple| vec![simple]),
        Just(vec![0xd2]),
        any::<[u8; 3]>().prop_map(|bytes| bytes.to_vec()),
    ]
}

fn read_as_everything(bytes: &[u8]) {
    let publisher = PublisherId([0; 16]);
    drop(Envelope::decode_any(bytes));
    drop(Ask::open(bytes, publisher, Thumbprint([0; 32])));
    drop(Request::open(bytes, publisher));
    drop(Hello::decode(bytes));
    drop(Bundle::decode(bytes));
    drop(Root::decode(bytes));
    let _ = SealedHead::split(bytes);
    drop(ComponentTags::from_bytes(bytes));
}
