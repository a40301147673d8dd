//! A read-only disk: mounted so under every verb that writes, and turned so under running services.

use std::path::Path;
use std::process::{Command, Stdio};

use super::faults::{Fault, Plan};
use super::services::{Authority, Client, Kms, UNWRITABLE, Walked};
use super::walk::contents;
use crate::estate::{Estate, Outcome, Service, eventually, muster};
use crate::users::can_be_others;

/// Runs a program where a directory is mounted read-only, which nobody else sees.
const MOUNTED: &str = r#"
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
exec timeout 30 "$@"
"#;

/// Demands that a verb is refused, with the directory named and a next step, and has left all as it
/// was.
fn refused(dir: &Path, args: Vec<String>) {
    let before = contents(dir);
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-euc", MOUNTED]).arg(dir);
    command
        .arg(muster().get_program())
        .args(&args)
        .stdin(Stdio::null());
    let outcome = Outcome::of(&mut command);
    let says = |what: &str| outcome.stderr.contains(what);
    assert_eq!(outcome.code, 1, "{args:?}: {outcome:#?}");
    assert!(
        says("MUSTER-CFG-0004") || says("MUSTER-STO-0002"),
        "{args:?}: {outcome:#?}"
    );
    assert!(
        says(&dir.display().to_string()) && says("next:"),
        "{args:?}: {outcome:#?}"
    );
    assert_eq!(contents(dir), before, "{args:?}");
}

fn words(words: &str) -> Vec<&str> {
    words.split(' ').collect()
}

#[test]
fn an_authority_on_a_read_only_disk_says_so_at_every_verb() {
    if !can_be_others() {
        return;
    }
    let estate = Estate::solo();
    let key = estate.key("solo", "generic");
    let last5 = key.rsplit('-').next().expect("groups");
    let policy = estate.policy("solo").display().to_string();
    let path = |name: &str| estate.path(name).display().to_string();
    let (request, backup, inside) = (path("new.req"), path("backup"), path("authority/inside"));
    let host = estate.key("solo", "kms-host");
    let offline = [
        "install-key",
        &host,
        "--offline",
        "--root",
        &policy,
        "--out",
        &request,
    ];
    estate.kms("new", &offline).done();
    estate.authority(&["backup", "--out", &backup]).done();
    let verbs = [
        words("product add other --name Other --kind client"),
        words("product set solo --threshold 9"),
        words("key issue --product solo --channel generic"),
        vec!["key", "revoke", last5],
        words("host revoke 1"),
        words("rotate"),
        vec!["certify", &request, "--out", &backup],
        vec!["backup", "--out", &inside],
        vec!["restore", &backup],
        words("serve --listen 127.0.0.1:0"),
    ];
    for verb in verbs {
        refused(&estate.path("authority"), estate.authority_args(&verb));
    }
    estate
        .authority(&words("key issue --product solo --channel generic"))
        .done();
}

#[test]
fn a_host_on_a_read_only_disk_says_so_at_every_verb() {
    if !can_be_others() {
        return;
    }
    let estate = Estate::solo();
    let key = estate.key("solo", "kms-host");
    let policy = estate.policy("solo").display().to_string();
    let path = |name: &str| estate.path(name).display().to_string();
    let (request, answer) = (path("request"), path("answer"));
    let (backup, inside) = (path("backup"), path("kms/inside"));
    let offline = [
        "install-key",
        &key,
        "--offline",
        "--root",
        &policy,
        "--out",
        &request,
    ];
    estate.kms("kms", &["backup", "--out", &backup]).done();
    estate.kms("kms", &offline).done();
    estate
        .authority(&["certify", &request, "--out", &answer])
        .done();
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    let last5 = status["keys"][0]["key_last5"][0].as_str().expect("a key");
    let verbs = [
        offline.to_vec(),
        vec!["apply", &answer],
        words("set --renewal 2d"),
        vec!["remove-key", last5],
        words("confirm-clock"),
        vec!["backup", "--out", &inside],
        vec!["restore", &backup],
        words("serve --listen 127.0.0.1:0"),
    ];
    for verb in verbs {
        refused(&estate.path("kms"), estate.kms_args("kms", &verb));
    }
    estate.kms("kms", &["apply", &answer]).done();
}

