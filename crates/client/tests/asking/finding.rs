//! Hosts found in DNS by real lookups.

use muster_net::dns::LabDns;
use muster_net::dns::TsigKey;
use muster_net::dns::update::{HostRecords, register};
use muster_proto::reason::{client as reasons, dns};

use crate::estate::Publisher;
use crate::stub::{Machine, Stub, TestClock};

#[tokio::test]
async fn a_host_that_registered_itself_is_found_and_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let tsig = TsigKey::generate("lab").unwrap();
    let lab = LabDns::start(
        "corp.test",
        "127.0.0.1:0".parse().unwrap(),
        &tsig,
        dir.path(),
    );
    let lab = lab.await.unwrap();
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::with(TestClock::new(), "one", Some(lab.addr()));
    machine.install(&publisher, &publisher.policy("cad"));
    machine.client.set_domain(Some("Corp.Test.")).unwrap();

    let activation = machine.activate().await;
    let looked_up = activation
        .tried
        .iter()
        .find(|tried| tried.host == "_muster-kms._tcp.corp.test")
        .unwrap();
    assert!(
        [dns::DNS_NO_RECORD, dns::DNS_NO_SUCH_NAME].contains(&looked_up.outcome.reason),
        "{activation:?}"
    );
    assert_eq!(activation.reason.reason, reasons::HOST_NONE);

    let records = HostRecords {
        former: None,
        target: "kms.corp.test".into(),
        port: stub.addr.port(),
        priority: 0,
        weight: 0,
        addresses: vec![stub.addr.ip()],
    };
    register(&[lab.addr()], "corp.test", &tsig, &records)
        .await
        .unwrap();
    let activation = machine.activate().await;
    assert!(activation.licensed, "{activation:?}");
    let place = format!("kms.corp.test:{}", stub.addr.port());
    assert_eq!(machine.status().host, Some(place.clone()));

    machine.client.set_domain(None).unwrap();
    let activation = machine.activate().await;
    assert_eq!(activation.tried[0].host, place, "the last that worked");
    assert!(activation.renewed);
    lab.stop().await.unwrap();
}
