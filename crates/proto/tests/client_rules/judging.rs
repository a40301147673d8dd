//! The client's judgement: every state and its timers, trusted time, hardware, counts, sites.

use crate::estate::{FAR, Machine, Publisher, START, days, id, tags};
use muster_proto::client::LicenceState as S;
use muster_proto::client::evidence::Compiled;
use muster_proto::client::install::{settle, take_revocations};
use muster_proto::client::transition::{Event, step};
use muster_proto::reason::client as reasons;
use muster_proto::statement::policy::{Method, Methods};
use muster_proto::time::Span;
use proptest::prelude::*;

fn one_second() -> Span {
    Span::from_seconds(1)
}

#[test]
fn below_the_threshold_nothing_licenses_and_both_numbers_are_named() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    assert_eq!(machine.judge().reason.reason, reasons::NEVER_LICENSED);
    for count in 1..5 {
        machine.ask(&host, count, START);
        let judged = machine.judge();
        assert_eq!(judged.state, S::Unlicensed);
        assert_eq!((judged.count, judged.required), (Some(count), Some(5)));
        assert_eq!(judged.reason.reason, reasons::COUNT_BELOW);
        assert_eq!(judged.reason.detail, format!("{count} of 5"));
    }
    machine.ask(&host, 5, START);
    let judged = machine.judge();
    assert_eq!(
        (judged.state, judged.method),
        (S::Licensed, Some(Method::Kms))
    );
    assert_eq!(judged.until, Some(START + days(180)));
    assert_eq!(judged.count, Some(5));
}

#[test]
fn a_count_that_falls_takes_no_licence_away() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    machine.pass(days(7));
    machine.ask(&host, 3, START + days(7));
    let judged = machine.judge();
    assert_eq!((judged.state, judged.count), (S::Licensed, Some(3)));
    assert_eq!(
        judged.until,
        Some(START + days(180)),
        "the older lease still counts"
    );
}

#[test]
fn a_lease_runs_through_grace_into_notification_and_one_answer_restores_it() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    machine.pass(days(150));
    assert_eq!(machine.judge().reason.reason, reasons::LICENSED_ENDS_SOON);
    machine.pass(days(30).less(one_second()));
    assert_eq!(machine.judge().state, S::Licensed);
    machine.pass(one_second());
    let judged = machine.judge();
    assert_eq!(judged.state, S::OutOfToleranceGrace);
    assert_eq!(judged.reason.reason, reasons::LEASE_ENDED);
    assert_eq!(judged.until, Some(START + days(210)));
    machine.pass(days(30));
    assert_eq!(machine.judge().state, S::Notification);
    assert_eq!(machine.judge().until, None);
    let now = machine.clocks.wall;
    machine.ask(&host, 5, now);
    assert_eq!(machine.judge().state, S::Licensed);
}

#[test]
fn a_wrong_clock_costs_nothing_once_it_is_right_again() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    machine.pass(days(1));
    let right = machine.clocks.wall;
    machine.clocks.wall = FAR;
    assert_eq!(machine.tend().state, S::Notification);
    machine.clocks.wall = right;
    assert_eq!(machine.tend().state, S::Licensed);
}

