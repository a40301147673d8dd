//! Copies of one machine: they notice by themselves, and nobody loses a licence.

use std::sync::Arc;

use muster_client::{Client, Options};
use muster_proto::reason::client as reasons;

use crate::estate::{Publisher, days};
use crate::stub::{Machine, Mode, Stub, TestClock, copy};

#[tokio::test]
async fn a_directory_copied_five_times_becomes_six_machines_within_two_asks() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    stub.with(|script| script.count = None);
    let mut policy = publisher.policy("cad");
    policy.threshold = 1;
    let first = Machine::installed(&publisher, &policy, &[&stub]);
    first.activate().await;
    let mut machines = vec![first];
    for _ in 0..5 {
        let twin = Machine::with(TestClock::new(), "one", None);
        copy(
            machines[0].client.dir(),
            twin.client.dir(),
            &["state", "identity"],
        );
        machines.push(twin);
    }
    let mut orders = 0;
    for _ in 0..2 {
        for machine in &machines {
            let activation = machine.activate().await;
            assert!(
                activation.licensed,
                "no order takes a licence away: {activation:?}"
            );
            orders += activation
                .notes
                .iter()
                .filter(|note| note.reason == reasons::ORDER_OBEYED)
                .count();
        }
    }
    let count = machines.last().unwrap().status().count;
    assert_eq!(count, Some(6));
    let mut ids: Vec<_> = machines
        .iter()
        .map(|machine| machine.status().client_id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "six identities");
    // Copied before or after its next ask, exactly five were told to make a new key.
    assert!(orders <= 5);
}

#[tokio::test]
async fn an_order_is_followed_by_an_ask_of_the_new_key_at_once() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.activate().await;
    let old = stub.asks()[0].client;
    stub.mode(Mode::Order);
    let activation = machine.activate().await;
    assert!(activation.licensed);
    let asks = stub.asks();
    let last = asks.last().unwrap();
    assert_ne!(last.client, old);
    assert_eq!(last.predecessor.as_ref().unwrap().key, old);
    // The host orders it again and again: one is obeyed, the others are ignored and told.
    let activation = machine.activate().await;
    assert_eq!(activation.tried[0].outcome.reason, reasons::ORDER_IGNORED);
    assert!(activation.licensed);
    stub.mode(Mode::Honest);
    assert!(machine.activate().await.renewed);
    let own = machine.identity();
    let own = own.publishers.values().next().unwrap();
    assert!(own.successor.is_none());
    assert_eq!(own.key.public(), stub.asks().last().unwrap().client);
    assert_eq!(machine.status().state, "licensed");
}

#[tokio::test]
async fn state_carried_to_another_machine_does_not_fit_it() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.activate().await;
    let other = Machine::with(Arc::clone(&machine.clock), "two", None);
    copy(machine.client.dir(), other.client.dir(), &["state"]);
    let status = other.status();
    assert_eq!(status.state, "out-of-tolerance-grace");
    assert_eq!(status.reason.code, reasons::HARDWARE_CHANGED.code());
    machine.clock.pass(days(30));
    assert_eq!(other.status().state, "notification");
    assert_eq!(machine.status().state, "licensed");
    // The same hardware read by another process is the same machine.
    let again = Client::new(Options {
        sysroot: Some(machine.root.path().join("sysroot")),
        clock: Arc::clone(&machine.clock) as Arc<dyn muster_client::Clock>,
        ..Options::new(other.client.dir())
    });
    let status = again.status(&Default::default()).unwrap();
    assert_eq!(status.products[0].state, "licensed");
}

#[tokio::test]
async fn two_activations_on_one_directory_follow_one_another() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    let (one, two) = tokio::join!(machine.activate(), machine.activate());
    assert!(one.renewed && two.renewed);
    let asks = stub.asks();
    assert_eq!(asks.len(), 2);
    assert_ne!(asks[0].nonce, asks[1].nonce);
    assert_eq!(asks[1].ticket.unwrap().generation, 1);
}
