//! What the tests of the stores share: asks as facts, a desk, the backends, and a naive count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use muster_proto::client::LicenceState;
use muster_proto::host::{
    AskFacts, AskedPool, ClientKey, Decision, Desk, Limiter, PoolNumber, PredecessorFacts, Source,
    StoreIdentity, Verdict,
};
use muster_proto::ids::{Nonce, PoolId, PublisherId, StoreId, Thumbprint};
use muster_proto::statement::ask::Ticket;
use muster_proto::time::{Span, Timestamp};
use muster_store::kms::{ClientTable, Decide, MemoryKms, PostgresKms, SqliteKms};
use muster_store::sqlite::Options;
use zeroize::Zeroizing;

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const HOUR: u64 = 3_600;
pub(crate) const WINDOW: u64 = 30 * 86_400;

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub(crate) fn publisher(number: u8) -> PublisherId {
    PublisherId([number; 16])
}

pub(crate) fn pool_id(name: &str) -> PoolId {
    name.parse().unwrap()
}

pub(crate) fn identity() -> StoreIdentity {
    StoreIdentity {
        id: StoreId([7; 8]),
        key: Zeroizing::new([8; 32]),
    }
}

/// A desk without a limit on new identities.
pub(crate) fn desk() -> Arc<dyn Decide> {
    let limiter = Limiter::new(u32::MAX, 16);
    Arc::new(Mutex::new(Desk::with_limiter(identity(), limiter)))
}

/// One ask of a client that is a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) client: u16,
    pub(crate) pool: PoolNumber,
    pub(crate) second_pool: Option<PoolNumber>,
    pub(crate) nonce: u64,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) predecessor: Option<(u16, Ticket)>,
    pub(crate) state: LicenceState,
    pub(crate) budget: u32,
    pub(crate) window: u64,
}

impl Ask {
    pub(crate) fn new(client: u16, pool: PoolNumber) -> Self {
        Self {
            client,
            pool,
            second_pool: None,
            nonce: 1,
            ticket: None,
            predecessor: None,
            state: LicenceState::Unlicensed,
            budget: 1_000_000,
            window: WINDOW,
        }
    }
}

pub(crate) fn thumbprint(client: u16) -> Thumbprint {
    Thumbprint(muster_proto::crypto::sha256(&client.to_be_bytes()))
}

pub(crate) fn client_key(client: u16) -> ClientKey {
    ClientKey {
        publisher: publisher(1),
        client: thumbprint(client).into(),
    }
}

pub(crate) fn facts(ask: &Ask) -> AskFacts {
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&ask.nonce.to_be_bytes());
    let window = Span::from_seconds(ask.window);
    let pools = std::iter::once(ask.pool).chain(ask.second_pool);
    AskFacts {
        store: identity().id,
        client: client_key(ask.client),
        thumbprint: thumbprint(ask.client),
        nonce: Nonce(nonce),
        source: Source::V4([192, 0, 2, 1]),
        pools: pools.map(|pool| AskedPool { pool, window }).collect(),
        ticket: ask.ticket,
        predecessor: ask.predecessor.map(|(client, order)| PredecessorFacts {
            client: thumbprint(client).into(),
            thumbprint: thumbprint(client),
            order,
        }),
        state: ask.state,
        client_budget: ask.budget,
    }
}

pub(crate) fn ticket_of(decision: &Decision) -> Option<Ticket> {
    match decision.verdict {
        Verdict::Granted { ticket } => Some(ticket),
        _ => panic!("not granted: {decision:?}"),
    }
}

pub(crate) fn sqlite(directory: &tempfile::TempDir) -> SqliteKms {
    SqliteKms::open(
        &directory.path().join("kms.db"),
        Options::default(),
        identity,
    )
    .unwrap()
}

/// A table in a database of its own.
pub(crate) fn postgres() -> PostgresKms {
    postgres_at(&crate::server::Postgres::shared().database())
}

/// A host's own opening of a table.
pub(crate) fn postgres_at(url: &str) -> PostgresKms {
    PostgresKms::open(url.parse().unwrap(), identity()).unwrap()
}

/// Several hosts share a table of clients, never what they keep for themselves.
macro_rules! in_postgres {
    (ClientTable) => {
        #[test]
        fn in_postgres() {
            block_on(test(Arc::new(crate::common::postgres())));
        }
    };
    (HostValues) => {};
}
pub(crate) use in_postgres;

