//! One publisher: root, issuing keys, and an authority over its store in memory. What is certified,
//! charged and revoked is decided by proto and the store's changes; here they are only called, and
//! signed for.

use muster_proto::Refusal;
use muster_proto::authority::answer::{Activation, RevocationList};
use muster_proto::authority::root::{IssuingTerms, issuing_cert};
use muster_proto::authority::{Asked, HostNumber, Issuing, KeyId, KeyRow};
use muster_proto::crypto::SecretKey;
use muster_proto::hardware::ComponentTags;
use muster_proto::ids::{ProductId, PublisherId, SiteId, Thumbprint};
use muster_proto::key::{Channel, KeyRing, KeySecret, ProductGroup};
use muster_proto::limits::{HOST_KEY_ACTIVATIONS_DEFAULT, HOST_KEY_HOSTS_DEFAULT};
use muster_proto::reason::authority as reasons;
use muster_proto::statement::cert::Cert;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::request::Request;
use muster_proto::statement::root::Root;
use muster_proto::statement::{Claims, Draft, Envelope, Role, Typ};
use muster_proto::time::Timestamp;
use muster_proto::wire::Bundle;
use muster_store::authority::ops::{self, Certified};
use muster_store::authority::{AuthorityStore, IssuingRow, MemoryAuthority, Tables, issuing};
use zeroize::Zeroizing;

use crate::dice::Dice;
use crate::ready::ready;

/// A publisher with its authority.
pub(crate) struct Publisher {
    pub(crate) root: Root,
    pub(crate) id: PublisherId,
    pub(crate) products: Vec<ProductId>,
    /// The host product key of each product that hosts are given at present.
    pub(crate) keys: Vec<KeyId>,
    /// Until when its authority answers nobody, in true time.
    pub(crate) silent_until: u64,
    pub(crate) site: SiteId,
    top: SecretKey,
    issuers: Vec<Issuer>,
    ring: KeyRing,
    store: MemoryAuthority,
}

/// An issuing key.
struct Issuer {
    key: SecretKey,
    statement: Vec<u8>,
    issuing: Issuing,
}

/// Before what an authority's machine fails while it certifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Before anything is committed.
    Decision,
    /// After the decision is committed, before it is signed.
    Signature,
    /// When the certificate lies signed in the store, before it is sent.
    Answer,
}

impl Publisher {
    /// A publisher with a first issuing key and no product.
    pub(crate) fn new(number: usize, dice: &mut Dice, now: Timestamp) -> Result<Self, Refusal> {
        let top = SecretKey::from_seed(&dice.bytes());
        let root = Root::new(format!("publisher {number}"), vec![top.public()])?;
        let mut publisher = Self {
            id: root.publisher(),
            root,
            products: Vec::new(),
            keys: Vec::new(),
            silent_until: 0,
            site: "berlin".parse()?,
            top,
            issuers: Vec::new(),
            ring: KeyRing::derive(&KeySecret::new(Zeroizing::new(dice.bytes()))),
            store: MemoryAuthority::default(),
        };
        publisher.add_issuer(dice, now)?;
        Ok(publisher)
    }

    /// The root certifies one more issuing key, which signs from now on.
    pub(crate) fn add_issuer(&mut self, dice: &mut Dice, now: Timestamp) -> Result<(), Refusal> {
        let key = SecretKey::from_seed(&dice.bytes());
        let request = Request {
            role: Role::Issuing,
            key: key.public(),
            opening_key: dice.bytes(),
            sealed_keys: Vec::new(),
            components: ComponentTags::default(),
            previous: None,
            name: format!("issuing key {}", self.issuers.len() + 1),
            nonce: dice.bytes(),
            issued: now,
        };
        let cert = issuing_cert(&request, &IssuingTerms::default(), now)?;
        let (above, top) = (self.top.public().thumbprint(), &self.top);
        let statement = sign(&cert, self.id, above, top, &[]);
        let name = Envelope::decode(&statement, Typ::Cert)?.name();
        let row = IssuingRow {
            name,
            key: key.public().thumbprint(),
            statement: statement.clone(),
            added: now,
        };
        self.change(move |tables| issuing::add(tables, &row, now))?;
        self.issuers.push(Issuer {
            key,
            statement,
            issuing: Issuing { name, cert },
        });
        Ok(())
    }

    /// Revokes the issuing key before the newest, and signs anew what it had signed.
    pub(crate) fn revoke_old_issuer(&mut self, now: Timestamp) -> Result<bool, Refusal> {
        let Some(at) = self.issuers.len().checked_sub(2) else {
            return Ok(false);
        };
        let key = self.issuers[at].key.public().thumbprint();
        self.change(move |tables| issuing::revoke(tables, key, now))?;
        for product in self.products.clone() {
            self.set_policy(&product, |_| {}, now)?;
        }
        Ok(true)
    }

