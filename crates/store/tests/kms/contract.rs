//! One contract for every store of a KMS host: the same asks, the same decisions, the same counts.

use std::sync::{Arc, Mutex};

use crate::common::{
    self, Ask, HOUR, NOW, WINDOW, at, block_on, client_key, contract, desk, facts, pool_id,
    publisher, ticket_of,
};
use muster_proto::client::LicenceState;
use muster_proto::host::{AskFacts, PoolNumber, StoreIdentity, Verdict};
use muster_proto::ids::StoreId;
use muster_proto::limits::{CLIENT_ROW_KEPT_SECONDS, STORE_VALUE_BYTES_MAX};
use muster_proto::reason::{kms, store as reasons};
use muster_store::kms::{Audited, ClientPage, ClientTable, HostValues, SqliteKms, ValueChange};
use muster_store::sqlite::Options;
use zeroize::Zeroizing;

contract! {
    /// Pools get numbers once, whoever asks again.
    fn pools_are_numbered_once(store: ClientTable) {
        let one = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let two = store.pool(publisher(2), pool_id("cad")).await.unwrap();
        let three = store.pool(publisher(1), pool_id("cam")).await.unwrap();
        assert!(one != two && two != three && one != three);
        assert_eq!(store.pool(publisher(1), pool_id("cad")).await.unwrap(), one);
        let listed = store.pools(at(NOW)).await.unwrap();
        let names: Vec<_> = listed.iter().map(|pool| (pool.publisher, pool.pool.as_str())).collect();
        assert_eq!(names, [(publisher(1), "cad"), (publisher(2), "cad"), (publisher(1), "cam")]);
        assert_eq!(listed[0].number, one);
    }

    /// A client is counted from its first ask until the hour after its window.
    fn a_client_counts_for_its_window(store: ClientTable) {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let desk = desk();
        for client in 0..5 {
            let ask = Ask::new(client, pool);
            let decision = store.submit(desk.clone(), facts(&ask), at(NOW)).await.unwrap();
            assert_eq!(decision.reason, kms::FIRST_CONTACT);
            assert_eq!(decision.counts, [(pool, u32::from(client) + 1)]);
        }
        let count = async |seconds| store.pools(at(seconds)).await.unwrap()[0].count;
        assert_eq!(count(NOW).await, 5);
        assert_eq!(count(NOW + WINDOW).await, 5);
        assert_eq!(count(NOW + WINDOW + HOUR).await, 0);
        assert_eq!(count(NOW).await, 5, "a look at another hour changes nothing");
    }

    /// What was gathered of another store is not decided here, and nothing changes.
    fn facts_of_another_store_are_refused(store: ClientTable) {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let other = AskFacts { store: StoreId([9; 8]), ..facts(&Ask::new(1, pool)) };
        let refused = store.submit(desk(), other, at(NOW)).await.unwrap_err();
        assert_eq!(refused.reason, reasons::REPLACED);
        let pools = store.pools(at(NOW)).await.unwrap();
        assert_eq!((pools[0].count, pools[0].requests.total), (0, 0));
        assert!(store.audit(0, 10).await.unwrap().is_empty());
        assert!(store.submit(desk(), facts(&Ask::new(1, pool)), at(NOW)).await.unwrap().is_granted());
    }

    /// A renewal moves the end; the ticket goes on; the counters of states are kept.
    fn a_renewal_moves_the_end(store: ClientTable) {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let desk = desk();
        let first = Ask::new(1, pool);
        let decision = store.submit(desk.clone(), facts(&first), at(NOW)).await.unwrap();
        let second = Ask { nonce: 2, ticket: ticket_of(&decision), state: LicenceState::Licensed, ..first };
        let later = NOW + 20 * 24 * HOUR;
        let renewed = store.submit(desk.clone(), facts(&second), at(later)).await.unwrap();
        assert_eq!(renewed.reason, kms::RENEWED);
        assert_eq!(renewed.counts, [(pool, 1)]);
        let again = store.submit(desk.clone(), facts(&second), at(later)).await.unwrap();
        assert_eq!((again.reason, again.verdict), (kms::REPEATED, renewed.verdict));
        let third = Ask { nonce: 3, ..first };
        let copy = store.submit(desk, facts(&third), at(later)).await.unwrap();
        assert!(matches!(copy.verdict, Verdict::NewKey { .. }), "{copy:?}");

        let status = store.pools(at(later)).await.unwrap().remove(0);
        assert_eq!((status.requests.total, status.requests.failed), (4, 1));
        assert_eq!(status.requests.by_state[LicenceState::Licensed as usize], 2);
        assert_eq!(status.requests.by_state[LicenceState::Unlicensed as usize], 2);
        let counts = store.pools(at(NOW + WINDOW + HOUR)).await.unwrap();
        assert_eq!(counts[0].count, 1, "the first end was taken back");
        let counts = store.pools(at(later + WINDOW + HOUR)).await.unwrap();
        assert_eq!(counts[0].count, 0);
        let audit = store.audit(0, 10).await.unwrap();
        assert_eq!(audit.len(), 1, "a renewal is not audited: {audit:?}");
        assert_eq!(audit[0].event, Audited::FirstSeen(client_key(1)));
    }

    /// A successor takes its predecessor's place, in the count and in the audit log.
    fn a_successor_takes_the_place(store: ClientTable) {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let desk = desk();
        let first = Ask::new(1, pool);
        store.submit(desk.clone(), facts(&first), at(NOW)).await.unwrap();
        let copy = Ask { nonce: 2, ..first };
        let ordered = store.submit(desk.clone(), facts(&copy), at(NOW)).await.unwrap();
        let Verdict::NewKey { order } = ordered.verdict else { panic!("{ordered:?}") };
        let successor = Ask { predecessor: Some((1, order)), ..Ask::new(2, pool) };
        let decision = store.submit(desk.clone(), facts(&successor), at(NOW)).await.unwrap();
        assert_eq!(decision.reason, kms::SUCCEEDED);
        assert_eq!(decision.counts, [(pool, 1)]);
        assert_eq!(store.pools(at(NOW)).await.unwrap()[0].count, 1);
        let again = Ask { nonce: 1, ..first };
        let decision = store.submit(desk.clone(), facts(&again), at(NOW)).await.unwrap();
        assert_eq!(decision.reason, kms::REPEATED_LATE);
        assert_eq!(decision.counts, [(pool, 1)]);
        let Verdict::Wait { ticket } = decision.verdict else { panic!("{decision:?}") };
        let anew = Ask { nonce: 3, ticket, ..first };
        let decision = store.submit(desk, facts(&anew), at(NOW)).await.unwrap();
        assert_eq!(decision.reason, kms::COUNTED_AGAIN);
        assert_eq!(decision.counts, [(pool, 2)]);
        let audit = store.audit(1, 10).await.unwrap();
        let succeeded = Audited::Succeeded { client: client_key(2), predecessor: client_key(1).client };
        assert_eq!(audit.iter().map(|entry| &entry.event).collect::<Vec<_>>(), [&succeeded]);
    }

    /// A client may sit in several pools; a publisher's clients are counted once for the budget.
    fn several_pools_and_the_budget(store: ClientTable) {
        let cad = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let cam = store.pool(publisher(1), pool_id("cam")).await.unwrap();
        let desk = desk();
        let both = Ask { second_pool: Some(cam), budget: 2, ..Ask::new(1, cad) };
        let decision = store.submit(desk.clone(), facts(&both), at(NOW)).await.unwrap();
        assert_eq!(decision.counts, [(cad, 1), (cam, 1)]);
        let second = Ask { budget: 2, ..Ask::new(2, cad) };
        assert!(store.submit(desk.clone(), facts(&second), at(NOW)).await.unwrap().is_granted());
        let third = Ask { budget: 2, ..Ask::new(3, cam) };
        let refused = store.submit(desk.clone(), facts(&third), at(NOW)).await.unwrap();
        assert_eq!((refused.verdict, refused.reason), (Verdict::Refused, kms::BUDGET_SPENT));
        assert_eq!(refused.counts, [(cam, 1)]);
        // A known one is not refused, and a place is free again when a window has passed.
        let renewed = Ask { nonce: 1, ..second };
        assert!(store.submit(desk.clone(), facts(&renewed), at(NOW)).await.unwrap().is_granted());
        let later = at(NOW + WINDOW + HOUR);
        assert!(store.submit(desk, facts(&third), later).await.unwrap().is_granted());
    }

    /// Rows leave when nobody asked for long; the end is audited; the count was already right.
    fn passed_rows_are_removed(store: ClientTable) {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let desk = desk();
        for client in 0..10 {
            store.submit(desk.clone(), facts(&Ask::new(client, pool)), at(NOW)).await.unwrap();
        }
        let later = at(NOW + WINDOW + CLIENT_ROW_KEPT_SECONDS + 26 * HOUR);
        for client in 100..200 {
            let decision = store.submit(desk.clone(), facts(&Ask::new(client, pool)), later).await.unwrap();
            assert_eq!(decision.counts, [(pool, u32::from(client) - 99)]);
        }
        let left = store.clients(ClientPage { limit: 1_000, ..ClientPage::default() }).await.unwrap();
        assert_eq!(left.len(), 100);
        let audit = store.audit(0, 1_000).await.unwrap();
        let ended = audit.iter().filter(|entry| matches!(entry.event, Audited::Ended(_)));
        assert_eq!(ended.count(), 10);
        // A client that was removed is a new one, and its true ticket goes on.
        assert_eq!(store.pools(later).await.unwrap()[0].count, 100);
    }

    /// Clients are listed page by page, filtered, in the order of their ids.
    fn clients_are_listed_by_pages(store: ClientTable) {
        let cad = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let cam = store.pool(publisher(1), pool_id("cam")).await.unwrap();
        let desk = desk();
        for client in 0..20 {
            let pool = if client % 2 == 0 { cad } else { cam };
            store.submit(desk.clone(), facts(&Ask::new(client, pool)), at(NOW)).await.unwrap();
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = ClientPage { limit: 7, after, ..ClientPage::default() };
            let entries = store.clients(page).await.unwrap();
            assert!(entries.len() <= 7);
            let Some(last) = entries.last() else { break };
            after = Some(last.key.client);
            seen.extend(entries.iter().map(|entry| entry.key.client));
        }
        assert_eq!(seen.len(), 20);
        assert!(seen.is_sorted());
        let page = ClientPage { limit: 100, pools: vec![cam], ..ClientPage::default() };
        assert_eq!(store.clients(page).await.unwrap().len(), 10);
        let page = ClientPage { limit: 100, publisher: Some(publisher(2)), ..ClientPage::default() };
        assert!(store.clients(page).await.unwrap().is_empty());
    }

    /// Values change together, with an audit entry and a revision, or not at all.
    fn values_change_together(store: HostValues) {
        let put = |name: &str, value: &[u8]| ("key".to_owned(), name.to_owned(), Zeroizing::new(value.to_vec()));
        let change = |puts, deletes, expected| ValueChange { puts, deletes, said: "keys changed".into(), expected };
        let start = store.revision().await.unwrap();
        let revision = store
            .change(change(vec![put("a", b"1"), put("b", b"2")], vec![], Some(start)), at(NOW))
            .await.unwrap();
        assert_eq!(revision, start + 1);
        assert_eq!(store.revision().await.unwrap(), revision);
        let stale = change(vec![put("a", b"9")], vec![], Some(start));
        assert_eq!(store.change(stale, at(NOW)).await.unwrap_err().reason, reasons::CHANGED_MEANWHILE);
        let huge = change(vec![put("a", &vec![0; STORE_VALUE_BYTES_MAX + 1])], vec![], None);
        assert_eq!(store.change(huge, at(NOW)).await.unwrap_err().reason, reasons::VALUE_TOO_LARGE);
        assert_eq!(store.value("key", "a").await.unwrap().unwrap().as_slice(), b"1");
        let delete = change(vec![put("c", b"3")], vec![("key".into(), "a".into())], None);
        store.change(delete, at(NOW)).await.unwrap();
        let names: Vec<_> = store.values("key").await.unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "c"]);
        assert!(store.value("key", "a").await.unwrap().is_none());
        assert!(store.values("other").await.unwrap().is_empty());
        let audit = store.audit(0, 10).await.unwrap();
        assert_eq!(audit.len(), 2);
        assert_eq!(audit[1].event, Audited::Changed("keys changed".into()));
        assert_eq!(audit[1].at, at(NOW));
    }

    /// A pool without a number and an ask without a pool are refused and change nothing.
    fn what_is_not_known_is_refused(store: ClientTable) {
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let mut empty = facts(&Ask::new(1, pool));
        empty.pools.clear();
        assert_eq!(store.submit(desk(), empty, at(NOW)).await.unwrap_err().reason, reasons::INTERNAL);
        let unknown = facts(&Ask::new(1, PoolNumber(99)));
        assert_eq!(store.submit(desk(), unknown, at(NOW)).await.unwrap_err().reason, reasons::ROW_UNREADABLE);
        assert!(store.submit(desk(), facts(&Ask::new(1, pool)), at(NOW)).await.unwrap().is_granted());
    }

    /// The identity is the one the store was made with; after closing every call is refused.
    fn the_identity_and_the_end(store: ClientTable) {
        let found = store.identity().await.unwrap();
        assert_eq!((found.id, found.key), (identity().id, identity().key));
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        store.close().await.unwrap();
        assert_eq!(store.pools(at(NOW)).await.unwrap_err().reason, reasons::STOPPED);
        let late = facts(&Ask::new(1, pool));
        assert_eq!(store.submit(desk(), late, at(NOW)).await.unwrap_err().reason, reasons::STOPPED);
        store.close().await.unwrap();
    }

    /// After closing no value is read or changed.
    fn the_end_of_values(store: HostValues) {
        store.close().await.unwrap();
        assert_eq!(store.revision().await.unwrap_err().reason, reasons::STOPPED);
        let change = ValueChange { puts: vec![], deletes: vec![], said: String::new(), expected: None };
        assert_eq!(store.change(change, at(NOW)).await.unwrap_err().reason, reasons::STOPPED);
    }
}

