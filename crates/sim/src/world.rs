//! One world: what is in it, what is to happen, and the loop that lets it happen, one event after the
//! other in the order of true time.

use std::collections::BTreeMap;
use std::fmt;

use muster_proto::Refusal;
use muster_proto::client::discover::Srv;
use muster_proto::host::StoreIdentity;
use muster_proto::ids::StoreId;
use muster_proto::time::Timestamp;
use muster_store::kms::MemoryKms;
use zeroize::Zeroizing;

use crate::checks::{Broken, Certified, Checker, Checks, MachineModel, StoreModel};
use crate::clock::{NodeClock, START};
use crate::dice::Dice;
use crate::faults::Fault;
use crate::log::{Log, shown};
use crate::machine::{Disk, Machine};
use crate::plan::{Options, Plan};
use crate::publisher::{Failing, Publisher};
use crate::station::{Keys, SealedAsk, Station, tags};
use crate::summary::Summary;

/// The last days of a world, in which no fault strikes any more.
pub(crate) const QUIET_SECONDS: u64 = 33 * 86_400;
/// Steps between two comparisons of every store with its model.
const STEPS_COMPARED: u64 = 2_000;

/// What is to happen.
pub(crate) enum Event {
    /// A machine's service looks whether something is to be done.
    Wake { machine: usize, epoch: u32 },
    /// A machine goes on to the next host of its round.
    Next { machine: usize, epoch: u32 },
    /// An ask reaches a host.
    AskArrives(Box<Message>),
    /// A host's answer, or its refusal to give one, reaches a machine.
    AnswerArrives {
        machine: usize,
        epoch: u32,
        exchange: u64,
        answer: Result<Vec<u8>, Refusal>,
    },
    /// A machine has waited long enough.
    Timeout {
        machine: usize,
        epoch: u32,
        exchange: u64,
    },
    /// A machine is switched on again.
    MachineStarts { machine: usize },
    /// A host is started again.
    HostStarts { station: usize },
    /// A host's hourly round.
    HostHour { station: usize },
    /// An administrator installs the host product keys.
    Install {
        station: usize,
        publisher: usize,
        /// Even where there are keys.
        is_anew: bool,
    },
    /// A fault strikes.
    Fault(Fault),
    /// Somebody sets a machine's clock right.
    MachineClockRight { machine: usize },
    /// Somebody sets a host's clock right.
    HostClockRight { station: usize },
    /// Faults strike no more, and everything heals.
    Quiet,
}

/// An ask on its way.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) station: usize,
    pub(crate) publisher: usize,
    pub(crate) ask: SealedAsk,
    /// Who waits for an answer; nobody for what was recorded.
    pub(crate) from: Option<(usize, u32, u64)>,
}

/// Machines that cannot reach a host.
pub(crate) struct Cut {
    pub(crate) station: usize,
    /// One in so many machines, by their numbers.
    pub(crate) share: (usize, usize),
    pub(crate) until: u64,
}

/// What a home's DNS answers.
#[derive(Clone)]
pub(crate) enum Dns {
    Right,
    Empty,
    Silent,
    Stale(Vec<Srv>),
}

/// A store with its model and its backups.
pub(crate) struct Store {
    pub(crate) kms: MemoryKms,
    pub(crate) identity: StoreIdentity,
    pub(crate) backups: Vec<(MemoryKms, StoreModel)>,
}

/// A machine's files as a backup holds them.
pub(crate) struct Backup {
    pub(crate) disk: Disk,
    pub(crate) model: MachineModel,
}

/// A host's clock when it was known to be good.
pub(crate) struct GoodClock {
    pub(crate) error: i64,
    pub(crate) wall: u64,
    pub(crate) boot: [u8; 16],
}

impl GoodClock {
    /// A clock as it is now.
    pub(crate) fn of(clock: &NodeClock, now: u64) -> Self {
        Self {
            error: clock.error(now),
            wall: clock.wall(now).seconds(),
            boot: clock.boot_id(),
        }
    }
}

