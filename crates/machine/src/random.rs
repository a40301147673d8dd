//! The system's random source: the one place of muster, beside its libraries, that draws from it.

use zeroize::Zeroizing;

/// Random bytes fit for keys and nonces; cleared when dropped.
#[expect(clippy::disallowed_methods, reason = "the one random source of muster")]
pub fn bytes<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes)
        .expect("the system has a random source: no key is safe without one");
    bytes
}

/// A random number, for schedules and draws.
pub fn number() -> u64 {
    u64::from_ne_bytes(*bytes::<8>())
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_draws_differ() {
        assert_ne!(*super::bytes::<32>(), *super::bytes::<32>());
    }
}
