//! Activation: every publisher's hosts in their order until one has answered for every product.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use muster_net::dns::Resolver;
use muster_proto::Refusal;
use muster_proto::client::asking::{self, About, Applied, Effect};
use muster_proto::client::discover::{self, HostAddr, Known, Place, Source, Srv};
use muster_proto::client::identity::Settings;
use muster_proto::client::judge::Judgement;
use muster_proto::client::state::{Holding, Noted};
use muster_proto::client::{rounds, schedule};
use muster_proto::ids::{ProductId, PublisherId};
use muster_proto::limits::ASK_HOSTS_MAX;
use muster_proto::reason::{client as reasons, config};
use muster_proto::statement::policy::Method;
use muster_proto::time::Timestamp;

use crate::control::{Client, Which, not_installed};
use crate::disk;
use crate::hardware::MachineHardware;
use crate::link::Question;
use crate::status::ProductStatus;
use crate::vault::Opened;

/// How long one activation waits for another on the same directory.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(60);
/// How often it looks whether the other is done.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What an activation came to.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The directory that was activated.
    pub dir: PathBuf,
    /// Whether every product asked about is licensed now, by this answer or by an earlier one.
    pub licensed: bool,
    /// Whether a host has granted leases for all of them just now.
    pub renewed: bool,
    /// Why, in one reason.
    pub reason: Refusal,
    /// The products asked about.
    pub products: Vec<ProductStatus>,
    /// The hosts that were tried, and lookups that failed, in order.
    pub tried: Vec<Tried>,
    /// What an administrator should know: another site serves, clocks differ, a new key was made.
    pub notes: Vec<Refusal>,
}

/// One host, or one lookup, that was tried.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The host as `HOST:PORT`, or the name looked up.
    pub host: String,
    /// Where it came from.
    pub source: &'static str,
    /// Whether it gave a verified answer.
    pub answered: bool,
    /// What came of it.
    pub outcome: Refusal,
}

impl Tried {
    /// What came of it, with the host named; what connecting met names it already.
    fn outcome_of_host(&self) -> Refusal {
        let (host, outcome) = (&self.host, &self.outcome);
        if outcome.detail.starts_with(host.as_str()) {
            return outcome.clone();
        }
        Refusal::new(outcome.reason, format!("{host}: {}", outcome.detail))
    }
}

/// Activates everything that `which` names.
pub(crate) async fn run(client: &Client, which: &Which) -> Result<Activation, Refusal> {
    let opened = client.vault().look()?;
    let publishers = which.publishers(&opened);
    if publishers.is_empty() {
        return Err(not_installed(&opened.state, which.shown()));
    }
    check_method(&opened.identity.settings)?;
    drop(opened);
    let _asking = wait_for_others(client).await?;
    let mut whole = Activation {
        dir: client.dir().to_path_buf(),
        licensed: true,
        renewed: true,
        reason: reasons::LICENSED.into(),
        products: Vec::new(),
        tried: Vec::new(),
        notes: Vec::new(),
    };
    for publisher in publishers {
        let opened = client.vault().look()?;
        let round = Round::begin(client, publisher, &opened)?;
        let done = round.run(opened, which).await?;
        whole.add(done);
    }
    whole.products = client.status(which)?.products;
    Ok(whole)
}

/// Refuses where the settings allow no host to be asked.
pub(crate) fn check_method(settings: &Settings) -> Result<(), Refusal> {
    match settings.method {
        Some(method) if method != Method::Kms => {
            let detail = format!("set-method allows {} alone", method.name());
            Err(Refusal::new(reasons::METHOD_NOT_ALLOWED, detail))
        }
        _ => Ok(()),
    }
}

impl Activation {
    fn add(&mut self, other: Self) {
        if self.licensed {
            self.reason = other.reason;
        }
        self.licensed &= other.licensed;
        self.renewed &= other.renewed;
        self.tried.extend(other.tried);
        self.notes.extend(other.notes);
    }
}

