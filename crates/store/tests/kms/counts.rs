//! The check of a store compares what is counted with the rows.

use std::path::Path;
use std::sync::Arc;

use muster_proto::reason::{Reason, store as reasons};
use muster_store::kms::{ClientTable, Kept, SqliteKms};
use muster_store::sqlite::Options;
use muster_store::sqlite::rusqlite::Connection;

use crate::common::{block_on, identity, random_asks, sqlite};

/// What is done to a whole store, each a page of another time as SQLite sees it: well-formed.
const DAMAGE: [(&str, Reason); 8] = [
    (
        "DELETE FROM clients WHERE id = (SELECT max(id) FROM clients)",
        reasons::CORRUPT,
    ),
    (
        "UPDATE pools SET counted = counted + 1 WHERE name = 'cad'",
        reasons::CORRUPT,
    ),
    (
        "UPDATE pools SET counted = counted - 1 WHERE name = ''",
        reasons::CORRUPT,
    ),
    (
        "UPDATE pools SET hour = hour - 800 WHERE name = 'cad'",
        reasons::CORRUPT,
    ),
    (
        "UPDATE ends SET seats = seats + 1 WHERE hour = (SELECT max(hour) FROM ends)",
        reasons::CORRUPT,
    ),
    (
        "DELETE FROM ends WHERE hour = (SELECT max(hour) FROM ends)",
        reasons::CORRUPT,
    ),
    ("DELETE FROM pools WHERE name = 'cam'", reasons::CORRUPT),
    (
        "UPDATE clients SET packed = x'00' WHERE id = (SELECT max(id) FROM clients)",
        reasons::ROW_UNREADABLE,
    ),
];

fn open(path: &Path) -> SqliteKms {
    SqliteKms::open(path, Options::default(), identity).unwrap()
}

#[test]
fn a_count_that_is_not_of_the_rows_is_found_though_the_database_is_well_formed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(sqlite(&directory));
    random_asks(7, 3_000, &[Arc::clone(&store) as Arc<dyn ClientTable>]);
    block_on(store.check()).unwrap();
    block_on(store.close()).unwrap();
    let whole = std::fs::read(directory.path().join("kms.db")).unwrap();
    for (sql, reason) in DAMAGE {
        let path = directory.path().join("damaged.db");
        std::fs::write(&path, &whole).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).unwrap();
        let damaged = Connection::open(&path).unwrap().execute(sql, []).unwrap();
        assert!(damaged > 0, "{sql}");
        let store = open(&path);
        block_on(store.executor().check()).unwrap();
        let refusal = block_on(store.check()).unwrap_err();
        assert_eq!(refusal.reason, reason, "{sql}: {refusal}");
        block_on(store.close()).unwrap();
    }
}
