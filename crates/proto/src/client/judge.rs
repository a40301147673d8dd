//! The judgement at every read: from what is proved, the hardware and the clocks to a state, its
//! reason, and what happens next. It asks no network and changes nothing, so the same evidence at
//! the same moment is always judged the same.
//!
//! The order of questions about a held lease, the first that says no decides: is it enough (method,
//! site, count, base licence, declared hardware), is a key above it revoked, has it ended, is this
//! its hardware, is the clock right.

use crate::hardware::{Component, ComponentTags};
use crate::ids::ProductId;
use crate::reason::{Reason, Refusal, client as reasons};
use crate::rules::{Rule, holds};
use crate::statement::lease::{Lease, LeaseKind};
use crate::statement::policy::{Method, Policy};
use crate::time::{Span, Timestamp};

use super::LicenceState;
use super::evidence::{Compiled, Evidence, Proof, Reader};
use super::schedule;
use super::state::Marks;
use super::transition::{Effect, Event, step};
use super::trusted_time::{Life, Moment, TrustedTime};

/// How far running time may be ahead of a lease's life before it ends it: as much as the clocks may
/// have differed when it was received.
const RUNNING_SLACK: Span = Span::from_hours(4);

/// The hardware as the caller can read it.
pub trait Hardware {
    /// The tag of one component, where it can be read; asked only while it can still change the
    /// outcome.
    fn tag(&mut self, kind: Component) -> Option<u16>;

    /// Whether it was declared with `--sysroot`.
    fn is_declared(&self) -> bool;
}

/// Tags that were read before.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadHardware {
    /// The tags.
    pub tags: ComponentTags,
    /// Whether the hardware was declared.
    pub declared: bool,
}

impl Hardware for ReadHardware {
    fn tag(&mut self, kind: Component) -> Option<u16> {
        self.tags.tag(kind)
    }

    fn is_declared(&self) -> bool {
        self.declared
    }
}

/// What was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The state.
    pub state: LicenceState,
    /// What led to it.
    pub event: Event,
    /// How the held lease was granted.
    pub method: Option<Method>,
    /// When the state ends by itself, as a time of the wall clock.
    pub until: Option<Timestamp>,
    /// Whether it ends soon.
    pub warning: bool,
    /// Why.
    pub reason: Refusal,
    /// What happens next.
    pub next: Option<Next>,
    /// The newest count a host stated.
    pub count: Option<u32>,
    /// The count the policy needs.
    pub required: Option<u32>,
    /// Whether the policy only advises: the product tells and does not restrict.
    pub advisory: bool,
    /// Whether the clock is behind the floor.
    pub clock_behind: bool,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// When, by the wall clock.
    pub at: Timestamp,
    /// `renew` or `retry`.
    pub what: &'static str,
}

impl Judgement {
    /// Whether the product is licensed. Grace is not.
    pub fn is_licensed(&self) -> bool {
        self.state == LicenceState::Licensed
    }

    /// What is judged where nothing is proved.
    pub fn nothing(reason: Refusal) -> Self {
        Self {
            state: LicenceState::Unlicensed,
            event: Event::Unproven,
            method: None,
            until: None,
            warning: false,
            reason,
            next: None,
            count: None,
            required: None,
            advisory: false,
            clock_behind: false,
        }
    }

    /// What moving here from another state makes a service do.
    pub fn effects_from(&self, before: LicenceState) -> &'static [Effect] {
        match step(before, self.event) {
            step if step.state == self.state => step.effects,
            _ if before == self.state => &[],
            _ => &[Effect::Announce],
        }
    }
}

/// Judges one product of an opened state; base licences are judged with it.
pub fn judge_product(
    reader: &mut Reader<'_>,
    product: &ProductId,
    compiled: Compiled,
    hardware: &mut dyn Hardware,
    clocks: Moment,
) -> Judgement {
    let evidence = match reader.evidence(product, compiled) {
        Ok(evidence) => evidence,
        Err(refusal) => return Judgement::nothing(refusal),
    };
    let base = evidence.policy.requires_base.is_empty()
        || has_base(reader, &evidence.policy, hardware, clocks);
    judge(&evidence, base, hardware, clocks)
}