/// Takes the lock that is held from before a nonce is stored until its answer is.
pub(crate) async fn wait_for_others(client: &Client) -> Result<std::fs::File, Refusal> {
    let file = disk::lock_file(&client.dir().join("asking.lock"))?;
    let wait = async {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(TryLockError::Error(error)) => return Err(error.to_string()),
            }
        }
    };
    let busy = |detail: String| Refusal::new(config::DIRECTORY_BUSY, detail);
    match tokio::time::timeout(WAIT_FOR_OTHERS, wait).await {
        Ok(Ok(())) => Ok(file),
        Ok(Err(error)) => Err(busy(error)),
        Err(_) => Err(busy(format!(
            "{}: an ask is under way",
            client.dir().display()
        ))),
    }
}

/// One publisher's hosts, one after the other.
pub(crate) struct Round<'a> {
    client: &'a Client,
    publisher: PublisherId,
    /// Products that no host has granted yet in this round.
    left: Mutex<Vec<ProductId>>,
    tried: Vec<Tried>,
    notes: Vec<Refusal>,
    answered: Option<Refusal>,
    /// What decided whom to ask when the round began.
    begun: Option<Wiring>,
}

/// What decides whom to ask, and for what.
#[derive(PartialEq, Eq)]
struct Wiring {
    settings: Settings,
    hosts: Vec<HostAddr>,
    products: BTreeMap<ProductId, Vec<HostAddr>>,
}

impl Wiring {
    fn of(opened: &Opened, publisher: PublisherId) -> Option<Self> {
        let own = opened.identity.publishers.get(&publisher)?;
        let products = own.products.iter();
        Some(Self {
            settings: opened.identity.settings.clone(),
            hosts: own.hosts.clone(),
            products: products
                .map(|(product, kept)| (product.clone(), kept.hosts.clone()))
                .collect(),
        })
    }
}

impl<'a> Round<'a> {
    /// A round for all of a publisher's products.
    pub(crate) fn begin(
        client: &'a Client,
        publisher: PublisherId,
        opened: &Opened,
    ) -> Result<Self, Refusal> {
        let products = rounds::holding(&opened.state, publisher)?
            .products
            .keys()
            .cloned();
        Ok(Self {
            client,
            publisher,
            left: Mutex::new(products.collect()),
            tried: Vec::new(),
            notes: Vec::new(),
            answered: None,
            begun: Wiring::of(opened, publisher),
        })
    }

    async fn run(mut self, opened: Opened, which: &Which) -> Result<Activation, Refusal> {
        let resolver = self.client.resolver();
        let known = self.known(&opened, resolver.as_ref().ok());
        drop(opened);
        self.walk(&known, resolver).await;
        self.finish(which)
    }

    /// Everything known of hosts without a lookup.
    pub(crate) fn known(&self, opened: &Opened, resolver: Option<&Resolver>) -> Known {
        let settings = &opened.identity.settings;
        let own = opened.identity.publishers.get(&self.publisher);
        let holding = opened.state.publishers.get(&self.publisher);
        let product = own.into_iter().flat_map(|own| own.products.values());
        let last = holding.and_then(|holding| holding.last.as_ref());
        Known {
            product: product
                .flat_map(|kept| kept.hosts.iter().cloned())
                .collect(),
            publisher: own.map(|own| own.hosts.clone()).unwrap_or_default(),
            all: settings.hosts.clone(),
            last: last.and_then(|last| last.host.parse().ok()),
            domain: settings.domain.clone(),
            machine_domain: resolver
                .and_then(Resolver::domain)
                .or_else(|| self.client.machine().domain()),
            search_list: resolver.map(Resolver::search_list).unwrap_or_default(),
        }
    }

    /// Tries place after place until every product has its answer.
    async fn walk(&mut self, known: &Known, resolver: Result<Resolver, Refusal>) {
        let mut seen: Vec<HostAddr> = Vec::new();
        for place in discover::places(known) {
            let (hosts, source) = match place {
                Place::Host(host, source) => (vec![host], source),
                Place::Lookup(name, source) => match look_up(&name, &resolver).await {
                    Ok(hosts) => (hosts, source),
                    Err(refusal) => {
                        self.note_tried(name, source, false, refusal);
                        continue;
                    }
                },
            };
            for host in hosts {
                if seen.contains(&host) || seen.len() >= ASK_HOSTS_MAX {
                    continue;
                }
                seen.push(host.clone());
                if self.try_host(&host, source, resolver.as_ref().ok()).await {
                    return;
                }
            }
        }
    }

