//! Torn files. What a crash can leave heals by SQLite's log: a checkpoint that came half to the disk,
//! a log cut anywhere. What no crash leaves is refused, or a check finds it: zeroed blocks, a file that
//! was cut. Whole pages of another time may pass unseen, and count nobody who is not there. Nothing of
//! it ends the process.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use muster_proto::host::PoolNumber;
use muster_proto::ids::ClientId;
use muster_proto::reason::{Reason, store as reasons};
use muster_store::kms::{ClientPage, ClientTable, Kept, SqliteKms};
use muster_store::sqlite::Options;

use crate::common::{
    Ask, NOW, at, block_on, client_key, desk, facts, identity, pool_id, publisher,
};

/// What a disk writes whole or not at all, in bytes.
const BLOCK: usize = 512;
/// SQLite's page, and what its log puts before the pages and before each.
const PAGE: usize = 4_096;
const LOG_HEAD: usize = 32;
const FRAME_HEAD: usize = 24;

/// Machines that asked before, and those that asked one after the other since.
const BEFORE: u16 = 400;
const SINCE: u16 = 24;

/// The files of one store at two times.
struct Times {
    /// Before, everything in the database.
    old: Vec<u8>,
    /// Since then, everything in the log.
    log: Vec<u8>,
    /// Afterwards, the log moved into the database.
    new: Vec<u8>,
}

impl Times {
    fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kms.db");
        let read = |ending: &str| std::fs::read(with(&path, ending)).unwrap();
        let store = open(&path).unwrap();
        ask(&store, 0..BEFORE);
        block_on(store.close()).unwrap();
        let old = read("");
        let store = open(&path).unwrap();
        ask(&store, BEFORE..BEFORE + SINCE);
        assert_eq!(read(""), old, "nothing was moved yet");
        let log = read("-wal");
        block_on(store.close()).unwrap();
        Self {
            old,
            log,
            new: read(""),
        }
    }

    /// Every boundary of blocks in the longer of both databases.
    fn boundaries(&self) -> impl Iterator<Item = usize> {
        (0..=self.new.len().max(self.old.len())).step_by(BLOCK)
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn open(path: &Path) -> Result<SqliteKms, Reason> {
    let options = Options {
        readers: 1,
        ..Options::default()
    };
    SqliteKms::open(path, options, identity).map_err(|refusal| refusal.reason)
}

fn ask(store: &SqliteKms, clients: std::ops::Range<u16>) {
    block_on(async {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        for client in clients {
            let ask = facts(&Ask::new(client, pool));
            assert!(
                store
                    .submit(desk(), ask, at(NOW))
                    .await
                    .unwrap()
                    .is_granted()
            );
        }
    });
}

/// Lays files down in a directory of their own and opens them.
fn laid(database: &[u8], log: &[u8]) -> (tempfile::TempDir, Result<SqliteKms, Reason>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kms.db");
    std::fs::write(&path, database).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).unwrap();
    if !log.is_empty() {
        std::fs::write(with(&path, "-wal"), log).unwrap();
    }
    let store = open(&path);
    (directory, store)
}

fn ids(clients: std::ops::Range<u16>) -> BTreeSet<ClientId> {
    clients.map(|client| client_key(client).client).collect()
}

/// What a store holds: who, and how many it counts.
fn held(store: &SqliteKms) -> Result<(BTreeSet<ClientId>, u32), Reason> {
    let page = ClientPage {
        limit: 10_000,
        ..ClientPage::default()
    };
    block_on(async {
        let clients = store.clients(page).await?;
        let pools = store.pools(at(NOW)).await?;
        let ids = clients.iter().map(|entry| entry.key.client).collect();
        Ok((ids, pools.first().map_or(0, |pool| pool.count)))
    })
    .map_err(|refusal: muster_proto::Refusal| refusal.reason)
}

