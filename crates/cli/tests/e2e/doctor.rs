//! `muster client doctor` through the real binary: one fault made for real each time, and exactly
//! the step that fails named, with its cause and what to do next.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::clocks::{at, faked};
use crate::disks::{give_away, set_mode};
use crate::estate::{Estate, Outcome, Service, muster};
use crate::names::{ZONE, Zone};
use crate::users::{NOBODY, unprivileged};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The steps of a verdict, in order.
pub(crate) fn steps<'a>(document: &'a Value, verdict: &str) -> Vec<&'a Value> {
    let steps = document["steps"].as_array().expect("there are steps");
    let wanted = steps.iter().filter(|step| step["verdict"] == verdict);
    wanted.collect()
}

pub(crate) fn names<'a>(document: &'a Value, verdict: &str) -> Vec<&'a str> {
    let found = steps(document, verdict).into_iter();
    found.filter_map(|step| step["step"].as_str()).collect()
}

/// Demands that one step alone fails, for the reason given, and that it is the next thing to do.
pub(crate) fn one_fault(outcome: &Outcome, step: &str, code: &str) -> Value {
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    let document = outcome.json();
    assert_eq!(names(&document, "fail"), [step], "{document:#}");
    let failed = steps(&document, "fail")[0];
    assert_eq!(failed["reason"]["code"], code, "{document:#}");
    assert_eq!(document["next"]["code"], code, "{document:#}");
    assert_eq!(document["next"]["text"], failed["reason"]["next"]);
    failed.clone()
}

fn doctor(estate: &Estate, machine: &str, more: &[&str]) -> Outcome {
    let args = [&["doctor", "--json"], more].concat();
    estate.client(machine, &args)
}

pub(crate) fn saw(step: &Value) -> &str {
    step["saw"].as_str().expect("something was seen")
}

/// A publisher's estate with a machine that points nowhere yet.
fn machine_without_host() -> (Estate, String) {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let policy = estate.policy("solo");
    let policy = policy.to_str().expect("paths are text");
    estate
        .client("m", &["install-key", &generic, "--policy", policy])
        .done();
    (estate, generic)
}

/// A loopback port on which nothing listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind((LOOPBACK, 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

#[test]
fn nothing_is_wrong_where_nothing_is() {
    let (estate, host) = Estate::licensed();
    let outcome = doctor(&estate, "m", &[]).done();
    let document = outcome.json();
    assert!(document["next"].is_null(), "{document:#}");
    let steps: Vec<_> = names(&document, "ok");
    let wanted = "files disk hardware products settings clock hosts address port service chain \
                  host-clock certified answer count licence";
    assert_eq!(steps.join(" "), wanted, "{document:#}");
    // It asked for real.
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(status["pools"][0]["requests"]["total"], 2);
    let words = estate.client("m", &["doctor"]).done().stdout;
    assert!(words.contains("Nothing is wrong."), "{words}");
    assert!(words.contains(&format!("Contoso: {}", host.address)));
    assert!(!words.contains('\u{1b}'), "no colour in a pipe: {words}");
    assert!(words.contains("solo: 1 of 1"), "{words}");
}

#[test]
fn a_machine_without_anything_is_told_what_to_install() {
    let estate = Estate::new("cad", "client");
    one_fault(&doctor(&estate, "none", &[]), "files", "MUSTER-CLI-0071");
    assert!(!estate.path("none").exists(), "looking makes nothing");
    let (estate, _) = machine_without_host();
    let step = one_fault(&doctor(&estate, "m", &[]), "hosts", "MUSTER-CLI-0039");
    assert!(saw(&step).contains("no DNS domain"));
    estate.client("m", &["set-method", "vm"]).done();
    estate.client("m", &["set-host", "127.0.0.1:9"]).done();
    let document = doctor(&estate, "m", &[]).json();
    assert_eq!(names(&document, "fail"), ["settings", "port"]);
    assert_eq!(document["next"]["code"], "MUSTER-CLI-0016");
}

