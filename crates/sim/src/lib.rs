//! The simulator: many clients, several hosts, authorities, DNS and stores from one seed, with faults
//! of every kind, and checkers after each step. It runs proto's own rules over the stores in memory;
//! one thread, one seed, no clock of the real world.
#![forbid(unsafe_code)]

mod answers;
mod asks;
mod checks;
mod clock;
mod dice;
mod faults;
mod hosts;
mod log;
mod machine;
mod plan;
mod publisher;
mod ready;
mod station;
mod summary;
mod trouble;
mod world;

use std::path::Path;

pub use checks::Checker;
pub use faults::Fault;
pub use plan::Options;
pub use summary::Summary;
pub use world::Violation;

use log::Log;
use world::World;

/// What one seed came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The numbers, also of a world that ended early.
    pub summary: Summary,
    /// SHA-256 over the log, block by block: two runs of a seed that differ in a byte differ in it.
    pub digest: [u8; 32],
    /// The promise that did not hold.
    pub violation: Option<Violation>,
}

/// Lets the world of a seed pass; its log goes into a file where one is given.
///
/// # Errors
/// The log cannot be written.
pub fn simulate(options: Options, log: Option<&Path>) -> std::io::Result<Outcome> {
    let seed = options.seed;
    let mut world = match World::new(options, Log::new(log)?) {
        Ok(world) => world,
        Err(stop) => return Ok(Outcome::of_nothing(seed, stop)),
    };
    let violation = world.run().err().map(|stop| world.violation(stop));
    if let Some(violation) = &violation {
        world.note(format_args!("{violation}"));
    }
    Ok(Outcome {
        summary: Summary::of(&world),
        digest: world.log.finish()?,
        violation,
    })
}

impl Outcome {
    /// A world that could not be made.
    fn of_nothing(seed: u64, stop: world::Stop) -> Self {
        Self {
            summary: Summary::default(),
            digest: [0; 32],
            violation: Some(Violation::at_start(seed, stop)),
        }
    }
}
