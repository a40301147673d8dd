//! The whole client by its rules: greetings and answers, of strangers and of a hostile certified host,
//! into what it keeps, and what it judges itself to be after each.

use muster_proto::client::LicenceState;
use muster_proto::client::asking::{self, About, Host, Pending, Receipt};
use muster_proto::client::evidence::{Compiled, Reader};
use muster_proto::client::identity::{Identity, Own, OwnProduct};
use muster_proto::client::install;
use muster_proto::client::judge::{Judgement, ReadHardware, tend};
use muster_proto::client::state::{Holding, State};
use muster_proto::client::trusted_time::Moment;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{Nonce, ProductId, PublisherId};
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::AskedProduct;
use muster_proto::statement::lease::Lease;
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::{Claims, Draft, Envelope, Typ};
use muster_proto::time::Span;
use muster_proto::wire::{Bundle, Hello};

use crate::estate::{Golden, NOW};
use crate::input::{Input, part};
use crate::signing::Signer;

const PLACE: &str = "kms.corp.test:1688";
/// Rounds of one input at most.
const ROUNDS_MAX: usize = 12;

/// Ways in, by the input's first byte.
const GREETING: u8 = 0;
const RAW: u8 = 1;
const SIGNED: u8 = 2;
const WAYS: u8 = 3;

/// What a round does to the words before they are signed, by bit.
const FITS_THE_ASK: u8 = 1;
const LEASES_FIT: u8 = 2;
const TIME_PASSES: u8 = 4;
const CLOCK_GOES_BACK: u8 = 8;
const BY_ANOTHER_KEY: u8 = 16;

pub(super) fn run(bytes: &[u8]) {
    let golden = Golden::get();
    let mut input = Input::of(bytes);
    let mut machine = Machine::new();
    match input.byte() % WAYS {
        GREETING => {
            let Ok(hello) = Hello::decode(input.rest()) else {
                return;
            };
            if machine.greet(&hello).is_some() {
                let cert = hello
                    .chain
                    .first()
                    .and_then(|it| Envelope::decode_any(it).ok());
                let opening = Envelope::decode_any(&hello.opening).ok();
                for statement in [cert, opening].into_iter().flatten() {
                    assert!(
                        golden.names.contains(&statement.name()),
                        "a forged greeting"
                    );
                }
            }
        }
        RAW => {
            let host = machine.golden_host().expect("a golden greeting");
            let pending = machine.prepare(&host);
            let taken = machine.take(&pending, &host, input.rest());
            assert!(!taken, "an answer that nobody gave was taken");
            assert_ne!(machine.judge().state, LicenceState::Licensed);
        }
        _ => {
            for _ in 0..ROUNDS_MAX {
                if input.is_empty() {
                    break;
                }
                let how = input.byte();
                machine.round(how, input.part());
            }
        }
    }
}

struct Machine {
    own: Own,
    state: State,
    clocks: Moment,
    product: ProductId,
    tags: ComponentTags,
    nonces: u8,
    /// Whether a certified host ever granted a lease.
    was_granted: bool,
}

impl Machine {
    fn new() -> Self {
        let golden = Golden::get();
        let bundle = Bundle::decode(golden.bytes("bundle")).expect("a golden bundle");
        let policy = bundle.verify().expect("a golden bundle").policy.claims;
        let mut own = Own::new(golden.root.clone(), &[77; 32]);
        own.products
            .insert(policy.product.clone(), OwnProduct::default());
        let clocks = Moment {
            wall: NOW,
            running: Span::from_days(3),
        };
        let mut holding = Holding::new(bundle.root.clone());
        install::take_bundle(&mut holding, &bundle, clocks).expect("a golden bundle");
        asking::note_keys(&own, &mut holding);
        let mut state = State::default();
        state.publishers.insert(golden.publisher(), holding);
        state.written.at = clocks;
        Self {
            own,
            state,
            clocks,
            product: policy.product,
            tags: ComponentTags::of(golden.publisher(), [(Component::Installation, "fuzzed")]),
            nonces: 0,
            was_granted: false,
        }
    }

