//! Tests of single decisions; every interleaving is explored in `tests/tickets.rs`.

use zeroize::Zeroizing;

use super::ticket::{Holder, Purpose, give};
use super::*;
use crate::client::LicenceState;
use crate::ids::{ClientId, Nonce, PublisherId, StoreId, Thumbprint};
use crate::limits::CLIENT_POOLS_MAX;
use crate::reason::kms as reasons;
use crate::statement::ask::Ticket;
use crate::time::{Span, Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const WINDOW: Span = Span::from_days(30);
const POOL: PoolNumber = PoolNumber(2);
const PUBLISHER: PublisherId = PublisherId([1; 16]);

fn store(number: u8) -> StoreIdentity {
    StoreIdentity {
        id: StoreId([number; 8]),
        key: Zeroizing::new([number; 32]),
    }
}

fn desk() -> Desk {
    Desk::new(store(7))
}

fn thumbprint(client: u8) -> Thumbprint {
    Thumbprint([client; 32])
}

fn holder(client: u8) -> Holder {
    Holder {
        publisher: PUBLISHER,
        thumbprint: thumbprint(client),
    }
}

fn facts(client: u8, nonce: u8) -> AskFacts {
    AskFacts {
        store: store(1).id,
        client: ClientKey {
            publisher: PUBLISHER,
            client: thumbprint(client).into(),
        },
        thumbprint: thumbprint(client),
        nonce: Nonce([nonce; 16]),
        source: Source::V4([192, 0, 2, 1]),
        pools: vec![AskedPool {
            pool: POOL,
            window: WINDOW,
        }],
        ticket: None,
        predecessor: None,
        state: LicenceState::Unlicensed,
        client_budget: 100,
    }
}

fn known(count: u32) -> Known {
    Known {
        counts: vec![(POOL, count)],
        publisher_clients: count,
        ..Known::default()
    }
}

/// What is known after a client's first contact, and its ticket.
fn met(desk: &mut Desk, client: u8) -> (Known, Ticket) {
    let decision = desk.decide(&known(4), &facts(client, 1), NOW);
    let (_, row) = decision.change.client.clone().unwrap();
    let Verdict::Granted { ticket } = decision.verdict else {
        panic!("{decision:?}")
    };
    let known = Known {
        client: Some(row),
        ..known(5)
    };
    (known, ticket)
}

#[test]
fn a_first_contact_is_counted_with_the_asker() {
    let decision = desk().decide(&known(4), &facts(1, 1), NOW);
    assert_eq!(decision.reason, reasons::FIRST_CONTACT);
    assert_eq!(decision.counts, [(POOL, 5)]);
    assert_eq!(decision.change.audit, Some(AuditEvent::FirstSeen));
    let (client, row) = decision.change.client.unwrap();
    assert_eq!(client, thumbprint(1).into());
    assert_eq!((row.generation, row.seats.len()), (1, 1));
    assert_eq!(row.seats[0].until_hour, seat_until(NOW, WINDOW));
}

#[test]
fn a_seat_lasts_to_the_end_of_the_hour_in_which_the_window_passes() {
    let until = seat_until(NOW, WINDOW);
    let seat = Seat {
        pool: POOL,
        until_hour: until,
    };
    assert!(seat.counts_at(hour_of(NOW + WINDOW)));
    assert!(!seat.counts_at(hour_of(NOW + WINDOW) + 1));
}

#[test]
fn every_wrong_ticket_is_answered_by_an_order() {
    let mut desk = desk();
    let (known, ticket) = met(&mut desk, 1);
    let mut ask = |ticket: Option<Ticket>| {
        let facts = AskFacts {
            ticket,
            ..facts(1, 2)
        };
        desk.decide(&known, &facts, NOW)
    };
    assert_eq!(ask(Some(ticket)).reason, reasons::RENEWED);
    let mut wrong = vec![None];
    for bit in 0..8 * 28 {
        let mut bytes = ticket.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        wrong.push(Some(Ticket::from_bytes(&bytes)));
    }
    // Of another client, of another store, an order shown as a ticket, an older generation.
    wrong.push(Some(give(&store(7), Purpose::Ticket, holder(2), 1)));
    wrong.push(Some(give(&store(8), Purpose::Ticket, holder(1), 1)));
    wrong.push(Some(give(&store(7), Purpose::Order, holder(1), 1)));
    wrong.push(Some(give(&store(7), Purpose::Ticket, holder(1), 0)));
    for ticket in wrong {
        let decision = ask(ticket);
        assert!(
            matches!(decision.verdict, Verdict::NewKey { .. }),
            "{ticket:?}"
        );
        assert_eq!(decision.reason, reasons::NEW_KEY);
        assert_eq!(decision.change, Change::default(), "nothing changes");
    }
}

#[test]
fn a_later_true_ticket_is_where_the_row_goes_on() {
    let mut desk = desk();
    let (known, _) = met(&mut desk, 1);
    let facts = AskFacts {
        ticket: Some(give(&store(7), Purpose::Ticket, holder(1), 9)),
        ..facts(1, 2)
    };
    let decision = desk.decide(&known, &facts, NOW);
    assert_eq!(decision.reason, reasons::CONTINUED);
    assert_eq!(decision.change.client.unwrap().1.generation, 10);
    let unknown = desk.decide(&super::tests::known(0), &facts, NOW);
    assert_eq!(unknown.reason, reasons::CONTINUED);
    assert_eq!(unknown.change.client.unwrap().1.generation, 10);
    let mut last = facts;
    last.ticket = Some(give(&store(7), Purpose::Ticket, holder(1), u32::MAX));
    let decision = desk.decide(&known, &last, NOW);
    assert_eq!(decision.change.client.unwrap().1.generation, u32::MAX);
}

#[test]
fn the_same_nonce_changes_nothing_and_counts_nobody_again() {
    let mut desk = desk();
    let (known, ticket) = met(&mut desk, 1);
    let repeated = desk.decide(&known, &facts(1, 1), NOW);
    assert_eq!(repeated.verdict, Verdict::Granted { ticket });
    assert_eq!(repeated.reason, reasons::REPEATED);
    assert_eq!(repeated.change, Change::default());
    assert_eq!(repeated.counts, [(POOL, 5)], "the count of now");
    let later = NOW + WINDOW + Span::from_hours(1);
    let gone = Known {
        counts: vec![(POOL, 0)],
        publisher_clients: 0,
        ..known
    };
    let late = desk.decide(&gone, &facts(1, 1), later);
    let same = Some(ticket);
    assert_eq!(
        late.verdict,
        Verdict::Wait { ticket: same },
        "the same ticket"
    );
    assert_eq!(late.reason, reasons::REPEATED_LATE);
    assert_eq!(late.change, Change::default());
    assert_eq!(late.counts, [(POOL, 0)]);
    let anew = AskFacts {
        ticket: same,
        ..facts(1, 2)
    };
    let back = desk.decide(&gone, &anew, later);
    assert_eq!(back.reason, reasons::COUNTED_AGAIN);
    assert_eq!(back.counts, [(POOL, 1)]);
}

/// A client that was ordered to make a new key: what the store knows of it, its ticket, the order.
fn ordered(desk: &mut Desk) -> (Known, Option<Ticket>, Ticket) {
    let (known, ticket) = met(desk, 1);
    match desk.decide(&known, &facts(1, 2), NOW).verdict {
        Verdict::NewKey { order } => (known, Some(ticket), order),
        other => panic!("{other:?}"),
    }
}

/// The first ask of the key that succeeds client 1 by an order.
fn successor(order: Ticket) -> AskFacts {
    let predecessor = PredecessorFacts {
        client: thumbprint(1).into(),
        thumbprint: thumbprint(1),
        order,
    };
    AskFacts {
        predecessor: Some(predecessor),
        ..facts(2, 3)
    }
}

/// What the store knows when the successor asks, the predecessor being of a generation.
fn predecessor_of(known: &Known, generation: u32) -> Known {
    let row = known.client.clone().unwrap();
    Known {
        client: None,
        predecessor: Some(ClientRow { generation, ..row }),
        ..known.clone()
    }
}

/// One machine that was set back to an old snapshot: it gets a new key, and is counted once.
#[test]
fn a_machine_set_back_leaves_no_ghost_in_the_count() {
    let mut desk = desk();
    let (known, ticket, order) = ordered(&mut desk);
    let decision = desk.decide(&predecessor_of(&known, 1), &successor(order), NOW);
    assert_eq!(decision.reason, reasons::SUCCEEDED);
    assert_eq!(decision.counts, [(POOL, 5)], "one in place of the other");
    let (predecessor, row) = decision.change.predecessor.unwrap();
    let first: ClientId = thumbprint(1).into();
    assert_eq!((predecessor, row.generation), (first, 1));
    assert!(row.seats.is_empty());
    let audit = decision.change.audit;
    assert_eq!(audit, Some(AuditEvent::Succeeded { predecessor }));

    // The old key counts again when it asks itself, not when its last ask comes once more.
    let emptied = Known {
        client: Some(row),
        ..known
    };
    let repeated = desk.decide(&emptied, &facts(1, 1), NOW);
    assert_eq!(repeated.reason, reasons::REPEATED_LATE);
    assert_eq!(repeated.counts, [(POOL, 5)]);
    assert_eq!(repeated.change, Change::default());
    let anew = AskFacts {
        ticket,
        ..facts(1, 2)
    };
    let again = desk.decide(&emptied, &anew, NOW);
    assert_eq!(again.reason, reasons::COUNTED_AGAIN);
    assert_eq!(again.counts, [(POOL, 6)]);
}

/// The old key stays in the count when it has asked since the order, and when the order is not
/// this store's.
#[test]
fn a_predecessor_in_use_stays_in_the_count() {
    let mut desk = desk();
    let (known, _, order) = ordered(&mut desk);
    let decision = desk.decide(&predecessor_of(&known, 2), &successor(order), NOW);
    assert_eq!(decision.reason, reasons::SUCCEEDED_BESIDE);
    assert_eq!(decision.counts, [(POOL, 6)]);
    assert_eq!(decision.change.predecessor, None);

    // An order of another store, a ticket shown as an order, an order for another client.
    let foreign = [
        give(&store(8), Purpose::Order, holder(1), 1),
        give(&store(7), Purpose::Ticket, holder(1), 1),
        give(&store(7), Purpose::Order, holder(3), 1),
    ];
    for order in foreign {
        let decision = desk.decide(&predecessor_of(&known, 1), &successor(order), NOW);
        assert_eq!(decision.reason, reasons::ORDER_NOT_OURS);
        assert_eq!(decision.counts, [(POOL, 6)]);
        assert_eq!(decision.change.predecessor, None);
        assert_eq!(decision.change.audit, Some(AuditEvent::FirstSeen));
    }
}

#[test]
fn the_budget_binds_only_who_is_not_counted() {
    let mut desk = desk();
    let ask = |client_budget| AskFacts {
        client_budget,
        ..facts(1, 1)
    };
    assert!(desk.decide(&known(5), &ask(6), NOW).is_granted());
    let refused = desk.decide(&known(5), &ask(5), NOW);
    assert_eq!(
        (refused.verdict, refused.reason),
        (Verdict::Refused, reasons::BUDGET_SPENT)
    );
    assert_eq!(refused.change, Change::default());
    let (met, ticket) = met(&mut desk, 1);
    let renewal = |now| {
        let facts = AskFacts {
            ticket: Some(ticket),
            nonce: Nonce([2; 16]),
            ..ask(1)
        };
        Desk::new(store(7)).decide(&met, &facts, now)
    };
    assert_eq!(renewal(NOW).reason, reasons::RENEWED);
    // One that has left the count needs a place again.
    let later = NOW + WINDOW + Span::from_hours(1);
    assert_eq!(renewal(later).reason, reasons::BUDGET_SPENT);
}

#[test]
fn a_successor_fits_where_its_predecessor_leaves() {
    let mut desk = desk();
    let (met, _) = met(&mut desk, 1);
    let successor = AskFacts {
        predecessor: Some(PredecessorFacts {
            client: thumbprint(1).into(),
            thumbprint: thumbprint(1),
            order: give(&store(7), Purpose::Order, holder(1), 1),
        }),
        client_budget: 5,
        ..facts(2, 3)
    };
    let known = Known {
        predecessor: met.client,
        ..known(5)
    };
    assert_eq!(
        desk.decide(&known, &successor, NOW).reason,
        reasons::SUCCEEDED
    );
}

#[test]
fn the_limit_on_new_identities_spares_those_that_are_known() {
    let mut desk = Desk::with_limiter(store(7), Limiter::new(3, 10));
    let (met, ticket) = met(&mut desk, 1);
    let new = |client: u8, desk: &mut Desk| desk.decide(&known(0), &facts(client, 1), NOW);
    assert!(new(2, &mut desk).is_granted() && new(3, &mut desk).is_granted());
    let busy = new(4, &mut desk);
    let wait = Verdict::Wait { ticket: None };
    assert_eq!((busy.verdict, busy.reason), (wait, reasons::BUSY));
    assert_eq!(busy.change, Change::default());
    let renewal = AskFacts {
        ticket: Some(ticket),
        ..facts(1, 2)
    };
    assert!(desk.decide(&met, &renewal, NOW).is_granted());
    let elsewhere = AskFacts {
        source: Source::V4([192, 0, 2, 2]),
        ..facts(4, 1)
    };
    assert!(desk.decide(&known(0), &elsewhere, NOW).is_granted());
    desk.set_new_identities_per_hour(4);
    assert!(new(4, &mut desk).is_granted());
}

#[test]
fn seats_elsewhere_are_kept_while_they_count() {
    let mut desk = desk();
    let (mut met, ticket) = met(&mut desk, 1);
    let hour = hour_of(NOW);
    let row = met.client.as_mut().unwrap();
    for number in 10..20 {
        let until_hour = hour + number;
        let pool = PoolNumber(number);
        row.seats.push(Seat { pool, until_hour });
    }
    row.seats.push(Seat {
        pool: PoolNumber(99),
        until_hour: hour - 30,
    });
    let facts = AskFacts {
        ticket: Some(ticket),
        ..facts(1, 2)
    };
    let decision = desk.decide(&met, &facts, NOW);
    let seats = decision.change.client.unwrap().1.seats;
    assert_eq!(seats.len(), CLIENT_POOLS_MAX);
    assert_eq!(seats[0].pool, POOL);
    let others: Vec<u32> = seats[1..].iter().map(|seat| seat.pool.0).collect();
    assert_eq!(others, [19, 18, 17, 16, 15, 14, 13], "the longest-lasting");
}

/// Each rule that a single decision shows is needed: without it, the decision is another.
#[cfg(feature = "break-rules")]
#[test]
fn a_broken_rule_is_seen() {
    use crate::rules::{Rule, without};
    let mut desk = desk();
    let (known, _) = met(&mut desk, 1);
    let forged = AskFacts {
        ticket: Some(give(&store(8), Purpose::Ticket, holder(1), 1)),
        ..facts(1, 2)
    };
    assert!(!desk.decide(&known, &forged, NOW).is_granted());
    without(Rule::TrueTicket, || {
        assert!(desk.decide(&known, &forged, NOW).is_granted());
    });
    let successor = AskFacts {
        predecessor: Some(PredecessorFacts {
            client: thumbprint(1).into(),
            thumbprint: thumbprint(1),
            order: give(&store(8), Purpose::Order, holder(1), 1),
        }),
        ..facts(2, 3)
    };
    let beside = Known {
        client: None,
        predecessor: known.client,
        ..super::tests::known(5)
    };
    let mut counted = |facts: &AskFacts| desk.decide(&beside, facts, NOW).counts[0].1;
    assert_eq!(counted(&successor), 6);
    assert_eq!(without(Rule::TrueOrder, || counted(&successor)), 5);
    let mut ordered = successor;
    if let Some(predecessor) = &mut ordered.predecessor {
        predecessor.order = give(&store(7), Purpose::Order, holder(1), 1);
    }
    assert_eq!(counted(&ordered), 5);
    assert_eq!(without(Rule::PredecessorLeaves, || counted(&ordered)), 6);
}
