//! State files as each version of them was written: read for ever, and the present one made again
//! byte for byte. `MUSTER_VECTORS=write` writes a file that is not there yet; none ever changes.

use std::path::{Path, PathBuf};

use muster_proto::Refusal;
use muster_proto::client::state::{Failure, State};
use muster_proto::reason::client as reasons;

use crate::estate::START;
use crate::files::state;

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../vectors/client")
        .join(name)
}

fn read(name: &str) -> Vec<u8> {
    let path = place(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes the file where it is wanted and missing; it must hold these bytes and mean this state.
fn is_held(name: &str, state: &State) {
    let bytes = state.encode();
    let writing = std::env::var("MUSTER_VECTORS").is_ok_and(|word| word == "write");
    if writing && !place(name).exists() {
        std::fs::write(place(name), &bytes).unwrap();
    }
    assert!(read(name) == bytes, "{name} is not what is made");
    assert!(State::decode(&bytes).unwrap() == *state, "{name}");
}

#[test]
fn the_first_state_is_read_and_made_again() {
    let mut state = state();
    let holding = state.publishers.values_mut().next().unwrap();
    let installed = holding.products.values_mut().next().unwrap();
    assert!(installed.failed.take().is_some(), "its writer noted none");
    is_held("v1.state", &state);
}

#[test]
fn a_state_that_remembers_is_read_and_made_again() {
    let mut state = state();
    let holding = state.publishers.values_mut().next().unwrap();
    let installed = holding.products.values_mut().next().unwrap();
    let why = Refusal::new(reasons::HOST_NONE, "_muster-kms._tcp.corp.test");
    installed.failed = Some(Failure::of(START, &why));
    let other = state.publishers.values_mut().next_back().unwrap();
    let products: Vec<_> = other.products.keys().cloned().collect();
    products.iter().for_each(|product| other.remove(product));
    other.removed[0].marks.rearm_spent = true;
    is_held("v1-removed.state", &state);
}
