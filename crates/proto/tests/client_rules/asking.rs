//! Asking: the nonce, the ticket, what of an answer is believed, and orders to make a new key.

use muster_proto::client::LicenceState;
use muster_proto::client::asking::{self, Effect, Host};
use muster_proto::ids::{Nonce, StoreId};
use muster_proto::limits::{EXCHANGE_BYTES_MAX, PRODUCTS_MAX, SEAL_ANSWER_BYTES, SEAL_ASK_BYTES};
use muster_proto::reason::{client as reasons, statement};
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::lease::Lease;
use muster_proto::time::Span;

use crate::estate::{Machine, PLACE, Publisher, START, Station, days, id};

fn set() -> (Publisher, Station, Machine) {
    let publisher = Publisher::new(1);
    let host = publisher.host(9);
    let machine = Machine::new(&publisher, &publisher.policy("cad"));
    (publisher, host, machine)
}

/// Gives an answer that was changed in one place to the machine; identity and state must stay.
fn refused(
    machine: &mut Machine,
    station: &Station,
    change: impl FnOnce(&mut Answer),
) -> muster_proto::Reason {
    let host = machine.greet(station).unwrap();
    let pending = machine.prepare(&host);
    let (ask, _) = station.open(&pending);
    let leases = station.sign_all(&station.leases(&ask, 5, START));
    let mut claims = station.claims(&pending, Outcome::Granted { leases }, START);
    change(&mut claims);
    let before = machine.state.clone();
    let bytes = station.signer.sign(&claims, true);
    let refusal = machine.check(&pending, &host, &bytes).unwrap_err();
    assert_eq!(machine.state, before);
    let at = machine.own.stores.last().unwrap();
    assert_eq!(at.pending, Some(pending.nonce), "the nonce stays pending");
    refusal.reason
}

/// As [`refused`], with the one lease changed.
fn refused_lease(change: impl FnOnce(&mut Lease)) -> muster_proto::Reason {
    let (_, station, mut machine) = set();
    let signer = station.signer.clone();
    refused(&mut machine, &station, |claims| {
        let mut lease = Lease {
            kind: muster_proto::statement::lease::LeaseKind::Kms,
            product: id("cad"),
            client: set().2.own.key.public().thumbprint(),
            count: 5,
            components: set().2.hardware.tags,
            policy_version: 1,
            revocations: 0,
            issued: START,
            expires: START + days(180),
        };
        change(&mut lease);
        claims.outcome = Outcome::Granted {
            leases: vec![signer.sign(&lease, false)],
        };
    })
}

#[test]
fn the_nonce_of_a_store_is_kept_until_an_answer_of_it_is_stored() {
    let (publisher, one, mut machine) = set();
    let two = publisher.host(10);
    let (first, second) = (machine.greet(&one).unwrap(), machine.greet(&two).unwrap());
    let a = machine.prepare(&first);
    let b = machine.prepare(&second);
    assert_ne!(a.nonce, b.nonce, "each store has its own");
    assert_eq!(machine.prepare(&first).nonce, a.nonce);
    machine.ask(&two, 5, START);
    assert_eq!(
        machine.prepare(&first).nonce,
        a.nonce,
        "another store answered"
    );
    assert_ne!(machine.prepare(&second).nonce, b.nonce);
    machine.ask(&one, 5, START);
    assert_ne!(machine.prepare(&first).nonce, a.nonce);
}

#[test]
fn each_store_is_shown_its_own_ticket_and_eight_are_kept() {
    let (publisher, _, mut machine) = set();
    let stations: Vec<_> = (50..60).map(|seed| publisher.host(seed)).collect();
    for station in &stations {
        machine.ask(station, 5, START);
    }
    assert_eq!(machine.own.stores.len(), 8);
    for (at, station) in stations.iter().enumerate() {
        let host = machine.greet(station).unwrap();
        let mut own = machine.own.clone();
        let about = machine.about();
        let pending = asking::prepare(&mut own, &host, &about, Nonce([9; 16])).unwrap();
        let ticket = station.open(&pending).0.ticket;
        assert_eq!(ticket, (at >= 2).then(|| station.ticket(1)));
    }
}

