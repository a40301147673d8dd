//! Reasons of DNS lookup, update and the network (`MUSTER-DNS-…`).

use super::reasons;

reasons! {
}
