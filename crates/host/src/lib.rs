//! The KMS host: one process on one port for every publisher. It is certified under host product
//! keys, stands in DNS, counts client computers, and signs leases.
//!
//! What is counted and what is answered is decided in `muster_proto::host`; this crate opens, asks
//! the store, signs and seals.
#![forbid(unsafe_code)]

mod admin;
mod answer;
mod dns;
mod doctor;
mod enrol;
mod keys;
mod metrics;
mod records;
mod refresh;
mod service;
mod state;
mod status;
mod table;
mod unanswered;

pub use admin::{Admin, AuthorityAccess, Renewal};
pub use answer::Unanswered;
pub use dns::{DnsOptions, Wanted, Zone, ZoneStatus};
pub use doctor::doctor;
pub use enrol::{Enrolled, RootPin, publisher_of};
pub use records::{Clock, Settings};
pub use service::{Options, Ready, serve};
pub use state::KmsHost;
pub use status::{ClientLine, ClientPage, KeyStatus, PoolStatus, Status, TableStatus};
pub use table::Table;
