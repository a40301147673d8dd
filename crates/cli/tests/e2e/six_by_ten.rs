//! The 6 x 10 rule by real processes: a hundred hosts are certified at once while the authority is
//! killed with SIGKILL and started again, and hosts' own commands are killed and repeated. At the end
//! there are exactly the activations that the key allows, and none that was acknowledged is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::estate::{Estate, Outcome, Service, eventually, muster};
use crate::renewal::host_key_use;

/// Machines that want a place; six get one.
const MACHINES: usize = 9;
/// Directories that want a certificate, several on each machine: more than ten, where ten are allowed.
const HOSTS: usize = 100;
const PLACES: usize = 6;
const TIMES: usize = 10;
/// The authority is killed when so many more hosts were answered.
const KILLED_AFTER: [usize; 5] = [1, 9, 21, 40, 65];
/// A command is repeated so often at most: it meets a dead authority a few times.
const TRIES_MAX: usize = 300;

/// Refusals that are the rule's own.
const SPENT: [&str; 2] = ["MUSTER-AUT-0045", "MUSTER-AUT-0046"];

fn machine_of(host: usize) -> usize {
    host % MACHINES
}

/// The arguments of `muster kms …` for one of the hosts, on its machine.
fn args_of(estate: &Estate, host: usize, args: &[&str]) -> Vec<String> {
    let mut args = estate.kms_args(&format!("host{host}"), args);
    *args.last_mut().expect("the sysroot") =
        estate.hardware(&format!("machine{}", machine_of(host)));
    args
}

/// Runs `install-key` until the rule has spoken: whether the host was certified. Every third host's
/// first command is killed on its way, each a little later than the one before.
fn certify(estate: &Estate, host: usize, key: &str, url: &str, killed: &AtomicUsize) -> bool {
    let install = ["install-key", key, "--authority", url];
    let args = args_of(estate, host, &install);
    let mut last = None;
    for attempt in 0..TRIES_MAX {
        let mut child = muster()
            .args(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        if attempt == 0 && host.is_multiple_of(3) {
            std::thread::park_timeout(Duration::from_millis(10 + 8 * host as u64));
            child.kill().expect("the command can be killed");
        }
        let output = child.wait_with_output().expect("the command ends");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => return true,
            Some(_) if SPENT.iter().any(|code| words.contains(code)) => return false,
            Some(_) => std::thread::park_timeout(Duration::from_millis(50)),
            None => {
                killed.fetch_add(1, Ordering::Relaxed);
            }
        }
        last = Some(words);
    }
    panic!("host {host} was never answered: {last:?}");
}

/// The certificate that a host's directory holds.
fn held(estate: &Estate, host: usize) -> Option<String> {
    let status = Outcome::of(muster().args(args_of(estate, host, &["status", "--json"])));
    let status = status.done().json();
    status["keys"][0]["certificate"].as_str().map(str::to_owned)
}

#[test]
fn a_hundred_hosts_at_once_get_exactly_what_the_key_allows() {
    let estate = Estate::new("cad", "client");
    let key = estate.key("cad", "kms-host");
    let mut authority = estate.serve_authority();
    let address = authority.address.clone();
    let url = format!("http://{address}");
    for machine in 0..MACHINES {
        estate.hardware(&format!("machine{machine}"));
    }
    let (answered, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (_authority, granted) = std::thread::scope(|scope| {
        let (estate, key, url) = (&estate, key.as_str(), url.as_str());
        let (answered, killed) = (&answered, &killed);
        let certify_one = |host: usize| {
            scope.spawn(move || {
                let granted = certify(estate, host, key, url, killed);
                answered.fetch_add(1, Ordering::Relaxed);
                granted
            })
        };
        let hosts: Vec<_> = (0..HOSTS).map(certify_one).collect();
        for count in KILLED_AFTER {
            eventually("more hosts are answered", || {
                answered.load(Ordering::Relaxed) >= count
            });
            authority.kill();
            let serve = estate.authority_args(&["serve", "--listen", &address]);
            authority = Service::start(muster().args(serve));
        }
        let hosts = hosts.into_iter();
        let granted = hosts.map(|host| host.join().expect("no host fails"));
        (authority, granted.collect::<Vec<bool>>())
    });
    assert!(
        killed.load(Ordering::Relaxed) > 0,
        "some commands were killed"
    );
    check(&estate, &granted);

    // Asked again, who was granted holds his own, and nobody gets one more.
    for (host, granted) in granted.iter().enumerate().take(MACHINES) {
        assert_eq!(certify(&estate, host, &key, &url, &killed), *granted);
    }
    check(&estate, &granted);
}

/// What the authority has written down is what the hosts hold.
fn check(estate: &Estate, granted: &[bool]) {
    assert_eq!(
        host_key_use(estate),
        serde_json::json!([PLACES, PLACES * TIMES])
    );
    let mut certificates = BTreeSet::new();
    let mut by_machine: BTreeMap<usize, usize> = BTreeMap::new();
    for (host, granted) in granted.iter().enumerate() {
        let held = held(estate, host);
        assert_eq!(held.is_some(), *granted, "host {host}");
        if let Some(certificate) = held {
            assert!(certificates.insert(certificate), "each its own");
            *by_machine.entry(machine_of(host)).or_default() += 1;
        }
    }
    assert_eq!(certificates.len(), PLACES * TIMES);
    let full: Vec<usize> = by_machine.into_values().collect();
    assert_eq!(full, [TIMES; PLACES]);
    let list = estate.authority(&["host", "list", "--json"]).done().json();
    let hosts = list["hosts"].as_array().expect("a list");
    assert_eq!(hosts.len(), PLACES, "{list:#}");
    for host in hosts {
        assert_eq!(host["certificates"], TIMES, "{host:#}");
        assert_eq!(host["forks"], 0, "{host:#}");
        let newest = host["certificate"].as_str().expect("a certificate");
        assert!(certificates.contains(newest), "a host holds {newest}");
    }
}
