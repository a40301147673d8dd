//! Running services, ended or failed at each write while they are asked: whoever was acknowledged is
//! there after the restart, nobody is counted or charged twice, and everybody goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use muster_net::http::authority::{AuthorityClient, AuthorityOptions};
use muster_proto::authority::answer::Activation;
use muster_store::sqlite::rusqlite::Connection;

use super::faults::{Fault, Plan};
use super::walk::{Depth, told_where};
use crate::estate::{Estate, Outcome, Service, copy_dir, eventually, muster, run};

/// Machines that ask, each twice.
const MACHINES: usize = 4;
/// Hosts that ask for a certificate, and those that the key is good for.
const HOSTS: usize = 5;
const PLACES: usize = 3;

/// A service that is walked: what it is asked, and what must hold afterwards.
pub(super) trait Walked {
    const NAME: &'static str;
    /// The faults that are tried.
    const FAULTS: &'static [Fault];
    /// What was acknowledged.
    type Told: Default;

    fn estate(&self) -> &Estate;

    /// The arguments of the service on a copy of the folder `case`.
    fn serve(&self, copy: &str) -> Vec<String>;

    /// Another service that this one needs.
    fn beside(&self, _copy: &str) -> Option<Service> {
        None
    }

    /// Asks until everything was asked or the service has ended, and checks what was acknowledged.
    fn ask(&self, copy: &str, service: &mut Service) -> Self::Told;
    /// Whether it answers as if nothing had been.
    fn is_answered(&self, _copy: &str) -> bool {
        true
    }

    /// With its disk mended it goes on by itself, or it has ended to be started anew, where it can
    /// no longer tell what the disk has kept.
    fn goes_on(&self, copy: &str, service: &mut Service) {
        eventually("it goes on or ends", || {
            self.is_answered(copy) || service.has_ended()
        });
    }

    /// With the service started again: what was acknowledged is there, and everybody goes on.
    fn check(&self, copy: &str, service: &Service, told: &Self::Told) -> Result<(), String>;

    /// One run with a fault at a write; the writes that were met.
    fn run(&self, number: u64, fault: Fault) -> u64 {
        let copy = format!("case.{fault:?}-{number}").to_lowercase();
        let estate = self.estate();
        copy_dir(&estate.path("case"), &estate.path(&copy));
        let args = self.serve(&copy);
        let _beside = self.beside(&copy);
        let plan = Plan::at(number, fault);
        let started = Service::try_start(&mut plan.command(estate.dir.path(), &args));
        let mut told = Self::Told::default();
        let mut met_failing = None;
        if let Ok(mut service) = started {
            told = self.ask(&copy, &mut service);
            if !fault.is_deadly() {
                met_failing = (fault != Fault::None).then(|| plan.met());
                plan.change(0, Fault::None);
                self.goes_on(&copy, &mut service);
            }
            service.stop();
        }
        let again = Service::start(muster().args(&args));
        told_where(Self::NAME, number, fault, || {
            self.check(&copy, &again, &told).expect("nothing is lost");
        });
        assert_eq!(again.stop(), 0);
        fs::remove_dir_all(estate.path(&copy)).expect("the copy goes");
        // Once the disk is mended the fault is met no more.
        met_failing.unwrap_or_else(|| plan.met())
    }

    fn walk(&self, depth: Depth) {
        let writes = self.run(0, Fault::None);
        let tried = depth.tried(Self::NAME, writes, Self::FAULTS);
        let met = tried
            .iter()
            .filter(|(number, fault)| self.run(*number, *fault) >= *number);
        let met = met.count();
        depth.tell(Self::NAME, writes, tried.len(), met);
    }
}

/// A KMS host and machines that ask it.
pub(super) struct Kms {
    estate: Estate,
    address: String,
    /// The ids of the machines.
    ids: Vec<String>,
}

/// What a host holds.
#[derive(Debug)]
pub(super) struct Held {
    ids: BTreeSet<String>,
    pub(super) count: u64,
}

impl Kms {
    pub(super) fn new() -> Self {
        let estate = Estate::solo();
        let generic = estate.key("solo", "generic");
        let host = estate.serve_kms("kms", &[]);
        let address = host.address.clone();
        let policy = estate.policy("solo").display().to_string();
        let mut kms = Self {
            estate,
            address,
            ids: Vec::new(),
        };
        assert_eq!(host.stop(), 0);
        copy_dir(&kms.estate.path("kms"), &kms.estate.path("case/kms"));
        for number in 0..MACHINES {
            kms.machine(
                "case",
                number,
                &["install-key", &generic, "--policy", &policy],
            )
            .done();
            kms.machine("case", number, &["set-host", &kms.address])
                .done();
            let status = kms
                .machine("case", number, &["status", "--json"])
                .done()
                .json();
            let id = status["products"][0]["client_id"].as_str().expect("an id");
            kms.ids.push(id.to_owned());
        }
        kms
    }

