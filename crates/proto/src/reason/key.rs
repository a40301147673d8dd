//! Reasons of product keys (`MUSTER-KEY-…`).

use super::reasons;

reasons! {}
