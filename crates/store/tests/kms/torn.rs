//! Torn files of a host. What a crash can leave heals by SQLite's log: a checkpoint that came half to
//! the disk, a log cut anywhere. What no crash leaves is refused, or a check finds it: zeroed blocks, a
//! file that was cut. Whole pages of another time may pass unseen, and count nobody who is not there.
//! Nothing of it ends the process.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use muster_proto::host::PoolNumber;
use muster_proto::ids::ClientId;
use muster_proto::reason::Reason;
use muster_store::kms::{ClientPage, ClientTable, Kept, SqliteKms};
use muster_store::sqlite::{Executor, Options};

use crate::common::{
    Ask, NOW, at, block_on, client_key, desk, facts, identity, pool_id, publisher,
};
use crate::tears::{self, Asked, NAMED, Torn};

/// A machine that asks when the damage is done.
const NEW: u16 = 9_000;

/// Each step is a machine that asks: what is held is who is there, and how many are counted.
impl Torn for SqliteKms {
    const FILE: &'static str = "kms.db";
    const BEFORE: u16 = 400;
    const SINCE: u16 = 24;
    type Held = (BTreeSet<ClientId>, u32);

    fn open(path: &Path) -> Result<Self, Reason> {
        let options = Options {
            readers: 1,
            ..Options::default()
        };
        SqliteKms::open(path, options, identity).map_err(|refusal| refusal.reason)
    }

    fn executor(&self) -> &Executor {
        SqliteKms::executor(self)
    }

    fn take(&self, steps: Range<u16>) {
        block_on(async {
            let pool = self.pool(publisher(1), pool_id("cad")).await.unwrap();
            for client in steps {
                let ask = facts(&Ask::new(client, pool));
                let decided = self.submit(desk(), ask, at(NOW)).await.unwrap();
                assert!(decided.is_granted());
            }
        });
    }

    fn held(&self) -> Result<Self::Held, Reason> {
        let page = ClientPage {
            limit: 10_000,
            ..ClientPage::default()
        };
        block_on(async {
            let clients = self.clients(page).await?;
            let pools = self.pools(at(NOW)).await?;
            let ids = clients.iter().map(|entry| entry.key.client).collect();
            Ok((ids, pools.first().map_or(0, |pool| pool.count)))
        })
        .map_err(|refusal: muster_proto::Refusal| refusal.reason)
    }

    fn after(steps: u16) -> Self::Held {
        let ids = (0..steps).map(|client| client_key(client).client);
        (ids.collect(), u32::from(steps))
    }

    fn is_whole(&self) -> bool {
        block_on(self.executor().check()).is_ok() && self.is_whole_quickly()
    }

    fn is_whole_quickly(&self) -> bool {
        block_on(self.check()).is_ok()
    }

    fn is_known((listed, _): &Self::Held) -> bool {
        listed.is_subset(&Self::after(Self::ALL).0)
    }

    /// A machine whose row is gone may be counted anew when it asks, and no other.
    fn ask(&self, before: &Result<Self::Held, Reason>, what: &str) -> Asked {
        let all = u32::from(Self::ALL);
        let again = [0, Self::ALL / 2, Self::ALL - 1];
        let is_lost = |client: &&u16| match before {
            Ok((listed, _)) => !listed.contains(&client_key(**client).client),
            Err(_) => true,
        };
        let lost = again.iter().filter(is_lost).count();
        let mut asked = Asked {
            is_true: true,
            is_over: false,
        };
        for client in again.into_iter().chain([NEW]) {
            match block_on(ask(self, client)) {
                Err(reason) => {
                    assert!(NAMED.contains(&reason), "{what}: {reason}");
                    asked.is_true = false;
                }
                Ok(count) => {
                    let most = all + 1 + u32::try_from(lost).unwrap();
                    assert!(count <= most, "{what}: {count} are counted, {lost} lost");
                    asked.is_over |= client == NEW && count > all + 1;
                    asked.is_true &= client != NEW || count == all + 1;
                }
            }
        }
        asked
    }

    fn check_unseen((listed, count): &Self::Held, what: &str) {
        assert!(
            *count as usize <= listed.len(),
            "{what}: {count} are counted"
        );
    }
}

async fn ask(store: &SqliteKms, client: u16) -> Result<u32, Reason> {
    let pool = store.pool(publisher(1), pool_id("cad")).await;
    let pool: PoolNumber = pool.map_err(|refusal| refusal.reason)?;
    let ask = Ask {
        nonce: 2,
        ..Ask::new(client, pool)
    };
    let decision = store.submit(desk(), facts(&ask), at(NOW + 1)).await;
    let decision = decision.map_err(|refusal| refusal.reason)?;
    Ok(decision.counts.first().map_or(0, |(_, count)| *count))
}

#[test]
fn a_checkpoint_that_came_half_to_the_disk_is_made_whole_by_the_log() {
    tears::half_a_checkpoint::<SqliteKms>();
}

#[test]
fn a_log_that_was_torn_ends_at_a_whole_commit() {
    tears::half_a_log::<SqliteKms>();
}

#[test]
fn a_damaged_database_is_refused_or_the_damage_is_found() {
    let outcomes = tears::damage::<SqliteKms>();
    assert_eq!(outcomes.strange, 0, "{outcomes:#?}");
}
