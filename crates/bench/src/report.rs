//! The rows: their names, what each must and aims to reach, and how they are written down.

use serde_json::{Value, json};

use crate::failure::Failure;

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Better {
    Lower,
    Higher,
}

/// What was fixed for a row before anything was measured.
#[derive(Clone, Copy, Debug)]
struct Bars {
    must: f64,
    aim: f64,
}

/// One row of the table of figures.
struct Spec {
    name: &'static str,
    what: &'static str,
    /// None for a figure that is told and has nothing to reach.
    bars: Option<Bars>,
    better: Better,
    /// None for a ratio.
    unit: Option<&'static str>,
}

const fn row(name: &'static str, what: &'static str, must: f64, aim: f64) -> Spec {
    Spec {
        name,
        what,
        bars: Some(Bars { must, aim }),
        better: Better::Lower,
        unit: None,
    }
}

/// How long asks take, in milliseconds.
const fn wait(name: &'static str, what: &'static str) -> Spec {
    Spec {
        name,
        what,
        bars: None,
        better: Better::Lower,
        unit: Some("ms"),
    }
}

/// Answers in a second.
const fn rate(name: &'static str, what: &'static str) -> Spec {
    Spec {
        name,
        what,
        bars: None,
        better: Better::Higher,
        unit: Some("asks/s"),
    }
}

impl Spec {
    const fn higher(mut self) -> Self {
        self.better = Better::Higher;
        self
    }

    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }
}

/// Every row. Memory is two, since idle and full have figures of their own.
const SPECS: [Spec; 20] = [
    row(
        "ask-new-connection-vs-parts",
        "KMS ask on a new connection, 16 at once: server CPU against the sum of its parts",
        1.5,
        1.2,
    ),
    row(
        "ask-new-connection-vs-tls",
        "the same against a bare TLS 1.3 echo on a new connection",
        1.0,
        0.8,
    ),
    row(
        "ask-kept-vs-etcd",
        "asks on 64 kept connections, 1 M rows, one server core, against etcd put",
        0.4,
        0.7,
    )
    .higher(),
    row(
        "ask-kept-vs-postgresql",
        "the same against one-row durable PostgreSQL upserts",
        0.6,
        1.0,
    )
    .higher(),
    row(
        "decide-and-store-vs-etcd",
        "decision and store alone, 64 waiting, 1 M rows, against etcd put",
        2.0,
        3.0,
    )
    .higher(),
    rate(
        "ask-shared-one-host",
        "asks on 64 kept connections to a host whose table is in PostgreSQL, both on one core",
    ),
    rate(
        "ask-shared-two-hosts",
        "the same to two hosts that share the table, all three on one core",
    ),
    row(
        "ask-p99-vs-p50",
        "p99 of an ask at 16 new connections against its p50",
        3.0,
        2.0,
    ),
    wait(
        "wait-light-p50",
        "median wait of an ask at 5 % of the top rate",
    ),
    wait("wait-light-p99", "p99 of the same"),
    wait(
        "wait-busy-p50",
        "median wait of an ask at 80 % of the top rate",
    ),
    wait("wait-busy-p99", "p99 of the same"),
    row(
        "table-10m-vs-10k",
        "table of 10 M clients against 10 k: asks per CPU second",
        0.8,
        0.9,
    )
    .higher(),
    row(
        "start-10m",
        "start with 10 M clients, to the first answer, also after SIGKILL",
        0.5,
        0.05,
    )
    .unit("s"),
    row("memory-idle", "KMS host memory, idle", 25.0, 15.0).unit("MB"),
    row(
        "memory-10m",
        "KMS host memory, with 10 M clients",
        64.0,
        32.0,
    )
    .unit("MB"),
    row("disk-per-client", "bytes on disk per client", 100.0, 60.0).unit("bytes"),
    row(
        "ask-and-answer-on-wire",
        "ask and answer on the wire, the larger of the two",
        1_400.0,
        1_000.0,
    )
    .unit("bytes"),
    row(
        "library-read-vs-verify",
        "library: read state, verify all it holds, answer, against bare Ed25519 verifications",
        1.4,
        1.2,
    ),
    row(
        "status-process-vs-true",
        "the same as a whole process (`muster client status`), more than `true`",
        5.0,
        2.0,
    )
    .unit("ms"),
];

/// One row as measured.
#[derive(Debug)]
pub(crate) struct Row {
    name: &'static str,
    ratio: Option<f64>,
    detail: String,
}

impl Row {
    /// A measured row; a figure that is no number counts as none.
    pub(crate) fn new(name: &'static str, ratio: f64, detail: impl Into<String>) -> Self {
        Self {
            name,
            ratio: Some(ratio).filter(|ratio| ratio.is_finite()),
            detail: detail.into(),
        }
    }

    /// A row that could not be measured, with the reason.
    pub(crate) fn missing(name: &'static str, why: &Failure) -> Self {
        Self {
            name,
            ratio: None,
            detail: format!("not measured: {why}"),
        }
    }