/// Whether one of the base products is licensed. A base product's own base is not asked for: two
/// products that name each other license nobody by that.
pub fn has_base(
    reader: &mut Reader<'_>,
    policy: &Policy,
    hardware: &mut dyn Hardware,
    clocks: Moment,
) -> bool {
    policy.requires_base.iter().any(|product| {
        reader
            .evidence(product, Compiled::default())
            .is_ok_and(|evidence| {
                evidence.policy.requires_base.is_empty()
                    && judge(&evidence, true, hardware, clocks).is_licensed()
            })
    })
}

/// What the service does in each round: judges, notes what it noticed for the first time in the
/// evidence's marks, and judges again, so that a timer begins when its cause was noticed. Whoever
/// only reads takes the last write of the state for that moment.
pub fn tend(
    evidence: &mut Evidence,
    base: bool,
    hardware: &mut dyn Hardware,
    clocks: Moment,
) -> Judgement {
    let judgement = judge(evidence, base, hardware, clocks);
    if note(&mut evidence.marks, &judgement, clocks) {
        return judge(evidence, base, hardware, clocks);
    }
    judgement
}

/// Judges evidence. `base` says whether a base licence was found where the policy needs one.
pub fn judge(
    evidence: &Evidence,
    base: bool,
    hardware: &mut dyn Hardware,
    clocks: Moment,
) -> Judgement {
    let time = TrustedTime::judge(clocks, evidence.floor);
    let finding = find(evidence, base, hardware, &time);
    let policy = &evidence.policy;
    let mut state = rest(evidence);
    state = step(state, finding.event).state;
    let (mut left, mut reason) = match state {
        LicenceState::Licensed => (finding.left, finding.reason.clone()),
        LicenceState::OutOfToleranceGrace | LicenceState::NonGenuineGrace => {
            (finding.left, finding.reason.clone())
        }
        LicenceState::InitialGrace => {
            let left = policy
                .initial_grace
                .less(time.elapsed(evidence.marks.installed));
            (Some(left), in_grace(&finding, reasons::INITIAL_GRACE))
        }
        _ => (None, finding.reason.clone()),
    };
    if left == Some(Span::ZERO) && state != LicenceState::Licensed {
        state = step(state, Event::GraceOver).state;
        (left, reason) = (None, finding.reason.clone());
    }
    if let Some(rearmed) = evidence.marks.rearmed {
        let grace = policy.extended_grace.less(time.elapsed(rearmed));
        let rearmed = step(state, Event::Rearmed).state;
        if rearmed == LicenceState::ExtendedGrace && grace > Span::ZERO {
            (state, left) = (rearmed, Some(grace));
            reason = in_grace(&finding, reasons::EXTENDED_GRACE);
        } else if rearmed == LicenceState::ExtendedGrace {
            state = step(rearmed, Event::GraceOver).state;
            left = None;
        }
    }
    conclude(evidence, &finding, state, left, reason, clocks, time)
}

/// Adds up a judgement.
fn conclude(
    evidence: &Evidence,
    finding: &Finding,
    state: LicenceState,
    left: Option<Span>,
    reason: Refusal,
    clocks: Moment,
    time: TrustedTime,
) -> Judgement {
    let policy = &evidence.policy;
    let licensed = state == LicenceState::Licensed;
    let lease = evidence.lease.as_ref();
    let whole = lease.map_or(Span::ZERO, |proof| {
        ends(&proof.lease, policy).since(proof.lease.issued)
    });
    // A lease shorter than the warning would be warned about all its life.
    let warned = policy.warning.min(Span::from_seconds(whole.seconds() / 2));
    let warning = licensed && left.is_some_and(|left| left <= warned);
    let reason = if warning && reason.reason == reasons::LICENSED {
        reasons::LICENSED_ENDS_SOON.into()
    } else {
        reason
    };
    let base_time = if time.behind { clocks.wall } else { time.now };
    Judgement {
        state,
        event: finding.event,
        method: lease.map(|proof| method(&proof.lease)),
        until: left.map(|left| base_time + left),
        warning,
        reason,
        next: evidence.next_ask.map(|next| Next {
            at: schedule::shown(next, clocks),
            what: if licensed { "renew" } else { "retry" },
        }),
        count: evidence.counted.or(lease.map(|proof| proof.lease.count)),
        required: Some(policy.threshold),
        advisory: policy.advisory,
        clock_behind: time.behind,
    }
}

/// The state of a product before its lease is looked at.
fn rest(evidence: &Evidence) -> LicenceState {
    if evidence.lease.is_some() {
        LicenceState::Licensed
    } else if evidence.policy.initial_grace > Span::ZERO {
        step(LicenceState::Unlicensed, Event::Installed).state
    } else {
        LicenceState::Unlicensed
    }
}

