//! What must hold in every world, after every step, judged by models that are simpler than the rules
//! and know nothing of them: a set of who was seen when, a list of what was granted, a clock that is
//! always right.

mod certified;
mod copies;
mod count;
mod licence;
mod schedule;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use certified::{Certified, Granted};
pub(crate) use copies::Copies;
pub(crate) use count::{Counts, StoreModel};
pub(crate) use licence::{Grant, Licences, MachineModel, Revocation, Seen};
pub(crate) use schedule::Schedules;

/// A promise of muster with the name that a violation prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checker {
    /// The count of a pool is the number of distinct clients seen within its window.
    CountExact,
    /// A recorded ask that is delivered again counts nobody.
    ReplayCountsNobody,
    /// What a store acknowledged is in it, also after a crash.
    AcknowledgedKept,
    /// A host counts no more clients than its certificate allows.
    BudgetKept,
    /// Nobody is licensed by a lease whose true count is below the threshold.
    ThresholdReached,
    /// A valid lease licenses until its own end, whatever fails.
    ValidLeaseKept,
    /// No lease licenses beyond its end, by the clock or by running time.
    LeaseEnds,
    /// A clock that was set back gains one grace.
    ClockBackGainsLittle,
    /// No host's time raises a floor far above the machine's own clock.
    FloorBounded,
    /// A host whose clock has jumped signs nothing.
    JumpedClockSignsNothing,
    /// Nothing of a host is believed that the client knows to be revoked.
    RevokedNotBelieved,
    /// A client's policies never go back.
    PolicyForward,
    /// Machines that share one identity are told apart.
    CopiesToldApart,
    /// A machine that was never copied makes no new key.
    HonestKeepsKey,
    /// At most three new keys in 30 days.
    RekeysBounded,
    /// Every machine asks again in time, and not too often.
    AsksInTime,
    /// The asks of a fleet are spread.
    AsksSpread,
    /// A host product key activates no more machines, and none more often, than it may.
    ActivationsLimited,
    /// A certificate that was handed out is known to the authority.
    ActivationKept,
    /// The same request is answered by the same certificate.
    RequestOnce,
    /// A certificate has one successor.
    RenewedOnce,
    /// Once faults stop, whoever is entitled is licensed.
    EventuallyLicensed,
}

impl Checker {
    /// Every checker.
    pub const ALL: [Checker; 22] = [
        Checker::CountExact,
        Checker::ReplayCountsNobody,
        Checker::AcknowledgedKept,
        Checker::BudgetKept,
        Checker::ThresholdReached,
        Checker::ValidLeaseKept,
        Checker::LeaseEnds,
        Checker::ClockBackGainsLittle,
        Checker::FloorBounded,
        Checker::JumpedClockSignsNothing,
        Checker::RevokedNotBelieved,
        Checker::PolicyForward,
        Checker::CopiesToldApart,
        Checker::HonestKeepsKey,
        Checker::RekeysBounded,
        Checker::AsksInTime,
        Checker::AsksSpread,
        Checker::ActivationsLimited,
        Checker::ActivationKept,
        Checker::RequestOnce,
        Checker::RenewedOnce,
        Checker::EventuallyLicensed,
    ];

    /// The name that is printed: `count-exact`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountExact => "count-exact",
            Self::ReplayCountsNobody => "replay-counts-nobody",
            Self::AcknowledgedKept => "acknowledged-kept",
            Self::BudgetKept => "budget-kept",
            Self::ThresholdReached => "threshold-reached",
            Self::ValidLeaseKept => "valid-lease-kept",
            Self::LeaseEnds => "lease-ends",
            Self::ClockBackGainsLittle => "clock-back-gains-little",
            Self::FloorBounded => "floor-bounded",
            Self::JumpedClockSignsNothing => "jumped-clock-signs-nothing",
            Self::RevokedNotBelieved => "revoked-not-believed",
            Self::PolicyForward => "policy-forward",
            Self::CopiesToldApart => "copies-told-apart",
            Self::HonestKeepsKey => "honest-keeps-key",
            Self::RekeysBounded => "rekeys-bounded",
            Self::AsksInTime => "asks-in-time",
            Self::AsksSpread => "asks-spread",
            Self::ActivationsLimited => "activations-limited",
            Self::ActivationKept => "activation-kept",
            Self::RequestOnce => "request-once",
            Self::RenewedOnce => "renewed-once",
            Self::EventuallyLicensed => "eventually-licensed",
        }
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A promise that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) checker: Checker,
    pub(crate) detail: String,
}

/// Whether a promise holds.
pub(crate) type Held = Result<(), Broken>;

/// Refuses where a promise does not hold.
pub(crate) fn hold(checker: Checker, is_held: bool, detail: impl FnOnce() -> String) -> Held {
    if is_held {
        return Ok(());
    }
    Err(Broken {
        checker,
        detail: detail(),
    })
}

/// Every model of one world.
#[derive(Default)]
pub(crate) struct Checks {
    pub(crate) counts: Counts,
    pub(crate) licences: Licences,
    pub(crate) copies: Copies,
    pub(crate) schedules: Schedules,
    /// By publisher.
    pub(crate) certified: BTreeMap<usize, Certified>,
}
