//! What a product calls: [`read`], and `activate`.

use std::fmt;
use std::path::{Path, PathBuf};

use muster_machine::Machine;
use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::evidence::{Compiled, Reader};
use muster_proto::client::judge::{Judgement, judge_product};
use muster_proto::client::state::State;
use muster_proto::ids::ProductId;
use muster_proto::limits::STATE_BYTES_MAX;
use muster_proto::reason::client as reasons;
use muster_proto::statement::policy::Method;
use muster_proto::statement::root::Root;
use muster_proto::time::Timestamp;

use crate::clock::{Clock, RealClock, moment};
use crate::hardware::MachineHardware;
use crate::{dirs, disk};

/// What is compiled into a product: its publisher's root, its id, and how old a policy may be.
#[derive(Clone, Debug)]
pub struct Product {
    /// The publisher's root; nothing that is not signed under it counts.
    pub root: Root,
    /// The product.
    pub id: ProductId,
    /// The least policy version it accepts.
    pub policy_version_min: u32,
    /// When it was built: no earlier time is believed. 1970 where it does not say.
    pub built: Timestamp,
}

impl Product {
    /// A product that accepts every policy version and says nothing of its build time.
    pub fn new(root: Root, id: ProductId) -> Self {
        Self {
            root,
            id,
            policy_version_min: 0,
            built: Timestamp::default(),
        }
    }

    /// A product of the root file and id that were compiled in.
    ///
    /// # Errors
    /// What is wrong with the root file or the id; a build with good ones never meets it.
    pub fn from_root_file(root: &[u8], id: &str) -> Result<Self, Refusal> {
        Ok(Self::new(Root::decode(root)?, id.parse()?))
    }

    fn compiled(&self) -> Compiled {
        Compiled {
            policy_version_min: self.policy_version_min,
            built: self.built,
        }
    }
}

/// The answer: licensed, in grace, or not, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// The product.
    pub product: ProductId,
    /// The state.
    pub state: LicenceState,
    /// Whether it is licensed. Grace is not.
    pub licensed: bool,
    /// Whether the policy only advises: the product tells and does not restrict.
    pub advisory: bool,
    /// When the state ends by itself.
    pub until: Option<Timestamp>,
    /// Whether it ends soon.
    pub warning: bool,
    /// How it was activated.
    pub method: Option<Method>,
    /// Why.
    pub reason: Refusal,
    /// The newest count a host stated.
    pub count: Option<u32>,
    /// The count the policy needs.
    pub required: Option<u32>,
    /// The directory in which it was found.
    pub dir: Option<PathBuf>,
}

impl Licence {
    /// When the state ends by itself, as RFC 3339 UTC.
    pub fn until_text(&self) -> Option<String> {
        self.until.map(crate::times::rfc3339)
    }

    fn of(product: &Product, judgement: Judgement, dir: Option<&Path>) -> Self {
        Self {
            product: product.id.clone(),
            state: judgement.state,
            licensed: judgement.is_licensed(),
            advisory: judgement.advisory,
            until: judgement.until,
            warning: judgement.warning,
            method: judgement.method,
            reason: judgement.reason,
            count: judgement.count,
            required: judgement.required,
            dir: dir.map(Path::to_path_buf),
        }
    }
}

/// One sentence for a person.
impl fmt::Display for Licence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.product, self.state.name())?;
        if let Some(until) = self.until_text() {
            write!(f, " until {until}")?;
        }
        write!(f, ". {}", self.reason)
    }
}

/// Reads a product's licence at once, without a service and without a network: from the machine's
/// directory, else from the user's own. Never fails: what is wrong is the licence's reason.
pub fn read(product: &Product) -> Licence {
    read_from(&dirs::reading_order(), product)
}

