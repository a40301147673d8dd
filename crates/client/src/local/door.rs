//! Where the service's socket lies, and how the state's directory leads to it: by a link named
//! `service`, so that nobody who reads the state needs to be told more.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use muster_net::local::Listener;
use muster_proto::Refusal;
use muster_proto::reason::client as reasons;

use crate::control::Client;
use crate::{dirs, disk};

/// The link in the state's directory.
const LINK: &str = "service";
/// The socket's name.
const SOCKET: &str = "client.sock";

/// An open local socket and the link that leads to it. Dropping it removes both.
#[derive(Debug)]
pub struct Door {
    pub(crate) listener: Listener,
    link: PathBuf,
    target: PathBuf,
}

impl Client {
    /// Opens the local socket of this directory's service: in `runtime`, the folder that systemd
    /// gave (`RuntimeDirectory=`), else in `/run/muster` for the machine's directory and in the
    /// directory itself for another one.
    ///
    /// # Errors
    /// `SOCKET_TAKEN`, `SOCKET_OTHER_FILE`, `SOCKET_FAILED`; the service does without then.
    pub fn open_door(&self, runtime: Option<&Path>) -> Result<Door, Refusal> {
        let target = match runtime {
            Some(runtime) => runtime.join(SOCKET),
            None if self.dir() == dirs::system() => dirs::runtime().join(SOCKET),
            None => PathBuf::from(SOCKET),
        };
        let path = self.dir().join(&target);
        for dir in [path.parent(), Some(self.dir())].into_iter().flatten() {
            disk::make_directory(dir)
                .map_err(|refusal| Refusal::new(reasons::SOCKET_FAILED, refusal.detail))?;
        }
        let listener = Listener::bind(&path)?;
        let link = self.dir().join(LINK);
        lead(&link, &target)?;
        Ok(Door {
            listener,
            link,
            target,
        })
    }
}

impl Door {
    /// Where the socket lies.
    pub fn path(&self) -> &Path {
        self.listener.path()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if fs::read_link(&self.link).is_ok_and(|target| target == self.target) {
            // A link that stays leads to nobody, and is replaced by the next service.
            let _ = fs::remove_file(&self.link);
        }
    }
}

/// The socket that a state's directory leads to.
pub(super) fn find(dir: &Path) -> Option<PathBuf> {
    let target = fs::read_link(dir.join(LINK)).ok()?;
    Some(dir.join(target))
}

/// Puts a link in its place, whatever it led to before; what is no link stays.
fn lead(link: &Path, target: &Path) -> Result<(), Refusal> {
    let failed = |error: std::io::Error| {
        let detail = format!("{}: {error}", link.display());
        Refusal::new(reasons::SOCKET_FAILED, detail)
    };
    match fs::symlink_metadata(link) {
        Ok(found) if !found.is_symlink() => {
            let detail = format!("{}: it is no link", link.display());
            return Err(Refusal::new(reasons::SOCKET_OTHER_FILE, detail));
        }
        Ok(_) => fs::remove_file(link).map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    std::os::unix::fs::symlink(target, link).map_err(failed)
}
