//! Reasons of configuration, files and command lines (`MUSTER-CFG-…`).

use super::reasons;

reasons! {
}
