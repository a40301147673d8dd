//! Where an authority's store is: a file in its directory, or a database server that the file
//! `store.url` beside its keys names. Several machines with a copy of the directory may serve the
//! same database; another publisher's authority is kept out of it.

use std::path::Path;

use muster_machine::random;
use muster_proto::Refusal;
use muster_proto::doctor::replication::ReplicationSeen;
use muster_proto::limits::POSTGRES_URL_BYTES_MAX;
use muster_proto::reason::{authority as reasons, store as store_reasons};
use muster_proto::statement::root::Root;
use muster_store::authority::owning::{Owner, another, own, owner};
use muster_store::authority::{AuthorityStore, PostgresAuthority, SqliteAuthority, Tables};
use muster_store::postgres::StoreUrl;
use muster_store::sqlite::Work;
use zeroize::Zeroizing;

use crate::{directory, files};

/// The store of an authority's directory.
#[derive(Clone, Debug)]
pub enum Store {
    /// A file in the directory.
    File(SqliteAuthority),
    /// A database server.
    Server(PostgresAuthority),
}

impl AuthorityStore for Store {
    async fn change<T, F>(&self, change: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        match self {
            Self::File(store) => store.change(change).await,
            Self::Server(store) => store.change(change).await,
        }
    }

    async fn view<T, F>(&self, view: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        match self {
            Self::File(store) => store.view(view).await,
            Self::Server(store) => store.view(view).await,
        }
    }

    fn is_elsewhere(&self) -> bool {
        !self.is_file()
    }

    fn work(&self) -> Work {
        match self {
            Self::File(store) => store.work(),
            Self::Server(store) => store.work(),
        }
    }
}

impl Store {
    /// Opens the store of a directory; on a server it must be this root's.
    ///
    /// # Errors
    /// What the file or the server refuses; `OTHER_PUBLISHER`; `STORE_MISSING` for a database that was
    /// emptied.
    pub(crate) async fn open(directory: &Path, root: &Root) -> Result<Self, Refusal> {
        match read_url(directory)? {
            None => SqliteAuthority::open(&directory::present_store(directory)?).map(Self::File),
            Some(text) => Self::open_server(&text, root).await,
        }
    }

    /// Opens the file of a directory, or makes it.
    pub(crate) fn open_file(directory: &Path) -> Result<Self, Refusal> {
        SqliteAuthority::open(&directory::store_path(directory)).map(Self::File)
    }

    async fn open_server(text: &str, root: &Root) -> Result<Self, Refusal> {
        let root = root.fingerprint();
        let store = PostgresAuthority::open(parse(text)?, *random::bytes()).await?;
        match store.view(|tables| owner(tables)).await? {
            Owner::Root(owner) if owner == root => {}
            Owner::Root(owner) => return Err(another(owner)),
            Owner::Unnamed => store.change(move |tables| own(tables, root)).await?,
            // Serials would be given out a second time.
            Owner::Nobody => {
                let detail = format!("{} is empty", store.url());
                return Err(Refusal::new(reasons::STORE_MISSING, detail));
            }
        }
        Ok(Self::Server(store))
    }

    /// Opens the database that a directory keeps the URL of, or is to keep from now on; nothing where
    /// its store is a file. The root that is pinned there so far decides whose the database may be.
    ///
    /// # Errors
    /// As [`Store::open`]; `ALREADY_INITIALISED` where the store is a file and a URL is given.
    pub(crate) async fn find_server(
        directory: &Path,
        url: Option<&str>,
        root: Option<&Root>,
    ) -> Result<Option<Self>, Refusal> {
        let kept = read_url(directory)?;
        let Some(text) = url.or(kept.as_deref().map(String::as_str)) else {
            return Ok(None);
        };
        check_no_file(directory)?;
        if let (Some(_), Some(root)) = (&kept, root) {
            return Self::open_server(text, root).await.map(Some);
        }
        let store = PostgresAuthority::make(parse(text)?, *random::bytes()).await?;
        match store.view(|tables| owner(tables)).await? {
            Owner::Root(owner) if Some(owner) != root.map(Root::fingerprint) => Err(another(owner)),
            Owner::Nobody => {
                directory::check_new_store(directory, &store.url().to_string())?;
                Ok(Some(Self::Server(store)))
            }
            _ => Ok(Some(Self::Server(store))),
        }
    }