    fn spec(&self) -> &'static Spec {
        SPECS
            .iter()
            .find(|spec| spec.name == self.name)
            .expect("every row is of the list")
    }

    fn json(&self) -> Value {
        let spec = self.spec();
        json!({
            "name": spec.name,
            "ratio": self.ratio,
            "must": spec.bars.map(|bars| bars.must),
            "aim": spec.bars.map(|bars| bars.aim),
            "better": match spec.better { Better::Lower => "lower", Better::Higher => "higher" },
            "unit": spec.unit,
            "what": spec.what,
            "detail": self.detail,
        })
    }

    fn line(&self) -> String {
        let spec = self.spec();
        let sign = match spec.better {
            Better::Lower => "<=",
            Better::Higher => ">=",
        };
        let bars = spec.bars.map_or_else(String::new, |Bars { must, aim }| {
            format!("must {sign} {must:<6} aim {sign} {aim:<6} ")
        });
        let measured = self
            .ratio
            .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        format!(
            "{:<28} {:>9} {:<5}  {bars}{}\n    {}",
            spec.name,
            measured,
            spec.unit.unwrap_or("x"),
            self.verdict(),
            self.detail
        )
    }

    fn verdict(&self) -> &'static str {
        let spec = self.spec();
        let Some(ratio) = self.ratio else {
            return "not measured";
        };
        let Some(Bars { must, aim }) = spec.bars else {
            return "told";
        };
        let reaches = |bar: f64| match spec.better {
            Better::Lower => ratio <= bar,
            Better::Higher => ratio >= bar,
        };
        if reaches(aim) {
            "aim reached"
        } else if reaches(must) {
            "must reached"
        } else {
            "below must"
        }
    }
}

/// All rows of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Takes in the rows of one group.
    pub(crate) fn add(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.rows.extend(rows);
    }

    /// The document that scripts read; rows in the order of the list, and apart from them what has
    /// nothing to reach.
    pub(crate) fn json(&self, more: Value) -> Value {
        let (rows, told): (Vec<&Row>, Vec<&Row>) =
            self.in_order().partition(|row| row.spec().bars.is_some());
        let list = |rows: Vec<&Row>| rows.into_iter().map(Row::json).collect::<Vec<_>>();
        let mut document = json!({ "rows": list(rows), "told": list(told) });
        if let (Some(all), Value::Object(more)) = (document.as_object_mut(), more) {
            all.extend(more);
        }
        document
    }

    /// The same for a person, with the rows that could not be measured named at the end.
    pub(crate) fn text(&self) -> String {
        let mut lines: Vec<String> = self.in_order().map(Row::line).collect();
        let missing = self.missing();
        if !missing.is_empty() {
            lines.push(format!("not measured: {}", missing.join(", ")));
        }
        lines.join("\n")
    }

    /// The names of rows without a figure.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let without = self.in_order().filter(|row| row.ratio.is_none());
        without.map(|row| row.name).collect()
    }

    fn in_order(&self) -> impl Iterator<Item = &Row> {
        SPECS
            .iter()
            .flat_map(|spec| self.rows.iter().filter(|row| row.name == spec.name))
    }
}

#[cfg(test)]
mod tests {
    use super::{Bars, Report, Row, SPECS};
    use crate::failure::Failure;
    use serde_json::{Value, json};

    #[test]
    fn a_row_has_every_field_and_a_missing_one_says_why() {
        let mut report = Report::default();
        let why = Failure::said("there is no etcd here");
        report.add([Row::new("memory-idle", 11.5, "after one answer")]);
        report.add([Row::missing("ask-kept-vs-etcd", &why)]);
        report.add([Row::new("wait-busy-p99", 4.5, "of all asks")]);
        let document = report.json(json!({ "quick": true }));
        let first = &document["rows"][0];
        assert_eq!(first["name"], "ask-kept-vs-etcd");
        assert_eq!(first["ratio"], Value::Null);
        assert_eq!(first["better"], "higher");
        assert!(first["detail"].as_str().unwrap().contains("no etcd"));
        assert_eq!(document["rows"][1]["unit"], "MB");
        assert_eq!(document["rows"].as_array().map(Vec::len), Some(2));
        assert_eq!(document["told"][0]["name"], "wait-busy-p99");
        assert_eq!(document["told"][0]["must"], Value::Null);
        assert_eq!(report.missing(), ["ask-kept-vs-etcd"]);
        assert!(report.text().ends_with("not measured: ask-kept-vs-etcd"));
    }

    #[test]
    fn an_aim_is_never_easier_than_what_must_be() {
        for spec in &SPECS {
            let Some(Bars { must, aim }) = spec.bars else {
                continue;
            };
            let harder = match spec.better {
                super::Better::Lower => aim < must,
                super::Better::Higher => aim > must,
            };
            assert!(harder, "{}", spec.name);
        }
    }
}
