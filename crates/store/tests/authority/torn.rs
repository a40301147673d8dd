//! Torn files of an authority. What a crash can leave heals by SQLite's log; what no crash leaves is
//! refused, or a check finds it. Whatever became of the files, no certificate, place or key is there
//! that never was.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use muster_proto::Refusal;
use muster_proto::authority::publish::Numbered;
use muster_proto::authority::root::{IssuingTerms, issuing_cert};
use muster_proto::authority::{
    Asked as Request, CertRow, HostNumber, Issuing, KeyId, KeyRow, SlotRow,
};
use muster_proto::crypto::SecretKey;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{ProductId, PublisherId, Thumbprint};
use muster_proto::key::{Channel, ProductGroup};
use muster_proto::reason::Reason;
use muster_proto::statement::policy::{Policy, ProductKind};
use muster_proto::statement::{Role, request};
use muster_proto::time::Timestamp;
use muster_store::authority::ops::{self, Certified};
use muster_store::authority::{
    AuditEntry, AuthorityStore, CertStatement, MemoryAuthority, ProductRow, SqliteAuthority, Tables,
};
use muster_store::sqlite::Executor;

use crate::common::block_on;
use crate::tears::{self, Asked, Torn};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PUBLISHER: PublisherId = PublisherId([5; 16]);

/// Hosts that one key is good for; each step certifies one more.
const HOSTS: u16 = 6;
/// Of so many hosts one is revoked, and gives its place back.
const REVOKED_OF: u16 = 10;
/// A host that asks when the damage is done.
const NEW: u16 = 9_000;

/// All that an authority holds and a step changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    products: Vec<ProductRow>,
    policy: Option<Vec<u8>>,
    next_serial: u64,
    keys: Vec<KeyRow>,
    slots: Vec<(KeyId, SlotRow)>,
    certs: Vec<CertRow>,
    statements: Vec<Option<CertStatement>>,
    revoked: Vec<Numbered>,
    log: Vec<AuditEntry>,
}

fn product() -> ProductId {
    "cad".parse().unwrap()
}

fn group() -> ProductGroup {
    ProductGroup::new(1).unwrap()
}

fn key_id(number: u16) -> KeyId {
    KeyId {
        channel: Channel::KmsHost,
        group: group(),
        serial: u32::from(number),
    }
}

fn key(number: u16) -> KeyRow {
    KeyRow {
        id: key_id(number),
        last5: "7Q2WK".parse().unwrap(),
        product: product(),
        site: "default".parse().unwrap(),
        hosts_max: u32::from(HOSTS),
        activations_max: 10,
        client_budget: 100_000,
        issued: NOW,
        revoked: None,
    }
}

fn secret(seed: u16) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&seed.to_be_bytes());
    SecretKey::from_seed(&bytes)
}

fn request(seed: u16, role: Role) -> request::Request {
    let machine = format!("host {seed}");
    let tags = Component::ALL.map(|kind| (kind, machine.as_str()));
    request::Request {
        role,
        key: secret(seed).public(),
        opening_key: [1; 32],
        sealed_keys: Vec::new(),
        components: ComponentTags::of(PUBLISHER, tags),
        previous: None,
        name: machine.clone(),
        nonce: [0; 16],
        issued: NOW,
    }
}

/// The request of a host with a key.
fn asked(host: u16, key: KeyId) -> Request {
    let mut name = [0; 32];
    name[..2].copy_from_slice(&host.to_be_bytes());
    Request {
        request: request(host, Role::KmsHost),
        name: Thumbprint(name),
        keys: vec![key],
    }
}

fn certify(tables: &mut dyn Tables, host: u16, key: KeyId) -> Result<Certified, Refusal> {
    let request = request(u16::MAX, Role::Issuing);
    let issuing = Issuing {
        name: Thumbprint([3; 32]),
        cert: issuing_cert(&request, &IssuingTerms::default(), NOW)?,
    };
    ops::certify(tables, PUBLISHER, &asked(host, key), &issuing, NOW)
}

/// One commit: a host is certified with its signature, the first of each key with the key itself, and
/// now and then an earlier one is revoked.
fn step(tables: &mut dyn Tables, step: u16) -> Result<(), Refusal> {
    if step == 0 {
        let kind = ProductKind::Client;
        let mut policy = Policy::new(product(), "Product", kind, NOW);
        policy.group = group();
        ops::add_product(tables, &policy, b"policy 1", NOW)?;
    }
    let number = step / HOSTS;
    if step.is_multiple_of(HOSTS) {
        let first = ops::reserve_serials(tables, Channel::KmsHost, group(), 1)?;
        assert_eq!(first, u32::from(number));
        ops::add_keys(tables, &[key(number)], NOW)?;
    }
    let Certified::Granted(name, statement) = certify(tables, step, key_id(number))? else {
        panic!("a fork at step {step}");
    };
    let signed = [statement.bytes.as_slice(), b"signed"].concat();
    ops::attach_signature(tables, name, &signed)?;
    if step % REVOKED_OF == REVOKED_OF - 1 {
        ops::revoke_host(tables, HostNumber(u64::from(step - 1)), NOW)?;
    }
    Ok(())
}

fn read(tables: &mut dyn Tables) -> Result<Held, Refusal> {
    let keys = tables.keys(None, None, 1_000)?;
    let mut slots = Vec::new();
    for key in &keys {
        let of_key = tables.slots(key.id)?.into_iter();
        slots.extend(of_key.map(|slot| (key.id, slot)));
    }
    let (mut certs, mut statements) = (Vec::new(), Vec::new());
    for host in tables.hosts(HostNumber(0), 1_000)? {
        certs.extend(tables.certs_of_host(host)?);
    }
    for cert in &certs {
        statements.push(tables.statement(cert.name)?);
    }
    Ok(Held {
        products: tables.products()?,
        policy: tables.policy(&product(), 1)?,
        next_serial: tables.next_serial(Channel::KmsHost, group())?,
        keys,
        slots,
        certs,
        statements,
        revoked: tables.revocations(NOW)?,
        log: tables.audit(0, 1_000)?,
    })
}

