//! The contract every backend of an authority's store keeps, run on each of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use muster_proto::Refusal;
use muster_proto::authority::publish::Numbered;
use muster_proto::authority::root::{IssuingTerms, issuing_cert};
use muster_proto::authority::{Asked, HostNumber, Issuing, KeyId, KeyRow, SlotRow};
use muster_proto::crypto::SecretKey;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{ProductId, PublisherId, Thumbprint};
use muster_proto::key::{Channel, ProductGroup};
use muster_proto::reason::authority as reasons;
use muster_proto::statement::policy::{Policy, ProductKind};
use muster_proto::statement::request::{Previous, Request};
use muster_proto::statement::revocations::{Revocations, Revoked};
use muster_proto::statement::{Draft, Envelope, Role, Typ};
use muster_proto::time::{Span, Timestamp};

use super::ops::{self, Certified, Marks};
use super::{
    AuthorityStore, CertStatement, IssuingRow, MemoryAuthority, PostgresAuthority, SqliteAuthority,
    Tables, host_report, host_reports, issuing, key_report,
};

#[path = "../../../../testenv/postgres/server.rs"]
pub(super) mod server;

use server::Postgres;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PUBLISHER: PublisherId = PublisherId([5; 16]);

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Runs one part of the contract on each backend.
fn on_each<Part>(part: Part)
where
    Part: AsyncFn(&dyn Fn() -> Backend),
{
    runtime().block_on(part(&|| Backend::Memory(Arc::default())));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authority.db");
    runtime().block_on(part(&|| Backend::Sqlite(open(&path))));
    runtime().block_on(async {
        let store = postgres(&Postgres::shared().database(), 1).await;
        part(&|| Backend::Postgres(store.clone())).await;
        store.close().await;
    });
}

/// A store on a database server; another `seed` is another authority.
pub(super) async fn postgres(url: &str, seed: u8) -> PostgresAuthority {
    PostgresAuthority::make(url.parse().unwrap(), [seed; 16])
        .await
        .unwrap()
}

fn open(path: &Path) -> SqliteAuthority {
    SqliteAuthority::open(path).unwrap()
}

/// The backends behind one name, so that each part of the contract is written once.
#[derive(Clone)]
pub(super) enum Backend {
    Memory(Arc<MemoryAuthority>),
    Sqlite(SqliteAuthority),
    Postgres(PostgresAuthority),
}

impl Backend {
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        match self {
            Self::Memory(store) => store.change(change).await,
            Self::Sqlite(store) => store.change(change).await,
            Self::Postgres(store) => store.change(change).await,
        }
    }

    pub(super) async fn view<T: Send + 'static>(
        &self,
        view: impl Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        match self {
            Self::Memory(store) => store.view(view).await,
            Self::Sqlite(store) => store.view(view).await,
            Self::Postgres(store) => store.view(view).await,
        }
    }
}

fn product(id: &str) -> ProductId {
    id.parse().unwrap()
}

fn policy(id: &str) -> Policy {
    let group = if id == "cad" { 1 } else { 2 };
    let mut policy = Policy::new(product(id), "Product", ProductKind::Client, NOW);
    policy.group = ProductGroup::new(group).unwrap();
    policy
}

fn key(channel: Channel, serial: u32, id: &str) -> KeyRow {
    KeyRow {
        id: KeyId {
            channel,
            group: ProductGroup::new(0).unwrap(),
            serial,
        },
        last5: "7Q2WK".parse().unwrap(),
        product: product(id),
        site: "default".parse().unwrap(),
        hosts_max: 6,
        activations_max: 10,
        client_budget: 100_000,
        issued: NOW,
        revoked: None,
    }
}

fn issuing() -> Issuing {
    let request = request(1, "issuing", Role::Issuing);
    Issuing {
        name: Thumbprint([3; 32]),
        cert: issuing_cert(&request, &IssuingTerms::default(), NOW).unwrap(),
    }
}

