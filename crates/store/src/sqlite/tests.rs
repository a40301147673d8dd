//! Tests of the executor with real files.

use std::os::unix::fs::PermissionsExt;

use muster_proto::reason::{config, store as reasons};
use rusqlite::params;

use super::*;

const SCHEMA: Schema = Schema {
    kind: "test",
    application_id: 0x7465_7374,
    migrations: &["CREATE TABLE words (word TEXT NOT NULL UNIQUE) STRICT;"],
};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn open(directory: &tempfile::TempDir) -> Executor {
    Executor::open(&directory.path().join("db"), SCHEMA, Options::default()).unwrap()
}

fn insert(word: &'static str) -> impl FnOnce(&Connection) -> Result<(), Refusal> + Send + 'static {
    move |connection| {
        connection
            .execute("INSERT INTO words VALUES (?1)", params![word])
            .map(|_| ())
            .map_err(|error| refusal_of(&error))
    }
}

fn words(connection: &Connection) -> Result<i64, Refusal> {
    connection
        .query_row("SELECT count(*) FROM words", [], |row| row.get(0))
        .map_err(|error| refusal_of(&error))
}

#[test]
fn sixty_four_waiting_jobs_share_at_most_four_commits() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    runtime().block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..64 {
            let store = store.clone();
            tasks.spawn(async move {
                store
                    .write(move |connection| {
                        connection
                            .execute("INSERT INTO words VALUES (?1)", params![number.to_string()])
                            .map_err(|error| refusal_of(&error))
                    })
                    .await
                    .unwrap()
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(store.read(words).await.unwrap(), 64);
    });
    assert!(store.commits() <= 4, "{} commits", store.commits());
}

#[test]
fn a_refused_job_is_undone_alone_and_an_unguarded_one_with_its_batch() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    runtime().block_on(async {
        let (one, two, three) = tokio::join!(
            store.write(insert("a")),
            store.write(insert("a")),
            store.write(insert("b")),
        );
        assert!(one.is_ok() && three.is_ok());
        assert_eq!(two.unwrap_err().reason, reasons::INTERNAL);
        assert_eq!(store.read(words).await.unwrap(), 2);

        let twice = |connection: &Connection| {
            insert("c")(connection)?;
            insert("c")(connection)
        };
        let (plain, other) = tokio::join!(store.write_plain(twice), store.write(insert("d")));
        assert_eq!(plain.unwrap_err().reason, reasons::INTERNAL);
        assert_eq!(other.unwrap_err().reason, reasons::DISK_FAILED);
        assert_eq!(store.read(words).await.unwrap(), 2);

        // One that refuses before it writes disturbs nobody.
        let (plain, other) = tokio::join!(store.write_plain(insert("a")), store.write(insert("d")));
        assert_eq!(plain.unwrap_err().reason, reasons::INTERNAL);
        other.unwrap();
        assert_eq!(store.read(words).await.unwrap(), 3);
    });
}