#[test]
fn greetings_that_name_stores_at_random_drive_no_ticket_out() {
    let (_, station, mut machine) = set();
    machine.ask(&station, 5, START);
    for number in 0..20 {
        let mut liar = station.clone();
        liar.store = StoreId([100 + number; 8]);
        let host = machine.greet(&liar).unwrap();
        machine.prepare(&host);
    }
    let host = machine.greet(&station).unwrap();
    let pending = machine.prepare(&host);
    assert_eq!(station.open(&pending).0.ticket, Some(station.ticket(1)));
}

#[test]
fn an_answer_is_believed_from_the_asked_host_to_the_pending_ask_only() {
    let (publisher, station, mut machine) = set();
    let nonce = refused(&mut machine, &station, |answer| {
        answer.nonce = Nonce([99; 16])
    });
    assert_eq!(nonce, statement::NONCE);
    let ask = refused(&mut machine, &station, |answer| {
        answer.ask = muster_proto::ids::Thumbprint([9; 32]);
    });
    assert_eq!(ask, statement::ASK_HASH);

    let host = machine.greet(&station).unwrap();
    let pending = machine.prepare(&host);
    let other = publisher.host(10);
    let claims = other.claims(&pending, Outcome::Wait, START);
    let bytes = other.signer.sign(&claims, true);
    let refusal = machine.check(&pending, &host, &bytes).unwrap_err();
    assert_eq!(refusal.reason, reasons::ANSWER_OTHER_HOST);
    // Another publisher's host, under its own root.
    let foreign = Publisher::new(60).host(9);
    let bytes = foreign
        .signer
        .sign(&foreign.claims(&pending, Outcome::Wait, START), true);
    assert!(machine.check(&pending, &host, &bytes).is_err());
    // The right answer, every bit of it.
    let bytes = station.grant(&pending, 5, START);
    machine.check(&pending, &host, &bytes).unwrap();
    for bit in 0..8 * bytes.len() {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(
            machine.check(&pending, &host, &altered).is_err(),
            "bit {bit}"
        );
    }
    for length in 0..bytes.len() {
        assert!(machine.check(&pending, &host, &bytes[..length]).is_err());
    }
}

#[test]
fn one_wrong_lease_spoils_the_answer() {
    assert_eq!(
        refused_lease(|lease| lease.client = muster_proto::ids::Thumbprint([1; 32])),
        statement::LEASE_OTHER_CLIENT
    );
    assert_eq!(
        refused_lease(|lease| lease.product = id("cam")),
        reasons::LEASE_NOT_ASKED
    );
    assert_eq!(
        refused_lease(|lease| lease.components = Default::default()),
        reasons::LEASE_OTHER_COMPONENTS
    );
    assert_eq!(
        refused_lease(|lease| lease.issued = START + Span::from_seconds(1)),
        reasons::LEASE_AHEAD
    );
    assert_eq!(
        refused_lease(|lease| lease.issued = START - Span::from_hours(2)),
        reasons::LEASE_AHEAD
    );
    assert_eq!(
        refused_lease(|lease| lease.count = 1_001),
        statement::STRETCHED_BUDGET
    );
}

#[test]
fn an_answer_replayed_after_it_was_stored_changes_nothing() {
    let (_, station, mut machine) = set();
    let host = machine.greet(&station).unwrap();
    let pending = machine.prepare(&host);
    let bytes = station.grant(&pending, 5, START);
    let checked = machine.check(&pending, &host, &bytes).unwrap();
    machine.apply(&pending, &host, &checked).unwrap();
    let before = machine.state.clone();
    let refusal = machine.apply(&pending, &host, &checked).unwrap_err();
    assert_eq!(refusal.reason, statement::NONCE);
    assert_eq!(machine.state, before);
    let next = machine.prepare(&host);
    let refusal = machine.check(&next, &host, &bytes).unwrap_err();
    assert_eq!(refusal.reason, statement::NONCE);
}

