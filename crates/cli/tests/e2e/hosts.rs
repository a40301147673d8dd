//! The KMS host end to end: counts, copies, kills and restores, through the real binary.

use crate::estate::{Estate, copy_dir};

/// Five servers are needed: four see their true count, the fifth is licensed, the four at their
/// next ask.
#[test]
fn four_of_five_wait_and_the_fifth_is_licensed() {
    let estate = Estate::new("render", "server");
    let authority = estate.serve_authority();
    estate.certify("kms", "render", &authority);
    let host = estate.serve_kms("kms", &[]);
    let generic = estate.key("render", "generic");
    for number in 1..=5 {
        let machine = format!("machine{number}");
        estate.machine(&machine, "render", &generic, &host.address);
        let outcome = estate.client(&machine, &["activate"]);
        assert_eq!(outcome.code, i32::from(number < 5), "{outcome:#?}");
        let status = estate.status(&machine);
        assert_eq!(status["count"], number);
        assert_eq!(status["required"], 5);
    }
    for number in 1..=4 {
        let machine = format!("machine{number}");
        estate.client(&machine, &["activate"]).done();
        let status = estate.status(&machine);
        assert_eq!(
            (&status["state"], &status["method"]),
            (&"licensed".into(), &"kms".into())
        );
        estate.client(&machine, &["status", "--check"]).done();
    }
    assert_eq!(host.stop(), 0);
}

/// A host that is killed between two asks has lost nobody.
#[test]
fn a_killed_host_remembers_everybody() {
    let estate = Estate::new("render", "server");
    let authority = estate.serve_authority();
    estate.certify("kms", "render", &authority);
    let generic = estate.key("render", "generic");
    let mut host = estate.serve_kms("kms", &[]);
    for number in 1..=6 {
        let machine = format!("machine{number}");
        estate.machine(&machine, "render", &generic, &host.address);
        estate.client(&machine, &["activate"]);
        assert_eq!(
            estate.status(&machine)["count"],
            number,
            "after {} kills",
            number - 1
        );
        host.kill();
        host = estate.serve_kms("kms", &[]);
    }
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(status["pools"][0]["count"], 6);
    let clients = estate.kms("kms", &["clients", "--json"]).done().json();
    assert_eq!(clients["clients"].as_array().map(Vec::len), Some(6));
}

/// Backup, more asks, restore: the host has forgotten newer asks, and nobody is told to make a new
/// key for it.
#[test]
fn nobody_is_rekeyed_by_a_restored_host() {
    let estate = Estate::new("render", "server");
    let authority = estate.serve_authority();
    estate.certify("kms", "render", &authority);
    let generic = estate.key("render", "generic");
    let host = estate.serve_kms("kms", &[]);
    let machines: Vec<String> = (1..=5).map(|number| format!("machine{number}")).collect();
    for machine in &machines[..4] {
        estate.machine(machine, "render", &generic, &host.address);
        estate.client(machine, &["activate"]);
    }
    let backup = estate.path("backup");
    let backup = backup.to_str().unwrap();
    estate.kms("kms", &["backup", "--out", backup]).done();
    estate.machine(&machines[4], "render", &generic, &host.address);
    for _ in 0..2 {
        for machine in &machines {
            estate.client(machine, &["activate"]);
        }
    }
    host.kill();
    estate.kms("kms", &["restore", backup]).done();
    let host = estate.serve_kms("kms", &[]);
    for machine in &machines {
        estate.client(machine, &["set-host", &host.address]).done();
        estate.client(machine, &["activate"]).done();
    }
    let clients = estate.kms("kms", &["clients", "--json"]).done().json();
    assert_eq!(clients["clients"].as_array().map(Vec::len), Some(5));
    assert!(
        !host.log().iter().any(|line| line.contains("new key")),
        "nobody is re-keyed"
    );
}

/// One machine's directory copied five times: six machines are counted, five of them under new
/// identities, and both sides say so.
#[test]
fn copies_are_noticed_and_counted() {
    let estate = Estate::new("render", "server");
    let authority = estate.serve_authority();
    estate.certify("kms", "render", &authority);
    let generic = estate.key("render", "generic");
    let host = estate.serve_kms("kms", &[]);
    estate.machine("machine0", "render", &generic, &host.address);
    estate.client("machine0", &["activate"]);
    let machines: Vec<String> = (0..=5).map(|number| format!("machine{number}")).collect();
    for machine in &machines[1..] {
        copy_dir(&estate.path("machine0"), &estate.path(machine));
    }
    let mut words = String::new();
    for _ in 0..2 {
        for machine in &machines {
            words.push_str(&estate.client(machine, &["activate"]).stderr);
        }
    }
    let clients = estate.kms("kms", &["clients", "--json"]).done().json();
    assert_eq!(
        clients["clients"].as_array().map(Vec::len),
        Some(6),
        "{clients:#}"
    );
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(status["pools"][0]["count"], 6, "{status:#}");
    let ordered = host
        .log()
        .iter()
        .filter(|line| line.contains("MUSTER-KMS-"))
        .count();
    assert!(ordered >= 5, "the host tells of the copies");
    assert!(
        words.contains("new key"),
        "the clients tell of their new keys: {words}"
    );
}
