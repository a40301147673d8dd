//! The machines that ask: each with its own key, its own row in the host's table and the ticket
//! that fits it. Their asks are signed and sealed before any clock starts.

use std::net::SocketAddr;

use muster_machine::{Machine as Hardware, clock, random};
use muster_net::http::{Bytes, ClientLimits, Connection};
use muster_net::seal::{AnswerKey, seal};
use muster_proto::client::LicenceState;
use muster_proto::client::asking::{About, Host, Pending, check, prepare};
use muster_proto::client::identity::{AtStore, Own};
use muster_proto::client::state::Holding;
use muster_proto::crypto::sha256;
use muster_proto::host::{
    AskFacts, AskedPool, ClientKey, ClientRow, Decision, Desk, Known, PoolNumber, Source, Verdict,
};
use muster_proto::ids::{Nonce, PublisherId, StoreId, Thumbprint};
use muster_proto::statement::answer::{Answer, Outcome as Answered};
use muster_proto::statement::ask::{AskedProduct, Ticket};
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::root::Root;
use muster_proto::statement::{Envelope, Typ};
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::{Hello, SealedHead, opening_key_id};

use crate::estate::Estate;
use crate::failure::{Failure, Outcome};

/// One answer of so many is verified whole; of the others it is checked that they grant.
const VERIFY_EVERY: usize = 16;

/// What all asks have in common at the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    pub(crate) store: StoreId,
    pub(crate) publisher: PublisherId,
    pub(crate) pool: PoolNumber,
    pub(crate) window: Span,
    pub(crate) budget: u32,
}

impl Counting {
    /// The facts of one ask.
    pub(crate) fn facts(&self, thumbprint: Thumbprint, ticket: Option<Ticket>) -> AskFacts {
        AskFacts {
            store: self.store,
            client: ClientKey {
                publisher: self.publisher,
                client: thumbprint.into(),
            },
            thumbprint,
            nonce: Nonce(*random::bytes()),
            source: Source::V4([127, 0, 0, 1]),
            pools: vec![AskedPool {
                pool: self.pool,
                window: self.window,
            }],
            ticket,
            predecessor: None,
            state: LicenceState::Licensed,
            client_budget: self.budget,
        }
    }
}

/// The row and the ticket that a granting decision leaves.
pub(crate) fn granted(decision: Decision) -> Outcome<(ClientRow, Ticket)> {
    let reason = decision.reason;
    match (decision.verdict, decision.change.client) {
        (Verdict::Granted { ticket }, Some((_, row))) => Ok((row, ticket)),
        _ => Err(Failure(format!("the store did not grant: {reason}"))),
    }
}

/// The key of a machine: the same for every table.
pub(crate) fn machine_key(root: &Root, number: usize) -> Own {
    Own::new(
        root.clone(),
        &sha256(format!("machine {number}").as_bytes()),
    )
}

struct Machine {
    own: Own,
    row: ClientRow,
    ticket: Ticket,
}

/// Machines that a table knows.
pub(crate) struct Fleet {
    root: Root,
    counting: Counting,
    desk: Desk,
    about: About,
    machines: Vec<Machine>,
    next: usize,
}

/// An ask that is ready to be sent.
pub(crate) struct Ask {
    /// The sealed ask: the body of the request.
    pub(crate) body: Bytes,
    key: AnswerKey,
    pending: Pending,
}

impl Fleet {
    /// Machines with the rows and tickets that a store has given them.
    pub(crate) fn new(
        estate: &Estate,
        counting: Counting,
        desk: Desk,
        machines: Vec<(Own, ClientRow, Ticket)>,
    ) -> Self {
        let about = About {
            products: vec![AskedProduct {
                product: estate.policy.product.clone(),
                state: LicenceState::Licensed,
                minutes_left: Some(250_000),
                required: Some(estate.policy.threshold),
            }],
            components: Hardware::real().tags(counting.publisher),
            base_licence: false,
            in_vm: true,
            version: concat!("muster ", env!("CARGO_PKG_VERSION")).to_owned(),
            name: None,
            user_identity: false,
            declared: false,
            now: clock::now(),
        };
        let machine = |(own, row, ticket)| Machine { own, row, ticket };
        Self {
            root: estate.bundle.root.clone(),
            counting,
            desk,
            about,
            machines: machines.into_iter().map(machine).collect(),
            next: 0,
        }
    }

