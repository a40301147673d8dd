//! One client on one directory: how it is opened, and what a verb works on. The administrator's
//! verbs stand beside it by purpose. Each works while the service runs on the directory and takes
//! effect without a restart.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_machine::Machine;
use muster_net::dns::Resolver;
use muster_proto::Refusal;
use muster_proto::client::state::{Holding, State};
use muster_proto::ids::{ProductId, PublisherId};
use muster_proto::limits::PRODUCTS_LISTED_MAX;
use muster_proto::reason::client as reasons;
use muster_proto::statement::root::Root;

use crate::activate::{self, Activation};
use crate::clock::{Clock, RealClock, moment};
use crate::local::visit;
use crate::status::{Status, describe};
use crate::vault::{Opened, Vault};
use crate::{dirs, sdk};

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

    /// What was named, in words.
    pub(crate) fn shown(&self) -> &str {
        let product = self.product.as_ref().map(ProductId::as_str);
        product.unwrap_or("nothing of that publisher")
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

/// One client on one directory.
pub struct Client {
    options: Options,
    machine: Machine,
    vault: Vault,
}

/// How far activation came in one directory.
enum Here {
    /// Hosts were asked, or somebody said why not.
    Asked(Result<Activation, Refusal>),
    /// The directory is not this user's, and no service answers for it.
    NotOurs(Refusal),
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

    /// Asks hosts now; where the directory is not this user's, by its service. An error means that
    /// nobody could be asked; whatever hosts said or failed to say is in the outcome.
    ///
    /// # Errors
    /// `NOT_INSTALLED`, `METHOD_NOT_ALLOWED`, `DIRECTORY_BUSY`, a disk that fails; a service that is
    /// busy, silent or ends.
    pub async fn activate(&self, which: &Which) -> Result<Activation, Refusal> {
        match self.activate_here(which).await {
            Here::Asked(outcome) => outcome,
            Here::NotOurs(refusal) => Err(refusal),
        }
    }

    /// As [`Client::activate`]; where the directory is not this user's and no service answers for
    /// it, in the user's own one, which takes policy and root over. Hosts are told then that the
    /// identity is a user's.
    ///
    /// # Errors
    /// As [`Client::activate`].
    pub async fn activate_or_in(&self, own: &Client, which: &Which) -> Result<Activation, Refusal> {
        match self.activate_here(which).await {
            Here::Asked(outcome) => outcome,
            Here::NotOurs(_) => {
                own.adopt(self.dir(), which)?;
                own.activate(which).await
            }
        }
    }

    async fn activate_here(&self, which: &Which) -> Here {
        let outcome = activate::run(self, which).await;
        let Some(refusal) = visit::not_ours(&outcome) else {
            return Here::Asked(outcome);
        };
        match visit::activate(self, which).await {
            Err(none) if none.reason == reasons::SERVICE_NONE => {
                let detail = format!("{}; {none}", refusal.detail);
                Here::NotOurs(Refusal::new(refusal.reason, detail))
            }
            answered => Here::Asked(answered),
        }
    }

    /// The publisher that a person means by its name, or by its id where two have one name.
    ///
    /// # Errors
    /// `NOT_INSTALLED`, `PRODUCT_AMBIGUOUS`, or what is wrong with the state.
    pub fn publisher(&self, name: &str) -> Result<PublisherId, Refusal> {
        let state = sdk::load(self.dir())?;
        let id: Option<PublisherId> = name.parse().ok();
        let named = |(publisher, holding): &(&PublisherId, &Holding)| {
            Some(**publisher) == id || holding.root.name() == name
        };
        let fitting: Vec<_> = state.publishers.iter().filter(named).collect();
        match fitting.as_slice() {
            [(publisher, _)] => Ok(**publisher),
            [] => {
                let shown: String = name.chars().take(64).collect();
                Err(not_installed(&state, &format!("publisher {shown}")))
            }
            several => {
                let names = several
                    .iter()
                    .map(|(id, holding)| format!("{} ({id})", holding.root.name()));
                let detail = names.collect::<Vec<_>>().join(", ");
                Err(Refusal::new(reasons::PRODUCT_AMBIGUOUS, detail))
            }
        }
    }

    /// What is known, from the disk alone.
    ///
    /// # Errors
    /// `NOT_INSTALLED` where `which` names what is not here; what is wrong with a damaged state. A
    /// directory without a state holds no products.
    pub fn status(&self, which: &Which) -> Result<Status, Refusal> {
        let state = match sdk::load(self.dir()) {
            Ok(state) => state,
            Err(refusal) if refusal.reason == reasons::STATE_LOST => State::default(),
            Err(refusal) => return Err(refusal),
        };
        let now = moment(self.vault.clock(), &state.written);
        let wants =
            |holding: &Holding, product: &ProductId| which.wants(holding.root.publisher(), product);
        let user = self.is_user_identity();
        let status = describe(&state, &self.machine, now, user, wants);
        if status.products.is_empty() && *which != Which::default() {
            return Err(not_installed(&state, which.shown()));
        }
        Ok(status)
    }

    /// Another client on the same directory.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.options.clone())
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
}

/// The products that `which` names.
pub(crate) fn wanted(opened: &Opened, which: &Which) -> Result<Vec<ProductName>, Refusal> {
    let mut names = Vec::new();
    for (publisher, holding) in &opened.state.publishers {
        let products = holding.products.keys();
        let products = products.filter(|product| which.wants(*publisher, product));
        names.extend(products.map(|product| name(&holding.root, product)));
    }
    if names.is_empty() {
        return Err(not_installed(&opened.state, which.shown()));
    }
    Ok(names)
}

/// Refuses what was named and is not here; says what is.
pub(crate) fn not_installed(state: &State, named: &str) -> Refusal {
    let products = |holding: &Holding| {
        let publisher = holding.root.name();
        let products = holding.products.keys();
        let named = products.map(|product| format!("{product} of {publisher}"));
        named.collect::<Vec<_>>()
    };
    let installed: Vec<_> = state.publishers.values().flat_map(products).collect();
    let detail = match installed.len() {
        0 => "nothing is installed in this directory".to_owned(),
        1..=PRODUCTS_LISTED_MAX => format!("{named}; installed: {}", installed.join(", ")),
        more => format!(
            "{named}; installed: {} and {} more",
            installed[..PRODUCTS_LISTED_MAX].join(", "),
            more - PRODUCTS_LISTED_MAX
        ),
    };
    Refusal::new(reasons::NOT_INSTALLED, detail)
}

/// Refuses where several products fit and one is meant.
pub(crate) fn ambiguous(fitting: impl Iterator<Item = ProductName>) -> Refusal {
    let named = fitting.map(|name| {
        let (product, publisher) = (&name.product, &name.publisher_name);
        format!("{product} of {publisher} ({})", name.publisher)
    });
    let detail = named.collect::<Vec<_>>().join(", ");
    Refusal::new(reasons::PRODUCT_AMBIGUOUS, detail)
}

pub(crate) fn name(root: &Root, product: &ProductId) -> ProductName {
    ProductName {
        product: product.clone(),
        publisher: root.publisher(),
        publisher_name: root.name().to_owned(),
    }
}
