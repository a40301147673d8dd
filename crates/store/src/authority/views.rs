//! What administrators are shown of keys and hosts, put together in one snapshot.

use std::collections::BTreeSet;

use muster_proto::Refusal;
use muster_proto::authority::{CertRow, HostNumber, KeyId, KeyRow};
use muster_proto::ids::{ProductId, SiteId, Thumbprint};
use muster_proto::reason::authority as reasons;
use muster_proto::time::Timestamp;

use super::Tables;

/// A product key with its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The key.
    pub row: KeyRow,
    /// Places taken.
    pub hosts_used: u32,
    /// Activations charged to the places that are taken.
    pub activations_used: u32,
    /// The hosts that hold its places.
    pub hosts: BTreeSet<HostNumber>,
}

/// A host with its newest certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReport {
    /// Its number.
    pub number: HostNumber,
    /// Its display name.
    pub name: String,
    /// Its site.
    pub site: SiteId,
    /// Products of its newest certificate.
    pub products: BTreeSet<ProductId>,
    /// Product keys the newest certificate rests on.
    pub keys: BTreeSet<KeyId>,
    /// Clients it may count.
    pub client_budget: u32,
    /// The newest certificate's name.
    pub cert: Thumbprint,
    /// When it was first certified.
    pub first: Timestamp,
    /// When the newest certificate was issued.
    pub issued: Timestamp,
    /// When the newest certificate ends.
    pub not_after: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Certificates it was given.
    pub certificates: u32,
    /// Places it holds.
    pub places: u32,
    /// Requests that were refused as forks of one of its certificates.
    pub forks: u32,
}

/// A key with its use.
pub fn key_report(tables: &dyn Tables, row: KeyRow) -> Result<KeyReport, Refusal> {
    let slots = tables.slots(row.id)?;
    Ok(KeyReport {
        hosts_used: count(slots.len()),
        activations_used: slots.iter().map(|slot| slot.activations).sum(),
        hosts: slots.iter().map(|slot| slot.host).collect(),
        row,
    })
}

/// Hosts after a number, in order.
pub fn host_reports(
    tables: &dyn Tables,
    after: HostNumber,
    limit: usize,
) -> Result<Vec<HostReport>, Refusal> {
    let hosts = tables.hosts(after, limit)?;
    hosts
        .into_iter()
        .map(|host| host_report(tables, host))
        .collect()
}

/// A host.
pub fn host_report(tables: &dyn Tables, number: HostNumber) -> Result<HostReport, Refusal> {
    let certs = tables.certs_of_host(number)?;
    let (Some(first), Some(newest)) = (certs.first(), certs.last()) else {
        let detail = format!("host {}", number.0);
        return Err(Refusal::new(reasons::HOST_UNKNOWN, detail));
    };
    let (first, newest): (&CertRow, &CertRow) = (first, newest);
    Ok(HostReport {
        number,
        name: newest.host_name.clone(),
        site: newest.site.clone(),
        products: newest.products.clone(),
        keys: newest.keys.clone(),
        client_budget: newest.client_budget,
        cert: newest.name,
        first: first.issued,
        issued: newest.issued,
        not_after: newest.not_after,
        revoked: newest.revoked,
        certificates: count(certs.len()),
        places: count(tables.slots_of_host(number)?.len()),
        forks: certs.iter().map(|cert| cert.forks).sum(),
    })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
