//! A thousand machines ask a real host that is killed with SIGKILL among them: what was
//! acknowledged is there after the restart, and the count is right.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use muster_proto::ids::ClientId;
use muster_proto::wire::Bundle;
use serde_json::Value;

use crate::estate::{Estate, run};
use crate::machine::Machine;

/// Machines that ask.
const MACHINES: u32 = 1_000;
/// Asks under way at once.
const AT_ONCE: usize = 16;

/// Lets every machine ask, several at once; those that were answered.
async fn ask_all(machines: &mut Vec<Machine>, address: SocketAddr) -> BTreeSet<ClientId> {
    let mut acknowledged = BTreeSet::new();
    let mut waiting: Vec<Machine> = std::mem::take(machines);
    let mut under_way = tokio::task::JoinSet::new();
    loop {
        while under_way.len() < AT_ONCE {
            let Some(mut machine) = waiting.pop() else {
                break;
            };
            under_way.spawn(async move {
                let answered = machine.ask(address).await;
                (machine, answered)
            });
        }
        let Some(done) = under_way.join_next().await else {
            break;
        };
        let (machine, answered) = done.expect("no ask panics");
        if answered {
            acknowledged.insert(machine.id());
        }
        machines.push(machine);
    }
    acknowledged
}

/// The clients that a host's table holds.
pub(crate) fn listed(estate: &Estate, host: &str) -> BTreeSet<ClientId> {
    let mut clients = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let mut args = vec![
            "clients".to_owned(),
            "--limit".into(),
            "400".into(),
            "--json".into(),
        ];
        if let Some(id) = &after {
            args.extend(["--after".to_owned(), id.clone()]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let page: Value = run(estate.kms_args(host, &args)).done().json();
        let page = page["clients"].as_array().expect("a list").clone();
        let id = |client: &Value| client["id"].as_str().expect("an id").to_owned();
        let Some(last) = page.last().map(id) else {
            return clients;
        };
        clients.extend(
            page.iter()
                .map(|client| id(client).parse::<ClientId>().expect("an id")),
        );
        after = Some(last);
    }
}

#[test]
fn a_host_killed_during_a_thousand_asks_has_lost_nobody() {
    let estate = Estate::new("render", "server");
    let authority = estate.serve_authority();
    estate.certify("kms", "render", &authority);
    estate
        .kms("kms", &["set", "--new-identities", "5000"])
        .done();
    let bundle = Bundle::decode(&fs::read(estate.policy("render")).unwrap()).unwrap();
    let mut machines: Vec<Machine> = (0..MACHINES).map(|n| Machine::new(&bundle, n)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    let mut acknowledged = BTreeSet::new();
    for kill_after in [40, 90, 150] {
        let host = estate.serve_kms("kms", &[]);
        let address: SocketAddr = host.address.parse().unwrap();
        let killer = std::thread::spawn(move || {
            // The kill falls somewhere among the asks: where, is left to chance.
            std::thread::park_timeout(Duration::from_millis(kill_after));
            host.kill();
        });
        acknowledged.extend(runtime.block_on(ask_all(&mut machines, address)));
        killer.join().unwrap();
        let known = listed(&estate, "kms");
        let missing: Vec<_> = acknowledged.difference(&known).collect();
        assert!(
            missing.is_empty(),
            "{} acknowledged clients are missing",
            missing.len()
        );
        let status = estate.kms("kms", &["status", "--json"]).done().json();
        assert_eq!(
            status["pools"][0]["count"],
            known.len(),
            "the count is the rows'"
        );
    }
    assert!(
        !acknowledged.is_empty() && acknowledged.len() < MACHINES as usize,
        "kills hit"
    );

    let host = estate.serve_kms("kms", &[]);
    let address: SocketAddr = host.address.parse().unwrap();
    assert_eq!(
        runtime.block_on(ask_all(&mut machines, address)).len(),
        MACHINES as usize
    );
    let status = estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(status["pools"][0]["count"], MACHINES);
    assert!(
        !host
            .log()
            .iter()
            .any(|line| line.contains("MUSTER-KMS-0006")),
        "nobody is re-keyed"
    );
}
