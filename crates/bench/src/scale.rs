//! How much is measured: what the figures are stated for, and the short run that only proves that
//! every row can be measured.

use std::time::Duration;

/// The sizes of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Rounds of ours and theirs in turn.
    pub(crate) rounds: usize,
    /// Asks on new connections in one round.
    pub(crate) asks_new: usize,
    /// Asks on kept connections in one round.
    pub(crate) asks_kept: usize,
    /// Asks that come on a schedule in one round, at most one of each machine.
    pub(crate) asks_scheduled: usize,
    /// How long asks come on a schedule in one round, at most.
    pub(crate) scheduled: Duration,
    /// Machines that ask, each with a key of its own.
    pub(crate) machines: usize,
    /// Clients that only the store's own row asks for.
    pub(crate) store_clients: usize,
    /// How long a peer, or the store alone, is loaded in one round.
    pub(crate) spell: Duration,
    /// Rows of the small table.
    pub(crate) small_table: u64,
    /// Rows of the table that asks on kept connections work on.
    pub(crate) table: u64,
    /// Rows of the large table.
    pub(crate) large_table: u64,
    /// Starts of each kind.
    pub(crate) starts: usize,
    /// Runs of a whole process.
    pub(crate) processes: usize,
    /// Reads of a licence in one round.
    pub(crate) reads: usize,
}

impl Scale {
    /// What the rows are stated for.
    pub(crate) const FULL: Self = Self {
        rounds: 7,
        asks_new: 4_000,
        asks_kept: 10_000,
        asks_scheduled: 10_000,
        scheduled: Duration::from_secs(3),
        machines: 10_000,
        store_clients: 65_536,
        spell: Duration::from_secs(2),
        small_table: 10_000,
        table: 1_000_000,
        large_table: 10_000_000,
        starts: 5,
        processes: 101,
        reads: 2_000,
    };

    /// Seconds in place of minutes; the figures mean little.
    pub(crate) const QUICK: Self = Self {
        rounds: 2,
        asks_new: 1_000,
        asks_kept: 2_000,
        asks_scheduled: 1_000,
        scheduled: Duration::from_millis(400),
        machines: 2_000,
        store_clients: 2_048,
        spell: Duration::from_millis(400),
        small_table: 5_000,
        table: 50_000,
        large_table: 200_000,
        starts: 2,
        processes: 11,
        reads: 200,
    };
}
