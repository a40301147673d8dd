//! A publisher in a box for the client's tests: root, issuing key, hosts, policies, and a host that
//! answers as it is told. Every key is real; time and randomness are fixed.
use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::asking::{self, About, Applied, Checked, Host, Pending, Receipt};
use muster_proto::client::evidence::{Compiled, Reader};
use muster_proto::client::identity::{Own, OwnProduct};
use muster_proto::client::judge::{self, Judgement, ReadHardware};
use muster_proto::client::state::{Holding, State};
use muster_proto::client::trusted_time::Moment;
use muster_proto::client::{install, trusted_time::Floor};
use muster_proto::crypto::SecretKey;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{Nonce, ProductId, PublisherId, StoreId, Thumbprint};
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::{Ask, AskedProduct, Ticket};
use muster_proto::statement::cert::{Cert, Flags, PolicyBounds};
use muster_proto::statement::lease::{Lease, LeaseKind};
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::{Policy, ProductKind};
use muster_proto::statement::revocations::{RevocationSet, Revocations, Revoked};
use muster_proto::statement::root::Root;
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Claims, Draft, Role};
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::{Bundle, Hello};

/// The moment at which everything begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// Where hosts are reached.
pub(crate) const PLACE: &str = "kms.corp.test:1688";
/// In the year 2099.
pub(crate) const FAR: Timestamp = Timestamp::from_seconds(4_070_908_800);

pub(crate) fn days(days: u64) -> Span {
    Span::from_days(days)
}

pub(crate) fn id(text: &str) -> ProductId {
    text.parse().unwrap()
}

/// A key that signs, and where it stands.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) key: SecretKey,
    pub(crate) parent: Thumbprint,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) publisher: PublisherId,
}

impl Signer {
    pub(crate) fn sign<C: Claims>(&self, claims: &C, carry: bool) -> Vec<u8> {
        let draft = Draft::new(claims, self.publisher, self.parent, &self.key.public());
        let signature = self.key.sign(&draft.to_be_signed());
        draft.finish(signature, if carry { &self.chain } else { &[] })
    }

    pub(crate) fn certify(&self, seed: u8, cert: impl FnOnce(&mut Cert)) -> Signer {
        let key = SecretKey::from_seed(&[seed; 32]);
        let mut claims = Cert {
            role: Role::KmsHost,
            key: key.public(),
            opening_key: [seed; 32],
            name: format!("key {seed}"),
            products: Scope::All,
            sites: Scope::All,
            client_budget: 1_000,
            depth: 0,
            flags: Flags::NONE,
            policy_bounds: None,
            issued: START - days(1),
            not_before: START - days(1),
            not_after: START + days(364),
        };
        cert(&mut claims);
        let draft = Draft::new(&claims, self.publisher, self.parent, &self.key.public());
        let signature = self.key.sign(&draft.to_be_signed());
        let parent = draft.name();
        let mut chain = vec![draft.finish(signature, &[])];
        chain.extend(self.chain.iter().cloned());
        Signer {
            key,
            parent,
            chain,
            publisher: self.publisher,
        }
    }
}

/// A publisher with its root and issuing key.
pub(crate) struct Publisher {
    pub(crate) root: Root,
    pub(crate) top: Signer,
    pub(crate) issuing: Signer,
}

impl Publisher {
    pub(crate) fn new(seed: u8) -> Self {
        let key = SecretKey::from_seed(&[seed; 32]);
        let root = Root::new("Contoso", vec![key.public()]).unwrap();
        let top = Signer {
            parent: key.public().thumbprint(),
            key,
            chain: Vec::new(),
            publisher: root.publisher(),
        };
        let issuing = issuing(&top, seed + 1, START + days(5 * 365));
        Self { root, top, issuing }
    }

    pub(crate) fn issuing_until(&self, end: Timestamp) -> Signer {
        issuing(&self.top, 200, end)
    }

    pub(crate) fn policy(&self, product: &str) -> Policy {
        Policy::new(id(product), "CAD", ProductKind::Server, START - days(1))
    }

