//! A KMS host that is told how to behave, and a machine with a directory, hardware and clocks of
//! its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use muster_client::{Boot, Client, Clock, Options, ProductStatus, Which};
use muster_net::http::{Listener, Request, Response, ServerLimits, serve};
use muster_net::seal::OpeningKey;
use muster_proto::client::identity::Identity;
use muster_proto::client::state::State;
use muster_proto::ids::Nonce;
use muster_proto::key::{Channel, KeyRing, KeySecret, ProductKey};
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::Ask;
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::Policy;
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::{Hello, SealedHead};
use zeroize::Zeroizing;

use crate::estate::{Publisher, START, Signer, Station, days};

/// How a host behaves.
#[derive(Clone)]
pub(crate) enum Mode {
    /// As it should.
    Honest,
    /// Every request gets this status.
    Status(u16),
    /// Asks get a redirect.
    Redirect,
    /// Asks get bytes that are no sealed answer.
    Garbage,
    /// Asks get no answer at all.
    Silent,
    /// Asks get the first answer it ever gave, sealed anew.
    Replay,
    /// Asks get an answer signed by this other host.
    SignedBy(Box<Signer>),
    /// Asks get an order to make a new key.
    Order,
    /// The first ask is answered with 409.
    Conflict,
}

/// What a host knows and has seen.
pub(crate) struct Script {
    pub(crate) station: Station,
    pub(crate) mode: Mode,
    /// The count it states; with `None` it counts by itself.
    pub(crate) count: Option<u32>,
    /// What its clock shows.
    pub(crate) now: Timestamp,
    /// Bundles by product.
    pub(crate) policies: HashMap<String, Vec<u8>>,
    /// The policy version its leases name.
    pub(crate) policy_version: u32,
    /// Revocation deltas by the number they follow.
    pub(crate) revocations: HashMap<u64, Vec<u8>>,
    /// The revocation number its answers name.
    pub(crate) revocation_number: u64,
    /// Products it has a lease for; all when empty.
    pub(crate) serves: Vec<String>,
    /// Every ask opened, in order.
    pub(crate) asks: Vec<Ask>,
    /// What happens when an ask has come, before it is answered.
    pub(crate) on_ask: Option<Box<dyn Fn() + Send>>,
    /// Requests by path.
    pub(crate) requests: Vec<String>,
    opening: OpeningKey,
    /// Per client: its generation, its last nonce, and whether it counts.
    clients: HashMap<[u8; 32], (u32, Nonce, bool)>,
    first_answer: Option<Vec<u8>>,
}

/// A running host.
pub(crate) struct Stub {
    pub(crate) addr: SocketAddr,
    script: Arc<Mutex<Script>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Stub {
    pub(crate) fn start(station: &Station) -> Self {
        let script = Arc::new(Mutex::new(Script {
            station: station.clone(),
            mode: Mode::Honest,
            count: Some(5),
            now: START,
            policies: HashMap::new(),
            policy_version: 1,
            revocations: HashMap::new(),
            revocation_number: 0,
            serves: Vec::new(),
            asks: Vec::new(),
            on_ask: None,
            requests: Vec::new(),
            opening: OpeningKey::generate(),
            clients: HashMap::new(),
            first_answer: None,
        }));
        let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let addr = listener.addresses()[0];
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = Arc::clone(&script);
        // A thread of its own: a client whose time is paused must not pause its host.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let handler = move |request: Request| {
                    let script = Arc::clone(&served);
                    async move { answer(&script, request).await }
                };
                let stopped = async {
                    let _ = stopped.await;
                };
                let limits = ServerLimits {
                    stop_timeout: std::time::Duration::ZERO,
                    ..ServerLimits::default()
                };
                serve(listener, limits, handler, stopped).await.unwrap();
            });
        });
        Self {
            addr,
            script,
            _stop: stop,
        }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.script.lock().unwrap())
    }

    pub(crate) fn mode(&self, mode: Mode) {
        self.with(|script| script.mode = mode);
    }

    pub(crate) fn asks(&self) -> Vec<Ask> {
        self.with(|script| script.asks.clone())
    }

    pub(crate) fn place(&self) -> String {
        self.addr.to_string()
    }
}

async fn answer(script: &Mutex<Script>, request: Request) -> Response {
    let silent = {
        let mut script = script.lock().unwrap();
        script.requests.push(request.path().to_owned());
        matches!(script.mode, Mode::Silent) && request.path().ends_with("/ask")
    };
    if silent {
        std::future::pending::<()>().await;
    }
    script.lock().unwrap().respond(&request)
}