#[test]
fn dns_without_a_record_and_with_a_wrong_one_are_told_apart() {
    let (estate, _) = machine_without_host();
    let zone = Zone::start(&estate);
    let server = ["--dns-server", &zone.address()];
    estate.client("m", &["set-domain", ZONE]).done();
    let step = one_fault(&doctor(&estate, "m", &server), "hosts", "MUSTER-DNS-0002");
    assert!(saw(&step).contains("_muster-kms._tcp.corp.test SRV"));
    // A record that leads to a name without an address.
    zone.register("ghost.corp.test", 1688, None);
    let outcome = doctor(&estate, "m", &server);
    let step = one_fault(&outcome, "address", "MUSTER-CLI-0047");
    assert!(saw(&step).contains("ghost.corp.test"), "{step:#}");
    let document = outcome.json();
    let unreached = names(&document, "not-reached");
    assert_eq!(unreached.first(), Some(&"port"), "{document:#}");
    assert_eq!(unreached.last(), Some(&"licence"));
    // The words for a person are the same.
    let words = estate
        .client("m", &[&["doctor"], &server[..]].concat())
        .stdout;
    for said in [
        "FAIL  address",
        "(MUSTER-CLI-0047)",
        "  next: add the address in DNS",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
}

#[test]
fn one_host_of_several_is_enough() {
    let (estate, _) = machine_without_host();
    let zone = Zone::start(&estate);
    let host = estate.serve_kms("kms", &[]);
    let port = host
        .address
        .rsplit(':')
        .next()
        .and_then(|it| it.parse().ok());
    let dead = closed_port();
    zone.register("good.corp.test", port.expect("a port"), Some(LOOPBACK));
    zone.register("dead.corp.test", dead, Some(LOOPBACK));
    estate.client("m", &["set-domain", ZONE]).done();
    let server = ["--dns-server", &zone.address()];
    let document = doctor(&estate, "m", &server).done().json();
    let warned = steps(&document, "warn");
    assert_eq!(warned.len(), 1, "{document:#}");
    assert_eq!(warned[0]["step"], "port");
    assert_eq!(warned[0]["subject"], format!("dead.corp.test:{dead}"));
    let licence = document["steps"].as_array().expect("steps").last();
    assert_eq!(
        licence.expect("the last step")["saw"]
            .as_str()
            .map(|it| &it[..8]),
        Some("licensed")
    );
    // Without the good one, both are named, and nothing is lost.
    host.kill();
    let document = doctor(&estate, "m", &server).json();
    assert_eq!(names(&document, "fail"), ["port", "port"], "{document:#}");
    estate.client("m", &["status", "--check"]).done();
}

#[test]
fn what_is_on_the_port_is_told() {
    let (estate, _) = machine_without_host();
    let set = |port: u16| {
        let host = format!("127.0.0.1:{port}");
        estate.client("m", &["set-host", &host]).done();
    };
    set(closed_port());
    let step = one_fault(&doctor(&estate, "m", &[]), "port", "MUSTER-NET-0001");
    assert!(saw(&step).contains("refused"), "{step:#}");

    for (words, shown) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
            "HTTP 200: <html>",
        ),
    ] {
        let other = Other::saying(words);
        set(other.port);
        let step = one_fault(&doctor(&estate, "m", &[]), "service", "MUSTER-CLI-0048");
        assert!(saw(&step).contains(shown), "{step:#}");
    }

    // Connections are accepted and nothing is ever said.
    let silent = TcpListener::bind((LOOPBACK, 0)).expect("a port is free");
    set(silent.local_addr().expect("it has an address").port());
    one_fault(&doctor(&estate, "m", &[]), "service", "MUSTER-NET-0004");
    assert_eq!(estate.status("m")["state"], "unlicensed");
}

/// Another service, in a thread that ends with the last connection it was made for.
struct Other {
    port: u16,
}

