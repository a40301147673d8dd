//! DNS: finding KMS hosts by SRV (RFC 2782), registering a host's own records by dynamic update
//! (RFC 2136) with TSIG (RFC 8945), and the small authoritative server of the lab.
//!
//! Nothing that DNS says is believed: it can delay a client or lead it to another host, and that
//! host still has to show a certificate of the publisher.

mod exchange;
mod name;
mod resolver;
pub mod server;
mod tsig;
pub mod update;

pub use name::check_name;
pub use resolver::{Resolver, SrvRecord, parse_server};
pub use server::LabDns;
pub use tsig::TsigKey;

/// The name below a domain under which its KMS hosts stand.
pub const SERVICE: &str = "_muster-kms._tcp";

#[cfg(test)]
mod tests;