/// A world.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) plan: Plan,
    pub(crate) dice: Dice,
    pub(crate) now: u64,
    pub(crate) end: u64,
    step: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub(crate) publishers: Vec<Publisher>,
    pub(crate) stores: Vec<Store>,
    pub(crate) stations: Vec<Station>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) backups: BTreeMap<usize, Backup>,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) dns: Vec<(Dns, u64)>,
    /// Until when a storm blows, in which many messages are lost.
    pub(crate) storm_until: u64,
    /// Hosts that fail at their next ask: true for after the commit.
    pub(crate) host_fails: BTreeMap<usize, bool>,
    pub(crate) authority_fails: BTreeMap<usize, Failing>,
    /// Older keys of hosts.
    pub(crate) old_keys: BTreeMap<(usize, usize), Keys>,
    /// Bundles of long ago.
    pub(crate) old_bundles: Vec<(usize, muster_proto::wire::Bundle)>,
    /// The clock of each host when it was last known to be good.
    pub(crate) good_clocks: Vec<GoodClock>,
    /// How often a store was restored when each ask was counted.
    pub(crate) delivered: BTreeMap<u64, u32>,
    pub(crate) exchanges: u64,
    pub(crate) checks: Checks,
    pub(crate) summary: Summary,
    pub(crate) log: Log,
    pub(crate) is_quiet: bool,
}

/// How a world ends before its time.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A promise did not hold.
    Broken(Broken),
    /// The simulator itself met something that it takes for impossible.
    Internal(Refusal),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Internal(refusal)
    }
}

/// Where and how a promise broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The checker.
    pub checker: Option<Checker>,
    /// The seed.
    pub seed: u64,
    /// The step.
    pub step: u64,
    /// The time since the start of the world.
    pub time: String,
    /// What was seen.
    pub detail: String,
}

impl Violation {
    /// A world that could not be made.
    pub(crate) fn at_start(seed: u64, stop: Stop) -> Self {
        let (checker, detail) = stop.into_parts();
        Self {
            checker,
            seed,
            step: 0,
            time: shown(START),
            detail,
        }
    }
}

impl Stop {
    fn into_parts(self) -> (Option<Checker>, String) {
        match self {
            Self::Broken(broken) => (Some(broken.checker), broken.detail),
            Self::Internal(refusal) => (None, refusal.to_string()),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.checker.map_or("simulator", Checker::name);
        let (seed, step, time) = (self.seed, self.step, &self.time);
        write!(
            f,
            "{name}: seed {seed}, step {step}, time {time}: {}",
            self.detail
        )
    }
}

impl World {
    /// Makes the world of a seed.
    pub(crate) fn new(options: Options, log: Log) -> Result<Self, Stop> {
        let now = Timestamp::from_seconds(START);
        let mut dice = Dice::new(options.seed, 1);
        let plan = Plan::draw(&options, &mut Dice::new(options.seed, 0), now)?;
        let mut checks = Checks::default();
        let mut publishers = Vec::new();
        for (number, (policies, budget)) in plan.publishers.iter().enumerate() {
            let mut publisher = Publisher::new(number, &mut dice, now)?;
            for policy in policies {
                publisher.add_product(policy.clone(), *budget, now)?;
                let policy = publisher.policy(&policy.product)?;
                checks.licences.published(&policy);
            }
            publishers.push(publisher);
            checks.certified.insert(number, Certified::default());
        }
        let mut world = Self {
            end: START + options.years * 365 * 86_400,
            options,
            plan,
            dice,
            now: START,
            step: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            publishers,
            stores: Vec::new(),
            stations: Vec::new(),
            machines: Vec::new(),
            backups: BTreeMap::new(),
            cuts: Vec::new(),
            dns: Vec::new(),
            storm_until: 0,
            host_fails: BTreeMap::new(),
            authority_fails: BTreeMap::new(),
            old_keys: BTreeMap::new(),
            old_bundles: Vec::new(),
            good_clocks: Vec::new(),
            delivered: BTreeMap::new(),
            exchanges: 0,
            checks,
            summary: Summary::default(),
            log,
            is_quiet: false,
        };
        world.add_stores_and_hosts()?;
        world.add_machines()?;
        world.plan_faults();
        Ok(world)
    }

    fn add_stores_and_hosts(&mut self) -> Result<(), Stop> {
        for _ in 0..self.plan.stores {
            let identity = StoreIdentity {
                id: StoreId(self.dice.bytes()),
                key: Zeroizing::new(self.dice.bytes()),
            };
            self.stores.push(Store {
                kms: MemoryKms::new(identity.clone()),
                identity,
                backups: Vec::new(),
            });
            self.dns.push((Dns::Right, 0));
            self.checks.counts.stores.push(StoreModel::default());
        }
        for (number, store) in self.plan.hosts.clone().into_iter().enumerate() {
            let drift = self.drift();
            let clock = NodeClock::new(1_000_000 + number as u64, drift, self.now);
            let identity = self.stores[store].identity.clone();
            let publishers = self.publishers.len();
            let station = Station::new(number, store, identity, publishers, clock, self.now)?;
            self.good_clocks
                .push(GoodClock::of(&station.clock, self.now));
            self.stations.push(station);
            for publisher in 0..publishers {
                self.install(number, publisher, false)?;
            }
            let offset = self.dice.below(3_600);
            self.after(offset, Event::HostHour { station: number });
        }
        Ok(())
    }

