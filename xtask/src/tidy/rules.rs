//! The rules that are lists, as written in xtask/tidy.toml.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::failure::Failure;
use crate::tree::Tree;

/// Where the lists stand.
const FILE: &str = "xtask/tidy.toml";

/// Everything in the file; an unknown field is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// Words banned from code and comments.
    pub(crate) words: Vec<String>,
    /// Top-level folders of the project, those to come included.
    pub(crate) rooms: Vec<String>,
    /// For each crate, the crates it may use.
    pub(crate) layers: BTreeMap<String, Vec<String>>,
    /// Crates that must not be linked, on any path.
    #[serde(default)]
    pub(crate) never: Vec<Never>,
    /// The crate without I/O.
    #[serde(default)]
    pub(crate) proto: Proto,
    /// Features that only tests may enable, with the reason.
    #[serde(default)]
    pub(crate) test_features: BTreeMap<String, String>,
    /// Dependencies that only some crates may declare.
    #[serde(default)]
    pub(crate) only_dependency: Vec<Only>,
    /// Names that only some crates may mention.
    #[serde(default)]
    pub(crate) only_mention: Vec<Only>,
}

/// One crate that another must never reach.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Never {
    /// The crate that is held back.
    #[serde(rename = "crate")]
    pub(crate) from: String,
    /// The crate that it must not reach.
    pub(crate) links: String,
    /// The reason.
    pub(crate) why: String,
}

/// What proto may use, name to reason, and what must not reach it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proto {
    /// Every direct dependency.
    pub(crate) may_use: BTreeMap<String, String>,
    /// Forbidden on any path.
    pub(crate) never_links: BTreeMap<String, String>,
}

/// Names and the only crates that may use them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Only {
    /// Dependency names, or names in code.
    pub(crate) names: Vec<String>,
    /// Folders under crates/, or `xtask`.
    pub(crate) crates: Vec<String>,
    /// The reason.
    pub(crate) why: String,
}

impl Rules {
    /// Reads the lists from the project.
    pub(crate) fn read(tree: &Tree) -> Result<Self, Failure> {
        let text = tree
            .text_of(FILE)
            .ok_or_else(|| Failure::said(format!("{FILE} is missing")))?;
        Self::parse(text)
    }

    /// Reads the lists from a text.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| Failure::said(format!("{FILE}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn the_committed_lists_are_read_and_an_unknown_field_is_not() {
        let text = include_str!("../../tidy.toml");
        let rules = Rules::parse(text).expect("the committed lists are well formed");
        assert!(rules.layers["host"].contains(&"store".to_owned()));
        assert!(Rules::parse(&format!("colour = 1\n{text}")).is_err());
    }
}
