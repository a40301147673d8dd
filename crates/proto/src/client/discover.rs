//! Whom to ask: hosts in the order of the protocol's page, and SRV records in the order of
//! RFC 2782. Random numbers are arguments; lookups are left to the caller, who does them one by one
//! as he gets there.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::limits::{ASK_HOSTS_MAX, HOST_BYTES_MAX};
use crate::reason::{Refusal, client as reasons};

/// The port of a KMS host where none is named.
pub const PORT_DEFAULT: u16 = 1_688;

/// The service's name in DNS, to be followed by a domain.
pub const SERVICE: &str = "_muster-kms._tcp";

/// A host's name or address, and its port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostAddr {
    host: String,
    port: u16,
}

impl HostAddr {
    /// A host as DNS names it: lower case, without the final dot.
    pub fn new(host: &str, port: u16) -> Result<Self, Refusal> {
        let wrong = |rule: &str| {
            let shown: String = host.chars().take(64).collect();
            Refusal::new(reasons::HOST_NAME_WRONG, format!("{shown:?} {rule}"))
        };
        // Before the checks: some letters become a letter and a mark that no name holds.
        let host = host.strip_suffix('.').unwrap_or(host).to_lowercase();
        if host.is_empty() || host.len() > HOST_BYTES_MAX - 7 {
            return Err(wrong("is empty or too long"));
        }
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let has_empty_label = host.starts_with('.') || host.ends_with('.') || host.contains("..");
        if !host.chars().all(allowed) || host.starts_with('-') || has_empty_label {
            return Err(wrong("is no name or address"));
        }
        if host.contains(':') && host.parse::<Ipv6Addr>().is_err() {
            return Err(wrong("is no IPv6 address"));
        }
        if port == 0 {
            return Err(wrong("has port 0"));
        }
        Ok(Self { host, port })
    }

    /// The name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address, where it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for HostAddr {
    type Err = Refusal;

    /// Reads `HOST`, `HOST:PORT`, an IPv4 address, an IPv6 address alone or in brackets, and with
    /// brackets also a port.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let wrong = |rule: &str| {
            let shown: String = text.chars().take(64).collect();
            Refusal::new(reasons::HOST_NAME_WRONG, format!("{shown:?} {rule}"))
        };
        let port_of = |port: &str| {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let number = port.parse().ok().filter(|_| digits);
            number.ok_or_else(|| wrong("has a port that is not 1 to 65535"))
        };
        if let Some(rest) = text.strip_prefix('[') {
            let (host, after) = rest
                .split_once(']')
                .ok_or_else(|| wrong("lacks a closing bracket"))?;
            host.parse::<Ipv6Addr>()
                .map_err(|_| wrong("holds no IPv6 address in its brackets"))?;
            let port = match after.strip_prefix(':') {
                Some(port) => port_of(port)?,
                None if after.is_empty() => PORT_DEFAULT,
                None => return Err(wrong("has something other than a port after its bracket")),
            };
            return Self::new(host, port);
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Self::new(text, PORT_DEFAULT);
        }
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => Err(wrong("is no IPv6 address")),
            Some((host, port)) => Self::new(host, port_of(port)?),
            None => Self::new(text, PORT_DEFAULT),
        }
    }
}

/// As it is read; the port is always written.
impl fmt::Display for HostAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Where a host comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Configured for the product.
    Product,
    /// Configured for the publisher.
    Publisher,
    /// Configured for all.
    All,
    /// The last one that worked.
    Last,
    /// DNS, in the configured domain.
    ConfiguredDomain,
    /// DNS, in the machine's domain.
    MachineDomain,
    /// DNS, in a domain of the search list.
    SearchList,
}

impl Source {
    /// The source in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Product => "configured for the product",
            Self::Publisher => "configured for the publisher",
            Self::All => "configured for all",
            Self::Last => "the last that worked",
            Self::ConfiguredDomain => "DNS, configured domain",
            Self::MachineDomain => "DNS, the machine's domain",
            Self::SearchList => "DNS, search list",
        }
    }
}

