//! The authority's side of product keys: making them, and telling genuine ones from the rest.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::channel::{Channel, ProductGroup};
use super::derive::{Secret, hkdf_sha256, hmac_sha256};
use super::layout::{Fields, VERSION};
use super::permutation::Permutation;
use super::product_key::{KeyNumber, ProductKey};
use crate::reason::{Refusal, key as reasons};

const DERIVE_SALT: &[u8] = b"muster/v1/product-key";
const TAG_KEY_INFO: &[u8] = b"muster/v1/product-key/tag";
const PERMUTATION_KEY_INFO: &[u8] = b"muster/v1/product-key/permutation";
/// Opens the message of every tag, so that it is no message of another use of HMAC.
const TAG_DOMAIN: &[u8] = b"muster/v1/product-key/tag\0";

/// The authority's secret for product keys: 32 bytes of a good random source. Whoever has it can
/// make keys, so it never leaves the authority. Cleared on drop.
pub struct KeySecret(Secret);

impl KeySecret {
    /// Bytes of the secret.
    pub const BYTES: usize = 32;

    /// A secret of bytes that the caller drew or read.
    pub fn new(bytes: Zeroizing<[u8; Self::BYTES]>) -> KeySecret {
        KeySecret(bytes)
    }

    /// The bytes, for writing them to the authority's own file.
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

/// What a genuine key says once the authority has opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyFields {
    /// The channel.
    pub channel: Channel,
    /// The product group.
    pub group: ProductGroup,
    /// The serial as the authority counts it, within publisher, channel and group.
    pub serial: u32,
}

/// The two keys derived from a [`KeySecret`] (HKDF-SHA256, RFC 5869, one label each), so that what
/// the permutation shows says nothing about the tag. Cleared on drop.
pub struct KeyRing {
    tag_key: Secret,
    permutation_key: Secret,
}

impl KeyRing {
    /// Derives both keys.
    pub fn derive(secret: &KeySecret) -> KeyRing {
        let key = |info| hkdf_sha256(DERIVE_SALT, secret.expose(), info);
        KeyRing {
            tag_key: key(TAG_KEY_INFO),
            permutation_key: key(PERMUTATION_KEY_INFO),
        }
    }

    /// Makes the key of a serial. The same arguments give the same key: the authority stores the
    /// serial and needs no key text.
    pub fn issue(
        &self,
        publisher_id: &[u8; 16],
        channel: Channel,
        group: ProductGroup,
        serial: u32,
    ) -> ProductKey {
        let printed_serial = self
            .permutation(publisher_id, channel, group)
            .forward(serial);
        self.seal(publisher_id, KeyNumber::new(channel, group, printed_serial))
    }

    /// Opens a key: checks its tag, in the same time for every wrong one, and gives the counted
    /// serial. Whether that serial was ever issued is for the caller to look up; he answers
    /// [`reasons::UNKNOWN`] for one that was not, the same as for a wrong tag, so that nobody
    /// learns which of the two it was.
    ///
    /// # Errors
    /// `UNKNOWN`: made under another secret or for another publisher, or not by an authority.
    pub fn open(&self, publisher_id: &[u8; 16], key: &ProductKey) -> Result<KeyFields, Refusal> {
        let number = key.number();
        let (tag, made) = (key.fields().tag, self.tag(publisher_id, number));
        if !bool::from(tag.to_be_bytes().ct_eq(&made.to_be_bytes())) {
            return Err(reasons::UNKNOWN.into());
        }
        Ok(self.fields(publisher_id, number))
    }

    /// The key and fields behind a key number, as an installation ID carries it. A number proves
    /// nothing: the caller checks the proof that came with it under the key's bytes.
    pub fn find(&self, publisher_id: &[u8; 16], number: KeyNumber) -> (ProductKey, KeyFields) {
        (
            self.seal(publisher_id, number),
            self.fields(publisher_id, number),
        )
    }

    fn seal(&self, publisher_id: &[u8; 16], number: KeyNumber) -> ProductKey {
        let fields = Fields {
            version: VERSION,
            channel: number.channel().code(),
            group: number.group().get(),
            printed_serial: number.printed_serial(),
            tag: self.tag(publisher_id, number),
        };
        ProductKey::of_fields(number.channel(), number.group(), &fields)
    }

    fn fields(&self, publisher_id: &[u8; 16], number: KeyNumber) -> KeyFields {
        let (channel, group) = (number.channel(), number.group());
        let permutation = self.permutation(publisher_id, channel, group);
        KeyFields {
            channel,
            group,
            serial: permutation.backward(number.printed_serial()),
        }
    }

    /// HMAC-SHA256 over domain, publisher id and all other fields, cut to its first eight bytes.
    fn tag(&self, publisher_id: &[u8; 16], number: KeyNumber) -> Zeroizing<u64> {
        let version = [0, VERSION];
        let parts: [&[u8]; 4] = [TAG_DOMAIN, publisher_id, &version, &number.to_bytes()];
        let mac = hmac_sha256(&*self.tag_key, &parts);
        let (first, _) = mac
            .split_first_chunk()
            .expect("an HMAC-SHA256 has 32 bytes");
        Zeroizing::new(u64::from_be_bytes(*first))
    }

    /// Each publisher, channel and group has a permutation of its own, so that the first keys of
    /// two products do not show the same last group.
    fn permutation(
        &self,
        publisher_id: &[u8; 16],
        channel: Channel,
        group: ProductGroup,
    ) -> Permutation<'_, 16> {
        let mut tweak = [0; 19];
        tweak[..16].copy_from_slice(publisher_id);
        tweak[16] = channel.code();
        tweak[17..].copy_from_slice(&group.get().to_be_bytes());
        Permutation {
            key: &self.permutation_key,
            tweak,
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(…)")
    }
}
