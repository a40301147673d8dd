//! Looking names up: SRV records and addresses, through the system's resolver configuration or one
//! server that was named. Each way to fail has its own reason, because a person has to act on it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::{DnsError, NetError};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{ConnectionProvider, Resolver as Hickory};
use muster_proto::limits::{
    DNS_ADDRESSES_MAX, DNS_ALIASES_MAX, DNS_ATTEMPT_SECONDS, DNS_LOOKUP_SECONDS, DNS_RECORDS_MAX,
    DNS_RETRIES,
};
use muster_proto::reason::dns as reason;
use muster_proto::{Reason, Refusal};

use super::name;

const ATTEMPT_LIMIT: Duration = Duration::from_secs(DNS_ATTEMPT_SECONDS);
const LOOKUP_LIMIT: Duration = Duration::from_secs(DNS_LOOKUP_SECONDS);

/// One SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among records of one priority.
    pub weight: u16,
    /// TCP port.
    pub port: u16,
    /// Host name in lower case, without the final dot.
    pub target: String,
}

/// A resolver; clones share it. Answers are not cached: muster asks seldom, and a host that moved
/// should be found at once. It talks by the machine's own sockets, or by what stands for them.
#[derive(Clone)]
pub struct Resolver<P: ConnectionProvider = TokioRuntimeProvider> {
    inner: Hickory<P>,
    servers: Vec<SocketAddr>,
    domain: Option<String>,
    search: Vec<String>,
}

impl Resolver {
    /// The system's configuration: servers, domain, search list and hosts file.
    ///
    /// # Errors
    /// `DNS_NO_CONFIGURATION`.
    pub fn system() -> Result<Self, Refusal> {
        let (config, options) = read_system_conf()
            .map_err(|error| Refusal::new(reason::DNS_NO_CONFIGURATION, error.to_string()))?;
        Self::build(config, options, TokioRuntimeProvider::default())
    }

    /// One named server for every question, over UDP and TCP; domain and search list still are the
    /// system's, where it has any.
    ///
    /// # Errors
    /// `DNS_NO_CONFIGURATION` when the resolver cannot be made.
    pub fn with_server(server: SocketAddr) -> Result<Self, Refusal> {
        let (system, options) = read_system_conf().unwrap_or_default();
        let (domain, search, _) = system.into_parts();
        Self::build(
            ResolverConfig::from_parts(domain, search, vec![at(server)]),
            options,
            TokioRuntimeProvider::default(),
        )
    }
}

