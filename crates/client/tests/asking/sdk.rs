//! What a product sees, with this machine's own clock and hardware.

use std::path::Path;

use muster_client::{Client, LicenceState, Options, Product, Which, read_in};
use muster_proto::key::Channel;
use muster_proto::reason::{client as reasons, statement};
use muster_proto::statement::Role;
use muster_proto::statement::cert::{Flags, PolicyBounds};
use muster_proto::statement::policy::Policy;

use crate::estate::{Publisher, days};
use crate::stub::{Stub, key};

/// A publisher whose certificates are valid now, and a policy of it.
pub(crate) fn present() -> (Publisher, Policy) {
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
    let mut policy = publisher.policy("cad");
    policy.issued = now - days(1);
    (publisher, policy)
}

#[tokio::test]
async fn a_product_reads_its_licence_at_once_and_says_why_it_has_none() {
    let (publisher, policy) = present();
    let now = muster_machine::clock::now();
    let stub = Stub::start(&publisher.host_at(9, "berlin", now - days(1)));
    stub.with(|script| script.now = now);
    let dir = tempfile::tempdir().unwrap();
    let product = Product::new(publisher.root.clone(), "cad".parse().unwrap());
    let licence = read_in(dir.path(), &product);
    assert_eq!(licence.reason.reason, reasons::STATE_LOST);
    assert_eq!(
        (licence.state, licence.licensed),
        (LicenceState::Unlicensed, false)
    );

    let client = Client::new(Options::new(dir.path()));
    let bundle = publisher.bundle(&policy, &[]).encode();
    let key = key(&publisher, Channel::GenericVolume, &policy);
    client.install_key(&key, &bundle, None).unwrap();
    client
        .set_host(&[stub.place().parse().unwrap()], &Which::default())
        .unwrap();
    let licence = read_in(dir.path(), &product);
    assert_eq!(licence.reason.reason, reasons::NEVER_LICENSED);
    assert!(client.activate(&Which::default()).await.unwrap().licensed);
    let licence = read_in(dir.path(), &product);
    assert!(licence.licensed, "{licence}");
    assert_eq!(licence.until, Some(now + days(180)));
    assert!(licence.to_string().starts_with("cad: licensed until "));

    refuses_what_is_not_its_own(dir.path(), product);
}

fn refuses_what_is_not_its_own(dir: &Path, mut product: Product) {
    // The root is the product's own: what another publisher signed is nothing to it.
    let other = Product::new(Publisher::new(60).root, "cad".parse().unwrap());
    assert_eq!(read_in(dir, &other).reason.reason, reasons::NOT_INSTALLED);
    product.policy_version_min = 2;
    assert_eq!(
        read_in(dir, &product).reason.reason,
        reasons::POLICY_TOO_OLD
    );
    product.policy_version_min = 0;

    // One altered byte of the state.
    let path = dir.join("state");
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 4;
    std::fs::write(&path, &bad).unwrap();
    let licence = read_in(dir, &product);
    assert_eq!(
        (licence.licensed, licence.reason.reason),
        (false, reasons::STATE_ALTERED)
    );
    // Altered by somebody who also mends the checksum.
    let mut state = muster_proto::client::state::State::decode(&good).unwrap();
    let holding = state.publishers.values_mut().next().unwrap();
    let lease = holding
        .products
        .values_mut()
        .next()
        .unwrap()
        .lease
        .as_mut()
        .unwrap();
    *lease.statement.bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, state.encode()).unwrap();
    let licence = read_in(dir, &product);
    assert_eq!(
        (licence.licensed, licence.reason.reason),
        (false, statement::BAD_SIGNATURE)
    );
}

#[tokio::test]
async fn an_unprivileged_product_asks_for_itself_where_the_machines_files_are_not_its_own() {
    let (publisher, policy) = present();
    let now = muster_machine::clock::now();
    let stub = Stub::start(&publisher.host_at(9, "berlin", now - days(1)));
    stub.with(|script| script.now = now);
    let dir = tempfile::tempdir().unwrap();
    let (machines, own) = (dir.path().join("machine"), dir.path().join("user"));
    let client = Client::new(Options::new(&machines));
    let bundle = publisher.bundle(&policy, &[]).encode();
    let key = key(&publisher, Channel::GenericVolume, &policy);
    client.install_key(&key, &bundle, None).unwrap();
    let host = [stub.place().parse().unwrap()];
    client.set_host(&host, &Which::default()).unwrap();
    // What it meets who may not write there; root may write everywhere.
    std::fs::create_dir(machines.join("identity.new")).unwrap();
    let dirs = [machines.clone(), own.clone()];
    let product = Product::new(publisher.root.clone(), "cad".parse().unwrap());

    // Its own directory knows no host yet, and this machine's DNS none either.
    let licence = muster_client::activate_from(&dirs, &product).await;
    assert!(!licence.licensed, "{licence}");
    let own_client = Client::new(Options::new(&own));
    own_client.set_host(&host, &Which::default()).unwrap();
    let licence = muster_client::activate_from(&dirs, &product).await;
    assert!(licence.licensed, "{licence}");
    assert_eq!(licence.dir, Some(own));
    assert!(muster_client::read_from(&dirs, &product).licensed);
    assert_eq!(
        read_in(&machines, &product).reason.reason,
        reasons::NEVER_LICENSED
    );
}
