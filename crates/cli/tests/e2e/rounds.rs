//! What a running host does by itself: it registers in DNS daily, sooner after a failure, and renews
//! its certificate once half of its life has passed. A day passes when the test moves the clock of
//! the real processes.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster_net::dns::update::{HostRecords, withdraw};
use muster_net::dns::{LabDns, Resolver, TsigKey};
use muster_proto::limits::DNS_RETRY_SECONDS;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::clocks::by_clock;
use crate::estate::{Estate, Outcome, Service, eventually};
use crate::names::{SRV, ZONE, dns_args, write_key, zone_status};
use crate::renewal::{host_key_use, not_after};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
/// Where the process that is a DNS server keeps its files.
const DNS_DIR: &str = "MUSTER_TEST_DNS_DIR";

/// A clock that processes share while it is moved.
struct Clock(PathBuf);

impl Clock {
    /// A clock that stands `seconds` ahead of the machine's.
    fn ahead(estate: &Estate, name: &str, seconds: u64) -> Self {
        let clock = Self(estate.path(name));
        clock.set(seconds);
        clock
    }

    fn set(&self, seconds: u64) {
        // Renamed into place: a process reads it at any time.
        let beside = self.0.with_extension("new");
        fs::write(&beside, format!("+{seconds}\n")).expect("the clock is set");
        fs::rename(&beside, &self.0).expect("the clock is set");
    }

    fn run(&self, args: Vec<String>) -> Outcome {
        Outcome::of(self.of(crate::estate::muster().args(args)))
    }

    fn serve(&self, args: Vec<String>) -> Service {
        Service::start(self.of(crate::estate::muster().args(args)))
    }

    fn of<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        by_clock(command, &self.0)
    }
}

/// Long enough for a service to look several times whether anything is due.
fn let_it_look() {
    std::thread::park_timeout(Duration::from_millis(2_500));
}

/// A DNS server in a process of its own, under a clock: signatures of updates carry the time.
struct Dns {
    child: Child,
    address: SocketAddr,
    key: String,
    runtime: Runtime,
}

