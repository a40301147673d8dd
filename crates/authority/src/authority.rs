//! An authority at work: its store, its root, its secrets.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_proto::Refusal;
use muster_proto::authority::answer::{Publisher, RevocationList};
use muster_proto::authority::{GuessLimiter, publish};
use muster_proto::doctor::replication::ReplicationSeen;
use muster_proto::ids::PublisherId;
use muster_proto::key::{KeyRing, KeySecret};
use muster_proto::reason::store as store_reasons;
use muster_proto::statement::revocations::{RevocationSet, Revocations};
use muster_proto::statement::root::Root;
use muster_proto::statement::{Anchor, Envelope, Typ};
use muster_proto::time::Timestamp;
use muster_store::authority::ops::{self, Marks};
use muster_store::authority::{AuditEntry, AuthorityStore, Tables};

use crate::directory;
use crate::signer::{FileKeys, IssuingKeys};
use crate::store::Store;

/// An authority's directory at work. Cheap to share behind an [`Arc`].
pub struct Authority<S = Store> {
    pub(crate) directory: PathBuf,
    pub(crate) store: S,
    pub(crate) root: Root,
    pub(crate) ring: Arc<KeyRing>,
    pub(crate) issuing_keys: Arc<dyn IssuingKeys>,
    guesses: Mutex<GuessLimiter>,
}

impl<S> std::fmt::Debug for Authority<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Authority({}, {})",
            self.root.name(),
            self.directory.display()
        )
    }
}

/// How often a change that another one overtook is tried anew.
pub(crate) const TRIES_MAX: usize = 8;

impl Authority {
    /// Opens an authority's directory.
    ///
    /// # Errors
    /// `NOT_INITIALISED` when it holds none; what the files and the store refuse.
    pub async fn open(directory: &Path) -> Result<Self, Refusal> {
        let root = directory::read_root(directory)?;
        let secret = directory::read_key_secret(directory)?;
        let store = Store::open(directory, &root).await?;
        Ok(Self::assemble(directory, store, root, &secret))
    }

    /// Has a directory remember another URL of its store's server: other hosts, another user.
    ///
    /// # Errors
    /// `ALREADY_INITIALISED` where the store is a file; as [`Authority::open`] of that URL, and the
    /// directory is then left as it is.
    pub async fn move_to(directory: &Path, server: &str) -> Result<(), Refusal> {
        let root = directory::read_root(directory)?;
        let store = Store::open_other(directory, server, &root).await?;
        store.close().await;
        store.remember(directory, Some(server))
    }

    /// Finishes what waits and closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// How the server of the store keeps what it acknowledges; nothing where the store is a file.
    ///
    /// # Errors
    /// Why the server does not answer.
    pub async fn replication(&self) -> Result<Option<ReplicationSeen>, Refusal> {
        self.store.replication().await
    }

    /// After the store's server was brought back to an earlier time: what may have been given out
    /// since is not given out again, as after [`Authority::restore`].
    pub async fn restored(&self, now: Timestamp) -> Result<(), Refusal> {
        let raise = move |tables: &mut dyn Tables| ops::raise_floors(tables, Marks::default(), now);
        self.store.change(raise).await
    }
}

impl<S: AuthorityStore> Authority<S> {
    pub(crate) fn assemble(directory: &Path, store: S, root: Root, secret: &KeySecret) -> Self {
        Self {
            directory: directory.to_owned(),
            store,
            root,
            ring: Arc::new(KeyRing::derive(secret)),
            issuing_keys: Arc::new(FileKeys::new(directory)),
            guesses: Mutex::default(),
        }
    }

    /// The same authority with its issuing keys somewhere else than in its directory's files.
    pub fn with_issuing_keys(self, keys: Arc<dyn IssuingKeys>) -> Self {
        Self {
            issuing_keys: keys,
            ..self
        }
    }

