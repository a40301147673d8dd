//! What the host keeps in its store beside its clients: publishers' keys, settings, the clock's
//! reference, the state of DNS. One place for the names it keeps them under.

use std::path::Path;
use std::sync::{Arc, Mutex};

use muster_machine::{Machine, clock, random};
use muster_proto::Refusal;
use muster_proto::crypto::sha256;
use muster_proto::host::{
    AskFacts, ClockReference, Decision, Desk, Intervals, PoolNumbers, StoreIdentity,
};
use muster_proto::ids::{PublisherId, StoreId};
use muster_proto::limits::NEW_IDENTITIES_PER_SOURCE_HOUR;
use muster_proto::reason::{config, store as reasons};
use muster_proto::time::{Span, Timestamp};
use muster_store::kms::{ClientTable, Decide, HostValues, PostgresKms, SqliteKms, ValueChange};
use muster_store::sqlite::Options;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::dns::ZoneStatus;
use crate::keys::{PublisherKeys, StoredKeys};
use crate::table::Table;

/// The database's name in the host's directory.
pub(crate) const DATABASE: &str = "kms.db";

const KEYS: &str = "keys";
const SETTINGS: &str = "settings";
/// The setting that names the table of clients.
const TABLE: &str = "table";
const DNS: &str = "dns";

/// The administrator's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Intervals that go before the policies'.
    pub intervals: Intervals,
    /// New identities one source may bring in an hour.
    pub new_identities: u32,
}

/// The stored form of [`Settings`].
///
/// *Warning:* this type is used in stored state: fields are only ever added, with a default.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredSettings {
    renewal: Option<u64>,
    retry: Option<u64>,
    new_identities: Option<u32>,
}

/// The host's store, opened.
#[derive(Clone)]
pub(crate) struct Records {
    /// The clients that are counted.
    pub(crate) table: Arc<dyn ClientTable>,
    /// The same, where it is shared with other hosts.
    pub(crate) shared: Option<PostgresKms>,
    /// Its name.
    pub(crate) named: Table,
    /// This host's own.
    pub(crate) values: Arc<dyn HostValues>,
    clock: Clock,
}

/// The clocks a host works by: the machine's own, or, in simulations and tests, another.
pub type Clock = Arc<dyn Fn() -> ClockReference + Send + Sync>;

impl Records {
    /// Opens a host's directory, making it where it is missing. Its clients are in the table that is
    /// given, else in the one that the service ran with last, else in the host's own store.
    pub(crate) fn open(dir: &Path, table: Option<&Table>) -> Result<Self, Refusal> {
        make_dir(dir)?;
        let identity = || StoreIdentity {
            id: StoreId(*random::bytes()),
            key: random::bytes(),
        };
        let path = dir.join(DATABASE);
        let noted = (SETTINGS, TABLE);
        let (store, noted) = SqliteKms::open_and_read(&path, Options::default(), identity, noted)?;
        let named = match (table, noted) {
            (Some(table), _) => table.clone(),
            (None, Some(noted)) => decode::<String>(&noted).map(Zeroizing::new)?.parse()?,
            (None, None) => Table::Own,
        };
        let shared = named.open(identity)?;
        let records = Self::over(Arc::new(store), machine_clock());
        Ok(match shared {
            None => records,
            Some(shared) => Self {
                table: Arc::new(shared.clone()),
                shared: Some(shared),
                named,
                ..records
            },
        })
    }

    /// Works on an opened store, which is the table too, by the clocks given.
    pub(crate) fn over<S>(store: Arc<S>, clock: Clock) -> Self
    where
        S: ClientTable + HostValues + 'static,
    {
        Self {
            table: store.clone(),
            shared: None,
            named: Table::Own,
            values: store,
            clock,
        }
    }

    /// Finishes what waits and closes; later calls are refused.
    pub(crate) async fn close(&self) -> Result<(), Refusal> {
        self.table.close().await?;
        self.values.close().await
    }

    /// Both clocks now.
    pub(crate) fn reference(&self) -> ClockReference {
        (self.clock)()
    }

    /// The wall clock now.
    pub(crate) fn now(&self) -> Timestamp {
        self.reference().wall
    }

