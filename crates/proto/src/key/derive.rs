//! HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869) as product keys use them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Thirty-two secret bytes.
pub(super) type Secret = Zeroizing<[u8; 32]>;

/// HMAC-SHA256 over the concatenation of `parts`; the caller's parts have fixed lengths, so that
/// no two lists of parts give the same bytes.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Secret {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104, 2)");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HKDF-SHA256 with 32 bytes of output, which is one block: extract (RFC 5869, 2.2), then expand
/// (2.3).
pub(super) fn hkdf_sha256(salt: &[u8], secret: &[u8], info: &[u8]) -> Secret {
    let pseudorandom_key = hmac_sha256(salt, &[secret]);
    hmac_sha256(&*pseudorandom_key, &[info, &[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, appendix A.1, the first 32 of its 42 bytes: they are the first block.
    #[test]
    fn hkdf_agrees_with_the_rfc() {
        let salt: Vec<u8> = (0x00..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let expected = [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
            0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
            0xec, 0xc4, 0xc5, 0xbf,
        ];
        assert_eq!(*hkdf_sha256(&salt, &[0x0b; 22], &info), expected);
    }

    /// RFC 4231, test case 2, its data in two parts.
    #[test]
    fn hmac_agrees_with_the_rfc() {
        let mac = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(mac[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
    }
}
