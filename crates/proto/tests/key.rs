//! Product keys against their golden vectors (vectors/key/), and properties that hold for all keys.

use std::collections::HashSet;

use muster_proto::key::{
    Channel, KeyFields, KeyNumber, KeyRing, KeySecret, Last5, ProductGroup, ProductKey,
};
use muster_proto::reason::key as reasons;
use muster_proto::{Reason, Refusal};
use proptest::prelude::*;
use serde_json::Value;
use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PUBLISHER: [u8; 16] = [0xA5; 16];

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("the vectors are JSON")
}

fn good() -> Value {
    vectors(include_str!("../../../vectors/key/good.json"))
}

fn bad() -> Value {
    vectors(include_str!("../../../vectors/key/bad.json"))
}

fn rows<'a>(document: &'a Value, list: &str) -> &'a Vec<Value> {
    let rows = document[list]
        .as_array()
        .expect("the vectors hold this list");
    assert!(
        rows.len() >= 10,
        "{list} has {} rows: some were lost",
        rows.len()
    );
    rows
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is missing in {row}"))
}

fn number(row: &Value, field: &str) -> u32 {
    let number = row[field]
        .as_u64()
        .unwrap_or_else(|| panic!("{field} is missing in {row}"));
    u32::try_from(number).expect("the numbers of the vectors have 32 bits")
}

fn bytes<const N: usize>(row: &Value, field: &str) -> [u8; N] {
    let hex = text(row, field);
    assert_eq!(hex.len(), 2 * N, "{field} of {row}");
    std::array::from_fn(|i| {
        u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("the vectors hold hexadecimal bytes")
    })
}

fn ring(secret: [u8; 32]) -> KeyRing {
    KeyRing::derive(&KeySecret::new(Zeroizing::new(secret)))
}

fn group(number: u16) -> ProductGroup {
    ProductGroup::new(number).expect("the group has thirteen bits")
}

fn place(at: usize) -> String {
    format!("group {}, symbol {}", at / 5 + 1, at % 5 + 1)
}

fn symbols(key: &ProductKey) -> Vec<u8> {
    key.reveal().bytes().filter(|byte| *byte != b'-').collect()
}

fn parse(symbols: &[u8]) -> Result<ProductKey, Refusal> {
    ProductKey::parse(std::str::from_utf8(symbols).expect("symbols are ASCII"))
}

#[test]
fn issued_vectors_agree() {
    for row in rows(&good(), "issued") {
        let (ring, publisher) = (ring(bytes(row, "secret")), bytes(row, "publisher"));
        let channel: Channel = text(row, "channel").parse().unwrap();
        let group = group(u16::try_from(number(row, "group")).unwrap());
        let serial = number(row, "serial");

        let key = ring.issue(&publisher, channel, group, serial);
        assert_eq!(*key.reveal(), text(row, "key"));
        assert_eq!(key.last5().to_string(), text(row, "last5"));
        assert_eq!(*key.to_bytes(), bytes(row, "bytes"));
        assert_eq!(key.number().to_bytes(), bytes(row, "number"));
        assert_eq!(key.number().printed_serial(), number(row, "printed_serial"));
        assert_eq!((key.channel(), key.group()), (channel, group));

        let fields = KeyFields {
            channel,
            group,
            serial,
        };
        let parsed = ProductKey::parse(text(row, "key")).unwrap();
        assert_eq!(ring.open(&publisher, &parsed), Ok(fields));
        let number = KeyNumber::from_bytes(&bytes(row, "number")).unwrap();
        assert_eq!(ring.find(&publisher, number), (parsed, fields));
        assert_eq!(ProductKey::from_bytes(&bytes(row, "bytes")).unwrap(), key);
    }
}

#[test]
fn forgiving_vectors_are_read() {
    for row in rows(&good(), "read") {
        let key = ProductKey::parse(text(row, "text"))
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", text(row, "name")));
        assert_eq!(*key.reveal(), text(row, "key"), "{}", text(row, "name"));
    }
}

#[test]
fn bad_texts_get_their_reason_and_place() {
    let mut reasons_seen = HashSet::new();
    for row in rows(&bad(), "parse") {
        let name = text(row, "name");
        let Err(refusal) = ProductKey::parse(text(row, "text")) else {
            panic!("{name}: accepted")
        };
        assert_eq!(
            refusal.reason.code(),
            text(row, "reason"),
            "{name}: {refusal}"
        );
        if let Some(place) = row["place"].as_str() {
            assert!(
                refusal.detail.starts_with(place),
                "{name}: {}",
                refusal.detail
            );
        }
        reasons_seen.insert(refusal.reason);
    }
    let all: HashSet<Reason> = [
        reasons::LENGTH,
        reasons::SYMBOL,
        reasons::ONE_WRONG,
        reasons::SEVERAL_WRONG,
        reasons::VERSION,
        reasons::CHANNEL,
    ]
    .into();
    assert_eq!(reasons_seen, all, "every reason of reading has a vector");
}

