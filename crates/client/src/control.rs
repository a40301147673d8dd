//! The administrator's verbs on one directory. Each works while the service runs on it and takes
//! effect without a restart.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_machine::Machine;
use muster_net::dns::Resolver;
use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::discover::HostAddr;
use muster_proto::client::identity::{Identity, Own};
use muster_proto::client::install;
use muster_proto::client::state::{Holding, State};
use muster_proto::ids::{ProductId, PublisherId, SiteId, Thumbprint};
use muster_proto::key::{Channel, Last5, ProductKey};
use muster_proto::limits::{
    CLIENT_PUBLISHERS_MAX, CONFIGURED_HOSTS_MAX, HOST_BYTES_MAX, PRODUCTS_MAX, ROOT_BYTES_MAX,
};
use muster_proto::reason::{client as reasons, config};
use muster_proto::statement::policy::Method;
use muster_proto::statement::root::Root;
use muster_proto::statement::{Envelope, Typ};
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::Bundle;

use crate::activate::{self, Activation, tend};
use crate::clock::{Clock, RealClock, moment};
use crate::status::{Status, describe};
use crate::vault::{Opened, Vault};
use crate::{dirs, disk, sdk};

/// How a client is opened.
#[derive(Clone)]
pub struct Options {
    /// The directory with its two files.
    pub dir: PathBuf,
    /// Where the machine is read from, where its hardware is declared.
    pub sysroot: Option<PathBuf>,
    /// The DNS server to ask instead of the system's.
    pub dns_server: Option<SocketAddr>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The asking program and its version, as hosts see it.
    pub version: String,
}

impl Options {
    /// This machine, its clocks and its DNS.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            sysroot: None,
            dns_server: None,
            clock: Arc::new(RealClock),
            version: concat!("muster ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// What a verb works on: everything installed, or less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// One publisher.
    pub publisher: Option<PublisherId>,
    /// One product.
    pub product: Option<ProductId>,
}

impl Which {
    /// One product, of whichever publisher.
    pub fn product(product: ProductId) -> Self {
        Self {
            publisher: None,
            product: Some(product),
        }
    }

    pub(crate) fn wants(&self, publisher: PublisherId, product: &ProductId) -> bool {
        self.publisher.is_none_or(|wanted| wanted == publisher)
            && self.product.as_ref().is_none_or(|wanted| wanted == product)
    }

    pub(crate) fn publishers(&self, opened: &Opened) -> Vec<PublisherId> {
        let wanted = opened
            .state
            .publishers
            .iter()
            .filter(|(publisher, holding)| {
                let mut products = holding.products.keys();
                products.any(|product| self.wants(**publisher, product))
            });
        wanted.map(|(publisher, _)| *publisher).collect()
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.product {
            Some(product) => write!(f, "{product}"),
            None => f.write_str("nothing is installed in this directory"),
        }
    }
}

/// A product by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductName {
    /// The product's id.
    pub product: ProductId,
    /// The publisher's id.
    pub publisher: PublisherId,
    /// The publisher's display name.
    pub publisher_name: String,
}

/// What an installed key is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInstalled {
    /// The product.
    pub name: ProductName,
    /// The key's last group.
    pub last5: Last5,
    /// The fingerprint of the root that is pinned now, to be compared with the publisher's.
    pub fingerprint: Thumbprint,
    /// Whether the publisher's root was pinned before.
    pub root_known: bool,
    /// The key that was replaced.
    pub replaced: Option<Last5>,
    /// `INSTALLED` or `KEY_CHANGED`.
    pub reason: Refusal,
}

/// What is known of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeReport {
    /// The machine's clock.
    pub wall: Timestamp,
    /// What answers have proved.
    pub floor: Timestamp,
    /// Whether the clock is behind it.
    pub behind: Option<Span>,
    /// The last host's time, and the machine's when it answered.
    pub last: Option<(Timestamp, Timestamp)>,
    /// What came of asking hosts.
    pub asked: Refusal,
}

/// One statement for an independent verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// A file name that tells it from the others.
    pub name: String,
    /// The bytes of the specification.
    pub bytes: Vec<u8>,
}

/// One client on one directory.
pub struct Client {
    options: Options,
    machine: Machine,
    vault: Vault,
}

