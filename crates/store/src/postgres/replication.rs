//! How a database server keeps a second copy, as `status` and `doctor` tell it.

use muster_proto::Refusal;
use muster_proto::doctor::replication::{ReplicationSeen, StandbySeen};
use sqlx_core::query_as::query_as;
use sqlx_postgres::{PgConnection, Postgres};

use super::{Fault, Server};

/// A server's replication. What it means is judged elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replication {
    /// The server's own version, `15.18`.
    pub version: String,
    /// Settings without which a crash loses what was committed, `fsync` and `full_page_writes`;
    /// empty where the server has no such setting.
    pub fsync: String,
    /// See [`Replication::fsync`].
    pub full_page_writes: String,
    /// Whether a commit is waited for on the disk (`synchronous_commit` of muster's sessions).
    pub synchronous_commit: String,
    /// Which standbys a commit waits for; empty for none.
    pub synchronous_standby_names: String,
    /// The standbys that are connected.
    pub standbys: Vec<Standby>,
}

/// A standby that is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standby {
    /// Its name.
    pub name: String,
    /// `streaming`, `catchup`, …; none where this user may not know.
    pub state: Option<String>,
    /// `sync` or `quorum` where commits wait for it, else `async` or `potential`.
    pub sync: Option<String>,
}

impl Replication {
    /// As `doctor` judges it.
    pub fn seen(&self) -> ReplicationSeen {
        let settings = [
            ("fsync", &self.fsync),
            ("full_page_writes", &self.full_page_writes),
            ("synchronous_commit", &self.synchronous_commit),
        ];
        let settings = settings.into_iter().filter(|(_, value)| !value.is_empty());
        let waited_for = |sync: &String| ["sync", "quorum"].contains(&sync.as_str());
        let standby = |standby: &Standby| StandbySeen {
            name: standby.name.clone(),
            is_waited_for: standby.sync.as_ref().map(waited_for),
        };
        ReplicationSeen {
            server: format!("PostgreSQL {}", self.version),
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect(),
            waits_for: self.synchronous_standby_names.clone(),
            standbys: self.standbys.iter().map(standby).collect(),
        }
    }
}

impl Server {
    /// Asks the server that takes changes for its replication.
    pub async fn replication(&self) -> Result<Replication, Refusal> {
        self.read(|connection| Box::pin(replication(connection)))
            .await
    }
}

async fn replication(connection: &mut PgConnection) -> Result<Replication, Fault> {
    const SETTINGS: &str = "SELECT current_setting('server_version'), \
         COALESCE(current_setting('fsync', true), ''), \
         COALESCE(current_setting('full_page_writes', true), ''), \
         current_setting('synchronous_commit'), current_setting('synchronous_standby_names')";
    const STANDBYS: &str = "SELECT coalesce(application_name, ''), state, sync_state \
         FROM pg_stat_replication ORDER BY application_name LIMIT 64";
    let settings: (String, String, String, String, String) = query_as::<Postgres, _>(SETTINGS)
        .fetch_one(&mut *connection)
        .await?;
    let standbys: Vec<(String, Option<String>, Option<String>)> = query_as::<Postgres, _>(STANDBYS)
        .fetch_all(connection)
        .await?;
    let standby = |(name, state, sync)| Standby { name, state, sync };
    Ok(Replication {
        version: settings.0,
        fsync: settings.1,
        full_page_writes: settings.2,
        synchronous_commit: settings.3,
        synchronous_standby_names: settings.4,
        standbys: standbys.into_iter().map(standby).collect(),
    })
}