    /// Asks one host; tells whether no other is to be asked: nothing is left to ask for, or this
    /// machine could not keep the answer. Each host that answers counts the machine.
    pub(crate) async fn try_host(
        &mut self,
        host: &HostAddr,
        source: Source,
        resolver: Option<&Resolver>,
    ) -> bool {
        let about = |opened: &Opened| self.about(opened);
        let question = Question {
            vault: self.client.vault(),
            publisher: self.publisher,
            resolver,
            about: &about,
        };
        match question.ask(host).await {
            Err(refusal) => {
                tracing::info!(host = %host, code = refusal.reason.code(), "{refusal}");
                let is_last = disk::is_at_fault(&refusal);
                self.note_tried(host.to_string(), source, false, refusal);
                is_last
            }
            Ok(applied) => {
                self.take(&applied);
                let reason = applied.reason.clone();
                self.note_tried(host.to_string(), source, true, reason);
                self.is_done()
            }
        }
    }

    fn take(&mut self, applied: &Applied) {
        self.left
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .retain(|product| !applied.granted.contains(product));
        self.answered = Some(applied.reason.clone());
        for effect in &applied.effects {
            let note = match effect {
                Effect::SiteChanged { from, to } => {
                    let name =
                        |site: &Option<_>| site.as_ref().map_or("none".into(), ToString::to_string);
                    let detail = format!("{} before, {} now", name(from), name(to));
                    Refusal::new(reasons::SITE_CHANGED, detail)
                }
                Effect::ClocksDiffer { by, behind } => {
                    let which = if *behind { "behind" } else { "ahead of" };
                    let detail = format!("this machine's clock is {by} {which} the host's");
                    Refusal::new(reasons::LICENSED_BY_RUNNING_TIME, detail)
                }
                Effect::AskAgain => reasons::ORDER_OBEYED.into(),
                _ => continue,
            };
            tracing::warn!(code = note.reason.code(), "{note}");
            self.notes.push(note);
        }
    }

    pub(crate) fn left(&self) -> std::sync::MutexGuard<'_, Vec<ProductId>> {
        self.left
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether every product has its answer.
    pub(crate) fn is_done(&self) -> bool {
        self.left().is_empty()
    }

    /// What was tried last.
    pub(crate) fn last_tried(&self) -> Option<&Tried> {
        self.tried.last()
    }

    fn note_tried(&mut self, host: String, source: Source, answered: bool, outcome: Refusal) {
        self.tried.push(Tried {
            host,
            source: source.name(),
            answered,
            outcome,
        });
    }

    /// What the ask says, from the files as they are.
    fn about(&self, opened: &Opened) -> Result<About, Refusal> {
        let left = self.left().clone();
        let machine = self.client.machine();
        let mut hardware = MachineHardware::new(machine, self.publisher, opened.state.declared);
        let wanted = rounds::wanted(
            &opened.state,
            self.publisher,
            left.iter(),
            &mut hardware,
            opened.now,
        )?;
        let settings = &opened.identity.settings;
        let name = settings.tell_name.then(|| machine.host_name()).flatten();
        Ok(About {
            products: wanted.products,
            components: machine.tags(self.publisher),
            base_licence: wanted.base_licence,
            in_vm: machine.is_virtual(),
            version: self.client.version().to_owned(),
            name,
            user_identity: self.client.is_user_identity(),
            declared: opened.state.declared || machine.is_declared(),
            now: opened.now.wall,
        })
    }

    /// Judges everything, notes what was noticed, and sets the next ask.
    pub(crate) fn finish(self, which: &Which) -> Result<Activation, Refusal> {
        let renewed = self.left().is_empty();
        let failed = self.failure();
        let judged = self.client.vault().update(|opened| {
            if self.client.machine().is_declared() {
                opened.state.declared = true;
            }
            let judged = tend(opened, self.client, self.publisher)?;
            let all = judged.iter().all(|(_, judgement)| judgement.is_licensed());
            let is_unchanged = self.begun == Wiring::of(opened, self.publisher);
            if is_unchanged {
                set_next_ask(opened, self.publisher, renewed && all)?;
            }
            if let Some(holding) = opened.state.publishers.get_mut(&self.publisher) {
                if !is_unchanged {
                    // What was set meanwhile asks for another ask at once.
                    holding.next_ask = None;
                }
                self.note_failure(holding, failed.as_ref(), opened.now.wall);
            }
            Ok(judged)
        })?;
        let wanted: Vec<_> = judged
            .into_iter()
            .filter(|(product, _)| which.wants(self.publisher, product))
            .collect();
        let missing = wanted
            .iter()
            .find(|(_, judgement)| !judgement.is_licensed());
        let reason = match (missing, wanted.first()) {
            (None, Some((_, first))) => first.reason.clone(),
            (None, None) => reasons::NOT_INSTALLED.into(),
            (Some((_, judgement)), _) => self.why_not(judgement, failed),
        };
        Ok(Activation {
            dir: self.client.dir().to_path_buf(),
            licensed: missing.is_none() && !wanted.is_empty(),
            renewed,
            reason,
            products: Vec::new(),
            tried: self.tried,
            notes: self.notes,
        })
    }