    fn publisher(&self) -> PublisherId {
        self.own.root.publisher()
    }

    fn revoked(&self) -> RevocationSet {
        let reader = Reader::open(&self.state, &self.own.root);
        reader
            .expect("what was verified before is")
            .revoked()
            .clone()
    }

    fn greet(&self, hello: &Hello) -> Option<Host> {
        let holding = self.state.publishers.get(&self.publisher())?;
        let floor = holding.floor.at();
        Host::greet(hello, PLACE, holding, &self.revoked(), None, floor).ok()
    }

    fn golden_host(&self) -> Option<Host> {
        let hello = Hello::decode(Golden::get().bytes("hello-first")).expect("a golden greeting");
        self.greet(&hello)
    }

    fn prepare(&mut self, host: &Host) -> Pending {
        self.nonces += 1;
        let about = About {
            products: vec![AskedProduct {
                product: self.product.clone(),
                state: LicenceState::Unlicensed,
                minutes_left: None,
                required: Some(5),
            }],
            components: self.tags,
            base_licence: true,
            in_vm: false,
            version: "fuzz".into(),
            name: None,
            user_identity: false,
            declared: false,
            now: self.clocks.wall,
        };
        let nonce = Nonce([self.nonces; 16]);
        asking::prepare(&mut self.own, host, &about, nonce).expect("one product has room")
    }

    /// Takes an answer in, where it is one; whether it was.
    fn take(&mut self, pending: &Pending, host: &Host, bytes: &[u8]) -> bool {
        let revoked = self.revoked();
        let Ok(checked) = asking::check(pending, host, &self.own.root, &revoked, bytes) else {
            return false;
        };
        for lease in checked.leases() {
            assert_eq!(lease.client, pending.client, "a lease for another client");
            assert!(
                pending.products.contains(&lease.product),
                "a lease nobody asked for"
            );
        }
        let receipt = Receipt {
            now: self.clocks,
            trusted: self.clocks.wall,
            place: PLACE,
            seed: &[100 + self.nonces; 32],
        };
        let publisher = self.publisher();
        let holding = self
            .state
            .publishers
            .get_mut(&publisher)
            .expect("it is installed");
        let applied = asking::apply(&mut self.own, holding, pending, host, &checked, &receipt);
        let applied = applied.expect("the ask was pending");
        asking::note_keys(&self.own, holding);
        self.was_granted |= !applied.granted.is_empty();
        self.state.written.at = self.clocks;
        true
    }

    /// One exchange with a certified host that says what the input makes it say.
    fn round(&mut self, how: u8, payload: &[u8]) {
        let golden = Golden::get();
        if how & TIME_PASSES != 0 {
            let days = Span::from_days(100);
            self.clocks.wall = self.clocks.wall + days;
            self.clocks.running = self.clocks.running + days;
        }
        if how & CLOCK_GOES_BACK != 0 {
            self.clocks.wall = NOW;
        }
        // What the host says of time may put its own greeting's end into the past.
        let Some(host) = self.golden_host() else {
            return;
        };
        let pending = self.prepare(&host);
        let by_host = how & BY_ANOTHER_KEY == 0;
        let signer = if by_host {
            golden.host()
        } else {
            &golden.signers[3]
        };
        let bytes = fitted(how, &pending, signer, payload);
        let taken = self.take(&pending, &host, &bytes);
        assert!(by_host || !taken, "an answer of another host was taken");
        let judged = self.judge();
        assert!(
            !judged.is_licensed() || self.was_granted,
            "licensed without a lease: {:?}",
            judged.reason
        );
        self.keep();
    }

