//! What happens to a store when its disk or file does not do as it should: each fault has its
//! reason, nothing acknowledged is lost, and the store goes on when the fault is gone.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use muster_proto::host::StoreIdentity;
use muster_proto::reason::{Reason, kms, store as reasons};
use muster_store::kms::{
    Audited, ClientPage, ClientTable, HostValues, Kept, SqliteKms, ValueChange,
};
use muster_store::sqlite::Options;
use muster_store::sqlite::rusqlite::Connection;

use crate::common::{
    Ask, NOW, at, block_on, desk, facts, identity, pool_id, publisher, sqlite, ticket_of,
};

fn refusal(path: &Path) -> Reason {
    let opened = SqliteKms::open(path, Options::default(), identity);
    opened.map(|_| ()).unwrap_err().reason
}

/// Sixty-four asks that wait together share at most four commits.
#[test]
fn sixty_four_waiting_asks_share_at_most_four_commits() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(&directory);
    block_on(async {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let before = store.executor().commits();
        let mut asks = tokio::task::JoinSet::new();
        for client in 0..64 {
            let store = store.clone();
            let facts = facts(&Ask::new(client, pool));
            asks.spawn(async move { store.submit(desk(), facts, at(NOW)).await.unwrap() });
        }
        while let Some(decision) = asks.join_next().await {
            assert!(decision.unwrap().is_granted());
        }
        let commits = store.executor().commits() - before;
        assert!(commits <= 4, "{commits} commits");
        // The control: one after the other, each has a commit of its own.
        for client in 64..72 {
            let facts = facts(&Ask::new(client, pool));
            store.submit(desk(), facts, at(NOW)).await.unwrap();
        }
        assert_eq!(store.executor().commits() - before - commits, 8);
        assert_eq!(store.pools(at(NOW)).await.unwrap()[0].count, 72);
    });
}

/// A restored store takes up honest clients again, whose tickets are newer than its rows or whom it
/// does not know, and its revision never repeats one.
#[test]
fn nobody_makes_a_new_key_after_a_restore() {
    let directory = tempfile::tempdir().unwrap();
    let backup = directory.path().join("backup");
    let path = directory.path().join("kms.db");
    block_on(async {
        let store = sqlite(&directory);
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let mut tickets = vec![None; 40];
        let mut ask_all = async |nonce: u64, clients: std::ops::Range<u16>| {
            let mut reasons = Vec::new();
            for client in clients {
                let ticket = &mut tickets[usize::from(client)];
                let ask = Ask {
                    nonce,
                    ticket: *ticket,
                    ..Ask::new(client, pool)
                };
                let decision = store
                    .submit(desk(), facts(&ask), at(NOW + nonce))
                    .await
                    .unwrap();
                *ticket = ticket_of(&decision);
                reasons.push(decision.reason);
            }
            reasons
        };
        ask_all(1, 0..20).await;
        store.backup(backup.clone()).await.unwrap();
        ask_all(2, 0..20).await;
        ask_all(3, 0..40).await;
        let change = ValueChange {
            puts: vec![],
            deletes: vec![],
            said: "set".into(),
            expected: None,
        };
        let before = store.change(change, at(NOW)).await.unwrap();

        SqliteKms::restore(&backup, &path, at(NOW + 4)).unwrap();
        assert!(store.revision().await.unwrap() > before);
        assert_eq!(store.pools(at(NOW + 4)).await.unwrap()[0].count, 20);
        let continued = ask_all(5, 0..40).await;
        assert!(
            continued.iter().all(|reason| *reason == kms::CONTINUED),
            "{continued:?}"
        );
        let renewed = ask_all(6, 0..40).await;
        assert!(
            renewed.iter().all(|reason| *reason == kms::RENEWED),
            "{renewed:?}"
        );
        assert_eq!(store.pools(at(NOW + 6)).await.unwrap()[0].count, 40);
        let audit = store.audit(0, 1_000).await.unwrap();
        assert!(audit.iter().any(
            |entry| matches!(&entry.event, Audited::Restored(said) if said.contains("backup"))
        ));
        store.executor().check().await.unwrap();
        store.close().await.unwrap();
        // The store's identity came back with it, so that its tickets stay true.
        let other = SqliteKms::open(&path, Options::default(), || unreachable!()).unwrap();
        assert_eq!(other.identity().await.unwrap().id, identity().id);
    });
}

