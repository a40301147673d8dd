//! The diagnosis: what `muster client doctor` sees of this machine and of each host, in order. It
//! asks for real, as an activation does, under the same lock, and keeps the answer. What the
//! observations mean is `muster_proto::doctor::client`'s to say.

use std::net::SocketAddr;
use std::time::Duration;

use muster_machine::disk::try_directory;
use muster_net::dns::Resolver;
use muster_net::http::probe::{self, Spoken};
use muster_net::http::{ClientLimits, Dated};
use muster_proto::Refusal;
use muster_proto::client::asking::Host;
use muster_proto::client::discover::{self, HostAddr, Place, Source};
use muster_proto::client::evidence::{Compiled, Reader};
use muster_proto::client::judge;
use muster_proto::client::rounds;
use muster_proto::client::state::Holding;
use muster_proto::client::trusted_time::TrustedTime;
use muster_proto::doctor::Report;
use muster_proto::doctor::client::{
    AskSeen, ChainSeen, CountSeen, HostSeen, LicenceSeen, MachineSeen, PlaceSeen, ProductSeen,
    PublisherSeen, Seen, ServiceSeen,
};
use muster_proto::ids::{ProductId, PublisherId};
use muster_proto::limits::{ASK_HOSTS_MAX, CLIENT_TRY_BYTES, HTTP_CONNECT_SECONDS};
use muster_proto::reason::client as reasons;
use muster_proto::statement::policy::Method;
use muster_proto::time::Timestamp;
use muster_proto::wire::Hello;

use crate::activate::{Round, look_up, wait_for_others};
use crate::control::{Client, Which};
use crate::hardware::MachineHardware;
use crate::link;
use crate::vault::{Opened, Peeked};

impl Client {
    /// Goes through every step between this machine and a licence and tells what it saw. An ask that
    /// it makes is a real one and its answer is kept.
    pub async fn doctor(&self) -> Report {
        let peeked = self.vault().peek();
        let machine = machine(self, &peeked);
        let opened = &peeked.opened;
        let may_ask = may_ask(&machine);
        let lock = match may_ask {
            true => wait_for_others(self).await.ok(),
            false => None,
        };
        let not_asked = match (may_ask, &lock) {
            (true, None) => "another ask is under way in this directory",
            _ => "nothing can be stored here, and an ask is stored before it is sent",
        };
        let mut publishers = Vec::new();
        for publisher in Which::default().publishers(opened) {
            let visit = Visit {
                client: self,
                publisher,
                resolver: self.resolver(),
                may_ask: lock.is_some(),
                not_asked,
            };
            publishers.extend(visit.run(opened).await);
        }
        muster_proto::doctor::client::judge(&Seen {
            machine,
            publishers,
        })
    }
}

fn machine(client: &Client, peeked: &Peeked) -> MachineSeen {
    let opened = &peeked.opened;
    let settings = &opened.identity.settings;
    let machine = client.machine();
    let dir = client.dir();
    let mut floor = Timestamp::default();
    for holding in opened.state.publishers.values() {
        if let Ok(mut reader) = Reader::open(&opened.state, &holding.root) {
            floor = floor.max(reader.floor());
        }
    }
    let sysroot = machine.sysroot().display().to_string();
    MachineSeen {
        files: peeked.files.clone(),
        disk: dir.is_dir().then(|| try_directory(dir, CLIENT_TRY_BYTES)),
        sysroot: machine.is_declared().then_some(sysroot),
        components: machine.components().iter().map(|(kind, _)| *kind).collect(),
        products: products(opened),
        method: settings.method,
        site: settings.site.clone(),
        clock: opened.now.wall,
        floor,
        is_behind: TrustedTime::judge(opened.now, floor).behind,
    }
}

/// What an ask needs of this machine: nonces are stored before they are sent.
fn may_ask(machine: &MachineSeen) -> bool {
    let is_writable = machine.disk.as_ref().is_some_and(|disk| disk.write.is_ok());
    let is_allowed = machine.method.is_none_or(|method| method == Method::Kms);
    is_writable && is_allowed && !machine.cannot_read()
}

