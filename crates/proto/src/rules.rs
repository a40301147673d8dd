//! Rules by name, so that a test can switch one off and must then see a
//! forged chain accepted or a promise broken. Without the feature `break-rules`, which only tests
//! enable, every rule always holds.

/// Whether every rule holds and every signature is one: true but with the features `break-rules` and
/// `cheap-signatures`, which only tests enable. Whatever touches a real machine asks for it when it is
/// compiled.
pub const ARE_WHOLE: bool = !cfg!(any(feature = "break-rules", feature = "cheap-signatures"));

/// A rule that can be broken on purpose in tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Signatures fit.
    Signature,
    /// The signer table.
    SignerTable,
    /// The publisher of every statement is the anchor's.
    Publisher,
    /// Each statement names the certificate it stands under.
    Parent,
    /// Products only narrow.
    Products,
    /// Sites only narrow.
    Sites,
    /// Times only narrow.
    Times,
    /// A certificate of depth 0 certifies nobody.
    Depth,
    /// Client budgets only narrow.
    Budget,
    /// Permission flags only narrow, and what is not granted is refused.
    Flags,
    /// A statement is issued while every certificate above is valid.
    ValidWhenIssued,
    /// Revoked keys are refused.
    Revocation,
    /// A lease is of the kind its signer grants, and no longer than that kind may last.
    LeaseKind,
    /// A policy stays within the bounds of the key that signed it.
    PolicyBounds,
    /// An issuing key revokes no root key and moves the revocation number by small steps only.
    RevocationBounds,
    /// A host answers the same nonce again with the same ticket.
    RepeatedNonce,
    /// A host accepts a true ticket of a later generation than its own record.
    LaterTicket,
    /// A host believes only tickets that its store gave out.
    TrueTicket,
    /// A host orders a new key where two machines share one identity.
    SharedIdentity,
    /// A predecessor stays in the count when it has asked again since the order.
    FreshOrder,
    /// A predecessor leaves the count when its successor first asks.
    PredecessorLeaves,
    /// Only orders of the own store move a predecessor out of the count.
    TrueOrder,
    /// A client counts until its window has passed, and no longer.
    CountWindow,
    /// A host whose clock has jumped signs nothing.
    HostClockJump,
    /// A lease licenses only where its count has reached the threshold.
    Threshold,
    /// A host that refuses or lets wait takes no lease away.
    LeaseKept,
    /// A lease that is not enough does not take the place of one that is.
    LeaseSetAside,
    /// A lease ends with running time too, whatever the clock says.
    RunningTime,
    /// A clock far behind the floor is not believed.
    ClockBehind,
    /// Time that a host signed far ahead of the own clock does not raise the floor.
    FloorBound,
    /// Orders to make a new key are obeyed a few times only.
    OrdersBounded,
    /// Asks of a fleet are spread.
    Jitter,
    /// No policy gives way to an older one.
    PolicyForward,
    /// A host product key activates so many machines and no more.
    HostsOfKey,
    /// A machine is activated so often and no more.
    ActivationsOfHost,
    /// The same request again costs nothing.
    RequestOnce,
    /// A certificate is renewed once.
    RenewedOnce,
}

impl Rule {
    /// Every rule of a host's tickets.
    pub const TICKETS: [Rule; 7] = [
        Rule::RepeatedNonce,
        Rule::LaterTicket,
        Rule::TrueTicket,
        Rule::SharedIdentity,
        Rule::FreshOrder,
        Rule::PredecessorLeaves,
        Rule::TrueOrder,
    ];

    /// Every rule that shows in time or between machines, which the simulator looks after.
    pub const IN_TIME: [Rule; 15] = [
        Rule::CountWindow,
        Rule::HostClockJump,
        Rule::Threshold,
        Rule::LeaseKept,
        Rule::LeaseSetAside,
        Rule::RunningTime,
        Rule::ClockBehind,
        Rule::FloorBound,
        Rule::OrdersBounded,
        Rule::Jitter,
        Rule::PolicyForward,
        Rule::HostsOfKey,
        Rule::ActivationsOfHost,
        Rule::RequestOnce,
        Rule::RenewedOnce,
    ];

    /// Every rule of verification.
    pub const ALL: [Rule; 15] = [
        Rule::Signature,
        Rule::SignerTable,
        Rule::Publisher,
        Rule::Parent,
        Rule::Products,
        Rule::Sites,
        Rule::Times,
        Rule::Depth,
        Rule::Budget,
        Rule::Flags,
        Rule::ValidWhenIssued,
        Rule::Revocation,
        Rule::LeaseKind,
        Rule::PolicyBounds,
        Rule::RevocationBounds,
    ];
}

#[cfg(feature = "break-rules")]
mod switch {
    use super::Rule;
    use std::cell::Cell;

    thread_local! {
        static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    /// Puts the rule back, also when the test panics.
    struct Mended;

    impl Drop for Mended {
        fn drop(&mut self) {
            BROKEN.set(None);
        }
    }

    /// Runs `test` with one rule switched off in this thread.
    pub fn without<T>(rule: Rule, test: impl FnOnce() -> T) -> T {
        let _mended = Mended;
        BROKEN.set(Some(rule));
        test()
    }

    /// Whether a rule holds in this thread.
    pub fn holds(rule: Rule) -> bool {
        BROKEN.get() != Some(rule)
    }
}

#[cfg(feature = "break-rules")]
pub use switch::{holds, without};

/// Whether a rule holds: always, but in tests that enable the feature `break-rules`.
#[cfg(not(feature = "break-rules"))]
pub const fn holds(_: Rule) -> bool {
    true
}
