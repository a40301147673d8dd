//! The life of an estate: certified by files, changed while it runs, restored, copied, revoked and
//! expired. Separate directories and processes, the real binary.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::clocks::{at, faked};
use crate::estate::{Estate, Service, copy_dir, eventually};

/// An estate whose products need one machine each.
fn estate_of(products: &[&str]) -> Estate {
    let (first, more) = products.split_first().expect("a product");
    let estate = Estate::new(first, "client");
    for product in more {
        estate.product(product, "client", &[]);
    }
    for product in products {
        estate
            .authority(&["product", "set", product, "--threshold", "1"])
            .done();
        estate.write_policy(product);
    }
    estate
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths are text")
}

/// An authority whose root never was where it is: certified by files, carried to and fro.
fn offline_authority() -> Estate {
    let dir = tempfile::tempdir().expect("a directory");
    let estate = Estate::in_dir(dir);
    let file = |name: &str| estate.path(name);
    let root = |args: &[&str]| crate::estate::run([&["authority", "root"], args].concat());
    let (secret, public) = (file("root.key"), file("root.pub"));
    root(&["init", "--publisher", "Contoso", "--out", text(&secret)]).done();
    root(&["export", "--key", text(&secret), "--out", text(&public)]).done();
    let (request, answer) = (file("request"), file("answer"));
    let init = ["init", "--publisher", "Contoso", "--root", text(&public)];
    let init = [&init[..], &["--offline", "--out", text(&request)]].concat();
    estate.authority(&init).done();
    assert!(!file("authority/root.key").exists(), "the root stays away");
    let sign = ["sign", text(&request), "--key", text(&secret), "--out"];
    root(&[&sign[..], &[text(&answer)]].concat()).done();
    for _ in 0..2 {
        estate.authority(&["apply", text(&answer)]).done();
    }
    estate.product("solo", "client", &["--threshold", "1"]);
    estate
}

