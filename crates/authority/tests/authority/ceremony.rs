//! The root's ceremony and the authority's directory, with real files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::{NOW, authority, days, host_key, policy, product, request, verify};
use muster_authority::root::RootKeys;
use muster_authority::{Authority, Ceremony, Rotation};
use muster_proto::authority::root::IssuingTerms;
use muster_proto::reason::{authority as reasons, config, statement};
use muster_proto::statement::Role;
use muster_proto::statement::scope::Scope;
use muster_proto::time::Span;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn offline(directory: &Path, root: &RootKeys) -> (Authority, Vec<u8>) {
    let ceremony = Ceremony::Offline(root.public().clone());
    let (authority, init) = Authority::init(directory, "Contoso", None, ceremony, NOW)
        .await
        .unwrap();
    assert!(!init.root_is_here && init.issuing.is_none());
    (authority, init.request.unwrap())
}

#[test]
fn a_root_file_is_secret_whole_and_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let root = RootKeys::generate("Contoso", 2).unwrap();
    root.write(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(RootKeys::read(&path).unwrap().public(), root.public());
    assert_eq!(root.public().keys().len(), 2);

    let other = RootKeys::generate("Contoso", 1).unwrap();
    let refusal = other.write(&path).unwrap_err();
    assert_eq!(refusal.reason, config::FILE_UNWRITABLE);
    assert_eq!(RootKeys::read(&path).unwrap().public(), root.public());
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "no rest is left"
    );

    for wrong in [0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wrong)).unwrap();
        assert_eq!(RootKeys::read(&path).unwrap_err().reason, config::FILE_MODE);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let refusal = RootKeys::read(&path).unwrap_err();
    assert_eq!(refusal.reason, reasons::SECRET_DAMAGED);
    assert!(refusal.detail.contains("root.key"));
    assert!(RootKeys::generate("Contoso", 0).is_err());
    assert!(RootKeys::generate("Contoso", 4).is_err());
    assert!(RootKeys::generate("", 1).is_err());
    assert!(!format!("{root:?}").contains("seed"));
}

#[tokio::test]
async fn an_offline_root_answers_by_file() {
    let directory = tempfile::tempdir().unwrap();
    let root = RootKeys::generate("Contoso", 2).unwrap();
    let (authority, asked) = offline(directory.path(), &root).await;
    let waiting = authority.add_product(policy("cad"), NOW).await.unwrap_err();
    assert_eq!(waiting.reason, reasons::AWAITING_ROOT);

    // Asked again it writes the same request.
    let (again, same) = offline(directory.path(), &root).await;
    assert_eq!(same, asked);
    drop(again);

    let terms = IssuingTerms {
        life: Span::from_days(100),
        products: Scope::only([product("cad")]),
        ..IssuingTerms::default()
    };
    let answer = root.sign(&asked, &terms, NOW).unwrap().encode();
    let report = authority.apply(&answer, NOW).await.unwrap();
    assert_eq!(report.cert.role, Role::Issuing);
    assert_eq!((report.cert.depth, report.cert.not_after), (1, days(100)));
    assert_eq!(authority.apply(&answer, NOW).await.unwrap(), report);
    assert_eq!(authority.issuing().await.unwrap().len(), 1);
    assert!(!directory.path().join("pending.req").exists());

    authority.add_product(policy("cad"), NOW).await.unwrap();
    let outside = authority.add_product(policy("cam"), NOW).await.unwrap_err();
    assert_eq!(outside.reason, statement::STRETCHED_PRODUCTS);
    let ended = authority.publisher(days(101)).await.unwrap_err();
    assert_eq!(ended.reason, reasons::ISSUING_ENDED);
    assert!(!directory.path().join("root.key").exists());
}

