//! The authority's rules: which host is certified for what, what is charged for it, how the root
//! certifies an issuing key, and the files that travel between root, authority and host.
//!
//! [`certify()`] takes what the store knows, the opened request and the time, and gives back what to
//! sign, what to charge and why. The store loads, applies and commits; it decides nothing.

pub mod answer;
mod certify;
mod key_id;
mod limiter;
mod machine;
pub mod publish;
pub mod root;
pub mod sealed_key;
pub mod secret;

#[cfg(test)]
mod tests;

pub use certify::{
    Asked, CertRow, Decision, Grant, GrantKind, HostNumber, Issuing, KeyRow, Known, KnownCert,
    KnownKey, SlotChange, SlotRow, certify, host_cert, renewable_from,
};
pub use key_id::KeyId;
pub use limiter::{GuessLimiter, RateLimiter, Source};
pub use machine::same_machine;
