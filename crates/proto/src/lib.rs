//! The rules of muster, without I/O: time, randomness, the peer and the bytes come in as
//! arguments; actions with their reasons go out. There is no socket, file, clock, thread or random
//! source in this crate, so every rule of licensing can be tested in microseconds and replayed.
#![forbid(unsafe_code)]

pub mod authority;
mod cbor;
pub mod client;
pub mod crypto;
pub mod doctor;
pub mod hardware;
pub mod host;
pub mod ids;
pub mod key;
pub mod limits;
pub mod reason;
pub mod rules;
pub mod statement;
pub mod time;
pub mod wire;

pub use reason::{Reason, Refusal};