    pub(crate) fn bundle(&self, policy: &Policy, revocations: &[Vec<u8>]) -> Bundle {
        Bundle {
            root: self.root.clone(),
            chain: self.issuing.chain.clone(),
            policy: self.issuing.sign(policy, true),
            revocations: revocations.to_vec(),
        }
    }

    pub(crate) fn host(&self, seed: u8) -> Station {
        self.host_at(seed, "berlin", START - days(1))
    }

    pub(crate) fn host_at(&self, seed: u8, site: &str, issued: Timestamp) -> Station {
        let signer = self.issuing.certify(seed, |cert| {
            cert.name = format!("kms{seed}");
            cert.sites = Scope::only([site.parse().unwrap()]);
            (cert.issued, cert.not_before) = (issued, issued);
            cert.not_after = issued + days(365);
        });
        Station {
            signer,
            store: StoreId([seed; 8]),
            issued,
        }
    }

    pub(crate) fn revoke(&self, from: u64, station: &Station) -> Vec<u8> {
        self.revoke_all(from, from + 1, &[station])
    }

    pub(crate) fn revoke_all(&self, from: u64, number: u64, stations: &[&Station]) -> Vec<u8> {
        let signers = stations.iter().map(|station| &station.signer);
        self.delta(from, number, signers)
    }

    pub(crate) fn revoke_key(&self, from: u64, signer: &Signer) -> Vec<u8> {
        self.delta(from, from + 1, std::iter::once(signer))
    }

    fn delta<'a>(
        &self,
        from: u64,
        number: u64,
        signers: impl Iterator<Item = &'a Signer>,
    ) -> Vec<u8> {
        let entry = |signer: &Signer| Revoked {
            key: signer.key.public().thumbprint(),
            ends: START + days(365),
        };
        let delta = Revocations {
            from,
            number,
            entries: signers.map(entry).collect(),
            issued: START,
        };
        self.issuing.sign(&delta, true)
    }
}

fn issuing(top: &Signer, seed: u8, end: Timestamp) -> Signer {
    top.certify(seed, |cert| {
        cert.role = Role::Issuing;
        cert.depth = 1;
        cert.flags = Flags::ALL;
        cert.client_budget = 1_000_000;
        (cert.issued, cert.not_before) = (START - days(200), START - days(200));
        cert.not_after = end;
        cert.policy_bounds = Some(PolicyBounds {
            threshold_min: 1,
            validity_max: days(3_660),
        });
    })
}

/// A KMS host.
#[derive(Clone)]
pub(crate) struct Station {
    pub(crate) signer: Signer,
    pub(crate) store: StoreId,
    pub(crate) issued: Timestamp,
}

impl Station {
    /// The greeting, with an opening key made at `now` where the certificate's own has ended.
    pub(crate) fn hello(&self, now: Timestamp) -> Hello {
        let opening = Opening {
            opening_key: [7; 32],
            store: self.store,
            issued: now.max(self.issued),
            expires: now.max(self.issued) + Opening::LIFE,
        };
        Hello {
            chain: self.signer.chain.clone(),
            opening: self.signer.sign(&opening, false),
        }
    }

    pub(crate) fn ticket(&self, generation: u32) -> Ticket {
        Ticket {
            store: self.store,
            generation,
            tag: [generation as u8; 16],
        }
    }

    /// A lease for everything asked, with a count.
    pub(crate) fn leases(&self, ask: &Ask, count: u32, now: Timestamp) -> Vec<Lease> {
        ask.products
            .iter()
            .map(|asked| Lease {
                kind: LeaseKind::Kms,
                product: asked.product.clone(),
                client: ask.client.thumbprint(),
                count,
                components: ask.components,
                policy_version: 1,
                revocations: 0,
                issued: now,
                expires: now + days(180),
            })
            .collect()
    }

    pub(crate) fn grant(&self, pending: &Pending, count: u32, now: Timestamp) -> Vec<u8> {
        let (ask, _) = self.open(pending);
        let leases = self.leases(&ask, count, now);
        self.answer(
            pending,
            Outcome::Granted {
                leases: self.sign_all(&leases),
            },
            now,
        )
    }

