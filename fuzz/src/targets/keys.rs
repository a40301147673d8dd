//! Product keys, as people type them, and what an authority makes of them.

use muster_proto::authority::{KeyId, sealed_key};
use muster_proto::crypto::SecretKey;
use muster_proto::key::{KeyNumber, KeyRing, KeySecret, Last5, ProductKey};
use serde_json::Value as Json;
use zeroize::Zeroizing;

use crate::input::text;

pub(super) fn run(bytes: &[u8]) {
    if let Some(text) = text(bytes) {
        typed(text);
    }
    if let Some(bytes) = bytes.first_chunk::<{ ProductKey::BYTES }>()
        && let Ok(key) = ProductKey::from_bytes(bytes)
    {
        assert_eq!(&*key.to_bytes(), bytes, "a key's bytes are not its own");
        typed(&key.reveal());
    }
    if let Some(bytes) = bytes.first_chunk::<{ KeyNumber::BYTES }>()
        && let Ok(number) = KeyNumber::from_bytes(bytes)
    {
        assert_eq!(number.to_bytes(), *bytes);
        let (key, fields) = ring().find(&PUBLISHER, number);
        let opened = ring()
            .open(&PUBLISHER, &key)
            .expect("the ring opens what it made");
        assert!(opened == fields && key.number() == number);
    }
    let requester = SecretKey::from_seed(&[5; 32]).public();
    if let Ok(key) = sealed_key::read(bytes, &requester) {
        assert_eq!(&sealed_key::message(&key, &requester)[..], bytes);
    }
}

const PUBLISHER: [u8; 16] = [0xa0; 16];

fn ring() -> KeyRing {
    KeyRing::derive(&KeySecret::new(Zeroizing::new([0; 32])))
}

fn typed(text: &str) {
    if let Ok(key) = ProductKey::parse(text) {
        let shown = key.reveal();
        let again = ProductKey::parse(&shown).expect("a key is read as it is shown");
        assert_eq!(&*again.to_bytes(), &*key.to_bytes());
        let last5 = key.last5().to_string();
        assert!(shown.ends_with(&last5));
        assert_eq!(
            last5.parse::<Last5>().map(|it| it.to_string()).as_ref(),
            Ok(&last5)
        );
        assert!(
            ring().open(&PUBLISHER, &key).is_err(),
            "a key with a forged tag was opened"
        );
    }
    if let Ok(last5) = text.parse::<Last5>() {
        assert_eq!(last5.to_string().parse::<Last5>(), Ok(last5));
    }
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string().parse::<KeyId>(), Ok(id));
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let files = [
        include_str!("../../../vectors/key/good.json"),
        include_str!("../../../vectors/key/bad.json"),
    ];
    let mut seeds = vec![b"generic-100-1".to_vec(), vec![0; 48]];
    for file in files {
        let document: Json = serde_json::from_str(file).expect("a vector file is JSON");
        collect(&document, &mut seeds);
    }
    seeds.sort();
    seeds.dedup();
    seeds
}

/// Every short text of a document, and the bytes of those that are hexadecimal.
fn collect(document: &Json, seeds: &mut Vec<Vec<u8>>) {
    match document {
        Json::String(text) if text.len() <= 128 => {
            seeds.push(text.as_bytes().to_vec());
            let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
            let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
            seeds.extend(bytes);
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, seeds)),
        Json::Object(fields) => fields.values().for_each(|field| collect(field, seeds)),
        _ => {}
    }
}
