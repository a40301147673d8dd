//! Revocations: numbered deltas of revoked keys, and the set a holder keeps of them.

use std::collections::BTreeMap;

use ciborium::value::Value;

use crate::cbor::{MapReader, MapWriter};
use crate::ids::Thumbprint;
use crate::limits::{REVOCATION_ENTRIES_MAX, REVOCATION_STEP_MAX};
use crate::reason::{Refusal, statement as reasons};
use crate::rules::{Rule, holds};
use crate::time::Timestamp;

use super::cert::Flags;
use super::chain::{Permit, UnderRoot};
use super::envelope::{Body, Claims, ReadBody};
use super::root::Root;
use super::{Role, Typ};

const FROM: i64 = -1;
const NUMBER: i64 = -2;
const ENTRIES: i64 = -3;

const ENTRY_KEY: i64 = -1;
const ENTRY_ENDS: i64 = -2;

/// One revoked key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The thumbprint of the revoked signing key.
    pub key: Thumbprint,
    /// When everything under the key would have ended anyway; the entry leaves then.
    pub ends: Timestamp,
}

/// A signed delta: what was revoked after number `from`, up to `number`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    /// The number a holder must have reached for this delta to follow; 0 is the empty list.
    pub from: u64,
    /// The number the holder has reached with it.
    pub number: u64,
    /// The keys revoked in between and not yet ended.
    pub entries: Vec<Revoked>,
    /// When it was signed.
    pub issued: Timestamp,
}

impl Claims for Revocations {
    const TYP: Typ = Typ::Revocations;

    fn write(&self) -> Body {
        let entry = |entry: &Revoked| {
            MapWriter::new()
                .bytes(ENTRY_KEY, &entry.key.0)
                .put(ENTRY_ENDS, entry.ends.seconds())
                .into_value()
        };
        let entries = self.entries.iter().map(entry).collect();
        let own = MapWriter::new()
            .put(FROM, self.from)
            .put(NUMBER, self.number)
            .put(ENTRIES, Value::Array(entries));
        Body::new(self.issued, own)
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let own = &mut body.own;
        let entry = |value| {
            let mut map = MapReader::new("revocations.entry", value)?;
            let entry = Revoked {
                key: Thumbprint(map.array(ENTRY_KEY, "key")?),
                ends: map.time(ENTRY_ENDS, "ends")?,
            };
            map.finish()?;
            Ok(entry)
        };
        let revocations = Self {
            from: own.uint(FROM, "from")?,
            number: own.uint(NUMBER, "number")?,
            entries: own
                .list(ENTRIES, "entries", REVOCATION_ENTRIES_MAX)?
                .into_iter()
                .map(entry)
                .collect::<Result<_, Refusal>>()?,
            issued: body.issued,
        };
        body.finish()?;
        if revocations.number <= revocations.from {
            return Err(Refusal::new(
                reasons::FIELD_WRONG,
                "revocations.number is not after from",
            ));
        }
        Ok(revocations)
    }

    fn issued(&self) -> Timestamp {
        self.issued
    }
}

impl UnderRoot for Revocations {
    /// What a stolen issuing key must not do: revoke the root that could end it, or move the
    /// number so far that no later delta could be accepted.
    fn check_under(&self, signer: &Permit, root: &Root) -> Result<(), Refusal> {
        signer.check_flag(Flags::REVOCATIONS, "revocations")?;
        if signer.role == Role::Root || !holds(Rule::RevocationBounds) {
            return Ok(());
        }
        let refuse = |what: &str| Err(Refusal::new(reasons::REVOCATION_BOUNDS, what));
        let of_root = |entry: &Revoked| root.keys().iter().any(|key| key.thumbprint() == entry.key);
        if self.entries.iter().any(of_root) {
            return refuse("only the root revokes a root key");
        }
        if self.number - self.from > REVOCATION_STEP_MAX {
            return refuse("the number moves too far at once");
        }
        Ok(())
    }
}

/// The revocations a holder knows: a number that only grows, and the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationSet {
    number: u64,
    entries: BTreeMap<Thumbprint, Timestamp>,
}

impl RevocationSet {
    /// The number reached.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether a key is revoked.
    pub fn holds(&self, key: &Thumbprint) -> bool {
        self.entries.contains_key(key)
    }

    /// Takes a verified delta in. One that ends at or before the number reached is refused as
    /// older; one that begins after it leaves a gap and is refused too: fetch from the number
    /// reached.
    pub fn apply(&mut self, delta: &Revocations) -> Result<(), Refusal> {
        if delta.number <= self.number || delta.from > self.number {
            return Err(Refusal::new(
                reasons::BACKWARDS,
                format!(
                    "revocations {} to {}, {} is held",
                    delta.from, delta.number, self.number
                ),
            ));
        }
        self.entries
            .extend(delta.entries.iter().map(|entry| (entry.key, entry.ends)));
        self.number = delta.number;
        Ok(())
    }

    /// Forgets entries that had ended by a time that is trusted: a client's floor, a host's
    /// confirmed clock. A machine's own clock will not do: set forward once, it would make the set
    /// forget what is revoked, and since the number never goes back, for ever.
    pub fn forget_ended(&mut self, floor: Timestamp) {
        self.entries.retain(|_, ends| *ends > floor);
    }
}
