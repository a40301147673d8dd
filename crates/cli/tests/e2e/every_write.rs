//! The real binary, ended by SIGKILL at each of its writes in turn, and told by each in turn that the
//! disk is full: what was acknowledged stays, what was not is whole or absent, and a second try
//! succeeds. `strace` stands between the binary and the kernel, so no build of its own is needed and
//! no write can be forgotten.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::estate::{Estate, Outcome, copy_dir, muster, run};

/// Every call that changes a file, its name or its place on the disk.
const WRITES: &str = "?write,?writev,?pwrite64,?fsync,?fdatasync,?rename,?renameat,?renameat2,\
    ?unlink,?unlinkat,?ftruncate,?fallocate,?mkdir,?mkdirat,?link,?linkat,?fchmod";
/// As many writes at least as each command makes.
const WRITES_MIN: u32 = 5;
/// More writes than any command makes.
const WRITES_MAX: u32 = 400;

/// What becomes of the write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The process is ended before it.
    Killed,
    /// It fails, and so does every later one.
    Full,
}

/// A command at whose write of a number something happens; whether it came to that write.
fn at_write(number: u32, fault: Fault, args: &[String]) -> (Outcome, bool) {
    let what = match fault {
        Fault::Killed => format!("inject={WRITES}:signal=KILL:when={number}"),
        Fault::Full => format!("inject={WRITES}:error=ENOSPC:when={number}+"),
    };
    let log = tempfile::NamedTempFile::new().expect("a file");
    let outcome = Outcome::of(
        Command::new("strace")
            .args(["-f", "-qq", "-o"])
            .arg(log.path())
            .args(["-e", &format!("trace={WRITES}"), "-e", &what])
            .arg(muster().get_program())
            .args(args)
            .stdin(Stdio::null()),
    );
    let said = std::fs::read_to_string(log.path()).expect("what strace saw");
    let was_met = said.contains("SIGKILL") || said.contains("(INJECTED)");
    (outcome, was_met)
}

/// Tries a command on a fresh copy of a directory at each of its writes; `check` looks at what is
/// left there and at what the command said.
fn at_every_write(
    from: &Path,
    fault: Fault,
    command: impl Fn(&str) -> Vec<String>,
    check: impl Fn(&str, &Outcome),
) {
    for number in 1..WRITES_MAX {
        let to = from.with_extension(format!("{fault:?}-{number}").to_lowercase());
        copy_dir(from, &to);
        let name = to.file_name().expect("a name").to_str().expect("text");
        let (outcome, was_met) = at_write(number, fault, &command(name));
        check(name, &outcome);
        std::fs::remove_dir_all(&to).expect("the copy goes");
        if !was_met {
            // Fewer than any command makes would mean that nothing is injected at all.
            assert!(number > WRITES_MIN, "only {number} writes");
            return;
        }
    }
    panic!("a command of more than {WRITES_MAX} writes");
}

/// The arguments of a verb on a copy of a machine: the same hardware.
fn on_copy(estate: &Estate, name: &str, args: &[&str]) -> Vec<String> {
    let mut args = estate.client_args(name, args);
    let machine = name.split('.').next().unwrap_or_default();
    *args.last_mut().expect("a system root") = estate.hardware(machine);
    args
}

#[test]
fn a_machine_keeps_its_licence_at_every_write() {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let host = estate.serve_kms("kms", &[]);
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    for fault in [Fault::Killed, Fault::Full] {
        let activate = |name: &str| on_copy(&estate, name, &["activate"]);
        at_every_write(&estate.path("m"), fault, activate, |name, outcome| {
            assert!((-1..=1).contains(&outcome.code), "{outcome:#?}");
            run(on_copy(&estate, name, &["status", "--check"])).done();
            run(activate(name)).done();
        });
    }
}

#[test]
fn a_new_machine_is_whole_or_absent_at_every_write() {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let policy = estate.policy("solo");
    let policy = policy.to_str().expect("text");
    let new = estate.path("new");
    std::fs::create_dir(&new).expect("a directory");
    let install = ["install-key", &generic, "--policy", policy];
    for fault in [Fault::Killed, Fault::Full] {
        let args = |name: &str| on_copy(&estate, name, &install);
        at_every_write(&new, fault, args, |name, outcome| {
            assert!((-1..=1).contains(&outcome.code), "{outcome:#?}");
            run(args(name)).done();
            let status = run(on_copy(&estate, name, &["status", "--json"]))
                .done()
                .json();
            assert_eq!(status["products"].as_array().map(Vec::len), Some(1));
            assert_eq!(status["products"][0]["state"], "unlicensed", "{status}");
        });
    }
}

#[test]
fn an_authority_counts_each_key_once_at_every_write() {
    let estate = Estate::solo();
    let keys = |name: &str| {
        let dir = estate.path(name);
        let dir = dir.to_str().expect("text");
        let list = ["authority", "key", "list", "--json", "--dir", dir];
        let listed = run(list).done().json();
        listed["keys"].as_array().expect("a list").len()
    };
    let before = keys("authority");
    for fault in [Fault::Killed, Fault::Full] {
        let issue = |name: &str| {
            let dir = estate.path(name).to_str().expect("text").to_owned();
            let words = "authority key issue --product solo --channel kms-host --dir";
            let words = words.split(' ').map(str::to_owned);
            words.chain([dir]).collect::<Vec<_>>()
        };
        let from = estate.path("authority");
        at_every_write(&from, fault, issue, |name, outcome| {
            let shown = usize::from(!outcome.stdout.is_empty());
            let held = keys(name);
            assert!(held == before || held == before + 1, "{held} keys");
            assert!(held >= before + shown, "a key was shown and is gone");
            run(issue(name)).done();
            assert_eq!(keys(name), held + 1);
        });
    }
}

#[test]
fn a_host_keeps_its_settings_and_keys_at_every_write() {
    let estate = Estate::solo();
    let renewal = |name: &str| {
        let status = estate.kms(name, &["status", "--json"]).done().json();
        (status["keys"].clone(), status["settings"].clone())
    };
    let (keys, _) = renewal("kms");
    for fault in [Fault::Killed, Fault::Full] {
        let set = |name: &str| estate.kms_args(name, &["set", "--renewal", "2d"]);
        at_every_write(&estate.path("kms"), fault, set, |name, outcome| {
            assert!((-1..=1).contains(&outcome.code), "{outcome:#?}");
            assert_eq!(renewal(name).0, keys, "the host's keys");
            run(set(name)).done();
            estate.kms(name, &["doctor"]);
        });
    }
}
