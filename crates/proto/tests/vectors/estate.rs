//! The estate of the vectors: keys of fixed seeds, two publishers, certificates, and one good
//! statement of each type to begin with.

use muster_proto::crypto::{PublicKey, SecretKey};
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{Nonce, ProductId, PublisherId, SiteId, StoreId, Thumbprint};
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::{Ask, AskedProduct, Predecessor, Ticket, succession};
use muster_proto::statement::cert::{Cert, Flags, PolicyBounds};
use muster_proto::statement::lease::{Lease, LeaseKind};
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::{Policy, ProductKind};
use muster_proto::statement::request::Request;
use muster_proto::statement::revocations::{Revocations, Revoked};
use muster_proto::statement::root::Root;
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Claims, Draft, Envelope, Role};
use muster_proto::time::{Span, Timestamp};

/// When the issuing key was certified: 2027-01-15T08:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A time some days after [`START`].
pub(crate) fn day(days: u64) -> Timestamp {
    START + Span::from_days(days)
}

/// A key of the estate: its seed is its number, 32 times.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// A signing key with what statements under it name and carry.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) key: SecretKey,
    pub(crate) parent: Thumbprint,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl Signer {
    /// A root key.
    pub(crate) fn root(number: u8) -> Self {
        let key = key(number);
        let parent = key.public().thumbprint();
        Self {
            key,
            parent,
            chain: Vec::new(),
        }
    }

    /// The holder of a certificate that stands under `above`.
    pub(crate) fn under(above: &Signer, number: u8, cert: &[u8]) -> Self {
        let envelope = Envelope::decode_any(cert).expect("a certificate");
        let chain = std::iter::once(cert.to_vec()).chain(above.chain.iter().cloned());
        Self {
            key: key(number),
            parent: envelope.name(),
            chain: chain.collect(),
        }
    }

    /// Signs claims; the statement carries the signer's chain.
    pub(crate) fn sign<C: Claims>(&self, publisher: PublisherId, claims: &C) -> Vec<u8> {
        self.sign_with(publisher, claims, &self.chain)
    }

    /// Signs claims; the statement carries no chain.
    pub(crate) fn sign_alone<C: Claims>(&self, publisher: PublisherId, claims: &C) -> Vec<u8> {
        self.sign_with(publisher, claims, &[])
    }

    fn sign_with<C: Claims>(
        &self,
        publisher: PublisherId,
        claims: &C,
        chain: &[Vec<u8>],
    ) -> Vec<u8> {
        let draft = Draft::new(claims, publisher, self.parent, &self.key.public());
        let signature = self.key.sign(&draft.to_be_signed());
        draft.finish(signature, chain)
    }
}

/// Everything of one publisher.
pub(crate) struct Estate {
    pub(crate) root: Root,
    pub(crate) publisher: PublisherId,
    pub(crate) root_key: Signer,
    pub(crate) next_root_key: Signer,
    pub(crate) issuing: Signer,
    pub(crate) kms_host: Signer,
    pub(crate) vm_host: Signer,
    first: u8,
}

/// Numbers of the keys, each counted from the publisher's first.
pub(crate) const ROOT: u8 = 0;
pub(crate) const NEXT_ROOT: u8 = 1;
pub(crate) const ISSUING: u8 = 2;
pub(crate) const KMS_HOST: u8 = 3;
pub(crate) const VM_HOST: u8 = 4;
pub(crate) const CLIENT: u8 = 5;
pub(crate) const OLD_CLIENT: u8 = 6;
pub(crate) const OTHER_HOST: u8 = 7;
pub(crate) const OTHER_ISSUING: u8 = 8;

impl Estate {
    /// The publisher whose statements are verified.
    pub(crate) fn contoso() -> Self {
        Self::new("Contoso", 0x10)
    }

    /// Another publisher.
    pub(crate) fn fabrikam() -> Self {
        Self::new("Fabrikam", 0x20)
    }

