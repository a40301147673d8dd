//! An authority's store in memory, for tests and simulation: a change works on a copy that takes
//! the place of the tables when it succeeds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use muster_proto::Refusal;
use muster_proto::authority::publish::Numbered;
use muster_proto::authority::{CertRow, HostNumber, KeyId, KeyRow, SlotRow};
use muster_proto::ids::{ProductId, Thumbprint};
use muster_proto::key::{Channel, Last5, ProductGroup};
use muster_proto::rules::{Rule, holds};
use muster_proto::time::Timestamp;

use super::{
    AuditEntry, AuthorityStore, CertStatement, IssuingRow, ProductRow, Tables, place_refused,
};

/// The store.
#[derive(Debug, Default)]
pub struct MemoryAuthority(Mutex<Memory>);

impl AuthorityStore for MemoryAuthority {
    async fn change<T, F>(&self, change: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut copy = tables.clone();
        let result = change(&mut copy)?;
        *tables = copy;
        Ok(result)
    }

    async fn view<T, F>(&self, view: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    {
        let copy = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        view(&mut { copy })
    }
}

#[derive(Clone, Debug, Default)]
struct Memory {
    settings: BTreeMap<String, Vec<u8>>,
    products: BTreeMap<ProductId, ProductRow>,
    policies: BTreeMap<(ProductId, u32), Vec<u8>>,
    serials: BTreeMap<(Channel, ProductGroup), u64>,
    keys: BTreeMap<KeyId, KeyRow>,
    slots: BTreeMap<(KeyId, u32), SlotRow>,
    freed: BTreeSet<(KeyId, u32)>,
    certs: Vec<CertRow>,
    statements: BTreeMap<Thumbprint, CertStatement>,
    issuing: Vec<IssuingRow>,
    revocations: Vec<Numbered>,
    deltas: Vec<Vec<u8>>,
    audit: Vec<AuditEntry>,
}

impl Memory {
    fn find_cert(&self, is_it: impl Fn(&&CertRow) -> bool) -> Option<CertRow> {
        self.certs.iter().find(is_it).cloned()
    }

    fn taken(&self) -> impl Iterator<Item = (KeyId, &SlotRow)> {
        let taken = |(at, _): &(&(KeyId, u32), &SlotRow)| !self.freed.contains(*at);
        let slots = self.slots.iter().filter(taken);
        slots.map(|((key, _), slot)| (*key, slot))
    }