#[test]
fn bad_tags_get_one_answer_without_detail() {
    for row in rows(&bad(), "open") {
        let name = text(row, "name");
        let key = ProductKey::parse(text(row, "key")).expect("it is well formed");
        let refusal = ring(bytes(row, "secret"))
            .open(&bytes(row, "publisher"), &key)
            .unwrap_err();
        assert_eq!(refusal.reason.code(), text(row, "reason"), "{name}");
        assert_eq!(refusal, Refusal::from(reasons::UNKNOWN), "{name}");
    }
}

#[test]
fn every_substitution_of_many_keys_is_named() {
    let ring = ring([3; 32]);
    for (serial, channel) in (0..70).zip(Channel::ALL.into_iter().cycle()) {
        let key = ring.issue(&PUBLISHER, channel, group(serial as u16 * 117), serial);
        let sound = symbols(&key);
        for at in 0..sound.len() {
            for &other in ALPHABET.iter().filter(|&&other| other != sound[at]) {
                let mut wrong = sound.clone();
                wrong[at] = other;
                let refusal = parse(&wrong).unwrap_err();
                assert_eq!(refusal.reason, reasons::ONE_WRONG);
                assert_eq!(refusal.detail, place(at));
            }
        }
    }
}

#[test]
fn every_adjacent_transposition_of_many_keys_is_found() {
    let ring = ring([3; 32]);
    for serial in 0..500 {
        let key = ring.issue(&PUBLISHER, Channel::Mak, group(9), serial);
        let sound = symbols(&key);
        for at in 0..24 {
            let mut wrong = sound.clone();
            wrong.swap(at, at + 1);
            match parse(&wrong) {
                Ok(same) => assert!(same == key && sound[at] == sound[at + 1]),
                Err(refusal) => assert_eq!(refusal.reason, reasons::SEVERAL_WRONG),
            }
        }
    }
}

/// Whole groups in the wrong order: 31 of 32 are found on average, none is taken for one wrong
/// symbol, and the authority refuses the rest.
#[test]
fn exchanged_groups_are_found_as_often_as_computed() {
    let ring = ring([3; 32]);
    let (mut missed, mut all) = (0, 0);
    for serial in 0..500 {
        let key = ring.issue(&PUBLISHER, Channel::Mak, group(9), serial);
        let text = key.reveal();
        let groups: Vec<&str> = text.split('-').collect();
        for (first, second) in (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b))) {
            let mut wrong = groups.clone();
            wrong.swap(first, second);
            let refusal = ProductKey::parse(&wrong.concat())
                .and_then(|other| ring.open(&PUBLISHER, &other).map(|_| ()))
                .unwrap_err();
            assert_ne!(refusal.reason, reasons::ONE_WRONG);
            missed += u32::from(refusal.reason != reasons::SEVERAL_WRONG);
            all += 1;
        }
    }
    assert!(
        missed * 100 < all * 5,
        "{missed} of {all}, expected about one in 32"
    );
}

/// The detail names the exchange where few exchanges explain it, and never more than three.
#[test]
fn an_exchange_is_named_where_it_can_be_told() {
    let key = ring([3; 32]).issue(&PUBLISHER, Channel::Mak, group(9), 1);
    let sound = symbols(&key);
    let mut named = 0;
    for at in (0..24).filter(|&at| sound[at] != sound[at + 1]) {
        let mut wrong = sound.clone();
        wrong.swap(at, at + 1);
        let detail = parse(&wrong).unwrap_err().detail;
        if detail.starts_with("perhaps") {
            assert!(
                detail.contains(&format!("{} and the next", place(at))),
                "{detail}"
            );
            assert!(detail.matches("and the next").count() <= 3, "{detail}");
            named += 1;
        } else {
            assert_eq!(detail, "which ones cannot be told");
        }
    }
    assert!(named > 0);
}