/// No authority on the network: root, authority and host speak by files only.
#[test]
fn everything_is_certified_by_files() {
    let estate = offline_authority();
    let file = |name: &str| estate.path(name);
    let host_key = estate.key("solo", "kms-host");
    let policy = estate.policy("solo");
    let (request, answer) = (file("host.request"), file("host.answer"));
    let install = [
        "install-key",
        &host_key,
        "--offline",
        "--root",
        text(&policy),
    ];
    let install = [&install[..], &["--out", text(&request)]].concat();
    estate.kms("kms", &install).done();
    assert!(
        !contains(&fs::read(&request).unwrap(), host_key.as_bytes()),
        "the key is sealed"
    );
    let before = fs::read(&request).unwrap();
    estate.kms("kms", &install).done();
    assert_eq!(
        fs::read(&request).unwrap(),
        before,
        "asked twice, one request"
    );
    estate
        .kms("kms", &["serve", "--listen", "127.0.0.1:0"])
        .refused("MUSTER-KMS-0040");
    let certify = ["certify", text(&request), "--out", text(&answer)];
    for _ in 0..2 {
        estate.authority(&certify).done();
    }
    // A cut answer changes nothing, the whole one is taken.
    let whole = fs::read(&answer).unwrap();
    let cut = file("cut.answer");
    fs::write(&cut, &whole[..whole.len() - 9]).unwrap();
    estate
        .kms("kms", &["apply", text(&cut)])
        .refused("MUSTER-STM-");
    for _ in 0..2 {
        estate.kms("kms", &["apply", text(&answer)]).done();
    }
    let keys = estate.authority(&["key", "list", "--json"]).done().json();
    let used = |key: &&Value| key["channel"] == "kms-host";
    let used = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(used)
        .unwrap()
        .clone();
    assert_eq!(
        used["hosts"]["used"], 1,
        "answered twice, charged once: {used:#}"
    );

    let host = estate.serve_kms("kms", &[]);
    let generic = estate.key("solo", "generic");
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    let renew = estate.kms("kms", &["renew", "--out", text(&file("renew.request"))]);
    assert!(
        renew.done().stdout.contains("Not due"),
        "not before half of its life"
    );
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// What commands change reaches the service that runs on the same directory.
#[test]
fn changes_take_effect_without_a_restart() {
    let estate = estate_of(&["cad", "render"]);
    let authority = estate.serve_authority();
    estate.certify("kms", "cad", &authority);
    let host = estate.serve_kms("kms", &[]);
    let (cad, render) = (
        estate.key("cad", "generic"),
        estate.key("render", "generic"),
    );
    estate.machine("m", "cad", &cad, &host.address);
    estate.machine("n", "render", &render, &host.address);
    estate.client("m", &["activate"]).done();
    estate.client("n", &["activate"]).refused("MUSTER-");

    estate.kms("kms", &["set", "--renewal", "15m"]).done();
    eventually("the new interval", || {
        estate.client("m", &["activate"]).done();
        let status = estate.status("m");
        let time = |field: &str| {
            let text = status[field].as_str().expect("a time");
            text.parse::<jiff::Timestamp>()
                .expect("RFC 3339")
                .as_second()
        };
        time("renew_at") - time("issued_at") < 20 * 60
    });
    estate.certify("kms", "render", &authority);
    eventually("the new product", || {
        estate.client("n", &["activate"]).code == 0
    });
    estate
        .kms("kms", &["set", "--renewal", "1m"])
        .refused("MUSTER-KMS-0014");
}

/// Restored while the service runs: it goes on with what the backup held, and re-keys nobody.
#[test]
fn a_host_is_restored_under_its_running_service() {
    let estate = estate_of(&["solo"]);
    let authority = estate.serve_authority();
    estate.certify("kms", "solo", &authority);
    let host = estate.serve_kms("kms", &[]);
    let generic = estate.key("solo", "generic");
    let machines: Vec<String> = (1..=4).map(|number| format!("machine{number}")).collect();
    for machine in &machines[..3] {
        estate.machine(machine, "solo", &generic, &host.address);
        estate.client(machine, &["activate"]).done();
    }
    let backup = estate.path("backup");
    estate
        .kms("kms", &["backup", "--out", text(&backup)])
        .done();
    estate.machine(&machines[3], "solo", &generic, &host.address);
    for machine in machines.iter().chain(&machines) {
        estate.client(machine, &["activate"]).done();
    }
    estate.kms("kms", &["restore", text(&backup)]).done();
    for machine in machines.iter().chain(&machines) {
        estate.client(machine, &["activate"]).done();
        estate.client(machine, &["status", "--check"]).done();
    }
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(status["pools"][0]["count"], 4, "{status:#}");
    let log = host.log();
    assert!(
        !log.iter().any(|line| line.contains("MUSTER-KMS-0006")),
        "{log:#?}"
    );
    assert_eq!(host.stop(), 0);
}

/// Another host's backup under the running service: the very next ask is decided by the restored
/// store's identity and never by the one before, and the machines ask on without a word.
#[test]
fn another_hosts_backup_takes_over_at_once() {
    let estate = estate_of(&["solo"]);
    let authority = estate.serve_authority();
    for host in ["kms", "other"] {
        // Two hosts of one name at one place would be one, which never shows an older certificate.
        let name = Path::new(&estate.hardware(host)).join("etc/hostname");
        fs::write(name, host).unwrap();
        estate.certify(host, "solo", &authority);
    }
    let generic = estate.key("solo", "generic");
    // The other host has counted machines of its own.
    let other = estate.serve_kms("other", &[]);
    for machine in ["theirs1", "theirs2"] {
        estate.machine(machine, "solo", &generic, &other.address);
        estate.client(machine, &["activate"]).done();
    }
    let backups = [estate.path("first"), estate.path("second")];
    let backup = |host: &str, out: &Path| {
        let backup = ["backup", "--out", text(out)];
        estate.kms(host, &backup).done();
    };
    backup("other", &backups[1]);
    assert_eq!(other.stop(), 0);
    let host = estate.serve_kms("kms", &[]);
    for machine in ["ours", "theirs1"] {
        estate.machine(machine, "solo", &generic, &host.address);
        estate.client(machine, &["activate"]).done();
    }
    backup("kms", &backups[0]);

    for round in 0..6 {
        let backup = text(&backups[(round + 1) % 2]);
        estate.kms("kms", &["restore", backup]).done();
        for machine in ["ours", "theirs1", "ours"] {
            let asked = estate.client(machine, &["activate"]).done();
            assert_eq!(asked.stderr, "", "round {round}, {machine}");
        }
        let status = estate.kms("kms", &["status", "--json"]).done().json();
        // The second backup holds two machines, of which one asks, and another comes.
        let counted = if round % 2 == 0 { 3 } else { 2 };
        assert_eq!(status["pools"][0]["count"], counted, "{status:#}");
    }
    let log = host.log();
    let told = |code: &str| log.iter().filter(|line| line.contains(code)).count();
    assert_eq!(told("MUSTER-KMS-0006"), 0, "nobody is re-keyed: {log:#?}");
    assert!(told("MUSTER-STO-0020") > 0, "the window was met: {log:#?}");
    assert_eq!(host.stop(), 0);
}

/// Copied before it ever asked: every copy is a machine of its own within two asks.
#[test]
fn copies_made_before_the_first_contact_are_counted() {
    let estate = estate_of(&["solo"]);
    let authority = estate.serve_authority();
    estate.certify("kms", "solo", &authority);
    let host = estate.serve_kms("kms", &[]);
    let generic = estate.key("solo", "generic");
    estate.machine("machine0", "solo", &generic, &host.address);
    let machines: Vec<String> = (0..=3).map(|number| format!("machine{number}")).collect();
    for machine in &machines[1..] {
        copy_dir(&estate.path("machine0"), &estate.path(machine));
    }
    for machine in machines.iter().chain(&machines) {
        estate.client(machine, &["activate"]).done();
    }
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(status["pools"][0]["count"], 4, "{status:#}");
    let ids: std::collections::BTreeSet<String> = machines
        .iter()
        .map(|machine| estate.status(machine)["client_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 4, "four identities");
}

/// A revoked host is known to whoever has met a host that heard of it: it is asked no more, and
/// what it granted passes into the non-genuine grace, which another host's lease ends.
#[test]
fn a_revoked_host_is_left_by_its_machines() {
    let estate = estate_of(&["cad", "render"]);
    let authority = estate.serve_authority();
    estate.certify("bad", "cad", &authority);
    let bad = estate.serve_kms("bad", &[]);
    let (cad, render) = (
        estate.key("cad", "generic"),
        estate.key("render", "generic"),
    );
    estate.machine("m", "cad", &cad, &bad.address);
    estate.client("m", &["activate"]).done();

    let hosts = estate.authority(&["host", "list", "--json"]).done().json();
    let id = hosts["hosts"][0]["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        estate.authority(&["host", "revoke", &id]).done();
    }
    // A host that was certified afterwards has heard of it; it serves the other product.
    estate.certify("good", "render", &authority);
    let good = estate.serve_kms("good", &[]);
    let policy = estate.policy("render");
    estate
        .client("m", &["install-key", &render, "--policy", text(&policy)])
        .done();
    let product = ["--product", "render"];
    estate
        .client("m", &[&["set-host", &good.address], &product[..]].concat())
        .done();
    estate
        .client("m", &[&["activate"], &product[..]].concat())
        .done();
    let state = || {
        let status = estate.client("m", &["status", "--json"]).done().json();
        let products = status["products"].as_array().unwrap().clone();
        let cad = products.iter().find(|product| product["product"] == "cad");
        cad.unwrap().clone()
    };
    let cad_state = state();
    assert_eq!(cad_state["state"], "non-genuine-grace", "{cad_state:#}");
    assert_eq!(cad_state["reason"]["code"], "MUSTER-CLI-0013");
    assert!(
        !cad_state["until"].is_null(),
        "the grace ends: {cad_state:#}"
    );
    // The bad host is asked no more.
    let outcome = estate.client("m", &["activate", "--product", "cad"]);
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    assert!(outcome.stderr.contains("MUSTER-STM-0026"), "{outcome:#?}");
    // Another host's lease ends it.
    estate.certify("good", "cad", &authority);
    eventually("the good host serves it", || {
        estate
            .client("m", &["set-host", &good.address, "--product", "cad"])
            .done();
        estate.client("m", &["activate", "--product", "cad"]).code == 0
    });
    assert_eq!(state()["state"], "licensed");
}

/// A host whose certificate has ended grants nothing and says why; what it granted stays.
#[test]
fn an_expired_host_certificate_grants_nothing() {
    let estate = estate_of(&["solo"]);
    let authority = estate.serve_authority();
    estate.certify("kms", "solo", &authority);
    let host = estate.serve_kms("kms", &[]);
    let generic = estate.key("solo", "generic");
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    assert_eq!(host.stop(), 0);

    const LATER: &str = "+366d";
    at(LATER, estate.kms_args("kms", &["confirm-clock"])).done();
    let args = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let host = Service::start(&mut faked(LATER, args));
    estate.machine("new", "solo", &generic, &host.address);
    let asked = at(LATER, estate.client_args("new", &["activate"]));
    assert_eq!(asked.code, 1, "{asked:#?}");
    assert_eq!(estate.status("new")["state"], "unlicensed");
    // The machine finds it in the greeting, or else the host when it is to sign.
    let said = format!("{} {}", asked.stderr, host.log().join("\n"));
    assert!(
        said.contains("MUSTER-STM-0025"),
        "the reason is named: {said}"
    );
    let status = at(LATER, estate.kms_args("kms", &["status"])).done();
    assert!(status.stderr.contains("MUSTER-KMS-0049"), "{status:#?}");
    // The machine that was served has its lease, by its own clock and not by the host's.
    estate.client("m", &["set-host", &host.address]).done();
    estate.client("m", &["activate"]);
    estate.client("m", &["status", "--check"]).done();
}
