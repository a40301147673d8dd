//! One client machine: its two files, its clocks, and the round of asks under way. Every change of
//! its files is proto's; here they are read, written, and cut off between two writes.

use std::collections::{BTreeMap, VecDeque};

use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::asking::{Host, Pending};
use muster_proto::client::discover::{HostAddr, Place};
use muster_proto::client::identity::{Identity, Own, OwnProduct};
use muster_proto::client::install::take_bundle;
use muster_proto::client::judge::ReadHardware;
use muster_proto::client::rounds;
use muster_proto::client::state::{Holding, State};
use muster_proto::client::trusted_time::Moment;
use muster_proto::hardware::ComponentTags;
use muster_proto::ids::{ProductId, PublisherId};
use muster_proto::reason::client as reasons;
use muster_proto::wire::Bundle;
use zeroize::Zeroizing;

use crate::clock::NodeClock;
use crate::dice::Dice;

/// A client machine with the products of one publisher.
pub(crate) struct Machine {
    /// Which publisher's products it has.
    pub(crate) publisher: usize,
    pub(crate) id: PublisherId,
    /// The store whose hosts its DNS names first.
    pub(crate) home: usize,
    pub(crate) disk: Disk,
    pub(crate) clock: NodeClock,
    pub(crate) hardware: ReadHardware,
    pub(crate) is_on: bool,
    /// Moves whenever what the service remembers is lost: events from before are void then.
    pub(crate) epoch: u32,
    /// The states that the service saw last.
    pub(crate) seen: BTreeMap<ProductId, LicenceState>,
    pub(crate) round: Option<Round>,
    /// How many writes from now the machine fails.
    pub(crate) fails_in: Option<u32>,
}

/// The two files.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) state: State,
    pub(crate) identity: Identity,
}

/// The files opened for a change.
pub(crate) struct Opened {
    pub(crate) state: State,
    pub(crate) identity: Identity,
    pub(crate) now: Moment,
}

/// How far a change of the files came.
pub(crate) enum Written<T> {
    /// All of it is on the disk.
    Whole(T),
    /// The state is, the identity is not: the machine failed in between.
    StateAlone(T),
    /// Nothing is: the machine failed before.
    Nothing,
}

/// What a change may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touches {
    /// The state alone.
    State,
    /// Both files.
    Both,
}

/// A round of asks: hosts one after the other until every product has its answer.
pub(crate) struct Round {
    pub(crate) left: Vec<ProductId>,
    pub(crate) places: VecDeque<Place>,
    pub(crate) hosts: VecDeque<HostAddr>,
    pub(crate) tried: Vec<HostAddr>,
    pub(crate) contact: Option<Contact>,
}

/// The host that is asked.
pub(crate) struct Contact {
    pub(crate) station: usize,
    pub(crate) place: String,
    pub(crate) host: Host,
    pub(crate) pending: Pending,
    /// The number of this ask in the world.
    pub(crate) exchange: u64,
    pub(crate) asked: Vec<ProductId>,
    /// Whether it was greeted again, since it did not know its own keys any more.
    pub(crate) is_greeted_again: bool,
    /// Whether it has ordered a new key in this contact.
    pub(crate) was_ordered: bool,
}

impl Machine {
    /// A machine on which products were just installed.
    pub(crate) fn new(
        (publisher, home): (usize, usize),
        bundles: &[Bundle],
        tags: ComponentTags,
        clock: NodeClock,
        dice: &mut Dice,
        now: u64,
    ) -> Result<Self, Refusal> {
        let first = bundles
            .first()
            .ok_or_else(|| Refusal::from(reasons::NOT_INSTALLED))?;
        let (root, id) = (first.root.clone(), first.root.publisher());
        let mut own = Own::new(root.clone(), &dice.bytes());
        let mut holding = Holding::new(root);
        let mut state = State::default();
        state.written = clock.written(&state.written, now);
        for bundle in bundles {
            let product = bundle.verify()?.policy.claims.product;
            take_bundle(&mut holding, bundle, state.written.at)?;
            own.products.insert(product, OwnProduct::default());
        }
        state.publishers.insert(id, holding);
        let mut identity = Identity::default();
        identity.publishers.insert(id, own);
        rounds::agree(&mut state, &mut identity, Moment::default(), &mut || {
            Zeroizing::new([0; 32])
        });
        Ok(Self {
            publisher,
            id,
            home,
            disk: Disk { state, identity },
            clock,
            hardware: ReadHardware {
                tags,
                declared: false,
            },
            is_on: true,
            epoch: 0,
            seen: BTreeMap::new(),
            round: None,
            fails_in: None,
        })
    }

    /// Both clocks now.
    pub(crate) fn moment(&self, now: u64) -> Moment {
        self.clock.moment(&self.disk.state.written, now)
    }

    /// Opens the files, changes them, and writes what changed: the state first.
    pub(crate) fn update<T>(
        &mut self,
        touches: Touches,
        dice: &mut Dice,
        now: u64,
        change: impl FnOnce(&mut Opened, &mut ReadHardware, &mut Dice) -> Result<T, Refusal>,
    ) -> Result<Written<T>, Refusal> {
        let mut opened = Opened {
            state: self.disk.state.clone(),
            identity: self.disk.identity.clone(),
            now: self.moment(now),
        };
        let mut seed = || Zeroizing::new(dice.bytes());
        rounds::agree(
            &mut opened.state,
            &mut opened.identity,
            opened.now,
            &mut seed,
        );
        let outcome = change(&mut opened, &mut self.hardware, dice)?;
        if opened.state != self.disk.state {
            opened.state.written = self.clock.written(&self.disk.state.written, now);
            if self.fails() {
                return Ok(Written::Nothing);
            }
            self.disk.state = opened.state;
        }
        if touches == Touches::Both {
            if self.fails() {
                return Ok(Written::StateAlone(outcome));
            }
            self.disk.identity = opened.identity;
        }
        Ok(Written::Whole(outcome))
    }

    /// Whether the machine fails before this write.
    fn fails(&mut self) -> bool {
        match self.fails_in {
            Some(0) => {
                self.fails_in = None;
                true
            }
            Some(writes) => {
                self.fails_in = Some(writes - 1);
                false
            }
            None => false,
        }
    }

    /// When its present boot began.
    pub(crate) fn booted(&self) -> u64 {
        self.clock.booted()
    }

    /// Notes running time, as the service does every hour and when it stops.
    pub(crate) fn note_time(&mut self, now: u64) {
        self.disk.state.written = self.clock.written(&self.disk.state.written, now);
    }

    /// The publisher's part of the state.
    pub(crate) fn holding(&self) -> Result<&Holding, Refusal> {
        rounds::holding(&self.disk.state, self.id)
    }

    /// Forgets what the service remembers.
    pub(crate) fn forget(&mut self) {
        self.epoch += 1;
        self.round = None;
        self.seen.clear();
    }
}

impl Disk {
    /// The files through their bytes, as a start reads them.
    pub(crate) fn read_again(&self) -> Result<Self, Refusal> {
        Ok(Self {
            state: State::decode(&self.state.encode())?,
            identity: Identity::decode(&self.identity.encode())?,
        })
    }
}
