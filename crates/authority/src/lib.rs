//! The publisher's authority: the root's ceremony, the issuing key, products and their signed
//! policies, product keys, the certification of hosts, and the HTTP API that hosts call.
//!
//! [`Authority`] is a directory at work. Several processes may hold the same one at once, a service
//! and the commands beside it: what one commits the others see at once. Time comes in as an
//! argument; randomness is drawn from [`muster_machine::random`].
//!
//! An issuing key stands behind [`signer::Signer`], whose answer may come later. What it signs is
//! decided, charged for and stored before, so that a signature that never comes costs nothing
//! twice.
#![forbid(unsafe_code)]

mod activation;
pub mod api;
mod authority;
mod backup;
mod directory;
mod doctor;
mod files;
mod hosts;
mod issuing;
mod keys;
mod metrics;
mod products;
pub mod root;
pub mod serve;
pub mod signer;
mod store;

pub use authority::Authority;
pub use backup::key_files;
pub use directory::{Ceremony, Init};
pub use doctor::{Examined, doctor};
pub use issuing::{IssuingReport, Rotation};
pub use keys::{IssuedKey, KeyOrder};
pub use muster_store::authority::{AuditEntry, HostReport, KeyReport};
pub use products::ProductReport;
pub use store::Store;