    /// Runs a verb on a copy of a machine: the same hardware.
    pub(super) fn machine(&self, copy: &str, number: usize, args: &[&str]) -> Outcome {
        let mut args = self.estate.client_args(&format!("{copy}/m{number}"), args);
        *args.last_mut().expect("a system root") = self.estate.hardware(&format!("m{number}"));
        run(args)
    }

    fn kms_args(&self, copy: &str, args: &[&str]) -> Vec<String> {
        let mut args = self.estate.kms_args(&format!("{copy}/kms"), args);
        *args.last_mut().expect("a system root") = self.estate.hardware("kms");
        args
    }

    pub(super) fn held(&self, copy: &str) -> Held {
        let clients = run(self.kms_args(copy, &["clients", "--json"]))
            .done()
            .json();
        let clients = clients["clients"].as_array().expect("a list");
        let ids = clients
            .iter()
            .map(|client| client["id"].as_str().expect("an id"));
        let status = run(self.kms_args(copy, &["status", "--json"]))
            .done()
            .json();
        Held {
            ids: ids.map(str::to_owned).collect(),
            count: status["pools"][0]["count"].as_u64().unwrap_or_default(),
        }
    }

    /// Every machine asks: the ids of those that were granted.
    fn all_ask(&self, copy: &str) -> BTreeSet<String> {
        let ask = |number: &usize| self.machine(copy, *number, &["activate"]).is_done();
        let granted = (0..MACHINES).filter(ask);
        granted.map(|number| self.ids[number].clone()).collect()
    }
}

/// Whether a host holds all that it acknowledged, and counts exactly what it holds.
fn nothing_is_lost(told: &BTreeSet<String>, held: &Held) -> Result<(), String> {
    if let Some(lost) = told.difference(&held.ids).next() {
        return Err(format!(
            "machine {lost} was acknowledged and is gone: {held:?}"
        ));
    }
    if held.count != held.ids.len() as u64 || held.ids.len() > MACHINES {
        return Err(format!(
            "the count is not the machines that are there: {held:?}"
        ));
    }
    Ok(())
}

impl Walked for Kms {
    const NAME: &'static str = "kms serve";
    const FAULTS: &'static [Fault] = &Fault::ALL;
    type Told = BTreeSet<String>;

    fn estate(&self) -> &Estate {
        &self.estate
    }

    fn serve(&self, copy: &str) -> Vec<String> {
        self.kms_args(copy, &["serve", "--listen", &self.address])
    }

    fn ask(&self, copy: &str, service: &mut Service) -> BTreeSet<String> {
        let mut told = self.all_ask(copy);
        if !service.has_ended() {
            told.extend(self.all_ask(copy));
        }
        told
    }

    fn is_answered(&self, copy: &str) -> bool {
        self.machine(copy, 0, &["activate"]).is_done()
    }

    fn check(&self, copy: &str, _: &Service, told: &BTreeSet<String>) -> Result<(), String> {
        nothing_is_lost(told, &self.held(copy))?;
        let all = self.all_ask(copy);
        let held = self.held(copy);
        nothing_is_lost(&all, &held)?;
        // None was told to make another key, none is counted twice.
        match all.len() == MACHINES && held.ids == all {
            true => Ok(()),
            false => Err(format!("{all:?} were granted in the end, {held:?}")),
        }
    }
}

/// An authority, and hosts whose requests are sent to it.
pub(super) struct Authority {
    estate: Estate,
    address: String,
    requests: Vec<Vec<u8>>,
}

/// What an authority answered to a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Certificate(Vec<u8>),
    Spent,
}

impl Authority {
    pub(super) fn new() -> Self {
        let estate = Estate::new("solo", "client");
        let service = estate.serve_authority();
        let address = service.address.clone();
        let limits = ["--hosts", "3", "--activations", "2", "--json"];
        let issue = ["key", "issue", "--product", "solo", "--channel", "kms-host"];
        let issued = estate
            .authority(&[&issue[..], &limits].concat())
            .done()
            .json();
        let key = issued["keys"][0]["key"].as_str().expect("a key");
        let policy = estate.policy("solo").display().to_string();
        let request = |number: usize| {
            let out = estate.path(&format!("{number}.req"));
            let offline = ["install-key", key, "--offline", "--root", &policy];
            let to = ["--out", out.to_str().expect("text")];
            let host = format!("host{number}");
            estate.kms(&host, &[&offline[..], &to].concat()).done();
            fs::read(out).expect("a request")
        };
        let requests = (0..HOSTS).map(request).collect();
        assert_eq!(service.stop(), 0);
        copy_dir(&estate.path("authority"), &estate.path("case/authority"));
        Self {
            estate,
            address,
            requests,
        }
    }