/// Runs each test on every backend of its part.
macro_rules! contract {
    ($($(#[$doc:meta])* fn $name:ident($store:ident: $part:ident) $body:block)*) => { $(
        mod $name {
            use super::*;
            use crate::common::{identity, sqlite};
            use muster_store::kms::MemoryKms;

            async fn test($store: Arc<dyn $part>) $body

            #[test]
            fn in_memory() {
                block_on(test(Arc::new(MemoryKms::new(identity()))));
            }

            #[test]
            fn in_sqlite() {
                let directory = tempfile::tempdir().unwrap();
                block_on(test(Arc::new(sqlite(&directory))));
            }

            crate::common::in_postgres!($part);
        }
    )* };
}
pub(crate) use contract;

/// A small generator of numbers, the same for each seed (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The count as anybody would do it: who asked when, in which pool.
#[derive(Default)]
struct Naive(BTreeMap<(PoolNumber, u16), u64>);

impl Naive {
    fn ask(&mut self, ask: &Ask, now: u64) {
        for pool in std::iter::once(ask.pool).chain(ask.second_pool) {
            self.0.insert((pool, ask.client), now + ask.window);
        }
    }

    /// A client counts to the end of the hour in which its window passes.
    fn count(&self, pool: PoolNumber, now: u64) -> u32 {
        let counts = self
            .0
            .iter()
            .filter(|((in_pool, _), until)| *in_pool == pool && *until / HOUR >= now / HOUR);
        counts.count() as u32
    }
}

/// Sends random asks of honest clients in turn through hosts of one table, whose clocks stand an hour
/// apart, with time passing and sometimes going back a little. Memory gets the same, and everything
/// is compared with the naive count.
pub(crate) fn random_asks(seed: u64, asks: usize, hosts: &[Arc<dyn ClientTable>]) {
    block_on(async {
        let memory = MemoryKms::new(identity());
        let mut numbers = Numbers(seed);
        let mut naive = Naive::default();
        let mut tickets: BTreeMap<u16, Ticket> = BTreeMap::new();
        let mut pools = Vec::new();
        for name in ["cad", "cam", "cae"] {
            let given = memory.pool(publisher(1), pool_id(name)).await.unwrap();
            let there = hosts[0].pool(publisher(1), pool_id(name)).await.unwrap();
            pools.push([given, there]);
        }
        let mut now = NOW;
        for nonce in 1..=asks as u64 {
            now += numbers.below(2 * HOUR);
            if numbers.below(50) == 0 {
                now -= numbers.below(6 * HOUR);
            }
            if numbers.below(400) == 0 {
                now += numbers.below(40 * 24 * HOUR);
            }
            let host = nonce as usize % hosts.len();
            let here = now + host as u64 * HOUR;
            let client = numbers.below(300) as u16;
            let (first, second) = (numbers.below(3) as usize, numbers.below(4) as usize);
            let ask = |of: usize| {
                let pool = |at: usize| pools.get(at).map(|given: &[PoolNumber; 2]| given[of]);
                Ask {
                    nonce,
                    ticket: tickets.get(&client).copied(),
                    second_pool: pool(second).filter(|_| second != first),
                    window: WINDOW,
                    ..Ask::new(client, pool(first).unwrap())
                }
            };
            let asked = facts(&ask(0));
            let decided = memory.submit(desk(), asked, at(here)).await.unwrap();
            let asked = facts(&ask(1));
            let other = hosts[host].submit(desk(), asked, at(here)).await.unwrap();
            assert!(decided.is_granted(), "an honest client: {decided:?}");
            let counts = |decision: &Decision| -> Vec<u32> {
                decision.counts.iter().map(|(_, count)| *count).collect()
            };
            // The reasons may differ where one store has removed a passed row and one has not.
            let (counted, verdict) = (counts(&decided), decided.verdict);
            assert_eq!((verdict, &counted), (other.verdict, &counts(&other)));
            naive.ask(&ask(0), here);
            let pools_asked = std::iter::once(ask(0).pool).chain(ask(0).second_pool);
            let expected: Vec<u32> = pools_asked.map(|pool| naive.count(pool, here)).collect();
            assert_eq!(counted, expected, "ask {nonce} at {here}");
            if let Verdict::Granted { ticket } = verdict {
                tickets.insert(client, ticket);
            }
            if nonce % 500 == 0 {
                for table in hosts.iter().map(|host| host.as_ref()).chain([&memory as _]) {
                    compare_pools(table, &naive, &pools, here).await;
                }
            }
        }
    });
}

async fn compare_pools(
    table: &dyn ClientTable,
    naive: &Naive,
    pools: &[[PoolNumber; 2]],
    now: u64,
) {
    for look in [now, now + 100 * HOUR, now + 2 * WINDOW] {
        let status = table.pools(at(look)).await.unwrap();
        let counts: Vec<u32> = status.iter().map(|pool| pool.count).collect();
        let expected: Vec<u32> = pools
            .iter()
            .map(|given| naive.count(given[0], look))
            .collect();
        assert_eq!(counts, expected, "at {look}");
    }
}
