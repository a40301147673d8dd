//! The built example against a state that was made by asking a host: it prints licensed and until
//! when, and with one altered byte why it is not.
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
    let program = env!("CARGO_BIN_EXE_publisher-app");
    let output = Command::new(program).arg(dir).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
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