/// Of random words one in 1,024 has sound check symbols, one in 8 of those the version and 7 in 8 a
/// channel: about one in 9,362. No authority opens one of them.
#[test]
fn random_words_are_refused_as_often_as_computed() {
    const WORDS: u32 = 400_000;
    let ring = ring([3; 32]);
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random_symbol = || {
        // xorshift64: the sample is the same in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ALPHABET[(state >> 59) as usize]
    };
    let mut well_formed = 0;
    for _ in 0..WORDS {
        let word: [u8; 25] = std::array::from_fn(|_| random_symbol());
        if let Ok(key) = parse(&word) {
            assert_eq!(ring.open(&PUBLISHER, &key), Err(reasons::UNKNOWN.into()));
            well_formed += 1;
        }
    }
    assert!(
        (15..80).contains(&well_formed),
        "{well_formed} of {WORDS}, expected about 43"
    );
}

#[test]
fn a_key_shows_its_last_group_only() {
    let key = ring([3; 32]).issue(&PUBLISHER, Channel::Retail, group(9), 1);
    let (text, last5) = (key.reveal(), key.last5().to_string());
    assert_eq!(text[24..], last5);
    for shown in [
        format!("{key}"),
        format!("{key:?}"),
        format!("{:#?}", Some(&key)),
    ] {
        assert!(shown.contains(&format!("…-…-…-…-{last5}")), "{shown}");
        for hidden in text.split('-').take(4) {
            assert!(!shown.contains(hidden), "{shown} shows {hidden}");
        }
    }
    let secret = KeySecret::new(Zeroizing::new([3; 32]));
    assert_eq!(
        format!("{secret:?} {:?}", KeyRing::derive(&secret)),
        "KeySecret(…) KeyRing(…)"
    );
    assert_eq!(secret.expose(), &[3; 32]);
}

#[test]
fn the_last_group_is_read_as_forgivingly_as_a_key() {
    let last5: Last5 = " 7q2-wk\n".parse().unwrap();
    assert_eq!(last5.to_string(), "7Q2WK");
    assert_eq!("oil00".parse::<Last5>().unwrap(), "01100".parse().unwrap());
    assert_eq!("7Q2W".parse::<Last5>().unwrap_err().reason, reasons::LENGTH);
    let refusal = "7U2WK".parse::<Last5>().unwrap_err();
    assert_eq!(refusal.reason, reasons::SYMBOL);
    assert!(
        refusal.detail.starts_with("group 5, symbol 2"),
        "{}",
        refusal.detail
    );
}

#[test]
fn the_letter_u_is_refused_by_name() {
    let refusal = ProductKey::parse("4069V-DQNUG-GR800-Q8R54-9X74X").unwrap_err();
    assert_eq!(refusal.reason, reasons::SYMBOL);
    assert!(
        refusal
            .detail
            .starts_with("group 2, symbol 4: the letter U"),
        "{}",
        refusal.detail
    );
}

#[test]
fn a_key_for_something_else_is_refused_with_both_named() {
    let key = ring([3; 32]).issue(&PUBLISHER, Channel::Mak, group(9), 1);
    assert_eq!(key.require_group(group(9)), Ok(()));
    assert_eq!(
        key.require_channel(&[Channel::Retail, Channel::Mak]),
        Ok(())
    );
    let refusal = key.require_group(group(10)).unwrap_err();
    assert_eq!(refusal.reason, reasons::WRONG_PRODUCT);
    assert_eq!(
        refusal.detail,
        "the key is of product group 9, needed is 10"
    );
    let refusal = key
        .require_channel(&[Channel::KmsHost, Channel::VmHost])
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::WRONG_CHANNEL);
    assert_eq!(
        refusal.detail,
        "the key is of channel mak, needed is kms-host or vm-host"
    );
}

#[test]
fn bytes_beyond_a_key_are_refused() {
    let key = ring([3; 32]).issue(&PUBLISHER, Channel::Mak, group(9), 1);
    for bit in 5..8 {
        let mut bytes = *key.to_bytes();
        bytes[0] |= 1 << bit;
        assert_eq!(
            ProductKey::from_bytes(&bytes).unwrap_err().reason,
            reasons::LENGTH
        );
    }
    let refusal = KeyNumber::from_bytes(&[0xE0, 0, 0, 0, 0, 0]).unwrap_err();
    assert_eq!(refusal.reason, reasons::CHANNEL);
}

/// The first keys of different channels and groups show different last groups, though their serials
/// are the same.
#[test]
fn equal_serials_do_not_look_alike() {
    let ring = ring([3; 32]);
    let mut seen = HashSet::new();
    for channel in Channel::ALL {
        for number in 0..20 {
            seen.insert(ring.issue(&PUBLISHER, channel, group(number), 1).last5());
        }
    }
    assert_eq!(seen.len(), 140);
}

fn any_channel() -> impl Strategy<Value = Channel> {
    proptest::sample::select(Channel::ALL.to_vec())
}

fn any_group() -> impl Strategy<Value = ProductGroup> {
    (0..=ProductGroup::MAX.get()).prop_map(group)
}

