//! Clocks that are wrong: Debian's `faketime` around the real binary. No switch of the product
//! moves its clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::estate::{Estate, Outcome, Service, muster};

/// Runs `muster` as if it were another time, `+10y`, `-10y` or a date.
pub(crate) fn at(time: &str, args: Vec<String>) -> Outcome {
    Outcome::of(&mut faked(time, args))
}

/// The library is loaded directly: the `faketime` program would stand between the test and the
/// service it has to stop.
pub(crate) fn faked(time: &str, args: Vec<String>) -> Command {
    let mut command = muster();
    under(time, command.args(args));
    command
}

/// Puts a prepared command under another clock.
pub(crate) fn under<'a>(time: &str, command: &'a mut Command) -> &'a mut Command {
    command.env("LD_PRELOAD", library()).env("FAKETIME", time)
}

/// Lets a command run by the clock that a file tells, read anew each time it is asked.
pub(crate) fn by_clock<'a>(command: &'a mut Command, file: &Path) -> &'a mut Command {
    command
        .env("LD_PRELOAD", library())
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
}

/// Debian's libfaketime.
fn library() -> PathBuf {
    let dirs = fs::read_dir("/usr/lib")
        .expect("/usr/lib is read")
        .map_while(Result::ok);
    let library = |dir: fs::DirEntry| dir.path().join("faketime/libfaketime.so.1");
    dirs.map(library)
        .find(|path| path.exists())
        .expect("the package libfaketime is installed")
}

/// A machine whose clock is set back ten years gains one grace, not a life.
#[test]
fn a_clock_set_back_ten_years_gains_one_grace() {
    let (estate, _host) = Estate::licensed();
    let status = at("-10y", estate.client_args("m", &["status", "--json"]))
        .done()
        .json();
    let product = &status["products"][0];
    assert_eq!(product["state"], "out-of-tolerance-grace", "{product:#}");
    let until = product["until"].as_str().expect("it ends");
    assert!(
        until.starts_with("2016-") || until.starts_with("2017-"),
        "in one grace: {until}"
    );
    // With the clock right again nothing was lost.
    estate.client("m", &["status", "--check"]).done();
}

/// A host that lives in 2099 cannot sign: its certificate ended long before. No machine is
/// poisoned by it, and a licence stays.
#[test]
fn a_host_in_2099_poisons_nobody() {
    let (estate, host) = Estate::licensed();
    host.kill();
    let args = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let host = Service::start(&mut faked("@2099-01-01 00:00:00", args));
    estate.client("m", &["set-host", &host.address]).done();
    let outcome = estate.client("m", &["activate"]);
    assert!(
        outcome.stderr.contains("503"),
        "no signed answer: {outcome:#?}"
    );
    assert!(
        host.log()
            .iter()
            .any(|line| line.contains("MUSTER-KMS-0013")),
        "the host says why"
    );
    estate.client("m", &["status", "--check"]).done();
    // The administrator asks the host what is wrong and corrects the clock: everything goes on.
    drop(host);
    let host = estate.serve_kms("kms", &[]);
    estate.client("m", &["set-host", &host.address]).done();
    estate.client("m", &["activate"]).done();
}

/// 220 days without a host, by the machine's own clock: grace, then notification; the first answer
/// restores it.
#[test]
fn an_outlasted_lease_is_restored_by_the_first_answer() {
    let (estate, _host) = Estate::licensed();
    let state = |time: &str| {
        let status = at(time, estate.client_args("m", &["status", "--json"]))
            .done()
            .json();
        status["products"][0]["state"]
            .as_str()
            .expect("a state")
            .to_owned()
    };
    assert_eq!(state("+179d"), "licensed");
    assert_eq!(state("+181d"), "out-of-tolerance-grace");
    assert_eq!(state("+209d"), "out-of-tolerance-grace");
    assert_eq!(state("+211d"), "notification");
    estate.client("m", &["activate"]).done();
    assert_eq!(state("+179d"), "licensed");
}
