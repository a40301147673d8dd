//! Whether the tables of an authority's database belong to one another. A page of another time is
//! well-formed, and SQLite finds nothing wrong with it; a place or a serial that is lost so would be
//! given out once more.

use std::collections::BTreeSet;

use muster_proto::Refusal;
use muster_proto::authority::KeyId;
use muster_proto::reason::store as reasons;
use rusqlite::Connection;

use super::sql::rows;
use crate::sqlite::refusal_of;

/// What must give no row, and what is wrong where it gives one.
const NONE: [(&str, &str); 7] = [
    (
        "SELECT 1 FROM product LEFT JOIN policy \
         ON policy.product = product.id AND policy.version = product.version \
         WHERE policy.product IS NULL",
        "a product's newest policy is missing",
    ),
    (
        "SELECT 1 FROM product_key LEFT JOIN serial \
         ON serial.channel = product_key.id >> 45 \
         AND serial.product_group = (product_key.id >> 32) & 8191 \
         WHERE coalesce(serial.next, 0) <= (product_key.id & 4294967295)",
        "a serial would be given out again",
    ),
    (
        "SELECT 1 FROM slot LEFT JOIN cert ON cert.name = slot.cert WHERE cert.name IS NULL",
        "the certificate of a place is missing",
    ),
    (
        "SELECT 1 FROM cert LEFT JOIN slot ON slot.cert = cert.name \
         WHERE cert.successor IS NULL AND cert.revoked IS NULL AND slot.cert IS NULL",
        "the places of a certificate are missing",
    ),
    (
        "SELECT 1 FROM cert LEFT JOIN cert_statement ON cert_statement.name = cert.name \
         WHERE cert_statement.name IS NULL",
        "the statement of a certificate is missing",
    ),
    (
        "SELECT 1 FROM cert_statement LEFT JOIN cert ON cert.name = cert_statement.name \
         WHERE cert.name IS NULL",
        "the certificate of a statement is missing",
    ),
    (
        "SELECT 1 WHERE coalesce((SELECT max(number) FROM audit), 0) \
         <> coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0)",
        "the end of the audit log is missing",
    ),
];

/// Reads every row once, and an index for each.
///
/// # Errors
/// `CORRUPT` with the first thing that is wrong, `ROW_UNREADABLE`.
pub(super) fn rows(connection: &Connection) -> Result<(), Refusal> {
    for (sql, what) in NONE {
        let mut none = connection.prepare(sql).map_err(refused)?;
        if none.exists([]).map_err(refused)? {
            return Err(Refusal::new(reasons::CORRUPT, what));
        }
    }
    keys_of_certs(connection)
}

/// Certificates name the product keys that they rest on.
fn keys_of_certs(connection: &Connection) -> Result<(), Refusal> {
    let mut all = connection
        .prepare("SELECT id FROM product_key")
        .map_err(refused)?;
    let ids = all
        .query_map([], |row| row.get::<_, i64>(0))
        .map_err(refused)?;
    let known: BTreeSet<i64> = ids.collect::<Result<_, _>>().map_err(refused)?;
    let mut all = connection
        .prepare("SELECT keys FROM cert")
        .map_err(refused)?;
    let mut certs = all.query([]).map_err(refused)?;
    while let Some(cert) = certs.next().map_err(refused)? {
        for key in rows::parsed_set::<KeyId>(cert, 0)? {
            if !known.contains(&rows::packed(key)) {
                let what = format!("the key {key} of a certificate is missing");
                return Err(Refusal::new(reasons::CORRUPT, what));
            }
        }
    }
    Ok(())
}

fn refused(error: rusqlite::Error) -> Refusal {
    refusal_of(&error)
}
