//! The work that goes on while nodes fail: machines that ask, and hosts that want certificates, at a
//! steady pace, each until it is answered.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use muster_proto::ids::ClientId;
use muster_proto::wire::Bundle;
use tokio::time::Instant;

use super::nodes::Cluster;
use crate::estate::{Estate, Outcome, Service, muster};
use crate::machine::Machine;

/// Product keys, each of 6 x 10.
const KEYS: usize = 12;
/// Machines that want a place under each key; six get one.
const MACHINES: usize = 8;
/// Directories on each machine that want a certificate; ten get one.
const TIMES: usize = 12;
/// Commands that ask for certificates, at once.
const CERTIFIERS: usize = 4;
/// Between two certificates that one of them asks for.
const CERTIFIER_PAUSE: Duration = Duration::from_millis(500);
/// Between two machines that ask for the first time.
const ASK_PACE: Duration = Duration::from_millis(25);
/// Before a machine that was not answered asks the other host.
const ASK_PAUSE: Duration = Duration::from_millis(300);
/// Tries of a command or a machine: far more than a fault lasts.
const TRIES_MAX: usize = 1_000;
/// Refusals that are the 6 x 10 rule's own.
const SPENT: [&str; 2] = ["MUSTER-AUT-0045", "MUSTER-AUT-0046"];

/// An acknowledged certificate.
#[derive(Clone, Debug)]
pub(super) struct Certified {
    /// Which product key.
    pub(super) key: usize,
    /// Which machine under it.
    pub(super) machine: usize,
    /// The certificate's name.
    pub(super) certificate: String,
    /// When.
    pub(super) at: Duration,
}

/// What was acknowledged.
#[derive(Default)]
pub(super) struct Acknowledged {
    /// Machines whose ask was answered, and when.
    pub(super) asks: BTreeMap<ClientId, Duration>,
    /// Certificates.
    pub(super) certificates: Vec<Certified>,
    /// Hosts that were refused by the rule.
    pub(super) spent: usize,
}

/// The work under way.
pub(super) struct Work {
    estate: Arc<Estate>,
    began: Instant,
    is_over: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Acknowledged>>,
    threads: Vec<JoinHandle<()>>,
    _services: Vec<Service>,
}

/// What is left when it is over.
pub(super) struct Done {
    pub(super) estate: Arc<Estate>,
    pub(super) acknowledged: Acknowledged,
    /// A running host, for its own view of the table.
    pub(super) hosts: [&'static str; 2],
}

const HOSTS: [&str; 2] = ["one", "two"];

impl Work {
    /// Makes a publisher with an authority and two hosts on the cluster, and begins.
    pub(super) fn start(cluster: &Cluster) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let estate = Arc::new(Estate::in_dir(dir));
        let init = ["init", "--publisher", "Contoso", "--store", cluster.url()];
        estate.authority(&init).done();
        estate.product("solo", "client", &["--threshold", "1"]);
        let authority = estate.serve_authority();
        let mut services = Vec::new();
        let mut addresses = Vec::new();
        for host in HOSTS {
            estate.certify(host, "solo", &authority);
            estate
                .kms(host, &["set", "--new-identities", "1000000"])
                .done();
            let service = estate.serve_kms(host, &["--store", cluster.url()]);
            addresses.push(service.address.parse().expect("an address"));
            services.push(service);
        }
        let keys = (0..KEYS).map(|_| estate.key("solo", "kms-host")).collect();
        let url = format!("http://{}", authority.address);
        services.push(authority);
        let mut work = Self {
            estate,
            began: Instant::now(),
            is_over: Arc::default(),
            acknowledged: Arc::default(),
            threads: Vec::new(),
            _services: services,
        };
        work.ask(addresses);
        work.certify(keys, url);
        work
    }

    /// Since the work began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Lets it go on for a while.
    pub(super) fn wait(&self, time: Duration) {
        let until = self.now() + time;
        while let Some(left) = until.checked_sub(self.now()) {
            std::thread::park_timeout(left);
        }
    }