#[test]
fn a_damaged_file_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kms.db");
    block_on(async {
        let store = sqlite(&directory);
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        for client in 0..2_000 {
            store
                .submit(desk(), facts(&Ask::new(client, pool)), at(NOW))
                .await
                .unwrap();
        }
        store.close().await.unwrap();
    });
    let good = std::fs::read(&path).unwrap();
    // The middle of the file is overwritten: it opens, and the damage is found and named.
    let mut bad = good.clone();
    let middle = bad.len() / 2 / 4_096 * 4_096;
    bad[middle..middle + 8_192].fill(0xaa);
    std::fs::write(&path, &bad).unwrap();
    block_on(async {
        let store = sqlite(&directory);
        let found = store.executor().check().await.unwrap_err();
        assert_eq!(found.reason, reasons::CORRUPT);
        let page = ClientPage {
            limit: 1_000,
            ..ClientPage::default()
        };
        let listed = store.clients(page).await;
        if let Err(refusal) = listed {
            assert!(
                [reasons::CORRUPT, reasons::ROW_UNREADABLE].contains(&refusal.reason),
                "{refusal}"
            );
        }
        let to = directory.path().join("backup");
        assert_eq!(
            store.backup(to.clone()).await.unwrap_err().reason,
            reasons::NO_BACKUP
        );
        assert!(!to.exists(), "a bad backup never appears");
        store.close().await.unwrap();
    });
    std::fs::write(&path, &good[..1_000]).unwrap();
    assert_eq!(refusal(&path), reasons::CORRUPT);
    assert_eq!(std::fs::read(&path).unwrap(), good[..1_000], "it is kept");
    std::fs::write(&path, b"<html>").unwrap();
    assert_eq!(refusal(&path), reasons::CORRUPT);
}

#[test]
fn a_newer_schema_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kms.db");
    block_on(sqlite(&directory).close()).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .pragma_update(None, "user_version", 9_999)
        .unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    assert_eq!(refusal(&path), reasons::NEWER);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let restored = SqliteKms::restore(&path, &directory.path().join("other.db"), at(NOW));
    assert_eq!(restored.unwrap_err().reason, reasons::NEWER);
}

/// The environment variables by which a test runs itself as a child.
const CHILD: &str = "MUSTER_TEST_CHILD_DIRECTORY";

/// Runs one test of this program again in a child, behind a shell's words that set it up.
fn in_child(test: &str, directory: &Path, shell: &str) {
    // A copy that every user may run, wherever the build is.
    let room = tempfile::tempdir().unwrap();
    let program = room.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let readable = || std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, readable()).unwrap();
    std::fs::set_permissions(room.path(), readable()).unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("{shell} \"$0\" \"$@\"")])
        .arg(&program)
        .current_dir(room.path())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    assert!(said.contains("1 passed"), "the child ran nothing: {said}");
}

/// A disk that takes no more: the limit of a file's size is one that needs no privilege, and its
/// errors are those of a failing disk. The store says so, loses nothing, and goes on.
#[test]
fn a_full_disk_is_named_and_survived() {
    const TEST: &str = "faults::a_full_disk_is_named_and_survived";
    let Ok(child) = std::env::var(CHILD) else {
        let directory = tempfile::tempdir().unwrap();
        // 600 blocks of 512 bytes; an ignored signal stays ignored behind `exec`.
        in_child(TEST, directory.path(), "trap '' XFSZ; ulimit -f 600; exec");
        // Without the limit everything acknowledged is there, and more can be added.
        let store = SqliteKms::open(
            &directory.path().join("kms.db"),
            Options::default(),
            identity,
        )
        .unwrap();
        let told = std::fs::read_to_string(directory.path().join("granted")).unwrap();
        let granted: u32 = told.trim().parse().unwrap();
        block_on(async {
            assert_eq!(store.pools(at(NOW)).await.unwrap()[0].count, granted);
            store.executor().check().await.unwrap();
            let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
            let next = facts(&Ask::new(60_000, pool));
            assert_eq!(
                store.submit(desk(), next, at(NOW)).await.unwrap().counts[0].1,
                granted + 1
            );
        });
        return;
    };
    let directory = Path::new(&child);
    let store = SqliteKms::open(&directory.join("kms.db"), Options::default(), identity).unwrap();
    block_on(async {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let mut granted = 0u32;
        let mut refusal = None;
        for client in 0..5_000 {
            match store
                .submit(desk(), facts(&Ask::new(client, pool)), at(NOW))
                .await
            {
                Ok(decision) => {
                    granted += 1;
                    assert_eq!(decision.counts, [(pool, granted)]);
                }
                Err(other) => {
                    refusal = Some(other);
                    break;
                }
            }
        }
        let refusal = refusal.expect("the limit was reached");
        assert!(
            [reasons::DISK_FAILED, reasons::FULL].contains(&refusal.reason),
            "{refusal}"
        );
        assert!(granted > 10, "{granted}");
        // Reads go on, and show exactly what was acknowledged.
        assert_eq!(store.pools(at(NOW)).await.unwrap()[0].count, granted);
        std::fs::write(directory.join("granted"), granted.to_string()).unwrap();
    });
}

