//! The statements of an authority's tables.

use muster_proto::Refusal;
use muster_proto::authority::publish::Numbered;
use muster_proto::authority::{CertRow, HostNumber, KeyId, KeyRow, SlotRow};
use muster_proto::ids::{ProductId, Thumbprint};
use muster_proto::key::{Channel, Last5, ProductGroup};
use muster_proto::time::Timestamp;

use super::rows::{self, integer, joined, limit, packed, seconds};
use super::{Engine, SqlTables, Value};
use crate::authority::{AuditEntry, CertStatement, IssuingRow, ProductRow, Tables, place_refused};

/// The parameters of a statement, in the order of their numbers.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$(Value::from($value)),*] };
}

const PRODUCT: &str = "SELECT id, product_group, version, validity_max, added FROM @product";
const KEY: &str = "SELECT id, last5, product, site, hosts_max, activations_max, client_budget, \
    issued, revoked FROM @product_key";
const SLOT: &str =
    "SELECT product_key, number, machine, activations, host, cert FROM @slot WHERE freed IS NULL";
const CERT: &str = "SELECT name, request, host, signing_key, keys, products, site, client_budget, \
    host_name, issued, not_after, successor, revoked, forks FROM @cert";

impl<E: Engine> Tables for SqlTables<'_, E> {
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let sql = "SELECT value FROM @setting WHERE name = ?1";
        self.one(sql, values![name], |row| row.bytes(0))
    }

    fn put_setting(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        let sql = "INSERT INTO @setting (name, value) VALUES (?1, ?2) \
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.execute(sql, values![name, value]).map(drop)
    }

    fn products(&self) -> Result<Vec<ProductRow>, Refusal> {
        let mut products = self.all(PRODUCT, &[], rows::product)?;
        // Each database, and each language of one, orders text in its own way.
        products.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(products)
    }

    fn product(&self, id: &ProductId) -> Result<Option<ProductRow>, Refusal> {
        let sql = format!("{PRODUCT} WHERE id = ?1");
        self.one(&sql, values![id.as_str()], rows::product)
    }

    fn put_product(&mut self, row: &ProductRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO @product (id, product_group, version, validity_max, added) \
            VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET \
            version = excluded.version, validity_max = excluded.validity_max";
        let values = values![
            row.id.as_str(),
            u32::from(row.group.get()),
            row.version,
            integer(row.validity_max.seconds()),
            seconds(row.added),
        ];
        self.execute(sql, values).map(drop)
    }

    fn policy(&self, id: &ProductId, version: u32) -> Result<Option<Vec<u8>>, Refusal> {
        let sql = "SELECT statement FROM @policy WHERE product = ?1 AND version = ?2";
        self.one(sql, values![id.as_str(), version], |row| row.bytes(0))
    }

    fn put_policy(&mut self, id: &ProductId, version: u32, policy: &[u8]) -> Result<(), Refusal> {
        let sql = "INSERT INTO @policy (product, version, statement) VALUES (?1, ?2, ?3) \
            ON CONFLICT DO NOTHING";
        self.execute(sql, values![id.as_str(), version, policy])
            .map(drop)
    }

    fn next_serial(&self, channel: Channel, group: ProductGroup) -> Result<u64, Refusal> {
        let sql = "SELECT next FROM @serial WHERE channel = ?1 AND product_group = ?2";
        self.figure(
            sql,
            values![u32::from(channel.code()), u32::from(group.get())],
        )
    }

    fn highest_serial(&self) -> Result<u64, Refusal> {
        self.figure("SELECT MAX(next) FROM @serial", &[])
    }

    fn put_next_serial(
        &mut self,
        channel: Channel,
        group: ProductGroup,
        next: u64,
    ) -> Result<(), Refusal> {
        let sql = "INSERT INTO @serial (channel, product_group, next) VALUES (?1, ?2, ?3) \
            ON CONFLICT (channel, product_group) DO UPDATE SET next = excluded.next";
        let (channel, group) = (u32::from(channel.code()), u32::from(group.get()));
        self.execute(sql, values![channel, group, integer(next)])
            .map(drop)
    }

    fn key(&self, id: KeyId) -> Result<Option<KeyRow>, Refusal> {
        let sql = format!("{KEY} WHERE id = ?1");
        self.one(&sql, values![packed(id)], rows::key)
    }

    fn keys(
        &self,
        product: Option<&ProductId>,
        after: Option<KeyId>,
        at_most: usize,
    ) -> Result<Vec<KeyRow>, Refusal> {
        let (after, at_most) = (after.map_or(-1, packed), limit(at_most));
        match product {
            None => {
                let sql = format!("{KEY} WHERE id > ?1 ORDER BY id LIMIT ?2");
                self.all(&sql, values![after, at_most], rows::key)
            }
            Some(product) => {
                let sql = format!("{KEY} WHERE product = ?3 AND id > ?1 ORDER BY id LIMIT ?2");
                let values = values![after, at_most, product.as_str()];
                self.all(&sql, values, rows::key)
            }
        }
    }

    fn keys_ending(&self, last5: Last5, at_most: usize) -> Result<Vec<KeyRow>, Refusal> {
        let sql = format!("{KEY} WHERE last5 = ?1 ORDER BY id LIMIT ?2");
        let last5 = last5.to_string();
        self.all(&sql, values![&*last5, limit(at_most)], rows::key)
    }

    fn put_key(&mut self, row: &KeyRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO @product_key (id, last5, product, site, hosts_max, \
            activations_max, client_budget, issued, revoked) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
            ON CONFLICT (id) DO UPDATE SET revoked = excluded.revoked";
        let last5 = row.last5.to_string();
        let values = values![
            packed(row.id),
            &*last5,
            row.product.as_str(),
            row.site.as_str(),
            row.hosts_max,
            row.activations_max,
            row.client_budget,
            seconds(row.issued),
            row.revoked.map(seconds),
        ];
        self.execute(sql, values).map(drop)
    }

    fn slots(&self, key: KeyId) -> Result<Vec<SlotRow>, Refusal> {
        let sql = format!("{SLOT} AND product_key = ?1 ORDER BY number");
        self.all(&sql, values![packed(key)], |row| {
            rows::slot(row).map(|(_, slot)| slot)
        })
    }

    fn next_slot(&self, key: KeyId) -> Result<u32, Refusal> {
        let sql = "SELECT COALESCE(MAX(number) + 1, 0) FROM @slot WHERE product_key = ?1";
        let next = self.figure(sql, values![packed(key)])?;
        Ok(u32::try_from(next).unwrap_or(u32::MAX))
    }

    fn slots_of_host(&self, host: HostNumber) -> Result<Vec<(KeyId, SlotRow)>, Refusal> {
        let sql = format!("{SLOT} AND host = ?1 ORDER BY product_key, number");
        self.all(&sql, values![integer(host.0)], rows::slot)
    }

    fn put_slot(&mut self, key: KeyId, row: &SlotRow) -> Result<(), Refusal> {
        // Each keeps its limit by itself, so that none is passed whatever was decided before.
        let change = "UPDATE @slot SET machine = ?3, activations = ?4, host = ?5, cert = ?6 \
            WHERE product_key = ?1 AND number = ?2 AND freed IS NULL \
            AND ?4 <= (SELECT activations_max FROM @product_key WHERE id = ?1)";
        let take = "INSERT INTO @slot (product_key, number, machine, activations, host, cert) \
            SELECT ?1, ?2, ?3, ?4, ?5, ?6 FROM @product_key \
            WHERE id = ?1 AND ?4 <= activations_max AND hosts_max > \
            (SELECT COUNT(*) FROM @slot WHERE product_key = ?1 AND freed IS NULL) \
            AND NOT EXISTS (SELECT 1 FROM @slot WHERE product_key = ?1 AND number = ?2)";
        let machine = row.machine.to_bytes();
        let values = values![
            packed(key),
            row.number,
            &machine[..],
            row.activations,
            integer(row.host.0),
            &row.cert.0[..],
        ];
        if self.execute(change, values)? == 0 && self.execute(take, values)? == 0 {
            return Err(place_refused(self, key, row)?);
        }
        Ok(())
    }

    fn free_slots(&mut self, host: HostNumber, at: Timestamp) -> Result<u32, Refusal> {
        let sql = "UPDATE @slot SET freed = ?1 WHERE host = ?2 AND freed IS NULL";
        let freed = self.execute(sql, values![seconds(at), integer(host.0)])?;
        Ok(u32::try_from(freed).unwrap_or(u32::MAX))
    }

    fn next_host(&self) -> Result<HostNumber, Refusal> {
        self.figure("SELECT MAX(host) FROM @cert", &[])
            .map(|last| HostNumber(last + 1))
    }

    fn hosts(&self, after: HostNumber, at_most: usize) -> Result<Vec<HostNumber>, Refusal> {
        let sql = "SELECT DISTINCT host FROM @cert WHERE host > ?1 ORDER BY host LIMIT ?2";
        let values = values![integer(after.0), limit(at_most)];
        self.all(sql, values, |row| rows::host(row, 0))
    }

    fn cert(&self, name: Thumbprint) -> Result<Option<CertRow>, Refusal> {
        let sql = format!("{CERT} WHERE name = ?1");
        self.one(&sql, values![&name.0[..]], rows::cert)
    }

    fn cert_of_request(&self, request: Thumbprint) -> Result<Option<CertRow>, Refusal> {
        let sql = format!("{CERT} WHERE request = ?1");
        self.one(&sql, values![&request.0[..]], rows::cert)
    }

    fn certs_of_host(&self, host: HostNumber) -> Result<Vec<CertRow>, Refusal> {
        let sql = format!("{CERT} WHERE host = ?1 ORDER BY number");
        self.all(&sql, values![integer(host.0)], rows::cert)
    }

    fn is_signing_key_used(&self, key: Thumbprint) -> Result<bool, Refusal> {
        let sql = "SELECT 1 FROM @cert WHERE signing_key = ?1";
        self.is_there(sql, values![&key.0[..]])
    }

    fn put_cert(&mut self, row: &CertRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO @cert (number, name, request, host, signing_key, keys, products, \
            site, client_budget, host_name, issued, not_after, successor, revoked, forks) \
            VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM @cert), \
            ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
            ON CONFLICT (name) DO UPDATE SET request = excluded.request, \
            successor = excluded.successor, revoked = excluded.revoked, forks = excluded.forks";
        let (keys, products) = (joined(&row.keys), joined(&row.products));
        let values = values![
            &row.name.0[..],
            &row.request.0[..],
            integer(row.host.0),
            &row.key.0[..],
            &*keys,
            &*products,
            row.site.as_str(),
            row.client_budget,
            &*row.host_name,
            seconds(row.issued),
            seconds(row.not_after),
            row.successor.as_ref().map(|name| &name.0[..]),
            row.revoked.map(seconds),
            row.forks,
        ];
        self.execute(sql, values).map(drop)
    }

    fn statement(&self, name: Thumbprint) -> Result<Option<CertStatement>, Refusal> {
        let sql = "SELECT parent, statement, is_signed FROM @cert_statement WHERE name = ?1";
        self.one(sql, values![&name.0[..]], rows::statement)
    }

    fn put_statement(&mut self, name: Thumbprint, row: &CertStatement) -> Result<(), Refusal> {
        let sql = "INSERT INTO @cert_statement (name, parent, statement, is_signed) \
            VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO UPDATE \
            SET statement = excluded.statement, is_signed = excluded.is_signed";
        let is_signed = u32::from(row.is_signed);
        let values = values![&name.0[..], &row.parent.0[..], &row.bytes[..], is_signed];
        self.execute(sql, values).map(drop)
    }

    fn issuing(&self) -> Result<Vec<IssuingRow>, Refusal> {
        let sql = "SELECT name, signing_key, statement, added FROM @issuing ORDER BY number";
        self.all(sql, &[], rows::issuing)
    }

    fn put_issuing(&mut self, row: &IssuingRow) -> Result<(), Refusal> {
        let sql = "INSERT INTO @issuing (number, name, signing_key, statement, added) VALUES \
            ((SELECT COALESCE(MAX(number), 0) + 1 FROM @issuing), ?1, ?2, ?3, ?4)";
        let values = values![
            &row.name.0[..],
            &row.key.0[..],
            &row.statement[..],
            seconds(row.added),
        ];
        self.execute(sql, values).map(drop)
    }

    fn newest_revocation(&self) -> Result<u64, Refusal> {
        self.figure("SELECT MAX(number) FROM @revocation", &[])
    }

    fn revocations(&self, now: Timestamp) -> Result<Vec<Numbered>, Refusal> {
        let sql =
            "SELECT number, signing_key, ends FROM @revocation WHERE ends > ?1 ORDER BY number";
        self.all(sql, values![seconds(now)], rows::revocation)
    }

    fn is_revoked(&self, key: Thumbprint) -> Result<bool, Refusal> {
        let sql = "SELECT 1 FROM @revocation WHERE signing_key = ?1";
        self.is_there(sql, values![&key.0[..]])
    }

    fn put_revocation(&mut self, row: &Numbered) -> Result<(), Refusal> {
        let sql = "INSERT INTO @revocation (number, signing_key, ends) VALUES (?1, ?2, ?3)";
        let revoked = row.revoked;
        let values = values![
            integer(row.number),
            &revoked.key.0[..],
            seconds(revoked.ends),
        ];
        self.execute(sql, values).map(drop)
    }

    fn deltas(&self) -> Result<Vec<Vec<u8>>, Refusal> {
        let sql = "SELECT statement FROM @delta ORDER BY number";
        self.all(sql, &[], |row| row.bytes(0))
    }

    fn put_deltas(&mut self, deltas: &[Vec<u8>]) -> Result<(), Refusal> {
        self.execute("DELETE FROM @delta", &[])?;
        let sql = "INSERT INTO @delta (number, statement) VALUES (?1, ?2)";
        for (number, delta) in (1_i64..).zip(deltas) {
            self.execute(sql, values![number, &delta[..]])?;
        }
        Ok(())
    }

    fn audit(&self, after: u64, at_most: usize) -> Result<Vec<AuditEntry>, Refusal> {
        let sql = "SELECT number, at, event, subject, detail FROM @audit \
            WHERE number > ?1 ORDER BY number LIMIT ?2";
        let values = values![integer(after), limit(at_most)];
        self.all(sql, values, rows::audit)
    }

    fn put_audit(
        &mut self,
        at: Timestamp,
        event: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), Refusal> {
        let sql = "INSERT INTO @audit (number, at, event, subject, detail) VALUES \
            ((SELECT COALESCE(MAX(number), 0) + 1 FROM @audit), ?1, ?2, ?3, ?4)";
        self.execute(sql, values![seconds(at), event, subject, detail])
            .map(drop)
    }
}
