//! Reasons of the authority (`MUSTER-AUT-…`).

use super::reasons;

reasons! {}
