//! Where a client's two files lie: the machine's directory, and the user's own.

use std::path::PathBuf;

/// The machine's directory, written by the service.
pub fn system() -> PathBuf {
    PathBuf::from("/var/lib/muster/client")
}

/// Where the service of the machine's directory has its local socket.
#[cfg(feature = "ask")]
pub(crate) fn runtime() -> PathBuf {
    PathBuf::from("/run/muster")
}

/// The user's own directory, for products where no service runs; none for a user without a home.
pub fn user() -> Option<PathBuf> {
    let home = std::env::home_dir().filter(|home| home.is_absolute())?;
    Some(home.join(".local/share/muster/client"))
}

/// The directories that reading verbs look in, in this order.
pub fn reading_order() -> Vec<PathBuf> {
    std::iter::once(system()).chain(user()).collect()
}