/// Thousands of random asks over months of time: all backends decide alike, and every count is the
/// one that a list of all asks gives.
#[test]
fn random_asks_are_counted_alike() {
    let directory = tempfile::tempdir().unwrap();
    common::random_asks(20_261_124, 6_000, &[Arc::new(common::sqlite(&directory))]);
}

/// The same through two hosts of one database, whose clocks stand in different hours.
#[test]
fn random_asks_of_two_hosts_are_counted_once() {
    let url = crate::server::Postgres::shared().database();
    let host = || Arc::new(common::postgres_at(&url)) as Arc<dyn ClientTable>;
    common::random_asks(20_261_129, 1_500, &[host(), host()]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(12))]

    /// The same from any seed; proptest names the one that fails.
    #[test]
    fn asks_of_any_seed_are_counted_alike(seed in proptest::prelude::any::<u64>()) {
        let directory = tempfile::tempdir().unwrap();
        common::random_asks(seed, 700, &[Arc::new(common::sqlite(&directory))]);
    }
}

/// The desk is shared: hosts of one store have one each.
#[test]
fn two_hosts_of_one_store_count_once() {
    let directory = tempfile::tempdir().unwrap();
    block_on(async {
        let store: Arc<dyn ClientTable> = Arc::new(common::sqlite(&directory));
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let other = Arc::new(Mutex::new(muster_proto::host::Desk::new(
            store.identity().await.unwrap(),
        )));
        let first = Ask::new(1, pool);
        let decision = store.submit(desk(), facts(&first), at(NOW)).await.unwrap();
        let second = Ask {
            nonce: 9,
            ticket: ticket_of(&decision),
            ..first
        };
        let decision = store.submit(other, facts(&second), at(NOW)).await.unwrap();
        assert_eq!(
            (decision.reason, decision.counts),
            (kms::RENEWED, vec![(pool, 1)])
        );
    });
}

