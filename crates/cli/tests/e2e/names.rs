//! DNS that refuses, says nothing or does not know the key: each is named, the host serves on, and
//! no machine loses its licence. And DNS as it should be: a stop leaves the records, `retire` takes
//! this host's own away.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use muster_net::dns::update::{HostRecords, register};
use muster_net::dns::{LabDns, Resolver, TsigKey};
use muster_proto::time::Span;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::estate::{Estate, running_time};

pub(crate) const ZONE: &str = "corp.test";
pub(crate) const SRV: &str = "_muster-kms._tcp.corp.test";

/// A DNS server of one zone in this process, and the file of its key.
pub(crate) struct Zone {
    runtime: Runtime,
    server: LabDns,
    pub(crate) key: String,
}

impl Zone {
    pub(crate) fn start(estate: &Estate) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the test's own material is good");
        let key = TsigKey::generate("corp").expect("the test's own material is good");
        let path = write_key(&estate.path("corp.key"), &key);
        let loopback: SocketAddr = "127.0.0.1:0"
            .parse()
            .expect("the test's own material is good");
        let dir = estate.path("dns");
        let server = runtime
            .block_on(LabDns::start(ZONE, loopback, &key, &dir))
            .expect("the test's own material is good");
        Self {
            runtime,
            server,
            key: path,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.server.addr().to_string()
    }

    /// Writes an SRV record for a host, with its address where it has one.
    pub(crate) fn register(&self, target: &str, port: u16, address: Option<IpAddr>) {
        let key = TsigKey::read(Path::new(&self.key)).expect("the test's own material is good");
        let records = HostRecords {
            target: target.to_owned(),
            port,
            priority: 0,
            weight: 0,
            addresses: address.into_iter().collect(),
            former: None,
        };
        let servers = [self.server.addr()];
        let update = register(&servers, ZONE, &key, &records);
        self.runtime
            .block_on(update)
            .expect("the server takes the record");
    }

    /// The ports that the zone names, in order.
    fn ports(&self) -> Vec<u16> {
        let resolver =
            Resolver::with_server(self.server.addr()).expect("the test's own material is good");
        let records = self.runtime.block_on(resolver.srv(SRV)).unwrap_or_default();
        let mut ports: Vec<u16> = records.iter().map(|record| record.port).collect();
        ports.sort_unstable();
        ports
    }
}

/// Writes a key as BIND does, for its owner only.
pub(crate) fn write_key(path: &Path, key: &TsigKey) -> String {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .expect("the test's own material is good");
    file.write_all(key.to_bind().as_bytes())
        .expect("the test's own material is good");
    path.to_str()
        .expect("the test's own material is good")
        .to_owned()
}

/// A port on which everything is taken and nothing answered.
pub(crate) fn silent() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("the test's own material is good");
        if let Ok(tcp) =
            TcpListener::bind(udp.local_addr().expect("the test's own material is good"))
        {
            return (udp, tcp);
        }
    }
}

pub(crate) fn dns_args<'a>(server: &'a str, key: &'a str) -> [&'a str; 8] {
    [
        "--dns-server",
        server,
        "--dns-zone",
        "corp.test,5,7",
        "--tsig-key",
        key,
        "--host-name",
        "kms",
    ]
}