#[test]
fn an_asker_that_goes_away_leaves_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    runtime().block_on(async {
        // The first asker collects; it is dropped while it yields.
        let mut collecting = Box::pin(store.write(insert("a")));
        std::future::poll_fn(|context| {
            assert!(collecting.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        let mut second = Box::pin(store.write(insert("b")));
        std::future::poll_fn(|context| {
            assert!(second.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(collecting);
        second.await.unwrap();
        assert_eq!(store.read(words).await.unwrap(), 2);
    });
}

#[test]
fn files_are_private_and_open_directories_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    runtime().block_on(store.write(insert("a"))).unwrap();
    for name in ["db", "db-wal", "db-shm"] {
        let found = std::fs::metadata(directory.path().join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
    runtime().block_on(store.close());
    assert!(!directory.path().join("db-wal").exists());
    let refused = runtime().block_on(store.write(insert("b"))).unwrap_err();
    assert_eq!(refused.reason, reasons::STOPPED);

    let path = directory.path().join("db");
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let reason = || {
        Executor::open(&path, SCHEMA, Options::default())
            .map(|_| ())
            .unwrap_err()
            .reason
    };
    mode(&path, 0o640);
    assert_eq!(reason(), config::FILE_MODE);
    mode(&path, 0o600);
    mode(directory.path(), 0o770);
    assert_eq!(reason(), reasons::DIRECTORY_OPEN);
    mode(directory.path(), 0o700);
    Executor::open(&path, SCHEMA, Options::default()).unwrap();
}

#[test]
fn foreign_newer_and_damaged_files_are_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    runtime().block_on(open(&directory).close());
    let reason = |schema: Schema| {
        let before = std::fs::read(&path).unwrap();
        let refusal = Executor::open(&path, schema, Options::default())
            .map(|_| ())
            .unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), before, "{refusal}");
        assert!(refusal.detail.contains("db"), "{refusal}");
        refusal.reason
    };
    assert_eq!(
        reason(Schema {
            application_id: 7,
            ..SCHEMA
        }),
        reasons::WRONG_KIND
    );
    assert_eq!(
        reason(Schema {
            migrations: &[],
            ..SCHEMA
        }),
        reasons::NEWER
    );
    let good = std::fs::read(&path).unwrap();
    let mut cut = good.clone();
    cut.truncate(good.len() - 4_096);
    cut[100..200].fill(0xff);
    std::fs::write(&path, &cut).unwrap();
    assert_eq!(reason(SCHEMA), reasons::CORRUPT);
    std::fs::write(&path, b"something else entirely").unwrap();
    assert_eq!(reason(SCHEMA), reasons::CORRUPT);
    std::fs::remove_file(&path).unwrap();
    let missing = Executor::open(&directory.path().join("no/db"), SCHEMA, Options::default());
    assert_eq!(missing.map(|_| ()).unwrap_err().reason, reasons::NOT_OPENED);
}

#[test]
fn a_failed_migration_leaves_the_old_version() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let store = open(&directory);
    runtime().block_on(async {
        store.write(insert("a")).await.unwrap();
        store.close().await;
    });
    const BROKEN: &[&str] = &[
        SCHEMA.migrations[0],
        "CREATE TABLE more (a INTEGER); CREATE nonsense;",
    ];
    let broken = Schema {
        migrations: BROKEN,
        ..SCHEMA
    };
    let refused = Executor::open(&path, broken, Options::default());
    assert_eq!(refused.map(|_| ()).unwrap_err().reason, reasons::INTERNAL);
    let store = open(&directory);
    assert_eq!(runtime().block_on(store.read(words)).unwrap(), 1);
}

#[test]
fn a_backup_is_restored_under_a_running_service() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let out = directory.path().join("backup");
    runtime().block_on(async {
        store.write(insert("a")).await.unwrap();
        store.backup(&out).await.unwrap();
        store.write(insert("b")).await.unwrap();
        store
            .backup(&directory.path().join("second"))
            .await
            .unwrap();
        restore(&out, store.path(), SCHEMA, |_| Ok(())).unwrap();
        assert_eq!(store.read(words).await.unwrap(), 1);
        store.write(insert("c")).await.unwrap();
        assert_eq!(store.read(words).await.unwrap(), 2);
        store.check().await.unwrap();
    });
    let mode = std::fs::metadata(&out).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    for (name, bytes) in [("empty", b"".as_slice()), ("other", b"not a database")] {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let refused = restore(&path, store.path(), SCHEMA, |_| Ok(())).unwrap_err();
        assert_eq!(refused.reason, reasons::NO_BACKUP, "{name}");
    }
    // What is noted of a restore is part of it: refused, there was none.
    let no = |_: &Connection| Err(reasons::INTERNAL.into());
    for name in ["db", "new"] {
        let refused = restore(&out, &directory.path().join(name), SCHEMA, no).unwrap_err();
        assert_eq!(refused.reason, reasons::INTERNAL);
    }
    let foreign = Schema {
        application_id: 7,
        ..SCHEMA
    };
    let refused = restore(&out, &directory.path().join("new"), foreign, |_| Ok(())).unwrap_err();
    assert_eq!(refused.reason, reasons::NO_BACKUP);
    assert!(!directory.path().join("new").exists());
    assert_eq!(runtime().block_on(store.read(words)).unwrap(), 2);
    let new = directory.path().join("new");
    restore(&out, &new, SCHEMA, insert("noted")).unwrap();
    let restored = Executor::open(&new, SCHEMA, Options::default()).unwrap();
    assert_eq!(runtime().block_on(restored.read(words)).unwrap(), 2);
    let mode = std::fs::metadata(&new).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names = std::fs::read_dir(directory.path()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        !names.any(|name| name.contains(".restored")),
        "nothing is left beside"
    );
}

#[test]
fn another_process_that_holds_the_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        busy_milliseconds: 1,
        ..Options::default()
    };
    let path = directory.path().join("db");
    let store = Executor::open(&path, SCHEMA, options).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = runtime().block_on(store.write(insert("a"))).unwrap_err();
    assert_eq!(refused.reason, reasons::BUSY);
    other.execute_batch("COMMIT").unwrap();
    runtime().block_on(store.write(insert("a"))).unwrap();
}
