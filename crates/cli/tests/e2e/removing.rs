//! Removing a product's key: what it does not undo, and which product is meant.

use std::fs;

use crate::estate::{Estate, Outcome};

/// Both files of machine `m`.
fn files(estate: &Estate) -> [Vec<u8>; 2] {
    ["m/state", "m/identity"].map(|name| fs::read(estate.path(name)).expect("a file"))
}

fn install(estate: &Estate, key: &str, policy: &str) -> Outcome {
    let policy = estate.path(policy);
    let policy = policy.to_str().expect("paths are text");
    estate.client("m", &["install-key", key, "--policy", policy])
}

#[test]
fn an_older_policy_file_is_refused_after_remove_key() {
    let estate = Estate::new("cad", "client");
    let key = estate.key("cad", "generic");
    fs::copy(estate.policy("cad"), estate.path("old.policy")).expect("a copy");
    let set = ["product", "set", "cad", "--threshold", "3"];
    estate.authority(&set).done();
    estate.write_policy("cad");
    install(&estate, &key, "cad.policy").done();
    // While the newer one is held, and after it was removed.
    install(&estate, &key, "old.policy").refused("MUSTER-STM-0035");
    estate.client("m", &["remove-key", "cad"]).done();
    let before = files(&estate);
    let refused = install(&estate, &key, "old.policy").refused("MUSTER-CLI-0091");
    assert!(
        refused
            .stderr
            .contains("cad: policy version 1, 2 was installed before"),
        "{refused:#?}"
    );
    assert_eq!(files(&estate), before, "nothing is written");
    let old = estate.path("old.policy");
    let old = old.to_str().expect("paths are text");
    let args = ["install-key", &key, "--policy", old, "--json"];
    let json = estate.client("m", &args).refused("MUSTER-CLI-0091").json();
    assert_eq!(json["error"]["code"], "MUSTER-CLI-0091");
    // A reset for an image forgets it no more than removing did.
    estate.client("m", &["reset-identity"]).done();
    install(&estate, &key, "old.policy").refused("MUSTER-CLI-0091");
    install(&estate, &key, "cad.policy").done();
    assert_eq!(estate.status("m")["policy_version"], 2);
}

#[test]
fn graces_and_a_rearm_go_on_where_they_were() {
    let estate = Estate::new("cad", "client");
    let graces = ["--initial-grace", "30d", "--extended-grace", "10d"];
    let set = [&["product", "set", "cad"], &graces[..]].concat();
    estate.authority(&set).done();
    estate.write_policy("cad");
    let key = estate.key("cad", "generic");
    let again = || {
        estate.client("m", &["remove-key", "cad"]).done();
        install(&estate, &key, "cad.policy").done();
        estate.status("m")
    };
    install(&estate, &key, "cad.policy").done();
    let first = estate.status("m");
    assert_eq!(first["state"], "initial-grace", "{first:#}");
    let second = again();
    assert_eq!(second["state"], "initial-grace");
    assert_eq!(second["until"], first["until"], "it does not begin anew");
    estate.client("m", &["rearm"]).done();
    let rearmed = estate.status("m");
    assert_eq!(again()["until"], rearmed["until"]);
    estate.client("m", &["rearm"]).refused("MUSTER-CLI-0084");
}

