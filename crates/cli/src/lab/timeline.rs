//! What happened in the simulated days: outages, and every change of the machines' states.

use muster_proto::client::LicenceState;
use serde_json::{Map, Value, json};

use crate::report::table;

/// Machines in each state, in the order of [`LicenceState::ALL`].
type Counts = [u32; LicenceState::ALL.len()];

/// The days as they passed.
#[derive(Default)]
pub(super) struct Timeline {
    pub(super) days: u32,
    pub(super) outages: Vec<Outage>,
    pub(super) changes: Vec<Change>,
    pub(super) all_restored: bool,
}

/// A day on which the states changed, with the states after it.
pub(super) struct Change {
    pub(super) day: u32,
    pub(super) counts: Counts,
}

/// Days without a host, and how they were felt.
pub(super) struct Outage {
    from: u32,
    to: u32,
    lowest_licensed: Option<u32>,
    grace_from: Option<u32>,
    notification_from: Option<u32>,
    restored_on: Option<u32>,
}

impl Outage {
    pub(super) fn of(from: u32, length: u32) -> Self {
        Self {
            from,
            to: from + length,
            lowest_licensed: None,
            grace_from: None,
            notification_from: None,
            restored_on: None,
        }
    }

    /// Whether the host is down on a day.
    pub(super) fn holds(&self, day: u32) -> bool {
        (self.from..self.to).contains(&day)
    }

    /// Notes what a day's states say about this outage.
    pub(super) fn note(&mut self, day: u32, counts: &Counts, total: u32) {
        let of = |state: LicenceState| counts[state as usize];
        let licensed = of(LicenceState::Licensed);
        if self.holds(day) {
            let lowest = self.lowest_licensed.unwrap_or(licensed).min(licensed);
            self.lowest_licensed = Some(lowest);
            if of(LicenceState::OutOfToleranceGrace) > 0 {
                self.grace_from.get_or_insert(day);
            }
            if of(LicenceState::Notification) > 0 {
                self.notification_from.get_or_insert(day);
            }
        } else if day >= self.to && licensed == total {
            self.restored_on.get_or_insert(day);
        }
    }

    fn is_felt(&self) -> bool {
        self.grace_from.is_some() || self.notification_from.is_some()
    }

    fn json(&self) -> Value {
        json!({
            "from_day": self.from,
            "to_day": self.to,
            "days": self.to - self.from,
            "felt": self.is_felt(),
            "lowest_licensed": self.lowest_licensed,
            "grace_from_day": self.grace_from,
            "notification_from_day": self.notification_from,
            "restored_on_day": self.restored_on,
        })
    }

    fn text(&self) -> String {
        let days = self.to - self.from;
        let head = format!(
            "No host for {days} days, from day {} to day {}: ",
            self.from, self.to
        );
        let Some(grace) = self.grace_from else {
            return format!("{head}never felt, every machine stayed licensed.\n");
        };
        let then = match self.notification_from {
            Some(day) => format!(", into notification from day {day}"),
            None => String::new(),
        };
        let back = match self.restored_on {
            Some(day) => format!("; all licensed again on day {day}"),
            None => "; not all licensed again yet".to_owned(),
        };
        format!("{head}out-of-tolerance grace from day {grace}{then}{back}.\n")
    }
}

impl Timeline {
    pub(super) fn json(&self) -> Value {
        let changes = self.changes.iter();
        json!({
            "days": self.days,
            "outages": self.outages.iter().map(Outage::json).collect::<Vec<_>>(),
            "changes": changes
                .map(|change| json!({ "day": change.day, "states": states(&change.counts) }))
                .collect::<Vec<_>>(),
            "all_licensed_at_end": self.all_restored,
        })
    }

    pub(super) fn text(&self) -> String {
        let rows = self.changes.iter().map(|change| {
            let states: Vec<String> = present(&change.counts)
                .map(|(state, count)| format!("{count} {}", state.name()))
                .collect();
            vec![change.day.to_string(), states.join(", ")]
        });
        let mut text = format!("\n{} simulated days afterwards:\n", self.days);
        text.push_str(&table(&["DAY", "MACHINES"], rows));
        text.push('\n');
        self.outages
            .iter()
            .for_each(|outage| text.push_str(&outage.text()));
        text
    }
}

fn present(counts: &Counts) -> impl Iterator<Item = (LicenceState, u32)> {
    LicenceState::ALL
        .into_iter()
        .zip(*counts)
        .filter(|(_, count)| *count > 0)
}

fn states(counts: &Counts) -> Map<String, Value> {
    present(counts)
        .map(|(state, count)| (state.name().to_owned(), json!(count)))
        .collect()
}
