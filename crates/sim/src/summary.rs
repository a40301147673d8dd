//! What a world came to, in numbers.

use std::collections::BTreeMap;

use muster_proto::host::{Decision, Verdict};
use serde_json::{Value, json};

use crate::clock::START;
use crate::faults::Fault;
use crate::world::World;

/// Seconds of a year of 365 days.
const YEAR: f64 = 365.0 * 86_400.0;

/// The numbers of one world, or of several added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Client machines' years, off or on.
    pub client_years: f64,
    /// Events that happened.
    pub steps: u64,
    /// Rounds that machines began.
    pub rounds: u64,
    /// Asks sent.
    pub asks: u64,
    /// Messages lost on their way.
    pub lost: u64,
    /// Asks that somebody recorded and sent again.
    pub recorded: u64,
    /// Answers that granted something.
    pub grants: u64,
    /// Decisions: granted, wait, new key, refused.
    pub decisions: [u64; 4],
    /// New keys that machines made.
    pub rekeyed: u64,
    /// Certificates that authorities granted, and requests that they refused.
    pub certified: u64,
    /// Requests that authorities refused.
    pub refusals: u64,
    /// Times that a host went down.
    pub host_crashes: u64,
    /// Times that a machine failed.
    pub client_crashes: u64,
    /// Judgements, and those that found a product licensed.
    pub judged: (u64, u64),
    /// Products at the end, and those licensed.
    pub products: u64,
    /// Products that are licensed at the end.
    pub licensed: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// Intervals that policies were changed to, in seconds.
    pub(crate) intervals: Vec<u64>,
}

impl Summary {
    /// Counts a decision.
    pub(crate) fn decided(&mut self, decision: &Decision) {
        let at = match decision.verdict {
            Verdict::Granted { .. } => 0,
            Verdict::Wait { .. } => 1,
            Verdict::NewKey { .. } => 2,
            Verdict::Refused => 3,
        };
        self.decisions[at] += 1;
    }

    /// The numbers of a world that has ended.
    pub(crate) fn of(world: &World) -> Self {
        let seconds = (world.end - START) as f64 * world.machines.len() as f64;
        let licences = &world.checks.licences;
        Self {
            client_years: seconds / YEAR,
            steps: world.steps(),
            judged: (licences.judged, licences.licensed),
            ..world.summary.clone()
        }
    }

    /// As JSON; the digest of the log stands beside it.
    pub fn to_json(&self) -> Value {
        let faults = self.faults.iter();
        let faults: serde_json::Map<String, Value> = faults
            .map(|(fault, count)| (fault.name().to_owned(), json!(count)))
            .collect();
        json!({
            "client_years": (self.client_years * 10.0).round() / 10.0,
            "steps": self.steps,
            "rounds": self.rounds,
            "asks": self.asks,
            "messages_lost": self.lost,
            "asks_recorded": self.recorded,
            "grants": self.grants,
            "decisions": {
                "granted": self.decisions[0],
                "wait": self.decisions[1],
                "new_key": self.decisions[2],
                "refused": self.decisions[3],
            },
            "new_keys": self.rekeyed,
            "certificates": self.certified,
            "certificates_refused": self.refusals,
            "host_crashes": self.host_crashes,
            "client_crashes": self.client_crashes,
            "judged": self.judged.0,
            "judged_licensed": self.judged.1,
            "products_at_the_end": self.products,
            "licensed_at_the_end": self.licensed,
            "faults": faults,
        })
    }
}
