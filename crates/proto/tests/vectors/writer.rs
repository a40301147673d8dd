//! The form of a vector in its file, and the generic view of a statement that goes into it.

use muster_proto::ids::Thumbprint;
use muster_proto::statement::{Envelope, Typ};
use serde_json::{Map, Value as Json, json};

use super::estate::Estate;
use super::forge::{Cbor, Forge};

/// Hexadecimal digits of some bytes.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A vector on its way into a file.
pub(crate) struct Vector(Map<String, Json>);

impl Vector {
    /// A vector of a check.
    pub(crate) fn new(name: &str, check: &str, bytes: &[u8]) -> Self {
        let mut map = Map::new();
        map.insert("name".into(), name.into());
        map.insert("check".into(), check.into());
        map.insert("bytes".into(), to_hex(bytes).into());
        Self(map)
    }

    /// A statement that stands under the root of `contoso`.
    pub(crate) fn statement(name: &str, typ: Typ, bytes: &[u8]) -> Self {
        let vector = Self::new(name, "statement", bytes);
        vector.with("typ", typ.name()).with("root", "contoso")
    }

    /// An ask to the estate's KMS host.
    pub(crate) fn ask(name: &str, estate: &Estate, bytes: &[u8]) -> Self {
        Self::new(name, "ask", bytes)
            .with("publisher", estate.publisher.to_string())
            .with("audience", estate.kms_host.parent.to_string())
    }

    /// A request to the estate's authority.
    pub(crate) fn request(name: &str, estate: &Estate, bytes: &[u8]) -> Self {
        Self::new(name, "request", bytes).with("publisher", estate.publisher.to_string())
    }

    /// With a field more.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Json>) -> Self {
        self.0.insert(field.into(), value.into());
        self
    }

    /// With the chain that comes by another way.
    pub(crate) fn chain(self, chain: &[Vec<u8>]) -> Self {
        let chain: Vec<_> = chain.iter().map(|cert| to_hex(cert)).collect();
        self.with("chain", chain)
    }

    /// With revoked keys.
    pub(crate) fn revoked(self, keys: &[Thumbprint]) -> Self {
        let keys: Vec<_> = keys.iter().map(Thumbprint::to_string).collect();
        self.with("revoked", keys)
    }

    /// Accepted: with what a statement says.
    pub(crate) fn accepted(self, statement: &[u8]) -> Json {
        let forge = Forge::of(statement);
        let envelope = Envelope::decode_any(statement).expect("an accepted statement");
        self.with("header", generic(&forge.protected))
            .with("claims", generic(&forge.payload))
            .with("statement_name", envelope.name().to_string())
            .with("outcome", "accepted")
            .into_json()
    }

    /// Accepted, and no statement itself.
    pub(crate) fn accepted_as(self, means: Json) -> Json {
        self.with("means", means)
            .with("outcome", "accepted")
            .into_json()
    }

    /// Refused with a code.
    pub(crate) fn refused(self, reason: muster_proto::Reason) -> Json {
        self.with("outcome", reason.code()).into_json()
    }

    fn into_json(self) -> Json {
        Json::Object(self.0)
    }
}

/// CBOR as JSON: byte strings as `h'…'`, integer keys as texts.
pub(crate) fn generic(item: &Cbor) -> Json {
    match item {
        Cbor::Int(number) => match i64::try_from(*number) {
            Ok(number) => json!(number),
            Err(_) => json!(number.to_string()),
        },
        Cbor::Bytes(bytes) => json!(format!("h'{}'", to_hex(bytes))),
        Cbor::Text(text) => json!(text),
        Cbor::Bool(value) => json!(value),
        Cbor::Array(items) => items.iter().map(generic).collect(),
        Cbor::Map(entries) => {
            let entry = |(key, value): &(Cbor, Cbor)| match key {
                Cbor::Int(key) => (key.to_string(), generic(value)),
                other => panic!("{other:?} is no key"),
            };
            Json::Object(entries.iter().map(entry).collect())
        }
        Cbor::Raw(_) => panic!("raw bytes in a good statement"),
    }
}