/// An issuing certificate as it is kept.
fn issuing_row(seed: u16) -> IssuingRow {
    let request = request(seed, "issuing", Role::Issuing);
    let cert = issuing_cert(&request, &IssuingTerms::default(), NOW).unwrap();
    let root = secret(9).public();
    let draft = Draft::new(&cert, PUBLISHER, root.thumbprint(), &root);
    IssuingRow {
        name: draft.name(),
        key: cert.key.thumbprint(),
        statement: draft.finish([0; 64], &[]),
        added: NOW,
    }
}

fn secret(seed: u16) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&seed.to_be_bytes());
    SecretKey::from_seed(&bytes)
}

fn request(seed: u16, machine: &str, role: Role) -> Request {
    let tags = Component::ALL.map(|kind| (kind, machine));
    Request {
        role,
        key: secret(seed).public(),
        opening_key: [1; 32],
        sealed_keys: Vec::new(),
        components: ComponentTags::of(PUBLISHER, tags),
        previous: None,
        name: machine.to_owned(),
        nonce: [0; 16],
        issued: NOW,
    }
}

pub(super) fn asked(seed: u16, machine: &str, keys: &[KeyId]) -> Asked {
    let mut name = [0; 32];
    name[..2].copy_from_slice(&seed.to_be_bytes());
    Asked {
        request: request(seed, machine, Role::KmsHost),
        name: Thumbprint(name),
        keys: keys.to_vec(),
    }
}

pub(super) async fn certify(store: &Backend, asked: &Asked) -> Result<Certified, Refusal> {
    let asked = asked.clone();
    store
        .change(move |t| ops::certify(t, PUBLISHER, &asked, &issuing(), NOW))
        .await
}

fn name_of(certified: &Certified) -> Thumbprint {
    match certified {
        Certified::Granted(name, _) => *name,
        Certified::Forked(name) => panic!("a fork of {name}"),
    }
}

/// A store with the product `cad` and one KMS host key of it.
pub(super) async fn furnished(make: &dyn Fn() -> Backend) -> (Backend, KeyId) {
    let store = make();
    let row = key(Channel::KmsHost, 0, "cad");
    let id = row.id;
    store
        .change(move |t| {
            ops::add_product(t, &policy("cad"), b"policy 1", NOW)?;
            ops::add_keys(t, std::slice::from_ref(&row), NOW)
        })
        .await
        .unwrap();
    (store, id)
}

#[test]
fn an_error_undoes_a_change_and_a_view_changes_nothing() {
    on_each(async |make| {
        let store = make();
        let refused = store.change(|t| {
            ops::set_setting(t, "url", "https://a.test", NOW)?;
            Err::<(), _>(reasons::HOST_UNKNOWN.into())
        });
        assert!(refused.await.is_err());
        let read = store.view(|t| t.setting("url")).await.unwrap();
        assert_eq!(read, None);
        assert!(store.view(|t| t.audit(0, 10)).await.unwrap().is_empty());
    });
}

#[test]
fn settings_are_audited_once_for_each_value() {
    on_each(async |make| {
        let store = make();
        for value in ["a", "a", "b"] {
            store
                .change(move |t| ops::set_setting(t, "url", value, NOW))
                .await
                .unwrap();
        }
        let log = store.view(|t| t.audit(0, 10)).await.unwrap();
        let said: Vec<_> = log.iter().map(|e| (e.number, e.detail.as_str())).collect();
        assert_eq!(said, [(1, "a"), (2, "b")]);
        let rest = store.view(|t| t.audit(1, 10)).await.unwrap();
        assert_eq!(rest.len(), 1);
    });
}

