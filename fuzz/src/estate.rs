//! What the targets work on: the golden statements with their keys, and a host that a real authority
//! has certified.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use muster_authority::{Authority, Ceremony, KeyOrder};
use muster_host::{Admin, Clock, KmsHost};
use muster_machine::Machine;
use muster_proto::crypto::SecretKey;
use muster_proto::host::{ClockReference, StoreIdentity};
use muster_proto::ids::{ProductId, PublisherId, StoreId, Thumbprint};
use muster_proto::key::Channel;
use muster_proto::statement::Envelope;
use muster_proto::statement::policy::{Policy, ProductKind};
use muster_proto::statement::root::Root;
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::Bundle;
use muster_store::kms::{HostValues, MemoryKms, NamedValue, ValueChange};
use serde_json::Value as Json;
use zeroize::Zeroizing;

use crate::signing::Signer;

/// The time at which everything happens: that of the golden statements.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_172_800);

/// One golden statement or file.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) check: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_good: bool,
}

/// The golden statements, with the keys that signed them.
pub(crate) struct Golden {
    pub(crate) root: Root,
    pub(crate) vectors: Vec<Vector>,
    /// The names of all statements that were ever signed: any other is a forgery.
    pub(crate) names: BTreeSet<Thumbprint>,
    /// Root, issuing key, KMS host, VM host, client.
    pub(crate) signers: [Signer; 5],
}

impl Golden {
    /// Read once.
    pub(crate) fn get() -> &'static Self {
        static GOLDEN: OnceLock<Golden> = OnceLock::new();
        GOLDEN.get_or_init(Self::read)
    }

    fn read() -> Self {
        let estate = json(include_str!("../../vectors/statements/estate.json"));
        let files = [
            include_str!("../../vectors/statements/good.json"),
            include_str!("../../vectors/statements/bad-chain.json"),
            include_str!("../../vectors/statements/bad-form.json"),
            include_str!("../../vectors/statements/bad-signers.json"),
            include_str!("../../vectors/statements/bad-wire.json"),
            include_str!("../../vectors/statements/edges.json"),
        ];
        let vectors: Vec<Vector> = files.into_iter().flat_map(vectors_of).collect();
        let mut names = BTreeSet::new();
        for vector in &vectors {
            note_names(&vector.bytes, &mut names);
        }
        let root = Root::decode(&hex(&estate["roots"]["contoso"]["file"])).expect("a golden root");
        let signers = signers(&estate, &vectors);
        Self {
            root,
            vectors,
            names,
            signers,
        }
    }

    /// The publisher of the golden root.
    pub(crate) fn publisher(&self) -> PublisherId {
        self.root.publisher()
    }

    /// The bytes of a good vector.
    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        bytes_of(&self.vectors, name)
    }

    /// The KMS host's key.
    pub(crate) fn host(&self) -> &Signer {
        &self.signers[2]
    }
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).expect("a vector file is JSON")
}

fn hex(json: &Json) -> Vec<u8> {
    let text = json.as_str().expect("hexadecimal text");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn vectors_of(text: &str) -> Vec<Vector> {
    let document = json(text);
    let vectors = document["vectors"].as_array().expect("a list of vectors");
    let vector = |vector: &Json| Vector {
        name: vector["name"].as_str().unwrap_or_default().to_owned(),
        check: vector["check"].as_str().unwrap_or_default().to_owned(),
        bytes: hex(&vector["bytes"]),
        is_good: vector["outcome"] == "accepted",
    };
    vectors.iter().map(vector).collect()
}

fn bytes_of<'a>(vectors: &'a [Vector], name: &str) -> &'a [u8] {
    let found = vectors.iter().find(|vector| vector.name == name);
    &found
        .unwrap_or_else(|| panic!("no vector is named {name}"))
        .bytes
}

/// Notes a statement's name, and those of all that it carries: certificates and leases.
fn note_names(bytes: &[u8], names: &mut BTreeSet<Thumbprint>) {
    use muster_proto::statement::answer::{Answer, Outcome};
    use muster_proto::wire::Hello;
    if let Ok(envelope) = Envelope::decode_any(bytes) {
        names.insert(envelope.name());
        envelope
            .chain
            .iter()
            .for_each(|cert| note_names(cert, names));
        if let Ok(Outcome::Granted { leases }) = envelope.claims::<Answer>().map(|it| it.outcome) {
            leases.iter().for_each(|lease| note_names(lease, names));
        }
    }
    if let Ok(hello) = Hello::decode(bytes) {
        hello.chain.iter().for_each(|cert| note_names(cert, names));
        note_names(&hello.opening, names);
    }
    if let Ok(bundle) = Bundle::decode(bytes) {
        bundle.chain.iter().for_each(|cert| note_names(cert, names));
        bundle
            .revocations
            .iter()
            .for_each(|it| note_names(it, names));
        note_names(&bundle.policy, names);
    }
}