    /// Notes why nobody answered. What a host answered was noted when it did, but for products that
    /// its answers had no room for.
    fn note_failure(&self, holding: &mut Holding, failed: Option<&Refusal>, now: Timestamp) {
        let mut left = self.left().clone();
        if self.answered.is_none() {
            holding.outcome = failed.map(Noted::of);
        } else {
            left.retain(|product| {
                let installed = holding.products.get(product);
                installed.is_some_and(|installed| installed.failed.is_none())
            });
        }
        if let Some(why) = failed.or(self.answered.as_ref()) {
            asking::note_failure(holding, &left, now, why);
        }
    }

    /// Why no host answered, where none did: the last thing tried says it.
    fn failure(&self) -> Option<Refusal> {
        if self.answered.is_some() {
            return None;
        }
        let hosts = self
            .tried
            .iter()
            .filter(|tried| tried.source.starts_with("DNS"));
        let looked_up = hosts.map(|tried| tried.host.clone()).collect::<Vec<_>>();
        let last = self
            .tried
            .iter()
            .rev()
            .find(|tried| !tried.host.starts_with('_'));
        Some(match last {
            Some(tried) => tried.outcome_of_host(),
            None => {
                let detail = match self.tried.last() {
                    None => "no host is configured and this machine has no DNS domain".to_owned(),
                    Some(tried) => format!("{}: {}", looked_up.join(", "), tried.outcome.reason),
                };
                Refusal::new(reasons::HOST_NONE, detail)
            }
        })
    }

    /// Of two reasons, the one that an administrator can act on.
    fn why_not(&self, judgement: &Judgement, failed: Option<Refusal>) -> Refusal {
        if let Some(failed) = failed {
            return failed;
        }
        match &self.answered {
            Some(answered) if answered.reason != reasons::LICENSED => answered.clone(),
            _ => judgement.reason.clone(),
        }
    }
}

/// Judges every product of a publisher and notes what was noticed for the first time.
pub(crate) fn tend(
    opened: &mut Opened,
    client: &Client,
    publisher: PublisherId,
) -> Result<Vec<(ProductId, Judgement)>, Refusal> {
    let mut hardware = MachineHardware::new(client.machine(), publisher, opened.state.declared);
    rounds::tend(&mut opened.state, publisher, &mut hardware, opened.now)
}

fn set_next_ask(opened: &mut Opened, publisher: PublisherId, renewed: bool) -> Result<(), Refusal> {
    let outcome = match renewed {
        true => schedule::Outcome::Renewed,
        false => schedule::Outcome::NotYet,
    };
    let random = (muster_machine::random::number() >> 32) as u32;
    rounds::plan(&mut opened.state, publisher, outcome, opened.now, random)
}

/// Looks SRV records up and puts them in order.
pub(crate) async fn look_up(
    name: &str,
    resolver: &Result<Resolver, Refusal>,
) -> Result<Vec<HostAddr>, Refusal> {
    let resolver = resolver.as_ref().map_err(Clone::clone)?;
    let records: Vec<Srv> = resolver
        .srv(name)
        .await?
        .into_iter()
        .map(|record| Srv {
            priority: record.priority,
            weight: record.weight,
            port: record.port,
            target: record.target,
        })
        .collect();
    let mut random = |below: u32| {
        let number = u128::from(muster_machine::random::number());
        u32::try_from((number * u128::from(below)) >> 64).expect("a share of a 32-bit number")
    };
    Ok(discover::order(&records, &mut random))
}
