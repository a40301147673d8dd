//! The table on a real PostgreSQL: hosts that race, connections that are cut, a server that is
//! restarted, a database of another past. What is counted stays exact.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muster_proto::host::{PoolNumber, StoreIdentity};
use muster_proto::ids::StoreId;
use muster_proto::limits::LIST_ROWS_MAX;
use muster_proto::reason::store as reasons;
use muster_store::kms::{Audited, ClientPage, ClientTable, Kept, PostgresKms};
use muster_store::postgres::Server;
use muster_store::postgres::sqlx_core::raw_sql::raw_sql;
use muster_store::postgres::sqlx_core::sql_str::AssertSqlSafe;
use tokio::task::JoinSet;

use crate::common::{
    Ask, NOW, at, block_on, client_key, desk, facts, identity, pool_id, postgres_at, publisher,
};
use crate::server::Postgres;

/// Runs statements that the test needs.
async fn run(url: &str, sql: &str) {
    let server = Server::new(url.parse().unwrap(), 1);
    let mut transaction = server.begin().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    raw_sql(sql)
        .execute(transaction.connection())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

/// How many asks were refused.
type Refused = Arc<AtomicU64>;

/// Asks until it is granted, always with the same nonce, as a client does. It may be refused with the
/// reasons of a fault alone.
async fn ask_until_granted(host: &PostgresKms, ask: Ask, refused: &Refused) {
    loop {
        match host.submit(desk(), facts(&ask), at(NOW)).await {
            Ok(decision) => {
                assert!(decision.is_granted(), "{decision:?}");
                return;
            }
            Err(refusal) => {
                let expected = [reasons::OUTCOME_UNKNOWN, reasons::SERVER_UNREACHABLE];
                assert!(expected.contains(&refusal.reason), "{refusal}");
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Each of the clients asks one of the hosts until it is granted, sixteen at a time. With every
/// eighth that is done something happens to the others.
async fn ask_all(
    hosts: &[PostgresKms],
    clients: std::ops::Range<u16>,
    pool: PoolNumber,
    refused: &Refused,
    happens: impl AsyncFn(),
) {
    let mut asks = JoinSet::new();
    for client in clients {
        if asks.len() == 16 {
            asks.join_next().await.unwrap().unwrap();
        }
        if client % 8 == 0 {
            happens().await;
        }
        let host = hosts[usize::from(client) % hosts.len()].clone();
        let refused = Arc::clone(refused);
        let ask = Ask::new(client, pool);
        asks.spawn(async move { ask_until_granted(&host, ask, &refused).await });
    }
    asks.join_all().await;
}

async fn nothing() {}

/// The count is the number of rows, each client was first seen once, and no audit number is missing.
async fn check(host: &PostgresKms, clients: u16) {
    let pools = host.pools(at(NOW)).await.unwrap();
    assert_eq!(pools[0].count, u32::from(clients));
    let page = ClientPage {
        limit: LIST_ROWS_MAX,
        ..ClientPage::default()
    };
    let listed = host.clients(page).await.unwrap();
    assert_eq!(listed.len(), usize::from(clients));
    let audit = host.audit(0, LIST_ROWS_MAX).await.unwrap();
    let numbers: Vec<u64> = audit.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=u64::from(clients)).collect::<Vec<_>>());
    let seen: BTreeSet<_> = audit
        .iter()
        .map(|entry| match entry.event {
            Audited::FirstSeen(client) => client,
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(seen, (0..clients).map(client_key).collect());
}

/// Four hosts of one database, each with the same clients at once: the count is one.
#[test]
fn hosts_that_race_count_every_client_once() {
    let url = Postgres::shared().database();
    block_on(async {
        let hosts: Vec<_> = (0..4).map(|_| postgres_at(&url)).collect();
        let mut named = JoinSet::new();
        for host in hosts.clone() {
            named.spawn(async move { host.pool(publisher(1), pool_id("cad")).await.unwrap() });
        }
        let numbers: BTreeSet<_> = named.join_all().await.into_iter().collect();
        assert_eq!(numbers.len(), 1, "one number, whoever came first");
        let pool = numbers.into_iter().next().unwrap();
        let mut crowds = JoinSet::new();
        let refused = Refused::default();
        for host in hosts.clone() {
            let refused = Arc::clone(&refused);
            crowds.spawn(async move { ask_all(&[host], 0..300, pool, &refused, nothing).await });
        }
        crowds.join_all().await;
        let refused = refused.load(Ordering::Relaxed);
        assert_eq!(refused, 0, "nobody has to ask again");
        check(&hosts[0], 300).await;
        let pools = hosts[1].pools(at(NOW)).await.unwrap();
        assert_eq!(pools[0].requests.total, 1_200);
        let work = hosts[0].work();
        assert_eq!(work.changes, 300);
        assert!(
            work.commits < 300,
            "asks that wait share a commit: {work:?}"
        );
    });
}

/// All connections are cut again and again, also in the midst of commits: whoever is refused asks
/// again, and is counted once.
#[test]
fn cut_connections_cost_nothing_but_a_second_ask() {
    const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let url = Postgres::shared().database();
    block_on(async {
        let hosts = [postgres_at(&url), postgres_at(&url)];
        let pool = hosts[0].pool(publisher(1), pool_id("cad")).await.unwrap();
        let cutter = Server::new(url.parse().unwrap(), 9);
        let cuts = AtomicU64::new(0);
        let cut = async || {
            let mut transaction = cutter.begin().await.unwrap();
            let ran = raw_sql(CUT).execute(transaction.connection()).await;
            cuts.fetch_add(ran.unwrap().rows_affected(), Ordering::Relaxed);
            transaction.roll_back().await.unwrap();
        };
        ask_all(&hosts, 0..500, pool, &Refused::default(), cut).await;
        let cuts = cuts.into_inner();
        assert!(cuts > 20, "the control: there were cuts: {cuts}");
        check(&hosts[0], 500).await;
    });
}

/// A server that is stopped as by a crash, and comes back: the host goes on by itself, and nothing
/// that was acknowledged is missing.
#[test]
fn a_restarted_server_is_found_again() {
    let server = Postgres::start();
    let url = server.database();
    block_on(async {
        let host = postgres_at(&url);
        let pool = host.pool(publisher(1), pool_id("cad")).await.unwrap();
        let refused = Refused::default();
        let (crowd, count) = (host.clone(), Arc::clone(&refused));
        let asking =
            tokio::spawn(async move { ask_all(&[crowd], 0..400, pool, &count, nothing).await });
        while host.work().changes < 40 {
            tokio::task::yield_now().await;
        }
        server.down();
        while refused.load(Ordering::Relaxed) < 16 {
            tokio::task::yield_now().await;
        }
        let ask = facts(&Ask::new(0, pool));
        let refusal = host.submit(desk(), ask, at(NOW)).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::SERVER_UNREACHABLE, "{refusal}");
        let refusal = host.pools(at(NOW)).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::SERVER_UNREACHABLE, "{refusal}");
        server.up();
        asking.await.unwrap();
        check(&host, 400).await;
    });
    server.down();
}

/// A new table has one identity, whoever of several hosts comes first, and keeps it.
#[test]
fn a_table_has_one_identity() {
    let url = Postgres::shared().database();
    block_on(async {
        let open = |number: u8| {
            let own = StoreIdentity {
                id: StoreId([number; 8]),
                ..identity()
            };
            PostgresKms::open(url.parse().unwrap(), own).unwrap()
        };
        let mut found = JoinSet::new();
        for number in 1..=6 {
            let host = open(number);
            found.spawn(async move { host.identity().await.unwrap().id.0 });
        }
        let ids: BTreeSet<_> = found.join_all().await.into_iter().collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        let later = open(7).identity().await.unwrap();
        assert!(ids.contains(&later.id.0));
    });
}

/// A database of another past has come in the place of this one, in which a number means another
/// pool, or none: the ask is refused as the identity would be, until the host has looked again.
#[test]
fn numbers_of_another_past_are_not_counted_in() {
    const SWAP: &str = "UPDATE kms_pools SET name = name || '.' WHERE name <> ''; \
         UPDATE kms_pools SET name = 'cam' WHERE name = 'cad.'; \
         UPDATE kms_pools SET name = 'cad' WHERE name = 'cam.'";
    let url = Postgres::shared().database();
    block_on(async {
        let host = postgres_at(&url);
        let cad = host.pool(publisher(1), pool_id("cad")).await.unwrap();
        let cam = host.pool(publisher(1), pool_id("cam")).await.unwrap();
        run(&url, SWAP).await;
        let ask = |pool| host.submit(desk(), facts(&Ask::new(1, pool)), at(NOW));
        assert_eq!(ask(cad).await.unwrap_err().reason, reasons::REPLACED);
        let pools = host.pools(at(NOW)).await.unwrap();
        assert!(pools.iter().all(|pool| pool.requests.total == 0));
        assert_eq!(host.pool(publisher(1), pool_id("cad")).await.unwrap(), cam);
        assert!(ask(cam).await.unwrap().is_granted());
        run(&url, "DELETE FROM kms_pools WHERE name = 'cad'").await;
        assert_eq!(ask(cam).await.unwrap_err().reason, reasons::REPLACED);
    });
}

/// The tables are gone, and made anew: the host goes on with another identity.
#[test]
fn an_emptied_database_is_a_new_table() {
    const EMPTY: &str = "DROP TABLE kms_store, kms_pools, kms_ends, kms_clients, kms_audit; \
         DELETE FROM muster_schema";
    let url = Postgres::shared().database();
    block_on(async {
        let host = postgres_at(&url);
        let pool = host.pool(publisher(1), pool_id("cad")).await.unwrap();
        run(&url, EMPTY).await;
        let ask = || host.submit(desk(), facts(&Ask::new(1, pool)), at(NOW));
        ask().await.unwrap_err();
        assert_eq!(ask().await.unwrap_err().reason, reasons::REPLACED);
        host.pool(publisher(1), pool_id("cad")).await.unwrap();
        assert!(ask().await.unwrap().is_granted());
    });
}

/// The rights that the book names are enough for a host, and without them it says so.
#[test]
fn a_host_needs_no_more_than_the_rights_on_its_rows() {
    let url = Postgres::shared().database();
    let role = url.rsplit_once('/').unwrap().1.to_owned();
    let place = url.rsplit_once('@').unwrap().1;
    let limited = format!("postgres://{role}:worker@{place}");
    block_on(async {
        let first = postgres_at(&url);
        first.pool(publisher(1), pool_id("cad")).await.unwrap();
        run(&url, &format!("CREATE ROLE {role} LOGIN PASSWORD 'worker'")).await;
        let host = postgres_at(&limited);
        let refusal = host.identity().await.unwrap_err();
        assert_eq!(refusal.reason, reasons::NOT_PERMITTED, "{refusal}");
        let grant = format!(
            "GRANT SELECT ON muster_schema TO {role}; \
             GRANT SELECT, INSERT, UPDATE, DELETE \
             ON kms_store, kms_pools, kms_ends, kms_clients, kms_audit TO {role}"
        );
        run(&url, &grant).await;
        let pool = host.pool(publisher(1), pool_id("cam")).await.unwrap();
        let asked = host
            .submit(desk(), facts(&Ask::new(1, pool)), at(NOW))
            .await;
        assert!(asked.unwrap().is_granted());
        assert_eq!(host.replication().await.unwrap().synchronous_commit, "on");
    });
}
