//! Reasons of the stores (`MUSTER-STO-…`).

use super::reasons;

reasons! {}
