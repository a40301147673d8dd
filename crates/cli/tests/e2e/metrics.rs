//! The pages of metrics, scraped from real services, and the samples under packaging/ that read
//! them: each name and each label that an alert or a panel uses must be on a page.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::estate::{Estate, Service, muster};
use crate::names::Zone;

/// Gets a path of a service by plain HTTP: status line and body.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("the page is served");
    let ask = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let status = head.lines().next().unwrap_or_default();
    (status.to_owned(), body.to_owned())
}

/// One page, as a monitoring system reads it.
pub(crate) struct Page(Vec<String>);

impl Page {
    /// Scrapes a service that has said where its page stands.
    pub(crate) fn of(service: &Service) -> (Self, String) {
        let said = service.log();
        let address = said
            .iter()
            .find_map(|line| {
                line.strip_prefix("metrics at http://")?
                    .strip_suffix("/metrics")
            })
            .unwrap_or_else(|| panic!("it does not say where its metrics are: {said:#?}"))
            .to_owned();
        (Self::at(&address), address)
    }

    pub(crate) fn at(address: &str) -> Self {
        let (status, body) = get(address, "/metrics");
        assert_eq!(status, "HTTP/1.1 200 OK");
        Self(body.lines().map(str::to_owned).collect())
    }

    /// The value of the first line that begins with a name and has all the labels.
    fn value(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let is_it = |line: &&String| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let line = self.0.iter().find(is_it)?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    pub(crate) fn demand(&self, name: &str, labels: &[&str]) -> f64 {
        self.value(name, labels)
            .unwrap_or_else(|| panic!("{name} {labels:?} is not on the page: {:#?}", self.0))
    }
}

/// An estate in which something has happened to every metric, and the pages of its services.
fn pages() -> (Estate, Vec<Service>, Page, Page, String) {
    let estate = Estate::new("solo", "client");
    let set = ["product", "set", "solo", "--threshold", "1"];
    estate.authority(&set).done();
    estate.write_policy("solo");
    let dir = estate.path("authority");
    let args = ["authority", "serve", "--listen", "127.0.0.1:0"];
    let metrics = ["--metrics", "127.0.0.1:0"];
    let mut command = muster();
    command.args(args).args(metrics).arg("--dir").arg(dir);
    let authority = Service::start(&mut command);
    estate.certify("kms", "solo", &authority);
    let zone = Zone::start(&estate);
    let (server, key) = (zone.address(), zone.key.clone());
    let dns = [
        "--dns-zone",
        "corp.test",
        "--dns-server",
        &server,
        "--tsig-key",
        &key,
    ];
    let host = estate.serve_kms("kms", &[&metrics[..], &dns[..]].concat());
    let generic = estate.key("solo", "generic");
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    post_rubbish(&host.address);
    let (page, address) = Page::of(&host);
    let (authority_page, _) = Page::of(&authority);
    drop(zone);
    (estate, vec![authority, host], page, authority_page, address)
}

/// An ask that is none, to be counted as unanswered.
fn post_rubbish(address: &str) {
    let mut stream = TcpStream::connect(address).expect("the host listens");
    let ask = "POST /muster/v1/ask HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
               content-length: 3\r\n\r\nabc";
    stream.write_all(ask.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is text");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn pages_tell_what_happened_and_name_nobody() {
    let (estate, _services, kms, authority, address) = pages();
    let granted = ["outcome=\"granted\"", "code=\"MUSTER-KMS-0001\""];
    assert_eq!(kms.demand("muster_kms_asks_total", &granted), 1.0);
    let unanswered = ["outcome=\"unanswered\"", "code=\"MUSTER-"];
    assert_eq!(kms.demand("muster_kms_asks_total", &unanswered), 1.0);
    assert_eq!(kms.demand("muster_kms_clients", &["pool=\"solo\""]), 1.0);
    assert_eq!(
        kms.demand("muster_kms_clients_required", &["product=\"solo\""]),
        1.0
    );
    assert_eq!(kms.demand("muster_kms_new_identities_total", &[]), 1.0);
    assert_eq!(
        kms.demand("muster_kms_clock_confirmation_pending", &[]),
        0.0
    );
    assert_eq!(
        kms.demand("muster_kms_dns_zone_published", &["zone=\"corp.test\""]),
        1.0
    );
    let last = "muster_kms_dns_zone_last_success_timestamp_seconds";
    let now = muster_machine::clock::now().seconds() as f64;
    assert!((now - kms.demand(last, &[])).abs() < 3_600.0);
    let days = |name: &str| (kms.demand(name, &[]) - now) / 86_400.0;
    assert!((364.0..366.0).contains(&days("muster_kms_certificate_end_timestamp_seconds")));
    assert!((36.0..38.0).contains(&days("muster_kms_opening_key_end_timestamp_seconds")));
    assert!(kms.demand("muster_kms_store_changes_total", &[]) >= 1.0);
    let commits = kms.demand("muster_kms_store_commits_total", &[]);
    assert_eq!(
        commits,
        kms.demand("muster_kms_store_commit_seconds_count", &[])
    );
    assert!(kms.demand("muster_kms_connections_accepted_total", &[]) >= 2.0);

    let certified = ["outcome=\"certified\""];
    assert_eq!(
        authority.demand("muster_authority_certifications_total", &certified),
        1.0
    );
    let route = ["route=\"/v1/certify\"", "status=\"200\""];
    assert_eq!(
        authority.demand("muster_authority_requests_total", &route),
        1.0
    );

    // Who asked stands on no page.
    let client = estate.status("m")["client_id"].clone();
    let client = client.as_str().expect("a client id");
    for line in kms.0.iter().chain(&authority.0) {
        assert!(
            !line.contains(client) && !line.contains("127.0.0.1"),
            "{line}"
        );
    }

    // What other commands change shows without a restart; there is nothing else at the address.
    estate.kms("kms", &["set", "--new-identities", "1"]).done();
    assert!(Page::at(&address).demand("muster_kms_store_commits_total", &[]) >= commits);
    assert!(get(&address, "/").0.starts_with("HTTP/1.1 404"));
}

/// A page that cannot be opened keeps the service from starting: whoever asked for it relies on it.
#[test]
fn a_page_whose_port_is_taken_is_refused() {
    let estate = Estate::solo();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--metrics", &address];
    estate.kms("kms", &serve).refused("MUSTER-NET-");
}

/// A name that a sample uses, with the labels that it selects by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    name: String,
    labels: Vec<String>,
}

/// Every `muster_…{label="value"}` in a text of PromQL.
fn uses(text: &str) -> BTreeSet<Use> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("muster_") {
        let is_inside = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if is_inside {
            continue;
        }
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
        let selector = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = selector.map_or("", |(labels, _)| labels).split(',');
        let labels = labels.filter_map(|label| label.split_once(['=', '!', '~']));
        let own = labels.map(|(label, _)| label.trim().to_owned());
        found.insert(Use {
            name: name.to_owned(),
            labels: own.filter(|label| label != "instance").collect(),
        });
    }
    found
}

