//! When machines ask: in time, not too often, and not all at once.

use std::collections::BTreeMap;

use muster_proto::limits::{INTERVAL_SECONDS_MAX, INTERVAL_SECONDS_MIN};

use super::{Checker, Held, hold};

/// Rounds of one machine in a day at most: one in 15 minutes, and some that a change of state brings.
const ROUNDS_PER_DAY_MAX: u32 = 120;
/// Waits after which a fleet must have shown that it spreads them.
const WAITS_JUDGED: u64 = 60;

/// Every machine's asks.
#[derive(Default)]
pub(crate) struct Schedules {
    /// By machine: the day, and the rounds begun in it.
    rounds: BTreeMap<usize, (u64, u32)>,
    waits: u64,
    /// Waits that were exactly an interval long.
    whole: u64,
}

impl Schedules {
    /// A machine begins a round.
    pub(crate) fn began(&mut self, machine: usize, now: u64) -> Held {
        let day = now / 86_400;
        let (of, rounds) = self.rounds.entry(machine).or_insert((day, 0));
        if *of != day {
            (*of, *rounds) = (day, 0);
        }
        *rounds += 1;
        hold(Checker::AsksInTime, *rounds <= ROUNDS_PER_DAY_MAX, || {
            format!("machine {machine} began {rounds} rounds in a day")
        })
    }

    /// A machine planned its next ask so long after now; `intervals` are those it may have from its
    /// policies and hosts.
    pub(crate) fn planned(&mut self, machine: usize, wait: Option<u64>, intervals: &[u64]) -> Held {
        let Some(wait) = wait else {
            return hold(Checker::AsksInTime, false, || {
                format!("machine {machine} never asks again")
            });
        };
        let bounds = INTERVAL_SECONDS_MIN..=INTERVAL_SECONDS_MAX;
        let near = |interval: &u64| {
            let (low, high) = (interval * 9 / 10, interval * 11 / 10 + 1);
            (low..=high).contains(&wait) || bounds.end() == &wait || bounds.start() == &wait
        };
        let is_right = bounds.contains(&wait) && intervals.iter().any(near);
        hold(Checker::AsksInTime, is_right, || {
            format!("machine {machine} waits {wait} s, its intervals are {intervals:?}")
        })?;
        self.waits += 1;
        self.whole += u64::from(intervals.contains(&wait));
        let is_spread = self.waits < WAITS_JUDGED || self.whole * 4 < self.waits * 3;
        hold(Checker::AsksSpread, is_spread, || {
            format!("{} of {} waits are whole intervals", self.whole, self.waits)
        })
    }
}
