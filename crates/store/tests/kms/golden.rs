//! A database of the first release: opened by every later one, with everything it holds.
//!
//! `vectors/store/v1.sqlite` was made once by [`make`] and is never changed.

use std::path::{Path, PathBuf};

use muster_proto::client::LicenceState;
use muster_proto::reason::kms;
use muster_store::kms::{
    Audited, ClientPage, ClientTable, HostValues, Kept, SqliteKms, ValueChange,
};
use muster_store::sqlite::Options;

use crate::common::{
    Ask, NOW, at, block_on, client_key, desk, facts, identity, pool_id, publisher, ticket_of,
};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/store/v1.sqlite")
}

/// Makes the database by the code of the present release; writes it only where it is missing.
fn make(to: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteKms::open(
        &directory.path().join("kms.db"),
        Options::default(),
        identity,
    )
    .unwrap();
    block_on(async {
        let cad = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let cam = store.pool(publisher(1), pool_id("cam")).await.unwrap();
        for client in 0..30 {
            let second_pool = (client % 3 == 0).then_some(cam);
            let ask = Ask {
                second_pool,
                state: LicenceState::Licensed,
                ..Ask::new(client, cad)
            };
            let first = store.submit(desk(), facts(&ask), at(NOW)).await.unwrap();
            let again = Ask {
                nonce: 2,
                ticket: ticket_of(&first),
                ..ask
            };
            store
                .submit(desk(), facts(&again), at(NOW + 3_600))
                .await
                .unwrap();
        }
        let change = ValueChange {
            puts: vec![(
                "setting".into(),
                "renewal".into(),
                zeroize::Zeroizing::new(b"1d".to_vec()),
            )],
            deletes: vec![],
            said: "renewal: 1d".into(),
            expected: None,
        };
        store.change(change, at(NOW)).await.unwrap();
        store.backup(to.to_owned()).await.unwrap();
    });
}

#[test]
fn the_first_releases_database_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    if !golden().exists() {
        assert_eq!(
            std::env::var("MUSTER_VECTORS").as_deref(),
            Ok("write"),
            "vectors/store/v1.sqlite is missing"
        );
        make(&golden());
    }
    let path = directory.path().join("kms.db");
    // A restore brings the mode and the version to what they must be.
    let copy = directory.path().join("v1.sqlite");
    std::fs::copy(golden(), &copy).unwrap();
    SqliteKms::restore(&copy, &path, at(NOW)).unwrap();
    let store = SqliteKms::open(&path, Options::default(), || {
        unreachable!("it has an identity")
    })
    .unwrap();
    block_on(async {
        let found = store.identity().await.unwrap();
        assert_eq!((found.id, found.key), (identity().id, identity().key));
        let pools = store.pools(at(NOW + 3_600)).await.unwrap();
        let counts: Vec<_> = pools
            .iter()
            .map(|pool| (pool.pool.as_str(), pool.count, pool.requests.total))
            .collect();
        assert_eq!(counts, [("cad", 30, 60), ("cam", 10, 20)]);
        assert_eq!(
            pools[0].requests.by_state[LicenceState::Licensed as usize],
            60
        );
        let page = ClientPage {
            limit: 100,
            ..ClientPage::default()
        };
        let clients = store.clients(page).await.unwrap();
        assert_eq!(clients.len(), 30);
        let row = &clients
            .iter()
            .find(|entry| entry.key == client_key(3))
            .unwrap()
            .row;
        assert_eq!((row.generation, row.seats.len()), (2, 2));
        assert_eq!((row.first_seen, row.last_seen), (at(NOW), at(NOW + 3_600)));
        assert_eq!(
            store
                .value("setting", "renewal")
                .await
                .unwrap()
                .unwrap()
                .as_slice(),
            b"1d"
        );
        let audit = store.audit(0, 100).await.unwrap();
        assert_eq!(audit.len(), 32, "first sights, a change and the restore");
        assert_eq!(audit[0].event, Audited::FirstSeen(client_key(0)));
        let repeated = Ask {
            nonce: 2,
            ..Ask::new(3, pools[0].number)
        };
        let decision = store
            .submit(desk(), facts(&repeated), at(NOW + 3_600))
            .await
            .unwrap();
        assert_eq!(decision.reason, kms::REPEATED);
        store.executor().check().await.unwrap();
    });
}
