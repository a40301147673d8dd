//! Disks that are full, read-only or damaged, under the real binary: the fault is named, nothing
//! half-written is left, what was there is there still, and with the fault gone everything goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::estate::{Estate, Outcome, Service, muster};
use crate::users::{NOBODY, unprivileged};

/// Runs `muster` where no file may grow beyond `blocks` KiB: the failure of a full disk, which
/// needs no privilege. An ignored signal stays ignored behind `exec`.
fn on_full_disk(blocks: u32, args: Vec<String>) -> Command {
    let program = muster().get_program().to_owned();
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
        ))
        .arg(program)
        .args(args)
        .stdin(Stdio::null());
    command
}

/// The files of a directory with their contents.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map_while(Result::ok)
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    files.sort();
    files
}

/// The files that hold something: locks are empty.
fn written(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = contents(dir);
    files.retain(|(_, bytes)| !bytes.is_empty());
    files
}

fn solo() -> (Estate, String) {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    (estate, generic)
}

#[test]
fn a_machine_with_a_full_disk_keeps_what_it_has() {
    let (estate, generic) = solo();
    let host = estate.serve_kms("kms", &[]);
    let policy = estate.policy("solo");
    let install = [
        "install-key",
        &generic,
        "--policy",
        policy.to_str().unwrap(),
    ];
    Outcome::of(&mut on_full_disk(0, estate.client_args("new", &install)))
        .refused("MUSTER-CFG-0004");
    assert!(
        written(&estate.path("new")).is_empty(),
        "nothing is written"
    );

    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    let before = written(&estate.path("m"));
    let asks = |estate: &Estate| {
        let status = estate.kms("kms", &["status", "--json"]).done().json();
        status["pools"][0]["requests"]["total"].as_u64().unwrap()
    };
    let asked = asks(&estate);
    Outcome::of(&mut on_full_disk(0, estate.client_args("m", &["activate"])))
        .refused("MUSTER-CFG-0004");
    assert_eq!(written(&estate.path("m")), before, "nothing is lost");
    assert_eq!(
        asks(&estate),
        asked,
        "no ask leaves before its nonce is stored"
    );
    estate.client("m", &["status", "--check"]).done();
    estate.client("m", &["activate"]).done();
}

#[test]
fn an_authority_with_a_full_disk_issues_nothing() {
    let (estate, _generic) = solo();
    // While it serves, the database's shared memory is there and reading needs no room.
    let _authority = estate.serve_authority();
    let keys = |estate: &Estate| estate.authority(&["key", "list", "--json"]).done().json();
    let before = keys(&estate);
    let dir = estate.path("authority");
    let issue = "authority key issue --product solo --channel generic --dir";
    let mut issue: Vec<String> = issue.split(' ').map(str::to_owned).collect();
    issue.push(dir.to_str().unwrap().to_owned());
    let outcome = Outcome::of(&mut on_full_disk(0, issue)).refused("MUSTER-STO-000");
    assert!(outcome.stdout.is_empty(), "no key is shown: {outcome:#?}");
    assert_eq!(keys(&estate), before);
    // A file that cannot be written is named and no half of it left.
    let out = estate.path("out.policy");
    let policy = "authority product policy solo --dir";
    let mut policy: Vec<String> = policy.split(' ').map(str::to_owned).collect();
    policy.extend([dir.to_str().unwrap().to_owned(), "--out".into()]);
    policy.push(out.to_str().unwrap().to_owned());
    let outcome = Outcome::of(&mut on_full_disk(0, policy)).refused("MUSTER-CFG-0004");
    assert!(outcome.stderr.contains("out.policy"), "{outcome:#?}");
    let left = contents(estate.dir.path());
    assert!(
        !left.iter().any(|(name, _)| name.starts_with("out.policy")),
        "no half of it is left"
    );
}

#[test]
fn a_host_with_a_full_disk_grants_nothing_it_has_not_stored() {
    let (estate, generic) = solo();
    let host = estate.serve_kms("kms", &[]);
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    assert_eq!(host.stop(), 0);
    let database = fs::metadata(estate.path("kms/kms.db")).unwrap().len();
    // Room for the start, and for a few asks in the journal.
    let blocks = u32::try_from(database / 1024).unwrap() + 8;
    let args = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let host = Service::start(&mut on_full_disk(blocks, args));
    let mut granted = 0;
    let mut refused = false;
    for number in 0..60 {
        let machine = format!("new{number}");
        estate.machine(&machine, "solo", &generic, &host.address);
        let outcome = estate.client(&machine, &["activate"]);
        if outcome.code == 0 {
            granted += 1;
            continue;
        }
        assert!(outcome.stderr.contains("MUSTER-CLI-0041"), "{outcome:#?}");
        assert_eq!(estate.status(&machine)["state"], "unlicensed");
        refused = true;
        break;
    }
    assert!(refused, "the disk filled");
    let log = host.log();
    let named =
        |line: &String| line.contains("MUSTER-STO-0003") || line.contains("MUSTER-STO-0004");
    assert!(log.iter().any(named), "the host names its disk: {log:#?}");
    estate.client("m", &["status", "--check"]).done();
    // With room again, everything acknowledged is there.
    host.kill();
    let host = estate.serve_kms("kms", &[]);
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(status["pools"][0]["count"], granted + 1);
    estate.client("m", &["set-host", &host.address]).done();
    estate.client("m", &["activate"]).done();
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode is set");
}

