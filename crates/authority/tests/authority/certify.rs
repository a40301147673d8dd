//! The certification of hosts, as a host meets it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_authority::signer::{FileKeys, IssuingKey, IssuingKeys, Signer, Signing};
use muster_authority::{Authority, KeyOrder};
use muster_net::seal::OpeningKey;
use muster_proto::Refusal;
use muster_proto::authority::answer::{Activation, RevocationList};
use muster_proto::authority::{HostNumber, Source, sealed_key};
use muster_proto::crypto::{PublicKey, SecretKey};
use muster_proto::hardware::ComponentTags;
use muster_proto::ids::Thumbprint;
use muster_proto::key::{Channel, KeyRing, KeySecret, ProductGroup, ProductKey};
use muster_proto::limits::{REVOCATION_DELTAS_MAX, REVOCATION_ENTRIES_MAX};
use muster_proto::reason::{authority as reasons, key as key_reasons, statement};
use muster_proto::statement::request::Request;
use muster_proto::statement::revocations::{RevocationSet, Revocations};
use muster_proto::statement::{Envelope, Role, Typ};
use muster_proto::time::{Span, Timestamp};
use zeroize::Zeroizing;

use crate::common::{
    NOW, authority, cert_name, days, host_key, key_of, make, policy, product, renewal, request,
    seal_to, sign, verify,
};

fn source(text: &str) -> Option<Source> {
    Some(Source::of(text.parse::<IpAddr>().unwrap()))
}

#[tokio::test]
async fn a_host_is_certified_for_its_product_and_a_retry_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    let made = request(&publisher, &[&key], "a");
    let activation = authority.certify(&made.bytes, None, NOW).await.unwrap();
    let verified = verify(&publisher, &made, &activation, NOW).unwrap();
    let cert = &verified.cert;
    assert_eq!(
        (cert.role, cert.depth, cert.flags.bits()),
        (Role::KmsHost, 0, 0)
    );
    assert_eq!((cert.client_budget, cert.not_after), (100_000, days(365)));
    assert_eq!(cert.site().unwrap().as_str(), "default");
    assert_eq!(verified.policies[0].claims.product, product("cad"));
    assert_eq!(
        activation.bundles(&publisher.root)[0]
            .verify()
            .unwrap()
            .revoked
            .number(),
        0
    );

    let again = authority.certify(&made.bytes, None, days(3)).await.unwrap();
    assert_eq!(again, activation);
    let report = authority.key(&key.reveal()).await.unwrap();
    assert_eq!((report.hosts_used, report.activations_used), (1, 1));
    let log = authority.audit(0, 100).await.unwrap();
    let events: Vec<_> = log.iter().map(|entry| entry.event.as_str()).collect();
    let expected = [
        "setting-changed",
        "issuing-certified",
        "product-added",
        "keys-issued",
        "host-activated",
    ];
    assert_eq!(events, expected);

    // Another host's request does not verify for this one's key, nor this one's after a year.
    let other = request(&publisher, &[&key], "b");
    let refusal = verify(&publisher, &other, &activation, NOW).unwrap_err();
    assert_eq!(refusal.reason, statement::POSSESSION);
    let refusal = verify(&publisher, &made, &activation, days(366)).unwrap_err();
    assert_eq!(refusal.reason, statement::SIGNER_EXPIRED);
}