/// The first zone's status, once the service has tried it.
pub(crate) fn zone_status(estate: &Estate, host: &str, state: &str) -> Value {
    let mut status = Value::Null;
    for _ in 0..300 {
        status = estate.kms(host, &["status", "--json"]).done().json();
        let zone = &status["dns"][0];
        if zone["state"] == state {
            return zone.clone();
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    panic!("never {state}: {status:#}");
}

#[test]
fn a_wrong_tsig_key_is_named_and_the_host_serves_on() {
    let estate = Estate::solo();
    let zone = Zone::start(&estate);
    let wrong = TsigKey::generate("corp").unwrap();
    let wrong = write_key(&estate.path("wrong.key"), &wrong);
    let host = estate.serve_kms("kms", &dns_args(&zone.address(), &wrong));
    let failed = zone_status(&estate, "kms", "failed");
    assert_eq!(failed["zone"], ZONE);
    assert_eq!(failed["reason"]["code"], "MUSTER-DNS-0024", "{failed:#}");
    let text = failed["reason"]["text"].as_str().unwrap();
    assert!(
        text.contains(&zone.address()),
        "the server is named: {text}"
    );
    assert!(zone.ports().is_empty(), "nothing is written");
    let log = host.log();
    assert!(
        log.iter().any(|line| line.contains("MUSTER-DNS-0024")),
        "{log:#?}"
    );
    let generic = estate.key("solo", "generic");
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
}

#[test]
fn records_outlive_a_stop_and_a_restart_and_retire_takes_its_own() {
    let estate = Estate::solo();
    let authority = estate.serve_authority();
    estate.certify("second", "solo", &authority);
    let zone = Zone::start(&estate);
    let server = zone.address();
    let args = dns_args(&server, &zone.key);
    let host = estate.serve_kms("kms", &args);
    let other = [&args[..7], &["kms2"]].concat();
    let second = estate.serve_kms("second", &other);
    zone_status(&estate, "kms", "published");
    zone_status(&estate, "second", "published");
    let port = |address: &str| address.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let (first_port, second_port) = (port(&host.address), port(&second.address));
    let mut both = vec![first_port, second_port];
    both.sort_unstable();
    assert_eq!(zone.ports(), both);

    let address = host.address.clone();
    assert_eq!(host.stop(), 0);
    assert_eq!(zone.ports(), both, "a stop leaves the records");
    let host = estate.serve_kms("kms", &[&args[..], &["--listen", &address]].concat());
    zone_status(&estate, "kms", "published");
    assert_eq!(zone.ports(), both, "a restart changes nothing");

    // Without a service too, and twice.
    host.kill();
    for _ in 0..2 {
        let retired = estate.kms("kms", &[&["retire", "--json"], &args[..]].concat());
        assert_eq!(retired.done().json()["dns"][0]["state"], "withdrawn");
        assert_eq!(zone.ports(), [second_port], "only its own");
    }
}

/// A zone that is taken out of the configuration leaves the status; what the host left in it is named
/// once, with the step that takes it away.
#[test]
fn records_in_a_zone_no_longer_configured_are_named() {
    let estate = Estate::solo();
    let zone = Zone::start(&estate);
    let server = zone.address();
    let args = dns_args(&server, &zone.key);
    let host = estate.serve_kms("kms", &args);
    zone_status(&estate, "kms", "published");
    assert_eq!(host.stop(), 0);
    let status = || estate.kms("kms", &["status", "--json"]).done();
    assert_eq!(status().json()["warnings"], serde_json::json!([]));

    let host = estate.serve_kms("kms", &[]);
    let told = status();
    let json = told.json();
    assert_eq!(json["dns"], serde_json::json!([]), "{json:#}");
    let warnings = json["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{json:#}");
    assert_eq!(warnings[0]["code"], "MUSTER-KMS-0057");
    let text = warnings[0]["text"].as_str().unwrap();
    assert!(text.ends_with(": corp.test"), "{text}");
    assert_eq!(told.stderr.matches("corp.test").count(), 1, "{told:#?}");
    assert!(told.stderr.contains("muster kms retire"), "{told:#?}");

    // A retirement that fails leaves them, and the warning.
    let wrong = TsigKey::generate("corp").unwrap();
    let wrong = write_key(&estate.path("wrong.key"), &wrong);
    let retire =
        |key: &str| estate.kms("kms", &[&["retire"], &dns_args(&server, key)[..]].concat());
    assert_eq!(retire(&wrong).code, 1);
    assert_eq!(status().json()["warnings"][0]["code"], "MUSTER-KMS-0057");
    retire(&zone.key).done();
    let json = status().json();
    assert_eq!(json["warnings"], serde_json::json!([]), "{json:#}");
    assert_eq!(json["dns"], serde_json::json!([]), "{json:#}");
    assert!(zone.ports().is_empty());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_silent_dns_server_is_named_and_nothing_waits_for_it() {
    let estate = Estate::solo();
    let (udp, _tcp) = silent();
    let server = udp.local_addr().unwrap().to_string();
    let key = write_key(
        &estate.path("corp.key"),
        &TsigKey::generate("corp").unwrap(),
    );
    let host = estate.serve_kms("kms", &dns_args(&server, &key));
    let generic = estate.key("solo", "generic");
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    let failed = zone_status(&estate, "kms", "failed");
    assert_eq!(failed["reason"]["code"], "MUSTER-DNS-0004", "{failed:#}");

    // A machine that knows no host yet: not licensed, with the reason; nothing is lost.
    let policy = estate.policy("solo");
    let policy = policy.to_str().unwrap();
    estate
        .client("new", &["install-key", &generic, "--policy", policy])
        .done();
    estate.client("new", &["set-domain", ZONE]).done();
    let began = running_time();
    estate
        .client("new", &["activate", "--dns-server", &server])
        .refused("MUSTER-DNS-0004");
    assert!(
        running_time().less(began) < Span::from_seconds(60),
        "it is bounded"
    );
    let status = estate.status("new");
    assert_eq!(status["state"], "unlicensed");
    let last = status["last_ask"]["text"].as_str().unwrap_or_default();
    assert!(last.contains("MUSTER-DNS-0004"), "{status:#}");
    estate.client("new", &["set-host", &host.address]).done();
    estate
        .client("new", &["activate", "--dns-server", &server])
        .done();

    // One that is licensed: its host is gone and DNS silent; the licence stays.
    host.kill();
    estate.client("m", &["set-domain", ZONE]).done();
    let outcome = estate.client("m", &["activate", "--dns-server", &server]);
    assert!(outcome.stderr.contains("MUSTER-DNS-0004"), "{outcome:#?}");
    estate.client("m", &["status", "--check"]).done();
}

#[test]
fn a_dns_server_that_refuses_is_named() {
    let estate = Estate::solo();
    let zone = Zone::start(&estate);
    let server = zone.address();
    let generic = estate.key("solo", "generic");
    let policy = estate.policy("solo");
    let policy = policy.to_str().unwrap();
    estate
        .client("m", &["install-key", &generic, "--policy", policy])
        .done();
    // The server has no such zone and refuses to look elsewhere.
    estate.client("m", &["set-domain", "elsewhere.test"]).done();
    let outcome = estate.client("m", &["activate", "--dns-server", &server]);
    let outcome = outcome.refused("MUSTER-DNS-0005");
    assert!(
        outcome.stderr.contains("_muster-kms._tcp.elsewhere.test"),
        "the name is named: {outcome:#?}"
    );
    // The right domain without a host in it is told apart.
    estate.client("m", &["set-domain", ZONE]).done();
    let outcome = estate.client("m", &["activate", "--dns-server", &server]);
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    assert!(outcome.stderr.contains(SRV), "{outcome:#?}");
    assert!(!outcome.stderr.contains("MUSTER-DNS-0005"), "{outcome:#?}");
    assert_eq!(estate.status("m")["state"], "unlicensed");
    // Found by DNS alone as soon as one registers.
    let _host = estate.serve_kms(
        "kms",
        &[
            &dns_args(&server, &zone.key)[..],
            &["--host-address", "127.0.0.1"],
        ]
        .concat(),
    );
    zone_status(&estate, "kms", "published");
    estate
        .client("m", &["activate", "--dns-server", &server])
        .done();
    let found = estate.status("m");
    assert!(
        found["host"]
            .as_str()
            .unwrap()
            .starts_with("kms.corp.test:"),
        "{found:#}"
    );
}