/// Holds exactly the first machines, whole, and goes on.
fn check_first(store: &SqliteKms, clients: u16, what: &str) {
    let expected = (ids(0..clients), u32::from(clients));
    assert!(held(store).as_ref() == Ok(&expected), "{what}");
    block_on(store.executor().check()).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
    ask(store, 9_000..9_001);
    assert_eq!(held(store).unwrap().1, u32::from(clients) + 1, "{what}");
}

#[test]
fn a_checkpoint_that_came_half_to_the_disk_is_made_whole_by_the_log() {
    let times = Times::make();
    let mut tried = 0;
    for boundary in times.boundaries() {
        let part = |of: &[u8], range: std::ops::Range<usize>| -> Vec<u8> {
            of.get(range.start.min(of.len())..range.end.min(of.len()))
                .unwrap_or_default()
                .to_vec()
        };
        let end = times.new.len();
        // From the front, from the back, and one block alone.
        let tears = [
            [
                part(&times.new, 0..boundary),
                part(&times.old, boundary..end),
            ]
            .concat(),
            [
                part(&times.old, 0..boundary),
                part(&times.new, boundary..end),
            ]
            .concat(),
            [
                part(&times.old, 0..boundary),
                part(&times.new, boundary..boundary + BLOCK),
                part(&times.old, boundary + BLOCK..end),
            ]
            .concat(),
        ];
        for database in tears {
            let (_directory, store) = laid(&database, &times.log);
            let store = store.unwrap();
            check_first(&store, BEFORE + SINCE, &format!("torn at {boundary}"));
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
}

/// Cut anywhere, or with a frame that came half to the disk: the commits before it stand, each whole
/// and in order. None that was acknowledged is among those behind, for `fsync` had come back.
#[test]
fn a_log_that_was_torn_ends_at_a_whole_commit() {
    let times = Times::make();
    let frames = (times.log.len() - LOG_HEAD) / (FRAME_HEAD + PAGE);
    assert!(frames > usize::from(SINCE));
    let starts = (0..=frames).map(|frame| LOG_HEAD + frame * (FRAME_HEAD + PAGE));
    let mut last = BEFORE;
    for start in starts.chain([0]) {
        // At the frame, in its head, after it, and at blocks within its page.
        for within in [
            0,
            8,
            FRAME_HEAD,
            FRAME_HEAD + BLOCK,
            FRAME_HEAD + PAGE - BLOCK,
        ] {
            let end = (start + within).min(times.log.len());
            let mut garbled = times.log.clone();
            garbled[end..].fill(0);
            let mut other = times.log.clone();
            other[end..].iter_mut().for_each(|byte| *byte = !*byte);
            let mut counts = BTreeSet::new();
            for log in [&times.log[..end], &garbled, &other] {
                let (_directory, store) = laid(&times.old, log);
                let store = store.unwrap();
                let (ids_held, count) = held(&store).unwrap();
                let clients = u16::try_from(count).unwrap();
                assert_eq!(ids_held, ids(0..clients), "cut at {end}");
                check_first(&store, clients, &format!("cut at {end}"));
                counts.insert(clients);
            }
            assert_eq!(counts.len(), 1, "cut at {end}: {counts:?}");
            let count = counts.into_iter().next().unwrap();
            if start > 0 {
                assert!((last..=BEFORE + SINCE).contains(&count), "cut at {end}");
                last = count;
            }
        }
    }
    assert_eq!(last, BEFORE + SINCE, "whole, all of them are there");
}

/// Reasons that name the damage.
const NAMED: [Reason; 4] = [
    reasons::CORRUPT,
    reasons::WRONG_KIND,
    reasons::ROW_UNREADABLE,
    // A page of the schema from another time.
    reasons::INTERNAL,
];

/// What became of damaged databases.
#[derive(Debug, Default)]
struct Outcomes {
    tried: usize,
    refused: usize,
    healthy: usize,
    /// Something was lost, and a whole check says so; a quick one too.
    found: usize,
    found_quickly: usize,
    /// Those whose machines, asking again, were counted a second time.
    over: usize,
    /// Whole pages of two times, which no check can tell from what was.
    of_two_times: usize,
}

/// Opens a damaged database, asks, and judges: refused with the reason named, or served, and then
/// a check finds what is wrong; but for whole pages of another time, which hold nobody who never
/// asked and count none who is not there. A machine whose row is gone may be counted anew when it
/// asks, and no other.
fn judge(database: &[u8], what: &str, outcomes: &mut Outcomes) {
    outcomes.tried += 1;
    let (_directory, store) = laid(database, &[]);
    let store = match store {
        Ok(store) => store,
        Err(reason) => {
            assert!(NAMED.contains(&reason), "{what}: {reason}");
            outcomes.refused += 1;
            return;
        }
    };
    let whole = block_on(store.executor().check()).is_ok();
    let quick = block_on(store.check()).is_ok();
    let before = held(&store);
    let all = BEFORE + SINCE;
    let truth = (ids(0..all), u32::from(all));
    let mut is_true = before.as_ref() == Ok(&truth);
    if let Ok((listed, _)) = &before {
        assert!(
            listed.is_subset(&truth.0),
            "{what}: somebody who never asked"
        );
    }
    let again = [0, all / 2, all - 1];
    for client in again.into_iter().chain([9_000]) {
        match block_on(asked(&store, client)) {
            Err(reason) => assert!(NAMED.contains(&reason), "{what}: {reason}"),
            Ok(count) => {
                let is_lost = |client: &&u16| match &before {
                    Ok((listed, _)) => !listed.contains(&client_key(**client).client),
                    Err(_) => true,
                };
                let lost = again.iter().filter(is_lost).count();
                let most = u32::from(all) + 1 + u32::try_from(lost).unwrap();
                assert!(count <= most, "{what}: {count} are counted, {lost} lost");
                outcomes.over += usize::from(client == 9_000 && count > u32::from(all) + 1);
                is_true &= client != 9_000 || count == u32::from(all) + 1;
            }
        }
    }
    outcomes.healthy += usize::from(is_true);
    outcomes.found += usize::from(!is_true && !whole);
    outcomes.found_quickly += usize::from(!is_true && !quick);
    if !is_true && whole {
        let (listed, count) = before.expect("what is whole can be listed");
        assert!(
            count as usize <= listed.len(),
            "{what}: {count} are counted"
        );
        outcomes.of_two_times += 1;
    }
}

async fn asked(store: &SqliteKms, client: u16) -> Result<u32, Reason> {
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
fn a_damaged_database_is_refused_or_the_damage_is_found() {
    let times = Times::make();
    let (old, new) = (&times.old, &times.new);
    let mut outcomes = Outcomes::default();
    for boundary in times.boundaries() {
        let cut = boundary.min(new.len());
        judge(&new[..cut], &format!("cut at {boundary}"), &mut outcomes);
        let mut zeroed = new.clone();
        zeroed[cut..(cut + BLOCK).min(new.len())].fill(0);
        judge(&zeroed, &format!("block {boundary} zeroed"), &mut outcomes);
        if boundary % PAGE == 0 {
            let mut zeroed = new.clone();
            zeroed[cut..(cut + PAGE).min(new.len())].fill(0);
            judge(&zeroed, &format!("page {boundary} zeroed"), &mut outcomes);
        }
        let mut torn = new.clone();
        let shared = cut.min(old.len());
        torn[..shared].copy_from_slice(&old[..shared]);
        judge(&torn, &format!("old up to {boundary}"), &mut outcomes);
        let mut torn = new[..cut].to_vec();
        torn.extend_from_slice(old.get(cut..).unwrap_or_default());
        judge(&torn, &format!("old from {boundary}"), &mut outcomes);
    }
    assert!(
        outcomes.refused > 50 && outcomes.found > 50,
        "{outcomes:#?}"
    );
    let told = outcomes.healthy + outcomes.found + outcomes.of_two_times;
    assert_eq!(outcomes.refused + told, outcomes.tried, "{outcomes:#?}");
    assert!(outcomes.found_quickly <= outcomes.found && outcomes.over <= outcomes.found);
}
