//! State files as each version of them was written: read for ever, and the present one made again
//! byte for byte. `MUSTER_VECTORS=write` writes a file that is not there yet; none ever changes.

use std::path::{Path, PathBuf};

use muster_proto::client::state::State;

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

#[test]
fn the_state_is_made_again_as_it_was_written() {
    let (name, bytes) = ("v1.state", state().encode());
    let writing = std::env::var("MUSTER_VECTORS").is_ok_and(|word| word == "write");
    if writing && !place(name).exists() {
        std::fs::write(place(name), &bytes).unwrap();
    }
    assert_eq!(read(name), bytes);
    assert_eq!(State::decode(&bytes).unwrap(), state());
}
