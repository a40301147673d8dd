//! Registering a KMS host in a zone by dynamic update (RFC 2136), signed with TSIG.
//!
//! A host adds its own records and removes its own records, never anybody else's: its own are the
//! SRV records of `_muster-kms._tcp.ZONE` with its target and port (those of now, and those it knows
//! to have written before), and, where asked, the addresses of that target. All changes of one call stand in one message, which a server carries
//! out whole or not at all.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::update_message::UpdateMessage;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use muster_proto::Refusal;
use muster_proto::limits::{DNS_ADDRESSES_MAX, DNS_RECORD_TTL_SECONDS, DNS_RECORDS_MAX};
use muster_proto::reason::dns as reason;
use tokio::io::{AsyncRead, AsyncWrite};

use super::exchange::Exchange;
use super::tsig::TsigKey;
use super::{SERVICE, name};
use crate::clock;

/// What one KMS host has in DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRecords {
    /// The host's full name, the SRV record's target.
    pub target: String,
    /// TCP port.
    pub port: u16,
    /// Lower is tried first.
    pub priority: u16,
    /// The share among records of one priority.
    pub weight: u16,
    /// The addresses to register for the target; empty leaves its addresses alone. Where given,
    /// they replace all addresses of that name, which must lie in the zone.
    pub addresses: Vec<IpAddr>,
    /// The target and port of the SRV record that this host wrote last, where it knows.
    pub former: Option<(String, u16)>,
}

impl HostRecords {
    /// The same records as lines of a zone file, for a zone that is kept by hand.
    ///
    /// # Errors
    /// `DNS_NAME_INVALID`, `DNS_HOST_RECORDS_INVALID`.
    pub fn lines(&self, zone: &str) -> Result<Vec<String>, Refusal> {
        let plan = Plan::new(zone, self)?;
        Ok(plan
            .wanted()
            .iter()
            .map(|r| {
                format!(
                    "{}. {} IN {} {}",
                    name::text(&r.name),
                    r.ttl,
                    r.record_type(),
                    r.data
                )
            })
            .collect())
    }
}

/// Adds the host's records to the zone at the first of `servers` that accepts a connection, and
/// removes its own older ones (another priority, weight or address, or what it wrote formerly).
/// Doing it again changes nothing.
///
/// # Errors
/// One reason each for: key rejected, clock off, refused, not the zone's primary, silent,
/// unreachable, failing, an answer that is not signed; see `muster_proto::reason::dns`.
pub async fn register(
    servers: &[SocketAddr],
    zone: &str,
    key: &TsigKey,
    records: &HostRecords,
) -> Result<(), Refusal> {
    register_at(servers, zone, key, records, clock::unix_seconds()).await
}

/// Removes the host's own records: every SRV record of the service with its target and port, and
/// the addresses that are listed. Other hosts' records stay.
///
/// # Errors
/// As [`register`].
pub async fn withdraw(
    servers: &[SocketAddr],
    zone: &str,
    key: &TsigKey,
    records: &HostRecords,
) -> Result<(), Refusal> {
    let plan = Plan::new(zone, records)?;
    let mut exchange = Exchange::connect(servers).await?;
    let mut message = plan.message();
    for old in plan
        .present(&mut exchange, &plan.service, RecordType::SRV)
        .await?
    {
        if plan.is_own(&old) {
            message.add_update(removal(old));
        }
    }
    for address in plan.addresses() {
        message.add_update(removal(address));
    }
    if message.updates().is_empty() {
        // Nothing is there; the key is still tried, so that a wrong one is not found out later.
        message.add_update(removal(plan.srv()));
    }
    exchange
        .update(message, &key.signer(), clock::unix_seconds())
        .await
}

/// [`register`] with the time of its signature as an argument.
pub(super) async fn register_at(
    servers: &[SocketAddr],
    zone: &str,
    key: &TsigKey,
    records: &HostRecords,
    now: u64,
) -> Result<(), Refusal> {
    let plan = Plan::new(zone, records)?;
    let mut exchange = Exchange::connect(servers).await?;
    carry_out(&plan, &mut exchange, key, now).await
}

/// [`register`] over a stream that leads to the zone's server already, at `now` (seconds since 1970).
///
/// # Errors
/// As [`register`].
pub async fn register_over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    server: SocketAddr,
    zone: &str,
    key: &TsigKey,
    records: &HostRecords,
    now: u64,
) -> Result<(), Refusal> {
    let plan = Plan::new(zone, records)?;
    carry_out(&plan, &mut Exchange::over(stream, server), key, now).await
}

