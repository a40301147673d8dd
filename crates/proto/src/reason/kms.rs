//! Reasons of the KMS host (`MUSTER-KMS-…`).

use super::reasons;

reasons! {}