impl Client {
    /// Opens nothing yet; every verb reads what is there then.
    pub fn new(options: Options) -> Self {
        Self {
            machine: Machine::at(options.sysroot.as_deref()),
            vault: Vault::new(options.dir.clone(), Arc::clone(&options.clock)),
            options,
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// Installs a product key with its product's policy bundle, or changes the key of a product
    /// that is installed. `insisted` is the fingerprint that the bundle's root must have.
    ///
    /// # Errors
    /// `ROOT_DIFFERS`; `ROOT_UNKNOWN` where another root of the publisher is pinned; the key's
    /// channel or group does not fit; what is wrong with the bundle; a disk that fails.
    pub fn install_key(
        &self,
        key: &ProductKey,
        bundle: &[u8],
        insisted: Option<&Thumbprint>,
    ) -> Result<KeyInstalled, Refusal> {
        key.require_channel(&[Channel::GenericVolume])?;
        let bundle = Bundle::decode(bundle)?;
        if let Some(insisted) = insisted {
            install::check_root(&bundle, insisted)?;
        }
        let policy = bundle.verify()?.policy.claims;
        key.require_group(policy.group)?;
        self.vault.update(|opened| {
            if self.machine.is_declared() {
                opened.state.declared = true;
            }
            let publisher = bundle.root.publisher();
            let root_known = opened.state.publishers.contains_key(&publisher);
            pin(opened, &bundle.root)?;
            let holding = opened.state.publishers.get_mut(&publisher);
            let holding = holding.ok_or_else(|| Refusal::from(reasons::NOT_INSTALLED))?;
            let is_new = !holding.products.contains_key(&policy.product);
            if is_new && holding.products.len() >= PRODUCTS_MAX {
                let detail = format!("at most {PRODUCTS_MAX} of one publisher");
                return Err(Refusal::new(reasons::PRODUCTS_TOO_MANY, detail));
            }
            install::take_bundle(holding, &bundle)?;
            let replaced = put_key(opened, publisher, &policy.product, key);
            install::settle(&mut opened.state, publisher);
            Ok(KeyInstalled {
                name: name(&bundle.root, &policy.product),
                last5: key.last5(),
                fingerprint: bundle.root.fingerprint(),
                root_known,
                reason: match replaced {
                    Some(old) if old != key.last5() => reasons::KEY_CHANGED.into(),
                    _ => reasons::INSTALLED.into(),
                },
                replaced,
            })
        })
    }

    /// Changes the key of an installed product whose policy stays as it is: the one whose policy
    /// names the key's group.
    ///
    /// # Errors
    /// `WRONG_PRODUCT` when no installed product fits the key, `PRODUCT_AMBIGUOUS` when several do.
    pub fn change_key(&self, key: &ProductKey, which: &Which) -> Result<KeyInstalled, Refusal> {
        key.require_channel(&[Channel::GenericVolume])?;
        self.vault.update(|opened| {
            let mut fitting = Vec::new();
            for (publisher, holding) in &opened.state.publishers {
                let mut reader =
                    muster_proto::client::evidence::Reader::open(&opened.state, &holding.root)?;
                for product in holding.products.keys() {
                    let fits = reader
                        .policy(product)
                        .is_ok_and(|policy| policy.claims.group == key.group());
                    if fits && which.wants(*publisher, product) {
                        fitting.push((*publisher, product.clone(), holding.root.clone()));
                    }
                }
            }
            let [(publisher, product, root)] = fitting.as_slice() else {
                let detail = format!("{} installed products fit the key", fitting.len());
                return Err(match fitting.len() {
                    0 => Refusal::new(muster_proto::reason::key::WRONG_PRODUCT, detail),
                    _ => Refusal::new(reasons::PRODUCT_AMBIGUOUS, detail),
                });
            };
            let replaced = put_key(opened, *publisher, product, key);
            Ok(KeyInstalled {
                name: name(root, product),
                last5: key.last5(),
                fingerprint: root.fingerprint(),
                root_known: true,
                replaced,
                reason: reasons::KEY_CHANGED.into(),
            })
        })
    }

    /// Removes products with their keys and leases. The machine's identity for the publisher stays:
    /// installed again, it is the same machine to its hosts.
    ///
    /// # Errors
    /// `NOT_INSTALLED`.
    pub fn remove_key(&self, which: &Which) -> Result<Vec<ProductName>, Refusal> {
        self.vault.update(|opened| {
            let names = wanted(opened, which)?;
            for gone in &names {
                if let Some(holding) = opened.state.publishers.get_mut(&gone.publisher) {
                    holding.products.remove(&gone.product);
                }
                if let Some(own) = opened.identity.publishers.get_mut(&gone.publisher) {
                    own.products.remove(&gone.product);
                }
            }
            Ok(names)
        })
    }

    /// Takes products over from another directory, without its keys and leases: an unprivileged
    /// product where the machine's directory is the service's.
    pub(crate) fn adopt(&self, from: &Path, which: &Which) -> Result<(), Refusal> {
        let state = sdk::load(from)?;
        self.vault.update(|opened| {
            for (publisher, theirs) in &state.publishers {
                let products = theirs.products.iter();
                let wanted: Vec<_> = products
                    .filter(|(product, _)| which.wants(*publisher, product))
                    .collect();
                if wanted.is_empty() {
                    continue;
                }
                pin(opened, &theirs.root)?;
                let holding = opened.state.publishers.get_mut(publisher);
                let own = opened.identity.publishers.get_mut(publisher);
                let (Some(holding), Some(own)) = (holding, own) else {
                    continue;
                };
                if holding.revocations.is_empty() {
                    holding.revocations.clone_from(&theirs.revocations);
                }
                for (product, installed) in wanted {
                    own.products.entry(product.clone()).or_default();
                    let mine = holding.products.entry(product.clone()).or_default();
                    mine.last5 = mine.last5.or(installed.last5);
                    // A newer policy of a later release is fetched from the host.
                    if mine.policy.is_none() {
                        mine.policy.clone_from(&installed.policy);
                        mine.marks.installed = opened.now;
                    }
                }
            }
            Ok(())
        })
    }

    /// Asks hosts now. An error means that nobody could be asked; whatever hosts said or failed to
    /// say is in the outcome.
    ///
    /// # Errors
    /// `NOT_INSTALLED`, `METHOD_NOT_ALLOWED`, `DIRECTORY_BUSY`, a disk that fails.
    pub async fn activate(&self, which: &Which) -> Result<Activation, Refusal> {
        activate::run(self, which).await
    }

    /// What is known, from the disk alone.
    ///
    /// # Errors
    /// What is wrong with a damaged state; a directory without a state holds no products.
    pub fn status(&self, which: &Which) -> Result<Status, Refusal> {
        let state = match sdk::load(self.dir()) {
            Ok(state) => state,
            Err(refusal) if refusal.reason == reasons::STATE_LOST => State::default(),
            Err(refusal) => return Err(refusal),
        };
        let now = moment(self.vault.clock(), &state.written);
        let wants =
            |holding: &Holding, product: &ProductId| which.wants(holding.root.publisher(), product);
        Ok(describe(
            &state,
            &self.machine,
            now,
            self.is_user_identity(),
            wants,
        ))
    }

    /// Sets the hosts for a product, a publisher, or all.
    ///
    /// # Errors
    /// `HOST_NAME_WRONG` for too many, `NOT_INSTALLED`.
    pub fn set_host(&self, hosts: &[HostAddr], which: &Which) -> Result<(), Refusal> {
        if hosts.len() > CONFIGURED_HOSTS_MAX {
            let detail = format!("at most {CONFIGURED_HOSTS_MAX}");
            return Err(Refusal::new(reasons::HOST_NAME_WRONG, detail));
        }
        self.vault.update(|opened| {
            ask_soon(&mut opened.state);
            if *which == Which::default() {
                opened.identity.settings.hosts = hosts.to_vec();
                return Ok(());
            }
            let names = match &which.product {
                Some(_) => wanted(opened, which)?,
                None => Vec::new(),
            };
            for (publisher, own) in &mut opened.identity.publishers {
                if which.product.is_none() && which.publisher == Some(*publisher) {
                    own.hosts = hosts.to_vec();
                }
                let of_publisher = names.iter().filter(|name| name.publisher == *publisher);
                for name in of_publisher {
                    if let Some(kept) = own.products.get_mut(&name.product) {
                        kept.hosts = hosts.to_vec();
                    }
                }
            }
            Ok(())
        })
    }

    /// Forgets configured hosts: DNS finds them again. With no product named, all of them.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn clear_host(&self, which: &Which) -> Result<(), Refusal> {
        if *which != Which::default() {
            return self.set_host(&[], which);
        }
        self.settings(|identity| {
            identity.settings.hosts.clear();
            for own in identity.publishers.values_mut() {
                own.hosts.clear();
                own.products
                    .values_mut()
                    .for_each(|kept| kept.hosts.clear());
            }
        })
    }

    /// Sets or clears the domain in which hosts are looked up first.
    ///
    /// # Errors
    /// `HOST_NAME_WRONG`.
    pub fn set_domain(&self, domain: Option<&str>) -> Result<(), Refusal> {
        let domain = domain.map(|domain| domain.trim().trim_matches('.').to_lowercase());
        if let Some(domain) = &domain {
            let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
            let too_long = domain.is_empty() || domain.len() > HOST_BYTES_MAX - 32;
            if too_long || !domain.chars().all(allowed) {
                let shown: String = domain.chars().take(64).collect();
                let detail = format!("{shown:?} is no DNS domain");
                return Err(Refusal::new(reasons::HOST_NAME_WRONG, detail));
            }
        }
        self.settings(|identity| identity.settings.domain = domain)
    }

    /// Allows one method alone, or all.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn set_method(&self, method: Option<Method>) -> Result<(), Refusal> {
        self.settings(|identity| identity.settings.method = method)
    }

