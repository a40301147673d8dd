//! The ticket rules, explored over every interleaving: a host's real decisions against a small model
//! of what clients do, of a network that loses, delays, reorders and repeats, of copied machines and
//! of restored hosts.
//!
//! What was once sent stays in the world and may be delivered at any later time, any number of
//! times, or never: that is loss, delay, reordering and replay in one. The exploration is exhaustive
//! within the bounds of each [`Bounds`]; there is no random choice.
//!
//! What must hold in every world:
//! - no machine that was never copied makes a new key, or is told to by the store that its ask was
//!   prepared for;
//! - nothing that arrives takes a licence away;
//! - machines that share an identity are told apart: when each has ended the ask that it was copied
//!   with, and then asked twice without loss (in rounds: each once, in any order), all of them are
//!   counted, under different identities; once more where a host was restored from a backup;
//! - after such rounds the count is the number of machines that asked, once the windows of whatever
//!   was counted before have passed; and at once where nobody was ever copied.
//!
//! An ask begins when its nonce is drawn. Each promise is shown to fail: for clients that break their
//! part here, for every rule of the host with the feature `break-rules`
//! (`cargo test --release -p muster-proto --features break-rules --test tickets`).

mod rounds;
mod world;

use std::collections::HashSet;

use muster_proto::host::Desk;

use world::{Bounds, Broken, Client, Step, World, desks, fingerprint};

/// Whoever reads more than this has set the bounds too wide.
const WORLDS_MAX: usize = 6_000_000;

struct Explorer {
    bounds: Bounds,
    desks: Vec<Desk>,
    seen: HashSet<u128>,
    /// Worlds that differ only in what is under way have the same rounds ahead of them.
    judged: HashSet<u128>,
    path: Vec<Step>,
}

impl Explorer {
    /// Walks through every reachable world; the number of worlds, or the first broken promise with
    /// the steps that lead to it.
    fn explore(bounds: Bounds) -> Result<usize, (Broken, Vec<Step>)> {
        let world = World::new(&bounds);
        let mut explorer = Self {
            desks: desks(world.stores.len()),
            bounds,
            seen: HashSet::new(),
            judged: HashSet::new(),
            path: Vec::new(),
        };
        match explorer.visit(&world) {
            Ok(()) => Ok(explorer.seen.len()),
            Err(broken) => Err((broken, explorer.path)),
        }
    }

    fn visit(&mut self, world: &World) -> Result<(), Broken> {
        if !self.seen.insert(fingerprint(world)) {
            return Ok(());
        }
        assert!(
            self.seen.len() < WORLDS_MAX,
            "the bounds are too wide: {:?}",
            self.bounds
        );
        let rows: Vec<_> = world.stores.iter().map(|store| &store.rows).collect();
        if self
            .judged
            .insert(fingerprint(&(rows, &world.machines, world.was_restored)))
        {
            world.check_rounds(&self.bounds, &mut self.desks)?;
        }
        for step in world.steps(&self.bounds) {
            let mut next = world.clone();
            self.path.push(step);
            next.step(&self.bounds, &mut self.desks, step)?;
            self.visit(&next)?;
            self.path.pop();
        }
        Ok(())
    }
}

const ONE_HOST: &[usize] = &[0];
const TWO_HOSTS_SHARED: &[usize] = &[0, 0];
const TWO_HOSTS_APART: &[usize] = &[0, 1];

const BASE: Bounds = Bounds {
    hosts: ONE_HOST,
    machines: 1,
    asks: 3,
    copies: 0,
    restores: 0,
    lies: false,
    client: Client::Right,
};

#[track_caller]
fn holds(bounds: Bounds) {
    let worlds = Explorer::explore(bounds).unwrap_or_else(|(broken, path)| {
        panic!("{broken:?} by {path:?} within {bounds:?}");
    });
    assert!(worlds > 5, "hardly anything was explored: {worlds}");
    let mut out = std::io::stdout();
    let said = format!("{worlds} worlds within {bounds:?}\n");
    std::io::Write::write_all(&mut out, said.as_bytes()).expect("standard output is open");
}

#[track_caller]
fn is_broken(bounds: Bounds, promise: Broken) {
    match Explorer::explore(bounds) {
        Err((broken, _)) => assert_eq!(broken, promise, "{bounds:?}"),
        Ok(worlds) => panic!("nothing was found in {worlds} worlds of {bounds:?}"),
    }
}