#[tokio::test]
async fn a_further_product_widens_and_a_renewal_follows() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    authority.add_product(policy("cam"), NOW).await.unwrap();
    let publisher = authority.publisher(NOW).await.unwrap();
    let cad = host_key(&authority).await;
    let cam = key_of(&authority, "cam", Channel::KmsHost).await;

    let first = request(&publisher, &[&cad], "a");
    let answer = authority.certify(&first.bytes, None, NOW).await.unwrap();
    let name = cert_name(&publisher, &first, &answer);
    let second = renewal(&publisher, &[&cam], "a", (&first, name));
    let answer = authority
        .certify(&second.bytes, None, days(10))
        .await
        .unwrap();
    let verified = verify(&publisher, &second, &answer, days(10)).unwrap();
    assert_eq!(verified.cert.products.named().count(), 2);
    assert_eq!(verified.policies.len(), 2);

    let name = verified.permit.thumbprint;
    let third = renewal(&publisher, &[], "a", (&second, name));
    let early = authority
        .certify(&third.bytes, None, days(11))
        .await
        .unwrap_err();
    assert_eq!(early.reason, reasons::RENEWAL_EARLY);
    let answer = authority
        .certify(&third.bytes, None, days(200))
        .await
        .unwrap();
    let verified = verify(&publisher, &third, &answer, days(200)).unwrap();
    assert_eq!(verified.cert.not_after, days(565));
    assert_eq!(verified.cert.products.named().count(), 2);

    // A copy of the directory renews too: it is a fork, and named.
    let copy = renewal(&publisher, &[], "z", (&second, name));
    let fork = authority
        .certify(&copy.bytes, None, days(201))
        .await
        .unwrap_err();
    assert_eq!(fork.reason, reasons::FORKED);
    assert!(fork.detail.contains(&name.to_string()));
    let host = &authority.hosts(HostNumber(0), 10).await.unwrap()[0];
    assert_eq!((host.forks, host.certificates, host.places), (1, 3, 2));

    // After its end there is nothing to renew.
    let last = verified.permit.thumbprint;
    let late = renewal(&publisher, &[], "a", (&third, last));
    let ended = authority
        .certify(&late.bytes, None, days(566))
        .await
        .unwrap_err();
    assert_eq!(ended.reason, reasons::PREVIOUS_ENDED);
}

#[tokio::test]
async fn requests_that_are_not_right_are_refused_and_charge_nothing() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = authority(here.path()).await;
    let foreign = crate::common::authority(there.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let elsewhere = foreign.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    let generic = key_of(&authority, "cad", Channel::GenericVolume).await;
    let mak = key_of(&authority, "cad", Channel::Mak).await;
    let none: [&ProductKey; 0] = [];

    let mut cases = vec![
        (
            request(&elsewhere, &[&key], "a").bytes,
            statement::WRONG_PUBLISHER,
        ),
        (
            request(&publisher, &[&generic], "a").bytes,
            key_reasons::WRONG_CHANNEL,
        ),
        (
            request(&publisher, &[&mak], "a").bytes,
            reasons::CHANNEL_LATER,
        ),
        (
            request(&publisher, &none, "a").bytes,
            reasons::NOTHING_ASKED,
        ),
        (
            make(&publisher, &[&key], "a", None, Role::VmHost).bytes,
            reasons::ROLE_NOT_CERTIFIED,
        ),
        (
            make(&publisher, &[&key], "a", None, Role::Issuing).bytes,
            reasons::ROLE_NOT_CERTIFIED,
        ),
        (key.to_bytes().to_vec(), statement::NOT_CBOR),
        (vec![0; 5_000], statement::TOO_LARGE),
        (Vec::new(), statement::NOT_CBOR),
    ];
    let unknown = request(&publisher, &[], "a");
    let previous = renewal(&publisher, &[], "a", (&unknown, Thumbprint([7; 32])));
    cases.push((previous.bytes, reasons::PREVIOUS_UNKNOWN));
    for (bytes, reason) in cases {
        let refusal = authority.certify(&bytes, None, NOW).await.unwrap_err();
        assert_eq!(refusal.reason, reason, "{refusal}");
    }
    let good = request(&publisher, &[&key], "a").bytes;
    for bit in (0..8 * good.len()).step_by(7) {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(
            authority.certify(&flipped, None, NOW).await.is_err(),
            "bit {bit}"
        );
    }
    let report = authority.key(&key.reveal()).await.unwrap();
    assert_eq!((report.hosts_used, report.activations_used), (0, 0));
    assert!(authority.hosts(HostNumber(0), 10).await.unwrap().is_empty());
}

/// Whatever is altered or cut in an activation is refused, or was no part of what it says.
#[tokio::test]
async fn an_altered_activation_certifies_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    let gone = request(&publisher, &[&key], "gone");
    authority.certify(&gone.bytes, None, NOW).await.unwrap();
    authority.revoke_host(HostNumber(1), NOW).await.unwrap();
    let made = request(&publisher, &[&key], "a");
    let activation = authority.certify(&made.bytes, None, NOW).await.unwrap();
    let right = verify(&publisher, &made, &activation, NOW).unwrap();
    let bytes = activation.encode();
    let judge = |bytes: &[u8]| {
        let held = RevocationSet::default();
        let public = made.signing.public();
        Activation::decode(bytes)?.verify(&publisher.root, &held, &public, NOW)
    };
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = judge(&flipped) {
            assert_eq!(read.cert, right.cert, "bit {bit}");
            assert_eq!(read.policies[0].name, right.policies[0].name, "bit {bit}");
        }
    }
    for length in 0..bytes.len() {
        assert!(judge(&bytes[..length]).is_err(), "{length} bytes");
    }
    for altered in [
        Activation {
            chain: vec![activation.chain[0].clone()],
            ..activation.clone()
        },
        Activation {
            policies: Vec::new(),
            ..activation.clone()
        },
        Activation {
            policies: vec![activation.policies[0].clone(); 2],
            ..activation.clone()
        },
        Activation {
            revocations: vec![activation.policies[0].clone()],
            ..activation.clone()
        },
    ] {
        assert!(judge(&altered.encode()).is_err());
    }
    let other = publisher.encode();
    assert_eq!(judge(&other).unwrap_err().reason, statement::WRONG_TYPE);
}

