//! The client's two files: read as they are written, and every flipped bit and every cut refused
//! with its own reason.

use std::collections::BTreeMap;

use muster_proto::client::discover::HostAddr;
use muster_proto::client::identity::{AtStore, Identity, Obeyed, OwnProduct, Settings};
use muster_proto::client::schedule::Intervals;
use muster_proto::client::state::State;
use muster_proto::client::trusted_time::{Moment, Written};
use muster_proto::ids::{Nonce, StoreId};
use muster_proto::reason::client as reasons;
use muster_proto::statement::policy::Method;
use muster_proto::time::Span;
use muster_proto::{Reason, Refusal};

use crate::estate::{Machine, Publisher, START, days, id};

/// Two publishers, three products, a licensing lease, a counted one, a re-key under way.
fn machines() -> (Machine, Machine) {
    let (one, two) = (Publisher::new(1), Publisher::new(40));
    let mut first = Machine::new(&one, &one.policy("cad"));
    first.ask(&one.host(9), 5, START);
    first.pass(days(7));
    let now = first.clocks.wall;
    first.ask(&one.host(9), 4, now);
    first.ordered(&one.host(9));
    let delta = one.revoke(0, &one.host(10));
    muster_proto::client::install::take_revocations(first.holding(), &delta).unwrap();
    let marks = &mut first.holding().products.get_mut(&id("cad")).unwrap().marks;
    marks.hardware = Some(Moment {
        wall: START,
        running: days(1),
    });
    marks.rearm_spent = true;
    first.holding().next_ask = Some(Moment::default());
    first.holding().intervals = Some(Intervals::default());
    (first, Machine::new(&two, &two.policy("cam")))
}

pub(crate) fn state() -> State {
    let (one, two) = machines();
    let mut state = one.state;
    state.publishers.extend(two.state.publishers);
    state.declared = true;
    state.written = Written {
        at: Moment {
            wall: START,
            running: days(9),
        },
        boot: [5; 16],
        uptime: Span::from_seconds(77),
    };
    let installed = state.publishers.values_mut().next().unwrap();
    installed.products.values_mut().next().unwrap().last5 = Some("7Q2WK".parse().unwrap());
    state
}

fn identity() -> Identity {
    let (one, two) = machines();
    let host: HostAddr = "kms.corp.test".parse().unwrap();
    let mut own = one.own;
    own.hosts.push(host.clone());
    own.stores.push(AtStore {
        store: StoreId([3; 8]),
        ticket: None,
        pending: Some(Nonce([4; 16])),
    });
    own.orders.push(Obeyed {
        store: StoreId([3; 8]),
        at: START,
    });
    let product = own.products.get_mut(&id("cad")).unwrap();
    *product = OwnProduct {
        key: None,
        hosts: vec!["[2001:db8::1]:1700".parse().unwrap()],
    };
    let settings = Settings {
        hosts: vec![host],
        domain: Some("corp.test".into()),
        method: Some(Method::Kms),
        site: Some("berlin".parse().unwrap()),
        tell_name: true,
    };
    let mut publishers = BTreeMap::new();
    for own in [own, two.own] {
        publishers.insert(own.root.publisher(), own);
    }
    Identity {
        settings,
        publishers,
    }
}

/// The reason that a byte's place in the frame leads to.
fn expected(at: usize, reasons: [Reason; 4]) -> Reason {
    match at {
        0..8 => reasons[0],
        8 => reasons[1],
        9..13 => reasons[2],
        _ => reasons[3],
    }
}

fn every_bit_and_cut(file: &[u8], decode: impl Fn(&[u8]) -> Option<Refusal>, reasons: [Reason; 4]) {
    for bit in 0..8 * file.len() {
        let mut altered = file.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        let refusal = decode(&altered).unwrap_or_else(|| panic!("bit {bit} was accepted"));
        assert_eq!(refusal.reason, expected(bit / 8, reasons), "bit {bit}");
    }
    for length in 0..file.len() {
        let refusal = decode(&file[..length]).unwrap_or_else(|| panic!("{length} bytes"));
        assert_eq!(refusal.reason, reasons[2], "cut to {length} bytes");
    }
    let longer = [file, &[0]].concat();
    assert_eq!(decode(&longer).unwrap().reason, reasons[2]);
    assert_eq!(decode(b"").unwrap().reason, reasons[2]);
}

#[test]
fn the_state_is_read_as_it_is_written() {
    let state = state();
    let file = state.encode();
    assert_eq!(State::decode(&file).unwrap(), state);
    assert_eq!(State::decode(&file).unwrap().encode(), file);
    let empty = State::default();
    assert_eq!(State::decode(&empty.encode()).unwrap(), empty);
}

#[test]
fn every_flipped_bit_and_every_cut_of_the_state_is_refused() {
    let reasons = [
        reasons::STATE_FOREIGN,
        reasons::STATE_VERSION,
        reasons::STATE_CUT,
        reasons::STATE_ALTERED,
    ];
    every_bit_and_cut(
        &state().encode(),
        |bytes| State::decode(bytes).err(),
        reasons,
    );
}

#[test]
fn the_identity_is_read_as_it_is_written() {
    let identity = identity();
    let file = identity.encode();
    let read = Identity::decode(&file).unwrap();
    assert_eq!(read, identity);
    let own = read.publishers.values().next().unwrap();
    assert_eq!(read.settings, identity.settings);
    assert!(own.successor.is_some() || read.publishers.len() == 2);
    assert!(!format!("{read:?}").contains("seed"));
}

#[test]
fn every_flipped_bit_and_every_cut_of_the_identity_is_refused() {
    let reasons = [
        reasons::IDENTITY_FOREIGN,
        reasons::IDENTITY_VERSION,
        reasons::IDENTITY_CUT,
        reasons::IDENTITY_ALTERED,
    ];
    every_bit_and_cut(
        &identity().encode(),
        |bytes| Identity::decode(bytes).err(),
        reasons,
    );
}

#[test]
fn one_file_is_not_taken_for_the_other() {
    let refusal = State::decode(&identity().encode()).unwrap_err();
    assert_eq!(refusal.reason, reasons::STATE_FOREIGN);
    let refusal = Identity::decode(&state().encode()).unwrap_err();
    assert_eq!(refusal.reason, reasons::IDENTITY_FOREIGN);
    let huge = vec![0; 2_000_000];
    assert!(State::decode(&huge).is_err() && Identity::decode(&huge).is_err());
}

#[test]
fn the_state_holds_no_secret() {
    let (one, _) = machines();
    let file = one.state.encode();
    for key in [&one.own.key, one.own.asking_key()] {
        let seed = key.seed();
        assert!(!file.windows(32).any(|window| window == seed.as_slice()));
    }
}
