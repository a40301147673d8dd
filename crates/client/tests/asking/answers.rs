//! What hosts answer, and what of it is believed.

use muster_proto::reason::{client as reasons, dns, statement};

use crate::estate::{Publisher, START, days, id};
use crate::stub::{Machine, Mode, Stub};

#[tokio::test]
async fn a_machine_activates_and_shows_all_that_scripts_rely_on() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    assert_eq!(machine.status().state, "unlicensed");
    let activation = machine.activate().await;
    assert!(activation.licensed && activation.renewed, "{activation:?}");
    let json = serde_json::to_value(machine.client.status(&Default::default()).unwrap()).unwrap();
    let shown = &json["products"][0];
    assert_eq!(shown["product"], "cad");
    assert_eq!(shown["publisher"], "Contoso");
    assert_eq!(shown["state"], "licensed");
    assert_eq!(shown["method"], "kms");
    assert_eq!(
        (&shown["count"], &shown["required"]),
        (&5.into(), &5.into())
    );
    assert_eq!(shown["host"], stub.place());
    assert_eq!(shown["issued_at"], "2027-01-15T08:00:00Z");
    assert_eq!(shown["expires_at"], "2027-07-14T08:00:00Z");
    assert_eq!(shown["next"]["what"], "renew");
    assert_eq!(shown["renew_at"], shown["next"]["at"]);
    assert_eq!(shown["reason"]["code"], "MUSTER-CLI-0001");
    assert_eq!(shown["key_last5"].as_str().unwrap().len(), 5);
    assert_eq!(shown["hardware"], "declared");
    let ask = &stub.asks()[0];
    assert!(ask.declared && ask.name.is_none() && ask.predecessor.is_none());
}

#[tokio::test]
async fn below_the_threshold_the_true_count_is_shown_and_the_next_ask_follows_soon() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    stub.with(|script| script.count = Some(4));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    let activation = machine.activate().await;
    assert!(!activation.licensed);
    assert_eq!(activation.reason.reason, reasons::COUNT_BELOW);
    assert_eq!(activation.reason.detail, "4 of 5");
    let status = machine.status();
    assert_eq!(
        (status.state, status.count, status.required),
        ("unlicensed", Some(4), Some(5))
    );
    let next = machine
        .state()
        .publishers
        .values()
        .next()
        .unwrap()
        .next_ask
        .unwrap();
    let minutes = next.wall.since(START).minutes();
    assert!((108..=132).contains(&minutes), "{minutes}");
    stub.with(|script| script.count = Some(5));
    assert!(machine.activate().await.licensed);
}

#[tokio::test]
async fn whatever_is_no_verified_answer_changes_nothing_and_the_next_host_serves() {
    let publisher = Publisher::new(1);
    let (bad, good) = (
        Stub::start(&publisher.host(9)),
        Stub::start(&publisher.host(10)),
    );
    let other = publisher.host(11).signer;
    for (mode, reason) in [
        (Mode::Status(404), reasons::HOST_STATUS),
        (Mode::Status(500), reasons::HOST_STATUS),
        (Mode::Status(503), reasons::HOST_BUSY),
        (Mode::Redirect, reasons::HOST_STATUS),
        (Mode::Garbage, dns::SEAL_ANSWER_BROKEN),
        (
            Mode::SignedBy(Box::new(other.clone())),
            reasons::ANSWER_OTHER_HOST,
        ),
    ] {
        bad.mode(mode);
        let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&bad]);
        let before = machine.state().publishers;
        let activation = machine.activate().await;
        assert!(!activation.licensed);
        assert_eq!(activation.tried[0].outcome.reason, reason, "{activation:?}");
        assert_eq!(activation.reason.reason, reason);
        let mut after = machine.state().publishers;
        let (before, after) = (
            before.values().next().unwrap(),
            after.values_mut().next().unwrap(),
        );
        let failed = after.products.get_mut(&id("cad")).unwrap().failed.take();
        assert_eq!(failed.unwrap().why.code, reason.code(), "all that is noted");
        assert_eq!(before.products, after.products);
        assert_eq!((before.floor, &before.last), (after.floor, &after.last));
        machine.hosts(&[&bad, &good]);
        let activation = machine.activate().await;
        assert!(activation.licensed, "{activation:?}");
        assert_eq!(activation.tried.len(), 2);
    }
}

#[tokio::test]
async fn an_old_answer_is_no_answer_to_the_pending_ask() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    assert!(machine.activate().await.licensed);
    stub.mode(Mode::Replay);
    machine.clock.pass(days(7));
    let activation = machine.activate().await;
    assert!(
        activation.licensed && !activation.renewed,
        "the lease holds"
    );
    assert_eq!(activation.tried[0].outcome.reason, statement::NONCE);
    let nonce = stub.asks()[1].nonce;
    stub.mode(Mode::Honest);
    assert!(machine.activate().await.renewed);
    assert_eq!(
        stub.asks()[2].nonce,
        nonce,
        "the nonce was kept until an answer was stored"
    );
    machine.activate().await;
    assert_ne!(stub.asks()[3].nonce, nonce);
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_is_given_up_and_the_nonce_stays_pending() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    stub.mode(Mode::Silent);
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    let activation = machine.activate().await;
    assert!(
        !activation.licensed && !activation.tried[0].answered,
        "{activation:?}"
    );
    assert!(
        machine
            .state()
            .publishers
            .values()
            .all(|it| it.last.is_none())
    );
}

