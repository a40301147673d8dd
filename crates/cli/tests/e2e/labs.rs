//! `muster lab` as a newcomer runs it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::estate::{muster, run};

#[test]
fn twenty_five_machines_are_licensed_by_kms() {
    let lab = run(["lab", "--once", "--json"]).done().json();
    let machines = lab["machines"].as_array().expect("machines");
    assert_eq!(machines.len(), 25);
    for machine in machines {
        assert_eq!(
            (&machine["state"], &machine["method"]),
            (&"licensed".into(), &"kms".into())
        );
        let host = machine["host"].as_str().expect("a host");
        assert!(
            host.starts_with("kms.lab.test:"),
            "found through DNS: {host}"
        );
    }
    assert_eq!(lab["kms"]["pools"][0]["count"], 25);
    assert_eq!(lab["kms"]["dns"][0]["state"], "published");
    assert!(lab["seconds"].as_f64().expect("seconds") > 0.0);
}

#[test]
fn twenty_four_of_twenty_five_are_not_enough() {
    let outcome = run(["lab", "--clients", "24", "--once"]);
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    assert!(outcome.stderr.contains("24 of 25"), "{outcome:#?}");
    assert!(
        outcome.stderr.contains("muster lab --clients 25"),
        "{outcome:#?}"
    );
    let json = run(["lab", "--clients", "24", "--once", "--json"]).json();
    assert_eq!(json["machines"][0]["state"], "unlicensed");
    assert_eq!(json["machines"][0]["count"], 24);
}

#[test]
fn clients_and_servers_have_pools_of_their_own() {
    let lab = run([
        "lab",
        "--clients",
        "25",
        "--servers",
        "5",
        "--once",
        "--json",
    ])
    .done()
    .json();
    let pools = lab["kms"]["pools"].as_array().expect("pools");
    let counts: Vec<&Value> = pools.iter().map(|pool| &pool["count"]).collect();
    assert_eq!(counts, [25, 5]);
}

/// A 30-day outage is never felt; a 220-day one passes through grace into notification, and the
/// first renewal after it restores every machine.
#[test]
fn five_hundred_days_pass_through_two_outages() {
    let lab = run(["lab", "--once", "--days", "500", "--json"])
        .done()
        .json();
    let outages = lab["timeline"]["outages"].as_array().expect("outages");
    let [short, long] = outages.as_slice() else {
        panic!("{outages:#?}")
    };
    assert_eq!(
        (&short["days"], &short["felt"]),
        (&30.into(), &false.into())
    );
    assert_eq!(short["lowest_licensed"], 25);
    assert_eq!((&long["days"], &long["felt"]), (&220.into(), &true.into()));
    let day = |name: &str| {
        long[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {long:#}"))
    };
    let (from, to) = (day("from_day"), day("to_day"));
    // The last renewal was at most 7.7 days before the outage; leases last 180 days, grace 30.
    assert!((from + 172..=from + 180).contains(&day("grace_from_day")));
    assert!((from + 202..=from + 210).contains(&day("notification_from_day")));
    assert!((to..=to + 1).contains(&day("restored_on_day")));
    assert_eq!(lab["timeline"]["all_licensed_at_end"], true);
}

/// The lab's DNS server answers `dig`, and the lab ends in order at Ctrl-C.
#[test]
fn dig_finds_the_host_in_a_lab_that_stays_up() {
    let mut lab = muster()
        .args(["lab", "--clients", "1", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the lab starts");
    let mut stdout = BufReader::new(lab.stdout.take().expect("stdout is piped"));
    let mut document = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(
            stdout.read_line(&mut line).expect("a line"),
            0,
            "the lab ended: {document}"
        );
        document.push_str(&line);
        if line == "}\n" {
            break;
        }
    }
    let document: Value = serde_json::from_str(&document).expect("one JSON document");
    let (address, port) = document["dns"]
        .as_str()
        .and_then(|dns| dns.split_once(':'))
        .unwrap();
    for transport in ["+notcp", "+tcp"] {
        let name = "_muster-kms._tcp.lab.test";
        let dig = Command::new("dig")
            .args([
                &format!("@{address}"),
                "-p",
                port,
                name,
                "SRV",
                "+short",
                transport,
            ])
            .output()
            .expect("dig is installed");
        let answer = String::from_utf8_lossy(&dig.stdout);
        assert!(
            answer.trim().ends_with("kms.lab.test."),
            "{transport}: {answer:?}"
        );
    }
    Command::new("kill")
        .args(["-INT", &lab.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(lab.wait().expect("the lab ends").success() || document["machines"].is_array());
    let mut words = String::new();
    lab.stderr
        .take()
        .expect("stderr is piped")
        .read_to_string(&mut words)
        .expect("words");
    assert!(
        words.contains("muster kms status"),
        "it says what to type next: {words}"
    );
}