/// What is known of hosts before anything is looked up.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Configured for the products that are asked for.
    pub product: Vec<HostAddr>,
    /// Configured for the publisher.
    pub publisher: Vec<HostAddr>,
    /// Configured for all publishers.
    pub all: Vec<HostAddr>,
    /// The last host that answered.
    pub last: Option<HostAddr>,
    /// The configured domain.
    pub domain: Option<String>,
    /// The machine's own domain.
    pub machine_domain: Option<String>,
    /// The resolver's search list.
    pub search_list: Vec<String>,
}

/// One step of finding hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Try this host.
    Host(HostAddr, Source),
    /// Look these SRV records up, order them with [`order`], and try them.
    Lookup(String, Source),
}

/// The steps in order: configured for the product, for the publisher, for all, the last that
/// worked, SRV in the configured domain, in the machine's, in each of the search list. What stands
/// twice is left out where it stands second.
pub fn places(known: &Known) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let hosts = [
        (&known.product, Source::Product),
        (&known.publisher, Source::Publisher),
        (&known.all, Source::All),
    ];
    let configured = hosts
        .into_iter()
        .flat_map(|(hosts, source)| hosts.iter().map(move |host| (host, source)));
    for (host, source) in configured.chain(known.last.iter().map(|host| (host, Source::Last))) {
        let again = |place: &Place| matches!(place, Place::Host(other, _) if other == host);
        if !places.iter().any(again) {
            places.push(Place::Host(host.clone(), source));
        }
    }
    let configured = known.domain.iter().map(|d| (d, Source::ConfiguredDomain));
    let machine = known
        .machine_domain
        .iter()
        .map(|d| (d, Source::MachineDomain));
    let search = known.search_list.iter().map(|d| (d, Source::SearchList));
    for (domain, source) in configured.chain(machine).chain(search) {
        let domain = domain.trim().trim_matches('.').to_lowercase();
        let name = format!("{SERVICE}.{domain}");
        let again = |place: &Place| matches!(place, Place::Lookup(other, _) if *other == name);
        if !domain.is_empty() && !places.iter().any(again) {
            places.push(Place::Lookup(name, source));
        }
    }
    places.truncate(ASK_HOSTS_MAX);
    places
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among those of one priority.
    pub weight: u16,
    /// TCP port.
    pub port: u16,
    /// The host's name.
    pub target: String,
}

/// Orders records as RFC 2782 says: by priority, and within one priority drawn by weight without
/// putting back, where records of weight 0 have a very small chance of being drawn first. `random`
/// gives a number below its argument, all equally likely. Records that name no host are left out.
pub fn order(records: &[Srv], random: &mut dyn FnMut(u32) -> u32) -> Vec<HostAddr> {
    let mut left: Vec<&Srv> = records.iter().collect();
    // Weight 0 stands first in each priority: so the draw's rule reaches it with the smallest chance.
    left.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut hosts = Vec::with_capacity(left.len());
    // Cut after ordering: a server gives many records in any order, the preferred one anywhere.
    while let Some(first) = left.first().filter(|_| hosts.len() < ASK_HOSTS_MAX) {
        let group = left
            .iter()
            .take_while(|record| record.priority == first.priority);
        let weights: Vec<u32> = group.map(|record| u32::from(record.weight)).collect();
        let record = left.remove(draw(&weights, random));
        let host = HostAddr::new(&record.target, record.port).ok();
        hosts.extend(host.filter(|host| !hosts.contains(host)));
    }
    hosts
}