/// Another store's backup under an open store: an ask prepared before is not decided in it, and the
/// restored store stays as its backup was.
#[test]
fn an_ask_prepared_before_a_restore_of_another_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    block_on(async {
        let store: Arc<dyn ClientTable> = Arc::new(common::sqlite(&directory));
        let pool = store.pool(publisher(1), pool_id("cad")).await.unwrap();
        let prepared = facts(&Ask::new(1, pool));
        let theirs = StoreIdentity {
            id: StoreId([9; 8]),
            ..common::identity()
        };
        let own = theirs.clone();
        let other = SqliteKms::open(&file("other.db"), Options::default(), || own).unwrap();
        assert_eq!(
            other.pool(publisher(1), pool_id("cad")).await.unwrap(),
            pool
        );
        other.backup(file("backup")).await.unwrap();
        SqliteKms::restore(&file("backup"), &file("kms.db"), at(NOW)).unwrap();

        let refused = store
            .submit(desk(), prepared.clone(), at(NOW))
            .await
            .unwrap_err();
        assert_eq!(refused.reason, reasons::REPLACED);
        assert_eq!(store.identity().await.unwrap().id, theirs.id);
        assert_eq!(store.pools(at(NOW)).await.unwrap()[0].requests.total, 0);
        let anew = AskFacts {
            store: theirs.id,
            ..prepared
        };
        assert!(
            store
                .submit(desk(), anew, at(NOW))
                .await
                .unwrap()
                .is_granted()
        );
    });
}
