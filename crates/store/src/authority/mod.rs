//! What an authority remembers: products and their policies, product keys, places, certificates,
//! revocations, settings and the audit log.
//!
//! A change is a function over [`Tables`] that is run in one transaction: everything it wrote is
//! durable when its result comes back, or nothing is. It may be run again from the start, as a
//! database with optimistic transactions demands, so it has no effect but on its tables. The same
//! changes ([`ops`], [`issuing`]) and one contract suite serve every backend.

mod check;
pub mod issuing;
mod memory;
pub mod ops;
pub mod owning;
mod postgres;
mod sql;
mod sqlite;
mod tables;
mod views;

use std::future::Future;

use muster_proto::Refusal;

use crate::sqlite::Work;

pub use memory::MemoryAuthority;
pub use postgres::PostgresAuthority;
pub use sqlite::{SCHEMA, SqliteAuthority};
use tables::place_refused;
pub use tables::{AuditEntry, CertStatement, IssuingRow, ProductRow, Tables};
pub use views::{HostReport, KeyReport, host_report, host_reports, key_report};

/// A store of an authority.
pub trait AuthorityStore: Send + Sync + 'static {
    /// Runs a change in one transaction; its result comes back when it is durable. An error undoes
    /// what it wrote.
    fn change<T, F>(&self, change: F) -> impl Future<Output = Result<T, Refusal>> + Send
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static;

    /// Runs a read in one snapshot. What it writes is lost.
    fn view<T, F>(&self, view: F) -> impl Future<Output = Result<T, Refusal>> + Send
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static;

    /// Whether it is on another machine, which may be silent while this one is well.
    fn is_elsewhere(&self) -> bool {
        false
    }

    /// What was committed since the store was opened; nothing where a store does not tell.
    fn work(&self) -> Work {
        Work::default()
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