#[test]
fn products_get_groups_and_every_policy_is_kept() {
    on_each(async |make| {
        let store = make();
        for (id, group) in [("cad", 1), ("cam", 2)] {
            let row = store
                .change(move |t| ops::add_product(t, &policy(id), b"v1", NOW))
                .await
                .unwrap();
            assert_eq!((row.group.get(), row.version), (group, 1));
        }
        let taken = store.change(|t| ops::add_product(t, &policy("erp"), b"v1", NOW));
        assert_eq!(taken.await.unwrap_err().reason, reasons::CHANGED_MEANWHILE);
        let twice = store.change(|t| ops::add_product(t, &policy("cad"), b"v1", NOW));
        assert_eq!(twice.await.unwrap_err().reason, reasons::PRODUCT_EXISTS);

        let mut next = policy("cad");
        (next.version, next.validity) = (2, Span::from_days(400));
        let set = move |t: &mut dyn Tables| ops::set_policy(t, &next, b"v2", NOW);
        assert_eq!(store.change(set.clone()).await.unwrap().version, 2);
        let stale = store.change(set).await.unwrap_err();
        assert_eq!(stale.reason, reasons::CHANGED_MEANWHILE);

        let mut third = policy("cad");
        third.version = 3;
        let row = store
            .change(move |t| ops::set_policy(t, &third, b"v3", NOW))
            .await
            .unwrap();
        assert_eq!(
            row.validity_max,
            Span::from_days(400),
            "the longest is kept"
        );
        for (version, bytes) in [(1, b"v1"), (2, b"v2"), (3, b"v3")] {
            let kept = store
                .view(move |t| t.policy(&product("cad"), version))
                .await
                .unwrap();
            assert_eq!(kept.as_deref(), Some(bytes.as_slice()));
        }
        let unknown = store.view(|t| ops::newest_policy(t, &product("erp"))).await;
        assert_eq!(unknown.unwrap_err().reason, reasons::PRODUCT_UNKNOWN);
    });
}

#[test]
fn serials_are_given_out_once_to_the_last() {
    on_each(async |make| {
        let store = make();
        let group = ProductGroup::new(0).unwrap();
        let reserve =
            |count| store.change(move |t| ops::reserve_serials(t, Channel::Mak, group, count));
        assert_eq!(reserve(10).await.unwrap(), 0);
        assert_eq!(reserve(5).await.unwrap(), 10);
        store
            .change(move |t| t.put_next_serial(Channel::Mak, group, (1 << 32) - 2))
            .await
            .unwrap();
        let over = reserve(3).await.unwrap_err();
        assert_eq!(over.reason, reasons::SERIALS_SPENT);
        assert_eq!(reserve(2).await.unwrap(), u32::MAX - 1);
        assert!(reserve(1).await.is_err());
        let other = store
            .view(move |t| t.next_serial(Channel::Oem, group))
            .await;
        assert_eq!(other.unwrap(), 0);
    });
}

#[test]
fn keys_are_listed_by_page_product_and_last_group() {
    on_each(async |make| {
        let (store, _) = furnished(make).await;
        store
            .change(|t| {
                ops::add_product(t, &policy("cam"), b"v1", NOW)?;
                let mut other = key(Channel::Mak, 7, "cam");
                other.last5 = "ABCDE".parse()?;
                let rows = [key(Channel::GenericVolume, u32::MAX, "cad"), other];
                ops::add_keys(t, &rows, NOW)
            })
            .await
            .unwrap();
        let page = |after: Option<KeyId>, limit| store.view(move |t| t.keys(None, after, limit));
        let all = page(None, 10).await.unwrap();
        let ids: Vec<String> = all.iter().map(|row| row.id.to_string()).collect();
        assert_eq!(ids, ["generic/0/4294967295", "kms-host/0/0", "mak/0/7"]);
        let rest = page(Some(all[0].id), 1).await.unwrap();
        assert_eq!(rest, all[1..2]);
        let cam = store.view(|t| t.keys(Some(&product("cam")), None, 10));
        assert_eq!(cam.await.unwrap(), all[2..]);
        let same = store.view(|t| t.keys_ending("7q2wk".parse()?, 10));
        assert_eq!(same.await.unwrap(), all[..2]);
        let one = all[2].clone();
        let read = store.view(move |t| t.key(one.id)).await.unwrap();
        assert_eq!(read.as_ref(), Some(&all[2]));
    });
}

