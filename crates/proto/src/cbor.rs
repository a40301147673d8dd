//! Deterministic CBOR (RFC 8949 section 4.2.1) under muster's profile: integers, byte and text
//! strings, arrays, maps with integer keys, booleans; no floats, no indefinite lengths, no tag but
//! COSE_Sign1's, and that one only outermost. Decoding accepts exactly the bytes that encoding would
//! have written.

mod strict;

use std::str::FromStr;

use ciborium::value::Value;

use crate::ids::is_line;
use crate::limits::{CBOR_DEPTH_MAX, ID_BYTES_MAX, TIME_SECONDS_MAX};
use crate::reason::{Refusal, statement as reasons};
use crate::time::Timestamp;

/// The tag of a COSE_Sign1 structure (RFC 9052 section 2), the only tag of the profile.
pub(crate) const TAG_COSE_SIGN1: u64 = 18;

/// Major types (RFC 8949 section 3.1).
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// Encodes a value deterministically: shortest integers, definite lengths, map keys in the bytewise
/// order of their encodings.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    write(value, &mut bytes);
    bytes
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Integer(number) => write_integer(i128::from(*number), out),
        Value::Bytes(bytes) => write_string(BYTES, bytes, out),
        Value::Text(text) => write_string(TEXT, text.as_bytes(), out),
        Value::Array(items) => {
            write_head(ARRAY, items.len() as u64, out);
            items.iter().for_each(|item| write(item, out));
        }
        Value::Map(entries) => write_map(entries, out),
        Value::Tag(tag, inner) => {
            write_head(TAG, *tag, out);
            write(inner, out);
        }
        // What the profile does not have, and booleans: nothing in them could be written in two ways.
        other => ciborium::into_writer(other, out).expect("writing CBOR to memory cannot fail"),
    }
}

/// An integer of CBOR is at least -2^64 and below 2^64.
fn write_integer(number: i128, out: &mut Vec<u8>) {
    if number >= 0 {
        write_head(UNSIGNED, number as u64, out);
    } else {
        write_head(NEGATIVE, (-1 - number) as u64, out);
    }
}

