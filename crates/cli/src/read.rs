//! What the command line makes of files that others wrote, for those who test it with rubbish.

use muster_proto::Refusal;
use muster_proto::statement::root::Root;
use serde_json::Value;

use crate::commands::inspect;
use crate::config::{self, AuthorityConfig, ClientConfig, KmsConfig};

/// A role that has a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `authority.toml`
    Authority,
    /// `kms.toml`
    Kms,
    /// `client.toml`
    Client,
}

/// Reads a role's configuration as its service would at the start.
///
/// # Errors
/// The line, the field and the rule that it breaks.
pub fn configuration(role: Role, text: &str) -> Result<(), String> {
    match role {
        Role::Authority => config::take::<AuthorityConfig>(text),
        Role::Kms => config::take::<KmsConfig>(text),
        Role::Client => config::take::<ClientConfig>(text),
    }
}

/// What `muster inspect` shows of a file, and, where a root is given, what it holds against it.
///
/// # Errors
/// What is wrong with the file's form.
pub fn inspection(bytes: &[u8], root: Option<&Root>) -> Result<(Value, String), Refusal> {
    inspect::inspect(bytes, root).map(|(json, text, _)| (json, text))
}