#[test]
fn a_host_living_in_2099_serves_and_poisons_nobody() {
    // A host can only sign what its certificate's time covers: somebody certified it in 2099.
    let mut publisher = Publisher::new(1);
    publisher.issuing = publisher.issuing_until(FAR + days(1_000));
    let host = publisher.host_at(9, "berlin", FAR - days(10));
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    let applied = machine.ask(&host, 5, FAR);
    assert!(applied.effects.iter().any(|effect| matches!(
        effect,
        muster_proto::client::asking::Effect::ClocksDiffer { behind: true, .. }
    )));
    assert!(
        machine.floor().at() <= START + days(1),
        "the floor is not poisoned"
    );
    let judged = machine.judge();
    assert_eq!(judged.state, S::Licensed, "such a lease is used");
    assert_eq!(judged.reason.reason, reasons::LICENSED_BY_RUNNING_TIME);
    assert_eq!(
        judged.until,
        Some(START + days(180)),
        "in running time from receipt"
    );
    machine.pass(days(180));
    assert_eq!(machine.judge().state, S::OutOfToleranceGrace);
    machine.pass(days(30));
    assert_eq!(machine.judge().state, S::Notification);
    // An honest host serves it as if nothing had been.
    let honest = publisher.host(10);
    let now = machine.clocks.wall;
    machine.ask(&honest, 5, now);
    let judged = machine.judge();
    assert_eq!(judged.reason.reason, reasons::LICENSED);
    assert_eq!(machine.floor().at(), now);
}

#[test]
fn a_clock_set_back_ten_years_gains_one_grace() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    machine.pass(days(100));
    machine.clocks.wall = START - days(3_650);
    let judged = machine.tend();
    assert_eq!(judged.state, S::OutOfToleranceGrace);
    assert_eq!(judged.reason.reason, reasons::CLOCK_BEHIND);
    assert!(judged.clock_behind);
    machine.pass(days(30).less(one_second()));
    assert_eq!(machine.tend().state, S::OutOfToleranceGrace);
    machine.pass(one_second());
    assert_eq!(machine.tend().state, S::Notification);
    // Set back again: the same grace is spent.
    machine.clocks.wall = START - days(3_650);
    assert_eq!(machine.tend().state, S::Notification);
    // Until the clock is right …
    let wrong = machine.clocks;
    machine.clocks.wall = START + days(130);
    assert_eq!(machine.tend().state, S::Licensed);
    // … or a host answers.
    machine.clocks = wrong;
    machine.ask(&host, 5, START + days(131));
    let judged = machine.judge();
    assert_eq!(judged.reason.reason, reasons::LICENSED_BY_RUNNING_TIME);
    machine.pass(days(180));
    assert_ne!(machine.judge().state, S::Licensed);
}

#[test]
fn a_clock_set_back_to_the_floor_again_and_again_ends_with_running_time() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    for _ in 0..6 {
        machine.pass(days(29));
        machine.clocks.wall = START;
        assert_eq!(machine.judge().state, S::Licensed);
    }
    machine.pass(days(7));
    machine.clocks.wall = START;
    assert_eq!(machine.judge().state, S::OutOfToleranceGrace);
    machine.pass(days(31));
    machine.clocks.wall = START;
    assert_eq!(machine.judge().state, S::Notification);
}

#[test]
fn the_products_build_time_and_the_policy_are_floors_too() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    let compiled = Compiled {
        built: START + days(1),
        ..Compiled::default()
    };
    let judged = machine.judge_compiled(&id("cad"), compiled);
    assert_eq!(judged.reason.reason, reasons::CLOCK_BEHIND);
    let compiled = Compiled {
        policy_version_min: 2,
        ..Compiled::default()
    };
    let judged = machine.judge_compiled(&id("cad"), compiled);
    assert_eq!(judged.reason.reason, reasons::POLICY_TOO_OLD);
    assert_eq!(judged.state, S::Unlicensed);
}

#[test]
fn hardware_is_compared_by_percent_and_floor() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    for (values, state) in [
        (["a", "b", "c", "d"], S::Licensed),
        (["a", "b", "x", "y"], S::Licensed),
        (["a", "x", "y", "z"], S::OutOfToleranceGrace),
        (["a", "", "", ""], S::Licensed),
        (["", "", "", ""], S::OutOfToleranceGrace), // below the policy's floor of one
    ] {
        machine.hardware.tags = tags(&publisher, values);
        assert_eq!(machine.judge().state, state, "{values:?}");
    }
    machine.hardware.tags = tags(&publisher, ["x", "y", "z", "d"]);
    assert_eq!(machine.tend().reason.reason, reasons::HARDWARE_CHANGED);
    machine.pass(days(30));
    assert_eq!(machine.tend().state, S::Notification);
    let now = machine.clocks.wall;
    machine.ask(&host, 5, now);
    assert_eq!(
        machine.tend().state,
        S::Licensed,
        "a lease for the new hardware"
    );
}