    /// Fetches and verifies a host's greeting.
    pub(crate) async fn greet(&self, address: SocketAddr) -> Outcome<Host> {
        let limits = ClientLimits::default();
        let place = address.to_string();
        let path = format!("/muster/v1/hello/{}", self.counting.publisher);
        let mut line = Connection::open(&[address], limits).await?;
        let (status, body) = line.get(&place, &path).await?;
        if status != 200 {
            return Err(Failure(format!("the host's greeting: status {status}")));
        }
        let holding = Holding::new(self.root.clone());
        let revoked = RevocationSet::default();
        let floor = Timestamp::default();
        let hello = Hello::decode(&body)?;
        Ok(Host::greet(
            &hello, &place, &holding, &revoked, None, floor,
        )?)
    }

    /// Signs and seals asks of different machines, each with a fresh nonce and the ticket that the
    /// host will expect of it. A machine has one ask under way: take no more than there are.
    pub(crate) fn prepare(&mut self, host: &Host, asks: usize) -> Outcome<Vec<Ask>> {
        if asks > self.machines.len() {
            return Err(Failure::said("more asks than machines"));
        }
        self.about.now = clock::now();
        (0..asks).map(|_| self.prepare_one(host)).collect()
    }

    fn prepare_one(&mut self, host: &Host) -> Outcome<Ask> {
        let number = self.next;
        self.next = (number + 1) % self.machines.len();
        let machine = &mut self.machines[number];
        machine.own.stores = vec![AtStore {
            store: host.store,
            ticket: Some(machine.ticket),
            pending: None,
        }];
        let fresh = Nonce(*random::bytes());
        let pending = prepare(&mut machine.own, host, &self.about, fresh)?;
        let head = SealedHead {
            publisher: self.counting.publisher,
            audience: host.verified.permit.thumbprint,
            opening_key: opening_key_id(&host.verified.opening_key),
        };
        let (sealed, key) = seal(&host.verified.opening_key, &head.info(), &pending.bytes)?;
        // The host will grant and give the next ticket; the same rules tell here what it will be.
        let known = Known {
            client: Some(machine.row.clone()),
            counts: vec![(self.counting.pool, 1)],
            publisher_clients: 1,
            ..Known::default()
        };
        let facts = self.counting.facts(pending.client, Some(machine.ticket));
        let decision = self.desk.decide(&known, &facts, self.about.now);
        (machine.row, machine.ticket) = granted(decision)?;
        Ok(Ask {
            body: head.join(&sealed).into(),
            key,
            pending,
        })
    }

    /// Checks the answers to asks: every one grants, and every sixteenth is verified whole.
    pub(crate) fn check(&self, host: &Host, asks: &[Ask], answers: &[Bytes]) -> Outcome<()> {
        if asks.len() != answers.len() {
            return Err(Failure::said("not every ask was answered"));
        }
        let revoked = RevocationSet::default();
        for (number, (ask, answer)) in asks.iter().zip(answers).enumerate() {
            let bytes = ask.key.open_answer(answer)?;
            let answer: Answer = Envelope::decode(&bytes, Typ::Answer)?.claims()?;
            if !matches!(answer.outcome, Answered::Granted { .. }) {
                return Err(Failure(format!(
                    "an ask was not granted: {}",
                    answer.reason
                )));
            }
            if number % VERIFY_EVERY == 0 {
                check(&ask.pending, host, &self.root, &revoked, &bytes)?;
            }
        }
        Ok(())
    }
}