    /// Sends a request; nothing where there was no answer, or one of a disk that fails.
    pub(super) fn send(&self, number: usize) -> Option<Answer> {
        let url = format!("http://{}", self.address);
        let client = AuthorityClient::new(&url, &AuthorityOptions::default()).expect("a URL");
        let body = self.requests[number].clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let post = client.post("/v1/certify", "application/cbor", body);
        let (status, body) = runtime.expect("a runtime").block_on(post).ok()?;
        if status == 200 {
            let answer = Activation::decode(&body).expect("an answer");
            return Some(Answer::Certificate(answer.chain[0].clone()));
        }
        let words = String::from_utf8_lossy(&body);
        words.contains("MUSTER-AUT-0045").then_some(Answer::Spent)
    }

    fn send_all(&self) -> BTreeMap<usize, Answer> {
        let answered = (0..HOSTS).map(|number| Some((number, self.send(number)?)));
        answered.flatten().collect()
    }

    fn args(&self, copy: &str, args: &[&str]) -> Vec<String> {
        let mut args = self.estate.authority_args(args);
        let dir = self.estate.path(&format!("{copy}/authority"));
        *args.last_mut().expect("a directory") = dir.display().to_string();
        args
    }

    /// Places and activations that the host product key has left behind.
    pub(super) fn used(&self, copy: &str) -> [u64; 2] {
        let keys = run(self.args(copy, &["key", "list", "--json"]))
            .done()
            .json();
        let key = &keys["keys"][0];
        ["hosts", "activations"].map(|what| key[what]["used"].as_u64().expect("a number"))
    }
}

impl Walked for Authority {
    const NAME: &'static str = "authority serve";
    const FAULTS: &'static [Fault] = &Fault::ALL;
    type Told = BTreeMap<usize, Answer>;

    fn estate(&self) -> &Estate {
        &self.estate
    }

    fn serve(&self, copy: &str) -> Vec<String> {
        self.args(copy, &["serve", "--listen", &self.address])
    }

    fn ask(&self, _: &str, service: &mut Service) -> BTreeMap<usize, Answer> {
        let mut told = self.send_all();
        if !service.has_ended() {
            for (number, answer) in self.send_all() {
                let before = told.insert(number, answer.clone());
                assert!(
                    before.is_none_or(|before| before == answer),
                    "another answer"
                );
            }
        }
        told
    }

    fn is_answered(&self, _: &str) -> bool {
        self.send(0).is_some()
    }

    /// The same certificates, charged once each; who was refused still is.
    fn check(&self, copy: &str, _: &Service, told: &BTreeMap<usize, Answer>) -> Result<(), String> {
        let [_, charged] = self.used(copy);
        let is_granted = |answer: &&Answer| **answer != Answer::Spent;
        if charged < told.values().filter(is_granted).count() as u64 {
            return Err(format!("only {charged} were charged: {told:?}"));
        }
        let all = self.send_all();
        for (number, answer) in told {
            if all.get(number) != Some(answer) {
                return Err(format!("request {number} is answered otherwise"));
            }
        }
        let granted = all.values().filter(is_granted).count();
        match (granted, all.len(), self.used(copy)) {
            (PLACES, HOSTS, used) if used == [PLACES as u64; 2] => Ok(()),
            (_, _, used) => Err(format!("{granted} were granted, {used:?} are charged")),
        }
    }
}

/// A machine's own service, and the host that it asks.
pub(super) struct Client(Kms);

/// The reason by which a machine says that its disk takes nothing.
pub(super) const UNWRITABLE: &str = "MUSTER-CFG-0004";

impl Client {
    pub(super) fn new() -> Self {
        Self(Kms::new())
    }

    /// Runs a verb of the machine.
    pub(super) fn verb(&self, copy: &str, args: &[&str]) -> Outcome {
        self.0.machine(copy, 0, args)
    }

    /// Another process names the host once more, which makes an ask due.
    pub(super) fn makes_due(&self, copy: &str) {
        self.verb(copy, &["set-host", &self.0.address]).done();
    }

    /// Whether it is licensed and the next ask is planned: nothing is under way.
    pub(super) fn is_settled(&self, copy: &str) -> bool {
        let status = self.verb(copy, &["status", "--json"]).done().json();
        let product = &status["products"][0];
        product["state"] == "licensed" && product["next"]["at"].is_string()
    }

    /// Asks that its host has answered, and machines that it counts.
    pub(super) fn at_host(&self, copy: &str) -> [u64; 2] {
        let status = self.0.kms_args(copy, &["status", "--json"]);
        let pool = &run(status).done().json()["pools"][0];
        [&pool["requests"]["total"], &pool["count"]].map(|it| it.as_u64().unwrap_or_default())
    }
}