    fn judge(&mut self) -> Judgement {
        let root = self.own.root.clone();
        let mut reader = Reader::open(&self.state, &root).expect("what was verified before is");
        let evidence = reader.evidence(&self.product, Compiled::default());
        let mut evidence = evidence.expect("the policy is the golden one");
        let mut hardware = ReadHardware {
            tags: self.tags,
            declared: false,
        };
        let judgement = tend(&mut evidence, true, &mut hardware, self.clocks);
        let holding = self.state.publishers.get_mut(&root.publisher());
        let installed = holding.and_then(|it| it.products.get_mut(&self.product));
        installed.expect("it is installed").marks = evidence.marks;
        judgement
    }

    /// Writes both files and goes on with what is read.
    fn keep(&mut self) {
        let state = State::decode(&self.state.encode()).expect("a state is read as it is written");
        assert_eq!(state, self.state);
        let mut identity = Identity::default();
        identity
            .publishers
            .insert(self.publisher(), self.own.clone());
        let read = Identity::decode(&identity.encode()).expect("an identity is read as written");
        assert!(read == identity, "an identity changed in its file");
    }
}

/// An answer with these words, signed; as far as wished they fit the ask.
fn fitted(how: u8, pending: &Pending, signer: &Signer, payload: &[u8]) -> Vec<u8> {
    let publisher = Golden::get().publisher();
    let bytes = signer.sign(Typ::Answer, publisher, payload, how & 32 == 0);
    let envelope = Envelope::decode(&bytes, Typ::Answer);
    let Ok(mut answer) = envelope.and_then(|it| it.claims::<Answer>()) else {
        return bytes;
    };
    if how & FITS_THE_ASK != 0 {
        answer.nonce = pending.nonce;
        answer.ask = pending.name;
    }
    if how & LEASES_FIT != 0
        && let Outcome::Granted { leases } = &mut answer.outcome
    {
        for lease in leases.iter_mut() {
            let claims = Envelope::decode_any(lease).and_then(|it| it.claims::<Lease>());
            if let Ok(mut claims) = claims {
                claims.client = pending.client;
                claims.components = pending.components;
                *lease = sign(&claims, signer);
            } else if let Some(again) = signer.sign_again(lease, false) {
                *lease = again;
            }
        }
    }
    sign(&answer, signer)
}

fn sign<C: Claims>(claims: &C, signer: &Signer) -> Vec<u8> {
    let publisher = Golden::get().publisher();
    let draft = Draft::new(claims, publisher, signer.parent, &signer.key.public());
    let signature = signer.key.sign(&draft.to_be_signed());
    draft.finish(signature, &[])
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let golden = Golden::get();
    let mut seeds = Vec::new();
    for vector in &golden.vectors {
        if vector.check == "hello" {
            seeds.push([&[GREETING][..], &vector.bytes].concat());
        }
        let Ok(envelope) = Envelope::decode_any(&vector.bytes) else {
            continue;
        };
        if envelope.typ == Typ::Answer {
            seeds.push([&[RAW][..], &vector.bytes].concat());
            for how in [0, FITS_THE_ASK, FITS_THE_ASK | LEASES_FIT, 3 | TIME_PASSES] {
                let round = [&[how][..], &part(envelope.payload())].concat();
                seeds.push([&[SIGNED][..], &round].concat());
                if vector.is_good && how == 3 {
                    let later = [&[3 | TIME_PASSES][..], &part(envelope.payload())].concat();
                    seeds.push([&[SIGNED][..], &round, &later, &round].concat());
                }
            }
        }
    }
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this the target would try refusals alone.
    #[test]
    fn a_golden_answer_that_fits_licenses_the_client_under_fire() {
        let answer = Envelope::decode_any(Golden::get().bytes("answer-granted")).unwrap();
        let mut machine = Machine::new();
        machine.round(FITS_THE_ASK | LEASES_FIT, answer.payload());
        assert!(machine.was_granted && machine.judge().is_licensed());
    }
}