/// In a grace that no lease gave, a reason that says more than the grace's own is kept.
fn in_grace(finding: &Finding, grace: Reason) -> Refusal {
    if finding.reason.reason == reasons::NEVER_LICENSED {
        grace.into()
    } else {
        finding.reason.clone()
    }
}

/// What was found about the lease, and how long its state lasts.
struct Finding {
    event: Event,
    reason: Refusal,
    left: Option<Span>,
}

fn find(
    evidence: &Evidence,
    base: bool,
    hardware: &mut dyn Hardware,
    time: &TrustedTime,
) -> Finding {
    let Some(proof) = &evidence.lease else {
        return unproven(evidence, time, nothing_held(evidence));
    };
    if let Err(refusal) = is_enough(proof, &evidence.policy, base, hardware.is_declared()) {
        return unproven(evidence, time, refusal);
    }
    if let Some(revoked) = proof.revoked.as_ref().or(evidence.policy_revoked.as_ref()) {
        let since = evidence.marks.revoked.unwrap_or(evidence.written);
        return Finding {
            event: Event::Revoked,
            reason: Refusal::new(reasons::REVOKED, revoked.detail.clone()),
            left: Some(evidence.policy.non_genuine_grace.less(time.elapsed(since))),
        };
    }
    let grace = evidence.policy.tolerance_grace;
    let life = LifeLeft::of(proof, &evidence.policy, time);
    if life.left == Span::ZERO {
        return Finding {
            event: Event::Expired,
            reason: Refusal::new(reasons::LEASE_ENDED, format!("by {}", life.clock)),
            left: Some(grace.less(life.over)),
        };
    }
    if let Err(refusal) = fits(&proof.lease.components, &evidence.policy, hardware) {
        let since = evidence.marks.hardware.unwrap_or(evidence.written);
        return Finding {
            event: Event::HardwareChanged,
            reason: refusal,
            left: Some(grace.less(time.elapsed(since))),
        };
    }
    if time.behind && proof.life == Life::Clock && holds(Rule::ClockBehind) {
        let since = evidence.marks.clock.unwrap_or(evidence.written);
        return Finding {
            event: Event::ClockBehind,
            reason: Refusal::new(
                reasons::CLOCK_BEHIND,
                format!("by {}", evidence.floor.since(time.wall)),
            ),
            left: Some(grace.less(time.elapsed_running(since))),
        };
    }
    Finding {
        event: Event::Licensed,
        reason: match proof.life {
            Life::Clock => reasons::LICENSED.into(),
            Life::Running => reasons::LICENSED_BY_RUNNING_TIME.into(),
        },
        left: Some(life.left),
    }
}

fn unproven(evidence: &Evidence, time: &TrustedTime, reason: Refusal) -> Finding {
    let since = evidence.marks.unproven.unwrap_or(evidence.written);
    let grace = evidence.policy.tolerance_grace;
    Finding {
        event: Event::Unproven,
        reason,
        left: Some(grace.less(time.elapsed(since))),
    }
}

fn nothing_held(evidence: &Evidence) -> Refusal {
    if let Some(refused) = &evidence.refused {
        return refused.clone();
    }
    match evidence.counted {
        Some(count) if count < evidence.policy.threshold => count_below(count, &evidence.policy),
        _ => reasons::NEVER_LICENSED.into(),
    }
}

fn count_below(count: u32, policy: &Policy) -> Refusal {
    let detail = format!("{count} of {}", policy.threshold);
    Refusal::new(reasons::COUNT_BELOW, detail)
}

/// Whether a lease is enough for a policy: method, site, count, base licence, declared hardware.
pub(super) fn is_enough(
    proof: &Proof,
    policy: &Policy,
    base: bool,
    declared: bool,
) -> Result<(), Refusal> {
    let method = method(&proof.lease);
    if !policy.methods.holds(method) {
        return Err(Refusal::new(reasons::METHOD_NOT_ALLOWED, method.name()));
    }
    if policy.site.is_some() && proof.site != policy.site {
        let site = |site: &Option<_>| site.as_ref().map_or("none".into(), ToString::to_string);
        let detail = format!(
            "{}, the policy names {}",
            site(&proof.site),
            site(&policy.site)
        );
        return Err(Refusal::new(reasons::SITE_OTHER, detail));
    }
    let allowance = u32::from(!holds(Rule::Threshold));
    if proof.lease.kind == LeaseKind::Kms && proof.lease.count + allowance < policy.threshold {
        return Err(count_below(proof.lease.count, policy));
    }
    if declared && policy.refuse_declared {
        return Err(reasons::HARDWARE_DECLARED.into());
    }
    if !base {
        return Err(reasons::BASE_MISSING.into());
    }
    Ok(())
}

