//! Ids: what statements and tables name things by. Parse, don't validate: a value of these types is
//! well-formed.

use std::fmt;
use std::str::FromStr;

use crate::limits::{ID_BYTES_MAX, NAME_BYTES_MAX};
use crate::reason::{Refusal, config as reasons, statement};

macro_rules! byte_ids {
    ($($(#[$doc:meta])* $name:ident: $len:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        /// Reads hexadecimal digits, colons and spaces between them allowed.
        impl FromStr for $name {
            type Err = Refusal;

            fn from_str(text: &str) -> Result<Self, Refusal> {
                read_hex(text).map(Self)
            }
        }
    )* };
}

byte_ids! {
    /// A publisher: the first 16 bytes of the thumbprint (RFC 9679) of its first root key.
    PublisherId: 16;
    /// SHA-256 of a COSE key (RFC 9679), or a statement's name: SHA-256 over its protected header
    /// and payload.
    Thumbprint: 32;
    /// A client computer of one publisher: the first 16 bytes of its key's thumbprint.
    ClientId: 16;
    /// A client's 16 random bytes for one ask, kept until an answer is stored.
    Nonce: 16;
    /// A store of a KMS host, or of several hosts that share it: 8 random bytes made with it.
    StoreId: 8;
}

impl From<Thumbprint> for ClientId {
    fn from(thumbprint: Thumbprint) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&thumbprint.0[..16]);
        Self(id)
    }
}

/// Whether a text may be shown to people as it is: no control character, no line or paragraph
/// separator, nothing that turns the direction of writing.
pub(crate) fn is_line(text: &str) -> bool {
    !text.contains(steers)
}

/// Whether a character does something to a terminal other than to stand there.
pub(crate) fn steers(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Refuses a display name that a statement could not carry: 1 to 128 bytes, and no character that
/// steers a terminal.
pub fn check_display_name(name: &str) -> Result<(), Refusal> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && is_line(name) {
        return Ok(());
    }
    let rule = "a name has 1 to 128 bytes and no control characters";
    Err(Refusal::new(statement::FIELD_WRONG, rule))
}

fn read_hex<const N: usize>(text: &str) -> Result<[u8; N], Refusal> {
    let refuse = || {
        let shown: String = text.chars().take(2 * N + 8).collect();
        Refusal::new(
            reasons::ID_WRONG,
            format!("{shown:?}: {} hexadecimal digits are needed", 2 * N),
        )
    };
    let mut nibbles = [0u8; 64];
    let mut length = 0;
    for symbol in text.chars().filter(|symbol| !matches!(symbol, ':' | ' ')) {
        let digit = symbol.to_digit(16).ok_or_else(refuse)?;
        *nibbles.get_mut(length).ok_or_else(refuse)? = digit as u8;
        length += 1;
    }
    if length != 2 * N {
        return Err(refuse());
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(nibbles.chunks(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Ok(bytes)
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        ///
        /// 1 to 32 of `a`-`z`, `0`-`9`, `.`, `_`, `-`, beginning with a letter or digit.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Refusal;

            fn from_str(text: &str) -> Result<Self, Refusal> {
                if is_id(text) {
                    Ok(Self(text.into()))
                } else {
                    let shown: String = text.chars().take(ID_BYTES_MAX).collect();
                    Err(Refusal::new(reasons::ID_WRONG, format!("{shown:?}")))
                }
            }
        }
    )* };
}

text_ids! {
    /// A product of one publisher.
    ProductId;
    /// A count pool of one publisher: the products whose clients add up.
    PoolId;
    /// A site or customer of one publisher.
    SiteId;
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let bytes = text.as_bytes();
    (1..=ID_BYTES_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| allowed(*byte))
        && bytes[0].is_ascii_alphanumeric()
}

impl From<ProductId> for PoolId {
    fn from(product: ProductId) -> Self {
        Self(product.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ids_are_checked() {
        for right in ["cad", "cad-2027", "0", "a.b_c"] {
            assert_eq!(right.parse::<ProductId>().unwrap().as_str(), right);
        }
        let long = "a".repeat(33);
        for wrong in ["", "Cad", "-a", ".", "a b", "ä", long.as_str()] {
            assert_eq!(
                wrong.parse::<SiteId>().unwrap_err().reason,
                reasons::ID_WRONG
            );
        }
    }

    #[test]
    fn byte_ids_are_read_as_they_are_written() {
        let id = StoreId([0, 1, 2, 0xfd, 0xfe, 0xff, 9, 10]);
        assert_eq!(id.to_string().parse::<StoreId>().unwrap(), id);
        assert_eq!("00:01:02:FD fe ff 09 0a".parse::<StoreId>().unwrap(), id);
        for wrong in [
            "",
            "00",
            "000102fdfeff090",
            "000102fdfeff090g",
            "000102fdfeff090a00",
        ] {
            assert!(wrong.parse::<StoreId>().is_err(), "{wrong}");
        }
        let long = "0".repeat(65);
        assert!(long.parse::<Thumbprint>().is_err());
        let endless = "x".repeat(10_000).parse::<StoreId>().unwrap_err();
        assert!(
            endless.detail.len() < 100,
            "a refusal repeats little of what came"
        );
    }

    #[test]
    fn display_names_are_one_line() {
        check_display_name("Contoso Ltd.").unwrap();
        let long = "a".repeat(129);
        for wrong in ["", "a\tb", "\u{202e}", long.as_str()] {
            check_display_name(wrong).unwrap_err();
        }
    }
}
