//! Reads deterministic CBOR of the profile in one pass, and nothing else. It only ever says that all is
//! good: why something is not, the slower way of `crates/proto/src/cbor.rs` tells.

use ciborium::value::Value;

use super::{ARRAY, BYTES, MAP, NEGATIVE, TAG, TAG_COSE_SIGN1, TEXT, UNSIGNED, encoded_order};
use crate::limits::CBOR_DEPTH_MAX;

/// Major type 7 with the simple values false and true (RFC 8949 section 3.3).
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;

/// The one item that fills `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader(bytes);
    let mut depth = CBOR_DEPTH_MAX;
    let is_tagged = bytes.first()? >> 5 == TAG;
    if is_tagged {
        let tag = reader.head()?;
        if tag != (TAG, TAG_COSE_SIGN1) {
            return None;
        }
        depth -= 1;
    }
    let value = reader.item(depth)?;
    let value = match is_tagged {
        true => Value::Tag(TAG_COSE_SIGN1, Box::new(value)),
        false => value,
    };
    reader.0.is_empty().then_some(value)
}

/// What has not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let first = *self.0.first()?;
        if first == FALSE || first == TRUE {
            self.take(1)?;
            return Some(Value::Bool(first == TRUE));
        }
        let (major, argument) = self.head()?;
        match major {
            UNSIGNED => Some(Value::from(argument)),
            NEGATIVE => {
                let number = -1 - i128::from(argument);
                Some(Value::Integer(number.try_into().ok()?))
            }
            BYTES => Some(Value::Bytes(self.string(argument)?.to_vec())),
            TEXT => {
                let text = str::from_utf8(self.string(argument)?).ok()?;
                Some(Value::Text(text.to_owned()))
            }
            ARRAY => self.array(argument, depth),
            MAP => self.map(argument, depth),
            _ => None,
        }
    }

    fn array(&mut self, length: u64, depth: usize) -> Option<Value> {
        let mut items = Vec::with_capacity(self.room(length, 1)?);
        for _ in 0..length {
            items.push(self.item(depth)?);
        }
        Some(Value::Array(items))
    }

    /// A map whose keys are integers in ascending order of their encodings, none twice.
    fn map(&mut self, length: u64, depth: usize) -> Option<Value> {
        let mut entries = Vec::with_capacity(self.room(length, 2)?);
        let mut last = None;
        for _ in 0..length {
            let key = self.item(1)?;
            let Value::Integer(number) = &key else {
                return None;
            };
            let order = encoded_order(i128::from(*number));
            if last.is_some_and(|last| last >= order) {
                return None;
            }
            last = Some(order);
            entries.push((key, self.item(depth)?));
        }
        Some(Value::Map(entries))
    }

    /// A length that the bytes left can hold at so many bytes an item: nothing promises more.
    fn room(&self, length: u64, item_bytes: usize) -> Option<usize> {
        let length = usize::try_from(length).ok()?;
        (length <= self.0.len() / item_bytes).then_some(length)
    }

    fn string(&mut self, length: u64) -> Option<&'a [u8]> {
        self.take(usize::try_from(length).ok()?)
    }

    /// A head of definite length whose argument is as short as can be.
    fn head(&mut self) -> Option<(u8, u64)> {
        let first = self.take(1)?[0];
        let (major, short) = (first >> 5, first & 0x1f);
        let (bytes, least) = match short {
            0..24 => return Some((major, u64::from(short))),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return None,
        };
        let argument = self.take(bytes)?.iter();
        let argument = argument.fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        (argument >= least).then_some((major, argument))
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cbor::{decode_or_say_why, encode};

    /// Values of the profile and a little beyond it.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (0u64..300).prop_map(Value::from),
            any::<bool>().prop_map(Value::Bool),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            "[a-zäöü東]{0,30}".prop_map(Value::Text),
            Just(Value::Null),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            let keys = -40i64..40;
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::btree_map(keys, inner.clone(), 0..6).prop_map(|map| {
                    let entry = |(key, value)| (Value::from(key), value);
                    Value::Map(map.into_iter().map(entry).collect())
                }),
                inner.prop_map(|inner| Value::Tag(TAG_COSE_SIGN1, Box::new(inner))),
            ]
        })
    }

    /// Both ways take the same bytes and read the same in them.
    fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
        prop_assert_eq!(
            decode(bytes),
            decode_or_say_why(bytes).ok(),
            "{:02x?}",
            bytes
        );
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn both_ways_of_decoding_agree(value in values(), at in any::<usize>(), byte in any::<u8>()) {
            let bytes = encode(&value);
            check(&bytes)?;
            let at = at % bytes.len();
            let mut altered = bytes.clone();
            altered[at] = byte;
            check(&altered)?;
            check(&bytes[..at])?;
            check(&[&bytes[..], &[byte]].concat())?;
        }

        #[test]
        fn both_ways_agree_about_rubbish(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            check(&bytes)?;
        }
    }
}