    /// Refuses where the store takes no changes: a service that can certify nobody says so before
    /// the first host comes.
    ///
    /// # Errors
    /// What the store refuses, as `READ_ONLY`.
    pub async fn check_writable(&self) -> Result<(), Refusal> {
        // A transaction without a change begins on a read-only disk too.
        let rewrite = |tables: &mut dyn Tables| match tables.setting("publisher")? {
            Some(name) => tables.put_setting("publisher", &name),
            None => Ok(()),
        };
        self.store.change(rewrite).await
    }

    /// The pinned root.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The publisher's id.
    pub fn publisher_id(&self) -> PublisherId {
        self.root.publisher()
    }

    /// Where the authority is found, as it was told.
    pub async fn url(&self) -> Result<Option<String>, Refusal> {
        let url = self.store.view(|tables| tables.setting("url")).await?;
        let damaged = |_| Refusal::new(store_reasons::ROW_UNREADABLE, "setting url");
        url.map(|bytes| String::from_utf8(bytes).map_err(damaged))
            .transpose()
    }

    /// Who the publisher is: root, issuing certificate, URL.
    ///
    /// # Errors
    /// `AWAITING_ROOT`, `ISSUING_ENDED`.
    pub async fn publisher(&self, now: Timestamp) -> Result<Publisher, Refusal> {
        let current = self.current(now).await?;
        Ok(Publisher {
            root: self.root.clone(),
            chain: vec![current.statement],
            url: self.url().await?,
        })
    }

    /// The audit log after an entry, in order.
    pub async fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, Refusal> {
        let read = move |tables: &mut dyn Tables| tables.audit(after, limit);
        self.store.view(read).await
    }

    /// The revocation deltas that a holder of number `from` needs, at most as many as one answer
    /// carries.
    pub async fn revocations(&self, from: u64, now: Timestamp) -> Result<RevocationList, Refusal> {
        let deltas = self.deltas(now).await?;
        let mut ranges = Vec::with_capacity(deltas.len());
        for bytes in &deltas {
            let delta: Revocations = Envelope::decode(bytes, Typ::Revocations)?.claims()?;
            ranges.push(delta.from..delta.number);
        }
        Ok(RevocationList {
            number: ranges.last().map_or(0, |range| range.end),
            deltas: deltas[publish::after(&ranges, from)].to_vec(),
        })
    }

    /// The signed deltas from the first to the newest, signing what is missing.
    pub(crate) async fn deltas(&self, now: Timestamp) -> Result<Vec<Vec<u8>>, Refusal> {
        for _ in 0..TRIES_MAX {
            let plan = self
                .store
                .view(move |tables| ops::plan_deltas(tables, now))
                .await?;
            let is_complete = plan.is_complete();
            let mut deltas = Vec::with_capacity(plan.deltas.len());
            for delta in plan.deltas {
                deltas.push(match delta {
                    Ok(signed) => signed,
                    Err(claims) => self.sign(&claims, now).await?,
                });
            }
            if is_complete {
                return Ok(deltas);
            }
            let (newest, kept) = (plan.newest, deltas.clone());
            let put = move |tables: &mut dyn Tables| ops::put_deltas(tables, newest, &kept);
            if self.store.change(put).await? {
                return Ok(deltas);
            }
        }
        Err(muster_proto::reason::authority::CHANGED_MEANWHILE.into())
    }

    /// The root as an anchor for the authority's own statements. It judges form and rules; what was
    /// revoked is the store's to know.
    pub(crate) fn verify<C: muster_proto::statement::chain::UnderRoot>(
        &self,
        bytes: &[u8],
    ) -> Result<C, Refusal> {
        let anchor = Anchor {
            root: &self.root,
            revoked: &RevocationSet::default(),
        };
        anchor.verify(bytes).map(|verified| verified.claims)
    }

    pub(crate) fn guesses(&self) -> MutexGuard<'_, GuessLimiter> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
