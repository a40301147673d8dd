//! Commands of machines, hosts and authorities that change what lies in their directory.

use std::path::Path;

use super::faults::{Fault, Plan, counted_by_both};
use super::walk::{Depth, at_every_write};
use crate::estate::{Estate, Outcome, copy_dir, run};

/// The arguments of a verb on a copy of a machine: the same hardware.
fn on_copy(estate: &Estate, name: &str, args: &[&str]) -> Vec<String> {
    let mut args = estate.client_args(name, args);
    let machine = name.split('.').next().unwrap_or_default();
    *args.last_mut().expect("a system root") = estate.hardware(machine);
    args
}

fn keeps_its_licence(depth: Depth) {
    let (estate, _host) = Estate::licensed();
    let activate = |name: &str| on_copy(&estate, name, &["activate"]);
    at_every_write(&estate, ("client activate", depth), "m", activate, |met| {
        run(on_copy(&estate, met.copy, &["status", "--check"])).done();
        run(activate(met.copy)).done();
    });
}

fn is_whole_or_absent(depth: Depth) {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let policy = estate.policy("solo");
    let policy = policy.to_str().expect("text");
    std::fs::create_dir(estate.path("new")).expect("a directory");
    let install = ["install-key", &generic, "--policy", policy];
    let args = |name: &str| on_copy(&estate, name, &install);
    at_every_write(&estate, ("client install-key", depth), "new", args, |met| {
        run(args(met.copy)).done();
        let status = run(on_copy(&estate, met.copy, &["status", "--json"])).done();
        let status = status.json();
        assert_eq!(status["products"].as_array().map(Vec::len), Some(1));
        assert_eq!(status["products"][0]["state"], "unlicensed", "{status}");
    });
}

fn counts_each_key_once(depth: Depth) {
    let estate = Estate::solo();
    let dir = |name: &str| estate.path(name).to_str().expect("text").to_owned();
    let keys = |name: &str| {
        let list = ["authority", "key", "list", "--json", "--dir", &dir(name)];
        let listed = run(list).done().json();
        listed["keys"].as_array().expect("a list").len()
    };
    let before = keys("authority");
    let issue = |name: &str| {
        let words = "authority key issue --product solo --channel kms-host --dir";
        let words = words.split(' ').map(str::to_owned);
        words.chain([dir(name)]).collect::<Vec<_>>()
    };
    at_every_write(
        &estate,
        ("authority key issue", depth),
        "authority",
        issue,
        |met| {
            let shown = usize::from(!met.outcome.stdout.is_empty());
            let held = keys(met.copy);
            assert!(held == before || held == before + 1, "{held} keys");
            assert!(held >= before + shown, "a key was shown and is gone");
            run(issue(met.copy)).done();
            assert_eq!(keys(met.copy), held + 1);
        },
    );
}

fn keeps_settings_and_keys(depth: Depth) {
    let estate = Estate::solo();
    let held = |name: &str| {
        let status = estate.kms(name, &["status", "--json"]).done().json();
        (status["keys"].clone(), status["settings"].clone())
    };
    let set = |name: &str| estate.kms_args(name, &["set", "--renewal", "2d"]);
    copy_dir(&estate.path("kms"), &estate.path("set"));
    run(set("set")).done();
    let (old, new) = (held("kms"), held("set"));
    assert_ne!(old, new);
    at_every_write(&estate, ("kms set", depth), "kms", set, |met| {
        let left = held(met.copy);
        assert!(left == new || (left == old && !met.is_done()), "{left:?}");
        run(set(met.copy)).done();
        assert_eq!(held(met.copy), new);
    });
}

#[test]
fn a_machine_keeps_its_licence_at_every_write() {
    keeps_its_licence(Depth::DAILY);
}

#[test]
fn a_new_machine_is_whole_or_absent_at_every_write() {
    is_whole_or_absent(Depth::DAILY);
}

#[test]
fn an_authority_counts_each_key_once_at_every_write() {
    counts_each_key_once(Depth::DAILY);
}

#[test]
fn a_host_keeps_its_settings_and_keys_at_every_write() {
    keeps_settings_and_keys(Depth::DAILY);
}

/// What a killed service left in its log is not in the database yet. A command that cannot open the
/// log, because nothing can be made on a full disk, must leave it.
#[test]
fn a_log_that_was_not_moved_is_kept_on_a_full_disk() {
    let estate = Estate::solo();
    let log = estate.path("authority/authority.db-wal");
    assert!(log.metadata().is_ok_and(|found| found.len() > 0));
    let issue = "key issue --product solo --channel generic";
    let args = estate.authority_args(&issue.split(' ').collect::<Vec<_>>());
    for number in 1..=10 {
        let plan = Plan::at(number, Fault::Full);
        let outcome = Outcome::of(&mut plan.command(estate.dir.path(), &args));
        assert_eq!(outcome.code, 1, "{outcome:#?}");
        assert!(outcome.stderr.contains("MUSTER-"), "{outcome:#?}");
        assert!(log.exists(), "at {number}");
    }
    run(args).done();
}

#[test]
#[ignore = "a minute: every write of four commands with every fault"]
fn four_commands_at_every_write_with_every_fault() {
    keeps_its_licence(Depth::All);
    is_whole_or_absent(Depth::All);
    counts_each_key_once(Depth::All);
    keeps_settings_and_keys(Depth::All);
}

/// The numbers of the walks are those of all writes there are: `strace` sees no other.
#[test]
fn no_write_passes_unseen() {
    let (estate, _host) = Estate::licensed();
    let root = estate.dir.path();
    let out = estate.path("out");
    let out = out.to_str().expect("text");
    let commands = [
        estate.client_args("m", &["activate"]),
        estate.kms_args("kms", &["set", "--renewal", "2d"]),
        estate.kms_args("kms", &["backup", "--out", out]),
        estate.authority_args(&["backup", "--with-keys", "--out", out]),
        estate.authority_args(&["rotate"]),
    ];
    for args in commands {
        let (by_strace, by_library) = counted_by_both(Path::new(root), &args);
        assert!(by_library >= 5, "{args:?}: only {by_library}");
        assert_eq!(by_strace, by_library, "{args:?}");
    }
}