    /// The store's id and ticket key.
    pub(crate) async fn identity(&self) -> Result<StoreIdentity, Refusal> {
        self.table.identity().await
    }

    /// A number that moves with every change, also one by another process.
    pub(crate) async fn version(&self) -> Result<u64, Refusal> {
        self.values.revision().await
    }

    /// Decides about an ask and commits what it changes.
    pub(crate) async fn submit(
        &self,
        desk: &Arc<Mutex<Desk>>,
        facts: AskFacts,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        let desk: Arc<dyn Decide> = desk.clone();
        self.table.submit(desk, facts, now).await
    }

    /// Every publisher's keys, with the revision they were read at.
    pub(crate) async fn all_keys(&self) -> Result<(u64, Vec<StoredKeys>), Refusal> {
        let revision = self.version().await?;
        let values = self.values.values(KEYS).await?;
        let keys = values.iter().map(|(_, bytes)| StoredKeys::decode(bytes));
        Ok((revision, keys.collect::<Result<_, _>>()?))
    }

    /// One publisher's keys, with the revision they were read at.
    pub(crate) async fn keys(
        &self,
        publisher: PublisherId,
    ) -> Result<(u64, Option<StoredKeys>), Refusal> {
        let revision = self.version().await?;
        let value = self.values.value(KEYS, &publisher.to_string()).await?;
        Ok((
            revision,
            value.map(|bytes| StoredKeys::decode(&bytes)).transpose()?,
        ))
    }

    /// Stores a publisher's keys, unless something else changed the store since `revision`: two
    /// commands never overwrite each other's keys. `said` goes into the audit log.
    pub(crate) async fn put_keys(
        &self,
        revision: u64,
        keys: &StoredKeys,
        said: String,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let publisher = keys.root()?.publisher().to_string();
        let change = ValueChange {
            puts: vec![(KEYS.into(), publisher, keys.encode())],
            deletes: Vec::new(),
            said,
            expected: Some(revision),
        };
        self.values.change(change, now).await.map(|_| ())
    }

    /// Forgets a publisher's keys.
    pub(crate) async fn remove_keys(
        &self,
        revision: u64,
        publisher: PublisherId,
        said: String,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let change = ValueChange {
            puts: Vec::new(),
            deletes: vec![(KEYS.into(), publisher.to_string())],
            said,
            expected: Some(revision),
        };
        self.values.change(change, now).await.map(|_| ())
    }

    /// The numbers of the pools of a publisher's policies.
    pub(crate) async fn pool_numbers(&self, keys: &PublisherKeys) -> Result<PoolNumbers, Refusal> {
        let mut numbers = PoolNumbers::new();
        for policy in keys.policies.values() {
            if !numbers.contains_key(&policy.pool) {
                let number = self.table.pool(keys.publisher, policy.pool.clone()).await?;
                numbers.insert(policy.pool.clone(), number);
            }
        }
        Ok(numbers)
    }

    /// The administrator's settings.
    pub(crate) async fn settings(&self) -> Result<Settings, Refusal> {
        let stored: StoredSettings = self.get(SETTINGS, "host").await?.unwrap_or_default();
        Ok(Settings {
            intervals: Intervals {
                renewal: stored.renewal.map(Span::from_seconds),
                retry: stored.retry.map(Span::from_seconds),
            },
            new_identities: stored
                .new_identities
                .unwrap_or(NEW_IDENTITIES_PER_SOURCE_HOUR),
        })
    }

    /// Stores the settings.
    pub(crate) async fn put_settings(
        &self,
        settings: Settings,
        audit: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let stored = StoredSettings {
            renewal: settings.intervals.renewal.map(Span::seconds),
            retry: settings.intervals.retry.map(Span::seconds),
            new_identities: Some(settings.new_identities),
        };
        self.put(SETTINGS, "host", encode(&stored), Some(audit), now)
            .await
    }

    /// When the clock was last known to be right.
    pub(crate) async fn clock_reference(&self) -> Result<Option<ClockReference>, Refusal> {
        let value = self.values.value(SETTINGS, "clock").await?;
        Ok(value.and_then(|bytes| ClockReference::from_bytes(&bytes)))
    }