#[test]
fn six_by_ten_holds_and_a_retry_gets_the_same_certificate() {
    on_each(async |make| {
        let (store, id) = furnished(make).await;
        let mut seed = 100;
        for machine in ["a", "b", "c", "d", "e", "f"] {
            for _ in 0..10 {
                seed += 1;
                let ask = asked(seed, machine, &[id]);
                let first = certify(&store, &ask).await.unwrap();
                assert_eq!(certify(&store, &ask).await.unwrap(), first);
            }
        }
        for (machine, reason) in [
            ("a", reasons::ACTIVATIONS_SPENT),
            ("g", reasons::HOSTS_SPENT),
        ] {
            seed += 1;
            let refused = certify(&store, &asked(seed, machine, &[id]))
                .await
                .unwrap_err();
            assert_eq!(refused.reason, reason);
        }
        let report = store
            .view(move |t| key_report(t, t.key(id)?.unwrap()))
            .await
            .unwrap();
        assert_eq!((report.hosts_used, report.activations_used), (6, 60));
        let hosts = store
            .view(|t| host_reports(t, HostNumber(0), 100))
            .await
            .unwrap();
        assert_eq!(hosts.len(), 6);
        assert!(
            hosts
                .iter()
                .all(|host| (host.certificates, host.places) == (10, 1))
        );
        assert_eq!(store.view(|t| t.audit(0, 100)).await.unwrap().len(), 62);
    });
}

/// What the rules let pass by mistake, the store does not.
#[test]
fn no_place_is_taken_beyond_the_limits_of_its_key() {
    on_each(async |make| {
        let (store, id) = furnished(make).await;
        let put = |key: KeyId, number: u32, activations: u32| {
            let slot = SlotRow {
                number,
                machine: ComponentTags::default(),
                activations,
                host: HostNumber(u64::from(number) + 1),
                cert: Thumbprint([1; 32]),
            };
            store.change(move |t| t.put_slot(key, &slot))
        };
        for number in 0..6 {
            put(id, number, 10).await.unwrap();
        }
        let mut unknown = id;
        unknown.serial = 77;
        for (key, number, activations, reason) in [
            (id, 6, 1, reasons::HOSTS_SPENT),
            (id, 6, 11, reasons::ACTIVATIONS_SPENT),
            (id, 0, 11, reasons::ACTIVATIONS_SPENT),
            (unknown, 0, 1, reasons::KEY_NOT_FOUND),
        ] {
            let refused = put(key, number, activations).await.unwrap_err();
            assert_eq!(refused.reason, reason, "{number} {activations}");
        }
        let free = store.change(|t| t.free_slots(HostNumber(1), NOW));
        assert_eq!(free.await.unwrap(), 1);
        put(id, 0, 1).await.expect_err("its number was given out");
        put(id, 6, 1).await.unwrap();
        put(id, 7, 1).await.expect_err("the seventh");
        let slots = store.view(move |t| t.slots(id)).await.unwrap();
        let taken: Vec<_> = slots.iter().map(|s| (s.number, s.activations)).collect();
        assert_eq!(taken, [(1, 10), (2, 10), (3, 10), (4, 10), (5, 10), (6, 1)]);
    });
}

#[test]
fn a_certificate_is_charged_before_it_is_signed_and_signed_once() {
    on_each(async |make| {
        let (store, id) = furnished(make).await;
        let certified = certify(&store, &asked(100, "a", &[id])).await.unwrap();
        let name = name_of(&certified);
        assert!(matches!(&certified, Certified::Granted(_, s) if !s.is_signed));
        for signed in [b"first", b"later"] {
            let kept = store
                .change(move |t| ops::attach_signature(t, name, signed))
                .await
                .unwrap();
            assert_eq!(kept, b"first");
        }
        let again = certify(&store, &asked(100, "a", &[id])).await.unwrap();
        let expected = CertStatement {
            parent: Thumbprint([3; 32]),
            bytes: b"first".to_vec(),
            is_signed: true,
        };
        assert_eq!(again, Certified::Granted(name, expected));
        let repeat = |seed| {
            let name = asked(seed, "a", &[]).name;
            store.view(move |t| ops::is_repeat(t, name))
        };
        assert!(repeat(100).await.unwrap() && !repeat(101).await.unwrap());
    });
}

