//! Product keys: installing, changing and removing them, with the root, the policy and the products
//! that come and go with them.

use std::path::Path;

use muster_proto::Refusal;
use muster_proto::client::identity::Own;
use muster_proto::client::install;
use muster_proto::client::state::Holding;
use muster_proto::ids::{ProductId, PublisherId, Thumbprint};
use muster_proto::key::{Channel, Last5, ProductKey};
use muster_proto::limits::{CLIENT_PUBLISHERS_MAX, PRODUCTS_MAX, ROOT_BYTES_MAX};
use muster_proto::reason::{client as reasons, config};
use muster_proto::statement::root::Root;
use muster_proto::wire::Bundle;

use crate::control::{Client, ProductName, Which, ambiguous, name, wanted};
use crate::vault::Opened;
use crate::{disk, sdk};

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

impl Client {
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
        self.vault().update(|opened| {
            if self.machine().is_declared() {
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
            install::take_bundle(holding, &bundle, opened.now)?;
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
        self.vault().update(|opened| {
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
                return Err(match fitting.len() {
                    0 => {
                        let detail = "no installed product fits the key";
                        Refusal::new(muster_proto::reason::key::WRONG_PRODUCT, detail)
                    }
                    _ => ambiguous(fitting.iter().map(|(_, product, root)| name(root, product))),
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
    /// installed again, it is the same machine to its hosts. So does what must not begin anew: the
    /// policy version, a grace once begun, a rearm once spent.
    ///
    /// # Errors
    /// `NOT_INSTALLED`; `PRODUCT_AMBIGUOUS` for one product that several publishers have.
    pub fn remove_key(&self, which: &Which) -> Result<Vec<ProductName>, Refusal> {
        self.vault().update(|opened| {
            let names = wanted(opened, which)?;
            if which.product.is_some() && names.len() > 1 {
                return Err(ambiguous(names.into_iter()));
            }
            for gone in &names {
                if let Some(holding) = opened.state.publishers.get_mut(&gone.publisher) {
                    holding.remove(&gone.product);
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
        self.vault().update(|opened| {
            for (publisher, theirs) in &state.publishers {
                let products = theirs.products.keys();
                let wanted: Vec<_> = products
                    .filter(|product| which.wants(*publisher, product))
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
                for product in wanted {
                    install::take_over(holding, theirs, product, opened.now)?;
                    own.products.entry(product.clone()).or_default();
                }
            }
            Ok(())
        })
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
    let installed = holding.products.get_mut(product)?;
    if replaced.is_none() && installed.last5.is_none() {
        // The service asks for a new product at once.
        holding.next_ask = None;
    }
    installed.last5 = Some(key.last5());
    replaced
}