/// Whoever reads a request on its way cannot spend the product key that is sealed in it.
#[tokio::test]
async fn a_sealed_key_opens_in_its_own_request_only() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    let victim = SecretKey::from_seed(&[1; 32]);
    let thief = SecretKey::from_seed(&[2; 32]);
    let message = sealed_key::message(&key, &victim.public());
    let sealed = seal_to(&publisher, &*message);
    let with = |signing: &SecretKey, sealed: Vec<u8>| {
        let claims = Request {
            role: Role::KmsHost,
            key: signing.public(),
            opening_key: [9; 32],
            sealed_keys: vec![sealed],
            components: ComponentTags::default(),
            previous: None,
            name: "host".into(),
            nonce: [0; 16],
            issued: NOW,
        };
        sign(&publisher, &claims, signing)
    };
    for stolen in [with(&thief, sealed.clone()), with(&thief, vec![0; 128])] {
        let refusal = authority.certify(&stolen, None, NOW).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::KEY_UNREADABLE);
    }
    let right = with(&victim, sealed);
    authority.certify(&right, None, NOW).await.unwrap();
}

#[tokio::test]
async fn guessing_is_limited_by_source_and_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    let (who, other) = (source("192.0.2.7"), source("192.0.2.8"));
    let ring = KeyRing::derive(&KeySecret::new(Zeroizing::new([1; 32])));
    let group = ProductGroup::new(1).unwrap();
    let wrong = |serial| {
        let id = publisher.root.publisher();
        let guess = ring.issue(&id.0, Channel::KmsHost, group, serial);
        request(&publisher, &[&guess], "a").bytes
    };
    for serial in 0..10 {
        let refusal = authority
            .certify(&wrong(serial), who, NOW)
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.reason, refusal.detail),
            (key_reasons::UNKNOWN, String::new())
        );
    }
    let made = request(&publisher, &[&key], "a");
    for bytes in [&wrong(10), &made.bytes] {
        let refusal = authority.certify(bytes, who, NOW).await.unwrap_err();
        assert_eq!(refusal.reason, key_reasons::TOO_MANY_TRIES);
    }
    // Others, and files that the administrator brings himself, are not held up.
    let activation = authority.certify(&made.bytes, other, NOW).await.unwrap();
    // Nor is a repeated request, which tries no key.
    assert_eq!(
        authority.certify(&made.bytes, who, NOW).await.unwrap(),
        activation
    );
    let minute = NOW + Span::from_minutes(1);
    let late = request(&publisher, &[&key], "b");
    authority.certify(&late.bytes, who, minute).await.unwrap();
}

#[tokio::test]
async fn right_keys_are_never_held_up() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    for machine in ["a", "b", "c", "d", "e", "f"] {
        for _ in 0..10 {
            let made = request(&publisher, &[&key], machine);
            let who = source("192.0.2.7");
            authority.certify(&made.bytes, who, NOW).await.unwrap();
        }
    }
    let over = request(&publisher, &[&key], "g");
    let refusal = authority.certify(&over.bytes, None, NOW).await.unwrap_err();
    assert_eq!(refusal.reason, reasons::HOSTS_SPENT);
    let again = request(&publisher, &[&key], "a");
    let refusal = authority
        .certify(&again.bytes, None, NOW)
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::ACTIVATIONS_SPENT);
}

