//! Damaged files and failing disks: named, kept aside, and nothing lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use muster_proto::reason::{client as reasons, config};

use crate::estate::{Publisher, days};
use crate::stub::{Machine, Stub};

async fn licensed() -> (Publisher, Stub, Machine) {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let policy = publisher.policy("cad");
    let bundle = publisher.bundle(&policy, &[]).encode();
    stub.with(|script| script.policies.insert("cad".into(), bundle));
    let machine = Machine::installed(&publisher, &policy, &[&stub]);
    assert!(machine.activate().await.licensed);
    (publisher, stub, machine)
}

fn flip(path: &std::path::Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_state_is_named_kept_aside_and_rebuilt_by_asking_again() {
    let (_, stub, machine) = licensed().await;
    let key_last5 = machine.status().key_last5;
    flip(&machine.file("state"), 100);
    let refusal = machine.client.status(&Default::default()).unwrap_err();
    assert_eq!(refusal.reason, reasons::STATE_ALTERED);
    let damaged = fs::read(machine.file("state")).unwrap();
    let activation = machine.activate().await;
    assert!(activation.licensed, "{activation:?}");
    assert_eq!(fs::read(machine.file("state.corrupt-1")).unwrap(), damaged);
    let status = machine.status();
    assert_eq!((status.state, status.key_last5), ("licensed", key_last5));
    let asks = stub.asks();
    assert_eq!(asks[0].client, asks[1].client, "the same machine");
    assert!(asks[1].ticket.is_some(), "its ticket was kept");
}

#[tokio::test]
async fn a_damaged_identity_is_kept_aside_and_the_licence_stays() {
    let (_, stub, machine) = licensed().await;
    flip(&machine.file("identity"), 40);
    assert_eq!(machine.status().state, "licensed");
    machine.hosts(&[&stub]);
    assert!(machine.file("identity.corrupt-1").exists());
    let mode = fs::metadata(machine.file("identity"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let activation = machine.activate().await;
    assert!(activation.licensed, "{activation:?}");
    let asks = stub.asks();
    assert_ne!(asks[0].client, asks[1].client);
    assert_eq!(machine.status().state, "licensed");
}

#[tokio::test]
async fn no_ask_leaves_the_machine_before_its_nonce_is_on_the_disk() {
    let (_, stub, machine) = licensed().await;
    machine.clock.pass(days(7));
    // What a full or read-only disk does to the write, for root too.
    fs::create_dir(machine.file("identity.new")).unwrap();
    let before = fs::read(machine.file("identity")).unwrap();
    let activation = machine.activate().await;
    assert_eq!(activation.tried[0].outcome.reason, config::FILE_UNWRITABLE);
    assert_eq!(stub.asks().len(), 1, "nothing was sent");
    assert_eq!(fs::read(machine.file("identity")).unwrap(), before);
    assert!(activation.licensed);
    fs::remove_dir(machine.file("identity.new")).unwrap();
    assert!(machine.activate().await.renewed);
}

#[tokio::test]
async fn an_answer_that_cannot_be_stored_is_asked_for_again_with_the_same_nonce() {
    let (_, stub, machine) = licensed().await;
    machine.clock.pass(days(7));
    fs::create_dir(machine.file("state.new")).unwrap();
    let refusal = machine
        .client
        .activate(&Default::default())
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, config::FILE_UNWRITABLE);
    assert_eq!(machine.status().state, "licensed");
    fs::remove_dir(machine.file("state.new")).unwrap();
    assert!(machine.activate().await.renewed);
    let asks = stub.asks();
    assert_eq!(asks[1].nonce, asks[2].nonce);
    assert_eq!(asks[1].ticket, asks[2].ticket);
}

#[tokio::test]
async fn an_identity_that_others_can_read_is_refused() {
    let (_, _, machine) = licensed().await;
    fs::set_permissions(machine.file("identity"), fs::Permissions::from_mode(0o644)).unwrap();
    let refusal = machine
        .client
        .activate(&Default::default())
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, config::FILE_MODE);
    assert_eq!(
        machine.status().state,
        "licensed",
        "reading the state goes on"
    );
    assert!(machine.file("identity").exists(), "it is not set aside");
}

#[tokio::test]
async fn a_directory_without_anything_says_so() {
    let machine = Machine::new();
    let refusal = machine
        .client
        .activate(&Default::default())
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::NOT_INSTALLED);
    assert!(
        machine
            .client
            .status(&Default::default())
            .unwrap()
            .products
            .is_empty()
    );
    assert!(!machine.file("state").exists() && !machine.file("identity").exists());
}