async fn carry_out<S: AsyncRead + AsyncWrite + Unpin>(
    plan: &Plan<'_>,
    exchange: &mut Exchange<S>,
    key: &TsigKey,
    now: u64,
) -> Result<(), Refusal> {
    let wanted = plan.wanted();
    let mut message = plan.message();
    let mut old = plan
        .present(exchange, &plan.service, RecordType::SRV)
        .await?;
    old.retain(|record| plan.is_own(record));
    if !plan.records.addresses.is_empty() {
        old.extend(plan.present(exchange, &plan.target, RecordType::A).await?);
        old.extend(
            plan.present(exchange, &plan.target, RecordType::AAAA)
                .await?,
        );
    }
    for record in old {
        if !wanted
            .iter()
            .any(|new| new.name == record.name && new.data == record.data)
        {
            message.add_update(removal(record));
        }
    }
    message.add_updates(wanted);
    exchange.update(message, &key.signer(), now).await
}

/// The names of one registration, parsed and checked.
struct Plan<'a> {
    zone: Name,
    service: Name,
    target: Name,
    /// As in [`HostRecords::former`]; a name that is none can be nobody's target.
    former: Option<(Name, u16)>,
    records: &'a HostRecords,
}

impl<'a> Plan<'a> {
    fn new(zone: &str, records: &'a HostRecords) -> Result<Self, Refusal> {
        let invalid = |rule: String| Refusal::new(reason::DNS_HOST_RECORDS_INVALID, rule);
        let zone = name::full(zone)?;
        let target = name::full(&records.target)?;
        let service = name::full(SERVICE)
            .map(|mut service| {
                service.set_fqdn(false);
                service
            })?
            .append_domain(&zone)
            .map_err(|error| invalid(format!("the zone's name is too long: {error}")))?;
        if target.num_labels() < 2 {
            return Err(invalid(format!("{:?} is no full name", records.target)));
        }
        if !records.addresses.is_empty() && !zone.zone_of(&target) {
            return Err(invalid(format!(
                "the addresses of {} cannot be registered in {}",
                name::text(&target),
                name::text(&zone)
            )));
        }
        if records.addresses.len() > DNS_ADDRESSES_MAX {
            return Err(invalid(format!("more than {DNS_ADDRESSES_MAX} addresses")));
        }
        let former = records.former.as_ref();
        let former = former.and_then(|(target, port)| Some((name::full(target).ok()?, *port)));
        Ok(Self {
            zone,
            service,
            target,
            former,
            records,
        })
    }

    fn srv(&self) -> Record {
        let HostRecords {
            priority,
            weight,
            port,
            ..
        } = *self.records;
        let data = RData::SRV(SRV::new(priority, weight, port, self.target.clone()));
        Record::from_rdata(self.service.clone(), DNS_RECORD_TTL_SECONDS, data)
    }

    fn addresses(&self) -> impl Iterator<Item = Record> + '_ {
        self.records.addresses.iter().map(|&address| {
            Record::from_rdata(
                self.target.clone(),
                DNS_RECORD_TTL_SECONDS,
                RData::from(address),
            )
        })
    }

    fn wanted(&self) -> Vec<Record> {
        std::iter::once(self.srv())
            .chain(self.addresses())
            .collect()
    }

    /// By target and port: another service on this machine has the same target.
    fn is_own(&self, record: &Record) -> bool {
        let RData::SRV(srv) = &record.data else {
            return false;
        };
        let is_at = |target: &Name, port: u16| srv.target == *target && srv.port == port;
        is_at(&self.target, self.records.port)
            || matches!(&self.former, Some((target, port)) if is_at(target, *port))
    }

    /// An empty update of the zone (RFC 2136 section 2.3).
    fn message(&self) -> Message {
        let mut zone = Query::query(self.zone.clone(), RecordType::SOA);
        zone.set_query_class(DNSClass::IN);
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        message.add_zone(zone);
        message
    }

    /// The records the zone's own server has now. A server that does not answer questions may
    /// still take updates: then nothing older is removed.
    async fn present<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        exchange: &mut Exchange<S>,
        name: &Name,
        kind: RecordType,
    ) -> Result<Vec<Record>, Refusal> {
        let mut message = Message::query();
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(name.clone(), kind));
        let answer = exchange.ask(&message).await?;
        if answer.metadata.response_code != ResponseCode::NoError {
            return Ok(Vec::new());
        }
        let mut records = answer.answers;
        records.retain(|record| record.record_type() == kind && record.name == *name);
        if records.len() > DNS_RECORDS_MAX {
            return Err(Refusal::new(
                reason::DNS_TOO_MANY_RECORDS,
                format!("{} {kind}: {} records", name::text(name), records.len()),
            ));
        }
        Ok(records)
    }
}

/// RFC 2136 section 2.5.4: class NONE and time to live 0 delete one record of a set.
fn removal(mut record: Record) -> Record {
    record.dns_class = DNSClass::NONE;
    record.ttl = 0;
    record
}
