//! Opening the local socket: what a killed service left behind is replaced, anything else that
//! stands there never is.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use muster_proto::reason::client as reasons;
use muster_proto::{Reason, Refusal};
use socket2::{Domain, SockAddr, Socket, Type};

/// To connect to a socket is to write to it.
const EVERYBODY: u32 = 0o666;

/// A local socket, open. Dropping it removes its file, where that is still its own.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
    /// Held as long as the socket is: who holds it knows that a socket found there is dead.
    _lock: File,
}

impl Listener {
    /// Listens at a path, whose folder is there, for every user of the machine.
    ///
    /// # Errors
    /// `SOCKET_TAKEN` where another process listens there, `SOCKET_OTHER_FILE` where something other
    /// than a socket stands there, `SOCKET_FAILED`; each names the path.
    pub fn bind(path: &Path) -> Result<Self, Refusal> {
        let failed = |error: io::Error| at(reasons::SOCKET_FAILED, path, &error.to_string());
        let lock = lock(path)?;
        clear(path)?;
        let socket = UnixListener::bind(path).map_err(failed)?;
        // The umask has taken from the mode what other users need.
        fs::set_permissions(path, Permissions::from_mode(EVERYBODY)).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        Ok(Self {
            socket,
            path: path.to_path_buf(),
            identity: (metadata.dev(), metadata.ino()),
            _lock: lock,
        })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        let is_own = found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if is_own {
            // What stays is a dead socket, which the next service replaces.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Takes the lock beside the socket. It stays when the socket goes: a lock that is removed can be
/// held twice.
fn lock(path: &Path) -> Result<File, Refusal> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        // Closed to others, who could hold it for ever.
        .mode(0o600)
        .open(&name)
        .map_err(|error| at(reasons::SOCKET_FAILED, Path::new(&name), &error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(at(reasons::SOCKET_TAKEN, path, "it is held")),
        Err(TryLockError::Error(error)) => {
            Err(at(reasons::SOCKET_FAILED, path, &error.to_string()))
        }
    }
}

/// Removes a dead socket.
fn clear(path: &Path) -> Result<(), Refusal> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(reasons::SOCKET_FAILED, path, &error.to_string())),
        Ok(found) if !found.file_type().is_socket() => {
            Err(at(reasons::SOCKET_OTHER_FILE, path, "it is no socket"))
        }
        Ok(_) if is_dead(path) => fs::remove_file(path)
            .map_err(|error| at(reasons::SOCKET_FAILED, path, &error.to_string())),
        Ok(_) => Err(at(reasons::SOCKET_TAKEN, path, "it answers")),
    }
}

/// Whether nobody listens any more; a listener that takes no more callers is alive.
fn is_dead(path: &Path) -> bool {
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    connect().is_err_and(|error: io::Error| error.kind() == ErrorKind::ConnectionRefused)
}

fn at(reason: Reason, path: &Path, detail: &str) -> Refusal {
    Refusal::new(reason, format!("{}: {detail}", path.display()))
}
