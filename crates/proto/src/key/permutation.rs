//! The keyed permutation between the serial number the authority counts and the one a key shows,
//! so that nobody can count sales from two keys.
//!
//! A balanced Feistel network of ten rounds, the count NIST SP 800-38G gives FF1 for the same
//! purpose; the round function is HMAC-SHA256 over the tweak, the round and the right half. A
//! Feistel network is a permutation whatever its round function is, so no serial is lost or met
//! twice.

use super::derive::{Secret, hmac_sha256};

/// Rounds of the network.
const ROUNDS: u8 = 10;
/// Opens the message of every round, so that it is no message of another use of HMAC.
const ROUND_DOMAIN: &[u8] = b"muster/v1/product-key/round\0";

/// A permutation of the numbers of `2 * HALF_BITS` bits. Product keys use 16; the tests use less
/// to walk through a whole domain.
pub(super) struct Permutation<'a, const HALF_BITS: u32> {
    /// The permutation key of the authority.
    pub(super) key: &'a Secret,
    /// What else chooses the permutation: publisher, channel and group, of fixed length.
    pub(super) tweak: [u8; 19],
}

impl<const HALF_BITS: u32> Permutation<'_, HALF_BITS> {
    /// A half's bits; a half never has more than sixteen.
    const MASK: u32 = {
        assert!(HALF_BITS > 0 && HALF_BITS <= 16);
        (1 << HALF_BITS) - 1
    };

    /// From the counted serial to the printed one.
    pub(super) fn forward(&self, number: u32) -> u32 {
        let (mut left, mut right) = Self::halves(number);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        left << HALF_BITS | right
    }

    /// From the printed serial to the counted one.
    pub(super) fn backward(&self, number: u32) -> u32 {
        let (mut left, mut right) = Self::halves(number);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        left << HALF_BITS | right
    }

    fn halves(number: u32) -> (u32, u32) {
        (number >> HALF_BITS & Self::MASK, number & Self::MASK)
    }

    /// The first two bytes of the HMAC, cut to a half.
    fn round(&self, round: u8, right: u32) -> u32 {
        let [.., high, low] = right.to_be_bytes();
        let mac = hmac_sha256(
            &**self.key,
            &[ROUND_DOMAIN, &self.tweak, &[round, high, low]],
        );
        u32::from(u16::from_be_bytes([mac[0], mac[1]])) & Self::MASK
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn whole_domain<const HALF_BITS: u32>(key: &Secret, tweak: u8) -> Vec<u32> {
        let permutation = Permutation::<HALF_BITS> {
            key,
            tweak: [tweak; 19],
        };
        let size = 1u32 << (2 * HALF_BITS);
        let mut met = vec![false; size as usize];
        let image: Vec<u32> = (0..size)
            .map(|number| permutation.forward(number))
            .collect();
        for (number, &shown) in (0u32..).zip(&image) {
            assert!(
                !std::mem::replace(&mut met[shown as usize], true),
                "{shown} met twice"
            );
            assert_eq!(permutation.backward(shown), number);
        }
        image
    }

    #[test]
    fn small_domains_are_permuted_whole() {
        let key = Zeroizing::new([7; 32]);
        whole_domain::<1>(&key, 0);
        whole_domain::<3>(&key, 0);
        whole_domain::<6>(&key, 0);
    }

    #[test]
    fn key_and_tweak_choose_the_permutation() {
        let (key, other) = (Zeroizing::new([7; 32]), Zeroizing::new([8; 32]));
        let image = whole_domain::<4>(&key, 0);
        assert_ne!(image, whole_domain::<4>(&key, 1));
        assert_ne!(image, whole_domain::<4>(&other, 0));
    }

    /// 20,000 serials that follow one another: none shown twice, and every bit of what is shown is
    /// set about half the time (a serial shown as counted would leave the high bits clear).
    #[test]
    fn following_serials_look_unrelated() {
        let key = Zeroizing::new([7; 32]);
        let permutation = Permutation::<16> {
            key: &key,
            tweak: [0; 19],
        };
        let shown: std::collections::HashSet<u32> = (0..20_000)
            .map(|number| permutation.forward(number))
            .collect();
        assert_eq!(shown.len(), 20_000);
        for bit in 0..32 {
            let set = shown
                .iter()
                .filter(|number| *number >> bit & 1 == 1)
                .count();
            assert!(
                (9_500..10_500).contains(&set),
                "bit {bit} is set in {set} of 20,000"
            );
        }
        for edge in [0, 1, u32::MAX - 1, u32::MAX] {
            assert_eq!(permutation.backward(permutation.forward(edge)), edge);
        }
    }
}
