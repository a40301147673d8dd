//! Columns and rows: how the authority's types stand in SQL.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use muster_proto::Refusal;
use muster_proto::authority::publish::Numbered;
use muster_proto::authority::{CertRow, HostNumber, KeyId, KeyRow, SlotRow};
use muster_proto::hardware::ComponentTags;
use muster_proto::ids::Thumbprint;
use muster_proto::key::{Channel, ProductGroup};
use muster_proto::reason::store as reasons;
use muster_proto::statement::revocations::Revoked;
use muster_proto::time::{Span, Timestamp};

use super::Columns;
use crate::authority::{AuditEntry, CertStatement, IssuingRow, ProductRow};

/// A figure as a database keeps it. Times, numbers and spans of muster stay far below 63 bits.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// How many rows are wanted at most.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// A figure as it was written; a negative one was not.
pub(super) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A time as a database keeps it.
pub(super) fn seconds(time: Timestamp) -> i64 {
    integer(time.seconds())
}

/// A serial in 48 bits: channel 3, product group 13, serial 32.
pub(in crate::authority) fn packed(id: KeyId) -> i64 {
    i64::from(id.channel.code()) << 45 | i64::from(id.group.get()) << 32 | i64::from(id.serial)
}

fn unpacked(value: i64) -> Option<KeyId> {
    let value = u64::try_from(value).ok()?;
    Some(KeyId {
        channel: Channel::from_code(u8::try_from(value >> 45).ok()?)?,
        group: ProductGroup::new((value >> 32) as u16 & ProductGroup::MAX.get()).ok()?,
        serial: value as u32,
    })
}

/// Ids as text, separated by spaces.
pub(super) fn joined<T: Display>(ids: &BTreeSet<T>) -> String {
    let texts: Vec<String> = ids.iter().map(T::to_string).collect();
    texts.join(" ")
}

/// What is said of a column that cannot be read.
pub(super) fn unreadable(column: usize, what: impl Display) -> Refusal {
    Refusal::new(
        reasons::ROW_UNREADABLE,
        format!("column {}: {what}", column + 1),
    )
}

fn parsed<T: FromStr<Err = Refusal>>(row: &dyn Columns, column: usize) -> Result<T, Refusal> {
    let text = row.text(column)?;
    text.parse().map_err(|refusal| unreadable(column, refusal))
}

pub(in crate::authority) fn parsed_set<T: FromStr<Err = Refusal> + Ord>(
    row: &dyn Columns,
    column: usize,
) -> Result<BTreeSet<T>, Refusal> {
    let text = row.text(column)?;
    let ids = text.split_whitespace().map(str::parse);
    ids.collect::<Result<_, Refusal>>()
        .map_err(|refusal| unreadable(column, refusal))
}

fn small<T: TryFrom<i64>>(row: &dyn Columns, column: usize) -> Result<T, Refusal> {
    T::try_from(row.int(column)?).map_err(|_| unreadable(column, "it is out of range"))
}

fn time(row: &dyn Columns, column: usize) -> Result<Timestamp, Refusal> {
    row.int(column)
        .map(|seconds| Timestamp::from_seconds(number(seconds)))
}

fn time_opt(row: &dyn Columns, column: usize) -> Result<Option<Timestamp>, Refusal> {
    let seconds = row.int_opt(column)?;
    Ok(seconds.map(|seconds| Timestamp::from_seconds(number(seconds))))
}

fn thumbprint(row: &dyn Columns, column: usize) -> Result<Thumbprint, Refusal> {
    named(row.bytes(column)?, column)
}

fn named(bytes: Vec<u8>, column: usize) -> Result<Thumbprint, Refusal> {
    let bytes = bytes.try_into();
    bytes
        .map(Thumbprint)
        .map_err(|_| unreadable(column, "it is not 32 bytes long"))
}

pub(super) fn host(row: &dyn Columns, column: usize) -> Result<HostNumber, Refusal> {
    Ok(HostNumber(number(row.int(column)?)))
}

fn key_id(row: &dyn Columns, column: usize) -> Result<KeyId, Refusal> {
    unpacked(row.int(column)?).ok_or_else(|| unreadable(column, "it is not a serial"))
}

pub(super) fn product(row: &dyn Columns) -> Result<ProductRow, Refusal> {
    let group = ProductGroup::new(small(row, 1)?);
    Ok(ProductRow {
        id: parsed(row, 0)?,
        group: group.map_err(|refusal| unreadable(1, refusal))?,
        version: small(row, 2)?,
        validity_max: Span::from_seconds(number(row.int(3)?)),
        added: time(row, 4)?,
    })
}

pub(super) fn key(row: &dyn Columns) -> Result<KeyRow, Refusal> {
    Ok(KeyRow {
        id: key_id(row, 0)?,
        last5: parsed(row, 1)?,
        product: parsed(row, 2)?,
        site: parsed(row, 3)?,
        hosts_max: small(row, 4)?,
        activations_max: small(row, 5)?,
        client_budget: small(row, 6)?,
        issued: time(row, 7)?,
        revoked: time_opt(row, 8)?,
    })
}

pub(super) fn slot(row: &dyn Columns) -> Result<(KeyId, SlotRow), Refusal> {
    let machine = ComponentTags::from_bytes(&row.bytes(2)?);
    let slot = SlotRow {
        number: small(row, 1)?,
        machine: machine.map_err(|refusal| unreadable(2, refusal))?,
        activations: small(row, 3)?,
        host: host(row, 4)?,
        cert: thumbprint(row, 5)?,
    };
    Ok((key_id(row, 0)?, slot))
}

pub(super) fn cert(row: &dyn Columns) -> Result<CertRow, Refusal> {
    let successor = row.bytes_opt(11)?;
    Ok(CertRow {
        name: thumbprint(row, 0)?,
        request: thumbprint(row, 1)?,
        host: host(row, 2)?,
        key: thumbprint(row, 3)?,
        keys: parsed_set(row, 4)?,
        products: parsed_set(row, 5)?,
        site: parsed(row, 6)?,
        client_budget: small(row, 7)?,
        host_name: row.text(8)?,
        issued: time(row, 9)?,
        not_after: time(row, 10)?,
        successor: successor.map(|bytes| named(bytes, 11)).transpose()?,
        revoked: time_opt(row, 12)?,
        forks: small(row, 13)?,
    })
}

pub(super) fn statement(row: &dyn Columns) -> Result<CertStatement, Refusal> {
    Ok(CertStatement {
        parent: thumbprint(row, 0)?,
        bytes: row.bytes(1)?,
        is_signed: row.int(2)? != 0,
    })
}

pub(super) fn issuing(row: &dyn Columns) -> Result<IssuingRow, Refusal> {
    Ok(IssuingRow {
        name: thumbprint(row, 0)?,
        key: thumbprint(row, 1)?,
        statement: row.bytes(2)?,
        added: time(row, 3)?,
    })
}

pub(super) fn revocation(row: &dyn Columns) -> Result<Numbered, Refusal> {
    Ok(Numbered {
        number: number(row.int(0)?),
        revoked: Revoked {
            key: thumbprint(row, 1)?,
            ends: time(row, 2)?,
        },
    })
}

pub(super) fn audit(row: &dyn Columns) -> Result<AuditEntry, Refusal> {
    Ok(AuditEntry {
        number: number(row.int(0)?),
        at: time(row, 1)?,
        event: row.text(2)?,
        subject: row.text(3)?,
        detail: row.text(4)?,
    })
}