#[test]
fn a_machine_on_a_read_only_disk_says_so_at_every_verb() {
    if !can_be_others() {
        return;
    }
    let (estate, _host) = Estate::licensed();
    let key = estate.key("solo", "generic");
    let policy = estate.policy("solo").display().to_string();
    let inside = estate.path("m/inside").display().to_string();
    let verbs = [
        vec!["install-key", &key, "--policy", &policy],
        vec!["change-key", &key],
        words("remove-key solo"),
        words("activate"),
        words("set-host 192.0.2.1"),
        words("clear-host"),
        words("set-domain corp.test"),
        words("set-method kms"),
        words("rearm"),
        words("reset-identity"),
        vec!["export", "--out", &inside],
        words("serve"),
    ];
    for verb in verbs {
        refused(&estate.path("m"), estate.client_args("m", &verb));
    }
    estate.client("m", &["status", "--check"]).done();
    estate.client("m", &["activate"]).done();
}

/// Reasons by which a store says that its disk takes nothing.
const OF_DISK: [&str; 3] = ["MUSTER-STO-0002", "MUSTER-STO-0003", "MUSTER-STO-0004"];

fn names_disk(log: &[String]) -> bool {
    let names = |line: &String| OF_DISK.iter().any(|code| line.contains(code));
    log.iter().any(names)
}

#[test]
fn a_running_host_refuses_while_its_disk_does_and_goes_on_by_itself() {
    let kms = Kms::new();
    for (machine, fault) in [(1, Fault::ReadOnly), (2, Fault::Full), (3, Fault::Failing)] {
        let plan = Plan::at(0, Fault::None);
        let root = kms.estate().dir.path();
        let host = Service::start(&mut plan.command(root, &kms.serve("case")));
        kms.machine("case", 0, &["activate"]).done();
        let before = kms.held("case").count;
        plan.change(0, fault);
        let asked = kms
            .machine("case", machine, &["activate"])
            .refused("MUSTER-CLI-0041");
        assert!(asked.stderr.contains("next:"), "{asked:#?}");
        let log = host.log();
        assert!(names_disk(&log), "{fault:?}: {log:#?}");
        // Nobody loses what he has, and what is there can be seen.
        kms.machine("case", 0, &["status", "--check"]).done();
        assert_eq!(kms.held("case").count, before);
        plan.change(0, Fault::None);
        kms.machine("case", machine, &["activate"]).done();
        assert_eq!(kms.held("case").count, before + 1);
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn a_running_authority_refuses_while_its_disk_does_and_goes_on_by_itself() {
    let authority = Authority::new();
    let plan = Plan::at(0, Fault::None);
    let root = authority.estate().dir.path();
    let service = Service::start(&mut plan.command(root, &authority.serve("case")));
    for (number, fault) in [Fault::ReadOnly, Fault::Full, Fault::Failing]
        .into_iter()
        .enumerate()
    {
        plan.change(0, fault);
        assert_eq!(authority.send(number), None, "{fault:?}");
        assert_eq!(authority.used("case")[1], number as u64);
        plan.change(0, Fault::None);
        assert!(authority.send(number).is_some(), "{fault:?}");
        assert_eq!(authority.used("case")[1], number as u64 + 1);
    }
    assert_eq!(service.stop(), 0);
}

/// Licensed by what is on the disk, it asks for nothing that it could not keep, says so once, and asks
/// when the disk is mended.
#[test]
fn a_running_machine_asks_nobody_while_its_disk_takes_nothing_and_goes_on_by_itself() {
    let client = Client::new();
    let _host = client.beside("case").expect("its host");
    let plan = Plan::at(0, Fault::None);
    let root = client.estate().dir.path();
    let service = Service::start(&mut plan.command(root, &client.serve("case")));
    for fault in [Fault::ReadOnly, Fault::Full, Fault::Failing] {
        eventually("nothing is under way", || client.is_settled("case"));
        let [asks, machines] = client.at_host("case");
        let said = service.log();
        let is_told = |line: &String| line.contains(UNWRITABLE);
        assert!(!said.iter().any(is_told), "{fault:?}: {said:#?}");
        plan.change(0, fault);
        client.makes_due("case");
        let said = service.log_until(UNWRITABLE);
        assert!(
            said.iter().any(|line| line.contains("case/m0")),
            "{said:#?}"
        );
        client.verb("case", &["status", "--check"]).done();
        assert_eq!(client.at_host("case"), [asks, machines], "{fault:?}");
        plan.change(0, Fault::None);
        eventually("it asks", || client.at_host("case") == [asks + 1, 1]);
    }
    assert_eq!(service.stop(), 0);
}
