//! Where each role keeps its data: a flag, a variable, the configuration, else `/var/lib/muster/ROLE`
//! for root and the user's data directory for others.

use std::path::{Path, PathBuf};

/// The directory of a role.
pub(crate) fn role_dir(flag: Option<&Path>, configured: Option<&Path>, role: &str) -> PathBuf {
    flag.or(configured)
        .map_or_else(|| default_dir(role), Path::to_path_buf)
}

fn default_dir(role: &str) -> PathBuf {
    if is_root() {
        system_dir(role)
    } else {
        user_dir(role)
    }
}

/// The machine's directory of a role.
pub(crate) fn system_dir(role: &str) -> PathBuf {
    Path::new("/var/lib/muster").join(role)
}

/// The user's directory of a role (XDG Base Directory Specification).
pub(crate) fn user_dir(role: &str) -> PathBuf {
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into()));
    base.unwrap_or_else(|| home().join(".local/share"))
        .join("muster")
        .join(role)
}

/// The folder for sockets that systemd made for this service (systemd.exec(5), `RuntimeDirectory=`);
/// the first of them where there are several.
pub(crate) fn runtime_dir() -> Option<PathBuf> {
    let named = std::env::var_os("RUNTIME_DIRECTORY")?;
    let first = named.to_str()?.split(':').next()?;
    Some(PathBuf::from(first)).filter(|dir| dir.is_absolute())
}

/// Whether this process runs as root: `/proc/self` belongs to the effective user.
#[cfg(target_os = "linux")]
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|proc| proc.uid() == 0)
}

/// Elsewhere the user's directory is used.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_root() -> bool {
    false
}
