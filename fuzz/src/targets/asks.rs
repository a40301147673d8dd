//! The whole KMS host: from the bytes that came to the bytes that go back, over the in-memory store.

use std::net::Ipv4Addr;

use muster_host::KmsHost;
use muster_net::seal::{AnswerKey, seal};
use muster_proto::crypto::SecretKey;
use muster_proto::ids::{PublisherId, Thumbprint};
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::Ask;
use muster_proto::statement::lease::Lease;
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::{Anchor, Draft, Envelope, Typ};
use muster_proto::wire::{Hello, SealedHead, VerifiedHost, opening_key_id};

use super::wait;
use crate::estate::{Certified, Golden, NOW};
use crate::input::Input;
use crate::signing::Signer;

/// Ways in, by the input's first byte.
const RAW: u8 = 0;
const SEALED: u8 = 1;
const SIGNED: u8 = 2;
const WAYS: u8 = 3;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    let way = input.byte() % WAYS;
    wait(async {
        let host = Certified::get().host().await;
        let met = Met::greet(&host);
        match way {
            RAW => met.send_raw(&host, input.rest()).await,
            SEALED => {
                let answer = met.send(&host, input.rest()).await;
                assert!(answer.is_none(), "an ask that nobody signed was answered");
            }
            _ => {
                // Several asks of a few clients, one after the other: tickets, nonces, seats.
                while !input.is_empty() {
                    let client = SecretKey::from_seed(&[input.byte() % 4; 32]);
                    let payload = input.part();
                    let _ = met.ask(&host, &client, payload).await;
                }
            }
        }
    });
}

/// The host as a client sees it.
struct Met {
    publisher: PublisherId,
    host: VerifiedHost,
}

impl Met {
    fn greet(host: &KmsHost) -> Self {
        let root = &Certified::get().bundle.root;
        let revoked = RevocationSet::default();
        let anchor = Anchor {
            root,
            revoked: &revoked,
        };
        let hello = host
            .hello(&root.publisher())
            .expect("the host serves this publisher");
        let hello = Hello::decode(&hello).expect("a host's greeting");
        Self {
            publisher: root.publisher(),
            host: hello.verify(&anchor, NOW).expect("a host's greeting"),
        }
    }

    fn head(&self) -> SealedHead {
        SealedHead {
            publisher: self.publisher,
            audience: self.host.permit.thumbprint,
            opening_key: opening_key_id(&self.host.opening_key),
        }
    }

    /// The bytes as they are, and once more behind the right head: nobody sealed them.
    async fn send_raw(&self, host: &KmsHost, bytes: &[u8]) {
        for bytes in [bytes.to_vec(), self.head().join(bytes)] {
            let answered = host.answer(Ipv4Addr::LOCALHOST.into(), &bytes).await;
            assert!(answered.is_err(), "what nobody sealed was answered");
        }
    }

    /// Seals and sends; the answer, opened, where there is one.
    async fn send(&self, host: &KmsHost, ask: &[u8]) -> Option<Vec<u8>> {
        let head = self.head();
        let sealed = seal(&self.host.opening_key, &head.info(), ask);
        let (sealed, key): (Vec<u8>, AnswerKey) = sealed.expect("a host's key seals");
        let sealed = head.join(&sealed);
        let answered = host
            .answer(Ipv4Addr::LOCALHOST.into(), &sealed)
            .await
            .ok()?;
        Some(
            key.open_answer(&answered)
                .expect("the host seals its answers to who asked"),
        )
    }

    /// Signs the payload as a client and asks with it; where it can be read as an ask, it is one to
    /// this host, from this client.
    async fn ask(&self, host: &KmsHost, client: &SecretKey, payload: &[u8]) -> Option<Outcome> {
        let signer = Signer {
            key: client.clone(),
            parent: client.public().thumbprint(),
            chain: Vec::new(),
        };
        let mut bytes = signer.sign(Typ::Ask, self.publisher, payload, false);
        let envelope = Envelope::decode(&bytes, Typ::Ask);
        if let Ok(mut ask) = envelope.and_then(|it| it.claims::<Ask>()) {
            ask.audience = self.host.permit.thumbprint;
            ask.client = client.public();
            let draft = Draft::new(&ask, self.publisher, signer.parent, &ask.client);
            bytes = draft
                .clone()
                .finish(client.sign(&draft.to_be_signed()), &[]);
        }
        let answer = self.send(host, &bytes).await;
        match Ask::open(&bytes, self.publisher, self.host.permit.thumbprint) {
            Err(_) => {
                assert!(answer.is_none(), "an ask that cannot be read was answered");
                None
            }
            Ok((ask, name)) => {
                let answer = answer.expect("an ask that is one is answered");
                Some(self.judge(&ask, name, &answer))
            }
        }
    }

    /// What a host may say to an ask.
    fn judge(&self, ask: &Ask, name: Thumbprint, bytes: &[u8]) -> Outcome {
        let revoked = RevocationSet::default();
        let anchor = Anchor {
            root: &Certified::get().bundle.root,
            revoked: &revoked,
        };
        let answer = anchor.verify::<Answer>(bytes);
        let answer = answer.or_else(|_| {
            let bare = Envelope::decode(bytes, Typ::Answer)
                .expect("an answer")
                .with_chain(&[]);
            anchor.verify_under::<Answer>(&bare, &self.host.permit)
        });
        let answer = answer.expect("the host's answers are signed").claims;
        answer
            .check_for(ask.nonce, name)
            .expect("an answer belongs to its ask");
        let Outcome::Granted { leases } = &answer.outcome else {
            return answer.outcome;
        };
        assert!(leases.len() <= ask.products.len());
        for lease in leases {
            let lease = anchor.verify_under::<Lease>(lease, &self.host.permit);
            let lease = lease.expect("the host's leases are signed").claims;
            assert_eq!(lease.client, ask.client.thumbprint());
            assert!(
                ask.products
                    .iter()
                    .any(|asked| asked.product == lease.product)
            );
            assert!(lease.count >= 1 && lease.count <= self.host.cert.client_budget);
            assert!(lease.issued == answer.issued && lease.expires > lease.issued);
        }
        answer.outcome
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let golden = Golden::get();
    let mut seeds = Vec::new();
    for vector in golden.vectors.iter().filter(|vector| vector.check == "ask") {
        seeds.push([&[SEALED][..], &vector.bytes].concat());
        if let Ok(envelope) = Envelope::decode_any(&vector.bytes) {
            let ask = [&[1][..], &crate::input::part(envelope.payload())].concat();
            seeds.push([&[SIGNED][..], &ask].concat());
            let other = [&[2][..], &crate::input::part(envelope.payload())].concat();
            seeds.push([&[SIGNED][..], &ask, &other, &ask].concat());
        }
    }
    seeds.push([&[RAW][..], golden.bytes("sealed-head")].concat());
    seeds.retain(|seed| seed.len() <= 2_048);
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this the target would try refusals alone.
    #[test]
    fn a_golden_ask_is_granted_by_the_host_under_fire() {
        let ask = Envelope::decode_any(Golden::get().bytes("ask-first")).unwrap();
        let outcome = wait(async {
            let host = Certified::get().host().await;
            let client = SecretKey::from_seed(&[1; 32]);
            Met::greet(&host).ask(&host, &client, ask.payload()).await
        });
        assert!(
            matches!(outcome, Some(Outcome::Granted { .. })),
            "{outcome:?}"
        );
    }
}