    /// Remembers when the clock was right; `audit` where an administrator confirmed it.
    pub(crate) async fn put_clock_reference(
        &self,
        reference: ClockReference,
        audit: Option<&str>,
    ) -> Result<(), Refusal> {
        let bytes = Zeroizing::new(reference.to_bytes().to_vec());
        self.put(SETTINGS, "clock", bytes, audit, reference.wall)
            .await
    }

    /// Where the running service listens.
    pub(crate) async fn listen(&self) -> Result<Vec<String>, Refusal> {
        Ok(self.get(SETTINGS, "listen").await?.unwrap_or_default())
    }

    /// Remembers where the service listens.
    pub(crate) async fn put_listen(
        &self,
        listen: &[String],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.put(SETTINGS, "listen", encode(&listen), None, now)
            .await
    }

    /// The zones that the service was started with last; nothing where it was one that did not tell.
    pub(crate) async fn configured_zones(&self) -> Result<Option<Vec<String>>, Refusal> {
        self.get(SETTINGS, "zones").await
    }

    /// Remembers the zones that the service is started with.
    pub(crate) async fn put_configured_zones(
        &self,
        zones: &[&str],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.put(SETTINGS, "zones", encode(&zones), None, now).await
    }

    /// Notes the table that the service runs with: commands look at the same one.
    pub(crate) async fn put_table(&self, now: Timestamp) -> Result<(), Refusal> {
        let noted: Option<String> = self.get(SETTINGS, TABLE).await?;
        let noted = noted.map(Zeroizing::new);
        let before = noted
            .as_ref()
            .map_or(Table::Own.text(), |text| text.as_str());
        if before == self.named.text() {
            return Ok(());
        }
        let said = format!("counts clients in {}", self.named);
        tracing::warn!(
            "clients are counted in another table than before: {}",
            self.named
        );
        let value = encode(&self.named.text());
        self.put(SETTINGS, TABLE, value, Some(&said), now).await
    }

    /// What became of the last DNS updates.
    pub(crate) async fn zones(&self) -> Result<Vec<ZoneStatus>, Refusal> {
        let values = self.values.values(DNS).await?;
        values.iter().map(|(_, bytes)| decode(bytes)).collect()
    }

    /// Remembers what became of DNS updates; one that failed leaves the time of the last success.
    pub(crate) async fn put_zones(
        &self,
        zones: &[ZoneStatus],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let held = self.zones().await?;
        for zone in zones {
            let last = held.iter().find(|held| held.zone == zone.zone);
            let mut zone = zone.clone();
            zone.published_at = zone
                .published_at
                .or(last.and_then(|last| last.published_at));
            self.put(DNS, &zone.zone, encode(&zone), None, now).await?;
        }
        Ok(())
    }

    async fn get<T: for<'a> Deserialize<'a>>(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        let value = self.values.value(kind, name).await?;
        value.map(|bytes| decode(&bytes)).transpose()
    }

    async fn put(
        &self,
        kind: &str,
        name: &str,
        value: Zeroizing<Vec<u8>>,
        audit: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let change = ValueChange {
            puts: vec![(kind.into(), name.into(), value)],
            deletes: Vec::new(),
            said: audit.unwrap_or_default().to_owned(),
            expected: None,
        };
        self.values.change(change, now).await.map(|_| ())
    }
}

/// The machine's own clocks. No process outlives a boot, so its id is read once.
fn machine_clock() -> Clock {
    let read = Machine::real().boot_id().unwrap_or_default();
    let mut boot_id = [0; 16];
    boot_id.copy_from_slice(&sha256(read.as_bytes())[..16]);
    Arc::new(move || ClockReference {
        wall: clock::now(),
        since_boot: clock::since_boot().unwrap_or(Span::ZERO),
        boot_id,
    })
}

/// Makes a host's directory, its owner's alone.
pub(crate) fn make_dir(dir: &Path) -> Result<(), Refusal> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| {
        Refusal::new(
            config::FILE_UNWRITABLE,
            format!("{}: {error}", dir.display()),
        )
    })
}

fn encode<T: Serialize>(value: &T) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::new());
    ciborium::into_writer(value, &mut *bytes).expect("writing to memory cannot fail");
    bytes
}

fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, Refusal> {
    ciborium::from_reader(bytes)
        .map_err(|_| Refusal::new(reasons::ROW_UNREADABLE, "a setting of the host"))
}
