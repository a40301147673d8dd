//! The authority's directory and how it is made. Every step may be repeated: what is there is used,
//! what is missing is made.
//!
//! ```text
//! root.pub            the pinned root
//! root.key            the root's secret, of a small publisher only
//! product-keys.key    the secret product keys are made with
//! issuing-….key       an issuing key; old ones stay, to open what was sealed to them
//! pending.req         a request that waits for the root's answer
//! authority.db        everything else
//! store.url           in its place, where a database server keeps everything else
//! ```

use std::path::{Path, PathBuf};

use muster_machine::random;
use muster_proto::Refusal;
use muster_proto::authority::answer::IssuingAnswer;
use muster_proto::authority::secret::{SecretFile, SecretKind};
use muster_proto::key::KeySecret;
use muster_proto::limits::{REQUEST_BYTES_MAX, ROOT_BYTES_MAX, URL_BYTES_MAX};
use muster_proto::reason::{authority as reasons, config};
use muster_proto::statement::request::Request;
use muster_proto::statement::root::Root;
use muster_proto::time::Timestamp;
use muster_store::authority::{AuthorityStore, Tables, ops, owning};

use crate::Authority;
use crate::backup;
use crate::files::{self, Owner};
use crate::issuing::{IssuingReport, Rotation, make_request};
use crate::root::{KEYS_DEFAULT, RootKeys, UNKNOWN_PUBLISHER};
use crate::signer::FileKeys;
use crate::store::Store;

/// Where the root is.
#[derive(Clone, Debug)]
pub enum Ceremony {
    /// In this directory: the root is made with the authority. For small publishers; whoever takes
    /// the directory takes the publisher's name.
    Here,
    /// Offline: only the public root is here, and requests are carried to it.
    Offline(Root),
}

/// What `init` made or found.
#[derive(Clone, Debug)]
pub struct Init {
    /// Whether the root's secret lies in this directory, which is worth a warning.
    pub root_is_here: bool,
    /// The issuing certificate, once there is one.
    pub issuing: Option<IssuingReport>,
    /// The request for the root to sign, while there is none.
    pub request: Option<Vec<u8>>,
}

impl Authority {
    /// Makes an authority in a directory, or opens it when it was made with the same arguments.
    ///
    /// # Errors
    /// `ALREADY_INITIALISED` when the directory holds another one, `STORE_MISSING` when its store was
    /// lost, `FIELD_WRONG` for a name that is not allowed, `CONFIG_WRONG` for a URL that is not.
    pub async fn init(
        directory: &Path,
        publisher: &str,
        url: Option<&str>,
        ceremony: Ceremony,
        now: Timestamp,
    ) -> Result<(Self, Init), Refusal> {
        Self::init_on(None, directory, publisher, url, ceremony, now).await
    }

    /// The same with its store on the database server of a URL, which the directory keeps. Another
    /// URL of the same database may be given later.
    ///
    /// # Errors
    /// As [`Authority::init`]; why the server does not answer; `OTHER_PUBLISHER` where the database
    /// is another one's.
    pub async fn init_on(
        server: Option<&str>,
        directory: &Path,
        publisher: &str,
        url: Option<&str>,
        ceremony: Ceremony,
        now: Timestamp,
    ) -> Result<(Self, Init), Refusal> {
        let url = url.map(check_url).transpose()?;
        // A server before anything is made here: its database may be another's.
        let store = open_server(directory, server).await?;
        files::make_directory(directory)?;
        let root_is_here = matches!(ceremony, Ceremony::Here);
        let root = match ceremony {
            Ceremony::Here => make_root(directory, publisher)?,
            Ceremony::Offline(root) => pin_root(directory, root)?,
        };
        let secret = make_key_secret(directory)?;
        let store = match store {
            Some(store) => store,
            None => Store::open_file(directory)?,
        };
        let owner = (!store.is_file()).then(|| root.fingerprint());
        let authority = Self::assemble(directory, store, root, &secret);
        let name = publisher.to_owned();
        let set = move |tables: &mut dyn Tables| {
            owner.map_or(Ok(()), |owner| owning::own(tables, owner))?;
            ops::set_setting(tables, "publisher", &name, now)?;
            url.iter()
                .try_for_each(|url| ops::set_setting(tables, "url", url, now))
        };
        authority.store.change(set).await?;
        authority.store.remember(directory, server)?;
        let mut init = Init {
            root_is_here,
            issuing: authority.newest_issuing().await?,
            request: None,
        };
        if init.issuing.is_none() {
            match authority.rotate(now).await? {
                Rotation::Done(issuing) => init.issuing = Some(*issuing),
                Rotation::Request(request) => init.request = Some(request),
            }
        }
        Ok((authority, init))
    }

