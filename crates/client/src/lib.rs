//! The client: what a product links to know its licence, and the service that keeps it.
//!
//! A product makes one call, [`read`]: it reads the state from disk, verifies everything against
//! the root that was compiled in, and answers at once, with no service and no network. The other
//! call, `activate`, asks a host now. Everything else is for the service and the command line.
//!
//! ```no_run
//! use muster_client::{Product, read};
//! # fn main() -> Result<(), muster_proto::Refusal> {
//! let product = Product::from_root_file(b"the bytes of the publisher's root file", "cad")?;
//! let licence = read(&product);
//! if !licence.licensed {
//!     // tell, restrict, or go on: the product decides; `licence.reason` says why
//! }
//! # Ok(()) }
//! ```
//!
//! Every rule is `muster_proto::client`'s; this crate only gives it clocks, hardware, files and
//! connections.
#![forbid(unsafe_code)]

#[cfg(feature = "ask")]
mod activate;
mod clock;
#[cfg(feature = "ask")]
mod control;
pub mod dirs;
mod disk;
#[cfg(feature = "ask")]
mod doctor;
#[cfg(feature = "ask")]
mod export;
mod hardware;
#[cfg(feature = "ask")]
mod keys;
#[cfg(feature = "ask")]
mod link;
#[cfg(feature = "ask")]
mod local;
#[cfg(feature = "ask")]
mod rearm;
mod sdk;
#[cfg(feature = "ask")]
mod service;
#[cfg(feature = "ask")]
mod settings;
#[cfg(feature = "ask")]
mod status;
mod times;
#[cfg(feature = "ask")]
mod vault;

pub use clock::{Boot, Clock, RealClock};
pub use sdk::{Licence, Product, read, read_from, read_in};
#[cfg(feature = "ask")]
pub use status::{FailureStatus, NextStatus, ProductStatus, ReasonStatus, Status};

#[cfg(feature = "ask")]
pub use activate::{Activation, Tried};
#[cfg(feature = "ask")]
pub use control::{Client, Options, ProductName, Which};
#[cfg(feature = "ask")]
pub use export::Exported;
#[cfg(feature = "ask")]
pub use keys::{KeyInstalled, parse_root};
#[cfg(feature = "ask")]
pub use local::door::Door;
#[cfg(feature = "ask")]
pub use sdk::{activate, activate_from};
#[cfg(feature = "ask")]
pub use service::ServiceEvent;
#[cfg(feature = "ask")]
pub use settings::TimeReport;

pub use muster_proto::client::LicenceState;