#[test]
fn of_two_chains_of_one_host_the_later_issued_wins() {
    let (publisher, _, mut machine) = set();
    let old = publisher.host_at(9, "berlin", START - days(100));
    let new = publisher.host_at(9, "berlin", START - days(1));
    machine.ask(&old, 5, START);
    machine.ask(&new, 5, START);
    let refusal = machine.greet(&old).unwrap_err();
    assert_eq!(refusal.reason, reasons::CHAIN_OLDER);
    machine
        .greet(&publisher.host_at(10, "berlin", START - days(50)))
        .unwrap();
    // Another host may have the same name: it stands at another place.
    let set = machine.revoked();
    let hello = old.hello(START);
    Host::greet(&hello, "other:1688", machine.holding(), &set, None, START).unwrap();
}

#[test]
fn another_publishers_host_and_another_site_are_not_asked() {
    let (publisher, _, mut machine) = set();
    assert!(machine.greet(&Publisher::new(60).host(9)).is_err());
    let station = publisher.host_at(9, "munich", START - days(1));
    let pinned = "berlin".parse().unwrap();
    let set = machine.revoked();
    let hello = station.hello(START);
    let refusal =
        Host::greet(&hello, PLACE, machine.holding(), &set, Some(&pinned), START).unwrap_err();
    assert_eq!(refusal.reason, reasons::SITE_PINNED);
}

#[test]
fn a_change_of_site_is_named() {
    let (publisher, station, mut machine) = set();
    machine.ask(&station, 5, START);
    let applied = machine.ask(&publisher.host_at(11, "munich", START - days(1)), 5, START);
    assert!(applied.effects.contains(&Effect::SiteChanged {
        from: Some("berlin".parse().unwrap()),
        to: Some("munich".parse().unwrap()),
    }));
}

#[test]
fn newer_policies_and_revocations_are_fetched() {
    let (_, station, mut machine) = set();
    let host = machine.greet(&station).unwrap();
    let pending = machine.prepare(&host);
    let (ask, _) = station.open(&pending);
    let mut leases = station.leases(&ask, 5, START);
    leases[0].policy_version = 3;
    let leases = station.sign_all(&leases);
    let mut claims = station.claims(&pending, Outcome::Granted { leases }, START);
    claims.revocations = 4;
    let bytes = station.signer.sign(&claims, true);
    let checked = machine.check(&pending, &host, &bytes).unwrap();
    let effects = machine.apply(&pending, &host, &checked).unwrap().effects;
    assert_eq!(
        effects,
        [
            Effect::FetchRevocations { from: 0 },
            Effect::FetchPolicy { product: id("cad") }
        ]
    );
}

#[test]
fn wait_and_refusal_change_no_licence() {
    let (_, station, mut machine) = set();
    machine.ask(&station, 5, START);
    for (outcome, reason) in [
        (Outcome::Wait, reasons::HOST_WAIT),
        (Outcome::Refused, reasons::HOST_REFUSED),
    ] {
        let host = machine.greet(&station).unwrap();
        let pending = machine.prepare(&host);
        let bytes = station.answer(&pending, outcome, START);
        let checked = machine.check(&pending, &host, &bytes).unwrap();
        let applied = machine.apply(&pending, &host, &checked).unwrap();
        assert_eq!(applied.reason.reason, reason);
        assert_eq!(machine.judge().state, LicenceState::Licensed);
    }
}