impl<P: ConnectionProvider> Resolver<P> {
    /// One server for every question, reached by way of `provider` and not by the machine's sockets;
    /// neither domain nor search list.
    ///
    /// # Errors
    /// `DNS_NO_CONFIGURATION` when the resolver cannot be made.
    pub fn by_way_of(provider: P, server: SocketAddr) -> Result<Self, Refusal> {
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![at(server)]);
        let mut resolver = Self::build(config, ResolverOpts::default(), provider)?;
        // Whether anything listens there is not for sockets to tell.
        resolver.servers.clear();
        Ok(resolver)
    }

    fn build(
        config: ResolverConfig,
        mut options: ResolverOpts,
        provider: P,
    ) -> Result<Self, Refusal> {
        options.timeout = ATTEMPT_LIMIT;
        options.attempts = DNS_RETRIES;
        options.cache_size = 0;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Always;
        options.try_tcp_on_error = true;
        let domain = config
            .domain()
            .filter(|domain| !domain.is_root())
            .map(name::text);
        let search = config
            .search()
            .iter()
            .filter(|domain| !domain.is_root())
            .map(name::text)
            .collect();
        let servers = config
            .name_servers()
            .iter()
            .filter_map(|server| Some(SocketAddr::new(server.ip, server.connections.first()?.port)))
            .collect();
        let inner = Hickory::builder_with_config(config, provider)
            .with_options(options)
            .build()
            .map_err(|error| Refusal::new(reason::DNS_NO_CONFIGURATION, error.to_string()))?;
        Ok(Self {
            inner,
            servers,
            domain,
            search,
        })
    }

    /// The SRV records of a full name, in the server's order; ordering by priority and weight is
    /// the caller's. Records whose target is the root ("no such service", RFC 2782) are left out.
    ///
    /// # Errors
    /// A reason for each of: invalid name, no such name, no such record, silent, unreachable or
    /// failing server, refused, malformed answer, too many records or aliases.
    pub async fn srv(&self, text: &str) -> Result<Vec<SrvRecord>, Refusal> {
        let mut name = name::full(text)?;
        for _ in 0..DNS_ALIASES_MAX {
            let refusal = match self.lookup(name.clone(), RecordType::SRV).await {
                Ok(lookup) => return srv_records(text, &lookup),
                Err(refusal) => refusal,
            };
            let unheard = [reason::DNS_SILENT, reason::DNS_UNREACHABLE];
            if unheard.contains(&refusal.reason) {
                return Err(refusal);
            }
            // hickory looks behind an alias for the record's target instead of the record.
            name = self.alias(&name).await.ok_or(refusal)?;
        }
        let detail = format!("{text}: more than {DNS_ALIASES_MAX} aliases");
        Err(Refusal::new(reason::DNS_FAILED, detail))
    }

    /// The name for which this one is another name.
    async fn alias(&self, name: &Name) -> Option<Name> {
        let lookup = self.lookup(name.clone(), RecordType::CNAME).await.ok()?;
        lookup
            .answers()
            .iter()
            .find_map(|answer| match &answer.data {
                RData::CNAME(alias) if answer.name == *name => Some(alias.0.clone()),
                _ => None,
            })
    }

    /// The addresses of a host, IPv6 and IPv4 alternating, at most [`DNS_ADDRESSES_MAX`]. An
    /// address, also in brackets, is returned as it is; a short name goes through the search list.
    ///
    /// # Errors
    /// As [`srv`](Self::srv).
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Refusal> {
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = bare.parse() {
            return Ok(vec![address]);
        }
        let what = || format!("{host} A/AAAA");
        let found = self
            .within(what, self.inner.lookup_ip(name::relative(host)?))
            .await?;
        let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = found.iter().partition(IpAddr::is_ipv6);
        let mut addresses = Vec::new();
        let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
        while addresses.len() < DNS_ADDRESSES_MAX {
            let before = addresses.len();
            addresses.extend(v6.next());
            addresses.extend(v4.next());
            if addresses.len() == before {
                break;
            }
        }
        addresses.truncate(DNS_ADDRESSES_MAX);
        Ok(addresses)
    }

    /// The search list, in order, lower case, without final dots.
    pub fn search_list(&self) -> Vec<String> {
        self.search.clone()
    }

    /// The machine's own domain, where the system names one.
    pub fn domain(&self) -> Option<String> {
        self.domain.clone()
    }

    /// Where updates of a zone go: the addresses of the primary server its SOA record names, or of
    /// its name servers where that one cannot be found (a hidden primary), with port 53.
    ///
    /// # Errors
    /// `DNS_ZONE_SERVER_UNKNOWN`, or what the lookup of the zone itself met.
    pub async fn zone_servers(&self, zone: &str) -> Result<Vec<SocketAddr>, Refusal> {
        let origin = name::full(zone)?;
        let mut hosts = Vec::new();
        let soa = self.lookup(origin.clone(), RecordType::SOA).await?;
        for answer in soa.answers() {
            if let RData::SOA(soa) = &answer.data {
                hosts.push(soa.mname.clone());
            }
        }
        let mut servers = self.server_addresses(&hosts).await;
        if servers.is_empty() {
            let ns = self.lookup(origin, RecordType::NS).await?;
            hosts.clear();
            for answer in ns.answers().iter().take(DNS_RECORDS_MAX) {
                if let RData::NS(ns) = &answer.data {
                    hosts.push(ns.0.clone());
                }
            }
            servers = self.server_addresses(&hosts).await;
        }
        if servers.is_empty() {
            return Err(Refusal::new(reason::DNS_ZONE_SERVER_UNKNOWN, zone));
        }
        Ok(servers)
    }

    async fn server_addresses(&self, hosts: &[Name]) -> Vec<SocketAddr> {
        let mut servers = Vec::new();
        for host in hosts {
            if let Ok(addresses) = self.addresses(&host.to_ascii()).await {
                servers.extend(addresses.into_iter().map(|ip| SocketAddr::new(ip, 53)));
            }
            if servers.len() >= DNS_ADDRESSES_MAX {
                break;
            }
        }
        servers.truncate(DNS_ADDRESSES_MAX);
        servers
    }

    async fn lookup(&self, name: Name, kind: RecordType) -> Result<Lookup, Refusal> {
        let what = || format!("{} {kind}", name::text(&name));
        self.within(what, self.inner.lookup(name.clone(), kind))
            .await
    }

    /// Bounds a lookup in time and names what it met.
    async fn within<T>(
        &self,
        what: impl Fn() -> String,
        lookup: impl Future<Output = Result<T, NetError>>,
    ) -> Result<T, Refusal> {
        let refusal = match tokio::time::timeout(LOOKUP_LIMIT, lookup).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => refusal(&what(), &error),
            Err(_) => Refusal::new(reason::DNS_SILENT, what()),
        };
        if refusal.reason == reason::DNS_SILENT && self.nothing_listens().await {
            return Err(Refusal::new(reason::DNS_UNREACHABLE, what()));
        }
        Err(refusal)
    }

    /// Over UDP an absent server looks like a silent one; TCP tells them apart.
    async fn nothing_listens(&self) -> bool {
        if self.servers.is_empty() {
            return false;
        }
        for server in &self.servers {
            let connect = tokio::net::TcpStream::connect(server);
            if !matches!(
                tokio::time::timeout(ATTEMPT_LIMIT, connect).await,
                Ok(Err(_))
            ) {
                return false;
            }
        }
        true
    }
}

