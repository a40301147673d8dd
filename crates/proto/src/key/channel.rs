//! The two fields of a product key that anybody can read: its channel and its product group.

use std::fmt;
use std::str::FromStr;

use crate::reason::{Refusal, key as reasons};

/// How a product key may be used. The codes are part of the key format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Volume clients that find a KMS host or a directory object by themselves; public.
    GenericVolume,
    /// Activates a KMS host or a directory.
    KmsHost,
    /// Multiple activation: each machine once, counted by the authority.
    Mak,
    /// Activates a virtualization host, which then activates its guests.
    VmHost,
    /// Guests of an activated virtualization host; public.
    VmGuest,
    /// One copy, one key.
    Retail,
    /// Bound to the firmware marker of a board.
    Oem,
}

impl Channel {
    /// Every channel, in the order of the codes.
    pub const ALL: [Channel; 7] = [
        Channel::GenericVolume,
        Channel::KmsHost,
        Channel::Mak,
        Channel::VmHost,
        Channel::VmGuest,
        Channel::Retail,
        Channel::Oem,
    ];

    /// The three-bit code inside the key, 0 to 6.
    pub const fn code(self) -> u8 {
        match self {
            Channel::GenericVolume => 0,
            Channel::KmsHost => 1,
            Channel::Mak => 2,
            Channel::VmHost => 3,
            Channel::VmGuest => 4,
            Channel::Retail => 5,
            Channel::Oem => 6,
        }
    }

    /// The channel of a three-bit code; `None` for 7, which is kept for later, and above.
    pub fn from_code(code: u8) -> Option<Channel> {
        Self::ALL.into_iter().find(|channel| channel.code() == code)
    }

    /// The name used by commands, files and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::GenericVolume => "generic",
            Channel::KmsHost => "kms-host",
            Channel::Mak => "mak",
            Channel::VmHost => "vm-host",
            Channel::VmGuest => "vm-guest",
            Channel::Retail => "retail",
            Channel::Oem => "oem",
        }
    }

    /// Whether keys of this channel are published with the product and need not be kept
    /// confidential: they only choose a method and open nothing at the authority.
    pub const fn is_public(self) -> bool {
        matches!(self, Channel::GenericVolume | Channel::VmGuest)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Channel {
    type Err = Refusal;

    /// Reads a channel's name, exactly as [`Channel::name`] writes it.
    ///
    /// # Errors
    /// `CHANNEL_NAME` for every other text.
    fn from_str(text: &str) -> Result<Channel, Refusal> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.name() == text)
            .ok_or_else(|| {
                let names = Self::ALL.map(Channel::name).join(", ");
                Refusal::new(reasons::CHANNEL_NAME, format!("channel is one of {names}"))
            })
    }
}

/// The number a publisher gives to a group of products that share their keys: 0 to 8,191.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductGroup(u16);

impl ProductGroup {
    /// The highest number: thirteen bits.
    pub const MAX: ProductGroup = ProductGroup(0x1FFF);

    /// A product group of its number.
    ///
    /// # Errors
    /// `GROUP_RANGE` when the number is above [`ProductGroup::MAX`].
    pub fn new(number: u16) -> Result<ProductGroup, Refusal> {
        if number > Self::MAX.0 {
            let detail = format!("group {number}, at most {}", Self::MAX);
            return Err(Refusal::new(reasons::GROUP_RANGE, detail));
        }
        Ok(ProductGroup(number))
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The low thirteen bits of a field that was cut out of a longer one.
    pub(super) const fn of_low_bits(bits: u16) -> ProductGroup {
        ProductGroup(bits & Self::MAX.0)
    }
}

impl TryFrom<u16> for ProductGroup {
    type Error = Refusal;

    fn try_from(number: u16) -> Result<ProductGroup, Refusal> {
        ProductGroup::new(number)
    }
}

impl fmt::Display for ProductGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_come_back() {
        for (code, channel) in (0u8..).zip(Channel::ALL) {
            assert_eq!(channel.code(), code);
            assert_eq!(Channel::from_code(code), Some(channel));
            assert_eq!(channel.name().parse(), Ok(channel));
        }
        assert_eq!(Channel::from_code(7), None);
        assert_eq!(Channel::from_code(8), None);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let refusal = Channel::from_str("KMS").unwrap_err();
        assert_eq!(refusal.reason, reasons::CHANNEL_NAME);
        assert!(refusal.detail.contains("generic, kms-host, mak"));
    }

    #[test]
    fn only_generic_and_vm_guest_keys_are_public() {
        let public: Vec<_> = Channel::ALL.into_iter().filter(|c| c.is_public()).collect();
        assert_eq!(public, [Channel::GenericVolume, Channel::VmGuest]);
    }

    #[test]
    fn a_group_has_thirteen_bits() {
        assert_eq!(ProductGroup::new(8_191), Ok(ProductGroup::MAX));
        assert_eq!(
            ProductGroup::new(8_192).unwrap_err().reason,
            reasons::GROUP_RANGE
        );
    }
}
