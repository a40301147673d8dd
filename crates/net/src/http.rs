//! HTTP/1.1 with a limit on everything: the listener of a KMS host or an authority, the client of
//! an ask, and the client of an authority with TLS and proxies.

pub mod authority;
mod begin;
mod client;
mod connect;
mod crowd;
mod descriptors;
mod handed;
mod listener;
pub mod probe;
mod server;
mod tls;
mod traffic;
mod tunnel;

pub use client::{ClientLimits, Connection, Dated, get, post};
pub use listener::{Listener, parse_listen};
pub use server::{Request, Response, ServerLimits, ServerReport, serve, serve_one};
pub use traffic::Traffic;

pub use bytes::Bytes;
pub use hyper::Method;

#[cfg(test)]
mod tests;