#[test]
fn one_honest_machine_and_one_host() {
    holds(Bounds { asks: 5, ..BASE });
    holds(Bounds {
        asks: 4,
        restores: 2,
        ..BASE
    });
}

#[test]
fn two_honest_machines() {
    holds(Bounds {
        machines: 2,
        asks: 2,
        ..BASE
    });
    holds(Bounds {
        machines: 2,
        asks: 2,
        restores: 1,
        ..BASE
    });
}

#[test]
fn an_honest_machine_and_two_hosts_with_a_shared_store() {
    holds(Bounds {
        hosts: TWO_HOSTS_SHARED,
        asks: 4,
        ..BASE
    });
    holds(Bounds {
        hosts: TWO_HOSTS_SHARED,
        asks: 3,
        restores: 1,
        ..BASE
    });
}

#[test]
fn an_honest_machine_and_two_hosts_with_stores_apart() {
    holds(Bounds {
        hosts: TWO_HOSTS_APART,
        asks: 4,
        ..BASE
    });
    holds(Bounds {
        hosts: TWO_HOSTS_APART,
        asks: 3,
        restores: 1,
        ..BASE
    });
}

/// Greetings are not signed: whoever sits in the network may name another store in them. A machine
/// that has met a host's store cannot be led to a new key by it.
#[test]
fn greetings_that_lie_about_the_store() {
    let lies = Bounds {
        hosts: TWO_HOSTS_APART,
        asks: 3,
        lies: true,
        ..BASE
    };
    holds(lies);
    holds(Bounds {
        restores: 1,
        asks: 2,
        ..lies
    });
    let client = Client::EndsOtherNonces;
    is_broken(Bounds { client, ..lies }, Broken::HonestMachineOrdered);
}

#[test]
fn a_machine_that_is_copied_at_any_time() {
    holds(Bounds {
        asks: 4,
        copies: 1,
        ..BASE
    });
}

#[test]
fn a_machine_that_is_copied_twice() {
    holds(Bounds {
        asks: 2,
        copies: 2,
        ..BASE
    });
}

#[test]
fn a_copied_machine_and_a_restored_host() {
    holds(Bounds {
        asks: 3,
        copies: 1,
        restores: 1,
        ..BASE
    });
}

#[test]
fn a_copied_machine_beside_an_honest_one() {
    holds(Bounds {
        machines: 2,
        asks: 2,
        copies: 1,
        ..BASE
    });
}

#[test]
fn a_copied_machine_and_two_hosts() {
    holds(Bounds {
        hosts: TWO_HOSTS_SHARED,
        asks: 2,
        copies: 1,
        ..BASE
    });
    holds(Bounds {
        hosts: TWO_HOSTS_APART,
        asks: 2,
        copies: 1,
        ..BASE
    });
}

/// The model has teeth: clients that do not do their part break a promise.
#[test]
fn clients_that_break_their_part_are_found() {
    let broken = |client, bounds: Bounds, promise| is_broken(Bounds { client, ..bounds }, promise);
    broken(Client::ForgetsNonces, BASE, Broken::HonestMachineOrdered);
    let apart = Bounds {
        hosts: TWO_HOSTS_APART,
        ..BASE
    };
    broken(Client::OneNonceForAll, apart, Broken::HonestMachineOrdered);
    broken(Client::OneTicketForAll, apart, Broken::HonestMachineOrdered);
    let copied = Bounds { copies: 1, ..BASE };
    broken(Client::DropsLeases, copied, Broken::LicenceTaken);
    broken(Client::Disobeys, copied, Broken::CopiesNotToldApart);
}

/// The model has teeth: a host without one of its rules breaks a promise.
#[cfg(feature = "break-rules")]
mod broken_rules {
    use muster_proto::rules::{Rule, without};

    use super::*;

    fn broken(rule: Rule, bounds: Bounds, promise: Broken) {
        without(rule, || is_broken(bounds, promise));
        holds(bounds);
    }

    #[test]
    fn every_rule_of_the_host_is_needed() {
        let copied = Bounds { copies: 1, ..BASE };
        broken(Rule::RepeatedNonce, BASE, Broken::HonestMachineOrdered);
        let restored = Bounds {
            restores: 1,
            ..BASE
        };
        broken(Rule::LaterTicket, restored, Broken::HonestMachineOrdered);
        broken(Rule::SharedIdentity, copied, Broken::CopiesNotToldApart);
        broken(Rule::FreshOrder, copied, Broken::CopiesNotToldApart);
    }
}