    /// Makes an authority whose root is offline and not known here yet: the request for it to sign.
    /// Its answer brings the root, which [`Authority::pin_root_of`] pins. Asked again, the same
    /// request.
    ///
    /// # Errors
    /// `ALREADY_INITIALISED` when a root is pinned already; as [`Authority::init_on`] of the server.
    pub async fn init_unpinned(
        server: Option<&str>,
        directory: &Path,
        publisher: &str,
        url: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<u8>, Refusal> {
        let url = url.map(check_url).transpose()?;
        if let Some(pinned) = root_if_there(directory)? {
            return Err(already(&format!("its root is {}", pinned.fingerprint())));
        }
        let store = open_server(directory, server).await?;
        files::make_directory(directory)?;
        make_key_secret(directory)?;
        let store = match store {
            Some(store) => store,
            None => Store::open_file(directory)?,
        };
        let name = publisher.to_owned();
        let set = move |tables: &mut dyn Tables| {
            ops::set_setting(tables, "publisher", &name, now)?;
            url.iter()
                .try_for_each(|url| ops::set_setting(tables, "url", url, now))
        };
        store.change(set).await?;
        store.remember(directory, server)?;
        store.close().await;
        match files::read_if_there(&pending_path(directory), REQUEST_BYTES_MAX)? {
            Some(request) => Ok(request),
            None => {
                let keys = FileKeys::new(directory);
                make_request(&keys, directory, UNKNOWN_PUBLISHER, 1, now).await
            }
        }
    }

    /// Pins the root of an answer in a directory that has none yet and waits for one; elsewhere it
    /// changes nothing. Returns the root where it was pinned just now, for its fingerprint to be
    /// compared.
    pub fn pin_root_of(directory: &Path, answer: &[u8]) -> Result<Option<Root>, Refusal> {
        let is_waiting = pending_path(directory).exists();
        if !is_waiting || root_if_there(directory)?.is_some() {
            return Ok(None);
        }
        let answer = IssuingAnswer::decode(answer)?;
        let (cert, _) = answer.verify()?;
        let request = files::read_if_there(&pending_path(directory), REQUEST_BYTES_MAX)?;
        let asked = request.map(|bytes| Request::open(&bytes, UNKNOWN_PUBLISHER));
        match asked.transpose()? {
            Some((request, _)) if request.key == cert.key => pin(directory, answer.root).map(Some),
            _ => Ok(None),
        }
    }
}

/// The store's path in an authority's directory.
pub(crate) fn store_path(directory: &Path) -> PathBuf {
    directory.join("authority.db")
}

/// The store's path, where there is one. An empty file is what a crash left of one.
pub(crate) fn present_store(directory: &Path) -> Result<PathBuf, Refusal> {
    let path = store_path(directory);
    if std::fs::metadata(&path).is_ok_and(|found| found.len() > 0) {
        return Ok(path);
    }
    check_new_store(directory, &path.display().to_string())?;
    let detail = format!("{} is missing", path.display());
    Err(Refusal::new(reasons::NOT_INITIALISED, detail))
}

/// That no store was here before: a new one beside the keys of an old one would number anew what
/// those keys have numbered before. Issuing keys are made last, when the store is there.
///
/// # Errors
/// `STORE_MISSING`.
pub(crate) fn check_new_store(directory: &Path, store: &str) -> Result<(), Refusal> {
    if backup::has_issuing_keys(directory)? {
        let detail = format!("{store} is missing or empty, and issuing keys are here");
        return Err(Refusal::new(reasons::STORE_MISSING, detail));
    }
    Ok(())
}

/// The path of the file that names the store's server, where there is one.
pub(crate) fn store_url_path(directory: &Path) -> PathBuf {
    directory.join("store.url")
}

/// The path of the root's secret, where it is kept here.
pub(crate) fn root_secret_path(directory: &Path) -> PathBuf {
    directory.join("root.key")
}

/// The path of a request that waits for the root's answer.
pub(crate) fn pending_path(directory: &Path) -> PathBuf {
    directory.join("pending.req")
}

fn root_path(directory: &Path) -> PathBuf {
    directory.join("root.pub")
}

fn key_secret_path(directory: &Path) -> PathBuf {
    directory.join("product-keys.key")
}

/// The pinned root.
pub(crate) fn read_root(directory: &Path) -> Result<Root, Refusal> {
    let missing = || Refusal::new(reasons::NOT_INITIALISED, directory.display().to_string());
    root_if_there(directory)?.ok_or_else(missing)
}

/// The secret of product keys.
pub(crate) fn read_key_secret(directory: &Path) -> Result<KeySecret, Refusal> {
    let mut file = files::read_secret(&key_secret_path(directory), SecretKind::ProductKeys)?;
    let secret = file.secrets.pop();
    secret
        .map(KeySecret::new)
        .ok_or_else(|| reasons::SECRET_DAMAGED.into())
}

/// The store on a server, where one is given or kept here; elsewhere a file of this directory is
/// what is meant, and may be made if it is missing.
async fn open_server(directory: &Path, server: Option<&str>) -> Result<Option<Store>, Refusal> {
    let root = root_if_there(directory)?;
    let store = Store::find_server(directory, server, root.as_ref()).await?;
    match present_store(directory) {
        Err(refusal) if store.is_none() && refusal.reason != reasons::NOT_INITIALISED => {
            Err(refusal)
        }
        _ => Ok(store),
    }
}

fn root_if_there(directory: &Path) -> Result<Option<Root>, Refusal> {
    let bytes = files::read_if_there(&root_path(directory), ROOT_BYTES_MAX)?;
    bytes.map(|bytes| Root::decode(&bytes)).transpose()
}

/// The root of a small publisher: its secret is written first, so that a root that was pinned once
/// is never without it.
fn make_root(directory: &Path, publisher: &str) -> Result<Root, Refusal> {
    let path = root_secret_path(directory);
    let keys = if path.exists() {
        RootKeys::read(&path)?
    } else if root_if_there(directory)?.is_some() {
        return Err(already("its root is offline"));
    } else {
        let keys = RootKeys::generate(publisher, KEYS_DEFAULT)?;
        keys.write_as(&path, Owner::Directory)?;
        keys
    };
    if keys.public().name() != publisher {
        return Err(already(&format!(
            "its publisher is {:?}",
            keys.public().name()
        )));
    }
    pin(directory, keys.public().clone())
}

fn pin_root(directory: &Path, root: Root) -> Result<Root, Refusal> {
    if root_secret_path(directory).exists() {
        return Err(already("it keeps its root itself"));
    }
    pin(directory, root)
}

fn pin(directory: &Path, root: Root) -> Result<Root, Refusal> {
    match root_if_there(directory)? {
        Some(pinned) if pinned == root => {}
        Some(pinned) => {
            return Err(already(&format!("its root is {}", pinned.fingerprint())));
        }
        None => files::write(&root_path(directory), &root.encode())?,
    }
    Ok(root)
}

pub(crate) fn already(detail: &str) -> Refusal {
    Refusal::new(reasons::ALREADY_INITIALISED, detail)
}

/// Made once, before the store: a secret that was lost is not replaced by another one, under which
/// no key that was sold would be known.
fn make_key_secret(directory: &Path) -> Result<KeySecret, Refusal> {
    let path = key_secret_path(directory);
    let has_store = store_path(directory).exists() || store_url_path(directory).exists();
    if !path.exists() && !has_store {
        let file = SecretFile {
            kind: SecretKind::ProductKeys,
            secrets: vec![random::bytes()],
            label: String::new(),
        };
        files::write_new_secret(&path, &file, Owner::Directory)?;
    }
    read_key_secret(directory)
}

fn check_url(url: &str) -> Result<String, Refusal> {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let fits = url.len() <= URL_BYTES_MAX && !url.contains(|c: char| c.is_whitespace());
    match host {
        Some(host) if fits && !host.is_empty() => Ok(url.trim_end_matches('/').to_owned()),
        _ => Err(Refusal::new(
            config::CONFIG_WRONG,
            "the authority's URL begins with https:// or http:// and names a host",
        )),
    }
}
