//! Several KMS hosts on one PostgreSQL, end to end: one exact count, also when a host is killed; a
//! server that is away and comes back; the table that a host remembers.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::estate::{Estate, Outcome, Service, eventually, run};
use crate::metrics::Page;
use crate::server::Postgres;

const REQUIRED: usize = 25;

/// A publisher whose product needs 25 machines, and two certified hosts.
fn two_hosts() -> (Estate, String) {
    let estate = Estate::new("cad", "client");
    let authority = estate.serve_authority();
    estate.certify("kms1", "cad", &authority);
    estate.certify("kms2", "cad", &authority);
    (estate, Postgres::shared().database())
}

/// Machines with the product's key, each pointed at one of the hosts in turn.
fn machines(estate: &Estate, hosts: &[&Service]) -> Vec<String> {
    let generic = estate.key("cad", "generic");
    let machine = |number: usize| {
        let name = format!("machine{number}");
        let host = hosts[number % hosts.len()];
        estate.machine(&name, "cad", &generic, &host.address);
        name
    };
    (1..=REQUIRED).map(machine).collect()
}

fn kms_status(estate: &Estate, host: &str) -> Value {
    estate.kms(host, &["status", "--json"]).done().json()
}

fn count(estate: &Estate, host: &str) -> Value {
    kms_status(estate, host)["pools"][0]["count"].clone()
}

/// Demands that each host, asked without naming the table, counts exactly the machines.
fn check(estate: &Estate, hosts: &[&str]) {
    for host in hosts {
        assert_eq!(count(estate, host), REQUIRED);
        let clients = estate.kms(host, &["clients", "--json"]).done().json();
        assert_eq!(clients["clients"].as_array().map(Vec::len), Some(REQUIRED));
    }
}

/// Twenty-four see their number and wait, whichever host they ask; the twenty-fifth is licensed, and
/// then all are.
#[test]
fn twenty_five_machines_of_two_hosts_are_twenty_five() {
    let (estate, url) = two_hosts();
    let one = estate.serve_kms("kms1", &["--store", &url]);
    let two = estate.serve_kms("kms2", &["--store", &url]);
    let machines = machines(&estate, &[&one, &two]);
    for (number, machine) in (1..).zip(&machines) {
        let outcome = estate.client(machine, &["activate"]);
        assert_eq!(outcome.code, i32::from(number < REQUIRED), "{outcome:#?}");
        assert_eq!(estate.status(machine)["count"], number);
    }
    for machine in &machines {
        estate.client(machine, &["activate"]).done();
        assert_eq!(estate.status(machine)["state"], "licensed");
    }
    check(&estate, &["kms1", "kms2"]);
    let shown = kms_status(&estate, "kms1")["store"].clone();
    assert_eq!(
        (&shown["shared"], &shown["answers"]),
        (&true.into(), &true.into())
    );
    let name = shown["name"].as_str().expect("a name");
    let password = url.split([':', '@']).nth(2).expect("a password");
    assert!(!name.contains(password), "{name}");
    assert_eq!((one.stop(), two.stop()), (0, 0));
}

/// The machines of one host are told to ask, all at once, and the host is killed in the midst of
/// them. What it acknowledged is in the table, what it did not is asked again: twenty-five.
#[test]
fn a_killed_host_costs_no_machine_and_adds_none() {
    let (estate, url) = two_hosts();
    let one = estate.serve_kms("kms1", &["--store", &url]);
    let two = estate.serve_kms("kms2", &["--store", &url]);
    let machines = machines(&estate, &[&one, &two]);
    std::thread::scope(|scope| {
        for machine in &machines {
            scope.spawn(|| estate.client(machine, &["activate"]));
        }
        eventually("some are counted", || {
            count(&estate, "kms2").as_u64() > Some(4)
        });
        one.kill();
    });
    for machine in &machines {
        estate.client(machine, &["set-host", &two.address]).done();
        estate.client(machine, &["activate"]);
    }
    for machine in &machines {
        estate.client(machine, &["activate"]).done();
    }
    check(&estate, &["kms1", "kms2"]);
    let log = two.log();
    let is_new_key = |line: &String| line.contains("new key");
    assert!(!log.iter().any(is_new_key), "nobody is re-keyed: {log:#?}");
}

