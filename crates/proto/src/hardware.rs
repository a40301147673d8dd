//! Component tags: what a lease remembers of a machine, eight kinds of 16 bits each, keyed with the
//! publisher id, so that they tell machines apart and tell nobody what the machine is made of.

use ciborium::value::Value;

use crate::crypto::hmac256;
use crate::ids::PublisherId;
use crate::limits::COMPONENT_KINDS;
use crate::reason::{Refusal, statement as reasons};

/// The kinds of components, in the order of their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// The operating system's installation id (`/etc/machine-id`).
    Installation,
    /// The system's SMBIOS uuid; often readable by root only.
    SystemUuid,
    /// The board's serial number; often readable by root only.
    BoardSerial,
    /// Maker and model of the system.
    Model,
    /// The processor's model.
    Processor,
    /// The installed memory, in whole GiB.
    Memory,
    /// The first disk's serial number or world-wide name.
    Disk,
    /// The first permanent network address.
    Network,
}

impl Component {
    /// Every kind, in the order of their bits.
    pub const ALL: [Component; COMPONENT_KINDS] = [
        Component::Installation,
        Component::SystemUuid,
        Component::BoardSerial,
        Component::Model,
        Component::Processor,
        Component::Memory,
        Component::Disk,
        Component::Network,
    ];

    /// The kind's name, as `client status --long` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::SystemUuid => "system-uuid",
            Self::BoardSerial => "board-serial",
            Self::Model => "model",
            Self::Processor => "processor",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Network => "network",
        }
    }
}

/// The tags of one machine; a component that could not be read has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComponentTags([Option<u16>; COMPONENT_KINDS]);

/// How two machines' tags compare, over the components that both could read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Components that are the same.
    pub matches: u32,
    /// Components that differ.
    pub mismatches: u32,
}

impl ComponentTags {
    /// Tags the components that could be read; empty values count as unreadable.
    pub fn of<'a>(
        publisher: PublisherId,
        components: impl IntoIterator<Item = (Component, &'a str)>,
    ) -> Self {
        let mut tags = Self::default();
        for (kind, value) in components {
            let value = value.trim();
            if !value.is_empty() {
                let name = kind.name().as_bytes();
                let mac = hmac256(
                    &publisher.0,
                    "muster/v1/component",
                    &[name, value.as_bytes()],
                );
                tags.0[kind as usize] = Some(u16::from_be_bytes([mac[0], mac[1]]));
            }
        }
        tags
    }

    /// The tag of one component.
    pub fn tag(&self, kind: Component) -> Option<u16> {
        self.0[kind as usize]
    }

    /// Compares with another machine's tags.
    pub fn compare(&self, other: &Self) -> Comparison {
        let mut comparison = Comparison {
            matches: 0,
            mismatches: 0,
        };
        for pair in self.0.iter().zip(&other.0) {
            match pair {
                (Some(one), Some(two)) if one == two => comparison.matches += 1,
                (Some(_), Some(_)) => comparison.mismatches += 1,
                _ => {}
            }
        }
        comparison
    }

    /// A byte of bits that tell which kinds are present, then their tags of two bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0];
        for (bit, tag) in self.0.iter().enumerate() {
            if let Some(tag) = tag {
                bytes[0] |= 1 << bit;
                bytes.extend(tag.to_be_bytes());
            }
        }
        bytes
    }

    /// Reads [`ComponentTags::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        let wrong = || Refusal::new(reasons::FIELD_WRONG, "component tags are cut or too long");
        let (mask, mut rest) = bytes.split_first().ok_or_else(wrong)?;
        let mut tags = Self::default();
        for (bit, tag) in tags.0.iter_mut().enumerate() {
            if mask & (1 << bit) != 0 {
                let (two, after) = rest.split_first_chunk::<2>().ok_or_else(wrong)?;
                *tag = Some(u16::from_be_bytes(*two));
                rest = after;
            }
        }
        if rest.is_empty() {
            Ok(tags)
        } else {
            Err(wrong())
        }
    }

    pub(crate) fn to_value(self) -> Value {
        Value::Bytes(self.to_bytes())
    }

    pub(crate) fn from_value(value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Bytes(bytes) => Self::from_bytes(&bytes),
            _ => Err(Refusal::new(
                reasons::FIELD_WRONG,
                "component tags are not a byte string",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHER: PublisherId = PublisherId([1; 16]);

    #[test]
    fn an_unreadable_component_is_neither_match_nor_mismatch() {
        let all = ComponentTags::of(PUBLISHER, Component::ALL.map(|kind| (kind, "value")));
        let some = ComponentTags::of(
            PUBLISHER,
            [
                (Component::Model, "value"),
                (Component::Disk, "other"),
                (Component::Memory, " "),
            ],
        );
        assert_eq!(
            all.compare(&some),
            Comparison {
                matches: 1,
                mismatches: 1
            }
        );
        assert_eq!(
            some.compare(&all),
            Comparison {
                matches: 1,
                mismatches: 1
            }
        );
    }

    #[test]
    fn tags_differ_by_publisher_and_kind() {
        let one = ComponentTags::of(PUBLISHER, Component::ALL.map(|kind| (kind, "value")));
        let two = ComponentTags::of(
            PublisherId([2; 16]),
            Component::ALL.map(|kind| (kind, "value")),
        );
        assert_eq!(one.compare(&two).matches, 0);
        let distinct: std::collections::HashSet<_> = one.0.iter().collect();
        assert_eq!(distinct.len(), COMPONENT_KINDS);
    }

    #[test]
    fn tags_are_read_as_they_are_written() {
        let tags = ComponentTags::of(PUBLISHER, [(Component::Model, "m"), (Component::Disk, "d")]);
        let bytes = tags.to_bytes();
        assert_eq!(ComponentTags::from_bytes(&bytes).unwrap(), tags);
        assert!(ComponentTags::from_bytes(&bytes[..4]).is_err());
        assert!(ComponentTags::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        assert!(ComponentTags::from_bytes(&[]).is_err());
    }
}