impl Script {
    fn respond(&mut self, request: &Request) -> Response {
        if let Mode::Status(status) = self.mode {
            return Response::text(status, "told so");
        }
        let publisher = self.station.signer.publisher.to_string();
        let cbor = |bytes: Vec<u8>| Response::new(200, "application/cbor", bytes);
        let parts: Vec<&str> = request.path().split('/').collect();
        match parts.as_slice() {
            ["", "muster", "v1", "hello", id] if *id == publisher => cbor(self.hello().encode()),
            ["", "muster", "v1", "policy", id, product] if *id == publisher => {
                match self.policies.get(*product) {
                    Some(bundle) => cbor(bundle.clone()),
                    None => Response::text(404, "no such product"),
                }
            }
            ["", "muster", "v1", "revocations", id] if *id == publisher => {
                let from = request
                    .query()
                    .and_then(|query| query.strip_prefix("from="));
                let from: u64 = from.unwrap().parse().unwrap();
                match self.revocations.get(&from) {
                    Some(delta) => cbor(delta.clone()),
                    None => Response::text(204, ""),
                }
            }
            ["", "muster", "v1", "ask"] => self.ask(&request.body),
            _ => Response::text(404, "nothing here"),
        }
    }

    fn hello(&self) -> Hello {
        let opening = Opening {
            opening_key: self.opening.public(),
            store: self.station.store,
            issued: self.now,
            expires: self.now + Opening::LIFE,
        };
        Hello {
            opening: self.station.signer.sign(&opening, false),
            ..self.station.hello(self.now)
        }
    }

    fn ask(&mut self, body: &[u8]) -> Response {
        match self.mode {
            Mode::Redirect => {
                let mut response = Response::text(302, "elsewhere");
                response
                    .headers
                    .push(("location", "http://127.0.0.1:9/".into()));
                return response;
            }
            Mode::Garbage => return Response::new(200, "application/octet-stream", vec![7; 500]),
            Mode::Conflict => {
                self.mode = Mode::Honest;
                self.opening = OpeningKey::generate();
                return Response::text(409, "unknown opening key");
            }
            _ => {}
        }
        let (head, seal) = SealedHead::split(body).unwrap();
        let (plain, key) = self.opening.open(&head.info(), seal).unwrap();
        let audience = self.station.signer.parent;
        let (ask, name) = Ask::open(&plain, self.station.signer.publisher, audience).unwrap();
        let claims = self.decide(&ask, name);
        self.asks.push(ask);
        if let Some(on_ask) = &self.on_ask {
            on_ask();
        }
        let signer = match &self.mode {
            Mode::SignedBy(other) => &**other,
            _ => &self.station.signer,
        };
        let mut signed = signer.sign(&claims, true);
        let first = self.first_answer.get_or_insert_with(|| signed.clone());
        if matches!(self.mode, Mode::Replay) {
            signed = first.clone();
        }
        Response::new(200, "application/octet-stream", key.seal_answer(&signed))
    }

    /// The ticket rules, as far as one store needs them.
    fn decide(&mut self, ask: &Ask, name: muster_proto::ids::Thumbprint) -> Answer {
        let id = ask.client.thumbprint().0;
        let shown = ask.ticket.map(|ticket| ticket.generation);
        let (generation, order) = match self.clients.get(&id) {
            None => (1, false),
            Some((generation, nonce, _)) if *nonce == ask.nonce => (*generation, false),
            Some((generation, ..)) if shown >= Some(*generation) => (generation + 1, false),
            Some((generation, ..)) => (*generation, true),
        };
        let order = order || matches!(self.mode, Mode::Order);
        if let Some(old) = ask
            .predecessor
            .as_ref()
            .filter(|_| !self.clients.contains_key(&id))
        {
            // It counts only if it asks again itself.
            let row = self.clients.get_mut(&old.key.thumbprint().0);
            row.into_iter().for_each(|row| row.2 = false);
        }
        if !order {
            self.clients.insert(id, (generation, ask.nonce, true));
        }
        let counted = self.clients.values().filter(|row| row.2).count();
        let count = self.count.unwrap_or(u32::try_from(counted).unwrap());
        let mut leases = self.station.leases(ask, count, self.now);
        leases.retain(|lease| {
            self.serves.is_empty() || self.serves.iter().any(|it| *it == lease.product.as_str())
        });
        for lease in &mut leases {
            lease.policy_version = self.policy_version;
        }
        let served: Vec<_> = leases.iter().map(|lease| lease.product.clone()).collect();
        let refused = ask.products.iter().map(|asked| asked.product.clone());
        let refused = refused.filter(|product| !served.contains(product));
        let outcome = match order {
            true => Outcome::NewKey {
                order: self.station.ticket(generation),
            },
            false => Outcome::Granted {
                leases: self.station.sign_all(&leases),
            },
        };
        Answer {
            nonce: ask.nonce,
            ask: name,
            outcome,
            reason: "MUSTER-KMS-0001".into(),
            refused: refused
                .map(|product| (product, "MUSTER-KMS-0009".into()))
                .collect(),
            store: self.station.store,
            ticket: (!order).then(|| self.station.ticket(generation)),
            renewal: days(7),
            retry: Span::from_hours(2),
            revocations: self.revocation_number,
            issued: self.now,
        }
    }
}