    /// Whether a place may be changed or taken so. What the simulator breaks is broken here too.
    fn has_room(&self, key: KeyId, row: &SlotRow) -> bool {
        let Some(known) = self.keys.get(&key) else {
            return false;
        };
        let at = (key, row.number);
        let held = self.slots.range((key, 0)..=(key, u32::MAX));
        let held = held.filter(|(at, _)| !self.freed.contains(at)).count();
        let is_free = !self.slots.contains_key(&at);
        let is_held = !is_free && !self.freed.contains(&at);
        let hosts = held < known.hosts_max as usize || !holds(Rule::HostsOfKey);
        let activations =
            row.activations <= known.activations_max || !holds(Rule::ActivationsOfHost);
        activations && (is_held || is_free && hosts)
    }
}

impl Tables for Memory {
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.settings.get(name).cloned())
    }

    fn put_setting(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        self.settings.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn products(&self) -> Result<Vec<ProductRow>, Refusal> {
        Ok(self.products.values().cloned().collect())
    }

    fn product(&self, id: &ProductId) -> Result<Option<ProductRow>, Refusal> {
        Ok(self.products.get(id).cloned())
    }

    fn put_product(&mut self, row: &ProductRow) -> Result<(), Refusal> {
        self.products.insert(row.id.clone(), row.clone());
        Ok(())
    }

    fn policy(&self, id: &ProductId, version: u32) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.policies.get(&(id.clone(), version)).cloned())
    }

    fn put_policy(&mut self, id: &ProductId, version: u32, policy: &[u8]) -> Result<(), Refusal> {
        self.policies
            .entry((id.clone(), version))
            .or_insert_with(|| policy.to_vec());
        Ok(())
    }

    fn next_serial(&self, channel: Channel, group: ProductGroup) -> Result<u64, Refusal> {
        Ok(self.serials.get(&(channel, group)).copied().unwrap_or(0))
    }

    fn highest_serial(&self) -> Result<u64, Refusal> {
        Ok(self.serials.values().copied().max().unwrap_or(0))
    }

    fn put_next_serial(
        &mut self,
        channel: Channel,
        group: ProductGroup,
        next: u64,
    ) -> Result<(), Refusal> {
        self.serials.insert((channel, group), next);
        Ok(())
    }

    fn key(&self, id: KeyId) -> Result<Option<KeyRow>, Refusal> {
        Ok(self.keys.get(&id).cloned())
    }

    fn keys(
        &self,
        product: Option<&ProductId>,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyRow>, Refusal> {
        let wanted = |row: &&KeyRow| {
            product.is_none_or(|product| row.product == *product)
                && after.is_none_or(|after| row.id > after)
        };
        let rows = self.keys.values().filter(wanted);
        Ok(rows.take(limit).cloned().collect())
    }

    fn keys_ending(&self, last5: Last5, limit: usize) -> Result<Vec<KeyRow>, Refusal> {
        let rows = self.keys.values().filter(|row| row.last5 == last5);
        Ok(rows.take(limit).cloned().collect())
    }

    fn put_key(&mut self, row: &KeyRow) -> Result<(), Refusal> {
        self.keys.insert(row.id, row.clone());
        Ok(())
    }

    fn slots(&self, key: KeyId) -> Result<Vec<SlotRow>, Refusal> {
        let of_key = self.taken().filter(|(of, _)| *of == key);
        Ok(of_key.map(|(_, slot)| slot.clone()).collect())
    }

    fn next_slot(&self, key: KeyId) -> Result<u32, Refusal> {
        let last = self.slots.range((key, 0)..=(key, u32::MAX)).next_back();
        Ok(last.map_or(0, |((_, number), _)| number + 1))
    }

    fn slots_of_host(&self, host: HostNumber) -> Result<Vec<(KeyId, SlotRow)>, Refusal> {
        let of_host = self.taken().filter(|(_, slot)| slot.host == host);
        Ok(of_host.map(|(key, slot)| (key, slot.clone())).collect())
    }

    fn put_slot(&mut self, key: KeyId, row: &SlotRow) -> Result<(), Refusal> {
        if !self.has_room(key, row) {
            return Err(place_refused(self, key, row)?);
        }
        self.slots.insert((key, row.number), row.clone());
        Ok(())
    }

    fn free_slots(&mut self, host: HostNumber, _: Timestamp) -> Result<u32, Refusal> {
        let held = self.taken().filter(|(_, slot)| slot.host == host);
        let held: Vec<_> = held.map(|(key, slot)| (key, slot.number)).collect();
        let count = held.len();
        self.freed.extend(held);
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn next_host(&self) -> Result<HostNumber, Refusal> {
        let last = self.certs.iter().map(|cert| cert.host.0).max();
        Ok(HostNumber(last.unwrap_or(0) + 1))
    }

    fn hosts(&self, after: HostNumber, limit: usize) -> Result<Vec<HostNumber>, Refusal> {
        let hosts: BTreeSet<_> = self.certs.iter().map(|cert| cert.host).collect();
        let wanted = hosts.into_iter().filter(|host| *host > after);
        Ok(wanted.take(limit).collect())
    }

    fn cert(&self, name: Thumbprint) -> Result<Option<CertRow>, Refusal> {
        Ok(self.find_cert(|cert| cert.name == name))
    }

    fn cert_of_request(&self, request: Thumbprint) -> Result<Option<CertRow>, Refusal> {
        Ok(self.find_cert(|cert| cert.request == request))
    }

    fn certs_of_host(&self, host: HostNumber) -> Result<Vec<CertRow>, Refusal> {
        let certs = self.certs.iter().filter(|cert| cert.host == host);
        Ok(certs.cloned().collect())
    }

    fn is_signing_key_used(&self, key: Thumbprint) -> Result<bool, Refusal> {
        Ok(self.certs.iter().any(|cert| cert.key == key))
    }

    fn put_cert(&mut self, row: &CertRow) -> Result<(), Refusal> {
        match self.certs.iter_mut().find(|cert| cert.name == row.name) {
            Some(cert) => {
                cert.request = row.request;
                cert.successor = row.successor;
                cert.revoked = row.revoked;
                cert.forks = row.forks;
            }
            None => self.certs.push(row.clone()),
        }
        Ok(())
    }

    fn statement(&self, name: Thumbprint) -> Result<Option<CertStatement>, Refusal> {
        Ok(self.statements.get(&name).cloned())
    }

    fn put_statement(&mut self, name: Thumbprint, row: &CertStatement) -> Result<(), Refusal> {
        self.statements.insert(name, row.clone());
        Ok(())
    }

    fn issuing(&self) -> Result<Vec<IssuingRow>, Refusal> {
        Ok(self.issuing.clone())
    }

    fn put_issuing(&mut self, row: &IssuingRow) -> Result<(), Refusal> {
        self.issuing.push(row.clone());
        Ok(())
    }

    fn newest_revocation(&self) -> Result<u64, Refusal> {
        Ok(self.revocations.last().map_or(0, |last| last.number))
    }

    fn revocations(&self, now: Timestamp) -> Result<Vec<Numbered>, Refusal> {
        let live = self.revocations.iter().filter(|row| row.revoked.ends > now);
        Ok(live.copied().collect())
    }

    fn is_revoked(&self, key: Thumbprint) -> Result<bool, Refusal> {
        Ok(self.revocations.iter().any(|row| row.revoked.key == key))
    }

    fn put_revocation(&mut self, row: &Numbered) -> Result<(), Refusal> {
        self.revocations.push(*row);
        Ok(())
    }

    fn deltas(&self) -> Result<Vec<Vec<u8>>, Refusal> {
        Ok(self.deltas.clone())
    }

    fn put_deltas(&mut self, deltas: &[Vec<u8>]) -> Result<(), Refusal> {
        self.deltas = deltas.to_vec();
        Ok(())
    }

    fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, Refusal> {
        let later = self.audit.iter().filter(|entry| entry.number > after);
        Ok(later.take(limit).cloned().collect())
    }

    fn put_audit(
        &mut self,
        at: Timestamp,
        event: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), Refusal> {
        let number = self.audit.last().map_or(1, |last| last.number + 1);
        self.audit.push(AuditEntry {
            number,
            at,
            event: event.to_owned(),
            subject: subject.to_owned(),
            detail: detail.to_owned(),
        });
        Ok(())
    }
}