#[test]
fn a_new_key_is_made_on_order_and_no_order_takes_a_licence_away() {
    let (_, station, mut machine) = set();
    machine.ask(&station, 5, START);
    let old = machine.own.key.public();
    let applied = machine.ordered(&station);
    assert_eq!(applied.reason.reason, reasons::ORDER_OBEYED);
    assert_eq!(applied.effects, [Effect::AskAgain]);
    assert_eq!(
        machine.judge().state,
        LicenceState::Licensed,
        "the old lease holds"
    );

    // The next ask is the new key's, and names the old one with its proof and the order.
    let host = machine.greet(&station).unwrap();
    let pending = machine.prepare(&host);
    let (ask, _) = station.open(&pending);
    let predecessor = ask.predecessor.unwrap();
    assert_eq!(
        (predecessor.key, predecessor.order),
        (old, station.ticket(9))
    );
    assert_ne!(ask.client, old);
    assert_eq!(
        ask.ticket, None,
        "the old key's ticket is not the new key's"
    );

    // Too low a count: the old lease still holds. Enough: the new key takes over.
    machine.ask(&station, 2, START);
    assert_eq!(machine.judge().state, LicenceState::Licensed);
    assert_eq!(machine.own.key.public(), old);
    let applied = machine.ask(&station, 5, START);
    assert!(applied.effects.contains(&Effect::KeyRetired));
    assert_eq!(machine.own.key.public(), ask.client);
    assert!(machine.own.successor.is_none());
    assert_eq!(machine.judge().state, LicenceState::Licensed);
    let pending = machine.prepare(&host);
    let (ask, _) = station.open(&pending);
    assert_eq!(
        (ask.predecessor, ask.ticket),
        (None, Some(station.ticket(1)))
    );
}

#[test]
fn a_predecessor_is_named_until_a_host_has_counted_the_new_key() {
    let (_, station, mut machine) = set();
    machine.ask(&station, 5, START);
    machine.ordered(&station);
    for round in 0..2 {
        let host = machine.greet(&station).unwrap();
        let pending = machine.prepare(&host);
        assert!(
            station.open(&pending).0.predecessor.is_some(),
            "round {round}"
        );
    }
    machine.ask(&station, 1, START);
    let host = machine.greet(&station).unwrap();
    let pending = machine.prepare(&host);
    assert!(station.open(&pending).0.predecessor.is_none());
}

#[test]
fn orders_are_obeyed_once_per_store_and_interval_and_three_times_in_thirty_days() {
    let (publisher, station, mut machine) = set();
    let obeyed = |machine: &mut Machine, station: &Station| {
        let before = machine.own.asking_key().public();
        let reason = machine.ordered(station).reason.reason;
        let changed = machine.own.asking_key().public() != before;
        assert_eq!(changed, reason == reasons::ORDER_OBEYED);
        assert!(changed || reason == reasons::ORDER_IGNORED);
        changed
    };
    assert!(obeyed(&mut machine, &station));
    assert!(
        !obeyed(&mut machine, &station),
        "again within the renewal interval"
    );
    assert!(obeyed(&mut machine, &publisher.host(10)), "another store");
    machine.pass(days(7));
    assert!(obeyed(&mut machine, &station));
    machine.pass(days(7));
    assert!(!obeyed(&mut machine, &station), "a fourth in thirty days");
    assert!(!obeyed(&mut machine, &publisher.host(11)));
    machine.pass(days(17));
    assert!(obeyed(&mut machine, &station), "thirty days later");
}

#[test]
fn an_order_is_obeyed_only_from_the_store_the_ask_was_prepared_for() {
    let (_, station, mut machine) = set();
    let mut liar = station.clone();
    liar.store = StoreId([200; 8]);
    let host = machine.greet(&liar).unwrap();
    let pending = machine.prepare(&host);
    let order = station.ticket(9);
    let mut claims = station.claims(&pending, Outcome::NewKey { order }, START);
    claims.ticket = None;
    let bytes = station.signer.sign(&claims, true);
    let checked = machine.check(&pending, &host, &bytes).unwrap();
    let applied = machine.apply(&pending, &host, &checked).unwrap();
    assert_eq!(applied.reason.reason, reasons::ORDER_IGNORED);
    assert!(machine.own.successor.is_none());
}

#[test]
fn the_largest_ask_fits_the_wire() {
    let (station, mut machine) = crowded();
    machine.ordered(&station);
    let host = machine.greet(&station).unwrap();
    let mut about = machine.about();
    about.name = Some("n".repeat(128));
    about.version = "v".repeat(128);
    for asked in &mut about.products {
        (asked.minutes_left, asked.required) = (Some(1 << 40), Some(u32::MAX));
    }
    let pending = asking::prepare(&mut machine.own, &host, &about, Nonce([1; 16])).unwrap();
    assert!(station.open(&pending).0.predecessor.is_some());
    assert!(pending.products.len() > 1);
}

