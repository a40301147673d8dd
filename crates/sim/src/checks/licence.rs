//! What each machine was granted, and whether it is licensed just as long as that lasts. The model
//! knows the true time, how long each machine was on, and what was really counted.

use std::collections::BTreeMap;

use muster_proto::client::LicenceState;
use muster_proto::ids::{ProductId, Thumbprint};
use muster_proto::limits::{CLOCK_DIFFERENCE_REPORTED_SECONDS, FLOOR_ABOVE_OWN_CLOCK_SECONDS};
use muster_proto::statement::policy::Policy;

use super::{Checker, Held, hold};

const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;

/// The models of all machines, and what all of them are judged by.
#[derive(Default)]
pub(crate) struct Licences {
    pub(crate) machines: Vec<MachineModel>,
    /// The numbers under which signing keys were revoked.
    pub(crate) revoked: BTreeMap<Thumbprint, u64>,
    /// Policies below these versions stand under a key that was revoked with this number.
    pub(crate) resigned: Vec<Revocation>,
    terms: BTreeMap<(ProductId, u32), Terms>,
    /// How often somebody was judged, and found licensed.
    pub(crate) judged: u64,
    pub(crate) licensed: u64,
}

/// Policies that an issuing key's revocation ended.
pub(crate) struct Revocation {
    pub(crate) number: u64,
    pub(crate) below: BTreeMap<ProductId, u32>,
}

/// What one version of a policy says.
#[derive(Clone, Copy)]
struct Terms {
    threshold: u32,
    validity: u64,
    tolerance: u64,
    /// When it was signed: no earlier time is believed.
    issued: u64,
}

/// What one machine holds, as a copy of it would too.
#[derive(Clone, Default)]
pub(crate) struct MachineModel {
    products: BTreeMap<ProductId, ProductModel>,
    /// How long it was on before, and since when it is.
    on_before: u64,
    on_since: Option<u64>,
    /// How often it failed without writing its time down.
    failures: u64,
    /// The latest time that answers proved to it.
    floor: u64,
    wall_max: u64,
    /// The revocation number it holds.
    pub(crate) learned: u64,
    /// When a host last refused it.
    pub(crate) refused: Option<u64>,
}

#[derive(Clone, Default)]
struct ProductModel {
    version: u32,
    lease: Option<Grant>,
    counted: Option<Grant>,
    /// For how long it was on when its clock was found far behind what was proved.
    behind_at: Option<u64>,
    /// Whether the machine is other hardware than the lease names.
    is_moved: bool,
    /// When it was last granted, and the true count then.
    granted: Option<(u64, u32)>,
}

/// A lease as it was granted.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) product: ProductId,
    /// What the lease says, and what the model counted.
    pub(crate) count: u32,
    pub(crate) counted: u32,
    pub(crate) issued: u64,
    pub(crate) expires: u64,
    /// The machine's clock at receipt.
    pub(crate) wall: u64,
    /// The host's keys up to the root, its own first.
    pub(crate) keys: Vec<Thumbprint>,
    /// For how long the machine had been on, and how often it had failed.
    pub(crate) on: u64,
    pub(crate) failures: u64,
}

impl Grant {
    /// Whether only running time counts: the clocks differed.
    fn is_by_running_time(&self) -> bool {
        self.wall.abs_diff(self.issued) > CLOCK_DIFFERENCE_REPORTED_SECONDS
    }
}

/// One judgement of a product.
pub(crate) struct Seen<'a> {
    pub(crate) machine: usize,
    pub(crate) product: &'a ProductId,
    pub(crate) state: LicenceState,
    /// The machine's clock.
    pub(crate) wall: u64,
    pub(crate) now: u64,
}

impl Licences {
    /// A version of a policy was signed.
    pub(crate) fn published(&mut self, policy: &Policy) {
        let terms = Terms {
            threshold: policy.threshold,
            validity: policy.validity.seconds(),
            tolerance: policy.tolerance_grace.seconds(),
            issued: policy.issued.seconds(),
        };
        self.terms
            .insert((policy.product.clone(), policy.version), terms);
    }

    /// The threshold of the policy that a machine holds.
    pub(crate) fn threshold(&self, machine: usize, product: &ProductId) -> Option<u32> {
        let version = self.machines[machine].products.get(product)?.version;
        let terms = self.terms.get(&(product.clone(), version))?;
        Some(terms.threshold)
    }

    /// A machine holds this version of a policy now.
    pub(crate) fn policy(&mut self, machine: usize, product: &ProductId, version: u32) -> Held {
        let terms = self.terms.get(&(product.clone(), version)).copied();
        let model = self.machines[machine].products.entry(product.clone());
        let model = model.or_default();
        hold(Checker::PolicyForward, version >= model.version, || {
            format!(
                "machine {machine}: {product} from version {} to {version}",
                model.version
            )
        })?;
        model.version = version;
        let is_enough = |grant: &Grant| terms.is_some_and(|it| grant.count >= it.threshold);
        if model.counted.as_ref().is_some_and(is_enough) {
            model.lease = model.counted.take();
        }
        Ok(())
    }