/// The first root key is lost: the next one of the ceremony certifies, and what verifies to the root
/// still does.
#[tokio::test]
async fn the_next_root_key_signs_when_the_first_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let root = RootKeys::generate("Contoso", 2).unwrap();
    let (authority, asked) = offline(directory.path(), &root).await;
    let public = root.public().clone();
    let secret = directory.path().join("offline.key");
    root.write(&secret).unwrap();
    for number in [0, 3] {
        let refusal = RootKeys::read(&secret).unwrap().using(number).unwrap_err();
        assert_eq!(refusal.reason, reasons::TERMS_WRONG);
    }
    let next = RootKeys::read(&secret).unwrap().using(2).unwrap();
    let answer = next.sign(&asked, &IssuingTerms::default(), NOW).unwrap();
    assert_eq!(answer.root, public);
    authority.apply(&answer.encode(), NOW).await.unwrap();
    authority.add_product(policy("cad"), NOW).await.unwrap();
    let bundle = authority.bundle(&product("cad"), NOW).await.unwrap();
    assert_eq!(bundle.root.publisher(), public.publisher());
    bundle.verify().unwrap();
}

#[tokio::test]
async fn answers_of_others_are_refused() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = RootKeys::generate("Contoso", 1).unwrap();
    let foreign = RootKeys::generate("Contoso", 1).unwrap();
    let terms = IssuingTerms::default();
    let (authority, asked) = offline(here.path(), &root).await;
    let (_, elsewhere) = offline(there.path(), &root).await;

    let refusal = foreign.sign(&asked, &terms, NOW).unwrap_err();
    assert_eq!(refusal.reason, statement::WRONG_PUBLISHER);
    let other = root.sign(&elsewhere, &terms, NOW).unwrap().encode();
    let refusal = authority.apply(&other, NOW).await.unwrap_err();
    assert_eq!(refusal.reason, reasons::ISSUING_FOREIGN);

    let mut swapped = root.sign(&asked, &terms, NOW).unwrap();
    swapped.root = foreign.public().clone();
    let refusal = authority.apply(&swapped.encode(), NOW).await.unwrap_err();
    assert_eq!(refusal.reason, statement::ROOT_UNKNOWN);
    let good = root.sign(&asked, &terms, NOW).unwrap().encode();
    for bit in 0..8 * good.len() {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(authority.apply(&flipped, NOW).await.is_err(), "bit {bit}");
    }
    assert!(authority.apply(&good[..good.len() - 1], NOW).await.is_err());
    assert_eq!(authority.newest_issuing().await.unwrap(), None);
    authority.apply(&good, NOW).await.unwrap();
}

#[tokio::test]
async fn the_root_signs_no_hosts_request() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    let made = request(&publisher, &[&key], "a");
    let root = RootKeys::read(&directory.path().join("root.key")).unwrap();
    for bytes in [made.bytes.as_slice(), &root.public().encode(), b"", b"\xff"] {
        let refusal = root.sign(bytes, &IssuingTerms::default(), NOW).unwrap_err();
        let known = [
            reasons::ROOT_REQUEST,
            statement::NOT_CBOR,
            statement::NOT_COSE,
        ];
        assert!(known.contains(&refusal.reason), "{refusal}");
    }
}

#[tokio::test]
async fn init_twice_is_one_authority_and_another_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("authority");
    let init = |name: &'static str, url, ceremony| {
        let home = home.clone();
        async move { Authority::init(&home, name, url, ceremony, NOW).await }
    };
    let missing = Authority::open(&home).await.unwrap_err();
    assert_eq!(missing.reason, reasons::NOT_INITIALISED);
    let url = Some("https://licences.contoso.test/");
    let (first, report) = init("Contoso", url, Ceremony::Here).await.unwrap();
    assert!(report.root_is_here && report.request.is_none());
    assert_eq!(mode(&home), 0o700);
    for secret in fs::read_dir(&home).unwrap() {
        let path = secret.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "key") {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    let (second, again) = init("Contoso", None, Ceremony::Here).await.unwrap();
    assert_eq!(first.root(), second.root());
    assert_eq!(report.issuing, again.issuing);
    let kept = second.url().await.unwrap();
    assert_eq!(kept.as_deref(), Some("https://licences.contoso.test"));

    let foreign = RootKeys::generate("Contoso", 1).unwrap().public().clone();
    for (name, ceremony) in [
        ("Fabrikam", Ceremony::Here),
        ("Contoso", Ceremony::Offline(foreign)),
    ] {
        let refusal = init(name, None, ceremony).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::ALREADY_INITIALISED);
    }
    let refusal = init("Contoso", Some("licences"), Ceremony::Here).await;
    assert_eq!(refusal.unwrap_err().reason, config::CONFIG_WRONG);
}