    /// Pins the site whose hosts may serve this machine, or allows all.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn set_site(&self, site: Option<SiteId>) -> Result<(), Refusal> {
        self.settings(|identity| identity.settings.site = site)
    }

    /// Whether asks tell the machine's name.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn set_tell_name(&self, tell: bool) -> Result<(), Refusal> {
        self.settings(|identity| identity.settings.tell_name = tell)
    }

    /// Asks hosts for the time and compares it with this machine's. A host's answer makes leases
    /// count again; only time the authority signs moves the floor back, which this release cannot
    /// ask for.
    ///
    /// # Errors
    /// As [`Client::activate`].
    pub async fn set_time(&self) -> Result<TimeReport, Refusal> {
        let asked = self.activate(&Which::default()).await?;
        let state = sdk::load(self.dir())?;
        let floor = state
            .publishers
            .values()
            .map(|holding| holding.floor.at())
            .max();
        let floor = floor.unwrap_or_default();
        let wall = self.vault.clock().wall();
        let newest = state
            .publishers
            .values()
            .filter_map(|holding| holding.last.as_ref());
        let newest = newest.max_by_key(|last| last.at);
        Ok(TimeReport {
            wall,
            floor,
            behind: (wall < floor).then(|| floor.since(wall)),
            last: newest.map(|last| (last.host_time, last.at)),
            asked: match asked.tried.iter().any(|tried| tried.answered) {
                true => asked.reason,
                false => Refusal::new(reasons::NO_AUTHORITY_TIME, asked.reason.to_string()),
            },
        })
    }

    /// Gives the grace that the policies allow for images.
    ///
    /// # Errors
    /// `NOT_INSTALLED`, `REARM_NOT_ALLOWED`, `REARM_SPENT`, `REARM_NEEDLESS`; then nothing is
    /// rearmed.
    pub fn rearm(&self, which: &Which) -> Result<Vec<ProductName>, Refusal> {
        self.vault.update(|opened| {
            let names = wanted(opened, which)?;
            for name in &names {
                let judged = tend(opened, self, name.publisher)?;
                let judged = judged.iter().find(|(product, _)| *product == name.product);
                let licensed = judged.is_some_and(|(_, it)| it.state == LicenceState::Licensed);
                rearm_one(opened, name, licensed)?;
            }
            Ok(names)
        })
    }

    /// Forgets keys of this machine, tickets, leases and moments, and keeps what is installed and
    /// set, and a rearm that is spent: for an image before it is copied.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn reset_identity(&self) -> Result<(), Refusal> {
        self.vault.update(|opened| {
            for own in opened.identity.publishers.values_mut() {
                let seed = muster_machine::random::bytes::<32>();
                *own = Own {
                    hosts: std::mem::take(&mut own.hosts),
                    products: std::mem::take(&mut own.products),
                    ..Own::new(own.root.clone(), &seed)
                };
            }
            for (publisher, holding) in &mut opened.state.publishers {
                let fresh = Holding {
                    revocations: std::mem::take(&mut holding.revocations),
                    products: std::mem::take(&mut holding.products),
                    ..Holding::new(holding.root.clone())
                };
                *holding = fresh;
                for installed in holding.products.values_mut() {
                    installed.lease = None;
                    installed.counted = None;
                    installed.refused = None;
                    // Graces that have begun go on, or every reset would give them again.
                    let marks = installed.marks;
                    installed.marks = Default::default();
                    installed.marks.installed = marks.installed;
                    installed.marks.rearmed = marks.rearmed;
                    installed.marks.rearm_spent = marks.rearm_spent;
                }
                if let Some(own) = opened.identity.publishers.get(publisher) {
                    muster_proto::client::asking::note_keys(own, holding);
                }
            }
            Ok(())
        })
    }

    /// Leases with their chains, and what they stand on: roots, policies, revocations.
    ///
    /// # Errors
    /// `NOTHING_TO_EXPORT`, or what is wrong with a damaged state.
    pub fn export(&self, which: &Which) -> Result<Vec<Exported>, Refusal> {
        let state = sdk::load(self.dir())?;
        let mut files = Vec::new();
        let mut leases = 0;
        for (publisher, holding) in &state.publishers {
            let products = holding.products.iter();
            let wanted = products.filter(|(product, _)| which.wants(*publisher, product));
            let before = files.len();
            for (product, installed) in wanted {
                let held = installed.lease.as_ref().or(installed.counted.as_ref());
                if let Some(held) = held {
                    leases += 1;
                    let bytes = carrying(&held.statement.bytes, Typ::Lease, &held.statement.chain)?;
                    files.push(exported(publisher, product.as_str(), "lease", bytes));
                }
                if let Some(policy) = &installed.policy {
                    let bytes = carrying(&policy.bytes, Typ::Policy, &policy.chain)?;
                    files.push(exported(publisher, product.as_str(), "policy", bytes));
                }
            }
            if files.len() > before {
                files.push(exported(
                    publisher,
                    "publisher",
                    "root",
                    holding.root.encode(),
                ));
                for (number, delta) in holding.revocations.iter().enumerate() {
                    let name = format!("{number}");
                    files.push(exported(publisher, &name, "revocations", delta.clone()));
                }
            }
        }
        if leases == 0 {
            return Err(reasons::NOTHING_TO_EXPORT.into());
        }
        Ok(files)
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(crate) fn version(&self) -> &str {
        &self.options.version
    }

    /// Whether the files lie in a user's own directory and not in the machine's.
    pub(crate) fn is_user_identity(&self) -> bool {
        dirs::user().is_some_and(|user| user == self.options.dir)
    }

    pub(crate) fn resolver(&self) -> Result<Resolver, Refusal> {
        match self.options.dns_server {
            Some(server) => Resolver::with_server(server),
            None => Resolver::system(),
        }
    }

    fn settings(&self, change: impl FnOnce(&mut Identity)) -> Result<(), Refusal> {
        self.vault.update(|opened| {
            change(&mut opened.identity);
            ask_soon(&mut opened.state);
            Ok(())
        })
    }
}