    fn new(name: &str, first: u8) -> Self {
        let root_key = Signer::root(first + ROOT);
        let next_root_key = Signer::root(first + NEXT_ROOT);
        let keys = vec![root_key.key.public(), next_root_key.key.public()];
        let root = Root::new(name, keys).expect("a root of two keys");
        let publisher = root.publisher();
        let mut estate = Self {
            root,
            publisher,
            issuing: root_key.clone(),
            kms_host: root_key.clone(),
            vm_host: root_key.clone(),
            root_key,
            next_root_key,
            first,
        };
        estate.issuing = estate.certified(&estate.root_key, ISSUING, &estate.issuing_cert());
        estate.kms_host = estate.certified(&estate.issuing, KMS_HOST, &estate.kms_cert());
        estate.vm_host = estate.certified(&estate.issuing, VM_HOST, &estate.vm_cert());
        estate
    }

    /// The estate's key of a number.
    pub(crate) fn key(&self, number: u8) -> SecretKey {
        key(self.first + number)
    }

    /// A key's public half.
    pub(crate) fn public(&self, number: u8) -> PublicKey {
        self.key(number).public()
    }

    /// Certifies a key and gives its holder.
    pub(crate) fn certified(&self, above: &Signer, number: u8, cert: &Cert) -> Signer {
        let bytes = above.sign_alone(self.publisher, cert);
        Signer::under(above, self.first + number, &bytes)
    }

    /// A client or requester: it signs for itself.
    pub(crate) fn own(&self, number: u8) -> Signer {
        Signer::root(self.first + number)
    }

    /// The issuing key's certificate.
    pub(crate) fn issuing_cert(&self) -> Cert {
        Cert {
            role: Role::Issuing,
            key: self.public(ISSUING),
            opening_key: [self.first + 0x42; 32],
            name: "issuing 1".into(),
            products: Scope::only([product("cad"), product("cam")]),
            sites: Scope::only([site("hq"), site("lab")]),
            client_budget: 100_000,
            depth: 1,
            flags: Flags::ALL,
            policy_bounds: Some(PolicyBounds {
                threshold_min: 5,
                validity_max: Span::from_days(180),
            }),
            issued: START,
            not_before: START - Span::from_hours(1),
            not_after: day(5 * 365),
        }
    }

    /// The KMS host's certificate.
    pub(crate) fn kms_cert(&self) -> Cert {
        Cert {
            role: Role::KmsHost,
            key: self.public(KMS_HOST),
            opening_key: [self.first + 0x43; 32],
            name: "kms.corp.test".into(),
            products: Scope::only([product("cad")]),
            sites: Scope::only([site("hq")]),
            client_budget: 1_000,
            depth: 0,
            flags: Flags::NONE,
            policy_bounds: None,
            issued: day(1),
            not_before: day(1) - Span::from_hours(1),
            not_after: day(366),
        }
    }

    /// The VM host's certificate.
    pub(crate) fn vm_cert(&self) -> Cert {
        Cert {
            role: Role::VmHost,
            key: self.public(VM_HOST),
            opening_key: [self.first + 0x44; 32],
            name: "vm.corp.test".into(),
            client_budget: 32,
            ..self.kms_cert()
        }
    }

    /// A client's lease.
    pub(crate) fn lease(&self) -> Lease {
        Lease {
            kind: LeaseKind::Kms,
            product: product("cad"),
            client: self.public(CLIENT).thumbprint(),
            count: 25,
            components: self.components(),
            policy_version: 3,
            revocations: 1,
            issued: day(10),
            expires: day(190),
        }
    }

    /// A guest's lease.
    pub(crate) fn vm_lease(&self) -> Lease {
        Lease {
            kind: LeaseKind::Vm,
            count: 4,
            expires: day(17),
            ..self.lease()
        }
    }

    /// A policy within the issuing key's bounds.
    pub(crate) fn policy(&self) -> Policy {
        Policy::new(product("cad"), "Contoso CAD", ProductKind::Client, day(2))
    }

