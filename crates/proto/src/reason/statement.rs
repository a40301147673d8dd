//! Reasons of signed statements (`MUSTER-STM-…`).

use super::reasons;

reasons! {
}
