//! The client's own judgement: what state a product is in, and what happens next.

/// The licence states of one product on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LicenceState {
    /// Never activated, no grace.
    Unlicensed,
    /// In the grace after installation.
    InitialGrace,
    /// Licensed.
    Licensed,
    /// A lease ran out or the hardware changed.
    OutOfToleranceGrace,
    /// The key or host was revoked, or files were tampered with.
    NonGenuineGrace,
    /// Every grace is over: the product notifies.
    Notification,
    /// In the grace that `rearm` gave.
    ExtendedGrace,
}

impl LicenceState {
    /// Every state, in the order of their numbers.
    pub const ALL: [LicenceState; 7] = [
        LicenceState::Unlicensed,
        LicenceState::InitialGrace,
        LicenceState::Licensed,
        LicenceState::OutOfToleranceGrace,
        LicenceState::NonGenuineGrace,
        LicenceState::Notification,
        LicenceState::ExtendedGrace,
    ];

    /// The number an ask and the state file carry.
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// Reads a number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// The state's name, as `--json` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unlicensed => "unlicensed",
            Self::InitialGrace => "initial-grace",
            Self::Licensed => "licensed",
            Self::OutOfToleranceGrace => "out-of-tolerance-grace",
            Self::NonGenuineGrace => "non-genuine-grace",
            Self::Notification => "notification",
            Self::ExtendedGrace => "extended-grace",
        }
    }
}