/// Draws one place of a group: the first whose running sum of weights is at or above a number from
/// 0 to their total. Without weights all are equally likely: RFC 2782 leaves their order open, and
/// hosts that nobody gave a weight should share the asks.
fn draw(weights: &[u32], random: &mut dyn FnMut(u32) -> u32) -> usize {
    let total: u32 = weights.iter().sum();
    if total == 0 {
        let below = u32::try_from(weights.len()).expect("an answer holds few records");
        return random(below) as usize;
    }
    let drawn = random(total + 1);
    let mut sum = 0;
    let reached = |weight: &u32| {
        sum += weight;
        sum >= drawn
    };
    weights.iter().position(reached).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostAddr {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_are_read_in_every_form() {
        for (text, shown) in [
            ("KMS.corp.test", "kms.corp.test:1688"),
            ("kms.corp.test.:1700", "kms.corp.test:1700"),
            (" 192.0.2.7 ", "192.0.2.7:1688"),
            ("192.0.2.7:1", "192.0.2.7:1"),
            ("2001:DB8::1", "[2001:db8::1]:1688"),
            ("[2001:db8::1]", "[2001:db8::1]:1688"),
            ("[::1]:65535", "[::1]:65535"),
        ] {
            assert_eq!(host(text).to_string(), shown, "{text}");
            assert_eq!(host(&host(text).to_string()), host(text));
        }
        for wrong in [
            "",
            ".",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:b",
            "a b",
            "[::1",
            "[::1]x",
            "[a]:1",
            "::1:2:x",
            "a/b",
            "-a",
            "[192.0.2.1]:1",
            "1:2:3",
        ] {
            let refusal = wrong.parse::<HostAddr>().unwrap_err();
            assert_eq!(refusal.reason, reasons::HOST_NAME_WRONG, "{wrong:?}");
        }
        assert!("a".repeat(300).parse::<HostAddr>().is_err());
    }

    #[test]
    fn the_order_is_the_protocols_and_nothing_stands_twice() {
        let known = Known {
            product: vec![host("p")],
            publisher: vec![host("q"), host("p")],
            all: vec![host("r")],
            last: Some(host("q")),
            domain: Some("Corp.Test.".into()),
            machine_domain: Some("branch.corp.test".into()),
            search_list: vec!["corp.test".into(), "".into(), "lab.test".into()],
        };
        let lookup = |domain: &str, source| Place::Lookup(format!("{SERVICE}.{domain}"), source);
        assert_eq!(
            places(&known),
            [
                Place::Host(host("p"), Source::Product),
                Place::Host(host("q"), Source::Publisher),
                Place::Host(host("r"), Source::All),
                lookup("corp.test", Source::ConfiguredDomain),
                lookup("branch.corp.test", Source::MachineDomain),
                lookup("lab.test", Source::SearchList),
            ]
        );
    }

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv {
            priority,
            weight,
            port: 1_688,
            target: target.into(),
        }
    }

    #[test]
    fn lower_priorities_come_first_and_what_names_no_host_is_left_out() {
        let records = [
            srv(10, 9, "late"),
            srv(0, 0, "early."),
            srv(0, 0, "bad name"),
            srv(0, 5, "EARLY"),
        ];
        for seed in 0..16 {
            let found = order(&records, &mut |below| seed % below);
            assert_eq!(found, [host("early"), host("late")]);
        }
    }

    #[test]
    fn weight_zero_is_drawn_first_by_the_number_zero_only() {
        let records = [srv(0, 100, "heavy"), srv(0, 0, "light")];
        for drawn in 0..=100 {
            let mut first = Some(drawn);
            let found = order(&records, &mut |below| {
                first.take().unwrap_or(0).min(below - 1)
            });
            assert_eq!(found[0] == host("light"), drawn == 0, "{drawn}");
        }
    }

    /// How often each of the records comes first, over all numbers that can be drawn.
    fn shares(records: &[Srv], numbers: u32) -> Vec<usize> {
        let firsts: Vec<HostAddr> = (0..numbers)
            .map(|drawn| order(records, &mut |below| drawn.min(below - 1)).remove(0))
            .collect();
        let count = |record: &Srv| {
            let is_it = |first: &&HostAddr| **first == host(&record.target);
            firsts.iter().filter(is_it).count()
        };
        records.iter().map(count).collect()
    }

    #[test]
    fn each_host_s_share_is_its_weight() {
        let records = [srv(0, 30, "most"), srv(0, 10, "few"), srv(9, 99, "late")];
        assert_eq!(shares(&records, 41), [31, 10, 0]);
        let records = [srv(0, 0, "a"), srv(0, 0, "b"), srv(0, 0, "c")];
        assert_eq!(shares(&records, 3), [1, 1, 1], "nobody gave them a weight");
    }

    #[test]
    fn the_preferred_host_is_found_among_many_records() {
        let mut records: Vec<Srv> = (0..60).map(|n| srv(20, 0, &format!("late{n}"))).collect();
        records.push(srv(10, 0, "early"));
        let found = order(&records, &mut |_| 0);
        assert_eq!(found[0], host("early"));
        assert_eq!(found.len(), ASK_HOSTS_MAX);
    }
}
