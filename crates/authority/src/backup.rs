//! Backup and restore. The store goes into one file. The files beside it, which hold the secret keys,
//! go with it only where that is asked for: into a directory of the backup's name and `.keys`.

use std::fs;
use std::path::{Path, PathBuf};

use muster_proto::Refusal;
use muster_proto::authority::secret::SecretKind;
use muster_proto::limits::{REQUEST_BYTES_MAX, ROOT_BYTES_MAX};
use muster_proto::reason::config as reasons;
use muster_proto::statement::root::Root;
use muster_store::authority::SqliteAuthority;

use crate::Authority;
use crate::files::Owner;
use crate::{directory, files, store};

impl Authority {
    /// Copies the store into one file (0600) while it is being used. The files of [`key_files`] are
    /// not in the copy.
    ///
    /// # Errors
    /// `STORE_ON_SERVER` where a database server keeps the store.
    pub async fn backup(&self, to: &Path) -> Result<(), Refusal> {
        self.store.file()?.executor().backup(to).await
    }

    /// The same, and copies of the key files into the directory that it returns (0700, each 0600):
    /// whoever takes both is this publisher. They are copied before the store, so that no crash
    /// leaves one whose keys are missing, and again after it, for keys that were made meanwhile.
    ///
    /// # Errors
    /// As [`Authority::backup`]; nothing is copied then.
    pub async fn backup_with_keys(&self, to: &Path) -> Result<PathBuf, Refusal> {
        self.store.file()?;
        let keys = keys_of(to);
        files::make_directory(&keys)?;
        self.copy_keys(&keys)?;
        self.backup(to).await?;
        let copied = self.copy_keys(&keys)?;
        // What an earlier backup of this name held and is no longer there, as an answered request.
        let mut old = key_files(&keys)?;
        old.retain(|old| !copied.contains(old));
        old.iter().try_for_each(|old| files::remove(old))?;
        Ok(keys)
    }

    /// Copies the key files into another directory, and tells where each is.
    fn copy_keys(&self, to: &Path) -> Result<Vec<PathBuf>, Refusal> {
        let mut copied = Vec::new();
        for path in key_files(&self.directory)? {
            let file = KeyFile::read(&path)?;
            let target = to.join(file.name());
            files::write(&target, &file.bytes)?;
            copied.push(target);
        }
        Ok(copied)
    }

    /// Puts a backup in the place of the store, also while the service runs. What may have been
    /// given out since the backup is not given out again: serials, revocation numbers and policy
    /// versions go on above it. Hosts certified since must be activated again.
    ///
    /// # Errors
    /// `NO_BACKUP` when it is none of an authority, `STORE_ON_SERVER`; the store is then left as it
    /// is.
    /// `NOT_INITIALISED` or `FILE_UNREADABLE` when the directory lacks its root or its key files.
    pub fn restore(from: &Path, directory: &Path) -> Result<(), Refusal> {
        store::check_file(directory)?;
        directory::read_root(directory)?;
        directory::read_key_secret(directory)?;
        let now = muster_machine::clock::now();
        SqliteAuthority::restore(from, &directory::store_path(directory), now)
    }

    /// The same, and first the key files that [`Authority::backup_with_keys`] copied; the directory
    /// is made where it is missing.
    ///
    /// # Errors
    /// As [`Authority::restore`]; `FILE_UNWRITABLE` where a file of that name with other contents is
    /// there: no key is ever replaced. All files are read before the first is written.
    pub fn restore_with_keys(from: &Path, directory: &Path) -> Result<(), Refusal> {
        store::check_file(directory)?;
        let mut missing = Vec::new();
        for path in key_files(&keys_of(from))? {
            let file = KeyFile::read(&path)?;
            let target = directory.join(file.name());
            match target
                .exists()
                .then(|| KeyFile::read(&target))
                .transpose()?
            {
                None => missing.push((target, file)),
                Some(present) if *present.bytes == *file.bytes => {}
                Some(_) => {
                    let detail = format!("{}: another key is there", target.display());
                    return Err(Refusal::new(reasons::FILE_UNWRITABLE, detail));
                }
            }
        }
        files::make_directory(directory)?;
        for (target, file) in missing {
            files::write_new(&target, &file.bytes, Owner::Directory)?;
        }
        Self::restore(from, directory)
    }
}

/// The files of an authority's directory that its store cannot do without, in order: root, keys, and
/// a request that waits for the root.
///
/// # Errors
/// `FILE_UNREADABLE`.
pub fn key_files(directory: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let unreadable = |error: std::io::Error| {
        let detail = format!("{}: {error}", directory.display());
        Refusal::new(reasons::FILE_UNREADABLE, detail)
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if kind_of(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether issuing keys are in a directory, which may be missing.
///
/// # Errors
/// `FILE_UNREADABLE`.
pub(crate) fn has_issuing_keys(directory: &Path) -> Result<bool, Refusal> {
    if !directory.exists() {
        return Ok(false);
    }
    let is_issuing =
        |path: &PathBuf| matches!(kind_of(path), Some(Kind::Secret(SecretKind::Issuing)));
    Ok(key_files(directory)?.iter().any(is_issuing))
}

/// Where the key files of a backup lie: `FILE.keys`.
fn keys_of(backup: &Path) -> PathBuf {
    let mut name = backup.as_os_str().to_owned();
    name.push(".keys");
    name.into()
}

/// What a key file is, by its name.
enum Kind {
    Root,
    Request,
    Secret(SecretKind),
}

fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    match name {
        "root.pub" => Some(Kind::Root),
        "pending.req" => Some(Kind::Request),
        "root.key" => Some(Kind::Secret(SecretKind::Root)),
        "product-keys.key" => Some(Kind::Secret(SecretKind::ProductKeys)),
        _ => {
            let issuing = name.strip_prefix("issuing-")?.strip_suffix(".key")?;
            let is_hex = issuing.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then_some(Kind::Secret(SecretKind::Issuing))
        }
    }
}

/// A key file that was read and is whole.
struct KeyFile {
    path: PathBuf,
    bytes: zeroize::Zeroizing<Vec<u8>>,
}

impl KeyFile {
    fn read(path: &Path) -> Result<Self, Refusal> {
        let gone = || Refusal::new(reasons::FILE_UNREADABLE, path.display().to_string());
        let bytes = match kind_of(path).ok_or_else(gone)? {
            Kind::Secret(kind) => files::read_secret(path, kind)?.encode(),
            Kind::Root => {
                let bytes = files::read_if_there(path, ROOT_BYTES_MAX)?.ok_or_else(gone)?;
                Root::decode(&bytes)?.encode().into()
            }
            Kind::Request => files::read_if_there(path, REQUEST_BYTES_MAX)?
                .ok_or_else(gone)?
                .into(),
        };
        Ok(Self {
            path: path.to_owned(),
            bytes,
        })
    }

    fn name(&self) -> &std::ffi::OsStr {
        self.path.file_name().unwrap_or_default()
    }
}