/// What was set decides whom to ask: a running service asks again at once.
fn ask_soon(state: &mut State) {
    for holding in state.publishers.values_mut() {
        holding.next_ask = None;
    }
}

/// Reads `--root FILE|FINGERPRINT`: a root file's fingerprint, or the fingerprint itself.
///
/// # Errors
/// `ID_WRONG` for what is neither, or what is wrong with the root file.
pub fn parse_root(text: &str) -> Result<Thumbprint, Refusal> {
    match disk::read(Path::new(text), ROOT_BYTES_MAX, disk::PUBLIC) {
        Ok(Some(bytes)) => Ok(Root::decode(&bytes)?.fingerprint()),
        Ok(None) => text.parse(),
        Err(refusal) if refusal.reason == config::FILE_UNREADABLE => {
            text.parse().map_err(|_| refusal)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Pins a root: a publisher that is pinned stays with the root it has.
fn pin(opened: &mut Opened, root: &Root) -> Result<(), Refusal> {
    let publisher = root.publisher();
    let known = opened.state.publishers.len();
    if !opened.state.publishers.contains_key(&publisher) && known >= CLIENT_PUBLISHERS_MAX {
        let detail = format!("at most {CLIENT_PUBLISHERS_MAX} publishers");
        return Err(Refusal::new(reasons::PRODUCTS_TOO_MANY, detail));
    }
    let holding = opened
        .state
        .publishers
        .entry(publisher)
        .or_insert_with(|| Holding::new(root.clone()));
    let own = opened
        .identity
        .publishers
        .entry(publisher)
        .or_insert_with(|| Own::new(holding.root.clone(), &muster_machine::random::bytes::<32>()));
    muster_proto::client::asking::note_keys(own, holding);
    Ok(())
}

/// Puts a key in its place; tells the one that was there.
fn put_key(
    opened: &mut Opened,
    publisher: PublisherId,
    product: &ProductId,
    key: &ProductKey,
) -> Option<Last5> {
    let own = opened.identity.publishers.get_mut(&publisher)?;
    let kept = own.products.entry(product.clone()).or_default();
    let replaced = kept.key.replace(key.clone()).map(|old| old.last5());
    let holding = opened.state.publishers.get_mut(&publisher)?;
    let installed = holding.products.entry(product.clone()).or_default();
    if replaced.is_none() && installed.last5.is_none() {
        installed.marks.installed = opened.now;
        // The service asks for a new product at once.
        holding.next_ask = None;
    }
    installed.last5 = Some(key.last5());
    replaced
}

fn rearm_one(opened: &mut Opened, name: &ProductName, licensed: bool) -> Result<(), Refusal> {
    let refuse = |reason| Err(Refusal::new(reason, name.product.as_str()));
    if licensed {
        return refuse(reasons::REARM_NEEDLESS);
    }
    let grace = {
        let holding = crate::link::holding(opened, name.publisher)?;
        let mut reader =
            muster_proto::client::evidence::Reader::open(&opened.state, &holding.root)?;
        reader.policy(&name.product)?.claims.extended_grace
    };
    if grace == Span::ZERO {
        return refuse(reasons::REARM_NOT_ALLOWED);
    }
    let now = opened.now;
    let holding = opened.state.publishers.get_mut(&name.publisher);
    let installed = holding.and_then(|holding| holding.products.get_mut(&name.product));
    let Some(installed) = installed else {
        return refuse(reasons::NOT_INSTALLED);
    };
    if installed.marks.rearm_spent {
        return refuse(reasons::REARM_SPENT);
    }
    installed.marks.rearmed = Some(now);
    installed.marks.rearm_spent = true;
    Ok(())
}

/// The products that `which` names.
fn wanted(opened: &Opened, which: &Which) -> Result<Vec<ProductName>, Refusal> {
    let mut names = Vec::new();
    for (publisher, holding) in &opened.state.publishers {
        let products = holding.products.keys();
        let products = products.filter(|product| which.wants(*publisher, product));
        names.extend(products.map(|product| name(&holding.root, product)));
    }
    if names.is_empty() {
        return Err(Refusal::new(reasons::NOT_INSTALLED, which.to_string()));
    }
    Ok(names)
}

fn name(root: &Root, product: &ProductId) -> ProductName {
    ProductName {
        product: product.clone(),
        publisher: root.publisher(),
        publisher_name: root.name().to_owned(),
    }
}

fn carrying(bytes: &[u8], typ: Typ, chain: &[Vec<u8>]) -> Result<Vec<u8>, Refusal> {
    Ok(Envelope::decode(bytes, typ)?.with_chain(chain))
}

fn exported(publisher: &PublisherId, what: &str, kind: &str, bytes: Vec<u8>) -> Exported {
    let publisher: String = publisher.to_string().chars().take(8).collect();
    Exported {
        name: format!("{publisher}-{what}.{kind}"),
        bytes,
    }
}
