//! A database of the first release: opened by every later one, with everything it holds.
//!
//! `vectors/store/authority-v1.sql` is the dump of what [`fill`] wrote then; it is never changed.

use std::collections::BTreeSet;
use std::path::Path;

use muster_proto::authority::publish::Numbered;
use muster_proto::authority::{CertRow, HostNumber, KeyId, KeyRow, SlotRow};
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{ProductId, PublisherId, Thumbprint};
use muster_proto::key::{Channel, ProductGroup};
use muster_proto::statement::revocations::Revoked;
use muster_proto::time::{Span, Timestamp};

use super::tests::postgres;
use super::tests::server::Postgres;
use super::*;
use crate::sqlite::rusqlite::Connection;

const DUMP: &str = include_str!("../../../../vectors/store/authority-v1.sql");
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn product() -> ProductRow {
    ProductRow {
        id: "cad-2027".parse().unwrap(),
        group: ProductGroup::new(8_191).unwrap(),
        version: 3,
        validity_max: Span::from_days(180),
        added: NOW,
    }
}

fn key(channel: Channel, serial: u32, revoked: Option<Timestamp>) -> KeyRow {
    KeyRow {
        id: KeyId {
            channel,
            group: product().group,
            serial,
        },
        last5: "7Q2WK".parse().unwrap(),
        product: product().id,
        site: "berlin".parse().unwrap(),
        hosts_max: 6,
        activations_max: 10,
        client_budget: 100_000,
        issued: NOW,
        revoked,
    }
}

fn slot() -> SlotRow {
    let tags = [(Component::Installation, "a"), (Component::Disk, "d")];
    SlotRow {
        number: 4,
        machine: ComponentTags::of(PublisherId([5; 16]), tags),
        activations: 2,
        host: HostNumber(9),
        cert: Thumbprint([2; 32]),
    }
}

fn cert(name: u8, successor: Option<u8>) -> CertRow {
    let keys = [
        key(Channel::KmsHost, 0, None),
        key(Channel::KmsHost, u32::MAX, None),
    ];
    let products: [ProductId; 2] = ["cad-2027".parse().unwrap(), "cam".parse().unwrap()];
    CertRow {
        name: Thumbprint([name; 32]),
        request: Thumbprint([name + 50; 32]),
        host: HostNumber(9),
        key: Thumbprint([name + 100; 32]),
        keys: keys.map(|key| key.id).into(),
        products: BTreeSet::from(products),
        site: "berlin".parse().unwrap(),
        client_budget: 77,
        host_name: "kms1 in Köln".to_owned(),
        issued: NOW,
        not_after: NOW + Span::from_days(365),
        successor: successor.map(|name| Thumbprint([name; 32])),
        revoked: successor.map(|_| NOW),
        forks: 3,
    }
}

fn statement(is_signed: bool) -> CertStatement {
    CertStatement {
        parent: Thumbprint([7; 32]),
        bytes: vec![1, 2, 3],
        is_signed,
    }
}

fn issuing() -> IssuingRow {
    IssuingRow {
        name: Thumbprint([7; 32]),
        key: Thumbprint([8; 32]),
        statement: vec![4, 5],
        added: NOW,
    }
}

fn revocation() -> Numbered {
    Numbered {
        number: 12,
        revoked: Revoked {
            key: Thumbprint([101; 32]),
            ends: NOW + Span::from_days(545),
        },
    }
}

/// One row of everything.
fn fill(tables: &mut dyn Tables) -> Result<(), Refusal> {
    tables.put_setting("url", b"https://licences.contoso.test")?;
    tables.put_product(&product())?;
    tables.put_policy(&product().id, 3, b"policy")?;
    tables.put_next_serial(Channel::Oem, product().group, 1 << 32)?;
    tables.put_key(&key(Channel::KmsHost, 0, None))?;
    tables.put_key(&key(Channel::Oem, u32::MAX, Some(NOW)))?;
    tables.put_slot(key(Channel::KmsHost, 0, None).id, &slot())?;
    tables.put_cert(&cert(1, Some(2)))?;
    tables.put_cert(&cert(2, None))?;
    tables.put_statement(Thumbprint([1; 32]), &statement(true))?;
    tables.put_statement(Thumbprint([2; 32]), &statement(false))?;
    tables.put_issuing(&issuing())?;
    tables.put_revocation(&revocation())?;
    tables.put_deltas(&[vec![6]])?;
    tables.put_audit(NOW, "host-activated", "host 9", "a detail")
}

fn check(tables: &mut dyn Tables) -> Result<(), Refusal> {
    let host_key = key(Channel::KmsHost, 0, None);
    let oem_key = key(Channel::Oem, u32::MAX, Some(NOW));
    let url = tables.setting("url")?;
    assert_eq!(
        url.as_deref(),
        Some(b"https://licences.contoso.test".as_slice())
    );
    assert_eq!(tables.products()?, [product()]);
    let policy = tables.policy(&product().id, 3)?;
    assert_eq!(policy.as_deref(), Some(b"policy".as_slice()));
    assert_eq!(tables.next_serial(Channel::Oem, product().group)?, 1 << 32);
    assert_eq!(tables.keys(None, None, 10)?, [host_key.clone(), oem_key]);
    assert_eq!(tables.slots(host_key.id)?, [slot()]);
    assert_eq!(tables.next_slot(host_key.id)?, 5);
    assert_eq!(
        tables.certs_of_host(HostNumber(9))?,
        [cert(1, Some(2)), cert(2, None)]
    );
    assert_eq!(tables.next_host()?, HostNumber(10));
    assert_eq!(
        tables.statement(Thumbprint([1; 32]))?,
        Some(statement(true))
    );
    assert_eq!(
        tables.statement(Thumbprint([2; 32]))?,
        Some(statement(false))
    );
    assert_eq!(tables.issuing()?, [issuing()]);
    assert_eq!(tables.revocations(NOW)?, [revocation()]);
    assert_eq!(tables.newest_revocation()?, 12);
    assert_eq!(tables.deltas()?, [vec![6]]);
    let log = tables.audit(0, 10)?;
    assert_eq!(
        (log.len(), log[0].at, log[0].detail.as_str()),
        (1, NOW, "a detail")
    );
    Ok(())
}

fn open(path: &Path) -> SqliteAuthority {
    SqliteAuthority::open(path).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

#[test]
fn the_first_release_s_database_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(DUMP)
        .unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    run(open(&path).view(check)).unwrap();
}

#[test]
fn this_release_s_database_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.db");
    run(open(&path).change(fill)).unwrap();
    run(open(&path).view(check)).unwrap();
    run(async {
        let memory = MemoryAuthority::default();
        memory.change(fill).await?;
        memory.view(check).await?;
        let shared = postgres(&Postgres::shared().database(), 1).await;
        shared.change(fill).await?;
        shared.view(check).await
    })
    .unwrap();
}
