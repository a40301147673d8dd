//! What outlives the removal of a product: the policy version, the initial grace, the rearm, the
//! revocations; and how much of it is kept.

use muster_proto::client::LicenceState as S;
use muster_proto::client::install::{take_over, take_revocations};
use muster_proto::client::state::{Holding, Removed, State};
use muster_proto::limits::CLIENT_REMOVED_MAX;
use muster_proto::reason::{client as reasons, statement};
use muster_proto::statement::policy::Policy;

use crate::estate::{Machine, Publisher, START, days, id};

fn version(publisher: &Publisher, version: u32) -> Policy {
    let mut policy = publisher.policy("cad");
    policy.version = version;
    policy
}

/// What a file keeps of a state is all that is remembered.
fn reread(machine: &mut Machine) {
    machine.state = State::decode(&machine.state.encode()).unwrap();
}

#[test]
fn an_older_policy_is_refused_after_removal_and_nothing_changes() {
    let publisher = Publisher::new(1);
    let mut machine = Machine::new(&publisher, &version(&publisher, 4));
    machine.ask(&publisher.host(9), 5, START);
    machine.remove(&id("cad"));
    reread(&mut machine);
    let before = machine.state.clone();
    for older in 1..4 {
        let bundle = publisher.bundle(&version(&publisher, older), &[]);
        let refusal = machine.take(&bundle).unwrap_err();
        assert_eq!(refusal.reason, reasons::POLICY_BACKWARDS);
        assert!(refusal.detail.contains(&format!("version {older}, 4 ")));
        assert_eq!(machine.state, before);
    }
    for newer in [4, 5] {
        let bundle = publisher.bundle(&version(&publisher, newer), &[]);
        assert!(machine.take(&bundle).unwrap(), "nothing is held");
        assert!(machine.holding().removed.is_empty(), "the policy says it");
        machine.remove(&id("cad"));
    }
    let bundle = publisher.bundle(&version(&publisher, 4), &[]);
    let refusal = machine.take(&bundle).unwrap_err();
    assert_eq!(refusal.reason, reasons::POLICY_BACKWARDS);
    // Another product of the publisher is not bound by it.
    machine.install(&publisher, &publisher.policy("cam"));
}

#[test]
fn a_product_that_came_back_without_its_policy_still_knows_the_version() {
    let publisher = Publisher::new(1);
    let mut machine = Machine::new(&publisher, &version(&publisher, 4));
    let older = publisher.bundle(&version(&publisher, 3), &[]);
    // The identity still names a product that the state has removed: a crash between the two.
    machine.remove(&id("cad"));
    let now = machine.clocks;
    machine.holding().place(&id("cad"), now);
    let refusal = machine.take(&older).unwrap_err();
    assert_eq!(refusal.reason, reasons::POLICY_BACKWARDS);
    machine.remove(&id("cad"));
    assert_eq!(machine.holding().removed.len(), 1);
    let refusal = machine.take(&older).unwrap_err();
    assert_eq!(refusal.reason, reasons::POLICY_BACKWARDS);
}

#[test]
fn a_version_under_a_revoked_key_binds_nobody() {
    let publisher = Publisher::new(1);
    let stolen = publisher.issuing.clone();
    let mut machine = Machine::new(&publisher, &version(&publisher, u32::MAX));
    machine.remove(&id("cad"));
    reread(&mut machine);
    let honest = Publisher {
        issuing: publisher.top.certify(91, |cert| {
            *cert = like(&stolen, cert.key);
        }),
        ..Publisher::new(1)
    };
    let bundle = honest.bundle(&version(&publisher, 1), &[]);
    assert!(machine.take(&bundle).is_err());
    let delta = honest.revoke_key(0, &stolen);
    assert!(take_revocations(machine.holding(), &delta).unwrap());
    assert!(machine.take(&bundle).unwrap());
}

/// A certificate as that of another signer, for a key of its own.
fn like(
    signer: &crate::estate::Signer,
    key: muster_proto::crypto::PublicKey,
) -> muster_proto::statement::cert::Cert {
    use muster_proto::statement::{Envelope, Typ, cert::Cert};
    let envelope = Envelope::decode(&signer.chain[0], Typ::Cert).unwrap();
    Cert {
        key,
        ..envelope.claims().unwrap()
    }
}

#[test]
fn removing_and_installing_again_gives_no_second_initial_grace() {
    let publisher = Publisher::new(1);
    let mut policy = publisher.policy("cad");
    policy.initial_grace = days(30);
    let mut machine = Machine::new(&publisher, &policy);
    machine.pass(days(20));
    machine.remove(&id("cad"));
    reread(&mut machine);
    machine.pass(days(5));
    machine.install(&publisher, &policy);
    let judged = machine.judge();
    assert_eq!(judged.state, S::InitialGrace);
    assert_eq!(
        judged.until,
        Some(START + days(30)),
        "it goes on from the first time"
    );
    machine.pass(days(5));
    assert_eq!(machine.judge().state, S::Notification);
    machine.remove(&id("cad"));
    machine.install(&publisher, &policy);
    assert_eq!(machine.judge().state, S::Notification);
    // A product that was never here begins now.
    let mut other = publisher.policy("cam");
    other.initial_grace = days(30);
    machine.install(&publisher, &other);
    assert_eq!(machine.judge_of(&id("cam")).state, S::InitialGrace);
}

