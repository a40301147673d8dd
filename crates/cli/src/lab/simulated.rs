//! One machine of the simulation: the client's rules over a state in memory.

use muster_machine::random;
use muster_net::seal::seal;
use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::asking::{About, Host, Receipt, apply, check, note_keys, prepare};
use muster_proto::client::evidence::{Compiled, Reader};
use muster_proto::client::identity::Own;
use muster_proto::client::install::take_bundle;
use muster_proto::client::judge::{Judgement, ReadHardware, tend};
use muster_proto::client::schedule::{Intervals, Outcome, after, is_due, wait};
use muster_proto::client::state::{Holding, State};
use muster_proto::client::trusted_time::Moment;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{Nonce, ProductId, PublisherId};
use muster_proto::statement::ask::AskedProduct;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::{Bundle, Hello, SealedHead, opening_key_id};

use muster_host::KmsHost;

/// Where the simulated host stands.
const PLACE: &str = "kms.lab.test:1688";

/// One simulated machine.
pub(super) struct SimulatedMachine {
    publisher: PublisherId,
    product: ProductId,
    policy: Policy,
    own: Own,
    held: State,
    hardware: ComponentTags,
    start: Timestamp,
    next_ask: Moment,
    draws: u64,
    /// What it was judged to be last.
    pub(super) state: LicenceState,
}

impl SimulatedMachine {
    /// A machine on which the product was just installed. `number` tells its hardware and its
    /// jitter from the others'.
    pub(super) fn make(bundle: &Bundle, number: u64, start: Timestamp) -> Result<Self, Refusal> {
        let verified = bundle.verify()?;
        let policy = verified.policy.claims;
        let publisher = bundle.root.publisher();
        let product = policy.product.clone();
        let name = format!("machine {number}");
        let hardware = ComponentTags::of(
            publisher,
            [
                (Component::Installation, name.as_str()),
                (Component::SystemUuid, name.as_str()),
            ],
        );
        let own = Own::new(bundle.root.clone(), &random::bytes::<32>());
        let mut holding = Holding::new(bundle.root.clone());
        let now = Moment {
            wall: start,
            running: Span::ZERO,
        };
        take_bundle(&mut holding, bundle, now)?;
        note_keys(&own, &mut holding);
        let mut held = State::default();
        held.publishers.insert(publisher, holding);
        Ok(Self {
            publisher,
            product,
            policy,
            own,
            held,
            hardware,
            start,
            next_ask: now,
            draws: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            state: LicenceState::Unlicensed,
        })
    }

    fn moment(&self, now: Timestamp) -> Moment {
        Moment {
            wall: now,
            running: now.since(self.start),
        }
    }

    /// Whether its next ask is due.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        is_due(self.next_ask, self.moment(now))
    }

    /// Asks the host, or finds none, and plans the next ask.
    pub(super) async fn ask(
        &mut self,
        host: Option<&KmsHost>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut outcome = Outcome::NotYet;
        if let Some(host) = host {
            self.exchange(host, now).await?;
            if self.judge(now).is_licensed() {
                outcome = Outcome::Renewed;
            }
        }
        let draw = self.draw();
        let pause = wait(outcome, Intervals::of_policy(&self.policy), draw);
        self.next_ask = after(self.moment(now), pause);
        Ok(())
    }

    async fn exchange(&mut self, host: &KmsHost, now: Timestamp) -> Result<(), Refusal> {
        let moment = self.moment(now);
        let revoked = RevocationSet::default();
        let Some(hello) = host.hello(&self.publisher) else {
            return Ok(());
        };
        let hello = Hello::decode(&hello)?;
        let about = self.about(now);
        let Some(holding) = self.held.publishers.get_mut(&self.publisher) else {
            return Ok(());
        };
        let floor = holding.floor.at();
        let asked = Host::greet(&hello, PLACE, holding, &revoked, None, floor)?;
        let pending = prepare(&mut self.own, &asked, &about, Nonce(*random::bytes()))?;
        let head = SealedHead {
            publisher: self.publisher,
            audience: asked.verified.permit.thumbprint,
            opening_key: opening_key_id(&asked.verified.opening_key),
        };
        let (sealed, answer_key) = seal(&asked.verified.opening_key, &head.info(), &pending.bytes)?;
        let loopback = std::net::Ipv4Addr::LOCALHOST.into();
        let answered = host.answer(loopback, &head.join(&sealed)).await;
        let bytes = answered.map_err(|unanswered| unanswered.refusal)?;
        let bytes = answer_key.open_answer(&bytes)?;
        let checked = check(&pending, &asked, &holding.root, &revoked, &bytes)?;
        let seed = random::bytes::<32>();
        let receipt = Receipt {
            now: moment,
            trusted: now,
            place: PLACE,
            seed: &seed,
        };
        apply(&mut self.own, holding, &pending, &asked, &checked, &receipt)?;
        note_keys(&self.own, holding);
        self.held.written.at = moment;
        Ok(())
    }

    fn about(&self, now: Timestamp) -> About {
        About {
            products: vec![AskedProduct {
                product: self.product.clone(),
                state: self.state,
                minutes_left: None,
                required: Some(self.policy.threshold),
            }],
            components: self.hardware,
            base_licence: true,
            in_vm: false,
            version: "muster lab".to_owned(),
            name: None,
            user_identity: false,
            declared: false,
            now,
        }
    }

    /// Judges what the machine holds, by its clock.
    pub(super) fn judge(&mut self, now: Timestamp) -> Judgement {
        let moment = self.moment(now);
        let judged = self.judge_at(moment);
        let judgement = match judged {
            Ok(judgement) => judgement,
            Err(refusal) => Judgement::nothing(refusal),
        };
        self.state = judgement.state;
        judgement
    }

    fn judge_at(&mut self, moment: Moment) -> Result<Judgement, Refusal> {
        let root = self.own.root.clone();
        let mut evidence =
            Reader::open(&self.held, &root)?.evidence(&self.product, Compiled::default())?;
        let mut hardware = ReadHardware {
            tags: self.hardware,
            declared: false,
        };
        let judgement = tend(&mut evidence, true, &mut hardware, moment);
        let holding = self.held.publishers.get_mut(&self.publisher);
        if let Some(installed) = holding.and_then(|held| held.products.get_mut(&self.product)) {
            installed.marks = evidence.marks;
        }
        Ok(judgement)
    }

    /// The next number of this machine's own sequence (splitmix64): jitter that differs between
    /// machines and is the same in every run.
    fn draw(&mut self) -> u32 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.draws;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }
}