#[test]
fn state_copied_to_another_machine_has_its_grace_from_the_last_write() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    machine.hardware.tags = tags(&publisher, ["w", "x", "y", "z"]);
    machine.pass(days(29));
    assert_eq!(machine.judge().state, S::OutOfToleranceGrace);
    machine.pass(days(1));
    assert_eq!(
        machine.judge().state,
        S::Notification,
        "without a service too"
    );
}

#[test]
fn a_revoked_host_leaves_the_non_genuine_grace() {
    let publisher = Publisher::new(1);
    let (host, other) = (publisher.host(9), publisher.host(10));
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    let delta = publisher.revoke(0, &host);
    assert!(take_revocations(machine.holding(), &delta).unwrap());
    assert_eq!(machine.tend().state, S::NonGenuineGrace);
    assert_eq!(machine.judge().reason.reason, reasons::REVOKED);
    assert!(machine.greet(&host).is_err(), "a revoked host is not asked");
    machine.pass(days(30));
    assert_eq!(machine.tend().state, S::Notification);
    let now = machine.clocks.wall;
    machine.ask(&other, 5, now);
    assert_eq!(machine.tend().state, S::Licensed);
}

#[test]
fn a_stolen_issuing_key_fixes_no_product_to_its_policy() {
    let mut publisher = Publisher::new(1);
    let honest = publisher.issuing.clone();
    let stolen = publisher.top.certify(90, |cert| {
        let like = publisher.issuing_until(START + days(900));
        let above = muster_proto::statement::Envelope::decode(
            &like.chain[0],
            muster_proto::statement::Typ::Cert,
        );
        let key = cert.key;
        *cert = above.unwrap().claims().unwrap();
        cert.key = key;
    });
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    let mut policy = publisher.policy("cad");
    (policy.version, policy.issued) = (u32::MAX, START + days(800));
    publisher.issuing = stolen.clone();
    let bundle = publisher.bundle(&policy, &[]);
    assert!(machine.take(&bundle).unwrap());
    assert_eq!(
        machine.judge().reason.reason,
        reasons::CLOCK_BEHIND,
        "its issued is a floor"
    );

    publisher.issuing = honest;
    let delta = publisher.revoke_key(0, &stolen);
    assert!(take_revocations(machine.holding(), &delta).unwrap());
    let judged = machine.judge();
    assert_eq!(judged.state, S::NonGenuineGrace);
    assert!(!judged.clock_behind, "the floor of a revoked key is none");
    policy = publisher.policy("cad");
    policy.version = 2;
    assert!(machine.take(&publisher.bundle(&policy, &[])).unwrap());
    assert_eq!(machine.judge().state, S::Licensed);
}

#[test]
fn no_revocation_is_ever_taken_back() {
    let publisher = Publisher::new(1);
    let (one, two) = (publisher.host(9), publisher.host(10));
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    for delta in [publisher.revoke(0, &one), publisher.revoke(1, &two)] {
        assert!(take_revocations(machine.holding(), &delta).unwrap());
        assert!(
            !take_revocations(machine.holding(), &delta).unwrap(),
            "an old one is passed over"
        );
    }
    let gap = publisher.revoke(7, &two);
    assert!(take_revocations(machine.holding(), &gap).is_err());
    // From the first again, saying less than is held, in either way.
    for (number, said) in [(5, &two), (6, &one)] {
        let less = publisher.revoke_all(0, number, &[said]);
        assert!(take_revocations(machine.holding(), &less).unwrap());
        assert_eq!(machine.revoked().number(), number);
        for host in [&one, &two] {
            assert!(machine.greet(host).is_err(), "both stay revoked");
        }
    }
    let all = publisher.revoke_all(0, 7, &[&one, &two]);
    assert!(take_revocations(machine.holding(), &all).unwrap());
    let held = machine.holding().revocations.len();
    assert_eq!(held, 1, "what is said again whole is kept once");
    assert_eq!(machine.revoked().number(), 7);
}

