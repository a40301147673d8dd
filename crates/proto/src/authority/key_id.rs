//! The serial of a product key as administrators name it: channel, product group and number.

use std::fmt;
use std::str::FromStr;

use crate::key::{Channel, KeyFields, ProductGroup};
use crate::reason::{Refusal, authority as reasons};

/// Names one issued product key of an authority: `kms-host/1/17`. It is no secret and unique, other
/// than the last five symbols. A slash never stands in a key, so the two are not mixed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// The channel.
    pub channel: Channel,
    /// The product group.
    pub group: ProductGroup,
    /// The serial as the authority counts it, within channel and group.
    pub serial: u32,
}

impl From<KeyFields> for KeyId {
    fn from(fields: KeyFields) -> Self {
        Self {
            channel: fields.channel,
            group: fields.group,
            serial: fields.serial,
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.channel, self.group, self.serial)
    }
}

impl FromStr for KeyId {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let wrong = || {
            let shown: String = text.chars().take(32).collect();
            Refusal::new(reasons::SELECTOR_WRONG, format!("{shown:?}"))
        };
        let mut parts = text.trim().split('/');
        let (Some(channel), Some(group), Some(serial), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        Ok(Self {
            channel: channel.parse()?,
            group: ProductGroup::new(group.parse().map_err(|_| wrong())?)?,
            serial: serial.parse().map_err(|_| wrong())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_read_as_it_is_written() {
        let id: KeyId = "kms-host/8191/4294967295".parse().unwrap();
        assert_eq!(id.to_string(), "kms-host/8191/4294967295");
        for wrong in ["7Q2WK", "kms-host/1", "kms-host/1/2/3", "kms-host/1/-2", ""] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }
}
