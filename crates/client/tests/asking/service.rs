//! The background service: it asks by schedule, follows its directory, and stops in order.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muster_client::{LicenceState, ServiceEvent};
use muster_proto::reason::config;
use muster_proto::time::Span;

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

/// The disk takes no state any more when the first of two hosts has been asked: neither it nor the
/// other is asked for what could not be kept, until it can; and then for the same.
#[tokio::test]
async fn nobody_is_asked_for_an_answer_that_cannot_be_kept() {
    let publisher = Publisher::new(1);
    let (first, second) = (
        Stub::start(&publisher.host(9)),
        Stub::start(&publisher.host(10)),
    );
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&first, &second]);
    // What stands in the way of a new state is no file and cannot be replaced by one.
    let obstacle = machine.file("state.new");
    let (clock, path) = (std::sync::Arc::clone(&machine.clock), obstacle.clone());
    let breaks = move || {
        clock.pass(Span::from_seconds(5));
        std::fs::create_dir(&path).unwrap();
    };
    first.with(|script| script.on_ask = Some(Box::new(breaks)));
    let is_of_disk = |refusal: &muster_proto::Refusal| refusal.reason == config::FILE_UNWRITABLE;
    let events = serve(&machine, |events| {
        match events.last() {
            Some(ServiceEvent::Failed(refusal)) => {
                assert!(is_of_disk(refusal), "{refusal}");
                assert_eq!((first.asks().len(), second.asks().len()), (1, 0));
                first.with(|script| script.on_ask = None);
                std::fs::remove_dir(&obstacle).unwrap();
            }
            Some(ServiceEvent::Asked { outcome, .. }) => return outcome.is_ok(),
            _ => {}
        }
        false
    })
    .await;
    let failed = |event: &&ServiceEvent| match event {
        ServiceEvent::Asked { outcome, .. } => outcome.as_ref().is_err_and(is_of_disk),
        _ => false,
    };
    assert_eq!(events.iter().filter(failed).count(), 1, "{events:#?}");
    let asks = first.asks();
    assert_eq!((asks.len(), second.asks().len()), (2, 0));
    assert_eq!(asks[0].nonce, asks[1].nonce);
    assert_eq!(machine.status().state, "licensed");
}