    /// Ends it: what was begun is still answered.
    pub(super) fn finish(self) -> Done {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("no thread of the work fails");
        }
        let acknowledged = std::mem::take(&mut *self.acknowledged.lock().expect("no panic"));
        Done {
            estate: self.estate,
            acknowledged,
            hosts: HOSTS,
        }
    }

    /// Machines that ask, one after the other, whether others were answered or not.
    fn ask(&mut self, hosts: Vec<SocketAddr>) {
        let policy = fs::read(self.estate.policy("solo")).expect("a policy");
        let bundle = Bundle::decode(&policy).expect("a good bundle");
        let (acknowledged, is_over) = (Arc::clone(&self.acknowledged), Arc::clone(&self.is_over));
        let began = self.began;
        let asking = async move {
            let mut pace = tokio::time::interval(ASK_PACE);
            let mut under_way = tokio::task::JoinSet::new();
            for number in 0.. {
                pace.tick().await;
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let mut machine = Machine::new(&bundle, number);
                let hosts = hosts.clone();
                let acknowledged = Arc::clone(&acknowledged);
                under_way.spawn(async move {
                    let mut tries = number as usize;
                    while !machine.ask(hosts[tries % hosts.len()]).await {
                        tries += 1;
                        let is_late = tries > number as usize + TRIES_MAX;
                        assert!(!is_late, "machine {number} was never answered");
                        tokio::time::sleep(ASK_PAUSE).await;
                    }
                    let mut acknowledged = acknowledged.lock().expect("no panic");
                    acknowledged.asks.insert(machine.id(), began.elapsed());
                });
                while under_way.try_join_next().is_some() {}
            }
            under_way.join_all().await;
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let thread = std::thread::spawn(move || runtime.block_on(asking));
        self.threads.push(thread);
    }

    /// Hosts' commands that ask for certificates.
    fn certify(&mut self, keys: Vec<String>, authority: String) {
        let (keys, next) = (Arc::new(keys), Arc::new(AtomicUsize::new(0)));
        for _ in 0..CERTIFIERS {
            let (keys, next, authority) = (Arc::clone(&keys), Arc::clone(&next), authority.clone());
            let (estate, is_over) = (Arc::clone(&self.estate), Arc::clone(&self.is_over));
            let (acknowledged, began) = (Arc::clone(&self.acknowledged), self.began);
            let thread = std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= KEYS * MACHINES * TIMES {
                        break;
                    }
                    let key = number % KEYS;
                    let machine = number / KEYS % MACHINES;
                    let host = format!("k{key}m{machine}t{}", number / KEYS / MACHINES);
                    let hardware = format!("k{key}m{machine}");
                    let certificate = certify(&estate, &host, &hardware, &keys[key], &authority);
                    let mut acknowledged = acknowledged.lock().expect("no panic");
                    match certificate {
                        Some(certificate) => acknowledged.certificates.push(Certified {
                            key,
                            machine,
                            certificate,
                            at: began.elapsed(),
                        }),
                        None => acknowledged.spent += 1,
                    }
                    drop(acknowledged);
                    std::thread::park_timeout(CERTIFIER_PAUSE);
                }
            });
            self.threads.push(thread);
        }
    }
}

/// Runs `install-key` until the rule has spoken: the certificate, or none.
fn certify(
    estate: &Estate,
    host: &str,
    hardware: &str,
    key: &str,
    authority: &str,
) -> Option<String> {
    let on_its_machine = |args: &[&str]| {
        let mut args = estate.kms_args(host, args);
        *args.last_mut().expect("the sysroot") = estate.hardware(hardware);
        Outcome::of(muster().args(args))
    };
    let mut tries = 0;
    loop {
        let outcome = on_its_machine(&["install-key", key, "--authority", authority]);
        if outcome.is_done() {
            break;
        }
        if SPENT.iter().any(|code| outcome.stderr.contains(code)) {
            return None;
        }
        tries += 1;
        assert!(tries < TRIES_MAX, "{host} was never answered: {outcome:#?}");
        std::thread::park_timeout(ASK_PAUSE);
    }
    let status = on_its_machine(&["status", "--json"]).done().json();
    let certificate = status["keys"][0]["certificate"].as_str();
    Some(
        certificate
            .expect("a host that was certified holds it")
            .to_owned(),
    )
}