fn write_string(major: u8, bytes: &[u8], out: &mut Vec<u8>) {
    write_head(major, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn write_map(entries: &[(Value, Value)], out: &mut Vec<u8>) {
    write_head(MAP, entries.len() as u64, out);
    let order = |(key, _): &&(Value, Value)| match key {
        Value::Integer(key) => encoded_order(i128::from(*key)),
        _ => (2, 0),
    };
    let mut sorted: Vec<&(Value, Value)> = entries.iter().collect();
    sorted.sort_by_key(order);
    for (key, item) in sorted {
        write(key, out);
        write(item, out);
    }
}

/// A head with the shortest argument (RFC 8949 section 4.2.1).
fn write_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..24 => out.push(major | argument as u8),
        24..0x100 => out.extend([major | 24, argument as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend((argument as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend((argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(argument.to_be_bytes());
        }
    }
}

/// An array of byte strings, without a copy of them.
pub(crate) fn encode_strings(strings: &[&[u8]]) -> Vec<u8> {
    let bytes = strings.iter().map(|string| string.len() + 9).sum::<usize>();
    let mut out = Vec::with_capacity(bytes + 1);
    write_head(ARRAY, strings.len() as u64, &mut out);
    strings
        .iter()
        .for_each(|string| write_string(BYTES, string, &mut out));
    out
}

/// The same with a text before them.
pub(crate) fn encode_named_strings(name: &str, strings: &[&[u8]]) -> Vec<u8> {
    let bytes = strings.iter().map(|string| string.len() + 9).sum::<usize>();
    let mut out = Vec::with_capacity(bytes + name.len() + 10);
    write_head(ARRAY, strings.len() as u64 + 1, &mut out);
    write_string(TEXT, name.as_bytes(), &mut out);
    strings
        .iter()
        .for_each(|string| write_string(BYTES, string, &mut out));
    out
}

/// Decodes one item that fills `bytes` and is encoded deterministically within the profile.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, Refusal> {
    match strict::decode(bytes) {
        Some(value) => Ok(value),
        None => decode_or_say_why(bytes),
    }
}

/// The rules one after the other, so that what is wrong is told by the first that says no. Slower: all
/// that is good has been decoded without it.
fn decode_or_say_why(bytes: &[u8]) -> Result<Value, Refusal> {
    let mut rest = bytes;
    let value: Value =
        ciborium::de::from_reader_with_recursion_limit(&mut rest, CBOR_DEPTH_MAX * 4)
            .map_err(|_| Refusal::new(reasons::NOT_CBOR, "not one well-formed item"))?;
    if !rest.is_empty() {
        return Err(Refusal::new(
            reasons::NOT_CBOR,
            format!("{} bytes follow the item", rest.len()),
        ));
    }
    match &value {
        Value::Tag(TAG_COSE_SIGN1, inner) => check_profile(inner, CBOR_DEPTH_MAX - 1)?,
        other => check_profile(other, CBOR_DEPTH_MAX)?,
    }
    if encode(&value) != bytes {
        return Err(reasons::NOT_DETERMINISTIC.into());
    }
    Ok(value)
}

fn check_profile(value: &Value, depth_left: usize) -> Result<(), Refusal> {
    let refuse = |what: &str| Err(Refusal::new(reasons::OUTSIDE_PROFILE, what));
    let Some(depth_left) = depth_left.checked_sub(1) else {
        return refuse("nested too deeply");
    };
    match value {
        Value::Integer(_) | Value::Bytes(_) | Value::Text(_) | Value::Bool(_) => Ok(()),
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| check_profile(item, depth_left)),
        Value::Map(entries) => {
            let mut last = None;
            for (key, item) in entries {
                let Value::Integer(key) = key else {
                    return refuse("a map key that is no integer");
                };
                let key = encoded_order(i128::from(*key));
                if last.is_some_and(|last| last >= key) {
                    return refuse("map keys repeated or out of order");
                }
                last = Some(key);
                check_profile(item, depth_left)?;
            }
            Ok(())
        }
        Value::Tag(..) => refuse("a tag other than the outermost one of COSE_Sign1"),
        Value::Float(_) => refuse("a floating-point number"),
        _ => refuse("null, undefined or a simple value"),
    }
}

/// Where an integer key stands in the bytewise order of encodings: first the unsigned ones by
/// value, then the negative ones by distance from zero.
fn encoded_order(key: i128) -> (u8, u128) {
    if key >= 0 {
        (0, key.unsigned_abs())
    } else {
        (1, key.unsigned_abs())
    }
}

/// Builds a map with integer keys.
#[derive(Default)]
pub(crate) struct MapWriter(Vec<(Value, Value)>);

impl MapWriter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn put(mut self, key: i64, value: impl Into<Value>) -> Self {
        self.0.push((Value::from(key), value.into()));
        self
    }

    pub(crate) fn put_opt(self, key: i64, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    pub(crate) fn bytes(self, key: i64, value: &[u8]) -> Self {
        self.put(key, Value::Bytes(value.to_vec()))
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Map(self.0)
    }
}

/// Reads a map with integer keys, each taken once; a field's name goes into the refusal.
pub(crate) struct MapReader {
    what: &'static str,
    entries: Vec<(i64, Value)>,
}

impl MapReader {
    /// Opens a map; `what` names it in refusals.
    pub(crate) fn new(what: &'static str, value: Value) -> Result<Self, Refusal> {
        let Value::Map(map) = value else {
            return Err(Refusal::new(
                reasons::FIELD_WRONG,
                format!("{what} is not a map"),
            ));
        };
        let mut entries = Vec::with_capacity(map.len());
        for (key, value) in map {
            let key = match &key {
                Value::Integer(key) => i64::try_from(i128::from(*key)).ok(),
                _ => None,
            };
            let Some(key) = key else {
                return Err(Refusal::new(
                    reasons::FIELD_WRONG,
                    format!("{what} has a key out of range"),
                ));
            };
            entries.push((key, value));
        }
        Ok(Self { what, entries })
    }

    fn wrong(&self, field: &str, rule: &str) -> Refusal {
        Refusal::new(
            reasons::FIELD_WRONG,
            format!("{}.{field} {rule}", self.what),
        )
    }

    fn missing(&self, field: &str) -> Refusal {
        Refusal::new(reasons::FIELD_MISSING, format!("{}.{field}", self.what))
    }

    pub(crate) fn take(&mut self, key: i64) -> Option<Value> {
        let at = self.entries.iter().position(|(k, _)| *k == key)?;
        Some(self.entries.swap_remove(at).1)
    }

    pub(crate) fn need(&mut self, key: i64, field: &str) -> Result<Value, Refusal> {
        self.take(key).ok_or_else(|| self.missing(field))
    }

    pub(crate) fn uint_opt(&mut self, key: i64, field: &str) -> Result<Option<u64>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => as_uint(&value)
                .map(Some)
                .ok_or_else(|| self.wrong(field, "is not an unsigned integer")),
        }
    }

    pub(crate) fn uint(&mut self, key: i64, field: &str) -> Result<u64, Refusal> {
        let value = self.need(key, field)?;
        as_uint(&value).ok_or_else(|| self.wrong(field, "is not an unsigned integer"))
    }

    /// A time, at most the end of the year 9999.
    pub(crate) fn time_opt(&mut self, key: i64, field: &str) -> Result<Option<Timestamp>, Refusal> {
        match self.uint_opt(key, field)? {
            Some(seconds) if seconds > TIME_SECONDS_MAX => {
                Err(self.wrong(field, "is after the year 9999"))
            }
            other => Ok(other.map(Timestamp::from_seconds)),
        }
    }

    pub(crate) fn time(&mut self, key: i64, field: &str) -> Result<Timestamp, Refusal> {
        self.time_opt(key, field)?
            .ok_or_else(|| self.missing(field))
    }

    pub(crate) fn uint32(&mut self, key: i64, field: &str) -> Result<u32, Refusal> {
        let value = self.uint(key, field)?;
        u32::try_from(value).map_err(|_| self.wrong(field, "does not fit 32 bits"))
    }

    pub(crate) fn bool_or_false(&mut self, key: i64, field: &str) -> Result<bool, Refusal> {
        match self.take(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(value),
            Some(_) => Err(self.wrong(field, "is not a boolean")),
        }
    }

    pub(crate) fn bytes_opt(
        &mut self,
        key: i64,
        field: &str,
        max: usize,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bytes(bytes)) if bytes.len() <= max => Ok(Some(bytes)),
            Some(Value::Bytes(bytes)) => Err(self.wrong(
                field,
                &format!("has {} bytes, at most {max} are allowed", bytes.len()),
            )),
            Some(_) => Err(self.wrong(field, "is not a byte string")),
        }
    }

    pub(crate) fn array_opt<const N: usize>(
        &mut self,
        key: i64,
        field: &str,
    ) -> Result<Option<[u8; N]>, Refusal> {
        let Some(bytes) = self.bytes_opt(key, field, N)? else {
            return Ok(None);
        };
        let array = bytes
            .try_into()
            .map_err(|_| self.wrong(field, &format!("is not {N} bytes")))?;
        Ok(Some(array))
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        key: i64,
        field: &str,
    ) -> Result<[u8; N], Refusal> {
        self.array_opt(key, field)?
            .ok_or_else(|| self.missing(field))
    }

    pub(crate) fn text_opt(
        &mut self,
        key: i64,
        field: &str,
        max: usize,
    ) -> Result<Option<String>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Text(text)) if text.len() <= max => Ok(Some(text)),
            Some(Value::Text(text)) => Err(self.wrong(
                field,
                &format!("has {} bytes, at most {max} are allowed", text.len()),
            )),
            Some(_) => Err(self.wrong(field, "is not a text string")),
        }
    }

    pub(crate) fn text(&mut self, key: i64, field: &str, max: usize) -> Result<String, Refusal> {
        self.text_opt(key, field, max)?
            .ok_or_else(|| self.missing(field))
    }

    /// A text that is shown to people: one line without characters that steer a terminal or turn
    /// the direction of writing, for it may come from anybody.
    pub(crate) fn line_opt(
        &mut self,
        key: i64,
        field: &str,
        max: usize,
    ) -> Result<Option<String>, Refusal> {
        let text = self.text_opt(key, field, max)?;
        match &text {
            Some(text) if !is_line(text) => Err(self.wrong(field, "holds control characters")),
            _ => Ok(text),
        }
    }

    pub(crate) fn line(&mut self, key: i64, field: &str, max: usize) -> Result<String, Refusal> {
        self.line_opt(key, field, max)?
            .ok_or_else(|| self.missing(field))
    }

    /// A product, pool or site id.
    pub(crate) fn id_opt<T: FromStr>(
        &mut self,
        key: i64,
        field: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text_opt(key, field, ID_BYTES_MAX)? else {
            return Ok(None);
        };
        let id = text.parse().map_err(|_| self.wrong(field, "is not an id"));
        id.map(Some)
    }

    pub(crate) fn id<T: FromStr>(&mut self, key: i64, field: &str) -> Result<T, Refusal> {
        self.id_opt(key, field)?.ok_or_else(|| self.missing(field))
    }

    /// An array of at most `max` items; an absent one is empty.
    pub(crate) fn list(
        &mut self,
        key: i64,
        field: &str,
        max: usize,
    ) -> Result<Vec<Value>, Refusal> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(value) => self.items(value, field, max),
        }
    }

    /// An array that must be there, if only empty: a container is not signed, and a member that may
    /// be left out would be lost with one altered key.
    pub(crate) fn list_needed(
        &mut self,
        key: i64,
        field: &str,
        max: usize,
    ) -> Result<Vec<Value>, Refusal> {
        let value = self.need(key, field)?;
        self.items(value, field, max)
    }

    fn items(&self, value: Value, field: &str, max: usize) -> Result<Vec<Value>, Refusal> {
        match value {
            Value::Array(items) if items.len() <= max => Ok(items),
            Value::Array(items) => Err(self.wrong(
                field,
                &format!("has {} items, at most {max} are allowed", items.len()),
            )),
            _ => Err(self.wrong(field, "is not an array")),
        }
    }

    pub(crate) fn map_opt(
        &mut self,
        key: i64,
        what: &'static str,
    ) -> Result<Option<MapReader>, Refusal> {
        self.take(key)
            .map(|value| MapReader::new(what, value))
            .transpose()
    }

    /// Ends reading a container that nobody signed: every unknown key refuses, so that no member
    /// can be lost by an altered key.
    pub(crate) fn finish_exact(self) -> Result<(), Refusal> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, _)) => Err(Refusal::new(
                reasons::UNKNOWN_CRITICAL,
                format!("{} has member {key}", self.what),
            )),
        }
    }

    /// Ends reading: an unknown key below 0 is critical and refuses, others are ignored.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.entries.iter().find(|(key, _)| *key < 0) {
            None => Ok(()),
            Some((key, _)) => Err(Refusal::new(
                reasons::UNKNOWN_CRITICAL,
                format!("{} has claim {key}", self.what),
            )),
        }
    }
}

