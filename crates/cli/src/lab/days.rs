//! Simulated days after the lab: the same authority, host and client rules, by a clock that runs
//! ahead, through a host outage of 30 days and one of 220 days.
//!
//! The host is the real one over a store in memory, the machines' rules are the real client's; only
//! sockets and disks are left out. Each machine is judged every day and after each of its asks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muster_authority::{Authority, Ceremony, KeyOrder};
use muster_host::{Admin, AuthorityAccess, KmsHost, Renewal};
use muster_machine::{Machine, random};
use muster_proto::client::LicenceState;
use muster_proto::host::{ClockReference, StoreIdentity};
use muster_proto::ids::{ProductId, StoreId};
use muster_proto::key::{Channel, ProductKey};
use muster_proto::statement::policy::{Policy, ProductKind};
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::Bundle;
use muster_proto::{Refusal, authority::answer::Publisher};
use muster_store::kms::MemoryKms;

use super::simulated::SimulatedMachine;
use super::timeline::{Change, Outage, Timeline};
use crate::args::lab::LabArgs;

/// The step of the simulation: machines ask within the hour in which they are due.
const STEP: Span = Span::from_hours(1);
/// Days between the start, each outage and the end.
const QUIET_DAYS: u32 = 30;
/// The two outages, in days: one that is never felt, one that outlasts the lease.
const OUTAGES: [u32; 2] = [30, 220];

/// Lets days pass and tells what happened.
pub(super) async fn simulate(
    dir: &Path,
    args: &LabArgs,
    days: u32,
    start: Timestamp,
) -> Result<Timeline, Refusal> {
    let mut world = World::make(&dir.join("simulation"), args, start).await?;
    world.pass(days, planned(days), start).await
}

/// The outages that fit into the days, one after the other with quiet days around them.
fn planned(days: u32) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut from = QUIET_DAYS;
    for length in OUTAGES {
        if from + length + QUIET_DAYS <= days {
            outages.push(Outage::of(from, length));
            from += length + 2 * QUIET_DAYS;
        }
    }
    outages
}

fn note(timeline: &mut Timeline, world: &World, day: u32) {
    let mut counts = [0u32; LicenceState::ALL.len()];
    for machine in &world.machines {
        counts[machine.state as usize] += 1;
    }
    let total = u32::try_from(world.machines.len()).unwrap_or(u32::MAX);
    for outage in &mut timeline.outages {
        outage.note(day, &counts, total);
    }
    if timeline
        .changes
        .last()
        .is_none_or(|last| last.counts != counts)
    {
        timeline.changes.push(Change { day, counts });
    }
}

/// The clock of the simulation, shared with the host.
#[derive(Clone)]
struct SimulatedClock(Arc<AtomicU64>, Timestamp);

impl SimulatedClock {
    fn set(&self, now: Timestamp) {
        self.0.store(now.seconds(), Ordering::Relaxed);
    }

    fn reference(&self) -> ClockReference {
        let wall = Timestamp::from_seconds(self.0.load(Ordering::Relaxed));
        ClockReference {
            wall,
            since_boot: wall.since(self.1),
            boot_id: [0; 16],
        }
    }
}

struct World {
    clock: SimulatedClock,
    authority: Authority,
    admin: Admin,
    host: KmsHost,
    machines: Vec<SimulatedMachine>,
}

impl World {
    async fn make(dir: &Path, args: &LabArgs, start: Timestamp) -> Result<Self, Refusal> {
        let clock = SimulatedClock(Arc::new(AtomicU64::new(start.seconds())), start);
        let (authority, _) =
            Authority::init(dir, "Lab Publisher", None, Ceremony::Here, start).await?;
        let identity = StoreIdentity {
            id: StoreId(*random::bytes()),
            key: random::bytes(),
        };
        let store = Arc::new(MemoryKms::new(identity));
        let shared = clock.clone();
        let admin = Admin::over_store(
            store,
            Machine::declared(&dir.join("hardware")),
            Arc::new(move || shared.reference()),
        );
        let mut machines = Vec::new();
        for (kind, count) in [
            (ProductKind::Client, args.clients),
            (ProductKind::Server, args.servers),
        ] {
            if count == 0 {
                continue;
            }
            let id: ProductId = format!("lab-{}", kind.name()).parse()?;
            authority
                .add_product(Policy::new(id.clone(), kind.name(), kind, start), start)
                .await?;
            certify(&authority, &admin, &id, start).await?;
            let bundle: Bundle = authority.bundle(&id, start).await?;
            for _ in 0..count {
                let seed = u64::try_from(machines.len()).unwrap_or(u64::MAX);
                machines.push(SimulatedMachine::make(&bundle, seed, start)?);
            }
        }
        let most = args.clients + args.servers;
        admin.set(None, None, Some(most.max(1))).await?;
        let host = KmsHost::load(&admin).await?;
        Ok(Self {
            clock,
            authority,
            admin,
            host,
            machines,
        })
    }