fn method(lease: &Lease) -> Method {
    match lease.kind {
        LeaseKind::Kms => Method::Kms,
        LeaseKind::Vm => Method::Vm,
    }
}

/// When a lease ends: what it says, but never later than its `issued` and the policy's validity.
pub fn ends(lease: &Lease, policy: &Policy) -> Timestamp {
    let validity = match lease.kind {
        LeaseKind::Kms => policy.validity,
        LeaseKind::Vm => policy.vm_validity,
    };
    lease.expires.min(lease.issued + validity)
}

/// How much of a lease's life is left, or for how long it has been over.
struct LifeLeft {
    left: Span,
    over: Span,
    clock: &'static str,
}

impl LifeLeft {
    fn of(proof: &Proof, policy: &Policy, time: &TrustedTime) -> Self {
        let end = ends(&proof.lease, policy);
        let whole = end.since(proof.lease.issued);
        let run = time.elapsed_running(proof.received);
        let slack = match proof.life {
            Life::Clock => RUNNING_SLACK,
            Life::Running => Span::ZERO,
        };
        let running = Self {
            left: (whole + slack).less(run),
            over: run.less(whole + slack),
            clock: "running time",
        };
        if (proof.life == Life::Running || time.behind) && holds(Rule::RunningTime) {
            return running;
        }
        let clock = Self {
            left: end.since(time.now),
            over: time.now.since(end),
            clock: "the clock",
        };
        // The first to end it rules.
        match clock.left <= running.left && clock.over >= running.over {
            _ if !holds(Rule::RunningTime) => clock,
            true => clock,
            false => running,
        }
    }
}

/// The order in which components are read: the cheapest first. A disk comes last, since the kernel
/// may ask the device itself for its serial number.
const READING_ORDER: [Component; 8] = [
    Component::Installation,
    Component::Model,
    Component::SystemUuid,
    Component::BoardSerial,
    Component::Memory,
    Component::Processor,
    Component::Network,
    Component::Disk,
];

/// Whether this hardware is the lease's: enough components readable on both sides, and enough of
/// those the same. Reading stops as soon as what is left cannot change the outcome.
fn fits(
    lease: &ComponentTags,
    policy: &Policy,
    hardware: &mut dyn Hardware,
) -> Result<(), Refusal> {
    let named = READING_ORDER
        .into_iter()
        .filter_map(|kind| lease.tag(kind).map(|tag| (kind, tag)));
    let in_all = u32::try_from(named.clone().count()).expect("there are eight kinds");
    let (mut matches, mut readable) = (0u32, 0u32);
    for (kind, tag) in named {
        if let Some(own) = hardware.tag(kind) {
            readable += 1;
            matches += u32::from(own == tag);
        }
        let enough = matches * 100 >= policy.hardware_percent * in_all;
        if enough && readable >= policy.hardware_floor {
            return Ok(());
        }
    }
    let enough = matches * 100 >= policy.hardware_percent * readable;
    if enough && readable >= policy.hardware_floor {
        return Ok(());
    }
    let detail = format!(
        "{matches} of {readable} readable components are the same, {} % and at least {} are needed",
        policy.hardware_percent, policy.hardware_floor
    );
    Err(Refusal::new(reasons::HARDWARE_CHANGED, detail))
}

/// Notes what a judgement noticed, so that its timer runs from now; forgets what is over. Tells
/// whether anything changed.
fn note(marks: &mut Marks, judgement: &Judgement, now: Moment) -> bool {
    let before = *marks;
    if judgement.is_licensed() {
        *marks = Marks {
            installed: before.installed,
            ..Marks::default()
        };
        return *marks != before;
    }
    if !judgement.clock_behind {
        marks.clock = None;
    }
    let mark = match judgement.event {
        Event::HardwareChanged => Some(&mut marks.hardware),
        Event::ClockBehind => Some(&mut marks.clock),
        Event::Revoked => Some(&mut marks.revoked),
        Event::Unproven if judgement.method.is_some() => Some(&mut marks.unproven),
        _ => None,
    };
    if let Some(mark) = mark {
        mark.get_or_insert(now);
    }
    *marks != before
}
