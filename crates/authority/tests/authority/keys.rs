//! Products and product keys.

use std::collections::HashMap;
use std::fs;

use muster_authority::{Authority, KeyOrder};
use muster_proto::authority::KeyId;
use muster_proto::key::{Channel, Last5, ProductKey};
use muster_proto::reason::{authority as reasons, key as key_reasons, statement};
use muster_proto::time::Span;
use muster_proto::wire::Bundle;

use crate::common::{NOW, authority, days, host_key, policy, product};

#[tokio::test]
async fn a_policy_grows_by_one_version_at_each_change() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let id = product("cad");
    let first = authority.product(&id).await.unwrap();
    assert_eq!((first.policy.version, first.policy.group.get()), (1, 1));
    assert_eq!(
        (first.policy.threshold, first.policy.validity),
        (25, Span::from_days(180))
    );

    // The same again changes nothing; other words for a product that exists are refused.
    assert_eq!(
        authority.add_product(policy("cad"), days(1)).await.unwrap(),
        first
    );
    let mut other = policy("cad");
    other.threshold = 3;
    let refusal = authority.add_product(other, NOW).await.unwrap_err();
    assert_eq!(refusal.reason, reasons::PRODUCT_EXISTS);

    let set = |threshold| authority.set_product(&id, move |p| p.threshold = threshold, days(2));
    assert_eq!(set(25).await.unwrap(), first);
    let second = set(7).await.unwrap();
    assert_eq!((second.policy.version, second.policy.issued), (2, days(2)));
    assert_eq!(set(0).await.unwrap_err().reason, statement::FIELD_WRONG);
    assert_eq!(authority.product(&id).await.unwrap(), second);

    let cam = authority.add_product(policy("cam"), NOW).await.unwrap();
    assert_eq!(cam.policy.group.get(), 2);
    assert_eq!(authority.products().await.unwrap(), [second.clone(), cam]);

    let bytes = authority.bundle(&id, days(2)).await.unwrap().encode();
    let verified = Bundle::decode(&bytes).unwrap().verify().unwrap();
    assert_eq!(verified.policy.claims, second.policy);
    let unknown = authority.bundle(&product("erp"), NOW).await.unwrap_err();
    assert_eq!(unknown.reason, reasons::PRODUCT_UNKNOWN);
}

#[tokio::test]
async fn changes_at_the_same_time_all_take_place() {
    let directory = tempfile::tempdir().unwrap();
    let one = authority(directory.path()).await;
    let two = Authority::open(directory.path()).await.unwrap();
    let id = product("cad");
    for round in 0..10u64 {
        let shorter = Span::from_days(30 + round);
        let (a, b) = tokio::join!(
            one.set_product(&id, |p| p.warning = shorter, NOW),
            two.set_product(&id, |p| p.tolerance_grace = shorter, NOW),
        );
        a.unwrap();
        b.unwrap();
    }
    // The first round changes nothing: both fields begin with 30 days.
    let last = one.product(&id).await.unwrap().policy;
    assert_eq!(last.version, 1 + 2 * 9);
    assert_eq!(
        (last.warning, last.tolerance_grace),
        (Span::from_days(39), Span::from_days(39))
    );
    let adds = ["a", "b", "c", "d"].map(policy);
    let [a, b, c, d] = adds;
    let (a, b, c, d) = tokio::join!(
        one.add_product(a, NOW),
        two.add_product(b, NOW),
        one.add_product(c, NOW),
        two.add_product(d, NOW),
    );
    let mut groups = [a, b, c, d].map(|report| report.unwrap().policy.group.get());
    groups.sort_unstable();
    assert_eq!(groups, [2, 3, 4, 5]);
}

#[tokio::test]
async fn keys_of_every_channel_can_be_issued_and_read() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    for (channel, limits) in
        Channel::ALL
            .into_iter()
            .zip([(0, 0), (6, 10), (1, 1), (6, 10), (0, 0), (1, 1), (1, 1)])
    {
        let mut order = KeyOrder::new(product("cad"), channel);
        order.count = 3;
        let keys = authority.issue_keys(&order, NOW).await.unwrap();
        assert_eq!(keys.len(), 3);
        for (serial, issued) in (0..).zip(&keys) {
            let read = ProductKey::parse(&issued.key.reveal()).unwrap();
            assert_eq!((read.channel(), read.group().get()), (channel, 1));
            assert_eq!(issued.id.serial, serial);
            let report = authority.key(&issued.id.to_string()).await.unwrap();
            assert_eq!((report.row.hosts_max, report.row.activations_max), limits);
            assert_eq!(report.row.last5, read.last5());
            assert_eq!(authority.reveal_key(issued.id).await.unwrap(), read);
            let by_key = authority.key(&read.reveal()).await.unwrap();
            assert_eq!(by_key.row.id, issued.id);
        }
    }
    let page = authority.keys(None, None, 5).await.unwrap();
    let rest = authority
        .keys(None, Some(page[4].row.id), 1_000)
        .await
        .unwrap();
    assert_eq!((page.len(), rest.len()), (5, 16));
}