#[tokio::test]
async fn a_revoked_host_is_on_the_list_and_its_place_is_free() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let mut order = KeyOrder::new(product("cad"), Channel::KmsHost);
    order.hosts = Some(1);
    let key = authority
        .issue_keys(&order, NOW)
        .await
        .unwrap()
        .pop()
        .unwrap()
        .key;
    let first = request(&publisher, &[&key], "a");
    let activation = authority.certify(&first.bytes, None, NOW).await.unwrap();
    let second = request(&publisher, &[&key], "b");
    let full = authority
        .certify(&second.bytes, None, NOW)
        .await
        .unwrap_err();
    assert_eq!(full.reason, reasons::HOSTS_SPENT);

    let report = authority.revoke_host(HostNumber(1), days(1)).await.unwrap();
    assert_eq!((report.revoked, report.places), (Some(days(1)), 0));
    let again = authority.revoke_host(HostNumber(1), days(2)).await.unwrap();
    assert_eq!(again, report);
    let gone = authority
        .certify(&first.bytes, None, days(1))
        .await
        .unwrap_err();
    assert_eq!(gone.reason, reasons::HOST_REVOKED);

    // The place is free, and the new host's answer carries the revocation of the old one.
    let answer = authority
        .certify(&second.bytes, None, days(1))
        .await
        .unwrap();
    let verified = verify(&publisher, &second, &answer, days(1)).unwrap();
    assert_eq!(verified.revoked.number(), 1);
    let old = first.signing.public().thumbprint();
    assert!(verified.revoked.holds(&old));
    let refusal = activation.verify(
        &publisher.root,
        &verified.revoked,
        &first.signing.public(),
        days(1),
    );
    assert_eq!(refusal.unwrap_err().reason, statement::REVOKED);

    let bundle = authority.bundle(&product("cad"), days(1)).await.unwrap();
    assert!(bundle.verify().unwrap().revoked.holds(&old));
    let unknown = authority.revoke_host(HostNumber(9), NOW).await.unwrap_err();
    assert_eq!(unknown.reason, reasons::HOST_UNKNOWN);
}

/// Certifies so many machines under a key that is then revoked with them; their signing keys.
async fn revoke_many(authority: &Authority, machines: u32, now: Timestamp) -> Vec<Thumbprint> {
    let publisher = authority.publisher(NOW).await.unwrap();
    let mut order = KeyOrder::new(product("cad"), Channel::KmsHost);
    order.hosts = Some(1_000);
    let issued = authority.issue_keys(&order, NOW).await.unwrap().remove(0);
    let mut keys = Vec::new();
    for number in 0..machines {
        let made = request(&publisher, &[&issued.key], &format!("machine {number}"));
        authority.certify(&made.bytes, None, NOW).await.unwrap();
        keys.push(made.signing.public().thumbprint());
    }
    let serial = issued.id.to_string();
    authority.revoke_key(&serial, true, now).await.unwrap();
    let made = request(&publisher, &[&issued.key], "another");
    let refusal = authority.certify(&made.bytes, None, now).await.unwrap_err();
    assert_eq!(refusal.reason, reasons::KEY_REVOKED);
    keys
}

#[tokio::test]
async fn revocations_come_in_numbered_deltas_for_whoever_holds_any() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let root = authority.root().clone();
    let first = revoke_many(&authority, 70, NOW).await;
    let list = authority.revocations(0, NOW).await.unwrap();
    assert_eq!((list.number, list.deltas.len()), (70, 2));
    let halfway = list.apply(&root, &RevocationSet::default()).unwrap();

    let second = revoke_many(&authority, 80, days(1)).await;
    let list = authority.revocations(70, days(1)).await.unwrap();
    assert_eq!(list.number, 150);
    assert!(list.deltas.len() <= REVOCATION_DELTAS_MAX);
    let whole = list.apply(&root, &halfway).unwrap();
    assert_eq!(whole.number(), 150);
    assert!(first.iter().chain(&second).all(|key| whole.holds(key)));
    for bytes in &list.deltas {
        let delta: Revocations = Envelope::decode(bytes, Typ::Revocations)
            .unwrap()
            .claims()
            .unwrap();
        assert!(delta.entries.len() <= REVOCATION_ENTRIES_MAX);
    }

    // Without what comes before it a delta leaves a gap, and is refused.
    let late = list.deltas[1..].to_vec();
    let gap = RevocationList {
        number: 150,
        deltas: late,
    };
    let refusal = gap.apply(&root, &RevocationSet::default()).unwrap_err();
    assert_eq!(refusal.reason, statement::BACKWARDS);
    for held in [150, u64::MAX] {
        let list = authority.revocations(held, days(1)).await.unwrap();
        assert!(list.deltas.is_empty());
    }
}