#[test]
fn an_answer_under_a_revoked_issuing_key_is_issued_again() {
    on_each(async |make| {
        let (store, id) = furnished(make).await;
        let ask = asked(100, "a", &[id]);
        let certify = async |row: &IssuingRow| {
            let cert = Envelope::decode(&row.statement, Typ::Cert)?.claims()?;
            let (ask, name) = (ask.clone(), row.name);
            let issuing = Issuing { name, cert };
            let certify = move |t: &mut dyn Tables| ops::certify(t, PUBLISHER, &ask, &issuing, NOW);
            store.change(certify).await
        };
        let rows = [issuing_row(1), issuing_row(2)];
        let mut names = Vec::new();
        for row in &rows {
            let added = row.clone();
            let add = store.change(move |t| issuing::add(t, &added, NOW));
            add.await.unwrap();
            names.push(name_of(&certify(row).await.unwrap()));
        }
        assert_eq!(names[0], names[1], "both issuing keys are good");
        let leaked = rows[0].key;
        let revoke = store.change(move |t| issuing::revoke(t, leaked, NOW));
        revoke.await.unwrap();
        for _ in 0..2 {
            let Certified::Granted(name, statement) = certify(&rows[1]).await.unwrap() else {
                panic!("the same request");
            };
            assert_eq!(
                (statement.parent, statement.is_signed),
                (rows[1].name, false)
            );
            names.push(name);
        }
        assert!(names[2] != names[0] && names[2] == names[3]);
        let report = store.view(move |t| key_report(t, t.key(id)?.unwrap()));
        assert_eq!(report.await.unwrap().activations_used, 1);
        let old = names[0];
        let row = store.view(move |t| t.cert(old)).await.unwrap().unwrap();
        assert_eq!(row.successor, Some(names[2]));
        let again = store.view(|t| t.audit(0, 100)).await.unwrap();
        let again = again.iter().filter(|it| it.event == "host-reissued");
        assert_eq!(again.count(), 1);
        let revoke = store.change(|t| ops::revoke_host(t, HostNumber(1), NOW));
        revoke.await.unwrap();
        let newest = store.view(|t| t.newest_revocation()).await.unwrap();
        assert_eq!(newest, 2, "the issuing key, and the host's one key once");
    });
}

#[test]
fn forks_are_counted_and_logged_once() {
    on_each(async |make| {
        let (store, id) = furnished(make).await;
        let first = name_of(&certify(&store, &asked(100, "a", &[id])).await.unwrap());
        let renewal = |seed| {
            let mut renewal = asked(seed, "a", &[id]);
            renewal.request.previous = Some(Previous {
                key: secret(100).public(),
                cert: first,
                signature: [0; 64],
            });
            renewal
        };
        let second = name_of(&certify(&store, &renewal(101)).await.unwrap());
        for seed in [102, 103] {
            let fork = certify(&store, &renewal(seed)).await.unwrap();
            assert_eq!(fork, Certified::Forked(first));
        }
        let row = store.view(move |t| t.cert(first)).await.unwrap().unwrap();
        assert_eq!((row.forks, row.successor), (2, Some(second)));
        let log = store.view(|t| t.audit(0, 100)).await.unwrap();
        let forks = log.iter().filter(|entry| entry.event == "host-forked");
        assert_eq!(forks.count(), 1);
        let host = store.view(move |t| host_report(t, row.host)).await.unwrap();
        assert_eq!((host.forks, host.certificates, host.cert), (2, 2, second));
    });
}

