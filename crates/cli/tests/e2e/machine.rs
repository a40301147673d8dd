//! A machine that asks from within the test program: the rules of a client over a real connection,
//! without a directory or a process of its own, so that thousands cost little.

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

/// One machine: its identity, and what it is told.
pub(crate) struct Machine {
    own: Own,
    about: About,
    holding: Holding,
    nonce: Nonce,
}

impl Machine {
    /// The machine of this number: always the same one.
    pub(crate) fn new(bundle: &Bundle, number: u32) -> Self {
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

    pub(crate) fn id(&self) -> ClientId {
        self.own.key.public().thumbprint().into()
    }

    /// Asks once; whether a verified answer came back.
    pub(crate) async fn ask(&mut self, address: SocketAddr) -> bool {
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
