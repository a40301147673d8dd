//! A database cluster that loses its leader while machines ask and hosts are certified: three nodes
//! of PostgreSQL under Patroni and etcd, two KMS hosts and an authority on it. Leaders are cut off,
//! killed, stopped and unplugged, and come back; whatever was acknowledged meanwhile must be there at
//! the end, and no product key may have given more than it allows. Without synchronous replication
//! the same run must find losses: that is the control.
//!
//! Each run takes minutes: `cargo xtask test --long`.

mod check;
mod nodes;
mod work;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::estate::Outcome;
use check::Report;
use nodes::{Cluster, Fault};
use work::Work;

/// Tells the test program that it is within the namespaces.
const INSIDE: &str = "CLUSTER_INSIDE";
/// How long each fault lasts: longer than Patroni needs for another leader (20 s at most).
const FAULT: Duration = Duration::from_secs(40);
/// Work without a fault, before the first and after each one.
const CALM: Duration = Duration::from_secs(10);

#[test]
#[ignore = "takes six minutes"]
fn a_cluster_that_loses_its_leader_loses_nothing() {
    let Some(report) = run("a_cluster_that_loses_its_leader_loses_nothing", || {
        faults(
            "quorum",
            &[Fault::Cut, Fault::Kill, Fault::Stop, Fault::Unplug],
        )
    }) else {
        return;
    };
    assert_eq!(report.lost(), 0, "nothing that was acknowledged is lost");
    assert_eq!(
        report.over_issued, 0,
        "no product key gave more than it may"
    );
    assert!(report.is_busy(), "there was something to lose: {report:#?}");
    for stop in &report.stops {
        assert!(stop.is_over(), "work went on after each fault: {stop:?}");
    }
}

#[test]
#[ignore = "takes three minutes"]
fn without_synchronous_replication_losses_are_found() {
    let Some(report) = run("without_synchronous_replication_losses_are_found", || {
        faults("async", &[Fault::Cut, Fault::Cut])
    }) else {
        return;
    };
    assert!(report.lost() > 0, "the checker would see a loss");
}

/// One run: the cluster, the work on it, the faults one after the other, and what came of it.
fn faults(mode: &str, faults: &[Fault]) -> Report {
    let cluster = Cluster::start(mode);
    let work = Work::start(&cluster);
    work.wait(CALM);
    let mut stops = Vec::new();
    for fault in faults {
        let leader = cluster.leader();
        let began = work.now();
        cluster.strike(*fault, leader);
        work.wait(FAULT);
        cluster.mend(*fault, leader);
        cluster.wait_until_whole();
        work.wait(CALM);
        stops.push((format!("{fault:?} of the leader"), began, work.now()));
    }
    let done = work.finish();
    let report = check::report(mode, &cluster, done, &stops);
    say(&report.to_string());
    report
}

/// Runs a test within namespaces of its own: begins the same test of this program there. Gives the
/// report within them, and nothing outside, where the test's end is that program's.
fn run(test: &str, inside: impl FnOnce() -> Report) -> Option<Report> {
    if std::env::var_os(INSIDE).is_some() {
        return Some(inside());
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
        // A shell is the first process there, and takes away the ended ones that nobody waits for:
        // Patroni would wait for a PostgreSQL that has ended for ever.
        command.args(["--mount-proc", "--", "sh", "-c", "\"$@\"; exit $?", "sh"]);
        command.stdin(Stdio::null());
        command
    };
    // Several users are needed: PostgreSQL does not run as root.
    if !Outcome::of(unshare().arg("true")).is_done() {
        say(&format!(
            "not run: {test}: only root may make the cluster's namespaces"
        ));
        return None;
    }
    nodes::install();
    let program = std::env::current_exe().expect("this program has a path");
    let name = format!("cluster::{test}");
    let status = unshare()
        .arg(program)
        .args(["--exact", &name, "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare runs");
    assert!(status.success(), "the run within the namespaces failed");
    None
}

/// Past the test harness, which keeps back what a passing test prints.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