    /// A machine took leases in.
    pub(crate) fn granted(&mut self, machine: usize, grants: &[Grant], now: u64) -> Held {
        for grant in grants.iter().cloned() {
            let learned = self.machines[machine].learned;
            let believed = self.revoked_of(&grant.keys, learned).is_none();
            hold(Checker::RevokedNotBelieved, believed, || {
                format!("machine {machine} took a lease of {:?}", grant.keys.first())
            })?;
            let threshold = self.threshold(machine, &grant.product);
            let model = &mut self.machines[machine];
            let product = model.products.entry(grant.product.clone()).or_default();
            product.behind_at = None;
            product.granted = Some((now, grant.counted));
            match threshold {
                Some(threshold) if grant.count >= threshold => {
                    (product.lease, product.counted) = (Some(grant), None);
                    product.is_moved = false;
                }
                _ => product.counted = Some(grant),
            }
        }
        Ok(())
    }

    /// A machine took an answer's time in; `floor` is the one it holds then.
    pub(crate) fn heard(&mut self, machine: usize, issued: u64, wall: u64, floor: u64) -> Held {
        let model = &mut self.machines[machine];
        model.wall_max = model.wall_max.max(wall);
        if issued <= wall + FLOOR_ABOVE_OWN_CLOCK_SECONDS {
            model.floor = model.floor.max(issued);
        }
        let highest = model.wall_max + FLOOR_ABOVE_OWN_CLOCK_SECONDS;
        hold(Checker::FloorBounded, floor <= highest, || {
            format!(
                "machine {machine}: floor {floor}, its clock was {} at most",
                model.wall_max
            )
        })
    }

    /// A product was judged: is it licensed just as long as its lease lasts?
    pub(crate) fn judged(&mut self, seen: &Seen<'_>) -> Held {
        self.judged += 1;
        self.licensed += u64::from(seen.state == LicenceState::Licensed);
        let model = &mut self.machines[seen.machine];
        model.wall_max = model.wall_max.max(seen.wall);
        let (on, failures) = (model.on(seen.now), model.failures);
        let mut behind = false;
        if let Some(product) = model.products.get_mut(seen.product) {
            let terms = self.terms.get(&(seen.product.clone(), product.version));
            let floor = terms.map_or(0, |terms| terms.issued).max(model.floor);
            behind = floor.saturating_sub(seen.wall) > CLOCK_DIFFERENCE_REPORTED_SECONDS;
            product.behind_at = match product.behind_at {
                _ if !behind => None,
                None => Some(on),
                before => before,
            };
        }
        let model = &self.machines[seen.machine];
        let Some(product) = model.products.get(seen.product) else {
            return Ok(());
        };
        let Some(terms) = self.terms.get(&(seen.product.clone(), product.version)) else {
            return Ok(());
        };
        let at = At {
            on,
            failures,
            behind,
        };
        if seen.state == LicenceState::Licensed {
            self.may_be_licensed(seen, product, terms, &at)?;
        }
        let revoked = self.is_revoked(seen, product);
        if !product.is_moved && !revoked {
            must_be_licensed(seen, product, terms, &at)?;
        }
        gains_one_grace(seen, product, terms, &at)
    }

    fn may_be_licensed(
        &self,
        seen: &Seen<'_>,
        product: &ProductModel,
        terms: &Terms,
        at: &At,
    ) -> Held {
        let who = || format!("machine {}, {}", seen.machine, seen.product);
        let held = product.lease.iter().chain(&product.counted);
        let mut enough = held.filter(|grant| grant.counted >= terms.threshold);
        let grant = enough.next();
        hold(Checker::ThresholdReached, grant.is_some(), || {
            let counted = product.lease.as_ref().map(|grant| grant.counted);
            format!("{}: counted {counted:?}, needed {}", who(), terms.threshold)
        })?;
        let Some(grant) = grant else { return Ok(()) };
        let learned = self.machines[seen.machine].learned;
        let revoked = self.revoked_of(&grant.keys, learned);
        hold(Checker::RevokedNotBelieved, revoked.is_none(), || {
            format!("{}: licensed by a host revoked as {revoked:?}", who())
        })?;
        let is_over = seen.wall >= grant.expires && !grant.is_by_running_time();
        hold(Checker::LeaseEnds, !is_over, || {
            format!(
                "{}: it ended at {}, the clock shows {}",
                who(),
                grant.expires,
                seen.wall
            )
        })?;
        // Each failure may lose the running time since it was written down last.
        let lost = (at.failures - grant.failures + 1) * HOUR;
        let slack = CLOCK_DIFFERENCE_REPORTED_SECONDS + lost;
        let ran = at.on.saturating_sub(grant.on);
        hold(Checker::LeaseEnds, ran <= terms.validity + slack, || {
            format!("{}: it was on for {ran} s since", who())
        })
    }

