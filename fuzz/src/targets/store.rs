//! What a KMS host reads back from its store, should others have written there.

use muster_proto::host::ClockReference;
use muster_store::kms::{HostValues, Kept, row};
use zeroize::Zeroizing;

use super::wait;
use crate::estate::{Certified, admin, put};
use crate::input::{Input, part};

pub(super) fn rows(bytes: &[u8]) {
    if let Ok(read) = row::decode(bytes) {
        let again = row::decode(&row::encode(&read));
        assert_eq!(again.as_ref(), Ok(&read), "a row is not kept as it is");
    }
    if let Some(reference) = ClockReference::from_bytes(bytes) {
        let again = ClockReference::from_bytes(&reference.to_bytes());
        assert!(again.is_some_and(|again| again.to_bytes() == reference.to_bytes()));
    }
}

pub(super) fn row_seeds() -> Vec<Vec<u8>> {
    use muster_proto::client::LicenceState;
    use muster_proto::host::{ClientRow, PoolNumber, Seat, hour_of};
    use muster_proto::time::Timestamp;
    let now = Timestamp::from_seconds(1_800_000_000);
    let row = |seats: u32| ClientRow {
        generation: 20,
        last_nonce: [7; 8],
        first_seen: Timestamp::from_seconds(1_790_000_000),
        last_seen: now,
        state: LicenceState::Licensed,
        seats: (0..seats)
            .map(|pool| Seat {
                pool: PoolNumber(pool),
                until_hour: hour_of(now) + 721,
            })
            .collect(),
    };
    let mut seeds: Vec<Vec<u8>> = [0, 1, 3].map(|seats| row::encode(&row(seats))).into();
    seeds.push(vec![1; 32]);
    seeds
}

/// Kinds of values, and a name each that the host looks for.
const VALUES: [(&str, &str); 6] = [
    ("keys", "637358134fbbf95c80930e0a708c5239"),
    ("settings", "host"),
    ("settings", "clock"),
    ("settings", "listen"),
    ("settings", "zones"),
    ("dns", "corp.test"),
];

/// A host that starts, and is looked at, with any value in its store.
pub(super) fn values(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    wait(async {
        let store = Certified::get().store().await;
        while !input.is_empty() {
            let (kind, name) = VALUES[usize::from(input.byte()) % VALUES.len()];
            put(&store, kind, name, Zeroizing::new(input.part().to_vec())).await;
        }
        let admin = admin(store.clone());
        if let Ok(host) = muster_host::KmsHost::load(&admin).await {
            let _ = host.upkeep().await;
        }
        let _ = admin.status().await;
        let _ = (admin.known_publisher().await, admin.known_authority().await);
        let _ = store.check().await;
    });
}

pub(super) fn value_seeds() -> Vec<Vec<u8>> {
    let keys = wait(async {
        let store = Certified::get().store().await;
        store.values("keys").await.expect("the host's keys")
    });
    let seed = |kind: u8, value: &[u8]| [&[kind][..], &part(value)].concat();
    let mut seeds: Vec<Vec<u8>> = keys.iter().map(|(_, value)| seed(0, value)).collect();
    seeds.push(seed(
        1,
        b"\xa3grenewal\x19\x0e\x10eretry\xf6nnew_identities\x0a",
    ));
    seeds.push(seed(2, &[1; 32]));
    seeds.push(seed(3, b"\x81k[::]:1688"));
    seeds.push(seed(4, b"\x81icorp.test"));
    seeds.push(
        [
            seed(1, b"\xa0"),
            seed(2, &[0; 32]),
            seed(5, b"\xa1dzoneicorp.test"),
        ]
        .concat(),
    );
    seeds.retain(|seed| seed.len() <= 8_192);
    seeds
}
