//! The counters of a transaction's asks are written once, at its end: whatever of a batch was granted,
//! refused, failed or undone, they equal the rows, and hold each request that was answered.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use muster_proto::host::{AskFacts, Decision, Known, PoolNumber, Seat};
use muster_proto::ids::StoreId;
use muster_proto::reason::store as reasons;
use muster_proto::statement::ask::Ticket;
use muster_proto::time::Timestamp;
use muster_store::kms::{
    ClientTable, Decide, HostValues, Kept, Requests, SqliteKms, ValueChange, row,
};
use muster_store::sqlite::rusqlite::Connection;
use proptest::prelude::*;
use tokio::task::JoinSet;

use crate::common::{
    Ask, HOUR, NOW, at, block_on, desk, facts, identity, pool_id, publisher, sqlite,
};

/// A pool that no store here has.
const NOWHERE: PoolNumber = PoolNumber(60_000);

/// What stands in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// An ask of a client that is counted or renewed.
    Ask,
    /// One that may count no new client.
    WithoutBudget,
    /// One that was gathered of another store: it fails, and has written nothing.
    OfAnotherStore,
    /// One in a pool that is there and in one that is not: it fails when a counter was loaded.
    InNoPool,
    /// One that fails when its row is written: the batch is undone.
    FailsLate,
    /// A pool that may be new: it sees what was counted before it.
    Pool,
    /// A change that is refused and undone alone.
    Refused,
}

/// One of a batch: who, in which pool, how many hours after the beginning.
type One = (What, u16, usize, u64);

fn one() -> impl Strategy<Value = One> {
    let what = prop_oneof![
        12 => Just(What::Ask),
        2 => Just(What::WithoutBudget),
        1 => Just(What::OfAnotherStore),
        1 => Just(What::InNoPool),
        1 => Just(What::FailsLate),
        1 => Just(What::Pool),
        1 => Just(What::Refused),
    ];
    let hours = prop_oneof![6 => Just(0), 2 => 1..3_u64, 1 => Just(31 * 24)];
    (what, 0..12_u16, 0..2_usize, hours)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn counters_equal_the_rows_after_every_batch(
        batches in prop::collection::vec(prop::collection::vec(one(), 1..16), 1..8)
    ) {
        let directory = tempfile::tempdir().unwrap();
        block_on(run(&directory, &batches));
    }
}

/// The same where it is known what comes of each: a batch that is undone leaves nothing counted, and the
/// next one counts from the rows.
#[test]
fn a_batch_that_is_undone_counts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let asks = [(What::Ask, 1, 0, 0), (What::Ask, 2, 0, 0)];
    let undone = [(What::Ask, 3, 0, 0), (What::FailsLate, 4, 0, 0)];
    let more = [(What::Ask, 5, 1, 0), (What::OfAnotherStore, 6, 0, 0)];
    let batches = [asks, undone, more].map(|batch| batch.to_vec());
    let answered = block_on(run(&directory, &batches));
    let totals = answered.values().map(|requests| requests.total);
    assert_eq!(totals.collect::<Vec<_>>(), [2, 1]);
}

/// Runs each batch in one transaction and checks the counters after it; gives back what was answered.
async fn run(
    directory: &tempfile::TempDir,
    batches: &[Vec<One>],
) -> BTreeMap<PoolNumber, Requests> {
    let store = sqlite(directory);
    let mut pools = Vec::new();
    for name in ["cad", "cam"] {
        pools.push(store.pool(publisher(1), pool_id(name)).await.unwrap());
    }
    let mut seen = Seen::default();
    for batch in batches {
        let commits = store.executor().commits();
        seen.batch(&store, &pools, batch).await;
        assert!(store.executor().commits() - commits <= 1, "one transaction");
        seen.compare(&store, &directory.path().join("kms.db")).await;
    }
    store.close().await.unwrap();
    seen.answered
}

/// What the askers have seen.
#[derive(Default)]
struct Seen {
    nonce: u64,
    tickets: BTreeMap<u16, Ticket>,
    answered: BTreeMap<PoolNumber, Requests>,
}

impl Seen {
    async fn batch(&mut self, store: &SqliteKms, pools: &[PoolNumber], batch: &[One]) {
        let mut asks = JoinSet::new();
        for (what, client, pool, hours) in batch.iter().copied() {
            let store = store.clone();
            let (ask, now) = (self.ask(what, client, pools[pool]), at(NOW + hours * HOUR));
            asks.spawn(async move { (ask, play(&store, what, &ask, now).await) });
        }
        while let Some(done) = asks.join_next().await {
            let (ask, Some(decision)) = done.unwrap() else {
                continue;
            };
            if let muster_proto::host::Verdict::Granted { ticket } = decision.verdict {
                self.tickets.insert(ask.client, ticket);
            }
            let requests = self.answered.entry(ask.pool).or_default();
            requests.total += 1;
            requests.failed += u64::from(!decision.is_granted());
            requests.by_state[ask.state as usize] += 1;
        }
    }