fn signers(estate: &Json, vectors: &[Vector]) -> [Signer; 5] {
    let key = |name: &str| {
        let seed: [u8; 32] = hex(&estate["keys"][name]["seed"])
            .try_into()
            .expect("a seed");
        SecretKey::from_seed(&seed)
    };
    let certified = |name: &str, certs: &[&str]| {
        let chain: Vec<_> = certs
            .iter()
            .map(|cert| bare(bytes_of(vectors, cert)))
            .collect();
        let cert = Envelope::decode_any(&chain[0]).expect("a golden certificate");
        Signer {
            key: key(name),
            parent: cert.name(),
            chain,
        }
    };
    let own = |name: &str| {
        let key = key(name);
        Signer {
            parent: key.public().thumbprint(),
            key,
            chain: Vec::new(),
        }
    };
    [
        own("contoso-root"),
        certified("contoso-issuing", &["cert-issuing"]),
        certified("contoso-kms-host", &["cert-kms-host", "cert-issuing"]),
        certified("contoso-vm-host", &["cert-vm-host", "cert-issuing"]),
        own("contoso-client"),
    ]
}

/// A statement without the chain that it carries.
fn bare(bytes: &[u8]) -> Vec<u8> {
    let envelope = Envelope::decode_any(bytes).expect("a golden statement");
    envelope.with_chain(&[])
}

/// What a certified host keeps, to be started from again and again.
pub(crate) struct Certified {
    values: Vec<NamedValue>,
    /// What a product of the publisher ships with.
    pub(crate) bundle: Bundle,
    /// The authority that has certified it, and the folder that it needs.
    pub(crate) authority: Arc<Authority>,
    _folder: tempfile::TempDir,
}

/// What the host keeps its keys under; `crates/host/src/records.rs` names it.
const KEYS: &str = "keys";

impl Certified {
    /// Made once.
    pub(crate) fn get() -> &'static Self {
        static CERTIFIED: OnceLock<Certified> = OnceLock::new();
        // On a thread of its own, since this one may be inside of a runtime already.
        let make = || std::thread::spawn(|| crate::targets::wait(Self::make())).join();
        CERTIFIED.get_or_init(|| make().expect("an estate of an authority and a host"))
    }

    async fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Authority::init(folder.path(), "Contoso", None, Ceremony::Here, NOW).await;
        let (authority, _) = made.expect("an authority");
        let product: ProductId = "cad".parse().expect("an id");
        let mut policy = Policy::new(product.clone(), "CAD", ProductKind::Client, NOW);
        policy.threshold = 1;
        authority.add_product(policy, NOW).await.expect("a product");
        let order = KeyOrder::new(product.clone(), Channel::KmsHost);
        let key = authority
            .issue_keys(&order, NOW)
            .await
            .expect("a key")
            .remove(0)
            .key;
        let bundle = authority.bundle(&product, NOW).await.expect("a bundle");
        let store = Arc::new(MemoryKms::new(identity()));
        let admin = admin(store.clone());
        let request = admin
            .request_offline(&key, &bundle, None)
            .await
            .expect("a request");
        let activation = authority
            .certify(&request, None, NOW)
            .await
            .expect("a certificate");
        admin
            .apply(&activation.encode())
            .await
            .expect("a certified host");
        Self {
            values: store.values(KEYS).await.expect("the host's keys"),
            bundle,
            authority: Arc::new(authority),
            _folder: folder,
        }
    }

    /// An empty store with the host's keys in it.
    pub(crate) async fn store(&self) -> Arc<MemoryKms> {
        let store = Arc::new(MemoryKms::new(identity()));
        for (name, value) in &self.values {
            put(&store, KEYS, name, value.clone()).await;
        }
        store
    }

    /// The host, as it is after its start.
    pub(crate) async fn host(&self) -> KmsHost {
        let admin = admin(self.store().await);
        KmsHost::load(&admin)
            .await
            .expect("a certified host starts")
    }
}

/// Puts a value into a store.
pub(crate) async fn put(store: &MemoryKms, kind: &str, name: &str, value: Zeroizing<Vec<u8>>) {
    let change = ValueChange {
        puts: vec![(kind.into(), name.into(), value)],
        deletes: Vec::new(),
        said: String::new(),
        expected: None,
    };
    // A name or value over its limit is refused, which is as good.
    let _ = store.change(change, NOW).await;
}

/// A host's administrator over a store, on a machine without hardware at a fixed time.
pub(crate) fn admin(store: Arc<MemoryKms>) -> Admin {
    let clock: Clock = Arc::new(|| ClockReference {
        wall: NOW,
        since_boot: Span::from_days(1),
        boot_id: [7; 16],
    });
    Admin::over_store(store, Machine::declared("/nowhere".as_ref()), clock)
}

fn identity() -> StoreIdentity {
    StoreIdentity {
        id: StoreId([7; 8]),
        key: Zeroizing::new([9; 32]),
    }
}
