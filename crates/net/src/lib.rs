//! How muster talks: the seal around asks and answers, DNS lookup and update, bounded HTTP, the page
//! of metrics, and the local socket of the client's service.
//!
//! This is the only crate that opens sockets. Whatever comes in is limited in size, count and time
//! (the figures stand in `muster_proto::limits`), and whatever goes wrong is a
//! [`Refusal`](muster_proto::Refusal) with its own reason. Everything works on a current-thread
//! tokio runtime.
#![forbid(unsafe_code)]

mod clock;
pub mod dns;
pub mod http;
pub mod local;
pub mod seal;
pub mod watch;
