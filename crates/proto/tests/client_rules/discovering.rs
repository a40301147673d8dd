//! RFC 2782: the shares in which weights are drawn.

use std::collections::BTreeMap;

use muster_proto::client::discover::{Srv, order};
use proptest::prelude::*;

/// Numbers that are spread evenly enough for a test of shares (SplitMix64).
fn numbers(seed: u64) -> impl FnMut(u32) -> u32 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((u128::from(z ^ (z >> 31)) * u128::from(below)) >> 64).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_first_place_is_drawn_in_the_shares_of_the_weights(
        weights in prop::collection::vec(1u16..200, 2..6),
        seed: u64,
    ) {
        let records: Vec<Srv> = weights
            .iter()
            .enumerate()
            .map(|(at, weight)| Srv { priority: 3, weight: *weight, port: 1688, target: format!("h{at}") })
            .collect();
        let mut random = numbers(seed);
        let rounds = 4_000;
        let mut first: BTreeMap<String, f64> = BTreeMap::new();
        for _ in 0..rounds {
            let hosts = order(&records, &mut random);
            prop_assert_eq!(hosts.len(), records.len());
            *first.entry(hosts[0].host().to_owned()).or_default() += 1.0;
        }
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        for (at, weight) in weights.iter().enumerate() {
            let share = f64::from(*weight) / total;
            let seen = first.get(&format!("h{at}")).copied().unwrap_or(0.0) / f64::from(rounds);
            // Five standard deviations, and what the extra number 0 of the RFC's draw adds.
            let allowed = 5.0 * (share * (1.0 - share) / f64::from(rounds)).sqrt() + 1.5 / total;
            prop_assert!((seen - share).abs() <= allowed, "{weight} of {total}: {seen} not {share}");
        }
    }

    #[test]
    fn every_host_stands_in_the_order_once_and_priorities_never_mix(
        records in prop::collection::vec((0u16..4, 0u16..50), 1..20),
        seed: u64,
    ) {
        let records: Vec<Srv> = records
            .into_iter()
            .enumerate()
            .map(|(at, (priority, weight))| Srv { priority, weight, port: 1688, target: format!("h{at}") })
            .collect();
        let hosts = order(&records, &mut numbers(seed));
        prop_assert_eq!(hosts.len(), records.len());
        let priority = |host: &str| records.iter().find(|record| record.target == host).unwrap().priority;
        let priorities: Vec<u16> = hosts.iter().map(|host| priority(host.host())).collect();
        prop_assert!(priorities.is_sorted());
    }
}
