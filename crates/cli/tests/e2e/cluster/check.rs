//! What came of a run: whatever was acknowledged is looked for, and what each product key gave is
//! counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use muster_proto::ids::ClientId;

use super::nodes::Cluster;
use super::work::{Certified, Done};
use crate::thousand::listed;

/// What a product key allows.
const PLACES: usize = 6;
const TIMES: usize = 10;

/// How long nothing was acknowledged around a fault.
#[derive(Debug)]
pub(super) struct Stop {
    fault: String,
    asks: Option<Duration>,
    certificates: Option<Duration>,
}

impl Stop {
    /// Whether work went on.
    pub(super) fn is_over(&self) -> bool {
        self.asks.is_some() && self.certificates.is_some()
    }
}

/// The figures of a run.
#[derive(Debug)]
pub(super) struct Report {
    mode: String,
    asks: usize,
    asks_lost: usize,
    certificates: usize,
    certificates_lost: usize,
    spent: usize,
    /// Certificates beyond what their product keys allow.
    pub(super) over_issued: usize,
    /// The longest pause around each fault.
    pub(super) stops: Vec<Stop>,
}

impl Report {
    /// Acknowledged and not to be found.
    pub(super) fn lost(&self) -> usize {
        self.asks_lost + self.certificates_lost
    }

    /// Whether enough was acknowledged for the run to say anything.
    pub(super) fn is_busy(&self) -> bool {
        self.asks > 1_000 && self.certificates > KEYS_WORTH && self.spent > 0
    }
}

/// As many certificates as two product keys allow.
const KEYS_WORTH: usize = 2 * PLACES * TIMES;

/// Looks for everything that was acknowledged; `stops` are the faults with the time around them.
pub(super) fn report(
    mode: &str,
    cluster: &Cluster,
    done: Done,
    faults: &[(String, Duration, Duration)],
) -> Report {
    let acknowledged = &done.acknowledged;
    // Each host by itself: they must see one table.
    let [one, two] = done.hosts.map(|host| listed(&done.estate, host));
    assert_eq!(one, two, "both hosts see the same clients");
    let asked: BTreeSet<ClientId> = acknowledged.asks.keys().copied().collect();
    let status = done.estate.kms(done.hosts[0], &["status", "--json"]);
    let count = status.done().json()["pools"][0]["count"].clone();
    assert_eq!(count, one.len(), "the count is the rows'");

    let names = "SELECT encode(name, 'hex') FROM authority_cert";
    let kept: BTreeSet<String> = cluster.query(names).into_iter().collect();
    let is_lost = |held: &&Certified| !kept.contains(&held.certificate);
    let ask_times: Vec<Duration> = acknowledged.asks.values().copied().collect();
    let certificate_times = acknowledged.certificates.iter().map(|held| held.at);
    let certificate_times: Vec<Duration> = certificate_times.collect();
    let stop = |(fault, from, to): &(String, Duration, Duration)| Stop {
        fault: fault.clone(),
        asks: longest_pause(&ask_times, *from, *to),
        certificates: longest_pause(&certificate_times, *from, *to),
    };
    Report {
        mode: mode.to_owned(),
        asks: asked.len(),
        asks_lost: asked.difference(&one).count(),
        certificates: acknowledged.certificates.len(),
        certificates_lost: acknowledged.certificates.iter().filter(is_lost).count(),
        spent: acknowledged.spent,
        over_issued: over_issued(&acknowledged.certificates),
        stops: faults.iter().map(stop).collect(),
    }
}

/// Certificates beyond ten on a machine, and all of those beyond the sixth machine of a key.
fn over_issued(certificates: &[Certified]) -> usize {
    let mut by_key: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    for held in certificates {
        *by_key
            .entry(held.key)
            .or_default()
            .entry(held.machine)
            .or_default() += 1;
    }
    let over = |machines: BTreeMap<usize, usize>| {
        let mut counts: Vec<usize> = machines.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let places = counts.iter().enumerate();
        places
            .map(|(place, count)| {
                if place < PLACES {
                    count.saturating_sub(TIMES)
                } else {
                    *count
                }
            })
            .sum::<usize>()
    };
    by_key.into_values().map(over).sum()
}

/// The longest time without an acknowledgement that begins between two times; none where nothing
/// followed.
fn longest_pause(times: &[Duration], from: Duration, to: Duration) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    if times.last().is_none_or(|last| *last < from) {
        return None;
    }
    let pairs = times
        .windows(2)
        .filter(|pair| pair[1] >= from && pair[0] <= to);
    pairs.map(|pair| pair[1] - pair[0]).max()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "replication: {}", self.mode)?;
        writeln!(
            f,
            "asks acknowledged {}, lost {}",
            self.asks, self.asks_lost
        )?;
        let (made, lost) = (self.certificates, self.certificates_lost);
        let (spent, over) = (self.spent, self.over_issued);
        writeln!(
            f,
            "certificates acknowledged {made}, lost {lost}, beyond the keys {over}"
        )?;
        writeln!(f, "hosts refused because a key was spent {spent}")?;
        for stop in &self.stops {
            let seconds = |pause: Option<Duration>| match pause {
                Some(pause) => format!("{:.1} s", pause.as_secs_f64()),
                None => "for good".to_owned(),
            };
            let (asks, certificates) = (seconds(stop.asks), seconds(stop.certificates));
            writeln!(
                f,
                "{}: asks stood still {asks}, certificates {certificates}",
                stop.fault
            )?;
        }
        Ok(())
    }
}

#[test]
fn what_is_beyond_a_key_is_counted() {
    let held = |machine: usize| Certified {
        key: 0,
        machine,
        certificate: String::new(),
        at: Duration::ZERO,
    };
    let full: Vec<Certified> = (0..60).map(|n| held(n % 6)).collect();
    assert_eq!(over_issued(&full), 0);
    let once_more = [full.clone(), vec![held(3)]].concat();
    assert_eq!(over_issued(&once_more), 1);
    let seventh = [full, vec![held(6), held(6)]].concat();
    assert_eq!(over_issued(&seventh), 2);
}