prop_compose! {
    fn any_key()(
        secret: [u8; 32], publisher: [u8; 16], channel in any_channel(), group in any_group(),
        serial: u32,
    ) -> ([u8; 32], [u8; 16], ProductKey, KeyFields) {
        let key = ring(secret).issue(&publisher, channel, group, serial);
        (secret, publisher, key, KeyFields { channel, group, serial })
    }
}

/// A key's text as people may type it: any case, look-alikes, something between the symbols.
fn typed(key: &ProductKey, choices: &[u8; 25]) -> String {
    let fillers = ["", "", "-", " ", "--", " \t", "\u{2014}", "\u{a0}"];
    let mut text = String::new();
    for (&symbol, choice) in symbols(key).iter().zip(choices) {
        let symbol = match (symbol, choice % 3) {
            (b'0', 1) => 'O',
            (b'1', 1) => 'I',
            (b'1', 2) => 'L',
            (symbol, _) => char::from(symbol),
        };
        text.push(if choice & 0x40 == 0 {
            symbol
        } else {
            symbol.to_ascii_lowercase()
        });
        text.push_str(fillers[usize::from(choice >> 3 & 7)]);
    }
    text
}

proptest! {
    #[test]
    fn keys_come_back((secret, publisher, key, fields) in any_key(), choices: [u8; 25]) {
        let parsed = ProductKey::parse(&typed(&key, &choices)).unwrap();
        prop_assert!(parsed == key);
        prop_assert_eq!((parsed.channel(), parsed.group()), (fields.channel, fields.group));
        prop_assert_eq!(ring(secret).open(&publisher, &parsed), Ok(fields));
        prop_assert!(ProductKey::from_bytes(&key.to_bytes()).unwrap() == key);
        prop_assert_eq!(KeyNumber::from_bytes(&key.number().to_bytes()), Ok(key.number()));
        prop_assert_eq!(key.last5().to_string().parse(), Ok(key.last5()));
    }

    #[test]
    fn a_substitution_is_named((_, _, key, _) in any_key(), at in 0usize..25, by in 1usize..32) {
        let mut wrong = symbols(&key);
        let value = ALPHABET.iter().position(|symbol| *symbol == wrong[at]).unwrap();
        wrong[at] = ALPHABET[value ^ by];
        let refusal = parse(&wrong).unwrap_err();
        prop_assert_eq!(refusal.reason, reasons::ONE_WRONG);
        prop_assert_eq!(refusal.detail, place(at));
    }

    #[test]
    fn two_substitutions_are_found(
        (_, _, key, _) in any_key(), first in 0usize..25, gap in 1usize..25,
        by in (1usize..32, 1usize..32),
    ) {
        let second = (first + gap) % 25;
        let mut wrong = symbols(&key);
        for (at, by) in [(first, by.0), (second, by.1)] {
            let value = ALPHABET.iter().position(|symbol| *symbol == wrong[at]).unwrap();
            wrong[at] = ALPHABET[value ^ by];
        }
        let refusal = parse(&wrong).unwrap_err();
        prop_assert!([reasons::ONE_WRONG, reasons::SEVERAL_WRONG].contains(&refusal.reason));
    }

    #[test]
    fn an_exchange_of_any_two_is_found(
        (_, _, key, _) in any_key(), first in 0usize..25, second in 0usize..25,
    ) {
        let mut wrong = symbols(&key);
        wrong.swap(first, second);
        match parse(&wrong) {
            Ok(same) => prop_assert!(same == key),
            Err(refusal) => prop_assert_eq!(refusal.reason, reasons::SEVERAL_WRONG),
        }
    }

    #[test]
    fn another_secret_or_publisher_does_not_open(
        (secret, publisher, key, _) in any_key(), at in 0usize..32, bit in 0u8..8,
    ) {
        let mut other_secret = secret;
        other_secret[at] ^= 1 << bit;
        prop_assert_eq!(ring(other_secret).open(&publisher, &key), Err(reasons::UNKNOWN.into()));
        let mut other_publisher = publisher;
        other_publisher[at % 16] ^= 1 << bit;
        prop_assert_eq!(ring(secret).open(&other_publisher, &key), Err(reasons::UNKNOWN.into()));
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        if let Err(refusal) = ProductKey::parse(&text) {
            prop_assert!(refusal.reason.code().starts_with("MUSTER-KEY-"));
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes: [u8; 16]) {
        if let Ok(key) = ProductKey::from_bytes(&bytes) {
            prop_assert_eq!(*key.to_bytes(), bytes);
        }
    }
}