    /// Adds a product with a host product key for it.
    pub(crate) fn add_product(
        &mut self,
        mut policy: Policy,
        budget: u32,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        (policy.group, policy.version) =
            self.view(|tables| Ok((ops::next_group(tables)?, ops::next_version(tables, None)?)))?;
        policy.check()?;
        let statement = self.sign(&policy);
        let (product, group) = (policy.product.clone(), policy.group);
        self.change(move |tables| ops::add_product(tables, &policy, &statement, now))?;
        let key = self.issue_key(&product, group, budget, now)?;
        self.products.push(product);
        self.keys.push(key);
        Ok(())
    }

    /// Issues another host product key for a product, in the place of a spent one.
    pub(crate) fn replace_key(&mut self, at: usize, now: Timestamp) -> Result<KeyId, Refusal> {
        let (product, old) = (self.products[at].clone(), self.keys[at]);
        let budget = self.view(move |tables| Ok(tables.key(old)?.map(|row| row.client_budget)))?;
        let key = self.issue_key(&product, old.group, budget.unwrap_or(0), now)?;
        self.keys[at] = key;
        Ok(key)
    }

    fn issue_key(
        &self,
        product: &ProductId,
        group: ProductGroup,
        client_budget: u32,
        now: Timestamp,
    ) -> Result<KeyId, Refusal> {
        let channel = Channel::KmsHost;
        let serial = self.change(move |tables| ops::reserve_serials(tables, channel, group, 1))?;
        let id = KeyId {
            channel,
            group,
            serial,
        };
        let row = KeyRow {
            id,
            last5: self.ring.issue(&self.id.0, channel, group, serial).last5(),
            product: product.clone(),
            site: self.site.clone(),
            hosts_max: HOST_KEY_HOSTS_DEFAULT,
            activations_max: HOST_KEY_ACTIVATIONS_DEFAULT,
            client_budget,
            issued: now,
            revoked: None,
        };
        self.change(move |tables| ops::add_keys(tables, std::slice::from_ref(&row), now))?;
        Ok(id)
    }

    /// The next version of a product's policy.
    pub(crate) fn set_policy(
        &self,
        product: &ProductId,
        change: impl FnOnce(&mut Policy),
        now: Timestamp,
    ) -> Result<u32, Refusal> {
        let mut policy = self.policy(product)?;
        change(&mut policy);
        policy.issued = now;
        let id = product.clone();
        policy.version = self.view(move |tables| {
            let row = ops::product(tables, &id)?;
            ops::next_version(tables, Some(&row))
        })?;
        policy.check()?;
        let statement = self.sign(&policy);
        let version = policy.version;
        self.change(move |tables| ops::set_policy(tables, &policy, &statement, now))?;
        Ok(version)
    }

    /// The newest policy of a product.
    pub(crate) fn policy(&self, product: &ProductId) -> Result<Policy, Refusal> {
        let (_, statement) = self.newest(product)?;
        Envelope::decode(&statement, Typ::Policy)?.claims()
    }

    fn newest(&self, product: &ProductId) -> Result<(u32, Vec<u8>), Refusal> {
        let id = product.clone();
        let read = move |tables: &mut dyn Tables| ops::newest_policy(tables, &id);
        self.view(read).map(|(row, policy)| (row.version, policy))
    }

    /// The bundle of a product, as its makers ship it and hosts fetch it.
    pub(crate) fn bundle(&self, product: &ProductId, now: Timestamp) -> Result<Bundle, Refusal> {
        Ok(Bundle {
            root: self.root.clone(),
            chain: vec![self.newest_issuer().statement.clone()],
            policy: self.newest(product)?.1,
            revocations: self.deltas(now)?,
        })
    }

