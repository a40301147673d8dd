//! The administrator's verbs.

use muster_client::{Which, parse_root};
use muster_proto::key::Channel;
use muster_proto::key::ProductGroup;
use muster_proto::reason::{client as reasons, key as keys, statement};
use muster_proto::statement::Anchor;
use muster_proto::statement::lease::Lease;
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::root::Root;

use crate::estate::{Publisher, days, id};
use crate::stub::{Machine, Stub, key};

#[tokio::test]
async fn keys_that_do_not_fit_are_refused_and_nothing_is_written() {
    let publisher = Publisher::new(1);
    let policy = publisher.policy("cad");
    let bundle = publisher.bundle(&policy, &[]);
    let machine = Machine::new();
    let good = key(&publisher, Channel::GenericVolume, &policy);
    let install =
        |key: &_, bundle: &[u8], root: Option<&_>| machine.client.install_key(key, bundle, root);

    let host_key = key(&publisher, Channel::KmsHost, &policy);
    let refusal = install(&host_key, &bundle.encode(), None).unwrap_err();
    assert_eq!(refusal.reason, keys::WRONG_CHANNEL);
    let mut other = publisher.policy("cad");
    other.group = ProductGroup::new(77).unwrap();
    let other_bundle = publisher.bundle(&other, &[]).encode();
    assert_eq!(
        install(&good, &other_bundle, None).unwrap_err().reason,
        keys::WRONG_PRODUCT
    );
    let foreign = Publisher::new(60).root.fingerprint();
    let refusal = install(&good, &bundle.encode(), Some(&foreign)).unwrap_err();
    assert_eq!(refusal.reason, reasons::ROOT_DIFFERS);
    let mut cut = bundle.encode();
    cut.pop();
    assert!(install(&good, &cut, None).is_err());
    let mut mixed = bundle.clone();
    mixed.root = Publisher::new(60).root;
    let refusal = install(&good, &mixed.encode(), None).unwrap_err();
    assert_eq!(refusal.reason, statement::WRONG_PUBLISHER);
    assert!(!machine.file("state").exists() && !machine.file("identity").exists());

    let own = publisher.root.fingerprint();
    let installed = install(&good, &bundle.encode(), Some(&own)).unwrap();
    assert!(!installed.root_known && installed.replaced.is_none());
    let again = install(&good, &bundle.encode(), None).unwrap();
    assert!(again.root_known && again.replaced == Some(good.last5()));
}

#[tokio::test]
async fn an_older_policy_is_not_taken_back() {
    let publisher = Publisher::new(1);
    let mut policy = publisher.policy("cad");
    policy.version = 4;
    let machine = Machine::new();
    machine.install(&publisher, &policy);
    policy.version = 3;
    let key = key(&publisher, Channel::GenericVolume, &policy);
    let bundle = publisher.bundle(&policy, &[]).encode();
    let refusal = machine.client.install_key(&key, &bundle, None).unwrap_err();
    assert_eq!(refusal.reason, statement::BACKWARDS);
    assert_eq!(machine.status().policy_version, Some(4));
}

#[tokio::test]
async fn a_key_is_changed_by_its_group_and_removed_with_everything() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let mut policy = publisher.policy("cad");
    policy.group = ProductGroup::new(5).unwrap();
    let machine = Machine::installed(&publisher, &policy, &[&stub]);
    machine.activate().await;
    let changed = machine
        .client
        .change_key(
            &key(&publisher, Channel::GenericVolume, &policy),
            &Which::default(),
        )
        .unwrap();
    assert_eq!(changed.name.product, id("cad"));
    let mut other = policy.clone();
    other.group = ProductGroup::new(6).unwrap();
    let wrong = key(&publisher, Channel::GenericVolume, &other);
    let refusal = machine
        .client
        .change_key(&wrong, &Which::default())
        .unwrap_err();
    assert_eq!(refusal.reason, keys::WRONG_PRODUCT);
    assert_eq!(machine.status().state, "licensed");
    let removed = machine
        .client
        .remove_key(&Which::product(id("cad")))
        .unwrap();
    assert_eq!(removed.len(), 1);
    assert!(
        machine
            .client
            .status(&Which::default())
            .unwrap()
            .products
            .is_empty()
    );
    let refusal = machine
        .client
        .remove_key(&Which::product(id("cad")))
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::NOT_INSTALLED);
}