    /// Lets days pass with these outages.
    async fn pass(
        &mut self,
        days: u32,
        outages: Vec<Outage>,
        start: Timestamp,
    ) -> Result<Timeline, Refusal> {
        let mut timeline = Timeline {
            days,
            outages,
            ..Timeline::default()
        };
        let end = start + Span::from_days(u64::from(days));
        let mut now = start;
        let mut judged = None;
        while now <= end {
            self.clock.set(now);
            let day = u32::try_from(now.since(start).seconds() / 86_400).unwrap_or(u32::MAX);
            let is_down = timeline.outages.iter().any(|outage| outage.holds(day));
            if !is_down && judged != Some(day) {
                self.renew_when_due().await?;
            }
            self.ask_those_due(now, is_down).await?;
            if judged != Some(day) {
                self.judge_all(now);
                judged = Some(day);
            }
            note(&mut timeline, self, day);
            now = now + STEP;
        }
        self.judge_all(end);
        timeline.all_restored = self
            .machines
            .iter()
            .all(|machine| machine.state == LicenceState::Licensed);
        Ok(timeline)
    }

    /// Lets every machine ask whose time has come, and judges it by what it then holds.
    async fn ask_those_due(&mut self, now: Timestamp, is_down: bool) -> Result<(), Refusal> {
        for machine in &mut self.machines {
            if machine.is_due(now) {
                let host = (!is_down).then_some(&self.host);
                machine.ask(host, now).await?;
            }
        }
        Ok(())
    }

    fn judge_all(&mut self, now: Timestamp) {
        for machine in &mut self.machines {
            machine.judge(now);
        }
    }

    /// What the running host does by itself: renews its certificate and its opening key.
    async fn renew_when_due(&mut self) -> Result<(), Refusal> {
        let now = self.clock.reference().wall;
        for (_, outcome) in self.admin.renew(&AuthorityAccess::default(), true).await? {
            if let Renewal::Request(request) = outcome? {
                let activation = self.authority.certify(&request, None, now).await?;
                self.admin.apply(&activation.encode()).await?;
            }
        }
        self.host.upkeep().await?;
        self.host.follow().await?;
        Ok(())
    }
}

async fn certify(
    authority: &Authority,
    admin: &Admin,
    product: &ProductId,
    now: Timestamp,
) -> Result<(), Refusal> {
    let order = KeyOrder::new(product.clone(), Channel::KmsHost);
    let issued = authority.issue_keys(&order, now).await?;
    let key: &ProductKey = &issued.first().expect("an order for one key gives one").key;
    let publisher: Publisher = authority.publisher(now).await?;
    let request = admin.request(key, &publisher, None, None).await?;
    let activation = authority.certify(&request, None, now).await?;
    admin.apply(&activation.encode()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use muster_proto::authority::HostNumber;

    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MACHINES: u32 = 25;

    /// A year and a half in which the host never meets its authority: its renewals are carried to
    /// and fro as files. It is certified anew several times, and no machine notices.
    #[test]
    fn nobody_notices_a_host_that_is_fed_by_files() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            let dir = tempfile::tempdir().expect("a directory");
            let args = LabArgs {
                clients: MACHINES,
                servers: 0,
                dir: None,
                once: true,
                days: None,
            };
            let mut world = World::make(dir.path(), &args, START)
                .await
                .expect("a world");
            let timeline = world.pass(548, Vec::new(), START).await.expect("days");
            let last = timeline.changes.last().expect("the first day's changes");
            assert_eq!(last.counts[LicenceState::Licensed as usize], MACHINES);
            assert!(last.day <= 1, "something changed on day {}", last.day);
            let hosts = world
                .authority
                .hosts(HostNumber(0), 10)
                .await
                .expect("hosts");
            assert!(hosts[0].certificates >= 3, "{}", hosts[0].certificates);
        });
    }
}
