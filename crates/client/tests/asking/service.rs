//! The background service: it asks by schedule, follows its directory, and stops in order.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muster_client::{LicenceState, ServiceEvent};

use crate::estate::{Publisher, days, id};
use crate::stub::{Machine, Mode, Stub};

/// Serves until `done` says so of the events told so far; gives them back.
async fn serve(machine: &Machine, done: impl Fn(&[ServiceEvent]) -> bool) -> Vec<ServiceEvent> {
    let events = Mutex::new(Vec::new());
    let enough = tokio::sync::Notify::new();
    let beats = AtomicUsize::new(0);
    let on = |event| {
        if matches!(event, ServiceEvent::Alive) {
            beats.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut events = events.lock().unwrap();
        events.push(event);
        if done(&events) {
            enough.notify_one();
        }
    };
    let served = machine.client.serve(None, on, enough.notified());
    tokio::time::timeout(Duration::from_secs(30), served)
        .await
        .expect("the service does what it was waited for")
        .unwrap();
    assert!(beats.into_inner() > 0, "it gives signs of life");
    events.into_inner().unwrap()
}

fn asked(events: &[ServiceEvent]) -> usize {
    let asked = |event: &&ServiceEvent| matches!(event, ServiceEvent::Asked { .. });
    events.iter().filter(asked).count()
}

#[tokio::test]
async fn a_service_activates_what_is_installed_while_it_runs() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::new();
    let events = serve(&machine, |events| {
        if events.len() == 1 {
            machine.install(&publisher, &publisher.policy("cad"));
            machine.hosts(&[&stub]);
        }
        asked(events) == 1 && matches!(events.last(), Some(ServiceEvent::State { .. }))
    })
    .await;
    assert!(matches!(events[0], ServiceEvent::Ready { products: 0 }));
    let last = events.last().unwrap();
    let ServiceEvent::State { product, to, .. } = last else {
        panic!("{last:?}");
    };
    assert_eq!((product, to), (&id("cad"), &LicenceState::Licensed));
    assert_eq!(stub.asks().len(), 1);
    assert_eq!(machine.status().state, "licensed");
}

#[tokio::test]
async fn a_service_asks_when_it_is_due_and_retries_a_failed_renewal() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.activate().await;
    // Six days later nothing is due; after eight it is, whatever the jitter.
    machine.clock.pass(days(6));
    let next = |machine: &Machine| {
        let state = machine.state();
        state.publishers.values().next().unwrap().next_ask.unwrap()
    };
    assert!(next(&machine).wall > muster_client::Clock::wall(&*machine.clock));
    machine.clock.pass(days(2));
    stub.mode(Mode::Status(500));
    serve(&machine, |events| asked(events) == 1).await;
    let wait = next(&machine)
        .wall
        .since(muster_client::Clock::wall(&*machine.clock));
    assert!((108..=132).contains(&wait.minutes()), "{wait}");
    assert_eq!(machine.status().state, "licensed");
}

#[tokio::test]
async fn what_is_set_while_hosts_are_asked_is_asked_by_at_once() {
    let publisher = Publisher::new(1);
    let (bad, good) = (
        Stub::start(&publisher.host(9)),
        Stub::start(&publisher.host(10)),
    );
    bad.mode(Mode::Status(500));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&bad]);
    let next = |machine: &Machine| {
        let state = machine.state();
        state.publishers.values().next().unwrap().next_ask
    };
    machine.activate().await;
    assert!(next(&machine).is_some());
    // The ask has begun and waits for the bad host when the good one is named.
    let set = async { machine.hosts(&[&good]) };
    let (activation, ()) = tokio::join!(machine.activate(), set);
    assert!(!activation.licensed);
    assert_eq!(next(&machine), None);
    serve(&machine, |events| asked(events) == 1).await;
    assert_eq!(machine.status().state, "licensed");
    assert_eq!(good.asks().len(), 1);
}
