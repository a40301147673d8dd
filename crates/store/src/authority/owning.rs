//! Whose the tables are. A database server may be reached with any publisher's directory, and two
//! publishers who gave out serials from one table would both be cheated.

use muster_proto::Refusal;
use muster_proto::ids::Thumbprint;
use muster_proto::reason::{authority as reasons, store as store_reasons};

use super::Tables;

const OWNER: &str = "root";

/// Whose tables they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody's: nothing was ever kept in them.
    Nobody,
    /// An authority's whose root is not known yet.
    Unnamed,
    /// The authority's under the root of this fingerprint.
    Root(Thumbprint),
}

/// Whose the tables are.
pub fn owner(tables: &dyn Tables) -> Result<Owner, Refusal> {
    let Some(name) = tables.setting(OWNER)? else {
        return Ok(match tables.setting("publisher")? {
            Some(_) => Owner::Unnamed,
            None => Owner::Nobody,
        });
    };
    let unreadable = |_| Refusal::new(store_reasons::ROW_UNREADABLE, "setting root");
    let name = <[u8; 32]>::try_from(name).map_err(unreadable)?;
    Ok(Owner::Root(Thumbprint(name)))
}

/// Makes the tables those of the authority under a root, for good. Twice changes nothing.
///
/// # Errors
/// `OTHER_PUBLISHER` where they are another's.
pub fn own(tables: &mut dyn Tables, root: Thumbprint) -> Result<(), Refusal> {
    match owner(tables)? {
        Owner::Root(owner) if owner == root => Ok(()),
        Owner::Root(owner) => Err(another(owner)),
        Owner::Unnamed | Owner::Nobody => tables.put_setting(OWNER, &root.0),
    }
}

/// The refusal of tables that are another's.
pub fn another(owner: Thumbprint) -> Refusal {
    let detail = format!("the database is of the root {owner}");
    Refusal::new(reasons::OTHER_PUBLISHER, detail)
}