#[test]
fn a_site_bound_policy_is_satisfied_by_that_site_only() {
    let publisher = Publisher::new(1);
    let mut policy = publisher.policy("cad");
    policy.site = Some("munich".parse().unwrap());
    let mut machine = Machine::new(&publisher, &policy);
    machine.ask(&publisher.host_at(9, "berlin", START), 5, START);
    assert_eq!(machine.judge().state, S::Unlicensed);
    machine.ask(&publisher.host_at(10, "munich", START), 5, START);
    assert_eq!(machine.judge().state, S::Licensed);
}

#[test]
fn a_lease_lives_no_longer_than_its_policy_says() {
    let publisher = Publisher::new(1);
    let mut policy = publisher.policy("cad");
    policy.validity = days(10);
    let mut machine = Machine::new(&publisher, &policy);
    machine.ask(&publisher.host(9), 5, START);
    assert_eq!(machine.judge().until, Some(START + days(10)));
}

#[test]
fn method_declared_hardware_and_advice_are_the_policys() {
    let publisher = Publisher::new(1);
    let mut policy = publisher.policy("cad");
    policy.refuse_declared = true;
    policy.advisory = true;
    let mut machine = Machine::new(&publisher, &policy);
    machine.ask(&publisher.host(9), 5, START);
    assert!(machine.judge().advisory);
    machine.hardware.declared = true;
    let judged = machine.judge();
    assert_eq!(judged.reason.reason, reasons::HARDWARE_DECLARED);
    assert_eq!(judged.state, S::OutOfToleranceGrace);

    let mut policy = publisher.policy("cad");
    policy.methods = Methods::only([Method::Directory]);
    let mut machine = Machine::new(&publisher, &policy);
    machine.ask(&publisher.host(9), 5, START);
    assert_eq!(machine.judge().state, S::Unlicensed);
}

#[test]
fn a_policy_that_asks_for_more_gives_a_grace_and_one_that_asks_for_less_licenses() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 5, START);
    let newer = |threshold, version| {
        let mut policy = publisher.policy("cad");
        (policy.threshold, policy.version) = (threshold, version);
        publisher.bundle(&policy, &[])
    };
    assert!(machine.take(&newer(25, 2)).unwrap());
    assert_eq!(machine.tend().state, S::OutOfToleranceGrace);
    assert_eq!(machine.judge().reason.detail, "5 of 25");
    let refusal = machine.take(&newer(5, 1)).unwrap_err();
    assert_eq!(refusal.reason, muster_proto::reason::statement::BACKWARDS);

    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&host, 3, START);
    assert!(machine.take(&newer(3, 2)).unwrap());
    settle(&mut machine.state, publisher.root.publisher());
    assert_eq!(machine.judge().state, S::Licensed);
}

#[test]
fn initial_grace_and_rearm_run_out() {
    let publisher = Publisher::new(1);
    let mut policy = publisher.policy("cad");
    policy.initial_grace = days(30);
    policy.extended_grace = days(10);
    let mut machine = Machine::new(&publisher, &policy);
    assert_eq!(machine.judge().state, S::InitialGrace);
    assert_eq!(machine.judge().until, Some(START + days(30)));
    machine.pass(days(30));
    assert_eq!(machine.judge().state, S::Notification);
    let now = machine.clocks;
    let holding = machine.holding();
    holding.products.values_mut().next().unwrap().marks.rearmed = Some(now);
    assert_eq!(machine.judge().state, S::ExtendedGrace);
    machine.pass(days(10));
    assert_eq!(machine.judge().state, S::Notification);
}