impl Other {
    /// Says the same on each of the three connections that a diagnosis makes: to see whether the
    /// port is open, to ask, and to see what it is. HTTP waits to be asked, others speak first.
    fn saying(words: &'static str) -> Self {
        let listener = TcpListener::bind((LOOPBACK, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        thread::spawn(move || {
            for stream in listener.incoming().take(3) {
                let mut stream = stream.expect("a connection");
                if words.starts_with("HTTP") {
                    let _ = stream.read(&mut [0; 1_024]);
                }
                let _ = stream.write_all(words.as_bytes());
                let _ = stream.read(&mut [0; 1_024]);
            }
        });
        Self { port }
    }
}

#[test]
fn hosts_of_other_publishers_products_and_sites_are_told_apart() {
    let (ours, theirs) = (Estate::new("cad", "client"), Estate::new("cad", "client"));
    ours.product("viewer", "client", &[]);
    let authority = theirs.serve_authority();
    theirs.certify("kms", "cad", &authority);
    let host = theirs.serve_kms("kms", &[]);
    let generic = ours.key("cad", "generic");
    ours.machine("m", "cad", &generic, &host.address);
    one_fault(&doctor(&ours, "m", &[]), "chain", "MUSTER-KMS-0041");

    let authority = ours.serve_authority();
    ours.certify("kms", "viewer", &authority);
    let host = ours.serve_kms("kms", &[]);
    ours.client("m", &["set-host", &host.address]).done();
    let step = one_fault(&doctor(&ours, "m", &[]), "certified", "MUSTER-KMS-0020");
    assert!(saw(&step).contains("not for cad"), "{step:#}");

    ours.client("m", &["set-site", "branch"]).done();
    let step = one_fault(&doctor(&ours, "m", &[]), "chain", "MUSTER-CLI-0037");
    assert!(saw(&step).contains("branch"), "{step:#}");
}

#[test]
fn a_revoked_host_is_named() {
    let (estate, generic) = machine_without_host();
    let host = estate.serve_kms("kms", &[]);
    estate.machine("m", "solo", &generic, &host.address);
    let hosts = estate.authority(&["host", "list", "--json"]).done().json();
    let number = hosts["hosts"][0]["id"].as_str().expect("a number");
    estate.authority(&["host", "revoke", number]).done();
    // The policy file carries the revocation; the host itself has not heard of it.
    estate.write_policy("solo");
    estate.machine("m", "solo", &generic, &host.address);
    one_fault(&doctor(&estate, "m", &[]), "chain", "MUSTER-STM-0026");
}

#[test]
fn an_expired_host_certificate_is_named() {
    let (estate, generic) = machine_without_host();
    // A year later the host still runs, by a clock that was confirmed, and nobody renewed it.
    let later = |args: Vec<String>| at("+400d", args);
    later(estate.kms_args("kms", &["confirm-clock"])).done();
    let serve = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let host = Service::start(&mut faked("+400d", serve));
    estate.machine("m", "solo", &generic, &host.address);
    let outcome = later(estate.client_args("m", &["doctor", "--json"]));
    one_fault(&outcome, "chain", "MUSTER-STM-0025");
}

#[test]
fn wrong_clocks_are_named_on_either_side() {
    let (estate, host) = Estate::licensed();
    let client = |time: &str| at(time, estate.client_args("m", &["doctor", "--json"]));
    one_fault(&client("-10y"), "clock", "MUSTER-CLI-0012");
    let step = one_fault(&client("+1y"), "host-clock", "MUSTER-CLI-0049");
    assert!(saw(&step).contains("behind this machine's"), "{step:#}");
    host.kill();
    // The host's: five hours ahead it signs, three days ahead it does not. Each machine is a new one:
    // an answer moves what it knows to have passed.
    let generic = estate.key("solo", "generic");
    let serve = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    for (time, code) in [("+5h", "MUSTER-CLI-0049"), ("+3d", "MUSTER-KMS-0013")] {
        let host = Service::start(&mut faked(time, serve.clone()));
        estate.machine(time, "solo", &generic, &host.address);
        let step = one_fault(&doctor(&estate, time, &[]), "host-clock", code);
        assert!(saw(&step).contains("ahead of this machine's"), "{step:#}");
    }
    estate.client("m", &["status", "--check"]).done();
}

#[test]
fn a_count_that_is_too_low_is_named() {
    let estate = Estate::new("render", "server");
    let authority = estate.serve_authority();
    estate.certify("kms", "render", &authority);
    let host = estate.serve_kms("kms", &[]);
    let generic = estate.key("render", "generic");
    estate.machine("m", "render", &generic, &host.address);
    let step = one_fault(&doctor(&estate, "m", &[]), "count", "MUSTER-CLI-0006");
    assert_eq!(saw(&step), "render: 1 of 5");
    // The answer of the ask it made is kept.
    assert_eq!(estate.status("m")["count"], 1);
}

/// A file system of 64 KiB that is full, in a mount namespace of its own.
#[test]
fn a_full_disk_is_named_and_nobody_is_asked() {
    let (estate, _host) = Estate::licensed();
    let small = estate.path("small");
    fs::create_dir(&small).expect("a directory");
    let small = small.to_str().expect("paths are text").to_owned();
    let hardware = estate.hardware("m");
    let script = "mount -t tmpfs -o size=64k tmpfs \"$1\" && cp -a \"$2\"/. \"$1\"/ \
                  && { cat /dev/zero > \"$1/fill\" 2> /dev/null || true; } \
                  && exec \"$3\" client doctor --json --dir \"$1\" --sysroot \"$4\"";
    let outcome = Outcome::of(
        Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
            .args([&small, estate.path("m").to_str().expect("paths are text")])
            .arg(muster().get_program())
            .arg(&hardware)
            .stdin(Stdio::null()),
    );
    let step = one_fault(&outcome, "disk", "MUSTER-STO-0003");
    assert!(saw(&step).contains("No space left"), "{step:#}");
    let document = outcome.json();
    assert_eq!(names(&document, "not-reached"), ["answer", "count"]);
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(
        status["pools"][0]["requests"]["total"], 1,
        "nobody was asked"
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let (estate, _host) = Estate::licensed();
    let dir = estate.path("m");
    give_away(&dir);
    set_mode(&dir, 0o555);
    let args = estate.client_args("m", &["doctor", "--json"]);
    let outcome = Outcome::of(&mut unprivileged(&estate, NOBODY, args));
    set_mode(&dir, 0o755);
    let step = one_fault(&outcome, "disk", "MUSTER-CFG-0012");
    assert!(saw(&step).contains("ermission denied"), "{step:#}");
    // The licence that is held stays and is shown.
    let document = outcome.json();
    let last = document["steps"].as_array().expect("steps").last();
    assert_eq!(
        last.expect("the last step")["verdict"],
        "ok",
        "{document:#}"
    );
}

#[test]
fn a_damaged_state_is_a_warning_and_rebuilt_by_the_ask() {
    let (estate, _host) = Estate::licensed();
    let state = estate.path("m/state");
    let mut bytes = fs::read(&state).expect("the state is read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).expect("the state is written");
    let document = doctor(&estate, "m", &[]).done().json();
    let files = &document["steps"][0];
    assert_eq!(
        (&files["step"], &files["verdict"]),
        (&"files".into(), &"warn".into())
    );
    assert_eq!(files["reason"]["code"], "MUSTER-CLI-0063", "{document:#}");
    estate.client("m", &["status", "--check"]).done();
    doctor(&estate, "m", &[]).done();
}