#[test]
fn a_product_that_two_publishers_have_is_removed_by_its_publisher() {
    let ours = Estate::new("cad", "client");
    let theirs = ours.beside("Fabrikam", "cad", "client");
    for estate in [&ours, &theirs] {
        let policy = estate.policy("cad");
        let policy = policy.to_str().expect("paths are text");
        let key = estate.key("cad", "generic");
        ours.client("m", &["install-key", &key, "--policy", policy])
            .done();
    }
    let status = ours.client("m", &["status", "--json"]).done().json();
    let ids: Vec<_> = status["products"]
        .as_array()
        .expect("products")
        .iter()
        .collect();
    assert_eq!(ids.len(), 2);
    let before = files(&ours);
    let refused = ours
        .client("m", &["remove-key", "cad"])
        .refused("MUSTER-CLI-0087");
    for product in ids {
        for name in [&product["publisher"], &product["publisher_id"]] {
            let name = name.as_str().expect("a name");
            assert!(
                refused.stderr.contains(name),
                "{name} is not in {refused:#?}"
            );
        }
    }
    ours.client("m", &["remove-key", "cad", "--publisher", "Nobody"])
        .refused("MUSTER-CLI-0004");
    assert_eq!(files(&ours), before, "nothing is written");
    ours.client("m", &["remove-key", "cad", "--publisher", "Fabrikam"])
        .done();
    let status = ours.client("m", &["status", "--json"]).done().json();
    assert_eq!(status["products"].as_array().map(Vec::len), Some(1));
    assert_eq!(status["products"][0]["publisher"], "Contoso");
    let id = status["products"][0]["publisher_id"]
        .as_str()
        .expect("an id");
    ours.client("m", &["remove-key", "cad", "--publisher", id])
        .done();
    ours.client("m", &["remove-key", "cad"])
        .refused("MUSTER-CLI-0004");
}

#[test]
fn the_status_of_what_is_not_installed_is_refused_with_what_is() {
    let estate = Estate::new("cad", "client");
    let nothing = estate.client("m", &["status"]).done();
    assert_eq!(nothing.stdout, "No product is installed.\n");
    estate
        .client("m", &["status", "--product", "cad"])
        .refused("MUSTER-CLI-0004");
    install(&estate, &estate.key("cad", "generic"), "cad.policy").done();
    estate.client("m", &["status", "--product", "cad"]).done();
    for verb in ["status", "activate", "rearm"] {
        let refused = estate.client("m", &[verb, "--product", "nope"]);
        let refused = refused.refused("MUSTER-CLI-0004");
        assert!(
            refused.stderr.contains("nope; installed: cad of Contoso"),
            "{refused:#?}"
        );
        assert!(refused.stdout.is_empty(), "{refused:#?}");
    }
    let json = estate.client("m", &["status", "--product", "nope", "--json"]);
    assert_eq!(
        json.refused("MUSTER-CLI-0004").json()["error"]["code"],
        "MUSTER-CLI-0004"
    );
    let misused = estate.client("m", &["status", "--product", "no such id"]);
    assert_eq!(misused.code, 2, "{misused:#?}");
}

#[test]
fn a_renewal_that_fails_is_shown_while_the_licence_lasts() {
    let (estate, host) = Estate::licensed();
    assert!(estate.status("m")["ask_failed"].is_null());
    let address = host.address.clone();
    host.kill();
    estate.client("m", &["activate"]).done();
    let status = estate.status("m");
    assert_eq!(status["state"], "licensed");
    let failed = &status["ask_failed"];
    assert_eq!(failed["code"], "MUSTER-NET-0001", "{status:#}");
    assert!(
        failed["at"].as_str().is_some_and(|at| at.ends_with('Z')),
        "{failed}"
    );
    let text = failed["text"].as_str().expect("a text");
    assert_eq!(
        text.matches(&address).count(),
        1,
        "the host is named once: {text}"
    );
    let shown = estate.client("m", &["status", "--check"]).done().stdout;
    let line = shown
        .lines()
        .find(|line| line.contains("The last ask failed"));
    assert!(
        line.is_some_and(|line| line.contains("(MUSTER-NET-0001)")),
        "{shown}"
    );

    let _host = estate.serve_kms("kms", &["--listen", &address]);
    estate.client("m", &["activate"]).done();
    assert!(estate.status("m")["ask_failed"].is_null());
    let shown = estate.client("m", &["status"]).done().stdout;
    assert!(!shown.contains("failed"), "{shown}");
}

#[test]
fn one_machine_is_not_several() {
    let estate = Estate::new("cad", "client");
    let set = |threshold: &str| {
        let set = ["product", "set", "cad", "--threshold", threshold];
        estate.authority(&set).done().stdout
    };
    assert!(set("1").contains(": 1 machine needed,"));
    assert!(set("2").contains(": 2 machines needed,"));
}
