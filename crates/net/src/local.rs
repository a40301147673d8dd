//! The local socket of the client's service: a Unix stream socket that every user of the machine may
//! connect to. One bounded request and one answer for each connection.
//!
//! Unix only. The rest of muster knows no more of it than a path, [`Listener`], [`serve`] and
//! [`ask`].

mod connect;
mod listener;
mod server;
mod shares;

pub use connect::ask;
pub use listener::Listener;
pub use server::{Limits, Visit, serve};

#[cfg(test)]
mod tests;
