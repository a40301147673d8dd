//! The KMS host's decisions: who is counted, who gets a lease, who must make a new key.
//!
//! [`Desk::decide`] takes what the store knows, the opened ask and the time, and gives back what to
//! answer, why, and what to change. The store loads, applies and commits; it decides nothing.

pub mod table;

pub use table::{Change, ClientRow, Known, PoolNumber, Seat};
