//! Columns and rows: how the authority's types stand in SQLite.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use muster_proto::Refusal;
use muster_proto::authority::publish::Numbered;
use muster_proto::authority::{CertRow, HostNumber, KeyId, KeyRow, SlotRow};
use muster_proto::hardware::ComponentTags;
use muster_proto::ids::Thumbprint;
use muster_proto::key::{Channel, ProductGroup};
use muster_proto::statement::revocations::Revoked;
use muster_proto::time::{Span, Timestamp};
use rusqlite::Row;
use rusqlite::types::Type;

use super::ProductRow;

/// A figure as SQLite keeps it. Times, numbers and spans of muster stay far below 63 bits.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A figure as it was written; a negative one was not.
pub(super) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A time as SQLite keeps it.
pub(super) fn seconds(time: Timestamp) -> i64 {
    integer(time.seconds())
}

/// A serial in 48 bits: channel 3, product group 13, serial 32.
pub(super) fn packed(id: KeyId) -> i64 {
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

fn unreadable(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

fn parsed<T: FromStr<Err = Refusal>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|refusal: Refusal| unreadable(column, &refusal.to_string()))
}

fn parsed_set<T: FromStr<Err = Refusal> + Ord>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<BTreeSet<T>> {
    let text: String = row.get(column)?;
    let ids = text.split_whitespace().map(str::parse);
    ids.collect::<Result<_, Refusal>>()
        .map_err(|refusal| unreadable(column, &refusal.to_string()))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column)
        .map(|seconds| Timestamp::from_seconds(number(seconds)))
}

fn time_opt(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let seconds: Option<i64> = row.get(column)?;
    Ok(seconds.map(|seconds| Timestamp::from_seconds(number(seconds))))
}

fn key_id(row: &Row<'_>, column: usize) -> rusqlite::Result<KeyId> {
    unpacked(row.get(column)?).ok_or_else(|| unreadable(column, "a serial"))
}

pub(super) fn product(row: &Row<'_>) -> rusqlite::Result<ProductRow> {
    let group = ProductGroup::new(row.get(1)?);
    Ok(ProductRow {
        id: parsed(row, 0)?,
        group: group.map_err(|refusal| unreadable(1, &refusal.to_string()))?,
        version: row.get(2)?,
        validity_max: Span::from_seconds(number(row.get(3)?)),
        added: time(row, 4)?,
    })
}

pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        id: key_id(row, 0)?,
        last5: parsed(row, 1)?,
        product: parsed(row, 2)?,
        site: parsed(row, 3)?,
        hosts_max: row.get(4)?,
        activations_max: row.get(5)?,
        client_budget: row.get(6)?,
        issued: time(row, 7)?,
        revoked: time_opt(row, 8)?,
    })
}

pub(super) fn slot(row: &Row<'_>) -> rusqlite::Result<(KeyId, SlotRow)> {
    let machine: Vec<u8> = row.get(2)?;
    let slot = SlotRow {
        number: row.get(1)?,
        machine: ComponentTags::from_bytes(&machine)
            .map_err(|refusal| unreadable(2, &refusal.to_string()))?,
        activations: row.get(3)?,
        host: HostNumber(number(row.get(4)?)),
        cert: Thumbprint(row.get(5)?),
    };
    Ok((key_id(row, 0)?, slot))
}

pub(super) fn cert(row: &Row<'_>) -> rusqlite::Result<CertRow> {
    let successor: Option<[u8; 32]> = row.get(11)?;
    Ok(CertRow {
        name: Thumbprint(row.get(0)?),
        request: Thumbprint(row.get(1)?),
        host: HostNumber(number(row.get(2)?)),
        key: Thumbprint(row.get(3)?),
        keys: parsed_set(row, 4)?,
        products: parsed_set(row, 5)?,
        site: parsed(row, 6)?,
        client_budget: row.get(7)?,
        host_name: row.get(8)?,
        issued: time(row, 9)?,
        not_after: time(row, 10)?,
        successor: successor.map(Thumbprint),
        revoked: time_opt(row, 12)?,
        forks: row.get(13)?,
    })
}

pub(super) fn revocation(row: &Row<'_>) -> rusqlite::Result<Numbered> {
    Ok(Numbered {
        number: number(row.get(0)?),
        revoked: Revoked {
            key: Thumbprint(row.get(1)?),
            ends: time(row, 2)?,
        },
    })
}