#[tokio::test]
async fn orders_out_of_bounds_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    type Change = fn(&mut KeyOrder);
    let changes: [(Change, &str); 6] = [
        (|order| order.count = 0, "count"),
        (|order| order.count = 100_001, "count"),
        (|order| order.hosts = Some(0), "hosts"),
        (|order| order.activations = Some(1_000_001), "activations"),
        (|order| order.client_budget = Some(0), "client budget"),
        (
            |order| (order.channel, order.hosts) = (Channel::GenericVolume, Some(1)),
            "public",
        ),
    ];
    for (change, named) in changes {
        let mut order = KeyOrder::new(product("cad"), Channel::KmsHost);
        change(&mut order);
        let refusal = authority.issue_keys(&order, NOW).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::KEY_COUNT);
        assert!(refusal.detail.contains(named), "{refusal}");
    }
    let order = KeyOrder::new(product("erp"), Channel::KmsHost);
    let refusal = authority.issue_keys(&order, NOW).await.unwrap_err();
    assert_eq!(refusal.reason, reasons::PRODUCT_UNKNOWN);
    assert!(authority.keys(None, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_last_five_symbols_name_a_key_unless_several_share_them() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let mut order = KeyOrder::new(product("cad"), Channel::Retail);
    order.count = 40_000; // among so many, two of 25 bits are the same
    let keys = authority.issue_keys(&order, NOW).await.unwrap();
    let mut ending: HashMap<Last5, Vec<KeyId>> = HashMap::new();
    for issued in &keys {
        ending
            .entry(issued.key.last5())
            .or_default()
            .push(issued.id);
    }
    let (shared, ids) = ending.iter().find(|(_, ids)| ids.len() > 1).unwrap();
    let refusal = authority
        .revoke_key(&shared.to_string(), false, NOW)
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::KEY_AMBIGUOUS);
    for id in ids {
        assert!(refusal.detail.contains(&id.to_string()), "{refusal}");
        assert_eq!(
            authority.key(&id.to_string()).await.unwrap().row.revoked,
            None
        );
    }
    let (alone, _) = ending.iter().find(|(_, ids)| ids.len() == 1).unwrap();
    let shown = alone.to_string().to_lowercase();
    let report = authority.revoke_key(&shown, false, NOW).await.unwrap();
    assert_eq!(report.row.revoked, Some(NOW));
    let twice = authority.revoke_key(&shown, false, days(1)).await.unwrap();
    assert_eq!(twice.row.revoked, Some(NOW));

    for (wrong, reason) in [
        ("kms-host/1/99", reasons::KEY_NOT_FOUND),
        ("kms-host/1", reasons::SELECTOR_WRONG),
        ("nonsense", reasons::SELECTOR_WRONG),
        ("", reasons::SELECTOR_WRONG),
    ] {
        let refusal = authority.key(wrong).await.unwrap_err();
        assert_eq!(refusal.reason, reason, "{wrong}");
    }
}

#[tokio::test]
async fn a_key_of_another_authority_is_unknown() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = authority(here.path()).await;
    let other = authority(there.path()).await;
    let key = host_key(&other).await;
    let refusal = one.key(&key.reveal()).await.unwrap_err();
    assert_eq!(refusal.reason, key_reasons::UNKNOWN);
}

#[tokio::test]
async fn no_file_but_the_secrets_holds_a_product_key() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let key = host_key(&authority).await;
    authority.close().await;
    let text = key.reveal();
    let whole = text.replace('-', "");
    let bytes = key.to_bytes();
    for file in fs::read_dir(directory.path()).unwrap() {
        let path = file.unwrap().path();
        let found = fs::read(&path).unwrap();
        for secret in [text.as_bytes(), whole.as_bytes(), bytes.as_slice()] {
            let holds = found.windows(secret.len()).any(|window| window == secret);
            assert!(!holds, "{}", path.display());
        }
    }
}
