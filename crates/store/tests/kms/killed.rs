//! SIGKILL in the midst of a thousand asks: whoever was acknowledged is there afterwards, and the
//! count is right.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use muster_store::kms::{ClientPage, ClientTable, SqliteKms};
use muster_store::sqlite::Options;

use crate::common::{
    Ask, NOW, at, block_on, client_key, desk, facts, identity, pool_id, publisher,
};

const CHILD: &str = "MUSTER_TEST_KILLED_DIRECTORY";
const TEST: &str = "killed::nothing_acknowledged_is_lost";
const ASKS: u16 = 1_000;

#[test]
fn nothing_acknowledged_is_lost() {
    if let Ok(child) = std::env::var(CHILD) {
        return ask_a_thousand(Path::new(&child));
    }
    // Killed early, in the middle and late.
    for kill_after in [1, 150, 400, 700, 950] {
        let directory = tempfile::tempdir().unwrap();
        let acknowledged = kill_child(directory.path(), kill_after);
        assert!(acknowledged.len() >= kill_after);
        check(directory.path(), &acknowledged);
    }
}

/// The child: a thousand asks, sixteen at a time, each told on standard output when it is durable.
fn ask_a_thousand(directory: &Path) {
    let store = SqliteKms::open(&directory.join("kms.db"), Options::default(), identity).unwrap();
    block_on(async {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        for round in 0..ASKS / 16 {
            let mut asks = tokio::task::JoinSet::new();
            for client in round * 16..(round + 1) * 16 {
                let (store, facts) = (store.clone(), facts(&Ask::new(client, pool)));
                asks.spawn(async move {
                    store.submit(desk(), facts, at(NOW)).await.unwrap();
                    client
                });
            }
            while let Some(client) = asks.join_next().await {
                tell(client.unwrap());
            }
        }
        // The parent kills; this must not end before.
        std::future::pending::<()>().await;
    });
}

/// One whole line in one write, past the capture of the test harness.
fn tell(client: u16) {
    use std::io::Write;
    std::io::stdout()
        .write_all(format!("\nasked {client}\n").as_bytes())
        .unwrap();
}

fn kill_child(directory: &Path, kill_after: usize) -> Vec<u16> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        // The last line may be cut by the kill; what was not told whole was not acknowledged.
        let line = line.unwrap();
        if let Some(client) = line.strip_prefix("asked ") {
            acknowledged.push(client.parse().unwrap());
        }
        if acknowledged.len() == kill_after {
            // SIGKILL; what was written before is read to its end.
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(status.code().is_none(), "it was killed: {status}");
    acknowledged
}

fn check(directory: &Path, acknowledged: &[u16]) {
    let store = SqliteKms::open(&directory.join("kms.db"), Options::default(), identity).unwrap();
    block_on(async {
        store.executor().check().await.unwrap();
        let page = ClientPage {
            limit: 1_000,
            ..ClientPage::default()
        };
        let entries = store.clients(page).await.unwrap();
        for client in acknowledged {
            let key = client_key(*client);
            assert!(
                entries.iter().any(|entry| entry.key == key),
                "client {client} is missing"
            );
        }
        let count = store.pools(at(NOW)).await.unwrap()[0].count;
        assert_eq!(
            count as usize,
            entries.len(),
            "the count is the clients that are there"
        );
        assert!(
            entries.len() <= acknowledged.len() + 16,
            "no more than were under way"
        );
        // And it goes on.
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let next = facts(&Ask::new(ASKS, pool));
        assert_eq!(
            store.submit(desk(), next, at(NOW)).await.unwrap().counts[0].1,
            count + 1
        );
    });
}
