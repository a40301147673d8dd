//! DNS: answers to lookups and to updates, by the very code that asks, without sockets.

use std::net::SocketAddr;

use hickory_net::proto::op::{Message, MessageType, ResponseCode};
use hickory_net::proto::rr::rdata::{A, AAAA, CNAME, NS, SOA, SRV};
use hickory_net::proto::rr::{Name, RData, Record};
use muster_net::dns::update::{HostRecords, register_over};
use muster_net::dns::{Resolver, TsigKey};
use muster_proto::client::discover::HostAddr;
use muster_proto::limits::{DNS_ADDRESSES_MAX, DNS_RECORDS_MAX};

use super::wait;
use crate::canned::{Canned, answer_stream};
use crate::input::{Input, parts};

const SERVICE: &str = "_muster-kms._tcp.corp.test";
const HOST: &str = "kms.corp.test";

fn server() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 53], 53))
}

fn split(input: &mut Input<'_>) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    while !input.is_empty() && answers.len() < 16 {
        answers.push(input.part().to_vec());
    }
    answers
}

pub(super) fn answers(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    let what = input.byte();
    let canned = Canned::new(split(&mut input));
    wait(async {
        let resolver = Resolver::by_way_of(canned, server()).expect("a resolver");
        match what % 3 {
            0 => {
                let Ok(records) = resolver.srv(SERVICE).await else {
                    return;
                };
                assert!((1..=DNS_RECORDS_MAX).contains(&records.len()));
                for record in records {
                    // Whether it is a host that can be asked is decided here; it may be refused.
                    let _ = HostAddr::new(&record.target, record.port);
                }
            }
            1 => {
                let addresses = resolver.addresses(HOST).await.unwrap_or_default();
                assert!(addresses.len() <= DNS_ADDRESSES_MAX);
            }
            _ => {
                let servers = resolver.zone_servers("corp.test").await.unwrap_or_default();
                assert!(servers.len() <= DNS_ADDRESSES_MAX);
            }
        }
    });
}

/// An answer with these records, as [`crate::canned::answer_to`] puts it behind its question.
fn answer(code: ResponseCode, records: &[(&str, RData)]) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.message_type = MessageType::Response;
    message.metadata.response_code = code;
    for (name, data) in records {
        let name = Name::from_ascii(format!("{name}.")).expect("a name");
        message.add_answer(Record::from_rdata(name, 60, data.clone()));
    }
    let bytes = message.to_vec().expect("a message");
    // Without the number and the count of questions, of which it has none.
    [&[0][..], &bytes[2..4], &bytes[6..]].concat()
}

fn srv(priority: u16, port: u16, target: &str) -> RData {
    let target = Name::from_ascii(format!("{target}.")).expect("a name");
    RData::SRV(SRV::new(priority, 10, port, target))
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).expect("a name")
}

pub(super) fn answer_seeds() -> Vec<Vec<u8>> {
    let good = ResponseCode::NoError;
    let hosts = answer(
        good,
        &[
            (SERVICE, srv(0, 1688, HOST)),
            (SERVICE, srv(5, 1689, "b.test")),
        ],
    );
    let alias = answer(good, &[(SERVICE, RData::CNAME(CNAME(name("other.test"))))]);
    let v4 = answer(good, &[(HOST, RData::A(A::new(192, 0, 2, 1)))]);
    let v6 = answer(
        good,
        &[(HOST, RData::AAAA(AAAA::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)))],
    );
    let soa = SOA::new(name("ns.corp.test"), name("root.corp.test"), 1, 2, 3, 4, 5);
    let soa = answer(good, &[("corp.test", RData::SOA(soa))]);
    let ns = answer(good, &[("corp.test", RData::NS(NS(name("ns.corp.test"))))]);
    let none = answer(ResponseCode::NXDomain, &[]);
    let seed = |what: u8, answers: &[&Vec<u8>]| [vec![what], parts(answers)].concat();
    vec![
        seed(0, &[&hosts]),
        seed(0, &[&alias, &alias, &hosts]),
        seed(0, &[&none]),
        seed(0, &[&answer(ResponseCode::ServFail, &[])]),
        seed(1, &[&v4, &v6]),
        seed(1, &[&v6, &none]),
        seed(2, &[&soa, &v4, &v6]),
        seed(2, &[&none, &ns, &v4]),
        seed(0, &[&[&[1][..], &hosts[1..]].concat()]),
    ]
}

pub(super) fn updates(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    let canned = Canned::new(split(&mut input));
    let key = TsigKey::parse(
        "key \"muster\" { algorithm hmac-sha256; secret \"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\"; };",
    );
    let records = HostRecords {
        target: HOST.to_owned(),
        port: 1688,
        priority: 0,
        weight: 0,
        addresses: vec!["192.0.2.1".parse().expect("an address")],
        former: Some(("old.corp.test".to_owned(), 1688)),
    };
    wait(async {
        let (near, far) = tokio::io::duplex(128 * 1024);
        let key = key.expect("a key");
        let update = register_over(near, server(), "corp.test", &key, &records, 1_800_000_000);
        let (updated, ()) = tokio::join!(update, answer_stream(far, canned));
        assert!(
            updated.is_err(),
            "an update was taken for done that nobody signed"
        );
    });
}

pub(super) fn update_seeds() -> Vec<Vec<u8>> {
    let good = ResponseCode::NoError;
    let own = answer(
        good,
        &[
            (SERVICE, srv(3, 1688, HOST)),
            (SERVICE, srv(0, 1688, "old.corp.test")),
        ],
    );
    let v4 = answer(good, &[(HOST, RData::A(A::new(192, 0, 2, 9)))]);
    let done = answer(good, &[]);
    let refused = answer(ResponseCode::Refused, &[]);
    vec![
        parts([&own, &v4, &done, &done]),
        parts([&done, &done, &done, &refused]),
        parts([&answer(ResponseCode::NotAuth, &[])]),
        parts([&own, &own, &own, &answer(ResponseCode::BADTIME, &[])]),
    ]
}