/// SQLite's own limit on pages gives the error of a disk without space.
#[test]
fn a_database_that_may_not_grow_is_full() {
    let directory = tempfile::tempdir().unwrap();
    let store = sqlite(&directory);
    block_on(async {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let limit = |pages: u32| {
            store.executor().write(move |connection| {
                connection
                    .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
                    .unwrap();
                Ok(())
            })
        };
        limit(1).await.unwrap();
        let mut refused = None;
        let mut granted = 0;
        for client in 0..5_000 {
            match store
                .submit(desk(), facts(&Ask::new(client, pool)), at(NOW))
                .await
            {
                Ok(_) => granted += 1,
                Err(refusal) => {
                    refused = Some(refusal.reason);
                    break;
                }
            }
        }
        assert_eq!(refused, Some(reasons::FULL));
        assert_eq!(store.pools(at(NOW)).await.unwrap()[0].count, granted);
        limit(1_000_000).await.unwrap();
        let next = facts(&Ask::new(60_000, pool));
        let decision = store.submit(desk(), next, at(NOW)).await.unwrap();
        assert_eq!(decision.counts[0].1, granted + 1);
    });
}

/// A directory that may not be written, and a file that may not: as another user than root, whom
/// modes do not bind.
#[test]
fn what_cannot_be_written_is_named() {
    const TEST: &str = "faults::what_cannot_be_written_is_named";
    if let Ok(child) = std::env::var(CHILD) {
        let directory = Path::new(&child);
        assert_eq!(refusal(&directory.join("new.db")), reasons::NOT_OPENED);
        let listed = std::fs::read_dir(directory).unwrap().count();
        assert_eq!(listed, 1, "nothing was left behind");
        let foreign = refusal(&directory.join("kms.db"));
        assert!(
            [reasons::NOT_OPENED, reasons::READ_ONLY].contains(&foreign),
            "{foreign}"
        );
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    block_on(sqlite(&directory).close()).unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&directory.path().join("kms.db"), 0o400);
    mode(directory.path(), 0o555);
    if is_root() {
        // Root passes over modes, so the child gives its privilege up.
        in_child(
            TEST,
            directory.path(),
            "exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all",
        );
    } else {
        in_child(TEST, directory.path(), "exec");
    }
    mode(directory.path(), 0o700);
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// Several processes work on one store: a command's change is seen by the service.
#[test]
fn commands_work_beside_the_service() {
    let directory = tempfile::tempdir().unwrap();
    let service = sqlite(&directory);
    let command = SqliteKms::open(
        &directory.path().join("kms.db"),
        Options::default(),
        other_identity,
    )
    .unwrap();
    block_on(async {
        assert_eq!(
            command.identity().await.unwrap().id,
            identity().id,
            "one store, one identity"
        );
        let pool = service.pool(publisher(1), pool_id("cad")).await.unwrap();
        service
            .submit(desk(), facts(&Ask::new(1, pool)), at(NOW))
            .await
            .unwrap();
        let seen = service.revision().await.unwrap();
        let change = ValueChange {
            puts: vec![(
                "setting".into(),
                "renewal".into(),
                zeroize::Zeroizing::new(b"1d".to_vec()),
            )],
            deletes: vec![],
            said: "renewal: 1d".into(),
            expected: Some(seen),
        };
        command.change(change, at(NOW)).await.unwrap();
        assert!(service.revision().await.unwrap() > seen);
        assert_eq!(
            service
                .value("setting", "renewal")
                .await
                .unwrap()
                .unwrap()
                .as_slice(),
            b"1d"
        );
        assert_eq!(command.pools(at(NOW)).await.unwrap()[0].count, 1);
        assert_eq!(
            command.pool(publisher(1), pool_id("cad")).await.unwrap(),
            pool
        );
        let ask = facts(&Ask::new(2, pool));
        let decision = command.submit(desk(), ask, at(NOW)).await.unwrap();
        assert_eq!(decision.counts, [(pool, 2)]);
        let ask = facts(&Ask::new(3, pool));
        let decision = service.submit(desk(), ask, at(NOW)).await.unwrap();
        assert_eq!(decision.counts, [(pool, 3)]);
    });
}

fn other_identity() -> StoreIdentity {
    StoreIdentity {
        id: muster_proto::ids::StoreId([9; 8]),
        ..identity()
    }
}