/// A machine with as many products as a publisher may have, of the longest ids.
fn crowded() -> (Station, Machine) {
    let publisher = Publisher::new(1);
    let ids: Vec<_> = (0..PRODUCTS_MAX).map(|n| format!("{n:032}")).collect();
    let mut machine = Machine::new(&publisher, &publisher.policy(&ids[0]));
    for product in &ids[1..] {
        machine.install(&publisher, &publisher.policy(product));
    }
    (publisher.host(9), machine)
}

#[test]
fn many_products_are_asked_for_in_turns_that_each_fit_the_wire() {
    let (station, mut machine) = crowded();
    let host = machine.greet(&station).unwrap();
    let mut about = machine.about();
    about.name = Some("n".repeat(128));
    let mut asks = 0;
    while !about.products.is_empty() {
        let fresh = Nonce([100 + asks; 16]);
        let pending = asking::prepare(&mut machine.own, &host, &about, fresh).unwrap();
        assert!(pending.bytes.len() + SEAL_ASK_BYTES <= EXCHANGE_BYTES_MAX);
        let (ask, _) = station.open(&pending);
        let leases = station.sign_all(&station.leases(&ask, 1_000, START));
        let claims = station.claims(&pending, Outcome::Granted { leases }, START);
        let answer = station.signer.sign(&claims, false);
        assert!(answer.len() + SEAL_ANSWER_BYTES <= EXCHANGE_BYTES_MAX);
        let checked = machine.check(&pending, &host, &answer).unwrap();
        let applied = machine.apply(&pending, &host, &checked).unwrap();
        assert_eq!(applied.granted, pending.products);
        about.products.drain(..pending.products.len());
        assert_eq!(applied.rest_is_next, !about.products.is_empty());
        asks += 1;
    }
    assert!(
        (2..=8).contains(&asks),
        "{asks} asks for {PRODUCTS_MAX} products"
    );
    for product in machine.own.products.keys().cloned().collect::<Vec<_>>() {
        assert!(machine.judge_of(&product).is_licensed(), "{product}");
    }
}

#[test]
fn a_host_that_waits_is_not_asked_for_the_rest() {
    let (station, mut machine) = crowded();
    let host = machine.greet(&station).unwrap();
    let pending = machine.prepare(&host);
    assert!(pending.is_part);
    let claims = station.claims(&pending, Outcome::Wait, START);
    let bytes = station.signer.sign(&claims, true);
    let checked = machine.check(&pending, &host, &bytes).unwrap();
    assert!(
        !machine
            .apply(&pending, &host, &checked)
            .unwrap()
            .rest_is_next
    );
}

/// Who recorded an ask that was refused may send it again when there is room. The machine's next ask
/// has the same nonce, so that the store takes it for a repeat and not for a copy.
#[test]
fn what_counted_nobody_is_asked_again_with_the_same_nonce() {
    let publisher = Publisher::new(1);
    let station = publisher.host(3);
    let mut machine = Machine::new(&publisher, &publisher.policy("cad"));
    let host = machine.greet(&station).unwrap();
    let mut nonces = Vec::new();
    for (outcome, ticket) in [
        (Outcome::Refused, None),
        (Outcome::Wait, None),
        (Outcome::Wait, Some(station.ticket(1))),
        (Outcome::Refused, None),
    ] {
        let pending = machine.prepare(&host);
        nonces.push(pending.nonce);
        let mut claims = station.claims(&pending, outcome, START);
        claims.ticket = ticket;
        let bytes = station.signer.sign(&claims, true);
        let checked = machine.check(&pending, &host, &bytes).unwrap();
        machine.apply(&pending, &host, &checked).unwrap();
    }
    assert_eq!(nonces[0], nonces[1], "refused");
    assert_eq!(nonces[1], nonces[2], "told to wait");
    assert_ne!(nonces[2], nonces[3], "a ticket was given");
}