#[tokio::test]
async fn another_publishers_host_is_passed_over() {
    let (publisher, foreign) = (Publisher::new(1), Publisher::new(60));
    let (theirs, ours) = (
        Stub::start(&foreign.host(9)),
        Stub::start(&publisher.host(9)),
    );
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&theirs, &ours]);
    let activation = machine.activate().await;
    assert!(activation.licensed);
    assert_eq!(activation.tried[0].outcome.reason, reasons::HOST_STATUS);
    // One that greets in our publisher's name with its own chain.
    let mut liar = foreign.host(9);
    liar.signer.publisher = publisher.root.publisher();
    let liar = Stub::start(&liar);
    machine.hosts(&[&liar]);
    let activation = machine.activate().await;
    let tried = activation
        .tried
        .iter()
        .find(|tried| tried.host == liar.place())
        .unwrap();
    assert_eq!(tried.outcome.reason, statement::WRONG_PUBLISHER);
    assert_eq!(
        theirs.asks().len() + liar.asks().len(),
        0,
        "nothing was told to them"
    );
}

#[tokio::test]
async fn an_older_chain_of_a_known_host_is_refused() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host_at(9, "berlin", START - days(1)));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.activate().await;
    stub.with(|script| script.station = publisher.host_at(9, "berlin", START - days(90)));
    let activation = machine.activate().await;
    assert_eq!(activation.tried[0].outcome.reason, reasons::CHAIN_OLDER);
    assert_eq!(stub.asks().len(), 1);
    assert!(activation.licensed);
}

#[tokio::test]
async fn a_host_that_has_just_replaced_its_opening_key_is_greeted_again_once() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    stub.mode(Mode::Conflict);
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    assert!(machine.activate().await.licensed);
    let hellos = stub.with(|script| {
        script
            .requests
            .iter()
            .filter(|path| path.contains("hello"))
            .count()
    });
    assert_eq!(hellos, 2);
    stub.mode(Mode::Status(409));
    let activation = machine.activate().await;
    assert!(!activation.renewed);
}

#[tokio::test]
async fn what_the_host_holds_that_is_newer_is_fetched_from_it() {
    let publisher = Publisher::new(1);
    let (one, two) = (publisher.host(9), publisher.host(10));
    let stub = Stub::start(&one);
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    let mut policy = publisher.policy("cad");
    (policy.version, policy.threshold) = (2, 3);
    let bundle = publisher.bundle(&policy, &[]).encode();
    stub.with(|script| {
        script.count = Some(3);
        script.policies.insert("cad".into(), bundle);
        script.policy_version = 2;
        script.revocations.insert(0, publisher.revoke(0, &two));
        script.revocations.insert(1, publisher.revoke(1, &one));
        script.revocation_number = 2;
    });
    let activation = machine.activate().await;
    let status = machine.status();
    assert_eq!(status.policy_version, Some(2));
    assert_eq!(status.required, Some(3));
    // The second delta revoked the very host that sent it.
    assert_eq!(status.state, "non-genuine-grace", "{activation:?}");
    assert!(!activation.licensed);
    let activation = machine.activate().await;
    assert_eq!(activation.tried[0].outcome.reason, statement::REVOKED);
    let honest = Stub::start(&publisher.host(11));
    machine.hosts(&[&honest]);
    assert!(machine.activate().await.licensed);
}

#[tokio::test]
async fn two_hosts_serve_the_products_of_one_publisher_together() {
    let publisher = Publisher::new(1);
    let (one, two) = (
        Stub::start(&publisher.host(9)),
        Stub::start(&publisher.host(10)),
    );
    one.with(|script| script.serves = vec!["cad".into()]);
    two.with(|script| script.serves = vec!["cam".into()]);
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&one, &two]);
    machine.install(&publisher, &publisher.policy("cam"));
    let activation = machine.activate().await;
    assert!(activation.licensed && activation.renewed, "{activation:?}");
    assert_eq!(one.asks()[0].products.len(), 2);
    assert_eq!(two.asks()[0].products.len(), 1);
}

#[tokio::test]
async fn a_pinned_site_and_an_allowed_method_are_kept_to() {
    let publisher = Publisher::new(1);
    let munich = Stub::start(&publisher.host_at(9, "munich", START - days(1)));
    let berlin = Stub::start(&publisher.host_at(10, "berlin", START - days(1)));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&munich, &berlin]);
    machine
        .client
        .set_site(Some("berlin".parse().unwrap()))
        .unwrap();
    let activation = machine.activate().await;
    assert_eq!(activation.tried[0].outcome.reason, reasons::SITE_PINNED);
    assert_eq!(machine.status().site.as_deref(), Some("berlin"));
    machine.client.set_site(None).unwrap();
    machine.hosts(&[&munich]);
    let activation = machine.activate().await;
    let noted = activation
        .notes
        .iter()
        .any(|note| note.reason == reasons::SITE_CHANGED);
    assert!(
        noted || activation.tried[0].host == berlin.place(),
        "{activation:?}"
    );
    let directory = muster_proto::statement::policy::Method::Directory;
    machine.client.set_method(Some(directory)).unwrap();
    let refusal = machine
        .client
        .activate(&Default::default())
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_machines_name_is_told_only_where_it_is_allowed() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    let hostname = machine.root.path().join("sysroot/etc/hostname");
    std::fs::write(hostname, "cad-17\n").unwrap();
    machine.client.set_tell_name(true).unwrap();
    machine.activate().await;
    assert_eq!(stub.asks()[0].name.as_deref(), Some("cad-17"));
}