    /// Opens the database of another URL, which must be this root's.
    ///
    /// # Errors
    /// As [`Store::open`]; `ALREADY_INITIALISED` where the store is a file.
    pub(crate) async fn open_other(
        directory: &Path,
        url: &str,
        root: &Root,
    ) -> Result<Self, Refusal> {
        check_no_file(directory)?;
        Self::open_server(url, root).await
    }

    /// Keeps the URL of a server in the directory, once the database is known to be its own.
    pub(crate) fn remember(&self, directory: &Path, url: Option<&str>) -> Result<(), Refusal> {
        match (self, url) {
            (Self::Server(_), Some(url))
                if read_url(directory)?.as_deref().map(String::as_str) != Some(url) =>
            {
                files::write(&directory::store_url_path(directory), url.as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// Looks through what is kept, as far as is quick enough beside a running service, and says what
    /// it is.
    pub(crate) async fn check(&self) -> Result<String, Refusal> {
        match self {
            Self::File(store) => {
                let (executor, path) = (store.executor(), store.executor().path().display());
                store.check().await?;
                let bytes = std::fs::metadata(executor.path()).map_or(0, |found| found.len());
                Ok(format!("{path}: {bytes} bytes, whole"))
            }
            Self::Server(store) => Ok(format!("{} answers", store.url())),
        }
    }

    /// How the server keeps what it acknowledges; nothing where the store is a file.
    pub(crate) async fn replication(&self) -> Result<Option<ReplicationSeen>, Refusal> {
        match self {
            Self::File(_) => Ok(None),
            Self::Server(store) => Ok(Some(store.replication().await?.seen())),
        }
    }

    /// Whether it is a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Finishes what waits and closes it.
    pub(crate) async fn close(&self) {
        match self {
            Self::File(store) => store.executor().close().await,
            Self::Server(store) => store.close().await,
        }
    }

    /// The file, for what only a file can do.
    ///
    /// # Errors
    /// `STORE_ON_SERVER`.
    pub(crate) fn file(&self) -> Result<&SqliteAuthority, Refusal> {
        match self {
            Self::File(store) => Ok(store),
            Self::Server(store) => Err(on_server(store.url().to_string())),
        }
    }
}

fn check_no_file(directory: &Path) -> Result<(), Refusal> {
    match directory::store_path(directory).exists() {
        true => Err(directory::already("its store is the file authority.db")),
        false => Ok(()),
    }
}

/// Refuses a directory whose store is on a server.
///
/// # Errors
/// `STORE_ON_SERVER`.
pub(crate) fn check_file(directory: &Path) -> Result<(), Refusal> {
    match read_url(directory)? {
        Some(text) => Err(on_server(parse(&text)?.to_string())),
        None => Ok(()),
    }
}

fn on_server(shown: String) -> Refusal {
    Refusal::new(reasons::STORE_ON_SERVER, shown)
}

/// The URL that a directory keeps. It may hold a password, so the file is a secret.
pub(crate) fn read_url(directory: &Path) -> Result<Option<Zeroizing<String>>, Refusal> {
    let path = directory::store_url_path(directory);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = files::read_private(&path, POSTGRES_URL_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        let detail = format!("{}: it is no text", path.display());
        Refusal::new(store_reasons::BAD_URL, detail)
    })?;
    Ok(Some(Zeroizing::new(text.trim().to_owned())))
}

fn parse(text: &str) -> Result<StoreUrl, Refusal> {
    text.parse()
}