fn products(opened: &Opened) -> Vec<ProductSeen> {
    let mut seen = Vec::new();
    for (publisher, holding) in &opened.state.publishers {
        let own = opened.identity.publishers.get(publisher);
        let mut reader = Reader::open(&opened.state, &holding.root);
        for (product, installed) in &holding.products {
            let key = own.and_then(|own| own.products.get(product)?.key.as_ref());
            let policy = match &mut reader {
                Err(refusal) => Err(refusal.clone()),
                Ok(reader) => reader.policy(product),
            };
            seen.push(ProductSeen {
                product: product.to_string(),
                publisher: holding.root.name().to_owned(),
                last5: installed.last5.map(|last5| last5.to_string()),
                policy: policy.map(|policy| {
                    let policy = policy.claims;
                    (policy.version, key.map(|key| key.group() == policy.group))
                }),
            });
        }
    }
    seen
}

/// One publisher's hosts, looked at one after the other.
struct Visit<'a> {
    client: &'a Client,
    publisher: PublisherId,
    resolver: Result<Resolver, Refusal>,
    may_ask: bool,
    not_asked: &'static str,
}

impl Visit<'_> {
    async fn run(&self, opened: &Opened) -> Option<PublisherSeen> {
        let holding = opened.state.publishers.get(&self.publisher)?;
        let mut round = Round::begin(self.client, self.publisher, opened).ok()?;
        let known = round.known(opened, self.resolver.as_ref().ok());
        let (places, found) = self.find(discover::places(&known)).await;
        let mut hosts = Vec::new();
        for (host, source) in found {
            hosts.push(self.look_at(host, source, opened, &mut round).await);
        }
        if round.last_tried().is_some() {
            // What became of it is read back from the files below.
            let _ = round.finish(&Which::default());
        }
        let after = self.client.vault().peek().opened;
        Some(PublisherSeen {
            name: holding.root.name().to_owned(),
            places,
            hosts,
            licences: self.licences(&after),
        })
    }

    /// Every place, looked up where it has to be; and the hosts, each once.
    async fn find(&self, places: Vec<Place>) -> (Vec<PlaceSeen>, Vec<(HostAddr, Source)>) {
        let mut seen = Vec::new();
        let mut found: Vec<(HostAddr, Source)> = Vec::new();
        for place in places {
            let (hosts, source) = match place {
                Place::Host(host, source) => {
                    seen.push(PlaceSeen::Host(host.clone(), source));
                    (vec![host], source)
                }
                Place::Lookup(name, source) => {
                    let hosts = look_up(&name, &self.resolver).await;
                    seen.push(PlaceSeen::Lookup(name, source, hosts.clone()));
                    (hosts.unwrap_or_default(), source)
                }
            };
            for host in hosts {
                if found.len() < ASK_HOSTS_MAX && !found.iter().any(|(known, _)| *known == host) {
                    found.push((host, source));
                }
            }
        }
        (seen, found)
    }

    async fn look_at(
        &self,
        host: HostAddr,
        source: Source,
        opened: &Opened,
        round: &mut Round<'_>,
    ) -> HostSeen {
        let mut seen = HostSeen {
            addresses: link::addresses(&host, self.resolver.as_ref().ok()).await,
            host,
            source,
            ports: Vec::new(),
            service: None,
            date: None,
            chain: None,
            asked: None,
            not_asked: self.not_asked,
        };
        let addresses = seen.addresses.iter().flatten();
        let port = seen.host.port();
        let sockets: Vec<_> = addresses.map(|ip| SocketAddr::new(*ip, port)).collect();
        seen.ports = probe::ports(&sockets, Duration::from_secs(HTTP_CONNECT_SECONDS)).await;
        let open = seen.ports.iter().filter(|(_, tried)| tried.is_ok());
        let open: Vec<SocketAddr> = open.map(|(addr, _)| *addr).collect();
        if open.is_empty() {
            return seen;
        }
        self.greet(&open, opened, &mut seen).await;
        let is_certified = matches!(&seen.chain, Some(Ok(chain)) if !chain.certified.is_empty());
        if round.is_done() {
            seen.not_asked = "not asked: another host has answered for every product";
        } else if self.may_ask && is_certified {
            seen.asked = Some(self.ask(&seen.host, source, round).await);
        }
        seen
    }

    /// What answers, and the chain it shows.
    async fn greet(&self, open: &[SocketAddr], opened: &Opened, seen: &mut HostSeen) {
        let place = seen.host.to_string();
        let path = link::hello_path(self.publisher);
        let answer = match probe::look(open, &place, &path, ClientLimits::default()).await {
            Err(refusal) => {
                seen.service = Some(Err(refusal));
                return;
            }
            Ok(Spoken::Other(first)) => {
                let first = String::from_utf8_lossy(&first).into_owned();
                seen.service = Some(Ok(ServiceSeen::Other(first)));
                return;
            }
            Ok(Spoken::Http(answer)) => answer,
        };
        seen.date = answer.date;
        match hello_in(&answer) {
            None => {
                let first = link::first_line(&answer.body);
                seen.service = Some(Ok(ServiceSeen::Http(answer.status, first)));
            }
            Some(hello) => {
                seen.service = Some(Ok(ServiceSeen::Greeting));
                seen.chain = Some(self.verify(&hello, &place, opened));
            }
        }
    }

    fn verify(&self, hello: &Hello, place: &str, opened: &Opened) -> Result<ChainSeen, Refusal> {
        let holding = rounds::holding(&opened.state, self.publisher)?;
        let (revoked, floor) = rounds::known(&opened.state, holding)?;
        let pinned = opened.identity.settings.site.as_ref();
        let host = Host::greet(hello, place, holding, &revoked, pinned, floor)?;
        let cert = &host.verified.cert;
        let (certified, missing) = holding
            .products
            .keys()
            .partition::<Vec<&ProductId>, _>(|product| cert.products.holds(product));
        let named = |products: Vec<&ProductId>| products.iter().map(ToString::to_string).collect();
        Ok(ChainSeen {
            name: cert.name.clone(),
            site: cert.site().cloned(),
            not_after: cert.not_after,
            certified: named(certified),
            missing: named(missing),
        })
    }

    /// Asks as an activation does.
    async fn ask(&self, host: &HostAddr, source: Source, round: &mut Round<'_>) -> AskSeen {
        let before = round.left().clone();
        round
            .try_host(host, source, self.resolver.as_ref().ok())
            .await;
        let left = round.left().clone();
        let Some(tried) = round.last_tried() else {
            // Every try is noted.
            return AskSeen {
                is_answered: false,
                outcome: reasons::NEVER_LICENSED.into(),
                host_time: None,
                counts: Vec::new(),
            };
        };
        let (is_answered, outcome) = (tried.answered, tried.outcome.clone());
        let after = self.client.vault().peek().opened;
        let holding = after.state.publishers.get(&self.publisher);
        let last = holding.and_then(|holding| holding.last.as_ref());
        let last = last.filter(|last| is_answered && last.host == host.to_string());
        let granted = before.iter().filter(|product| !left.contains(product));
        AskSeen {
            is_answered,
            outcome,
            host_time: last.map(|last| last.host_time),
            counts: granted
                .filter_map(|product| self.count(product, &after))
                .collect(),
        }
    }

    fn count(&self, product: &ProductId, opened: &Opened) -> Option<CountSeen> {
        let judged = self.judge(
            opened.state.publishers.get(&self.publisher)?,
            product,
            opened,
        );
        Some(CountSeen {
            product: product.to_string(),
            count: judged.count?,
            required: judged.required?,
        })
    }

    fn licences(&self, opened: &Opened) -> Vec<LicenceSeen> {
        let Some(holding) = opened.state.publishers.get(&self.publisher) else {
            return Vec::new();
        };
        let licence = |product: &ProductId| {
            let judged = self.judge(holding, product, opened);
            LicenceSeen {
                product: product.to_string(),
                state: judged.state,
                until: judged.until,
                warning: judged.warning,
                reason: judged.reason,
            }
        };
        holding.products.keys().map(licence).collect()
    }

    fn judge(&self, holding: &Holding, product: &ProductId, opened: &Opened) -> judge::Judgement {
        let declared = opened.state.declared;
        let mut hardware = MachineHardware::new(self.client.machine(), self.publisher, declared);
        match Reader::open(&opened.state, &holding.root) {
            Err(refusal) => judge::Judgement::nothing(refusal),
            Ok(mut reader) => judge::judge_product(
                &mut reader,
                product,
                Compiled::default(),
                &mut hardware,
                opened.now,
            ),
        }
    }
}

/// The greeting in an answer, where it is one.
fn hello_in(answer: &Dated) -> Option<Hello> {
    match answer.status {
        200 => Hello::decode(&answer.body).ok(),
        _ => None,
    }
}