#[test]
fn a_spent_rearm_stays_spent_and_its_grace_goes_on() {
    let publisher = Publisher::new(1);
    let mut policy = publisher.policy("cad");
    policy.extended_grace = days(10);
    let mut machine = Machine::new(&publisher, &policy);
    let now = machine.clocks;
    let marks = &mut machine
        .holding()
        .products
        .get_mut(&id("cad"))
        .unwrap()
        .marks;
    (marks.rearmed, marks.rearm_spent) = (Some(now), true);
    (marks.hardware, marks.unproven) = (Some(now), Some(now));
    machine.remove(&id("cad"));
    reread(&mut machine);
    machine.pass(days(4));
    machine.install(&publisher, &policy);
    let judged = machine.judge();
    assert_eq!(judged.state, S::ExtendedGrace);
    assert_eq!(judged.until, Some(START + days(10)));
    let marks = machine.holding().products[&id("cad")].marks;
    assert!(marks.rearm_spent);
    assert!(marks.hardware.is_none() && marks.unproven.is_none());
}

#[test]
fn revocations_outlive_the_last_product() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    let delta = publisher.revoke(0, &host);
    assert!(take_revocations(machine.holding(), &delta).unwrap());
    machine.holding().revocations_offered = 3;
    machine.remove(&id("cad"));
    reread(&mut machine);
    assert_eq!(machine.revoked().number(), 1);
    assert_eq!(machine.holding().revocations_offered, 3);
    // A bundle made before the revocation takes none of it back.
    machine.install(&publisher, &publisher.policy("cad"));
    assert_eq!(machine.revoked().number(), 1);
    assert!(machine.greet(&host).is_err(), "its key is revoked");
}

#[test]
fn so_many_are_remembered_and_the_first_removed_is_forgotten_first() {
    let publisher = Publisher::new(1);
    let mut machine = Machine::new(&publisher, &version(&publisher, 2));
    machine.remove(&id("cad"));
    for number in 1..CLIENT_REMOVED_MAX {
        let policy = publisher.policy(&format!("p{number}"));
        machine.install(&publisher, &policy);
        machine.remove(&policy.product);
    }
    assert_eq!(machine.holding().removed.len(), CLIENT_REMOVED_MAX);
    let older = publisher.bundle(&version(&publisher, 1), &[]);
    assert!(machine.take(&older).is_err(), "it is still remembered");
    // Removed again, it is the one removed last.
    machine.install(&publisher, &version(&publisher, 2));
    machine.remove(&id("cad"));
    machine.install(&publisher, &publisher.policy("one-more"));
    machine.remove(&id("one-more"));
    reread(&mut machine);
    let removed = &machine.holding().removed;
    assert_eq!(removed.len(), CLIENT_REMOVED_MAX);
    let holds = |product: &str| removed.iter().any(|it| it.product == id(product));
    assert!(holds("cad") && holds("one-more") && !holds("p1"));
    // A file that holds more, or one product twice, is refused.
    let last = removed.last().unwrap().clone();
    for wrong in [
        last.clone(),
        Removed {
            product: id("p1"),
            ..last
        },
    ] {
        let mut state = machine.state.clone();
        let holding = state.publishers.values_mut().next().unwrap();
        holding.removed.push(wrong);
        let refusal = State::decode(&state.encode()).unwrap_err();
        assert_eq!(refusal.reason, reasons::STATE_CONTENTS);
    }
}

#[test]
fn what_another_directory_holds_is_taken_over_by_the_same_rules() {
    let publisher = Publisher::new(1);
    let mut service = Machine::new(&publisher, &version(&publisher, 3));
    let delta = publisher.revoke(0, &publisher.host(9));
    take_revocations(service.holding(), &delta).unwrap();
    let theirs = service.holding().clone();
    let mut own = Machine::new(&publisher, &version(&publisher, 4));
    own.remove(&id("cad"));
    let (now, before) = (own.clocks, own.state.clone());
    let refusal = take_over(own.holding(), &theirs, &id("cad"), now).unwrap_err();
    assert_eq!(refusal.reason, reasons::POLICY_BACKWARDS);
    assert_eq!(own.state, before);

    let mut fresh = Holding::new(publisher.root.clone());
    take_over(&mut fresh, &theirs, &id("cad"), now).unwrap();
    assert_eq!(
        fresh.products[&id("cad")].policy,
        theirs.products[&id("cad")].policy
    );
    assert_eq!(fresh.revocations, theirs.revocations);
    assert_eq!(fresh.products[&id("cad")].marks.installed, now);
    let foreign = Publisher::new(60);
    let mut other = Holding::new(foreign.root.clone());
    let refusal = take_over(&mut other, &theirs, &id("cad"), now).unwrap_err();
    assert_eq!(refusal.reason, statement::WRONG_PUBLISHER);
    assert!(other.products.is_empty());
}