/// The expressions of the panels and of the variables of a dashboard.
fn expressions(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "query" => {
                        into.push(text.clone());
                    }
                    other => expressions(other, into),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, into)),
        _ => {}
    }
}

/// What the alerts, the dashboard and the book's page name.
fn samples() -> [BTreeSet<Use>; 3] {
    let read = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(file);
        fs::read_to_string(path).expect("the sample is there")
    };
    let dashboard = read("packaging/grafana/dashboard.json");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("the dashboard is JSON");
    let mut panels = Vec::new();
    expressions(&dashboard, &mut panels);
    // The name of a metric in the words of an alert is held to the same.
    let alerts = uses(&read("packaging/prometheus/alerts.yml"));
    let samples = [
        alerts,
        uses(&panels.join("\n")),
        uses(&read("docs/src/operate/monitor.md")),
    ];
    assert!(
        samples.iter().all(|sample| sample.len() > 10),
        "{samples:#?}"
    );
    samples
}

#[test]
fn alerts_dashboard_and_book_name_what_is_there() {
    let [alerts, panels, book] = samples();
    let (_estate, _services, kms, authority, _) = pages();
    let is_there = |used: &&Use| {
        let labels = used.labels.iter().map(|label| format!("{label}=\""));
        let labels: Vec<String> = labels.collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let pages = [&kms, &authority];
        pages
            .iter()
            .any(|page| page.value(&used.name, &labels).is_some())
    };
    let used = alerts.iter().chain(&panels).chain(&book);
    let missing: Vec<&Use> = used.filter(|used| !is_there(used)).collect();
    assert!(missing.is_empty(), "not on any page: {missing:#?}");

    // And the other way round: the book tells of each, in the table or among those of both roles.
    let of_both = ["_connections_", "_store_"];
    for line in kms.0.iter().chain(&authority.0) {
        let Some((name, _)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let is_told = book.iter().any(|used| used.name == name);
        let is_of_both = of_both.iter().any(|part| name.contains(part));
        assert!(is_told || is_of_both, "the book does not tell of {name}");
    }
}

#[test]
fn names_in_expressions_are_found() {
    let found =
        uses("sum(rate(muster_a_total{x=\"1\",instance=~\"$i\"}[5m])) / not_muster_b + muster_c");
    let of = |name: &str, labels: &[&str]| Use {
        name: name.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    assert_eq!(
        found,
        [of("muster_a_total", &["x"]), of("muster_c", &[])].into()
    );
}
