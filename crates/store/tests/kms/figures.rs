//! Figures that are promises: bytes on disk for each client. Times are measured by benchmarks.

use muster_store::kms::{ClientTable, Kept};
use muster_store::sqlite::rusqlite::Connection;

use crate::common::{
    Ask, NOW, Numbers, at, block_on, desk, facts, pool_id, publisher, sqlite, thumbprint,
};

const CLIENTS: u64 = 100_000;

#[test]
fn a_client_takes_at_most_a_hundred_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kms.db");
    block_on(async {
        let store = sqlite(&directory);
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let mut numbers = Numbers(1);
        for start in (0..CLIENTS).step_by(250) {
            let mut asks = tokio::task::JoinSet::new();
            for client in start..start + 250 {
                // Ids are spread as thumbprints are; the ask's own are too few for this test.
                let mut facts = facts(&Ask::new(client as u16, pool));
                let bytes = [
                    thumbprint(client as u16).0,
                    client.to_be_bytes().repeat(4).try_into().unwrap(),
                ]
                .concat();
                let thumbprint =
                    muster_proto::ids::Thumbprint(muster_proto::crypto::sha256(&bytes));
                facts.thumbprint = thumbprint;
                facts.client.client = thumbprint.into();
                let store = store.clone();
                let now = at(NOW + numbers.below(30 * 86_400));
                asks.spawn(async move { store.submit(desk(), facts, now).await.unwrap() });
            }
            while let Some(decision) = asks.join_next().await {
                assert!(decision.unwrap().is_granted());
            }
        }
        store.close().await.unwrap();
    });
    let file = std::fs::metadata(&path).unwrap().len();
    let connection = Connection::open(&path).unwrap();
    let clients: u64 = connection
        .query_row("SELECT count(*) FROM clients", [], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap()
        .unsigned_abs();
    assert_eq!(clients, CLIENTS);
    let packed: f64 = connection
        .query_row("SELECT avg(length(packed)) FROM clients", [], |row| {
            row.get(0)
        })
        .unwrap();
    let in_all = file as f64 / clients as f64;
    connection.execute_batch("DELETE FROM audit").unwrap();
    let pages = |name: &str| -> f64 {
        let pages = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        pages.unwrap() as f64
    };
    let used = pages("page_count") - pages("freelist_count");
    let table = used * pages("page_size") / clients as f64;
    let said = format!(
        "bytes per client: {in_all:.1} in all, {table:.1} without the audit log, {packed:.1} of a row's own"
    );
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("{said}\n").as_bytes()).unwrap();
    assert!(in_all <= 100.0, "{said}");
    assert!(table <= 60.0, "{said}");
}