pub(crate) fn give_away(path: &Path) {
    // Fails where this user is not root: then the files are its own already.
    let _ = Command::new("chown")
        .args(["-R", "65534"])
        .arg(path)
        .status();
}

#[test]
fn a_read_only_disk_is_named_and_costs_no_licence() {
    let (estate, generic) = solo();
    let host = estate.serve_kms("kms", &[]);
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    let dir = estate.path("m");
    give_away(&dir);
    set_mode(&dir, 0o555);
    let before = contents(&dir);
    let run = |args: &[&str]| {
        let mut command = unprivileged(&estate, NOBODY, estate.client_args("m", args));
        Outcome::of(&mut command)
    };
    run(&["status", "--check"]).done();
    let outcome = run(&["activate"]).refused("MUSTER-CFG-0004");
    assert!(
        outcome.stderr.contains("m/"),
        "the file is named: {outcome:#?}"
    );
    run(&["set-host", "192.0.2.1"]).refused("MUSTER-CFG-0004");
    assert_eq!(contents(&dir), before, "nothing is written, nothing lost");

    // A host that may not write its directory says so before it listens.
    assert_eq!(host.stop(), 0);
    let kms = estate.path("kms");
    let before = contents(&kms);
    give_away(&kms);
    set_mode(&kms.join("kms.db"), 0o400);
    set_mode(&kms, 0o555);
    let args = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let outcome = Outcome::of(&mut unprivileged(&estate, NOBODY, args)).refused("MUSTER-STO-000");
    assert!(outcome.stderr.contains("kms.db"), "{outcome:#?}");
    assert_eq!(contents(&kms), before);
    set_mode(&dir, 0o755);
    set_mode(&kms, 0o755);
}

#[test]
fn a_damaged_host_database_is_left_as_it_is_and_a_backup_restores_it() {
    let (estate, generic) = solo();
    let host = estate.serve_kms("kms", &[]);
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    let backup = estate.path("backup");
    let backup = backup.to_str().unwrap();
    estate.kms("kms", &["backup", "--out", backup]).done();
    let address = host.address.clone();
    assert_eq!(host.stop(), 0);

    let path = estate.path("kms/kms.db");
    let mut damaged = fs::read(&path).unwrap();
    damaged.truncate(damaged.len() / 2);
    fs::write(&path, &damaged).unwrap();
    let serve = ["serve", "--listen", &address];
    for verb in [&serve[..], &["status"], &["clients"]] {
        let outcome = estate.kms("kms", verb).refused("MUSTER-STO-0005");
        assert!(outcome.stderr.contains("restore"), "{outcome:#?}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "it is left as it is");
    }
    // Neither a wrong file nor a cut backup replaces it.
    let cut = estate.path("cut");
    let whole = fs::read(backup).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    for wrong in [cut.as_path(), &estate.policy("solo")] {
        estate
            .kms("kms", &["restore", wrong.to_str().unwrap()])
            .refused("MUSTER-STO-0013");
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
    // The next step that the message names: the damaged file is moved aside, the backup restored.
    let aside = estate.path("kms/kms.db.damaged");
    fs::rename(&path, &aside).unwrap();
    estate.kms("kms", &["restore", backup]).done();
    assert_eq!(fs::read(&aside).unwrap(), damaged);
    let host = estate.serve_kms("kms", &["--listen", &address]);
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(status["pools"][0]["count"], 1);
    estate.client("m", &["activate"]).done();
    assert!(
        !host
            .log()
            .iter()
            .any(|line| line.contains("MUSTER-KMS-0006"))
    );
}

/// Words that cannot be written are lost, the work is not: no command ends in a panic because its
/// log is on a full disk or its reader has gone.
#[test]
fn words_that_nobody_reads_break_nothing() {
    let (estate, generic) = solo();
    let policy = estate.policy("solo");
    let install = [
        "install-key",
        &generic,
        "--policy",
        policy.to_str().unwrap(),
    ];
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = muster();
    command
        .args(estate.client_args("m", &install))
        .stderr(full.try_clone().unwrap());
    Outcome::of(&mut command).done();
    let mut command = muster();
    command.args(["inspect", "/nowhere/at.all"]).stderr(full);
    assert_eq!(Outcome::of(&mut command).code, 1);
}
