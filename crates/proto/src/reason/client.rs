//! Reasons of the client (`MUSTER-CLI-…`).

use super::reasons;

reasons! {}
