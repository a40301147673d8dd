//! The client's rules: what state a product is in, when and whom it asks, what of an answer it
//! believes, and what its two files hold. Clocks, random numbers, bytes and hardware are arguments.
//!
//! | question | module |
//! |---|---|
//! | which state, why, until when | [`judge`](mod@judge) over [`evidence`], by the table of [`transition`] |
//! | what time it is at least | [`trusted_time`] |
//! | when to ask | [`schedule`] |
//! | whom to ask | [`discover`] |
//! | what to ask, what to believe | [`asking`] |
//! | what products without privileges ask the service | [`local`] |
//! | what is done with the files around an ask | [`rounds`] |
//! | what is kept | [`state`], [`identity`], framed by [`files`]; policies and revocations come in by [`install`] |
//! | what is still known of a removed product | [`state::Holding::remove`] |

pub mod asking;
mod batch;
pub mod discover;
pub mod evidence;
pub mod files;
pub mod identity;
pub mod install;
pub mod judge;
pub mod local;
mod memory;
pub mod rounds;
pub mod schedule;
pub mod state;
mod state_codec;
pub mod transition;
mod trust;
pub mod trusted_time;

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