    pub(crate) fn sign_all(&self, leases: &[Lease]) -> Vec<Vec<u8>> {
        leases
            .iter()
            .map(|lease| self.signer.sign(lease, false))
            .collect()
    }

    pub(crate) fn open(&self, pending: &Pending) -> (Ask, Thumbprint) {
        Ask::open(&pending.bytes, self.signer.publisher, self.signer.parent).unwrap()
    }

    pub(crate) fn claims(&self, pending: &Pending, outcome: Outcome, now: Timestamp) -> Answer {
        Answer {
            nonce: pending.nonce,
            ask: pending.name,
            outcome,
            reason: "MUSTER-KMS-0001".into(),
            refused: Vec::new(),
            store: self.store,
            ticket: Some(self.ticket(1)),
            renewal: days(7),
            retry: Span::from_hours(2),
            revocations: 0,
            issued: now,
        }
    }

    pub(crate) fn answer(&self, pending: &Pending, outcome: Outcome, now: Timestamp) -> Vec<u8> {
        self.signer.sign(&self.claims(pending, outcome, now), true)
    }
}

/// A machine with one installed product of one publisher.
pub(crate) struct Machine {
    pub(crate) own: Own,
    pub(crate) state: State,
    pub(crate) clocks: Moment,
    pub(crate) hardware: ReadHardware,
    pub(crate) nonces: u8,
}

impl Machine {
    pub(crate) fn new(publisher: &Publisher, policy: &Policy) -> Self {
        let mut own = Own::new(publisher.root.clone(), &[77; 32]);
        own.products
            .insert(policy.product.clone(), OwnProduct::default());
        let clocks = Moment {
            wall: START,
            running: days(3),
        };
        let mut holding = Holding::new(publisher.root.clone());
        install::take_bundle(&mut holding, &publisher.bundle(policy, &[]), clocks).unwrap();
        asking::note_keys(&own, &mut holding);
        let mut state = State::default();
        state.publishers.insert(publisher.root.publisher(), holding);
        state.written.at = clocks;
        Self {
            own,
            state,
            clocks,
            hardware: ReadHardware {
                tags: tags(publisher, ["a", "b", "c", "d"]),
                declared: false,
            },
            nonces: 0,
        }
    }

    /// Installs one more product.
    pub(crate) fn install(&mut self, publisher: &Publisher, policy: &Policy) {
        let product = policy.product.clone();
        let bundle = publisher.bundle(policy, &[]);
        self.take(&bundle).unwrap();
        self.own.products.insert(product, OwnProduct::default());
    }

    /// Takes a bundle in.
    pub(crate) fn take(&mut self, bundle: &Bundle) -> Result<bool, Refusal> {
        let clocks = self.clocks;
        install::take_bundle(self.holding(), bundle, clocks)
    }

    /// Removes a product.
    pub(crate) fn remove(&mut self, product: &ProductId) {
        self.holding().remove(product);
        self.own.products.remove(product);
    }

    pub(crate) fn holding(&mut self) -> &mut Holding {
        self.state.publishers.values_mut().next().unwrap()
    }

    pub(crate) fn pass(&mut self, span: Span) {
        self.clocks.wall = self.clocks.wall + span;
        self.clocks.running = self.clocks.running + span;
    }

    pub(crate) fn about(&mut self) -> About {
        let products = self.own.products.keys().cloned();
        About {
            products: products
                .map(|product| AskedProduct {
                    product,
                    state: LicenceState::Unlicensed,
                    minutes_left: None,
                    required: Some(5),
                })
                .collect(),
            components: self.hardware.tags,
            base_licence: false,
            in_vm: false,
            version: "test".into(),
            name: None,
            user_identity: false,
            declared: false,
            now: self.clocks.wall,
        }
    }