/// The server is stopped as by a crash: asks are refused with that reason, everything says so, and
/// when it is back the host goes on by itself.
#[test]
fn a_server_that_is_away_is_named_and_found_again() {
    let server = Postgres::start();
    let url = server.database();
    let estate = Estate::solo();
    let host = estate.serve_kms("kms", &["--store", &url, "--metrics", "127.0.0.1:0"]);
    let generic = estate.key("solo", "generic");
    for machine in ["m1", "m2"] {
        estate.machine(machine, "solo", &generic, &host.address);
    }
    let (page, metrics) = Page::of(&host);
    assert_eq!(page.demand("muster_kms_store_up", &[]), 1.0);
    estate.client("m1", &["activate"]).done();
    server.down();
    assert_eq!(estate.client("m2", &["activate"]).code, 1);
    host.log_until("MUSTER-STO-0021");
    let status = kms_status(&estate, "kms");
    assert_eq!(status["store"]["answers"], false);
    assert_eq!(Page::at(&metrics).demand("muster_kms_store_up", &[]), 0.0);
    assert_eq!(status["warnings"][0]["code"], "MUSTER-STO-0021");
    assert_eq!(
        status["keys"][0]["key_last5"].as_array().map(Vec::len),
        Some(1)
    );
    let table = |outcome: &Outcome| {
        let steps = outcome.json()["steps"].as_array().cloned();
        let mut steps = steps.expect("steps").into_iter();
        steps.find(|step| step["step"] == "table").expect("a table")
    };
    let doctor = estate.kms("kms", &["doctor", "--json"]);
    assert_eq!(doctor.code, 1, "{doctor:#?}");
    assert_eq!(table(&doctor)["reason"]["code"], "MUSTER-STO-0021");
    assert_eq!(estate.status("m1")["state"], "licensed");
    server.up();
    eventually("m2 is counted", || {
        estate.client("m2", &["activate"]).is_done()
    });
    host.log_until("clients are counted again");
    assert_eq!(count(&estate, "kms"), 2);
    let doctor = estate.kms("kms", &["doctor", "--json"]);
    assert_eq!(table(&doctor)["verdict"], "ok", "{doctor:#?}");
    assert_eq!(host.stop(), 0);
    server.down();
}

/// A host that has counted by itself goes to a shared table and back: each table keeps its own count,
/// the change is told, and commands look where the service last counted.
#[test]
fn a_host_remembers_the_table_that_it_was_given() {
    let url = Postgres::shared().database();
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let ask = |host: &Service, machine: &str| {
        estate.machine(machine, "solo", &generic, &host.address);
        estate.client(machine, &["activate"]).done();
    };
    let host = estate.serve_kms("kms", &[]);
    ask(&host, "m1");
    ask(&host, "m2");
    assert_eq!(host.stop(), 0);
    let host = estate.serve_kms("kms", &["--store", &url]);
    host.log_until("another table than before: postgres://muster@");
    assert_eq!(kms_status(&estate, "kms")["pools"][0]["count"], 0);
    ask(&host, "m1");
    assert_eq!(count(&estate, "kms"), 1);
    assert_eq!(host.stop(), 0);
    let host = estate.serve_kms("kms", &[]);
    assert_eq!(count(&estate, "kms"), 1, "it remembers");
    assert_eq!(host.stop(), 0);
    let host = estate.serve_kms("kms", &["--store", "own"]);
    host.log_until("another table than before: own");
    assert_eq!(count(&estate, "kms"), 2);
    assert_eq!(kms_status(&estate, "kms")["store"]["name"], "own");
    assert_eq!(host.stop(), 0);
}

/// The URL may stand in the configuration; with a password in it the file must be closed to others.
#[test]
fn a_password_in_the_configuration_is_kept_from_others() {
    let url = Postgres::shared().database();
    let estate = Estate::solo();
    let config = estate.path("kms.toml");
    let path = config.to_str().expect("paths are text");
    let check = || run(["config", "check", path]);
    fs::write(&config, format!("store = \"{url}\"\n")).expect("a file");
    fs::set_permissions(&config, Permissions::from_mode(0o640)).expect("a mode");
    let refused = check().refused("MUSTER-CFG-");
    assert!(refused.stderr.contains("store: "), "{refused:#?}");
    fs::set_permissions(&config, Permissions::from_mode(0o600)).expect("a mode");
    check().done();
    let host = estate.serve_kms("kms", &["--config", path]);
    assert_eq!(kms_status(&estate, "kms")["store"]["shared"], true);
    assert_eq!(host.stop(), 0);
    fs::write(&config, "store = \"postgres://one/fleet?geheim=1\"\n").expect("a file");
    let refused = check().refused("MUSTER-CFG-");
    assert!(refused.stderr.contains("line 1: store: "), "{refused:#?}");
}
