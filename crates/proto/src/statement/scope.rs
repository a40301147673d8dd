//! Scopes: which products or sites a key is certified for. A scope only narrows down the chain, and
//! a missing one holds nothing.

use std::collections::BTreeSet;
use std::str::FromStr;

use ciborium::value::Value;

use crate::cbor::MapReader;
use crate::reason::{Refusal, statement as reasons};

/// All ids, or those named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope<T: Ord> {
    /// Every id, also ones that come later; written `*`.
    All,
    /// These and no others; empty when nothing was granted.
    Only(BTreeSet<T>),
}

impl<T: Ord> Default for Scope<T> {
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

impl<T: Ord + Clone + FromStr<Err = Refusal> + ToString> Scope<T> {
    /// The scope of some ids.
    pub fn only(ids: impl IntoIterator<Item = T>) -> Self {
        Self::Only(ids.into_iter().collect())
    }

    /// Whether an id is within.
    pub fn holds(&self, id: &T) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(id),
        }
    }

    /// Whether every id of `narrower` is within.
    pub fn covers(&self, narrower: &Self) -> bool {
        match (self, narrower) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(wide), Self::Only(narrow)) => narrow.is_subset(wide),
        }
    }

    /// The named ids; none for [`Scope::All`].
    pub fn named(&self) -> impl Iterator<Item = &T> {
        match self {
            Self::All => None,
            Self::Only(ids) => Some(ids.iter()),
        }
        .into_iter()
        .flatten()
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::All => Value::Text("*".into()),
            Self::Only(ids) => {
                Value::Array(ids.iter().map(|id| Value::Text(id.to_string())).collect())
            }
        }
    }

    /// Reads a scope; an absent one holds nothing, ids stand in ascending order.
    pub(crate) fn read(
        map: &mut MapReader,
        key: i64,
        field: &str,
        max: usize,
    ) -> Result<Self, Refusal> {
        let wrong = |rule: &str| Refusal::new(reasons::FIELD_WRONG, format!("{field} {rule}"));
        let items = match map.take(key) {
            None => return Ok(Self::default()),
            Some(Value::Text(star)) if star == "*" => return Ok(Self::All),
            Some(Value::Array(items)) if items.len() <= max => items,
            Some(Value::Array(_)) => return Err(wrong("has too many ids")),
            Some(_) => return Err(wrong("is neither * nor a list")),
        };
        let mut ids = BTreeSet::new();
        for item in items {
            let Value::Text(text) = item else {
                return Err(wrong("holds something other than text"));
            };
            let id: T = text
                .parse()
                .map_err(|_| wrong("holds an id that is not allowed"))?;
            if ids.last().is_some_and(|last| *last >= id) {
                return Err(wrong("is not in ascending order"));
            }
            ids.insert(id);
        }
        Ok(Self::Only(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ProductId;

    #[test]
    fn a_scope_covers_only_what_is_within() {
        let id = |text: &str| text.parse::<ProductId>().unwrap();
        let some = Scope::only([id("a"), id("b")]);
        assert!(
            Scope::All.covers(&some) && some.covers(&some) && some.covers(&Scope::only([id("a")]))
        );
        assert!(some.covers(&Scope::default()));
        assert!(!some.covers(&Scope::All) && !some.covers(&Scope::only([id("c")])));
        assert!(!Scope::default().holds(&id("a")) && Scope::All.holds(&id("z")));
    }
}
