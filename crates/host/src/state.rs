//! What the running host shares among its connections: keys by publisher, the store, the desk, the
//! settings. It follows what other commands change in the directory, without a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use muster_net::seal::OpeningKey;
use muster_proto::Refusal;
use muster_proto::host::{AskFacts, ClockGuard, Decision, Desk, Intervals};
use muster_proto::ids::{PublisherId, StoreId};
use muster_proto::reason::store as store_reasons;
use muster_proto::time::Timestamp;
use tokio::sync::watch;

use crate::admin::Admin;
use crate::keys::{PublisherKeys, StoredKeys, rotate_opening_key};
use crate::metrics::Asks;
use crate::records::{Records, Settings};

/// A host without its sockets: what all connections share.
pub struct KmsHost {
    pub(crate) records: Records,
    desk: Arc<Mutex<Desk>>,
    view: RwLock<View>,
    clock: Mutex<ClockGuard>,
    pub(crate) asks: Asks,
    /// Whether the store has stopped by itself.
    store_ended: watch::Sender<bool>,
}

/// What is replaced as a whole when the directory changed.
struct View {
    publishers: BTreeMap<PublisherId, Arc<PublisherKeys>>,
    settings: Settings,
    store: StoreId,
    version: u64,
}

impl KmsHost {
    /// Loads the keys and settings of an administrator's host.
    pub async fn load(admin: &Admin) -> Result<Self, Refusal> {
        Self::load_records(admin.records.clone()).await
    }

    async fn load_records(records: Records) -> Result<Self, Refusal> {
        let identity = records.identity().await?;
        let now = records.reference();
        let guard = match records.clock_reference().await? {
            Some(stored) => ClockGuard::resume(stored, now),
            None => ClockGuard::begin(now),
        };
        let version = records.version().await?;
        let view = View {
            publishers: load_keys(&records).await?,
            settings: records.settings().await?,
            store: identity.id,
            version,
        };
        let mut desk = Desk::new(identity);
        desk.set_new_identities_per_hour(view.settings.new_identities);
        Ok(Self {
            records,
            desk: Arc::new(Mutex::new(desk)),
            view: RwLock::new(view),
            clock: Mutex::new(guard),
            asks: Asks::default(),
            store_ended: watch::Sender::new(false),
        })
    }

    /// Takes in what other commands changed since.
    pub async fn follow(&self) -> Result<bool, Refusal> {
        let version = self.records.version().await?;
        if self.read_view(|view| view.version) == version {
            return Ok(false);
        }
        self.reload(version).await?;
        Ok(true)
    }

    /// Takes everything in anew: the store turned out to be another one.
    pub(crate) async fn follow_replaced(&self) -> Result<(), Refusal> {
        self.reload(self.records.version().await?).await
    }

    async fn reload(&self, version: u64) -> Result<(), Refusal> {
        let publishers = load_keys(&self.records).await?;
        // A restore may have brought another identity.
        let identity = self.records.identity().await?;
        let store = identity.id;
        lock(&self.desk).set_store(identity);
        let settings = self.records.settings().await?;
        lock(&self.desk).set_new_identities_per_hour(settings.new_identities);
        if let Some(stored) = self.records.clock_reference().await? {
            *lock(&self.clock) = ClockGuard::resume(stored, self.records.reference());
        }
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        *view = View {
            publishers,
            settings,
            store,
            version,
        };
        Ok(())
    }

    /// What time brings: the clock is noted, and opening keys are replaced. Once an hour is enough.
    pub async fn upkeep(&self) -> Result<(), Refusal> {
        let now = self.trusted_now()?;
        let reference = self.records.reference();
        // Where the clients are counted elsewhere, no ask would notice that the disk has failed.
        self.heed(self.records.put_clock_reference(reference, None).await)?;
        // At once, not when the change is followed: until then the next check would still reckon from
        // the note before.
        lock(&self.clock).confirm(reference);
        tracing::debug!("the clock was noted");
        self.rotate_opening_keys(now).await
    }

    /// Replaces opening keys that are 30 days old and forgets those replaced over 7 days ago.
    async fn rotate_opening_keys(&self, now: Timestamp) -> Result<(), Refusal> {
        for stored in self.records.all_keys().await?.1 {
            let (revision, stored) = self.records.keys(stored.root()?.publisher()).await?;
            let Some(mut stored) = stored.filter(StoredKeys::is_certified) else {
                continue;
            };
            if rotate_opening_key(&mut stored, &OpeningKey::generate(), now)? {
                let said = "replaced the opening key".to_owned();
                self.records.put_keys(revision, &stored, said, now).await?;
                tracing::info!("an opening key was replaced");
            }
        }
        Ok(())
    }

    /// The time to decide and sign at; refused while the clock has jumped and nobody confirmed it.
    pub(crate) fn trusted_now(&self) -> Result<Timestamp, Refusal> {
        let now = self.records.reference();
        lock(&self.clock).check(now.wall, now.since_boot)
    }

    /// The keys of a publisher.
    pub(crate) fn keys_of(&self, publisher: &PublisherId) -> Option<Arc<PublisherKeys>> {
        self.read_view(|view| view.publishers.get(publisher).cloned())
    }

    /// The keys of a publisher, with the store that numbered their pools: both of one moment.
    pub(crate) fn served_by(
        &self,
        publisher: &PublisherId,
    ) -> Option<(Arc<PublisherKeys>, StoreId)> {
        self.read_view(|view| Some((view.publishers.get(publisher).cloned()?, view.store)))
    }

    /// Publishers that are served.
    pub(crate) fn publishers(&self) -> usize {
        self.read_view(|view| view.publishers.len())
    }

    /// The keys of all publishers that are served.
    pub(crate) fn all_keys(&self) -> Vec<Arc<PublisherKeys>> {
        self.read_view(|view| view.publishers.values().cloned().collect())
    }

    /// The administrator's intervals.
    pub(crate) fn intervals(&self) -> Intervals {
        self.read_view(|view| view.settings.intervals)
    }

    /// Lets the store decide and commit.
    pub(crate) async fn submit(
        &self,
        facts: AskFacts,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        self.heed(self.records.submit(&self.desk, facts, now).await)
    }

    /// Notices a store that has stopped by itself.
    fn heed<T>(&self, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        if matches!(&outcome, Err(refusal) if refusal.reason == store_reasons::STOPPED) {
            self.store_ended.send_replace(true);
        }
        outcome
    }

    /// Ready when the store has stopped by itself, because it no longer trusts its disk.
    pub(crate) async fn store_ended(&self) {
        // What is waited for lives as long as this does.
        let _ = self.store_ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub(crate) fn has_store_ended(&self) -> bool {
        *self.store_ended.borrow()
    }

    fn read_view<T>(&self, read: impl FnOnce(&View) -> T) -> T {
        read(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn load_keys(
    records: &Records,
) -> Result<BTreeMap<PublisherId, Arc<PublisherKeys>>, Refusal> {
    let mut publishers = BTreeMap::new();
    for stored in records.all_keys().await?.1 {
        if !stored.is_certified() {
            continue;
        }
        let mut keys = PublisherKeys::load(stored)?;
        keys.numbers = records.pool_numbers(&keys).await?;
        publishers.insert(keys.publisher, Arc::new(keys));
    }
    Ok(publishers)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic while the lock was held stops the process (panics abort no task silently), so what
    // it guards is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
