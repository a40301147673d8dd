//! The root: one to three public keys of a publisher, and the file they travel in. A root is never
//! signed; it is compiled into a product or pinned by its fingerprint.

use ciborium::value::Value;

use crate::cbor::{self, MapReader, MapWriter};
use crate::crypto::{PublicKey, sha256};
use crate::ids::{PublisherId, Thumbprint, check_display_name};
use crate::limits::{NAME_BYTES_MAX, ROOT_BYTES_MAX, ROOT_KEYS_MAX};
use crate::reason::{Refusal, statement as reasons};

/// Keys of the root file; the first one tells that it is one.
const FILE_KIND: i64 = 0;
const FILE_NAME: i64 = 1;
const FILE_KEYS: i64 = 2;
const KIND: &str = "muster-root";

/// A publisher's root: one to three keys, the later ones made in the first ceremony for the day
/// the first is retired. All of them are equally trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    name: String,
    keys: Vec<PublicKey>,
    /// Of the keys, in their order: every statement is compared with one.
    thumbprints: Vec<Thumbprint>,
}

impl Root {
    /// A root of some keys; the name is for display only.
    pub fn new(name: impl Into<String>, keys: Vec<PublicKey>) -> Result<Self, Refusal> {
        let name = name.into();
        let wrong = |what: &str| Err(Refusal::new(reasons::FIELD_WRONG, what));
        if keys.is_empty() || keys.len() > ROOT_KEYS_MAX {
            return wrong("a root has one to three keys");
        }
        if (1..keys.len()).any(|at| keys[..at].contains(&keys[at])) {
            return wrong("a root key stands twice");
        }
        if check_display_name(&name).is_err() {
            return wrong("root.name must have 1 to 128 bytes and no control characters");
        }
        let thumbprints = keys.iter().map(PublicKey::thumbprint).collect();
        Ok(Self {
            name,
            keys,
            thumbprints,
        })
    }

    /// The publisher's display name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys, the present one first.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The thumbprints of the keys, in their order.
    pub fn thumbprints(&self) -> &[Thumbprint] {
        &self.thumbprints
    }

    /// The publisher id: the first 16 bytes of the first key's thumbprint. It is a name and no
    /// pin: a root with the same first key and a stranger's second one has the same id. Compare
    /// whole roots, or fingerprints.
    pub fn publisher(&self) -> PublisherId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.thumbprints[0].0[..16]);
        PublisherId(id)
    }

    /// What a person compares: SHA-256 over the root file, so that it covers every key.
    pub fn fingerprint(&self) -> Thumbprint {
        Thumbprint(sha256(&self.encode()))
    }

    /// The root file.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&self.to_value())
    }

    pub(crate) fn to_value(&self) -> Value {
        let keys = self.keys.iter().map(|key| key.to_value()).collect();
        MapWriter::new()
            .put(FILE_KIND, KIND)
            .put(FILE_NAME, self.name.as_str())
            .put(FILE_KEYS, Value::Array(keys))
            .into_value()
    }

    /// Reads a root file.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > ROOT_BYTES_MAX {
            let detail = format!(
                "{} bytes, at most {ROOT_BYTES_MAX} are allowed",
                bytes.len()
            );
            return Err(Refusal::new(reasons::TOO_LARGE, detail));
        }
        Self::from_value(cbor::decode(bytes)?)
    }

    pub(crate) fn from_value(value: Value) -> Result<Self, Refusal> {
        let mut map = MapReader::new("root", value)?;
        if map.text(FILE_KIND, "kind", NAME_BYTES_MAX)? != KIND {
            return Err(Refusal::new(reasons::WRONG_TYPE, "it is no root file"));
        }
        let name = map.text(FILE_NAME, "name", NAME_BYTES_MAX)?;
        let keys = map.list_needed(FILE_KEYS, "keys", ROOT_KEYS_MAX)?;
        map.finish_exact()?;
        let keys = keys
            .into_iter()
            .map(PublicKey::from_value_exact)
            .collect::<Result<_, _>>()?;
        Self::new(name, keys)
    }
}
