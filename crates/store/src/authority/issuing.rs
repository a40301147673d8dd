//! The changes that concern issuing keys: certified by the root, revoked when one has leaked.

use muster_proto::Refusal;
use muster_proto::authority::publish::{entry_ends, number_entries};
use muster_proto::ids::Thumbprint;
use muster_proto::reason::authority as reasons;
use muster_proto::statement::cert::Cert;
use muster_proto::statement::{Envelope, Typ};
use muster_proto::time::{Span, Timestamp};

use super::ops::{audit, newest_revocation};
use super::{IssuingRow, Tables};

/// Keeps an issuing certificate; twice changes nothing.
pub fn add(tables: &mut dyn Tables, row: &IssuingRow, now: Timestamp) -> Result<(), Refusal> {
    if tables.issuing()?.iter().any(|other| other.name == row.name) {
        return Ok(());
    }
    tables.put_issuing(row)?;
    let (subject, detail) = (row.name.to_string(), format!("key {}", row.key));
    audit(tables, now, "issuing-certified", &subject, &detail)
}

/// Revokes an issuing key. The signed deltas are dropped with it, to be signed anew by the key that
/// follows: none of them may rest on a revoked one. Twice changes nothing.
///
/// # Errors
/// `ISSUING_UNKNOWN`, `ISSUING_NEWEST`.
pub fn revoke(tables: &mut dyn Tables, key: Thumbprint, now: Timestamp) -> Result<(), Refusal> {
    let rows = tables.issuing()?;
    let unknown = || Refusal::new(reasons::ISSUING_UNKNOWN, key.to_string());
    let row = rows.iter().find(|row| row.key == key).ok_or_else(unknown)?;
    if tables.is_revoked(key)? {
        return Ok(());
    }
    if rows.last().is_some_and(|newest| newest.key == key) {
        return Err(Refusal::new(reasons::ISSUING_NEWEST, key.to_string()));
    }
    let cert: Cert = Envelope::decode(&row.statement, Typ::Cert)?.claims()?;
    let mut longest = Span::ZERO;
    for product in tables.products()? {
        longest = longest.max(product.validity_max);
    }
    let ends = entry_ends(cert.not_after, longest);
    for entry in number_entries(newest_revocation(tables)?, [(key, ends)]) {
        tables.put_revocation(&entry)?;
    }
    tables.put_deltas(&[])?;
    let number = newest_revocation(tables)?;
    let detail = format!("revocation {number}, until {}", ends.seconds());
    audit(tables, now, "issuing-revoked", &key.to_string(), &detail)
}

/// Whether the key of the issuing certificate of this name is revoked.
pub fn is_revoked(tables: &dyn Tables, name: Thumbprint) -> Result<bool, Refusal> {
    match tables.issuing()?.iter().find(|row| row.name == name) {
        Some(row) => tables.is_revoked(row.key),
        None => Ok(false),
    }
}