#[tokio::test]
async fn rearm_gives_one_grace_where_the_policy_does() {
    let publisher = Publisher::new(1);
    let machine = Machine::new();
    machine.install(&publisher, &publisher.policy("cad"));
    let refusal = machine.client.rearm(&Which::default()).unwrap_err();
    assert_eq!(refusal.reason, reasons::REARM_NOT_ALLOWED);
    let mut policy = publisher.policy("cad");
    (policy.version, policy.extended_grace) = (2, days(10));
    machine.install(&publisher, &policy);
    machine.client.rearm(&Which::default()).unwrap();
    assert_eq!(machine.status().state, "extended-grace");
    let refusal = machine.client.rearm(&Which::default()).unwrap_err();
    assert_eq!(refusal.reason, reasons::REARM_SPENT);
    machine.client.reset_identity().unwrap();
    assert_eq!(machine.status().state, "extended-grace");
    let refusal = machine.client.rearm(&Which::default()).unwrap_err();
    assert_eq!(
        refusal.reason,
        reasons::REARM_SPENT,
        "a reset gives no other"
    );
    machine.clock.pass(days(10));
    assert_eq!(machine.status().state, "notification");
    let stub = Stub::start(&publisher.host(9));
    stub.with(|script| script.now = script.now + days(10));
    machine.hosts(&[&stub]);
    assert!(machine.activate().await.licensed);
    let refusal = machine.client.rearm(&Which::default()).unwrap_err();
    assert_eq!(refusal.reason, reasons::REARM_NEEDLESS);
}

#[tokio::test]
async fn an_identity_is_reset_for_an_image_and_what_is_installed_stays() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.activate().await;
    machine.client.reset_identity().unwrap();
    let status = machine.status();
    assert_eq!(
        (status.state, status.policy_version),
        ("unlicensed", Some(1))
    );
    assert!(status.key_last5.is_some());
    machine.activate().await;
    let asks = stub.asks();
    assert_ne!(asks[0].client, asks[1].client);
    assert!(asks[1].ticket.is_none() && asks[1].predecessor.is_none());
}

#[tokio::test]
async fn what_is_exported_an_independent_verifier_can_check() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    let refusal = machine.client.export(&Which::default()).unwrap_err();
    assert_eq!(refusal.reason, reasons::NOTHING_TO_EXPORT);
    machine.activate().await;
    let files = machine.client.export(&Which::default()).unwrap();
    let find = |kind: &str| {
        &files
            .iter()
            .find(|file| file.name.ends_with(kind))
            .unwrap()
            .bytes
    };
    let root = Root::decode(find(".root")).unwrap();
    assert_eq!(root, publisher.root);
    let revoked = RevocationSet::default();
    let anchor = Anchor {
        root: &root,
        revoked: &revoked,
    };
    let lease = anchor.verify::<Lease>(find(".lease")).unwrap();
    assert_eq!(lease.claims.product, id("cad"));
    let policy = anchor
        .verify::<muster_proto::statement::policy::Policy>(find(".policy"))
        .unwrap();
    assert_eq!(policy.claims.product, id("cad"));
}

#[tokio::test]
async fn hosts_are_set_for_a_product_before_a_publisher_before_all() {
    let publisher = Publisher::new(1);
    let machine = Machine::new();
    machine.install(&publisher, &publisher.policy("cad"));
    let of_publisher = Which {
        publisher: Some(publisher.root.publisher()),
        product: None,
    };
    let host = |port: u16| [format!("127.0.0.1:{port}").parse().unwrap()];
    machine
        .client
        .set_host(&host(3), &Which::default())
        .unwrap();
    machine.client.set_host(&host(2), &of_publisher).unwrap();
    machine
        .client
        .set_host(&host(1), &Which::product(id("cad")))
        .unwrap();
    let activation = machine.activate().await;
    let tried: Vec<_> = activation
        .tried
        .iter()
        .take(3)
        .map(|tried| &*tried.host)
        .collect();
    assert_eq!(tried, ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]);
    assert!(activation.tried.iter().all(|tried| !tried.answered));
    machine.client.clear_host(&Which::default()).unwrap();
    let own = machine.identity();
    assert!(own.settings.hosts.is_empty());
    let own = own.publishers.values().next().unwrap();
    assert!(own.hosts.is_empty() && own.products[&id("cad")].hosts.is_empty());
    let refusal = machine
        .client
        .set_host(&[], &Which::product(id("cam")))
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::NOT_INSTALLED);
    assert!(machine.client.set_domain(Some("not a domain")).is_err());
}

#[tokio::test]
async fn a_root_is_insisted_on_by_file_or_fingerprint() {
    let publisher = Publisher::new(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("contoso.root");
    std::fs::write(&path, publisher.root.encode()).unwrap();
    let fingerprint = publisher.root.fingerprint();
    assert_eq!(parse_root(path.to_str().unwrap()).unwrap(), fingerprint);
    assert_eq!(parse_root(&fingerprint.to_string()).unwrap(), fingerprint);
    assert!(parse_root("nothing").is_err());
    std::fs::write(&path, b"no root").unwrap();
    assert!(parse_root(path.to_str().unwrap()).is_err());
}

#[tokio::test]
async fn the_time_is_compared_with_hosts() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.activate().await;
    machine
        .clock
        .set_wall(stub.with(|script| script.now) - days(1));
    let report = machine.client.set_time().await.unwrap();
    assert_eq!(report.behind, Some(days(1)));
    assert_eq!(report.asked.reason, reasons::LICENSED_BY_RUNNING_TIME);
    machine.client.clear_host(&Which::default()).unwrap();
}