    fn is_revoked(&self, seen: &Seen<'_>, product: &ProductModel) -> bool {
        let learned = self.machines[seen.machine].learned;
        let of_lease = product.lease.as_ref();
        let of_lease = of_lease.and_then(|grant| self.revoked_of(&grant.keys, learned));
        let of_policy = self.resigned.iter().any(|it| {
            let below = it.below.get(seen.product);
            it.number <= learned && below.is_some_and(|version| product.version < *version)
        });
        of_lease.is_some() || of_policy
    }

    /// The number under which one of some keys was revoked, where a machine knows it.
    fn revoked_of(&self, keys: &[Thumbprint], learned: u64) -> Option<u64> {
        let numbers = keys.iter().filter_map(|key| self.revoked.get(key));
        numbers.copied().find(|number| *number <= learned)
    }
}

/// How a machine stands when it is judged.
struct At {
    on: u64,
    failures: u64,
    behind: bool,
}

/// A machine whose lease lasts by every clock is licensed.
fn must_be_licensed(seen: &Seen<'_>, product: &ProductModel, terms: &Terms, at: &At) -> Held {
    let Some(grant) = &product.lease else {
        return Ok(());
    };
    let ran = at.on.saturating_sub(grant.on);
    // The floor may stand up to four hours above the clock.
    let clock_lasts = seen.wall + CLOCK_DIFFERENCE_REPORTED_SECONDS < grant.expires;
    let lasts = match grant.is_by_running_time() {
        true => ran < terms.validity,
        false => ran < terms.validity && clock_lasts && !at.behind,
    };
    if grant.count < terms.threshold || !lasts {
        return Ok(());
    }
    let is_licensed = seen.state == LicenceState::Licensed;
    hold(Checker::ValidLeaseKept, is_licensed, || {
        let (machine, product) = (seen.machine, seen.product);
        let left = terms.validity - ran;
        format!(
            "machine {machine}, {product}: {} with {left} s left",
            seen.state.name()
        )
    })
}

/// A machine whose clock is far behind what was proved runs on for one grace and no longer.
fn gains_one_grace(seen: &Seen<'_>, product: &ProductModel, terms: &Terms, at: &At) -> Held {
    let (Some(grant), Some(since)) = (&product.lease, product.behind_at) else {
        return Ok(());
    };
    let lasts = at.on.saturating_sub(grant.on) < terms.validity;
    if grant.is_by_running_time() || !lasts {
        return Ok(());
    }
    let states = [LicenceState::Licensed, LicenceState::OutOfToleranceGrace];
    let lost = (at.failures - grant.failures + 1) * HOUR;
    let gained = at.on.saturating_sub(since);
    let is_bounded = !states.contains(&seen.state) || gained <= terms.tolerance + DAY + lost;
    hold(Checker::ClockBackGainsLittle, is_bounded, || {
        let (machine, product) = (seen.machine, seen.product);
        format!("machine {machine}, {product}: on for {gained} s with its clock far behind")
    })
}

impl MachineModel {
    /// For how long it has been on in all.
    pub(crate) fn on(&self, now: u64) -> u64 {
        self.on_before + self.on_since.map_or(0, |since| now - since)
    }

    /// It is switched on.
    pub(crate) fn starts(&mut self, now: u64) {
        self.on_since.get_or_insert(now);
    }

    /// It stops: in order, or by a failure.
    pub(crate) fn stops(&mut self, now: u64, is_failure: bool) {
        self.on_before = self.on(now);
        self.on_since = None;
        self.failures += u64::from(is_failure);
    }

    /// The true count when a product was granted last, where that was since a time.
    pub(crate) fn counted_since(&self, product: &ProductId, since: u64) -> Option<u32> {
        let granted = self.products.get(product)?.granted;
        granted
            .filter(|(at, _)| *at >= since)
            .map(|(_, count)| count)
    }

    /// The model as a backup keeps it: it is on no longer.
    pub(crate) fn frozen(&self, now: u64) -> Self {
        let mut model = self.clone();
        model.stops(now, false);
        model
    }

    /// The same machine's files as they were: what it knew then, in how long it has been on by now.
    pub(crate) fn set_back(&mut self, before: &Self, now: u64) {
        let on = self.on(now);
        let aged = on.saturating_sub(before.on(now));
        let (on_before, on_since) = (self.on_before, self.on_since);
        let (failures, wall_max) = (self.failures, self.wall_max);
        *self = before.clone();
        (self.on_before, self.on_since) = (on_before, on_since);
        (self.failures, self.wall_max) = (failures, wall_max);
        for product in self.products.values_mut() {
            let grants = product.lease.iter_mut().chain(&mut product.counted);
            grants.for_each(|grant| grant.on += aged);
            product.behind_at = None;
        }
    }

    /// The files are on other hardware now.
    pub(crate) fn moves(&mut self) {
        self.products.values_mut().for_each(|it| it.is_moved = true);
    }

    /// How often it failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }

    /// Its state was lost: what it had proved of leases and time is gone.
    pub(crate) fn loses_state(&mut self) {
        self.products.clear();
        (self.floor, self.learned) = (0, 0);
    }
}
