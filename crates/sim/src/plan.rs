//! What a world is made of, drawn from its seed: publishers, products, stores, hosts, machines, and
//! how often each fault strikes.

use std::collections::BTreeMap;

use muster_proto::statement::policy::{Policy, ProductKind};
use muster_proto::time::{Span, Timestamp};
use muster_proto::{Refusal, ids::ProductId};

use crate::dice::Dice;
use crate::faults::Fault;

/// What is asked for on the command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// How long the world lasts, in years of 365 days.
    pub years: u64,
    /// Client machines at the start.
    pub clients: usize,
    /// Hosts; drawn where none is said.
    pub hosts: Option<usize>,
    /// The faults that may strike.
    pub faults: Vec<Fault>,
}

impl Options {
    /// The world of a seed with every default.
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            years: 1,
            clients: 16,
            hosts: None,
            faults: Fault::ALL.to_vec(),
        }
    }
}

/// The drawn world.
pub(crate) struct Plan {
    /// The products of each publisher, by their first policies, and the client budget of its hosts.
    pub(crate) publishers: Vec<(Vec<Policy>, u32)>,
    /// The highest threshold that a pool reaches.
    pub(crate) threshold_max: u64,
    pub(crate) stores: usize,
    /// The store of each host.
    pub(crate) hosts: Vec<usize>,
    /// How often each fault strikes: in hundredths of its usual rate.
    pub(crate) rates: BTreeMap<Fault, u64>,
    /// How many of a thousand messages are lost in calm weather, come late, or are recorded.
    pub(crate) lost: u32,
    pub(crate) late: u32,
    pub(crate) recorded: u32,
}

impl Plan {
    /// Draws a world.
    pub(crate) fn draw(
        options: &Options,
        dice: &mut Dice,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let hosts = options.hosts.unwrap_or(dice.between(1, 4) as usize).max(1);
        let stores = dice.between(1, hosts.min(3) as u64) as usize;
        let publisher_count = dice.between(1, 2) as usize;
        // Machines part over publishers, stores and products, and some are off.
        let per_pool = options.clients / (stores * publisher_count * 4);
        let threshold_max = per_pool.clamp(1, 25) as u64;
        let publishers = (0..publisher_count).map(|number| {
            let policies = policies(number, threshold_max, dice, now)?;
            // A tight budget is reached now and then.
            let budget = match dice.chance(40) {
                true => (options.clients / publisher_count).saturating_sub(2).max(1) as u32,
                false => 100_000,
            };
            Ok((policies, budget))
        });
        let publishers = publishers.collect::<Result<_, Refusal>>()?;
        let may = |fault: &Fault| options.faults.contains(fault);
        let rates = Fault::ALL.into_iter().filter(may);
        let rates = rates.map(|fault| (fault, *dice.pick(&[0, 30, 60, 100, 200])));
        let rates: BTreeMap<Fault, u64> = rates.collect();
        let mut of = |fault: Fault, most: u64| match rates.get(&fault) {
            Some(rate) if *rate > 0 => dice.between(1, most) as u32,
            _ => 0,
        };
        let (lost, late) = (of(Fault::Loss, 60), of(Fault::Delay, 60));
        let recorded = of(Fault::Replay, 100);
        Ok(Self {
            publishers,
            threshold_max,
            stores,
            hosts: (0..hosts).map(|host| host % stores).collect(),
            rates,
            lost,
            late,
            recorded,
        })
    }
}

/// One or two products of a publisher, in one pool or in two.
fn policies(
    publisher: usize,
    threshold_max: u64,
    dice: &mut Dice,
    now: Timestamp,
) -> Result<Vec<Policy>, Refusal> {
    let products = dice.between(1, 2) as usize;
    let shares_pool = dice.chance(500);
    let mut policies: Vec<Policy> = Vec::new();
    for number in 0..products {
        let kind = *dice.pick(&[ProductKind::Client, ProductKind::Server]);
        let product: ProductId = format!("p{publisher}-{number}").parse()?;
        let mut policy = Policy::new(product, "a product", kind, now);
        policy.threshold = dice.between(1, threshold_max) as u32;
        policy.validity = Span::from_days(*dice.pick(&[60, 90, 180, 180]));
        policy.renewal = Span::from_days(*dice.pick(&[7, 7, 7, 7, 14]));
        policy.retry = *dice.pick(&[
            Span::from_hours(2),
            Span::from_hours(2),
            Span::from_hours(4),
            Span::from_hours(12),
        ]);
        if shares_pool && let Some(first) = policies.first() {
            policy.pool = first.pool.clone();
        }
        policies.push(policy);
    }
    Ok(policies)
}
