//! Wrong clocks, on either side of the wire.

use muster_proto::reason::client as reasons;

use crate::estate::{FAR, Publisher, START, days};
use crate::stub::{Machine, Stub};

#[tokio::test]
async fn a_host_living_in_2099_serves_and_poisons_nobody() {
    let mut publisher = Publisher::new(1);
    publisher.issuing = publisher.issuing_until(FAR + days(900));
    let far = Stub::start(&publisher.host_at(9, "berlin", FAR - days(9)));
    far.with(|script| script.now = FAR);
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&far]);
    let activation = machine.activate().await;
    assert!(activation.licensed, "{activation:?}");
    assert_eq!(
        activation.notes[0].reason,
        reasons::LICENSED_BY_RUNNING_TIME
    );
    let status = machine.status();
    assert_eq!(status.reason.code, reasons::LICENSED_BY_RUNNING_TIME.code());
    assert!(status.clock_difference.unwrap() > 70 * 365 * 86_400);
    let floor = machine
        .state()
        .publishers
        .values()
        .next()
        .unwrap()
        .floor
        .at();
    assert!(floor <= START + days(1));
    machine.clock.pass(days(179));
    assert_eq!(machine.status().state, "licensed");
    machine.clock.pass(days(2));
    assert_eq!(machine.status().state, "out-of-tolerance-grace");
    let honest = Stub::start(&publisher.host_at(10, "berlin", START - days(1)));
    honest.with(|script| script.now = START + days(181));
    machine.hosts(&[&honest]);
    let activation = machine.activate().await;
    assert_eq!(
        activation.reason.reason,
        reasons::LICENSED,
        "{activation:?}"
    );
}

#[tokio::test]
async fn a_clock_set_back_ten_years_gains_one_grace_and_a_host_ends_it() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.activate().await;
    machine.clock.pass(days(20));
    machine.clock.set_wall(START - days(3_650));
    // Without a service the grace began when the state was last written, twenty days ago.
    let status = machine.status();
    assert_eq!(status.state, "out-of-tolerance-grace");
    assert_eq!(status.reason.code, reasons::CLOCK_BEHIND.code());
    machine.clock.pass(days(11));
    assert_eq!(machine.status().state, "notification");
    // The next ask is due by running time, not in ten years.
    let state = machine.state();
    let next = state.publishers.values().next().unwrap().next_ask.unwrap();
    assert!(next.running.less(state.written.at.running) <= days(8));
    stub.with(|script| script.now = START + days(31));
    let activation = machine.activate().await;
    assert!(activation.licensed, "{activation:?}");
    assert_eq!(machine.status().state, "licensed");
    machine.clock.set_wall(START + days(40));
    assert_eq!(machine.status().state, "licensed");
}

#[tokio::test]
async fn a_lease_runs_out_and_one_answer_restores_it() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.activate().await;
    machine.clock.pass(days(185));
    assert_eq!(machine.status().state, "out-of-tolerance-grace");
    machine.clock.pass(days(26));
    assert_eq!(machine.status().state, "notification");
    stub.with(|script| script.now = START + days(211));
    assert!(machine.activate().await.renewed);
    assert_eq!(machine.status().state, "licensed");
}
