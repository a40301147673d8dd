//! The page itself: families of numbers, written in the Prometheus text format 0.0.4.
//!
//! Names follow Prometheus' conventions: `muster_`, the role, what is counted, the unit in the
//! plural; a counter gets its `_total` here. A label's values must be few and never come from a
//! peer: reason codes, publishers, pools, zones, not clients or addresses.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, encode};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::http::Traffic;

/// A label's name and value.
type Label = (&'static str, String);

/// Numbers at one moment.
#[derive(Debug, Default)]
pub struct Page(Vec<Family>);

#[derive(Debug)]
struct Family {
    name: String,
    help: &'static str,
    kind: MetricType,
    rows: Vec<(Vec<Label>, Value)>,
}

#[derive(Debug)]
enum Value {
    Counter(u64),
    Gauge(u64),
    Histogram(Histogram),
}

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper bound of each bucket in seconds, ascending, with how many fell into it and no other.
    pub buckets: Vec<(f64, u64)>,
    /// How many there were in all.
    pub count: u64,
    /// How long they took together, in seconds.
    pub seconds: f64,
}

impl Page {
    /// The media type of [`Page::text`].
    pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

    /// A page of a role, which says which release this is.
    pub fn new(role: &str, version: &str) -> Self {
        let mut page = Self::default();
        let labels = [("role", role.to_owned()), ("version", version.to_owned())];
        let help = "Which role and release this is";
        page.gauges("muster_build_info", help, [(labels, 1)]);
        page
    }

    /// A number that only grows; its name is given without `_total`.
    pub fn counter(&mut self, name: &str, help: &'static str, value: u64) {
        self.counters(name, help, [([], value)]);
    }

    /// Numbers that only grow, one for each set of labels.
    pub fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &'static str,
        rows: impl IntoIterator<Item = ([Label; N], u64)>,
    ) {
        let rows = rows.into_iter();
        let rows = rows.map(|(labels, value)| (labels.to_vec(), Value::Counter(value)));
        self.add(name, help, MetricType::Counter, rows.collect());
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &'static str, value: u64) {
        self.gauges(name, help, [([], value)]);
    }

    /// Numbers that go up and down, one for each set of labels.
    pub fn gauges<const N: usize>(
        &mut self,
        name: &str,
        help: &'static str,
        rows: impl IntoIterator<Item = ([Label; N], u64)>,
    ) {
        let rows = rows.into_iter();
        let rows = rows.map(|(labels, value)| (labels.to_vec(), Value::Gauge(value)));
        self.add(name, help, MetricType::Gauge, rows.collect());
    }

    /// How often something took how long; the name ends in `_seconds`.
    pub fn histogram(&mut self, name: &str, help: &'static str, histogram: Histogram) {
        let rows = vec![(Vec::new(), Value::Histogram(histogram))];
        self.add(name, help, MetricType::Histogram, rows);
    }

    /// What a role's listener counted: `PREFIX_connections…`.
    pub fn traffic(&mut self, prefix: &str, traffic: &Traffic) {
        let name = |what: &str| format!("{prefix}_connections_{what}");
        let open = traffic.open();
        self.gauge(&name("open"), "Connections that are open now", open);
        let accepted = traffic.accepted();
        self.counter(&name("accepted"), "Connections that came", accepted);
        let faults = traffic.faults();
        let rows = faults.map(|(fault, count)| ([("fault", fault.to_owned())], count));
        let help = "Connections and requests that ended badly; source_full: refused, because their \
                    source had its share; displaced: closed to make room for newer ones";
        self.counters(&name("faults"), help, rows);
    }

    /// What a role's store committed: `PREFIX_store_…`. Their quotient is the changes of a commit.
    pub fn store(&mut self, prefix: &str, changes: u64, commits: Histogram) {
        let name = |what: &str| format!("{prefix}_store_{what}");
        let help = "Changes that were committed: asks, settings, keys";
        self.counter(&name("changes"), help, changes);
        self.counter(&name("commits"), "Transactions committed", commits.count);
        let help = "How long a transaction took until it was durable";
        self.histogram(&name("commit_seconds"), help, commits);
    }

    /// The page as Prometheus reads it.
    pub fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to memory cannot fail");
        text
    }

    fn add(
        &mut self,
        name: &str,
        help: &'static str,
        kind: MetricType,
        rows: Vec<(Vec<Label>, Value)>,
    ) {
        self.0.push(Family {
            name: name.to_owned(),
            help,
            kind,
            rows,
        });
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder) -> std::fmt::Result {
        for family in &self.0 {
            let (name, help, kind) = (&family.name, family.help, family.kind);
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            for (labels, value) in &family.rows {
                value.encode(metric.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

impl Value {
    fn encode(&self, mut metric: MetricEncoder<'_>) -> std::fmt::Result {
        match self {
            Self::Counter(value) => metric.encode_counter::<NoLabelSet, _, u64>(value, None),
            Self::Gauge(value) => metric.encode_gauge(value),
            Self::Histogram(times) => metric.encode_histogram::<NoLabelSet>(
                times.seconds,
                times.count,
                &times.buckets,
                None,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.counter("muster_kms_tries", "Tries", 3);
        let rows = [
            ([("pool", "a\"b".to_owned())], 1),
            ([("pool", "c".to_owned())], 1_795_574_831),
        ];
        page.gauges("muster_kms_clients", "Clients", rows);
        let times = Histogram {
            buckets: vec![(0.001, 2), (0.01, 1)],
            count: 4,
            seconds: 0.5,
        };
        page.histogram("muster_kms_commit_seconds", "Commits", times);
        let expected = "\
# HELP muster_kms_tries_total Tries
# TYPE muster_kms_tries_total counter
muster_kms_tries_total 3
# HELP muster_kms_clients Clients
# TYPE muster_kms_clients gauge
muster_kms_clients{pool=\"a\\\"b\"} 1
muster_kms_clients{pool=\"c\"} 1795574831
# HELP muster_kms_commit_seconds Commits
# TYPE muster_kms_commit_seconds histogram
muster_kms_commit_seconds_bucket{le=\"0.001\"} 2
muster_kms_commit_seconds_bucket{le=\"0.01\"} 3
muster_kms_commit_seconds_bucket{le=\"+Inf\"} 4
muster_kms_commit_seconds_sum 0.5
muster_kms_commit_seconds_count 4
";
        assert_eq!(page.text(), expected);
    }
}
