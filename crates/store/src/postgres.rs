//! PostgreSQL, for stores that several machines share.
//!
//! - [`StoreUrl`] says where: `postgres://user@one:5432,two:5432/muster?sslmode=verify-full`. No
//!   password of it is ever shown.
//! - [`Server`] keeps a few connections to the one host of the URL that takes changes, and finds
//!   the new one after a change of leaders. It connects when first used.
//! - [`Server::transact`] runs work in a serialisable transaction, and again from its start when
//!   another transaction came in between. Where that shape does not fit, the same is made of
//!   [`Server::begin`], [`Transaction::commit`] and [`Retry`]:
//!
//! ```no_run
//! # use muster_store::postgres::{Fault, Retry, Server};
//! # async fn f(server: &Server) -> Result<(), muster_proto::Refusal> {
//! let mut retry = Retry::of(server);
//! loop {
//!     let run = async {
//!         let mut transaction = server.begin().await?;
//!         sqlx_core::raw_sql::raw_sql("SELECT 1")
//!             .execute(transaction.connection())
//!             .await?;
//!         transaction.commit().await
//!     };
//!     match run.await {
//!         Ok(()) => return Ok(()),
//!         Err(fault) => retry.after(fault).await?,
//!     }
//! }
//! # }
//! ```
//!
//! - [`Schema`] is a role's tables; [`Server::migrate`] brings them to the present version, also
//!   when several processes start at once.
//!
//! Only portable SQL: no sequences, advisory locks, notifications, triggers or skipped locks; a
//! limit is one conditional update, a number is counted in a row. A commit whose outcome is not
//! known is told as that ([`Fault::Unknown`]), never as done and never as failed.

mod failure;
mod migrate;
mod replication;
mod server;
mod transact;
mod url;

pub use failure::Fault;
pub use migrate::{Schema, Step};
pub use replication::{Replication, Standby};
pub use server::{Server, Transaction};
pub use sqlx_core;
pub use sqlx_postgres::{self, PgConnection};
pub use transact::{Retry, Working};
pub use url::StoreUrl;
