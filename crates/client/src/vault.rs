//! The client's two files under one lock: read, changed and written together. What is damaged is
//! kept aside and built anew from the other file.

use std::path::PathBuf;
use std::sync::Arc;

use muster_proto::Refusal;
use muster_proto::client::identity::Identity;
use muster_proto::client::rounds;
use muster_proto::client::state::State;
use muster_proto::client::trusted_time::Moment;
use muster_proto::limits::{IDENTITY_BYTES_MAX, STATE_BYTES_MAX};
use muster_proto::reason::{client as reasons, config};
use zeroize::Zeroizing;

use crate::clock::{Clock, moment, written};
use crate::disk;

/// What tells one version of both files from another without reading them.
pub(crate) type Version = [Option<(u64, u64, i64, i64)>; 2];

/// A client's directory.
#[derive(Clone)]
pub(crate) struct Vault {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
}

/// Both files, open for change.
pub(crate) struct Opened {
    /// The public file.
    pub(crate) state: State,
    /// The secret file.
    pub(crate) identity: Identity,
    /// Both clocks now.
    pub(crate) now: Moment,
}

/// Both files as they were found, nothing changed.
pub(crate) struct Peeked {
    /// Each file's bytes, nothing where there is none, or what is wrong with it.
    pub(crate) files: [(&'static str, Result<Option<usize>, Refusal>); 2],
    /// What they hold; what could not be read is as it would be built anew.
    pub(crate) opened: Opened,
}

impl Vault {
    pub(crate) fn new(dir: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { dir, clock }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Both files as they are now, brought in line with each other.
    pub(crate) fn look(&self) -> Result<Opened, Refusal> {
        self.update(|opened| {
            Ok(Opened {
                state: opened.state.clone(),
                identity: opened.identity.clone(),
                now: opened.now,
            })
        })
    }

    /// Both files as they are, for a diagnosis: no lock, nothing set aside, nothing written.
    pub(crate) fn peek(&self) -> Peeked {
        let state = self.read("state", STATE_BYTES_MAX, disk::PUBLIC, State::decode);
        let identity = self.read(
            "identity",
            IDENTITY_BYTES_MAX,
            disk::SECRET,
            Identity::decode,
        );
        let files = [("state", size(&state)), ("identity", size(&identity))];
        let state = state.ok().flatten().map(|(state, _)| state);
        let identity = identity.ok().flatten().map(|(identity, _)| identity);
        let mut opened = Opened {
            state: state.unwrap_or_default(),
            identity: identity.unwrap_or_default(),
            now: Moment::default(),
        };
        opened.now = moment(self.clock(), &opened.state.written);
        opened.agree();
        Peeked { files, opened }
    }

    /// Changes both files under the lock and writes what changed, the state first: a lease that is
    /// stored while the identity is not only leads to the same nonce being asked with again.
    ///
    /// # Errors
    /// `FILE_UNWRITABLE`, `FILE_UNREADABLE`, `FILE_MODE`, or what `change` refuses; then nothing
    /// is written.
    pub(crate) fn update<T>(
        &self,
        change: impl FnOnce(&mut Opened) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        disk::make_directory(&self.dir)?;
        let lock = disk::lock_file(&self.dir.join("lock"))?;
        lock.lock().map_err(|error| {
            let detail = format!("{}: {error}", self.dir.display());
            Refusal::new(config::DIRECTORY_BUSY, detail)
        })?;
        let state = self.load("state", STATE_BYTES_MAX, disk::PUBLIC, State::decode)?;
        let identity = self.load(
            "identity",
            IDENTITY_BYTES_MAX,
            disk::SECRET,
            Identity::decode,
        )?;
        let mut opened = Opened {
            state: state.unwrap_or_default(),
            identity: identity.unwrap_or_default(),
            now: Moment::default(),
        };
        let (on_disk_state, on_disk_identity) = (opened.state.clone(), opened.identity.clone());
        opened.now = moment(self.clock(), &opened.state.written);
        opened.agree();
        let outcome = change(&mut opened)?;
        if on_disk_state != opened.state {
            opened.state.written = written(self.clock(), &opened.state.written);
            let bytes = opened.state.encode();
            disk::write(&self.dir.join("state"), &bytes, disk::PUBLIC)?;
        }
        if on_disk_identity != opened.identity {
            let bytes = opened.identity.encode();
            disk::write(&self.dir.join("identity"), &bytes, disk::SECRET)?;
        }
        Ok(outcome)
    }

    /// Writes the state even where nothing changed: running time goes on from there.
    pub(crate) fn note_time(&self) -> Result<(), Refusal> {
        self.update(|opened| {
            opened.state.written = written(self.clock(), &opened.state.written);
            Ok(())
        })
    }

    /// What changes with every new version of the files.
    pub(crate) fn version(&self) -> Version {
        ["state", "identity"].map(|name| disk::version(&self.dir.join(name)))
    }

    /// Reads one file, and tells its bytes; nothing where there is none.
    fn read<T>(
        &self,
        name: &str,
        max: usize,
        mode: u32,
        decode: impl FnOnce(&[u8]) -> Result<T, Refusal>,
    ) -> Result<Option<(T, usize)>, Refusal> {
        let Some(bytes) = disk::read(&self.dir.join(name), max, mode)? else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(bytes);
        Ok(Some((decode(&bytes)?, bytes.len())))
    }

    /// Reads one file; a damaged one is kept aside, and then there is none.
    fn load<T>(
        &self,
        name: &str,
        max: usize,
        mode: u32,
        decode: impl FnOnce(&[u8]) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        let refusal = match self.read(name, max, mode, decode) {
            Ok(read) => return Ok(read.map(|(read, _)| read)),
            Err(refusal)
                if [config::FILE_UNREADABLE, config::FILE_MODE].contains(&refusal.reason) =>
            {
                return Err(refusal);
            }
            Err(damaged) => damaged,
        };
        let aside = disk::set_aside(&self.dir.join(name))?;
        let told = Refusal::new(
            reasons::SET_ASIDE,
            format!("{}: {refusal}", aside.display()),
        );
        tracing::warn!(code = told.reason.code(), "{told}");
        Ok(None)
    }
}

fn size<T>(read: &Result<Option<(T, usize)>, Refusal>) -> Result<Option<usize>, Refusal> {
    let read = read.as_ref().map_err(Clone::clone)?;
    Ok(read.as_ref().map(|(_, bytes)| *bytes))
}

impl Opened {
    /// Brings both files in line with each other.
    fn agree(&mut self) {
        let mut seed = muster_machine::random::bytes::<32>;
        rounds::agree(&mut self.state, &mut self.identity, self.now, &mut seed);
    }
}
