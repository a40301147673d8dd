//! Product keys: 25 symbols that name a channel, a product group and a serial number, sealed by a
//! tag only the authority can make and closed by check symbols that name a mistyped symbol.
//!
//! The specification is docs/src/protocol/product-key.md; golden vectors and a second
//! implementation stand in vectors/key/. Whoever reads a key ([`ProductKey::parse`]) sees its
//! channel and group without any secret; only the authority, which holds the [`KeySecret`], can
//! make keys and say whether one is genuine ([`KeyRing`]).

mod channel;
mod derive;
mod layout;
mod permutation;
mod product_key;
mod reed_solomon;
mod ring;
mod symbols;

pub use channel::{Channel, ProductGroup};
pub use product_key::{KeyNumber, Last5, ProductKey};
pub use ring::{KeyFields, KeyRing, KeySecret};
