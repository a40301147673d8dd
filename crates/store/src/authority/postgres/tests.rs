//! Several authorities at once on one database.

use std::collections::{BTreeMap, BTreeSet};

use std::time::Duration;

use muster_proto::limits::POSTGRES_COMMIT_MILLISECONDS;
use muster_proto::reason::{authority as reasons, store as store_reasons};
use muster_proto::time::Timestamp;
use sqlx_core::connection::Connection;
use sqlx_core::query_scalar::query_scalar;
use sqlx_core::raw_sql::raw_sql;
use sqlx_postgres::PgConnection;
use tokio::time::Instant;

use crate::authority::ops::Certified;
use crate::authority::tests::server::Postgres;
use crate::authority::tests::{Backend, asked, certify, furnished, postgres, runtime};
use crate::authority::{Tables, key_report};

const MACHINES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Two authorities certify eight machines twelve times each, on one key of 6 x 10.
#[test]
fn two_authorities_give_out_a_key_once() {
    runtime().block_on(async {
        let url = Postgres::shared().database();
        let one = Backend::Postgres(postgres(&url, 1).await);
        let (_, id) = furnished(&|| one.clone()).await;
        let other = Backend::Postgres(postgres(&url, 2).await);
        let mut asks = tokio::task::JoinSet::new();
        for number in 0..96_u16 {
            let store = if number % 2 == 0 { &one } else { &other }.clone();
            let machine = MACHINES[usize::from(number / 2) % 8];
            asks.spawn(async move {
                let ask = asked(100 + number, machine, &[id]);
                loop {
                    match certify(&store, &ask).await {
                        Err(refusal) if refusal.reason == store_reasons::CONFLICTS => {}
                        outcome => return (machine, outcome),
                    }
                }
            });
        }
        let mut granted = BTreeMap::<&str, u32>::new();
        let mut names = BTreeSet::new();
        for (machine, outcome) in asks.join_all().await {
            match outcome {
                Ok(Certified::Granted(name, _)) => {
                    assert!(names.insert(name), "one certificate for two requests");
                    *granted.entry(machine).or_default() += 1;
                }
                Ok(forked) => panic!("{forked:?}"),
                Err(refusal) => {
                    let spent = [reasons::HOSTS_SPENT, reasons::ACTIVATIONS_SPENT];
                    assert!(spent.contains(&refusal.reason), "{refusal}");
                }
            }
        }
        assert_eq!(granted.len(), 6, "{granted:?}");
        assert!(granted.values().all(|count| *count == 10), "{granted:?}");
        let report = one
            .view(move |t| key_report(t, t.key(id)?.unwrap()))
            .await
            .unwrap();
        assert_eq!((report.hosts_used, report.activations_used), (6, 60));
        let log = other.view(|t| t.audit(0, 1_000)).await.unwrap();
        let numbers: Vec<_> = log.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, (1..=62).collect::<Vec<_>>());
    });
}

/// The server is stopped as by a crash and comes back: the store goes on, with all it acknowledged.
#[test]
fn a_restarted_server_is_gone_on_with() {
    let server = Postgres::start();
    let url = server.database();
    runtime().block_on(async {
        let store = Backend::Postgres(postgres(&url, 1).await);
        let put = |value: &'static [u8]| store.change(move |t| t.put_setting("url", value));
        let kept = || store.view(|t| t.setting("url"));
        put(b"one").await.unwrap();
        server.down();
        let refused = put(b"two").await.unwrap_err();
        assert_eq!(refused.reason, store_reasons::SERVER_UNREACHABLE);
        let refused = kept().await.unwrap_err();
        assert_eq!(refused.reason, store_reasons::SERVER_UNREACHABLE);
        server.up();
        assert_eq!(kept().await.unwrap().as_deref(), Some(&b"one"[..]));
        put(b"three").await.unwrap();
        assert_eq!(kept().await.unwrap().as_deref(), Some(&b"three"[..]));
    });
    server.down();
}

/// A commit waits for a standby that is not there, and is not answered: it is looked for until the
/// server tells that it stands, and its change was made once.
#[test]
fn an_unanswered_commit_is_found_out() {
    const WAITS: &str = "ALTER SYSTEM SET synchronous_standby_names = 'nobody'";
    const WAITS_NOT: &str = "ALTER SYSTEM RESET synchronous_standby_names";
    const UNANSWERED: Duration = Duration::from_millis(POSTGRES_COMMIT_MILLISECONDS);
    let server = Postgres::start();
    let url = server.database();
    runtime().block_on(async {
        let store = Backend::Postgres(postgres(&url, 1).await);
        let mut other = PgConnection::connect(&url).await.unwrap();
        for sql in [WAITS, "SELECT pg_reload_conf()"] {
            raw_sql(sql).execute(&mut other).await.unwrap();
        }
        while shown(&mut other, "SHOW synchronous_standby_names").await != "nobody" {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        let note = async {
            let note = |t: &mut dyn Tables| t.put_audit(Timestamp::default(), "noted", "", "");
            (store.change(note).await, begun.elapsed())
        };
        let mend = async {
            tokio::time::sleep(UNANSWERED + Duration::from_secs(2)).await;
            for sql in [WAITS_NOT, "SELECT pg_reload_conf()"] {
                raw_sql(sql).execute(&mut other).await.unwrap();
            }
        };
        let ((noted, waited), ()) = tokio::join!(note, mend);
        noted.unwrap();
        assert!(waited >= UNANSWERED, "the commit was not answered at first");
        let log = store.view(|t| t.audit(0, 10)).await.unwrap();
        assert_eq!(log.iter().filter(|entry| entry.event == "noted").count(), 1);
    });
    server.down();
}

async fn shown(connection: &mut PgConnection, sql: &'static str) -> String {
    let show = query_scalar::<sqlx_postgres::Postgres, String>(sql);
    show.fetch_one(connection).await.unwrap()
}