#[test]
fn a_base_licence_is_judged_at_each_read() {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let mut policy = publisher.policy("addon");
    policy.requires_base = vec![id("cad")];
    let mut machine = Machine::new(&publisher, &policy);
    machine.ask(&host, 5, START);
    assert_eq!(
        machine.judge_of(&id("addon")).reason.reason,
        reasons::BASE_MISSING
    );
    let base = publisher.bundle(&publisher.policy("cad"), &[]);
    machine.take(&base).unwrap();
    machine.own.products.insert(id("cad"), Default::default());
    machine.ask(&host, 5, START);
    assert_eq!(machine.judge_of(&id("cad")).state, S::Licensed);
    assert_eq!(machine.judge_of(&id("addon")).state, S::Licensed);
}

#[test]
fn a_lease_carried_to_another_identity_is_refused() {
    let publisher = Publisher::new(1);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&publisher.host(9), 5, START);
    machine.holding().client = Some(muster_proto::ids::Thumbprint([3; 32]));
    let judged = machine.judge();
    assert_eq!(judged.state, S::Unlicensed);
    assert_eq!(
        judged.reason.reason,
        muster_proto::reason::statement::LEASE_OTHER_CLIENT
    );
}

#[test]
fn every_bit_of_a_held_lease_and_its_chain_counts() {
    let publisher = Publisher::new(1);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    machine.ask(&publisher.host(9), 5, START);
    let held = machine.holding().products[&id("cad")]
        .lease
        .clone()
        .unwrap();
    let lease = |machine: &mut Machine| {
        let products = &mut machine.holding().products;
        products.get_mut(&id("cad")).unwrap().lease.take()
    };
    for part in 0..3 {
        let bytes = match part {
            0 => &held.statement.bytes,
            part => &held.statement.chain[part - 1],
        };
        for bit in 0..8 * bytes.len() {
            let mut altered = held.clone();
            let bytes = match part {
                0 => &mut altered.statement.bytes,
                part => &mut altered.statement.chain[part - 1],
            };
            bytes[bit / 8] ^= 1 << (bit % 8);
            lease(&mut machine);
            machine
                .holding()
                .products
                .get_mut(&id("cad"))
                .unwrap()
                .lease = Some(altered);
            assert_eq!(
                machine.judge().state,
                S::Unlicensed,
                "part {part} bit {bit}"
            );
        }
    }
}

proptest! {
    /// Whatever happens to clocks, hardware and host, a judgement only ever follows the table.
    #[test]
    fn judgements_move_along_the_table(steps in prop::collection::vec((0u8..7, 1u64..60), 1..30)) {
        let publisher = Publisher::new(1);
        let host = publisher.host(9);
        let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
        let mut before = machine.tend().state;
        for (what, span) in steps {
            match what {
                0 | 1 => machine.pass(days(span)),
                2 => machine.clocks.wall = START + days(span),
                3 => machine.clocks.wall = START - days(span * 60),
                4 => machine.hardware.tags = tags(&publisher, ["w", "x", "y", "z"]),
                5 => machine.hardware.tags = tags(&publisher, ["a", "b", "c", "d"]),
                _ => {
                    let now = START + days(span);
                    machine.ask(&host, 5, now);
                }
            }
            let judged = machine.tend();
            let one = step(before, judged.event).state;
            let two = step(one, Event::GraceOver).state;
            // A clock that was wrong may be right again: notification is then left for a grace.
            let restored = before == S::Notification
                && step(S::Licensed, judged.event).state == judged.state;
            prop_assert!(
                judged.state == one || judged.state == two || restored,
                "{before:?} {:?} {:?}", judged.event, judged.state
            );
            prop_assert_eq!(judged.is_licensed(), judged.event == Event::Licensed);
            before = judged.state;
        }
    }
}