/// Clocks that a test moves.
pub(crate) struct TestClock(Mutex<(Timestamp, Boot)>);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        let boot = Boot {
            id: [1; 16],
            uptime: days(1),
        };
        Arc::new(Self(Mutex::new((START, boot))))
    }

    pub(crate) fn pass(&self, span: Span) {
        let mut clocks = self.0.lock().unwrap();
        clocks.0 = clocks.0 + span;
        clocks.1.uptime = clocks.1.uptime + span;
    }

    pub(crate) fn set_wall(&self, wall: Timestamp) {
        self.0.lock().unwrap().0 = wall;
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        self.0.lock().unwrap().0
    }

    fn boot(&self) -> Boot {
        self.0.lock().unwrap().1
    }
}

/// A machine: a directory, hardware under a system root, clocks.
pub(crate) struct Machine {
    pub(crate) root: tempfile::TempDir,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) client: Client,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::with(TestClock::new(), "one", None)
    }

    pub(crate) fn with(clock: Arc<TestClock>, name: &str, dns: Option<SocketAddr>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let sysroot = root.path().join("sysroot");
        for (file, text) in [
            ("etc/machine-id", format!("{name}-id\n")),
            ("sys/class/dmi/id/product_name", format!("{name}-model\n")),
            ("sys/block/vda/serial", format!("{name}-disk\n")),
            ("proc/meminfo", "MemTotal: 16282348 kB\n".to_owned()),
        ] {
            let path = sysroot.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let client = Client::new(Options {
            sysroot: Some(sysroot),
            dns_server: dns,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..Options::new(root.path().join("client"))
        });
        Self {
            root,
            clock,
            client,
        }
    }

    /// A machine with a product installed and a host configured.
    pub(crate) fn installed(publisher: &Publisher, policy: &Policy, hosts: &[&Stub]) -> Self {
        let machine = Self::new();
        machine.install(publisher, policy);
        machine.hosts(hosts);
        machine
    }

    pub(crate) fn install(&self, publisher: &Publisher, policy: &Policy) {
        let bundle = publisher.bundle(policy, &[]).encode();
        let key = key(publisher, Channel::GenericVolume, policy);
        self.client.install_key(&key, &bundle, None).unwrap();
    }

    pub(crate) fn hosts(&self, hosts: &[&Stub]) {
        let hosts: Vec<_> = hosts
            .iter()
            .map(|stub| stub.place().parse().unwrap())
            .collect();
        self.client.set_host(&hosts, &Which::default()).unwrap();
    }

    pub(crate) async fn activate(&self) -> muster_client::Activation {
        self.client.activate(&Which::default()).await.unwrap()
    }

    pub(crate) fn status(&self) -> ProductStatus {
        let status = self.client.status(&Which::default()).unwrap();
        status.products.into_iter().next().unwrap()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.client.dir().join(name)
    }

    pub(crate) fn state(&self) -> State {
        State::decode(&std::fs::read(self.file("state")).unwrap()).unwrap()
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::decode(&std::fs::read(self.file("identity")).unwrap()).unwrap()
    }
}

/// A product key of a publisher.
pub(crate) fn key(publisher: &Publisher, channel: Channel, policy: &Policy) -> ProductKey {
    let ring = KeyRing::derive(&KeySecret::new(Zeroizing::new([5; 32])));
    let id = publisher.root.publisher().0;
    ring.issue(&id, channel, policy.group, 1)
}

/// Copies a directory's files.
pub(crate) fn copy(from: &Path, to: &Path, names: &[&str]) {
    std::fs::create_dir_all(to).unwrap();
    for name in names {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}