    fn ask(&mut self, what: What, client: u16, pool: PoolNumber) -> Ask {
        self.nonce += 1;
        let asked = Ask {
            nonce: self.nonce,
            ticket: self.tickets.get(&client).copied(),
            ..Ask::new(client, pool)
        };
        match what {
            What::WithoutBudget => Ask { budget: 0, ..asked },
            What::InNoPool => Ask {
                second_pool: Some(NOWHERE),
                ..asked
            },
            _ => asked,
        }
    }

    /// The rows' own sums, and the ends', are what the counters say.
    async fn compare(&self, store: &SqliteKms, path: &Path) {
        let connection = Connection::open(path).unwrap();
        let mut all = connection.prepare("SELECT packed FROM clients").unwrap();
        let packed = all
            .query_map([], |found| found.get::<_, Vec<u8>>(0))
            .unwrap();
        let rows: Vec<_> = packed
            .map(|packed| row::decode(&packed.unwrap()).unwrap())
            .collect();
        let find = "SELECT number, name, counted, hour, (SELECT coalesce(sum(seats), 0) FROM ends \
                    WHERE pool = number AND ends.hour > pools.hour) FROM pools";
        let mut find = connection.prepare(find).unwrap();
        let mut found = find.query([]).unwrap();
        while let Some(pool) = found.next().unwrap() {
            let get = |column| pool.get::<_, u32>(column).unwrap();
            let (number, counted, hour) = (PoolNumber(get(0)), get(2), get(3));
            let is_whole = pool.get::<_, String>(1).unwrap().is_empty();
            let counts = rows.iter().filter(|row| match is_whole {
                true => row.until_hour() > hour,
                false => row
                    .seats
                    .iter()
                    .any(|seat| seat.pool == number && seat.until_hour > hour),
            });
            assert_eq!(
                counted as usize,
                counts.count(),
                "the rows of pool {number:?}"
            );
            assert_eq!(counted, get(4), "the ends of pool {number:?}");
        }
        for pool in store.pools(at(NOW)).await.unwrap() {
            let answered = self.answered.get(&pool.number).copied().unwrap_or_default();
            assert_eq!(
                pool.requests, answered,
                "the requests of pool {:?}",
                pool.number
            );
        }
    }
}

/// Does one of a batch; gives back the decision where there is one.
async fn play(store: &SqliteKms, what: What, ask: &Ask, now: Timestamp) -> Option<Decision> {
    let asked = facts(ask);
    match what {
        What::Ask | What::WithoutBudget => store.submit(desk(), asked, now).await.ok(),
        What::OfAnotherStore => {
            let store_of = StoreId([9; 8]);
            assert_ne!(store_of, identity().id);
            let elsewhere = AskFacts {
                store: store_of,
                ..asked
            };
            assert!(store.submit(desk(), elsewhere, now).await.is_err());
            None
        }
        What::InNoPool => {
            assert!(store.submit(desk(), asked, now).await.is_err());
            None
        }
        What::FailsLate => {
            let late: Arc<dyn Decide> = Arc::new(Late(desk()));
            let refusal = store.submit(late, asked, now).await.unwrap_err();
            assert!([reasons::ROW_UNREADABLE, reasons::DISK_FAILED].contains(&refusal.reason));
            None
        }
        What::Pool => {
            let name = format!("pool-{}", ask.client % 3);
            // Another of the batch may undo it.
            let _ = store.pool(publisher(1), pool_id(&name)).await;
            None
        }
        What::Refused => {
            let change = ValueChange {
                puts: Vec::new(),
                deletes: Vec::new(),
                said: "from a revision that never was".into(),
                expected: Some(u64::MAX),
            };
            assert!(store.change(change, now).await.is_err());
            None
        }
    }
}

/// Seats a client in a pool that is not there as well, so that its ask fails after its row was written.
struct Late(Arc<dyn Decide>);

impl Decide for Late {
    fn decide(&self, known: &Known, facts: &AskFacts, now: Timestamp) -> Decision {
        let mut decision = self.0.decide(known, facts, now);
        let row = decision.change.client.take().map(|(_, row)| row);
        let mut row = row
            .or_else(|| known.client.clone())
            .expect("a client with a budget has a row");
        row.seats.push(Seat {
            pool: NOWHERE,
            until_hour: u32::MAX,
        });
        decision.change.client = Some((facts.client.client, row));
        decision
    }
}
