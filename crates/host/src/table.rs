//! Where a host counts its clients: in its own store, or in a table on a database server that it
//! shares with others. What it was served with last is noted in the store, so that every command
//! looks at the same table.

use std::fmt;
use std::str::FromStr;

use muster_proto::Refusal;
use muster_proto::host::StoreIdentity;
use muster_store::kms::PostgresKms;
use muster_store::postgres::StoreUrl;
use zeroize::Zeroizing;

/// The word for the host's own store.
const OWN: &str = "own";

/// Where a host counts its clients.
#[derive(Clone, Debug, PartialEq)]
pub enum Table {
    /// In its own store.
    Own,
    /// On a database server.
    Shared(Shared),
}

/// A table on a database server.
#[derive(Clone)]
pub struct Shared {
    url: StoreUrl,
    /// The URL as it was given; it may hold a password.
    text: Zeroizing<String>,
}

impl Table {
    /// Whether it is named with a password: a file that it stands in is then a secret.
    pub fn has_password(&self) -> bool {
        match self {
            Self::Own => false,
            Self::Shared(shared) => shared.url.has_password(),
        }
    }

    /// The whole name, also with its password: it is kept in the store, beside the host's keys.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Own => OWN,
            Self::Shared(shared) => &shared.text,
        }
    }

    /// Opens a table on a server; it is connected to when it is first used.
    pub(crate) fn open(
        &self,
        new_identity: impl FnOnce() -> StoreIdentity,
    ) -> Result<Option<PostgresKms>, Refusal> {
        match self {
            Self::Own => Ok(None),
            Self::Shared(shared) => PostgresKms::open(shared.url.clone(), new_identity()).map(Some),
        }
    }
}

/// `own`, or a URL.
impl FromStr for Table {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        if text == OWN {
            return Ok(Self::Own);
        }
        Ok(Self::Shared(Shared {
            url: text.parse()?,
            text: Zeroizing::new(text.to_owned()),
        }))
    }
}

/// Without the password.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str(OWN),
            Self::Shared(shared) => shared.url.fmt(f),
        }
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_without_its_password() {
        let text = "postgres://muster:geheim@one,two/fleet";
        let table: Table = text.parse().unwrap();
        assert!(table.has_password());
        assert_eq!(table.text(), text);
        let shown = format!("{table} {table:?}");
        assert!(shown.contains("muster@one,two/fleet"), "{shown}");
        assert!(!shown.contains("geheim"), "{shown}");
        let own: Table = "own".parse().unwrap();
        assert_eq!((own.text(), own.has_password()), ("own", false));
        assert!("kms.db".parse::<Table>().is_err());
    }
}
