//! The KMS host's decisions: who is counted, who gets a lease, who must make a new key.
//!
//! [`Desk::decide`] takes what the store knows, the opened ask and the time, and gives back what to
//! answer, why, and what to change. The store loads, applies and commits; it decides nothing. The
//! host sorts the products first ([`sort_products`]) and signs last what [`lease_claims`] and
//! [`answer_claims`] prepare.

mod answer;
mod clock;
mod desk;
mod facts;
mod intervals;
mod limiter;
mod opening;
mod products;
mod rounds;
pub mod table;
mod ticket;

pub use answer::{AnswerParts, answer_claims, lease_claims};
pub use clock::{ClockGuard, ClockReference};
pub use desk::{Decision, Desk, Verdict};
pub use facts::{AskFacts, AskedPool, PoolNumbers, PredecessorFacts, Source};
pub use intervals::{Intervals, check_interval};
pub use limiter::Limiter;
pub use opening::{Rotation, rotation};
pub use products::{Served, sort_products};
pub use rounds::{Made, Round};
pub use table::{
    AuditEvent, Change, ClientKey, ClientRow, Known, PoolNumber, Seat, StoreIdentity, hour_of,
    seat_until,
};

#[cfg(test)]
mod tests;
