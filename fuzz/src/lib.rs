//! Hostile input for everything in muster that reads. A target is a plain function of bytes: it
//! panics where muster, or a promise about it, fails. `cargo xtask fuzz` looks for such bytes;
//! `fuzz/tests/replay.rs` feeds every target what was found before, in every run of the tests.
#![forbid(unsafe_code)]

mod canned;
mod estate;
mod input;
pub mod pack;
mod signing;
mod targets;

use std::path::Path;
use std::sync::OnceLock;

pub use targets::TARGETS;

/// The variable that names the target.
pub const TARGET_VARIABLE: &str = "MUSTER_FUZZ_TARGET";
/// The variable that names the file to write the names and limits of all targets to.
pub const LIST_VARIABLE: &str = "MUSTER_FUZZ_LIST";
/// The variable that names the folder to write the target's seeds to.
pub const SEEDS_VARIABLE: &str = "MUSTER_FUZZ_SEEDS";

/// One reader under fire.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Bytes of one input at most.
    pub bytes_max: usize,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// Feeds it bytes.
    ///
    /// # Panics
    /// Where muster fails.
    pub fn feed(&self, bytes: &[u8]) {
        if bytes.len() <= self.bytes_max {
            (self.run)(bytes);
        }
    }

    /// Good inputs, for the engine to begin with.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        (self.seeds)()
    }
}

/// The target of this process.
///
/// # Panics
/// Where [`TARGET_VARIABLE`] names none.
pub fn chosen() -> &'static Target {
    static CHOSEN: OnceLock<&'static Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var(TARGET_VARIABLE).unwrap_or_default();
        let known = TARGETS.iter().find(|target| target.name == name);
        known.unwrap_or_else(|| panic!("{TARGET_VARIABLE}: no target is named {name:?}"))
    })
}

/// What the engine's process does first: what it was asked for in variables is written.
///
/// # Panics
/// When it cannot be.
pub fn begin() {
    if let Some(file) = std::env::var_os(LIST_VARIABLE) {
        let line = |target: &Target| format!("{} {}\n", target.name, target.bytes_max);
        let lines: String = TARGETS.iter().map(line).collect();
        write(Path::new(&file), lines.as_bytes());
    }
    if let Some(folder) = std::env::var_os(SEEDS_VARIABLE) {
        for (number, seed) in chosen().seeds().into_iter().enumerate() {
            write(&Path::new(&folder).join(format!("seed-{number}")), &seed);
        }
    }
}

fn write(file: &Path, bytes: &[u8]) {
    std::fs::write(file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