impl Dns {
    fn start(estate: &Estate, clock: &Clock) -> Self {
        let dir = estate.path("dns");
        fs::create_dir(&dir).expect("a directory");
        let key = TsigKey::generate("corp").expect("a key");
        let key = write_key(&dir.join("corp.key"), &key);
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args(["--exact", "rounds::dns_server", "--nocapture", "--quiet"])
            .env(DNS_DIR, &dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = clock.of(&mut command).spawn().expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("dns on ")?.1.parse().ok())
            .expect("the server says where it listens");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            child,
            address,
            key,
            runtime,
        }
    }

    /// How many hosts stand in the zone.
    fn hosts(&self) -> usize {
        let resolver = Resolver::with_server(self.address).expect("a resolver");
        let found = self.runtime.block_on(resolver.srv(SRV));
        found.map_or(0, |records| records.len())
    }

    /// Takes the host's records away, as somebody else's mistake would.
    fn clear(&self, host: &Service) {
        let key = TsigKey::read(Path::new(&self.key)).expect("the key");
        let records = HostRecords {
            target: format!("kms.{ZONE}"),
            port: host
                .address
                .parse::<SocketAddr>()
                .expect("an address")
                .port(),
            priority: 0,
            weight: 0,
            addresses: Vec::new(),
            former: None,
        };
        let servers = [self.address];
        let cleared = withdraw(&servers, ZONE, &key, &records);
        self.runtime.block_on(cleared).expect("an update");
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of [`Dns`]; with the other tests it has nothing to do. It ends with its stdin.
#[test]
fn dns_server() {
    let Some(dir) = std::env::var_os(DNS_DIR).map(PathBuf::from) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let key = TsigKey::read(&dir.join("corp.key")).unwrap();
    let loopback = "127.0.0.1:0".parse().unwrap();
    let server = runtime.block_on(LabDns::start(ZONE, loopback, &key, &dir));
    let address = server.as_ref().unwrap().addr();
    writeln!(std::io::stdout(), "dns on {address}").unwrap();
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn seconds(zone: &Value, field: &str) -> i64 {
    let text = zone[field].as_str().expect("a time");
    text.parse::<jiff::Timestamp>()
        .expect("RFC 3339")
        .as_second()
}

fn serve_args(estate: &Estate, dns: &Dns) -> Vec<String> {
    let server = dns.address.to_string();
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    estate.kms_args("kms", &[&listen[..], &dns_args(&server, &dns.key)].concat())
}

#[test]
fn a_host_registers_again_after_a_day_and_not_before() {
    let estate = Estate::solo();
    let clock = Clock::ahead(&estate, "clock", 0);
    let dns = Dns::start(&estate, &clock);
    let host = clock.serve(serve_args(&estate, &dns));
    let first = zone_status(&estate, "kms", "published");
    assert_eq!(
        seconds(&first, "next_at") - seconds(&first, "at"),
        DAY as i64
    );
    assert_eq!(dns.hosts(), 1);
    dns.clear(&host);
    assert_eq!(dns.hosts(), 0);

    clock.set(23 * HOUR);
    let_it_look();
    assert_eq!(dns.hosts(), 0, "it is not due");
    clock.set(DAY);
    eventually("the daily registration", || dns.hosts() == 1);
    eventually("status tells of it", || {
        let again = zone_status(&estate, "kms", "published");
        seconds(&again, "at") >= seconds(&first, "at") + DAY as i64
    });
}

#[test]
fn a_failed_registration_is_tried_again_within_the_quarter_of_an_hour() {
    let estate = Estate::solo();
    let dns_clock = Clock::ahead(&estate, "dns-clock", 0);
    let clock = Clock::ahead(&estate, "clock", HOUR);
    let dns = Dns::start(&estate, &dns_clock);
    let _host = clock.serve(serve_args(&estate, &dns));
    let failed = zone_status(&estate, "kms", "failed");
    assert_eq!(failed["reason"]["code"], "MUSTER-DNS-0025", "{failed:#}");
    let pause = seconds(&failed, "next_at") - seconds(&failed, "at");
    assert_eq!(pause, DNS_RETRY_SECONDS as i64);
    let told = clock.run(estate.kms_args("kms", &["status"])).done().stdout;
    let line = told.lines().find(|line| line.starts_with("DNS")).unwrap();
    assert!(line.contains("; again in 1"), "{line}");

    // The clocks agree; the host finds it out at its next try.
    dns_clock.set(HOUR + 10 * 60);
    clock.set(HOUR + 10 * 60);
    let_it_look();
    assert_eq!(dns.hosts(), 0, "it is not due");
    dns_clock.set(HOUR + DNS_RETRY_SECONDS);
    clock.set(HOUR + DNS_RETRY_SECONDS);
    eventually("the second try", || dns.hosts() == 1);
    let published = zone_status(&estate, "kms", "published");
    let pause = seconds(&published, "next_at") - seconds(&published, "at");
    assert_eq!(pause, DAY as i64, "{published:#}");
}

/// With its service running, by wire, and free of charge; the machines are served before and after,
/// and nobody told the host to. Its daily rounds bring newer policies as well.
#[test]
fn a_running_host_renews_its_certificate_from_half_of_its_life() {
    let estate = Estate::solo();
    const BEFORE_HALF: u64 = 182 * DAY;
    let clock = Clock::ahead(&estate, "clock", BEFORE_HALF);
    let authority = clock.serve(estate.authority_args(&["serve", "--listen", "127.0.0.1:0"]));
    let url = format!("http://{}", authority.address);
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--authority",
        &url,
        "-v",
    ];
    let host = clock.serve(estate.kms_args("kms", &serve));
    let mut log = Log::of(&host);
    let generic = estate.key("solo", "generic");
    estate.machine("m", "solo", &generic, &host.address);
    let ask = || clock.run(estate.client_args("m", &["activate"]));
    let new_policy = |retry: &str| {
        let set = ["product", "set", "solo", "--retry", retry];
        clock.run(estate.authority_args(&set)).done();
    };
    ask().done();
    let (charged, first) = (host_key_use(&estate), not_after(&estate, "kms"));

    // The first round, a minute after the start, finds a newer policy and no renewal that is due.
    log.wait_for("the clock was noted", 1);
    new_policy("1h");
    clock.set(BEFORE_HALF + 2 * 60);
    log.wait_for("took a newer policy of solo", 1);
    // Half has passed; the next round is a day after the first. The host notes its clock hourly, so
    // that these steps are no jumps to it.
    new_policy("3h");
    clock.set(BEFORE_HALF + 20 * HOUR);
    log.wait_for("the clock was noted", 2);
    ask().done();
    assert_eq!(not_after(&estate, "kms"), first, "not before its round");
    clock.set(BEFORE_HALF + 34 * HOUR);
    log.wait_for("renewed until", 1);
    assert_eq!(log.count("took a newer policy of solo"), 2, "{log:#?}");
    assert!(not_after(&estate, "kms") > first);
    assert_eq!(host_key_use(&estate), charged, "free of charge");
    let asked = ask().done();
    assert_eq!(asked.stderr, "", "the machine is told nothing");
    let status = clock.run(estate.client_args("m", &["status", "--check"]));
    assert_eq!(status.done().stderr, "");
    log.read();
    assert_eq!(log.count("renewed until"), 1, "{log:#?}");
    assert_eq!(log.count(" WARN "), 0, "nothing is wrong: {log:#?}");
}

/// What a service has logged so far.
#[derive(Debug)]
struct Log<'a> {
    service: &'a Service,
    lines: Vec<String>,
}

impl<'a> Log<'a> {
    fn of(service: &'a Service) -> Self {
        Self {
            service,
            lines: Vec::new(),
        }
    }

    fn read(&mut self) {
        self.lines.extend(self.service.log());
    }

    fn count(&self, words: &str) -> usize {
        let told = self.lines.iter().filter(|line| line.contains(words));
        told.count()
    }

    /// Waits for a line with these words to come so often.
    fn wait_for(&mut self, words: &str, times: usize) {
        for _ in 0..100 {
            self.read();
            if self.count(words) >= times {
                return;
            }
        }
        panic!("{words:?} was not told {times} times: {self:#?}");
    }
}