impl Torn for SqliteAuthority {
    const FILE: &'static str = "authority.db";
    const BEFORE: u16 = 57;
    const SINCE: u16 = 8;
    type Held = Held;

    fn open(path: &Path) -> Result<Self, Reason> {
        SqliteAuthority::open(path).map_err(|refusal| refusal.reason)
    }

    fn executor(&self) -> &Executor {
        SqliteAuthority::executor(self)
    }

    fn take(&self, steps: Range<u16>) {
        for number in steps {
            let taken = self.change(move |tables| step(tables, number));
            block_on(taken).unwrap();
        }
    }

    fn held(&self) -> Result<Held, Reason> {
        block_on(self.view(read)).map_err(|refusal| refusal.reason)
    }

    /// The store in memory tells it, which has no files.
    fn after(steps: u16) -> Held {
        static AFTER: OnceLock<Vec<Held>> = OnceLock::new();
        let all = AFTER.get_or_init(|| {
            let store = MemoryAuthority::default();
            let take = |number: u16| {
                block_on(store.change(move |tables| step(tables, number))).unwrap();
                block_on(store.view(read)).unwrap()
            };
            (0..=Self::ALL).map(take).collect()
        });
        all[usize::from(steps) - 1].clone()
    }

    fn is_whole(&self) -> bool {
        block_on(self.executor().check()).is_ok() && self.is_whole_quickly()
    }

    fn is_whole_quickly(&self) -> bool {
        block_on(self.check()).is_ok()
    }

    fn is_known(held: &Held) -> bool {
        let all = Self::after(Self::ALL);
        let names: BTreeSet<Thumbprint> = all.certs.iter().map(|cert| cert.name).collect();
        let certs = held.certs.iter().map(|cert| cert.name);
        let slots = held.slots.iter().map(|(_, slot)| slot.cert);
        let is_statement = |held: &Option<CertStatement>| all.statements.contains(held);
        certs.chain(slots).all(|name| names.contains(&name))
            && held.keys.iter().all(|key| all.keys.contains(key))
            && held
                .statements
                .iter()
                .filter(|it| it.is_some())
                .all(is_statement)
    }

    /// A place that is lost may be given again, and no other.
    fn ask(&self, _: &Result<Held, Reason>, _: &str) -> Asked {
        let mut asked = Asked {
            is_true: true,
            is_over: false,
        };
        for (question, expected) in questions().zip(expected()) {
            let answer = answer(self, question);
            asked.is_true &= answer == *expected;
            asked.is_over |= match (&answer, expected) {
                (Ok(Answer::Certificate(_)), Err(_)) => true,
                (Ok(Answer::Serial(given)), Ok(Answer::Serial(next))) => given < next,
                _ => false,
            };
        }
        asked
    }

    fn check_unseen(held: &Held, what: &str) {
        for key in &held.keys {
            let taken = held.slots.iter().filter(|(id, _)| *id == key.id);
            assert!(taken.count() <= usize::from(HOSTS), "{what}: places");
        }
    }
}

/// What the authority is asked when the damage is done.
#[derive(Clone, Copy)]
enum Question {
    /// A host asks once more with the same request.
    Again(u16),
    /// A new host asks for a place of a key.
    Place(u16),
    /// A key is issued.
    Issue,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Certificate(Certified),
    Serial(u32),
}

fn questions() -> impl Iterator<Item = Question> {
    let again = (0..SqliteAuthority::ALL).step_by(4).map(Question::Again);
    let places = (0..SqliteAuthority::ALL.div_ceil(HOSTS)).map(Question::Place);
    again.chain(places).chain([Question::Issue])
}

fn answer(store: &impl AuthorityStore, question: Question) -> Result<Answer, Reason> {
    let answered = store.change(move |tables| match question {
        Question::Again(host) => {
            certify(tables, host, key_id(host / HOSTS)).map(Answer::Certificate)
        }
        Question::Place(key) => certify(tables, NEW + key, key_id(key)).map(Answer::Certificate),
        Question::Issue => {
            ops::reserve_serials(tables, Channel::KmsHost, group(), 1).map(Answer::Serial)
        }
    });
    block_on(answered).map_err(|refusal| refusal.reason)
}

/// What an undamaged store answers.
fn expected() -> &'static [Result<Answer, Reason>] {
    static EXPECTED: OnceLock<Vec<Result<Answer, Reason>>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let store = MemoryAuthority::default();
        for number in 0..SqliteAuthority::ALL {
            block_on(store.change(move |tables| step(tables, number))).unwrap();
        }
        let answers: Vec<_> = questions()
            .map(|question| answer(&store, question))
            .collect();
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        assert!(refused > 2 && refused < answers.len() / 2, "{answers:#?}");
        answers
    })
}

#[test]
fn a_checkpoint_that_came_half_to_the_disk_is_made_whole_by_the_log() {
    tears::half_a_checkpoint::<SqliteAuthority>();
}

#[test]
fn a_log_that_was_torn_ends_at_a_whole_commit() {
    tears::half_a_log::<SqliteAuthority>();
}

#[test]
fn a_damaged_database_is_refused_or_the_damage_is_found() {
    tears::damage::<SqliteAuthority>();
}