/// A server at an address, over UDP and TCP.
fn at(server: SocketAddr) -> NameServerConfig {
    let mut name_server = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut name_server.connections {
        connection.port = server.port();
    }
    name_server
}

impl<P: ConnectionProvider> std::fmt::Debug for Resolver<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver")
            .field("domain", &self.domain)
            .field("search", &self.search)
            .finish_non_exhaustive()
    }
}

/// Reads a DNS server's address as `--dns-server` gives it: `ADDR`, `ADDR:PORT`, `[ADDR6]:PORT`;
/// port 53 by default.
///
/// # Errors
/// `DNS_SERVER_INVALID`.
pub fn parse_server(text: &str) -> Result<SocketAddr, Refusal> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse::<IpAddr>()
        .map(|ip| SocketAddr::new(ip, 53))
        .map_err(|_| Refusal::new(reason::DNS_SERVER_INVALID, format!("{text:?}")))
}

fn srv_records(text: &str, lookup: &Lookup) -> Result<Vec<SrvRecord>, Refusal> {
    let mut records = Vec::new();
    for answer in lookup.answers() {
        let RData::SRV(srv) = &answer.data else {
            continue;
        };
        if records.len() == DNS_RECORDS_MAX {
            return Err(Refusal::new(
                reason::DNS_TOO_MANY_RECORDS,
                format!("{text}: more than {DNS_RECORDS_MAX} SRV records"),
            ));
        }
        if !srv.target.is_root() {
            records.push(SrvRecord {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: name::text(&srv.target),
            });
        }
    }
    if records.is_empty() {
        return Err(Refusal::new(reason::DNS_NO_RECORD, format!("{text} SRV")));
    }
    Ok(records)
}

fn refusal(what: &str, error: &NetError) -> Refusal {
    let reason = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => code_reason(none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => code_reason(*code),
        NetError::Timeout => reason::DNS_SILENT,
        NetError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            reason::DNS_MALFORMED
        }
        NetError::Io(_) | NetError::NoConnections => reason::DNS_UNREACHABLE,
        NetError::Busy => reason::DNS_FAILED,
        _ => reason::DNS_MALFORMED,
    };
    if reason == reason::DNS_NO_SUCH_NAME || reason == reason::DNS_NO_RECORD {
        Refusal::new(reason, what)
    } else {
        Refusal::new(reason, format!("{what}: {error}"))
    }
}

fn code_reason(code: ResponseCode) -> Reason {
    match code {
        ResponseCode::NXDomain => reason::DNS_NO_SUCH_NAME,
        ResponseCode::NoError => reason::DNS_NO_RECORD,
        ResponseCode::Refused | ResponseCode::NotAuth => reason::DNS_REFUSED,
        _ => reason::DNS_FAILED,
    }
}