    /// Answers a host's request; its product keys came under the seal that is left out here. With
    /// `failing` the authority ends there and answers nothing.
    pub(crate) fn certify(
        &self,
        request: &[u8],
        keys: &[KeyId],
        failing: Option<Failing>,
        now: Timestamp,
    ) -> Result<Option<Activation>, Refusal> {
        let (request, name) = Request::open(request, self.id)?;
        if failing == Some(Failing::Decision) {
            return Ok(None);
        }
        let asked = Asked {
            request,
            name,
            keys: keys.to_vec(),
        };
        let (publisher, issuing) = (self.id, self.newest_issuer().issuing.clone());
        let decide =
            move |tables: &mut dyn Tables| ops::certify(tables, publisher, &asked, &issuing, now);
        let (cert, statement) = match self.change(decide)? {
            Certified::Granted(cert, statement) => (cert, statement),
            Certified::Forked(cert) => {
                let detail = format!("certificate {cert}");
                return Err(Refusal::new(reasons::FORKED, detail));
            }
        };
        if failing == Some(Failing::Signature) {
            return Ok(None);
        }
        let parent = self.issuers.iter();
        let parent = parent
            .clone()
            .find(|it| it.issuing.name == statement.parent);
        let parent = parent.expect("the store knows the issuing keys that were added here");
        let mut bytes = statement.bytes;
        if !statement.is_signed {
            let claims: Cert = Envelope::decode(&bytes, Typ::Cert)?.claims()?;
            let signed = sign(&claims, self.id, parent.issuing.name, &parent.key, &[]);
            bytes = self.change(move |tables| ops::attach_signature(tables, cert, &signed))?;
        }
        if failing == Some(Failing::Answer) {
            return Ok(None);
        }
        self.activation(bytes, parent.statement.clone(), now)
            .map(Some)
    }

    fn activation(
        &self,
        cert: Vec<u8>,
        issuing: Vec<u8>,
        now: Timestamp,
    ) -> Result<Activation, Refusal> {
        let claims: Cert = Envelope::decode(&cert, Typ::Cert)?.claims()?;
        let policy = |product| self.newest(product).map(|(_, policy)| policy);
        Ok(Activation {
            chain: vec![cert, issuing],
            policies: claims
                .products
                .named()
                .map(policy)
                .collect::<Result<_, _>>()?,
            revocations: self.deltas(now)?,
        })
    }

    /// What a holder of the revocations up to a number asks for.
    pub(crate) fn revocations(&self, now: Timestamp) -> Result<RevocationList, Refusal> {
        let number = self.view(|tables| ops::newest_revocation(tables))?;
        let deltas = self.deltas(now)?;
        Ok(RevocationList { number, deltas })
    }

    /// Revokes whichever host a certificate belongs to; the number of that revocation.
    pub(crate) fn revoke_host(&self, cert: Thumbprint, now: Timestamp) -> Result<u64, Refusal> {
        self.change(move |tables| {
            let host = tables.cert(cert)?.map(|row| row.host);
            ops::revoke_host(tables, host.unwrap_or(HostNumber(0)), now)?;
            ops::newest_revocation(tables)
        })
    }

    /// Every revoked key with its number.
    pub(crate) fn revoked(&self, now: Timestamp) -> Result<Vec<(Thumbprint, u64)>, Refusal> {
        let rows = self.view(move |tables| tables.revocations(now))?;
        Ok(rows
            .into_iter()
            .map(|row| (row.revoked.key, row.number))
            .collect())
    }

    /// Whether the authority knows a certificate.
    pub(crate) fn knows(&self, cert: Thumbprint) -> Result<bool, Refusal> {
        self.view(move |tables| Ok(tables.cert(cert)?.is_some()))
    }

    fn deltas(&self, now: Timestamp) -> Result<Vec<Vec<u8>>, Refusal> {
        let plan = self.view(move |tables| ops::plan_deltas(tables, now))?;
        let (newest, is_complete) = (plan.newest, plan.is_complete());
        let deltas = plan.deltas.into_iter();
        let sign = |delta: Result<Vec<u8>, _>| delta.unwrap_or_else(|claims| self.sign(&claims));
        let deltas: Vec<Vec<u8>> = deltas.map(sign).collect();
        if !is_complete {
            let kept = deltas.clone();
            self.change(move |tables| ops::put_deltas(tables, newest, &kept))?;
        }
        Ok(deltas)
    }

    fn newest_issuer(&self) -> &Issuer {
        self.issuers
            .last()
            .expect("a publisher is made with an issuing key")
    }

    /// Signs under the newest issuing key, with its chain.
    fn sign<C: Claims>(&self, claims: &C) -> Vec<u8> {
        let issuer = self.newest_issuer();
        let chain = std::slice::from_ref(&issuer.statement);
        sign(claims, self.id, issuer.issuing.name, &issuer.key, chain)
    }

    fn change<T: Send + 'static>(
        &self,
        change: impl Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        ready(self.store.change(change))
    }

    fn view<T: Send + 'static>(
        &self,
        view: impl Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        ready(self.store.view(view))
    }
}

/// Signs a statement under the certificate, or root key, named `parent`.
pub(crate) fn sign<C: Claims>(
    claims: &C,
    publisher: PublisherId,
    parent: Thumbprint,
    key: &SecretKey,
    chain: &[Vec<u8>],
) -> Vec<u8> {
    let draft = Draft::new(claims, publisher, parent, &key.public());
    let signature = key.sign(&draft.to_be_signed());
    draft.finish(signature, chain)
}
