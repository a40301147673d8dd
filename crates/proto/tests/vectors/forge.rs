//! Writes statements by hand, also forbidden ones: its own CBOR writer, its own COSE_Sign1, so that
//! the vectors do not depend on the code they test.

use ciborium::value::Value;
use muster_proto::crypto::SecretKey;

/// A CBOR item on its way out; [`Cbor::Raw`] stands for whatever a test wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cbor {
    Int(i128),
    Bytes(Vec<u8>),
    Text(String),
    Bool(bool),
    Array(Vec<Cbor>),
    /// Written in the order given.
    Map(Vec<(Cbor, Cbor)>),
    Raw(Vec<u8>),
}

impl Cbor {
    /// Reads one item.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let value: Value = ciborium::from_reader(bytes).expect("one item of CBOR");
        Self::of(value)
    }

    fn of(value: Value) -> Self {
        match value {
            Value::Integer(integer) => Self::Int(integer.into()),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Text(text) => Self::Text(text),
            Value::Bool(value) => Self::Bool(value),
            Value::Array(items) => Self::Array(items.into_iter().map(Self::of).collect()),
            Value::Map(entries) => {
                let entry = |(key, value)| (Self::of(key), Self::of(value));
                Self::Map(entries.into_iter().map(entry).collect())
            }
            other => panic!("{other:?} has no place in a statement"),
        }
    }

    /// The encoding, shortest heads, in the order given.
    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Int(number) if *number >= 0 => head(0, number.unsigned_abs()),
            Self::Int(number) => head(1, (-1 - number).unsigned_abs()),
            Self::Bytes(bytes) => [head(2, bytes.len() as u128), bytes.clone()].concat(),
            Self::Text(text) => [head(3, text.len() as u128), text.clone().into_bytes()].concat(),
            Self::Bool(value) => vec![0xf4 + u8::from(*value)],
            Self::Array(items) => {
                let items = items.iter().flat_map(Self::write);
                head(4, self.len() as u128)
                    .into_iter()
                    .chain(items)
                    .collect()
            }
            Self::Map(entries) => {
                let entries = entries
                    .iter()
                    .flat_map(|(k, v)| [k.write(), v.write()].concat());
                head(5, self.len() as u128)
                    .into_iter()
                    .chain(entries)
                    .collect()
            }
            Self::Raw(bytes) => bytes.clone(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Array(items) => items.len(),
            Self::Map(entries) => entries.len(),
            other => panic!("{other:?} has no items"),
        }
    }

    fn entries(&mut self) -> &mut Vec<(Cbor, Cbor)> {
        match self {
            Self::Map(entries) => entries,
            other => panic!("{other:?} is no map"),
        }
    }

    /// The value under an integer key.
    pub(crate) fn at(&mut self, key: i128) -> &mut Cbor {
        let entry = self
            .entries()
            .iter_mut()
            .find(|(k, _)| *k == Cbor::Int(key));
        &mut entry.unwrap_or_else(|| panic!("no key {key}")).1
    }

    /// Puts a value under an integer key and keeps the keys in their order.
    pub(crate) fn put(&mut self, key: i128, value: Cbor) {
        self.take(key);
        let entries = self.entries();
        entries.push((Cbor::Int(key), value));
        entries.sort_by_key(|(key, _)| key.write());
    }

    /// Takes an integer key out.
    pub(crate) fn take(&mut self, key: i128) {
        self.entries().retain(|(k, _)| *k != Cbor::Int(key));
    }
}

fn head(major: u8, number: u128) -> Vec<u8> {
    let first = |low: u8| major << 5 | low;
    match u64::try_from(number).expect("a head holds 64 bits") {
        small @ 0..=23 => vec![first(small as u8)],
        byte @ 24..=0xff => vec![first(24), byte as u8],
        two @ 0x100..=0xffff => [&[first(25)], &(two as u16).to_be_bytes()[..]].concat(),
        four @ 0x1_0000..=0xffff_ffff => [&[first(26)], &(four as u32).to_be_bytes()[..]].concat(),
        eight => [&[first(27)], &eight.to_be_bytes()[..]].concat(),
    }
}

/// A statement taken apart into what can be altered.
#[derive(Clone)]
pub(crate) struct Forge {
    pub(crate) protected: Cbor,
    pub(crate) unprotected: Cbor,
    pub(crate) payload: Cbor,
    pub(crate) signature: Vec<u8>,
    external_aad: &'static [u8],
}

impl Forge {
    /// Takes a statement apart.
    pub(crate) fn of(statement: &[u8]) -> Self {
        let value: Value = ciborium::from_reader(statement).expect("CBOR");
        let Value::Tag(18, inner) = value else {
            panic!("no COSE_Sign1");
        };
        let Cbor::Array(parts) = Cbor::of(*inner) else {
            panic!("no array");
        };
        let [
            Cbor::Bytes(protected),
            unprotected,
            Cbor::Bytes(payload),
            Cbor::Bytes(signature),
        ] = &parts[..]
        else {
            panic!("not the four parts");
        };
        Self {
            protected: Cbor::read(protected),
            unprotected: unprotected.clone(),
            payload: Cbor::read(payload),
            signature: signature.clone(),
            external_aad: b"muster/v1",
        }
    }

    /// With another `external_aad` than the protocol's.
    pub(crate) fn bound_to(mut self, external_aad: &'static [u8]) -> Self {
        self.external_aad = external_aad;
        self
    }

    /// Alters one part.
    pub(crate) fn with(mut self, alter: impl FnOnce(&mut Self)) -> Self {
        alter(&mut self);
        self
    }

    /// Alters muster's own claims.
    pub(crate) fn own(self, alter: impl FnOnce(&mut Cbor)) -> Self {
        self.with(|forge| alter(forge.payload.at(-65_537)))
    }

    /// COSE's Sig_structure (RFC 9052 section 4.4).
    pub(crate) fn to_be_signed(&self) -> Vec<u8> {
        Cbor::Array(vec![
            Cbor::Text("Signature1".into()),
            Cbor::Bytes(self.protected.write()),
            Cbor::Bytes(self.external_aad.to_vec()),
            Cbor::Bytes(self.payload.write()),
        ])
        .write()
    }

    /// Signs what stands there now, and puts it together.
    pub(crate) fn sign(mut self, key: &SecretKey) -> Vec<u8> {
        self.signature = key.sign(&self.to_be_signed()).to_vec();
        self.join()
    }

    /// Puts it together with the signature it has.
    pub(crate) fn join(&self) -> Vec<u8> {
        let parts = Cbor::Array(vec![
            Cbor::Bytes(self.protected.write()),
            self.unprotected.clone(),
            Cbor::Bytes(self.payload.write()),
            Cbor::Bytes(self.signature.clone()),
        ]);
        [vec![0xd2], parts.write()].concat()
    }
}
