//! An authority's store whose server and connections fail.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_proto::Refusal;
use muster_proto::reason::store as reasons;
use muster_proto::time::Timestamp;
use muster_store::authority::{AuthorityStore, PostgresAuthority};
use muster_store::postgres::Server;

use crate::faults::swallow_commits;
use crate::server::Postgres;
use crate::{block_on, connect, number, run};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

async fn open(url: &str, seed: u8) -> PostgresAuthority {
    let made = PostgresAuthority::make(url.parse().unwrap(), [seed; 16]).await;
    made.unwrap()
}

/// One change, which must be found once, if it was acknowledged.
async fn put(store: &PostgresAuthority, subject: u32) -> Result<(), Refusal> {
    let subject = subject.to_string();
    let change = store.change(move |tables| tables.put_audit(NOW, "event", &subject, ""));
    change.await
}

/// How often each change is found.
async fn found(store: &PostgresAuthority) -> BTreeMap<u32, u32> {
    let log = store.view(|tables| tables.audit(0, 10_000)).await.unwrap();
    let mut found = BTreeMap::new();
    for entry in log {
        *found.entry(entry.subject.parse().unwrap()).or_default() += 1;
    }
    found
}

#[test]
fn tables_are_made_on_demand_only() {
    block_on(async {
        let url = Postgres::shared().database();
        let refused = PostgresAuthority::open(url.parse().unwrap(), [1; 16]).await;
        assert_eq!(refused.unwrap_err().reason, reasons::NOT_OPENED);
        let tables = "SELECT count(*) FROM information_schema.tables \
             WHERE table_name LIKE 'authority%' OR table_name LIKE 'muster%'";
        assert_eq!(number(&connect(&url), tables).await, 0);
        open(&url, 1).await.close().await;
        let again = PostgresAuthority::open(url.parse().unwrap(), [2; 16]).await;
        let again = again.unwrap();
        put(&again, 1).await.unwrap();
        again.close().await;
        let refused = put(&again, 2).await.unwrap_err();
        assert_eq!(refused.reason, reasons::STOPPED);
    });
}

/// Every answer to a commit is lost on the way: each is found out, and none is done twice.
#[test]
fn a_lost_answer_to_a_commit_is_found_out() {
    block_on(async {
        let (front, is_armed) = swallow_commits(&Postgres::shared().database()).await;
        let store = open(&front, 1).await;
        put(&store, 0).await.unwrap();
        is_armed.store(true, Ordering::Relaxed);
        for subject in 1..10 {
            put(&store, subject).await.unwrap();
        }
        is_armed.store(false, Ordering::Relaxed);
        let each_once = (0..10).map(|subject| (subject, 1)).collect();
        assert_eq!(found(&store).await, each_once);
        store.close().await;
    });
}

/// Ends the connections at work on the database again and again, some queries apart; how many.
async fn cut(server: Server, is_over: Arc<AtomicBool>) -> i64 {
    const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    let mut cuts = 0;
    for round in 0_u32.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        for _ in 0..5 + round * 7 % 13 {
            number(&server, "SELECT 1::BIGINT").await;
        }
        cuts += number(&server, CUT).await;
    }
    cuts
}

/// Connections are cut at any time: what was acknowledged is there, and nothing is there twice.
#[test]
fn connections_cut_at_any_time_lose_and_double_nothing() {
    block_on(async {
        let url = Postgres::shared().database();
        let store = open(&url, 1).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let cutter = tokio::spawn(cut(connect(&url), Arc::clone(&is_over)));
        let mut askers = tokio::task::JoinSet::new();
        for asker in 0..4_u32 {
            let store = store.clone();
            askers.spawn(async move {
                let mut told = Vec::new();
                for subject in asker * 1_000..asker * 1_000 + 100 {
                    told.push((subject, put(&store, subject).await));
                }
                told
            });
        }
        let told = askers.join_all().await.concat();
        is_over.store(true, Ordering::Relaxed);
        let cuts = cutter.await.unwrap();
        let found = found(&store).await;
        let mut acknowledged = 0;
        for (subject, outcome) in told {
            let times = found.get(&subject).copied().unwrap_or(0);
            match outcome {
                Ok(()) => {
                    acknowledged += 1;
                    assert_eq!(times, 1, "{subject} was acknowledged");
                }
                Err(refusal) if refusal.reason == reasons::OUTCOME_UNKNOWN => {
                    assert!(times <= 1, "{subject} is there twice");
                }
                Err(refusal) => assert_eq!(times, 0, "{subject} was refused: {refusal}"),
            }
        }
        assert!(acknowledged > 0 && cuts > 10, "{acknowledged}, {cuts} cuts");
        store.close().await;
    });
}

/// Of the changes that share a transaction one that fails is undone alone.
#[test]
fn a_change_that_fails_undoes_itself_alone() {
    block_on(async {
        let store = open(&Postgres::shared().database(), 1).await;
        let mut askers = tokio::task::JoinSet::new();
        for subject in 0..200_u32 {
            let store = store.clone();
            askers.spawn(async move {
                let change = store.change(move |tables| {
                    tables.put_audit(NOW, "event", &subject.to_string(), "")?;
                    match subject % 4 {
                        1 => Err(Refusal::from(reasons::FULL)),
                        // The database refuses the third kind: its text may hold no NUL.
                        2 => tables.put_audit(NOW, "event", "\0", ""),
                        // And a change that did not heed that has failed all the same.
                        3 => {
                            let _ = tables.put_audit(NOW, "event", "\0", "");
                            Ok(())
                        }
                        _ => Ok(()),
                    }
                });
                (subject, change.await.map_err(|refusal| refusal.reason))
            });
        }
        for (subject, outcome) in askers.join_all().await {
            let expected = match subject % 4 {
                0 => Ok(()),
                1 => Err(reasons::FULL),
                _ => Err(reasons::INTERNAL),
            };
            assert_eq!(outcome, expected, "{subject}");
        }
        let kept = (0..200).step_by(4).map(|subject| (subject, 1)).collect();
        assert_eq!(found(&store).await, kept);
        let work = store.work();
        assert!(work.commits < work.changes, "{work:?}");
        store.close().await;
    });
}

/// The names of transactions are forgotten after a day, and not before.
#[test]
fn names_of_old_transactions_are_forgotten() {
    block_on(async {
        let url = Postgres::shared().database();
        open(&url, 1).await.close().await;
        let server = connect(&url);
        for age in [86_000, 87_000] {
            let insert = format!(
                "INSERT INTO authority_done VALUES \
                 (decode('{age:08}', 'hex'), EXTRACT(EPOCH FROM now())::BIGINT - {age})"
            );
            run(&server, &insert).await;
        }
        let store = open(&url, 2).await;
        put(&store, 1).await.unwrap();
        // The change is answered before old names are looked for; the next one waits for that.
        put(&store, 2).await.unwrap();
        let names = "SELECT count(*) FROM authority_done";
        assert_eq!(number(&server, names).await, 3);
        store.close().await;
    });
}