/// As [`read`], in the directories given: the first in which the product is licensed, else the
/// first that knows it. What is wrong with the first directory is worth more than that the others
/// hold nothing.
pub fn read_from(dirs: &[PathBuf], product: &Product) -> Licence {
    let mut best: Option<Licence> = None;
    for dir in dirs {
        let licence = read_in(dir, product);
        if licence.licensed {
            return licence;
        }
        let known = best.as_ref().is_some_and(|best| best.dir.is_some());
        if best.is_none() || (!known && licence.dir.is_some()) {
            best = Some(licence);
        }
    }
    best.unwrap_or_else(|| {
        let nothing = Judgement::nothing(reasons::STATE_LOST.into());
        Licence::of(product, nothing, None)
    })
}

/// Reads a product's licence from one directory.
pub fn read_in(dir: &Path, product: &Product) -> Licence {
    read_with(dir, product, &Machine::real(), &RealClock)
}

/// Reads a product's licence with the clocks and the hardware given.
pub(crate) fn read_with(
    dir: &Path,
    product: &Product,
    machine: &Machine,
    clock: &dyn Clock,
) -> Licence {
    let state = match load_knowing(dir, Some(&product.root)) {
        Ok(state) => state,
        Err(refusal) => return Licence::of(product, Judgement::nothing(refusal), None),
    };
    let publisher = product.root.publisher();
    let known = state
        .publishers
        .get(&publisher)
        .is_some_and(|holding| holding.products.contains_key(&product.id));
    let judgement = match Reader::open(&state, &product.root) {
        Err(refusal) => Judgement::nothing(refusal),
        Ok(mut reader) => judge_product(
            &mut reader,
            &product.id,
            product.compiled(),
            &mut MachineHardware::new(machine, publisher, state.declared),
            moment(clock, &state.written),
        ),
    };
    Licence::of(product, judgement, known.then_some(dir))
}

/// The state in a directory.
///
/// # Errors
/// `STATE_LOST` where there is none, and what is wrong with a damaged one.
pub(crate) fn load(dir: &Path) -> Result<State, Refusal> {
    load_knowing(dir, None)
}

/// As [`load`], where a root may be known already.
fn load_knowing(dir: &Path, known: Option<&Root>) -> Result<State, Refusal> {
    let path = dir.join("state");
    let bytes = disk::read(&path, STATE_BYTES_MAX, disk::PUBLIC)?;
    let bytes =
        bytes.ok_or_else(|| Refusal::new(reasons::STATE_LOST, dir.display().to_string()))?;
    State::decode_knowing(&bytes, known)
}

/// Asks a host now and reads the licence again. Where the machine's directory cannot be written by
/// this user, the machine's service is asked to ask. Where none answers, the user's own directory is
/// used: it takes policy and root over from the machine's, and hosts are told that the identity is a
/// user's. Never fails: what is wrong is the licence's reason. Needs a tokio runtime with I/O and
/// time.
#[cfg(feature = "ask")]
pub async fn activate(product: &Product) -> Licence {
    activate_from(&dirs::reading_order(), product).await
}

/// As [`activate`], in the directories given: in the first that knows the product, by its service,
/// or else in the next one.
#[cfg(feature = "ask")]
pub async fn activate_from(dirs: &[PathBuf], product: &Product) -> Licence {
    let before = read_from(dirs, product);
    let Some(dir) = before.dir.clone() else {
        return before;
    };
    let which = crate::Which {
        publisher: Some(product.root.publisher()),
        product: Some(product.id.clone()),
    };
    let client = |dir: &Path| crate::Client::new(crate::Options::new(dir));
    let own = dirs.iter().skip_while(|other| **other != dir).nth(1);
    let outcome = match own {
        Some(own) => client(&dir).activate_or_in(&client(own), &which).await,
        None => client(&dir).activate(&which).await,
    };
    let asked = outcome.as_ref().map_or(&dir, |asked| &asked.dir);
    let mut licence = read_from(&[asked.clone(), dir.clone()], product);
    if !licence.licensed {
        // Why no host helped says more than that none has helped.
        licence.reason = match outcome {
            Err(refusal) => refusal,
            Ok(activation) if activation.reason.reason != reasons::LICENSED => activation.reason,
            Ok(_) => licence.reason,
        };
    }
    licence
}