/// An unsigned 64-bit integer, or nothing.
pub(crate) fn as_uint(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(integer) => u64::try_from(i128::from(*integer)).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_deterministic_form_is_read() {
        for (bytes, reason) in [
            (&[0x18, 0x01][..], reasons::NOT_DETERMINISTIC), // 1 in two bytes
            (&[0x9f, 0xff], reasons::NOT_DETERMINISTIC),     // indefinite array
            (&[0xa2, 0x02, 0x00, 0x01, 0x00], reasons::OUTSIDE_PROFILE), // keys out of order
            (&[0xa2, 0x01, 0x00, 0x01, 0x00], reasons::OUTSIDE_PROFILE), // key twice
            (&[0xfb, 0, 0, 0, 0, 0, 0, 0, 0], reasons::OUTSIDE_PROFILE), // float
            (&[0xf6], reasons::OUTSIDE_PROFILE),             // null
            (&[0xc1, 0x00], reasons::OUTSIDE_PROFILE),       // another tag
            (&[0x00, 0x00], reasons::NOT_CBOR),              // something follows
            (&[0x42, 0x00], reasons::NOT_CBOR),              // cut
            (&[0xa1, 0x61, 0x61, 0x00], reasons::OUTSIDE_PROFILE), // text key
            (&[0x81, 0xd2, 0x00], reasons::OUTSIDE_PROFILE), // the tag, not outermost
            (&[0xd2, 0xd2, 0x00], reasons::OUTSIDE_PROFILE), // the tag twice
            (&[0xc2, 0x41, 0x01], reasons::NOT_DETERMINISTIC), // 1 as a big number
            (&[0xf8, 0x15], reasons::NOT_DETERMINISTIC),     // true in two bytes
            (&[0x5f, 0x41, 0x00, 0xff], reasons::NOT_DETERMINISTIC), // bytes in pieces
        ] {
            assert_eq!(decode(bytes).unwrap_err().reason, reason, "{bytes:02x?}");
            assert_eq!(strict::decode(bytes), None, "{bytes:02x?}");
        }
        let mut deep = vec![0x81; CBOR_DEPTH_MAX + 1];
        deep.push(0x00);
        assert_eq!(decode(&deep).unwrap_err().reason, reasons::OUTSIDE_PROFILE);
    }

    /// ciborium writes the shortest form too, and leaves the order of a map's keys alone.
    #[test]
    fn what_is_written_is_what_another_library_writes() {
        let edges = [
            0,
            1,
            23,
            24,
            255,
            256,
            65_535,
            65_536,
            4_294_967_295,
            4_294_967_296,
        ];
        let mut items: Vec<Value> = Vec::new();
        for edge in edges.into_iter().chain([i64::MAX as u64, u64::MAX]) {
            items.push(Value::from(edge));
            let below = -1 - i128::from(edge);
            items.push(Value::Integer(below.try_into().unwrap()));
        }
        for length in [0, 1, 23, 24, 255, 256, 65_535, 65_536] {
            items.push(Value::Bytes(vec![7; length]));
            items.push(Value::Text("x".repeat(length)));
            items.push(Value::Array(vec![Value::Bool(length % 2 == 0); length]));
            let entries = (0..length as u64).map(|key| (Value::from(key), Value::from(key)));
            items.push(Value::Map(entries.collect()));
        }
        items.push(Value::Tag(
            TAG_COSE_SIGN1,
            Box::new(Value::Array(items.clone())),
        ));
        for item in &items {
            let mut expected = Vec::new();
            ciborium::into_writer(item, &mut expected).unwrap();
            assert_eq!(encode(item), expected);
        }
        let strings: [&[u8]; 2] = [&[1; 300], &[]];
        let value = Value::Array(strings.map(|string| Value::Bytes(string.to_vec())).to_vec());
        assert_eq!(encode_strings(&strings), encode(&value));
    }

    #[test]
    fn keys_are_written_in_the_order_of_their_encodings() {
        let map = MapWriter::new()
            .put(-1, 0)
            .put(30, 0)
            .put(2, 0)
            .put(-40, 0)
            .into_value();
        let bytes = encode(&map);
        assert_eq!(bytes, [0xa4, 0x02, 0, 0x18, 30, 0, 0x20, 0, 0x38, 39, 0]);
        decode(&bytes).unwrap();
    }

    #[test]
    fn an_unknown_critical_claim_refuses_and_another_is_ignored() {
        let read = |map: MapWriter| MapReader::new("x", map.into_value()).unwrap().finish();
        read(MapWriter::new().put(99, 1)).unwrap();
        let refusal = read(MapWriter::new().put(-99, 1)).unwrap_err();
        assert_eq!(refusal.reason, reasons::UNKNOWN_CRITICAL);
        let map = MapReader::new("x", MapWriter::new().put(99, 1).into_value()).unwrap();
        assert_eq!(
            map.finish_exact().unwrap_err().reason,
            reasons::UNKNOWN_CRITICAL
        );
    }

    #[test]
    fn a_line_steers_no_terminal() {
        let read = |text: &str| {
            let map = MapWriter::new().put(1, text).into_value();
            MapReader::new("x", map).unwrap().line(1, "name", 64)
        };
        assert_eq!(read("Möbel & Söhne 東京").unwrap(), "Möbel & Söhne 東京");
        for wrong in ["a\nb", "\u{1b}[2J", "a\u{202e}b", "a\u{2028}b", "\u{9b}1m"] {
            assert_eq!(
                read(wrong).unwrap_err().reason,
                reasons::FIELD_WRONG,
                "{wrong:?}"
            );
        }
    }
}