#[test]
fn revoking_a_host_numbers_its_keys_and_frees_its_place() {
    on_each(async |make| {
        let (store, id) = furnished(make).await;
        for seed in [100, 101] {
            certify(&store, &asked(seed, "a", &[id])).await.unwrap();
        }
        certify(&store, &asked(102, "b", &[id])).await.unwrap();
        for _ in 0..2 {
            store
                .change(|t| ops::revoke_host(t, HostNumber(1), NOW))
                .await
                .unwrap();
        }
        let revoked = store.view(|t| t.revocations(NOW)).await.unwrap();
        assert_eq!(revoked.iter().map(|e| e.number).collect::<Vec<_>>(), [1, 2]);
        let keys: BTreeSet<_> = revoked.iter().map(|e| e.revoked.key).collect();
        let expected = [100, 101].map(|seed| secret(seed).public().thumbprint());
        assert_eq!(keys, expected.into());
        let ends = NOW + Span::from_days(365 + 180);
        assert!(revoked.iter().all(|entry| entry.revoked.ends == ends));
        let slots = store.view(move |t| t.slots(id)).await.unwrap();
        assert_eq!(slots.iter().map(|s| s.host.0).collect::<Vec<_>>(), [2]);
        let again = certify(&store, &asked(100, "a", &[id])).await.unwrap_err();
        assert_eq!(again.reason, reasons::HOST_REVOKED);

        // The machine takes a new place, and a place's number is never used twice.
        certify(&store, &asked(103, "a", &[id])).await.unwrap();
        let slots = store.view(move |t| t.slots(id)).await.unwrap();
        let places: Vec<_> = slots.iter().map(|s| (s.number, s.host.0)).collect();
        assert_eq!(places, [(1, 2), (2, 3)]);

        store
            .change(move |t| ops::revoke_key(t, id, true, NOW))
            .await
            .unwrap();
        assert_eq!(store.view(|t| t.newest_revocation()).await.unwrap(), 4);
        let refused = certify(&store, &asked(104, "c", &[id])).await.unwrap_err();
        assert_eq!(refused.reason, reasons::KEY_REVOKED);
        let unknown = store.change(|t| ops::revoke_host(t, HostNumber(99), NOW));
        assert_eq!(unknown.await.unwrap_err().reason, reasons::HOST_UNKNOWN);
        let later = NOW + Span::from_days(1_000);
        let left = store.view(move |t| t.revocations(later)).await.unwrap();
        assert!(left.is_empty());
    });
}

#[test]
fn deltas_are_signed_again_only_where_they_changed() {
    on_each(async |make| {
        let store = make();
        let plan = || store.view(|t| ops::plan_deltas(t, NOW));
        assert_eq!(plan().await.unwrap().deltas, []);
        add_revocations(&store, 1..=70).await;
        let first = plan().await.unwrap();
        assert_eq!((first.newest, first.deltas.len()), (70, 2));
        assert!(!first.is_complete());
        assert!(keep(&store, 70, sign(&first.deltas)).await);
        assert!(plan().await.unwrap().is_complete());

        add_revocations(&store, 71..=71).await;
        assert!(!keep(&store, 70, Vec::new()).await, "71 came meanwhile");
        let second = plan().await.unwrap();
        assert!(second.deltas[0].is_ok() && second.deltas[1].is_err());
        assert!(keep(&store, 71, sign(&second.deltas)).await);
        let kept = store.view(|t| t.deltas()).await.unwrap();
        assert_eq!(kept, sign(&second.deltas));
    });
}

async fn add_revocations(store: &Backend, numbers: std::ops::RangeInclusive<u64>) {
    let add = move |t: &mut dyn Tables| {
        for number in numbers.clone() {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            let revoked = Revoked {
                key: Thumbprint(key),
                ends: NOW + Span::from_days(1),
            };
            t.put_revocation(&Numbered { number, revoked })?;
        }
        Ok(())
    };
    store.change(add).await.unwrap();
}

async fn keep(store: &Backend, newest: u64, deltas: Vec<Vec<u8>>) -> bool {
    store
        .change(move |t| ops::put_deltas(t, newest, &deltas))
        .await
        .unwrap()
}

fn sign(deltas: &[Result<Vec<u8>, Revocations>]) -> Vec<Vec<u8>> {
    let key = secret(1);
    let sign = |delta: &Result<Vec<u8>, Revocations>| match delta {
        Ok(signed) => signed.clone(),
        Err(claims) => {
            let draft = Draft::new(claims, PUBLISHER, Thumbprint([3; 32]), &key.public());
            let signature = key.sign(&draft.to_be_signed());
            draft.finish(signature, &[])
        }
    };
    deltas.iter().map(sign).collect()
}

