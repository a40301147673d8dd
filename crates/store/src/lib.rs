//! What muster remembers. This is the only crate that speaks SQL.
//!
//! - [`sqlite`]: one executor for every role's database: one writer thread with group commit, a few
//!   readers, migrations, backup and restore;
//! - [`authority`]: products, product keys, places, certificates and revocations of an authority;
//! - [`kms`]: the KMS host's table of clients, its counts, settings, keys and audit log;
//! - [`postgres`]: a database server for several hosts or authorities: URL, connections, serialisable
//!   transactions that are run again, migrations;
//! - [`owner`]: whose the files of a role's directory are.
//!
//! A store loads, applies and commits; it decides nothing. Time and randomness come in as
//! arguments.
#![forbid(unsafe_code)]

pub mod authority;
pub mod kms;
pub mod owner;
pub mod postgres;
pub mod sqlite;
