//! The built example against a state that was made by asking a host: it prints licensed and until
//! when, and with one altered byte why it is not. And as a product without privileges: the machine's
//! service asks for it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its estate up has failed"
)]

#[path = "../../../../crates/proto/tests/client_rules/estate.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the rules, which use all of it"
)]
mod estate;
#[path = "../../../../crates/client/tests/asking/stub.rs"]
#[expect(
    dead_code,
    reason = "shared with the client's tests, which use all of it"
)]
mod stub;

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use muster_client::{Client, Options, Which};
use muster_proto::key::Channel;
use muster_proto::statement::Role;
use muster_proto::statement::cert::{Flags, PolicyBounds};
use muster_proto::statement::root::Root;

use estate::{Publisher, days};
use stub::{Stub, key};

/// The publisher of the sample root: its secret key is the estate's.
fn publisher() -> Publisher {
    let now = muster_machine::clock::now();
    let mut publisher = Publisher::new(1);
    publisher.issuing = publisher.top.certify(3, |cert| {
        (cert.role, cert.depth, cert.flags) = (Role::Issuing, 1, Flags::ALL);
        (cert.issued, cert.not_before) = (now - days(30), now - days(30));
        cert.not_after = now + days(1_000);
        cert.policy_bounds = Some(PolicyBounds {
            threshold_min: 1,
            validity_max: days(3_660),
        });
    });
    publisher
}

fn run(dir: &Path) -> (Option<i32>, String) {
    words(Command::new(env!("CARGO_BIN_EXE_publisher-app")).arg(dir))
}

fn words(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

/// Runs the example with `--activate` as a user without any right, from a place he can reach.
fn activate_as_nobody(program: &Path, dir: &Path) -> (Option<i32>, String) {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps=-all", "--"])
        .arg(program)
        .arg("--activate")
        .arg(dir);
    words(&mut command)
}

/// Serves a directory on a thread of its own until the sender is dropped.
fn serve(
    dir: &Path,
) -> (
    tokio::sync::oneshot::Sender<()>,
    std::thread::JoinHandle<()>,
) {
    let client = Client::new(Options::new(dir));
    let door = client.open_door(None).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let stopped = async {
            let _ = stopped.await;
        };
        let served = client.serve(Some(door), |_| {}, stopped);
        runtime.block_on(served).unwrap();
    });
    (stop, thread)
}

#[test]
fn the_sample_root_is_the_one_whose_secret_everybody_knows() {
    let sample = Root::decode(include_bytes!("../../sample.root")).unwrap();
    assert_eq!(sample.keys(), Publisher::new(1).root.keys());
    assert_eq!(sample.name(), "Sample: everybody knows its secret key");
}

#[tokio::test]
async fn it_prints_licensed_and_until_when_or_why_not() {
    let publisher = publisher();
    let now = muster_machine::clock::now();
    let host = Stub::start(&publisher.host_at(9, "berlin", now - days(1)));
    host.with(|script| script.now = now);
    let dir = tempfile::tempdir().unwrap();
    let (code, words) = run(dir.path());
    assert_eq!(code, Some(1));
    assert!(words.contains("MUSTER-CLI-0071"), "{words}");

    let mut policy = publisher.policy("cad");
    policy.issued = now - days(1);
    let client = Client::new(Options::new(dir.path()));
    let key = key(&publisher, Channel::GenericVolume, &policy);
    let bundle = publisher.bundle(&policy, &[]).encode();
    client.install_key(&key, &bundle, None).unwrap();
    let place = host.place().parse().unwrap();
    client.set_host(&[place], &Which::default()).unwrap();
    host.with(|script| script.count = Some(4));
    client.activate(&Which::default()).await.unwrap();
    let (code, words) = run(dir.path());
    assert_eq!(code, Some(1));
    assert!(
        words.starts_with("Not licensed.") && words.contains("4 of 5"),
        "{words}"
    );

    host.with(|script| script.count = Some(5));
    client.activate(&Which::default()).await.unwrap();
    let (code, words) = run(dir.path());
    assert_eq!(code, Some(0), "{words}");
    assert!(words.starts_with("Licensed until 20"), "{words}");

    let state = dir.path().join("state");
    let good = std::fs::read(&state).unwrap();
    for at in [0, 8, 10, 60, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&state, bad).unwrap();
        let (code, words) = run(dir.path());
        assert_eq!(code, Some(1));
        assert!(
            words.starts_with("Not licensed. ") && words.contains("MUSTER-CLI-006"),
            "{words}"
        );
    }
}

/// The product's own root, another user's process, the service's socket, a host.
#[tokio::test]
async fn without_privileges_it_activates_by_the_machines_service() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        let test = "without_privileges_it_activates_by_the_machines_service";
        let why = "only root may start processes of other users";
        let _ = writeln!(std::io::stderr(), "not run: {test}: {why}");
        return;
    }
    let publisher = publisher();
    let now = muster_machine::clock::now();
    let host = Stub::start(&publisher.host_at(9, "berlin", now - days(1)));
    host.with(|script| (script.now, script.count) = (now, Some(4)));
    let temp = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temp.path(), Permissions::from_mode(0o755)).unwrap();
    let program = temp.path().join("publisher-app");
    // By a process of its own: nobody may inherit the copy while it is open for writing.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_publisher-app"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let dir = temp.path().join("machine");
    let mut policy = publisher.policy("cad");
    policy.issued = now - days(1);
    let client = Client::new(Options::new(&dir));
    let key = key(&publisher, Channel::GenericVolume, &policy);
    let bundle = publisher.bundle(&policy, &[]).encode();
    client.install_key(&key, &bundle, None).unwrap();
    let place = host.place().parse().unwrap();
    client.set_host(&[place], &Which::default()).unwrap();

    let (code, words) = activate_as_nobody(&program, &dir);
    assert_eq!(code, Some(1), "no service runs");
    assert!(words.contains("MUSTER-CFG-0004"), "{words}");
    assert!(host.asks().is_empty());
    let (stop, thread) = serve(&dir);
    let (code, words) = activate_as_nobody(&program, &dir);
    assert_eq!(code, Some(1));
    assert!(words.contains("4 of 5"), "{words}");
    drop(stop);
    thread.join().unwrap();
    // Enough machines have asked; a service that has just begun may ask.
    host.with(|script| script.count = Some(5));
    let (_stop, _thread) = serve(&dir);
    let (code, words) = activate_as_nobody(&program, &dir);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.starts_with("Licensed until 20"), "{words}");
    assert_eq!(host.asks().len(), 2);
    let identity = std::fs::metadata(dir.join("identity")).unwrap();
    assert_eq!((identity.mode() & 0o777, identity.uid()), (0o600, 0));
}