/// A device that does not answer every time.
struct Flaky {
    keys: FileKeys,
    is_down: Arc<AtomicBool>,
}

struct FlakySigner {
    key: Arc<IssuingKey>,
    is_down: Arc<AtomicBool>,
}

impl Signer for FlakySigner {
    fn public(&self) -> PublicKey {
        self.key.signer.public()
    }

    fn sign(&self, message: Vec<u8>) -> Signing<'_> {
        Box::pin(async move {
            // The answer comes later: others run meanwhile.
            tokio::task::yield_now().await;
            if self.is_down.load(Ordering::Relaxed) {
                return Err(reasons::SIGNER_FAILED.into());
            }
            self.key.signer.sign(message).await
        })
    }
}

impl IssuingKeys for Flaky {
    fn find(&self, key: Thumbprint) -> Result<Arc<IssuingKey>, Refusal> {
        let key = self.keys.find(key)?;
        Ok(Arc::new(IssuingKey {
            opening: OpeningKey::from_bytes(&key.opening.to_bytes())?,
            signer: Box::new(FlakySigner {
                key,
                is_down: Arc::clone(&self.is_down),
            }),
        }))
    }

    fn generate(&self) -> Result<Arc<IssuingKey>, Refusal> {
        self.keys.generate()
    }
}

/// Charged once, before the signature that did not come; given out when it comes.
#[tokio::test]
async fn a_signature_that_comes_later_is_charged_once() {
    let directory = tempfile::tempdir().unwrap();
    let is_down = Arc::new(AtomicBool::new(true));
    let keys = Flaky {
        keys: FileKeys::new(directory.path()),
        is_down: Arc::clone(&is_down),
    };
    let plain = authority(directory.path()).await;
    let publisher = plain.publisher(NOW).await.unwrap();
    let key = host_key(&plain).await;
    let authority = plain.with_issuing_keys(Arc::new(keys));
    let made = request(&publisher, &[&key], "a");
    for _ in 0..3 {
        let refusal = authority.certify(&made.bytes, None, NOW).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::SIGNER_FAILED);
    }
    let report = authority.key(&key.reveal()).await.unwrap();
    assert_eq!((report.hosts_used, report.activations_used), (1, 1));
    is_down.store(false, Ordering::Relaxed);
    let (one, two) = tokio::join!(
        authority.certify(&made.bytes, None, days(1)),
        authority.certify(&made.bytes, None, days(1)),
    );
    let activation = one.unwrap();
    assert_eq!(activation, two.unwrap());
    // The certificate is the one that was charged for a day before.
    let verified = verify(&publisher, &made, &activation, days(1)).unwrap();
    assert_eq!(verified.cert.issued, NOW);
    let report = authority.key(&key.reveal()).await.unwrap();
    assert_eq!((report.hosts_used, report.activations_used), (1, 1));

    // A host that is revoked while the device is down is revoked; the list follows.
    is_down.store(true, Ordering::Relaxed);
    let refusal = authority
        .revoke_host(HostNumber(1), days(2))
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::SIGNER_FAILED);
    let refused = authority
        .certify(&made.bytes, None, days(2))
        .await
        .unwrap_err();
    assert_eq!(refused.reason, reasons::HOST_REVOKED);
    is_down.store(false, Ordering::Relaxed);
    assert_eq!(authority.revocations(0, days(2)).await.unwrap().number, 1);
}

#[tokio::test]
async fn an_ended_issuing_certificate_certifies_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let authority = authority(directory.path()).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    let made = request(&publisher, &[&key], "a");
    let late = days(5 * 365 + 1);
    let refusal = authority
        .certify(&made.bytes, None, late)
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, reasons::ISSUING_ENDED);
    // In its last days a host gets what is left.
    let last = days(5 * 365 - 10);
    let answer = authority.certify(&made.bytes, None, last).await.unwrap();
    let cert = verify(&publisher, &made, &answer, last).unwrap().cert;
    assert_eq!(cert.not_after, days(5 * 365));
    // The whole answer is repeated to its last second, and not after it.
    let repeat = authority.certify(&made.bytes, None, cert.not_after).await;
    assert_eq!(repeat.unwrap(), answer);
    let over = authority
        .certify(&made.bytes, None, late)
        .await
        .unwrap_err();
    assert_eq!(over.reason, reasons::PREVIOUS_ENDED);
}