const STORE_FILES: [&str; 3] = ["authority.db", "authority.db-wal", "authority.db-shm"];

fn remove(directory: &Path, names: &[&str]) {
    for name in names {
        let _ = fs::remove_file(directory.join(name));
    }
}

fn issuing_key_file(directory: &Path) -> PathBuf {
    let files = fs::read_dir(directory).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut issuing = names.filter(|name| name.starts_with("issuing-"));
    directory.join(issuing.next().unwrap())
}

/// What a crash between two steps of `init` leaves behind is taken up by the next.
#[tokio::test]
async fn init_goes_on_where_it_was_cut() {
    let directory = tempfile::tempdir().unwrap();
    let first = authority(directory.path()).await;
    let root = first.root().clone();
    first.close().await;
    fs::remove_file(issuing_key_file(directory.path())).unwrap();
    remove(directory.path(), &STORE_FILES);
    remove(directory.path(), &["root.pub"]);
    let second = authority(directory.path()).await;
    assert_eq!(second.root(), &root);
    assert!(second.newest_issuing().await.unwrap().is_some());
}

/// A new store would give the serials a second time that the old one gave under the same secret.
#[tokio::test]
async fn no_new_store_is_made_beside_the_keys_of_one_that_was_lost() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    let first = authority(home).await;
    let key = host_key(&first).await;
    let copy = home.join("copy");
    first.backup(&copy).await.unwrap();
    first.close().await;
    let init = || Authority::init(home, "Contoso", None, Ceremony::Here, NOW);
    for is_emptied in [false, true] {
        remove(home, &STORE_FILES);
        if is_emptied {
            let empty = home.join("authority.db");
            fs::write(&empty, b"").unwrap();
            fs::set_permissions(empty, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let made = init().await.unwrap_err();
        assert_eq!(made.reason, reasons::STORE_MISSING, "{made}");
        let opened = Authority::open(home).await.unwrap_err();
        assert_eq!(opened.reason, reasons::STORE_MISSING, "{opened}");
    }
    let others = ["root.pub", "product-keys.key"].map(|name| home.join(name));
    let kept = others.clone().map(|path| fs::read(path).unwrap());
    others
        .iter()
        .for_each(|path| fs::remove_file(path).unwrap());
    let unpinned = Authority::init_unpinned(None, home, "Contoso", None, NOW).await;
    assert_eq!(unpinned.unwrap_err().reason, reasons::STORE_MISSING);
    for (path, bytes) in others.iter().zip(kept) {
        assert!(!path.exists(), "{path:?} was made");
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    Authority::restore(&copy, home).unwrap();
    let (restored, _) = init().await.unwrap();
    assert_eq!(restored.keys(None, None, 10).await.unwrap().len(), 1);
    assert_ne!(host_key(&restored).await, key);
}

#[tokio::test]
async fn a_new_issuing_key_follows_and_the_old_one_still_opens() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let key = host_key(&authority).await;
    let before = authority.publisher(NOW).await.unwrap();
    let early = request(&before, &[&key], "a");
    let sealed_before = request(&before, &[&key], "b");
    let first = authority.certify(&early.bytes, None, NOW).await.unwrap();

    let Rotation::Done(report) = authority.rotate(days(1)).await.unwrap() else {
        panic!("the root is here");
    };
    let after = authority.publisher(days(1)).await.unwrap();
    assert_ne!(before.chain, after.chain);
    assert_eq!(after.verify().unwrap().1, report.name);

    // A key sealed to the old one opens, under the new certificate; the old answer is unchanged.
    let late = authority.certify(&sealed_before.bytes, None, days(1)).await;
    let late = late.unwrap();
    assert_eq!(late.chain[1], after.chain[0]);
    verify(&after, &sealed_before, &late, days(1)).unwrap();
    let repeat = authority
        .certify(&early.bytes, None, days(1))
        .await
        .unwrap();
    assert_eq!(repeat.chain, first.chain);
    verify(&after, &early, &repeat, days(1)).unwrap();

    // An answer that was lost before the old key was found to have leaked comes again under the new.
    let old = before.verify().unwrap().0.key.thumbprint();
    authority.revoke_issuing(old, days(2)).await.unwrap();
    let again = authority.certify(&early.bytes, None, days(2)).await;
    let again = again.unwrap();
    assert_eq!(again.chain[1], after.chain[0]);
    verify(&after, &early, &again, days(2)).unwrap();
    let report = authority.key(&key.reveal()).await.unwrap();
    assert_eq!((report.hosts_used, report.activations_used), (2, 2));
    assert_eq!(
        authority
            .bundle(&product("cad"), days(1))
            .await
            .unwrap()
            .chain,
        after.chain
    );
}

#[tokio::test]
async fn an_exposed_or_missing_issuing_key_is_named() {
    let directory = tempfile::tempdir().unwrap();
    authority(directory.path()).await.close().await;
    let path = issuing_key_file(directory.path());
    let open = || Authority::open(directory.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = open().await.unwrap().publisher(NOW).await.unwrap_err();
    assert_eq!(exposed.reason, config::FILE_MODE);
    fs::remove_file(&path).unwrap();
    let missing = open().await.unwrap().publisher(NOW).await.unwrap_err();
    assert_eq!(missing.reason, reasons::SIGNER_FAILED);
    fs::remove_file(directory.path().join("product-keys.key")).unwrap();
    let refusal = open().await.unwrap_err();
    assert_eq!(refusal.reason, config::FILE_UNREADABLE);
    // A lost secret is not replaced: no key that was sold would be known under another.
    let again = Authority::init(directory.path(), "Contoso", None, Ceremony::Here, NOW).await;
    assert_eq!(again.unwrap_err().reason, config::FILE_UNREADABLE);
    assert!(!directory.path().join("product-keys.key").exists());
}

#[tokio::test]
async fn a_backup_restores_what_was_sold() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let authority = authority(&home).await;
    let key = host_key(&authority).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let made = request(&publisher, &[&key], "a");
    let first = authority.certify(&made.bytes, None, NOW).await.unwrap();
    let copy = directory.path().join("copy");
    authority.backup(&copy).await.unwrap();
    assert_eq!(mode(&copy), 0o600);
    authority.add_product(policy("cam"), NOW).await.unwrap();
    let sold = host_key(&authority).await;

    // Restored under a running service, which goes on with what was in the copy.
    Authority::restore(&copy, &home).unwrap();
    let unknown = authority.product(&product("cam")).await.unwrap_err();
    assert_eq!(unknown.reason, reasons::PRODUCT_UNKNOWN);
    let repeat = authority.certify(&made.bytes, None, NOW).await.unwrap();
    assert_eq!(repeat.chain, first.chain);

    // The key sold after the backup is not sold again, nor a version of a policy.
    let serial = authority.key(&sold.reveal()).await.unwrap_err();
    assert_eq!(serial.reason, reasons::KEY_NOT_FOUND);
    let next = host_key(&authority).await;
    assert_ne!(next, sold);
    assert_eq!(
        authority.key(&next.reveal()).await.unwrap().row.id.serial,
        1_000_002
    );
    let again = authority.add_product(policy("cam"), NOW).await.unwrap();
    assert_eq!(again.policy.version, 1_002);
    let list = authority.revocations(0, NOW).await.unwrap();
    assert_eq!(list.number, 1_000_000);
    let garbage = directory.path().join("garbage");
    fs::write(&garbage, b"no database").unwrap();
    assert!(Authority::restore(&garbage, &home).is_err());
    assert_eq!(
        authority
            .certify(&made.bytes, None, NOW)
            .await
            .unwrap()
            .chain,
        first.chain
    );
}