    pub(crate) fn greet(&mut self, station: &Station) -> Result<Host, Refusal> {
        let set = self.revoked();
        let floor = self.holding().floor.at();
        Host::greet(
            &station.hello(floor),
            PLACE,
            self.holding(),
            &set,
            None,
            floor,
        )
    }

    pub(crate) fn revoked(&mut self) -> RevocationSet {
        let root = self.own.root.clone();
        Reader::open(&self.state, &root).unwrap().revoked().clone()
    }

    pub(crate) fn prepare(&mut self, host: &Host) -> Pending {
        self.nonces += 1;
        let about = self.about();
        asking::prepare(&mut self.own, host, &about, Nonce([self.nonces; 16])).unwrap()
    }

    pub(crate) fn check(
        &mut self,
        pending: &Pending,
        host: &Host,
        bytes: &[u8],
    ) -> Result<Checked, Refusal> {
        let set = self.revoked();
        asking::check(pending, host, &self.own.root, &set, bytes)
    }

    pub(crate) fn apply(
        &mut self,
        pending: &Pending,
        host: &Host,
        checked: &Checked,
    ) -> Result<Applied, Refusal> {
        let receipt = Receipt {
            now: self.clocks,
            trusted: self.clocks.wall,
            place: PLACE,
            seed: &[100 + self.nonces; 32],
        };
        let holding = self.state.publishers.values_mut().next().unwrap();
        let applied = asking::apply(&mut self.own, holding, pending, host, checked, &receipt);
        self.state.written.at = self.clocks;
        applied
    }

    /// Asks a host whose clock shows `now` and which counts `count`.
    pub(crate) fn ask(&mut self, station: &Station, count: u32, now: Timestamp) -> Applied {
        let host = self.greet(station).unwrap();
        let pending = self.prepare(&host);
        let bytes = station.grant(&pending, count, now);
        let checked = self.check(&pending, &host, &bytes).unwrap();
        self.apply(&pending, &host, &checked).unwrap()
    }

    /// Asks a host that orders a new key.
    pub(crate) fn ordered(&mut self, station: &Station) -> Applied {
        let host = self.greet(station).unwrap();
        let pending = self.prepare(&host);
        let order = station.ticket(9);
        let mut claims = station.claims(&pending, Outcome::NewKey { order }, self.clocks.wall);
        claims.ticket = None;
        let bytes = station.signer.sign(&claims, true);
        let checked = self.check(&pending, &host, &bytes).unwrap();
        self.apply(&pending, &host, &checked).unwrap()
    }

    pub(crate) fn judge(&mut self) -> Judgement {
        let product = self.own.products.keys().next().unwrap().clone();
        self.judge_of(&product)
    }

    pub(crate) fn judge_of(&mut self, product: &ProductId) -> Judgement {
        self.judge_compiled(product, Compiled::default())
    }

    pub(crate) fn judge_compiled(&mut self, product: &ProductId, compiled: Compiled) -> Judgement {
        let root = self.own.root.clone();
        let mut reader = Reader::open(&self.state, &root).unwrap();
        judge::judge_product(
            &mut reader,
            product,
            compiled,
            &mut self.hardware,
            self.clocks,
        )
    }

    /// What the service does at each round: judges and notes.
    pub(crate) fn tend(&mut self) -> Judgement {
        let root = self.own.root.clone();
        let product = self.own.products.keys().next().unwrap().clone();
        let mut reader = Reader::open(&self.state, &root).unwrap();
        let mut evidence = reader.evidence(&product, Compiled::default()).unwrap();
        let judgement = judge::tend(&mut evidence, true, &mut self.hardware, self.clocks);
        let holding = self.holding();
        holding.products.get_mut(&product).unwrap().marks = evidence.marks;
        judgement
    }

    pub(crate) fn floor(&mut self) -> Floor {
        self.holding().floor
    }
}

pub(crate) fn tags(publisher: &Publisher, values: [&str; 4]) -> ComponentTags {
    let kinds = [
        Component::Installation,
        Component::Model,
        Component::Disk,
        Component::Network,
    ];
    ComponentTags::of(publisher.root.publisher(), kinds.into_iter().zip(values))
}