impl Walked for Client {
    const NAME: &'static str = "client serve";
    const FAULTS: &'static [Fault] = &Fault::ALL;
    type Told = bool;

    fn estate(&self) -> &Estate {
        &self.0.estate
    }

    fn serve(&self, copy: &str) -> Vec<String> {
        let mut args = self.0.estate.client_args(&format!("{copy}/m0"), &["serve"]);
        *args.last_mut().expect("a system root") = self.0.estate.hardware("m0");
        args
    }

    fn beside(&self, copy: &str) -> Option<Service> {
        Some(Service::start(muster().args(self.0.serve(copy))))
    }

    /// It asks by itself: whether it was seen to be licensed. Its log tells of a disk that fails.
    fn ask(&self, copy: &str, service: &mut Service) -> bool {
        let mut log = Vec::new();
        for _ in 0..50 {
            let is_settled = self.is_settled(copy);
            log.extend(service.log());
            let is_told = log.iter().any(|line| line.contains(UNWRITABLE));
            if is_settled || is_told || service.has_ended() {
                return self.is_answered(copy);
            }
        }
        panic!("it never asked: {log:#?}");
    }

    fn is_answered(&self, copy: &str) -> bool {
        self.verb(copy, &["status", "--check"]).is_done()
    }

    /// Licensed as before, or at once when it asks again; one machine in all.
    fn check(&self, copy: &str, _: &Service, was_licensed: &bool) -> Result<(), String> {
        let status = self.verb(copy, &["status", "--check"]);
        if *was_licensed && !status.is_done() {
            return Err(format!("the licence is gone: {status:#?}"));
        }
        let asked = self.verb(copy, &["activate"]);
        let held = self.0.held(copy);
        match asked.is_done() && held.count == 1 && held.ids.contains(&self.0.ids[0]) {
            true => Ok(()),
            false => Err(format!("{asked:#?} {held:?}")),
        }
    }
}

#[test]
fn no_machine_that_a_host_acknowledged_is_lost_at_any_write() {
    Kms::new().walk(Depth::DAILY);
}

#[test]
fn no_certificate_is_lost_or_charged_twice_at_any_write() {
    Authority::new().walk(Depth::DAILY);
}

#[test]
fn a_machines_service_loses_no_licence_at_any_write() {
    Client::new().walk(Depth::DAILY);
}

#[test]
#[ignore = "minutes: every write of three services with every fault"]
fn services_at_every_write_with_every_fault() {
    Kms::new().walk(Depth::All);
    Authority::new().walk(Depth::All);
    Client::new().walk(Depth::All);
}

/// The control: the same checks, after a run without a fault, with something taken away.
#[test]
fn a_loss_is_noticed() {
    let kms = Kms::new();
    let changed = |sql: &str| {
        let copy = "case.control";
        copy_dir(&kms.estate.path("case"), &kms.estate.path(copy));
        let mut service = Service::start(muster().args(kms.serve(copy)));
        let told = kms.ask(copy, &mut service);
        assert_eq!(told.len(), MACHINES);
        assert_eq!(service.stop(), 0);
        let database = kms.estate.path(copy).join("kms/kms.db");
        let database = Connection::open(database).expect("a database");
        database.execute_batch(sql).expect("it is changed");
        drop(database);
        let outcome = nothing_is_lost(&told, &kms.held(copy));
        fs::remove_dir_all(kms.estate.path(copy)).expect("the copy goes");
        outcome
    };
    assert_eq!(changed(""), Ok(()));
    let dropped = changed("DELETE FROM clients WHERE id = (SELECT min(id) FROM clients)");
    assert!(dropped.expect_err("a loss").contains("is gone"));
    let counted = changed("UPDATE pools SET counted = counted + 1");
    assert!(counted.expect_err("one over").contains("the count"));
    // An acknowledgement that was never made.
    let held = Held {
        ids: BTreeSet::new(),
        count: 0,
    };
    let told = BTreeSet::from([kms.ids[0].clone()]);
    assert!(nothing_is_lost(&told, &held).is_err());
}

/// The control for certificates: one that is forgotten is made anew, and that is another one.
#[test]
fn a_forgotten_certificate_is_noticed() {
    let authority = Authority::new();
    let service = Service::start(muster().args(authority.serve("case")));
    let told = authority.send_all();
    assert_eq!(authority.check("case", &service, &told), Ok(()));
    let database = authority.estate.path("case/authority/authority.db");
    let forget = "BEGIN; DELETE FROM slot WHERE number = 0; \
        DELETE FROM cert WHERE number = 1; COMMIT;";
    let database = Connection::open(database).expect("a database");
    database.execute_batch(forget).expect("it is changed");
    let outcome = authority.check("case", &service, &told);
    assert!(outcome.is_err(), "a certificate is gone and nobody says so");
}