#[test]
fn issuing_certificates_are_kept_in_order_and_once() {
    on_each(async |make| {
        let store = make();
        for number in [2, 1, 2] {
            let row = IssuingRow {
                name: Thumbprint([number; 32]),
                key: Thumbprint([number + 10; 32]),
                statement: vec![number],
                added: NOW,
            };
            store
                .change(move |t| issuing::add(t, &row, NOW))
                .await
                .unwrap();
        }
        let rows = store.view(|t| t.issuing()).await.unwrap();
        assert_eq!(
            rows.iter().map(|r| r.statement[0]).collect::<Vec<_>>(),
            [2, 1]
        );
    });
}

#[test]
fn what_was_given_out_is_not_given_out_again_after_a_restore() {
    on_each(async |make| {
        let (store, id) = furnished(make).await;
        certify(&store, &asked(100, "a", &[id])).await.unwrap();
        let present = Marks {
            serial: 5_000_000,
            revocation: 7,
            version: 3,
        };
        store
            .change(move |t| ops::raise_floors(t, present, NOW))
            .await
            .unwrap();
        let group = ProductGroup::new(1).unwrap();
        let reserve = move |t: &mut dyn Tables| ops::reserve_serials(t, Channel::Mak, group, 1);
        assert_eq!(store.change(reserve).await.unwrap(), 6_000_000);
        assert_eq!(store.change(reserve).await.unwrap(), 6_000_001);
        let next = store.view(|t| ops::next_version(t, Some(&ops::product(t, &product("cad"))?)));
        assert_eq!(next.await.unwrap(), 1_004);

        // A holder of the lost number 7 takes the next delta, which reaches beyond it.
        let plan = store.view(|t| ops::plan_deltas(t, NOW)).await.unwrap();
        assert_eq!(plan.newest, 1_000_007);
        store
            .change(|t| ops::revoke_host(t, HostNumber(1), NOW))
            .await
            .unwrap();
        let plan = store.view(|t| ops::plan_deltas(t, NOW)).await.unwrap();
        let delta = plan.deltas[0].as_ref().unwrap_err();
        assert_eq!(
            (delta.from, delta.number, delta.entries.len()),
            (0, 1_000_008, 1)
        );
        let marks = store.view(|t| ops::high_marks(t)).await.unwrap();
        assert_eq!(
            (marks.serial, marks.revocation, marks.version),
            (6_000_002, 1_000_008, 1_003)
        );
    });
}

#[test]
fn two_processes_share_one_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authority.db");
    runtime().block_on(async {
        let (service, command) = (open(&path), open(&path));
        command
            .change(|t| ops::set_setting(t, "url", "https://a.test", NOW))
            .await
            .unwrap();
        let seen = service.view(|t| t.setting("url")).await.unwrap();
        assert_eq!(seen.as_deref(), Some(b"https://a.test".as_slice()));
    });
}

#[test]
fn a_revoked_issuing_key_is_on_the_list_and_every_delta_is_signed_anew() {
    on_each(async |make| {
        let store = make();
        add_revocations(&store, 1..=3).await;
        let plan = || store.view(|t| ops::plan_deltas(t, NOW));
        let first = plan().await.unwrap();
        assert!(keep(&store, 3, sign(&first.deltas)).await);
        for seed in [10, 11] {
            let row = issuing_row(seed);
            let add = store.change(move |t| issuing::add(t, &row, NOW));
            add.await.unwrap();
        }
        let [old, new] = [10, 11].map(|seed| issuing_row(seed).key);
        let revoke = |key| store.change(move |t| issuing::revoke(t, key, NOW));
        let newest = revoke(new).await.unwrap_err();
        assert_eq!(newest.reason, reasons::ISSUING_NEWEST);
        let unknown = revoke(Thumbprint([1; 32])).await.unwrap_err();
        assert_eq!(unknown.reason, reasons::ISSUING_UNKNOWN);
        for _ in 0..2 {
            revoke(old).await.unwrap();
            assert_eq!(store.view(|t| t.newest_revocation()).await.unwrap(), 4);
        }
        assert!(store.view(move |t| t.is_revoked(old)).await.unwrap());
        let plan = plan().await.unwrap();
        assert_eq!((plan.newest, plan.deltas.len()), (4, 1));
        assert!(plan.deltas[0].is_err(), "none rests on the revoked key");
    });
}
