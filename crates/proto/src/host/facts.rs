//! An opened ask as the facts that a decision rests on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::client::LicenceState;
use crate::ids::{ClientId, Nonce, PoolId, PublisherId, StoreId, Thumbprint};
use crate::statement::ask::{Ask, Ticket};
use crate::time::Span;

use super::products::Served;
use super::table::{ClientKey, PoolNumber};

/// Whom new identities are charged to: an IPv4 address or an IPv6 /64, which is what one
/// subscriber of either is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An IPv4 address, also one mapped into IPv6.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address.
    V6([u8; 8]),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let mut network = [0; 8];
                network.copy_from_slice(&address.octets()[..8]);
                Self::V6(network)
            }
        }
    }
}

/// A pool in which the client asks to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedPool {
    /// The pool.
    pub pool: PoolNumber,
    /// How long the client counts there: the longest window of its products in the pool.
    pub window: Span,
}

/// The key that the asking one succeeds; the ask's proof of it has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredecessorFacts {
    /// The old identity.
    pub client: ClientId,
    /// The old key's thumbprint.
    pub thumbprint: Thumbprint,
    /// The order it obeys.
    pub order: Ticket,
}

/// Everything about an ask that a decision rests on.
#[derive(Clone, Debug)]
pub struct AskFacts {
    /// The store that gave the pools their numbers: in another one they mean others, and the ask is
    /// not decided there.
    pub store: StoreId,
    /// Whose row it is.
    pub client: ClientKey,
    /// The client key's thumbprint: tickets are bound to it.
    pub thumbprint: Thumbprint,
    /// The nonce of the ask.
    pub nonce: Nonce,
    /// Where it came from.
    pub source: Source,
    /// The pools of the products that are served, each once; at most `CLIENT_POOLS_MAX`.
    pub pools: Vec<AskedPool>,
    /// The ticket shown.
    pub ticket: Option<Ticket>,
    /// The key it succeeds.
    pub predecessor: Option<PredecessorFacts>,
    /// The worst of the states its products are in.
    pub state: LicenceState,
    /// Machines of the publisher that the host's certificate lets it count.
    pub client_budget: u32,
}

/// The numbers that the store gave to a publisher's pools.
pub type PoolNumbers = BTreeMap<PoolId, PoolNumber>;

impl AskFacts {
    /// The facts of an ask whose products have been sorted. A pool that has no number is left out;
    /// the store gives a number to every pool of a host's policies before it asks.
    pub fn of(
        store: StoreId,
        ask: &Ask,
        publisher: PublisherId,
        source: Source,
        served: &[Served<'_>],
        numbers: &PoolNumbers,
        client_budget: u32,
    ) -> Self {
        let mut pools: Vec<AskedPool> = Vec::new();
        for served in served {
            let Some(pool) = numbers.get(&served.policy.pool).copied() else {
                continue;
            };
            let window = served.policy.window;
            match pools.iter_mut().find(|asked| asked.pool == pool) {
                Some(asked) => asked.window = asked.window.max(window),
                None => pools.push(AskedPool { pool, window }),
            }
        }
        let thumbprint = ask.client.thumbprint();
        let predecessor = ask.predecessor.as_ref().map(|predecessor| {
            let thumbprint = predecessor.key.thumbprint();
            PredecessorFacts {
                client: thumbprint.into(),
                thumbprint,
                order: predecessor.order,
            }
        });
        Self {
            store,
            client: ClientKey {
                publisher,
                client: thumbprint.into(),
            },
            thumbprint,
            nonce: ask.nonce,
            source,
            pools,
            ticket: ask.ticket,
            predecessor,
            state: worst_state(ask),
            client_budget,
        }
    }
}

/// The state that needs an administrator most, for listings and counters.
fn worst_state(ask: &Ask) -> LicenceState {
    const RANK: [LicenceState; 7] = [
        LicenceState::NonGenuineGrace,
        LicenceState::Notification,
        LicenceState::OutOfToleranceGrace,
        LicenceState::Unlicensed,
        LicenceState::ExtendedGrace,
        LicenceState::InitialGrace,
        LicenceState::Licensed,
    ];
    let is_asked = |state: &LicenceState| ask.products.iter().any(|asked| asked.state == *state);
    RANK.into_iter()
        .find(is_asked)
        .unwrap_or(LicenceState::Unlicensed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_a_network() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff::2"));
        assert_ne!(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
    }
}