    fn add_machines(&mut self) -> Result<(), Stop> {
        for number in 0..self.options.clients {
            let publisher = number % self.publishers.len();
            let home = (number / self.publishers.len()) % self.stores.len();
            let wall = Timestamp::from_seconds(self.now);
            let of = &self.publishers[publisher];
            let mut bundles = Vec::new();
            for (at, product) in of.products.iter().enumerate() {
                // Every machine has the first product, and two of three the others.
                if at == 0 || self.dice.below(3) > 0 {
                    bundles.push(of.bundle(product, wall)?);
                }
            }
            let drift = self.drift();
            let clock = NodeClock::new(number as u64, drift, self.now);
            let hardware = tags(self.publishers[publisher].id, number as u64);
            let (dice, now) = (&mut self.dice, self.now);
            let place = (publisher, home);
            let machine = Machine::new(place, &bundles, hardware, clock, dice, now)?;
            let mut model = MachineModel::default();
            model.starts(self.now);
            self.checks.licences.machines.push(model);
            self.machines.push(machine);
            self.note_policies(number)?;
            // Products are installed over the first days.
            let offset = self.dice.below(3 * 86_400);
            self.wake_after(number, offset);
        }
        Ok(())
    }

    /// Parts of a million by which a clock goes wrong.
    fn drift(&mut self) -> i64 {
        self.dice.below(101) as i64 - 50
    }

    /// Plans something.
    pub(crate) fn after(&mut self, seconds: u64, event: Event) {
        self.sequence += 1;
        self.queue
            .insert((self.now + seconds, self.sequence), event);
    }

    /// Plans a machine's next look at what is to be done.
    pub(crate) fn wake_after(&mut self, machine: usize, seconds: u64) {
        let epoch = self.machines[machine].epoch;
        self.after(seconds, Event::Wake { machine, epoch });
    }

    /// Writes a line into the log.
    pub(crate) fn note(&mut self, text: fmt::Arguments<'_>) {
        self.log.line(self.step, self.now, text);
    }

    /// Lets the whole world pass.
    pub(crate) fn run(&mut self) -> Result<(), Stop> {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > self.end {
                break;
            }
            self.now = at;
            self.step += 1;
            self.happens(event)?;
            if self.step.is_multiple_of(STEPS_COMPARED) {
                self.compare_stores()?;
            }
        }
        self.now = self.end;
        self.ends()
    }

    /// Where the world stands, for whoever tells of its end.
    pub(crate) fn violation(&self, stop: Stop) -> Violation {
        Violation {
            step: self.step,
            time: shown(self.now),
            ..Violation::at_start(self.options.seed, stop)
        }
    }

    /// Steps so far.
    pub(crate) fn steps(&self) -> u64 {
        self.step
    }

    fn happens(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Wake { machine, epoch } => self.wakes(machine, epoch),
            Event::Next { machine, epoch } => self.goes_on(machine, epoch),
            Event::AskArrives(message) => self.ask_arrives(*message),
            Event::AnswerArrives {
                machine,
                epoch,
                exchange,
                answer,
            } => self.answer_arrives(machine, epoch, exchange, answer),
            Event::Timeout {
                machine,
                epoch,
                exchange,
            } => self.waited_enough(machine, epoch, exchange),
            Event::MachineStarts { machine } => self.machine_starts(machine),
            Event::HostStarts { station } => self.host_starts(station),
            Event::HostHour { station } => self.host_hour(station),
            Event::Install {
                station,
                publisher,
                is_anew,
            } => self.install(station, publisher, is_anew),
            Event::Fault(fault) => self.strikes(fault),
            Event::MachineClockRight { machine } => self.machine_clock_right(machine),
            Event::HostClockRight { station } => self.host_clock_right(station),
            Event::Quiet => self.heals(),
        }
    }

    /// Compares every store with what was acknowledged.
    pub(crate) fn compare_stores(&mut self) -> Result<(), Stop> {
        let now = Timestamp::from_seconds(self.now);
        for (number, store) in self.stores.iter().enumerate() {
            self.checks.counts.stores[number].kept(number, &store.kms, now)?;
        }
        Ok(())
    }

    /// What must hold at the end.
    fn ends(&mut self) -> Result<(), Stop> {
        self.compare_stores()?;
        for (number, certified) in &self.checks.certified {
            let publisher = &self.publishers[*number];
            certified.kept(|cert| publisher.knows(cert).unwrap_or(false))?;
        }
        for machine in 0..self.machines.len() {
            self.ends_licensed(machine)?;
        }
        Ok(())
    }
}
