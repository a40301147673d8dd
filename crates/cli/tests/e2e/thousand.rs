//! A thousand machines ask a real host that is killed with SIGKILL among them: what was
//! acknowledged is there after the restart, and the count is right.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use muster_net::http::{ClientLimits, Connection};
use muster_net::seal::seal;
use muster_proto::client::LicenceState;
use muster_proto::client::asking::{About, Host, Pending, check, prepare};
use muster_proto::client::identity::Own;
use muster_proto::client::state::Holding;
use muster_proto::crypto::sha256;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{ClientId, Nonce};
use muster_proto::statement::ask::AskedProduct;
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::time::Timestamp;
use muster_proto::wire::{Bundle, Hello, SealedHead, opening_key_id};
use serde_json::Value;

use crate::estate::{Estate, run};

/// Machines that ask.
const MACHINES: u32 = 1_000;
/// Asks under way at once.
const AT_ONCE: usize = 16;

/// One machine: its identity, and what it is told.
struct Machine {
    own: Own,
    about: About,
    holding: Holding,
    nonce: Nonce,
}

impl Machine {
    fn new(bundle: &Bundle, number: u32) -> Self {
        let name = format!("machine {number}");
        let seed = sha256(name.as_bytes());
        let policy = bundle.verify().expect("a good bundle").policy.claims;
        let tags = ComponentTags::of(
            bundle.root.publisher(),
            [(Component::Installation, name.as_str())],
        );
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&sha256(&seed)[..16]);
        Self {
            own: Own::new(bundle.root.clone(), &seed),
            about: About {
                products: vec![AskedProduct {
                    product: policy.product,
                    state: LicenceState::Unlicensed,
                    minutes_left: None,
                    required: Some(policy.threshold),
                }],
                components: tags,
                base_licence: false,
                in_vm: false,
                version: "test".to_owned(),
                name: None,
                user_identity: false,
                declared: true,
                now: muster_machine::clock::now(),
            },
            holding: Holding::new(bundle.root.clone()),
            nonce: Nonce(nonce),
        }
    }

    fn id(&self) -> ClientId {
        self.own.key.public().thumbprint().into()
    }

    /// Asks once; whether a verified answer came back.
    async fn ask(&mut self, address: SocketAddr) -> bool {
        let limits = ClientLimits {
            connect_timeout: Duration::from_secs(2),
            ..Default::default()
        };
        let Ok(mut line) = Connection::open(&[address], limits).await else {
            return false;
        };
        let publisher = self.holding.root.publisher();
        let host = address.to_string();
        let path = format!("/muster/v1/hello/{publisher}");
        let Ok((200, hello)) = line.get(&host, &path).await else {
            return false;
        };
        let hello = Hello::decode(&hello).expect("a good greeting");
        let revoked = RevocationSet::default();
        let asked = Host::greet(
            &hello,
            &host,
            &self.holding,
            &revoked,
            None,
            Timestamp::default(),
        )
        .expect("a host under the root");
        let pending: Pending =
            prepare(&mut self.own, &asked, &self.about, self.nonce).expect("an ask");
        let head = SealedHead {
            publisher,
            audience: asked.verified.permit.thumbprint,
            opening_key: opening_key_id(&asked.verified.opening_key),
        };
        let (sealed, key) =
            seal(&asked.verified.opening_key, &head.info(), &pending.bytes).expect("a seal");
        let body = head.join(&sealed);
        let posted = line
            .post(&host, "/muster/v1/ask", "application/octet-stream", body)
            .await;
        let Ok((200, answer)) = posted else {
            return false;
        };
        let bytes = key.open_answer(&answer).expect("an answer to this ask");
        check(&pending, &asked, &self.holding.root, &revoked, &bytes).expect("a good answer");
        true
    }
}

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

fn listed(estate: &Estate) -> BTreeSet<ClientId> {
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
        let page: Value = run(estate.kms_args("kms", &args)).done().json();
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
        let known = listed(&estate);
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