    /// A client's first ask.
    pub(crate) fn ask(&self) -> Ask {
        Ask {
            audience: self.kms_host.parent,
            client: self.public(CLIENT),
            nonce: Nonce([0xa1; 16]),
            products: vec![AskedProduct {
                product: product("cad"),
                state: muster_proto::client::LicenceState::Unlicensed,
                minutes_left: None,
                required: Some(25),
            }],
            ticket: None,
            components: self.components(),
            predecessor: None,
            base_licence: false,
            in_vm: false,
            version: "muster 0.1.0".into(),
            name: None,
            user_identity: false,
            declared: false,
            issued: day(10),
        }
    }

    /// The proof that a client succeeds its older key.
    pub(crate) fn predecessor(&self) -> Predecessor {
        let (old, new) = (self.key(OLD_CLIENT), self.public(CLIENT));
        let proof = succession(self.publisher, &old.public(), &new);
        Predecessor {
            key: old.public(),
            order: ticket(2),
            signature: old.sign(&proof),
        }
    }

    /// An answer with a lease.
    pub(crate) fn answer(&self) -> Answer {
        let ask = self.own(CLIENT).sign(self.publisher, &self.ask());
        Answer {
            nonce: self.ask().nonce,
            ask: Envelope::decode_any(&ask).expect("an ask").name(),
            outcome: Outcome::Granted {
                leases: vec![self.kms_host.sign_alone(self.publisher, &self.lease())],
            },
            reason: "MUSTER-KMS-0001".into(),
            refused: Vec::new(),
            store: STORE,
            ticket: Some(ticket(1)),
            renewal: Span::from_days(7),
            retry: Span::from_hours(2),
            revocations: 1,
            issued: day(10),
        }
    }

    /// The first revocations: a host's key.
    pub(crate) fn revocations(&self) -> Revocations {
        Revocations {
            from: 0,
            number: 1,
            entries: vec![Revoked {
                key: self.public(OTHER_HOST).thumbprint(),
                ends: day(366),
            }],
            issued: day(9),
        }
    }

    /// The KMS host's second opening key.
    pub(crate) fn opening(&self) -> Opening {
        Opening {
            opening_key: [self.first + 0x45; 32],
            store: STORE,
            issued: day(31),
            expires: day(31) + Opening::LIFE,
        }
    }

    /// The KMS host's first opening key: the one its certificate names.
    pub(crate) fn first_opening(&self) -> Opening {
        Opening {
            opening_key: self.kms_cert().opening_key,
            store: STORE,
            issued: day(1),
            expires: day(1) + Opening::LIFE,
        }
    }

    /// A host's request for its first certificate.
    pub(crate) fn request(&self) -> Request {
        Request {
            role: Role::KmsHost,
            key: self.public(KMS_HOST),
            opening_key: [self.first + 0x43; 32],
            sealed_keys: vec![vec![0xee; 105]],
            components: self.components(),
            previous: None,
            name: "kms.corp.test".into(),
            nonce: [0xc3; 16],
            issued: day(1),
        }
    }

    /// A machine's component tags.
    pub(crate) fn components(&self) -> ComponentTags {
        let parts = [
            (Component::Installation, "4e0d94a1c9f34f0f8ab5d1b8c4b9c2aa"),
            (Component::Model, "Fabricator 9000"),
            (Component::Processor, "Example CPU 8-Core"),
            (Component::Memory, "16"),
            (Component::Network, "52:54:00:12:34:56"),
        ];
        ComponentTags::of(self.publisher, parts)
    }
}

/// The store of the KMS host.
pub(crate) const STORE: StoreId = StoreId([0x57; 8]);

/// A ticket or order of that store.
pub(crate) fn ticket(generation: u32) -> Ticket {
    Ticket {
        store: STORE,
        generation,
        tag: [0xd4; 16],
    }
}

/// A product id.
pub(crate) fn product(id: &str) -> ProductId {
    id.parse().expect("a product id")
}

/// A site id.
pub(crate) fn site(id: &str) -> SiteId {
    id.parse().expect("a site id")
}
