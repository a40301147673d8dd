//! The certification rules against a small model of a store.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::*;
use crate::crypto::SecretKey;
use crate::hardware::{Component, ComponentTags};
use crate::ids::{PublisherId, Thumbprint};
use crate::key::{Channel, KeyRing, KeySecret, ProductGroup};
use crate::reason::{Reason, Refusal, authority as reasons, key as key_reasons, statement};
use crate::statement::request::{Previous, Request};
use crate::statement::root::Root;
use crate::statement::{Role, ask::succession};
use crate::time::{Span, Timestamp};

const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
const YEAR: Span = Span::from_days(365);

/// A store in memory that does what a decision says and nothing else.
struct World {
    publisher: PublisherId,
    issuing: Issuing,
    keys: BTreeMap<KeyId, KnownKey>,
    certs: BTreeMap<Thumbprint, CertRow>,
    signer_revoked: bool,
    hosts: u64,
    asked: u8,
}

fn seeded(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn request_of(key: &SecretKey, role: Role) -> Request {
    Request {
        role,
        key: key.public(),
        opening_key: [1; 32],
        sealed_keys: Vec::new(),
        components: ComponentTags::default(),
        previous: None,
        name: "host".into(),
        nonce: [0; 16],
        issued: START,
    }
}

fn machine(publisher: PublisherId, letters: &str) -> ComponentTags {
    let letters: Vec<String> = letters.chars().map(|c| c.to_string()).collect();
    let values = Component::ALL.into_iter().zip(&letters);
    ComponentTags::of(
        publisher,
        values.map(|(kind, value)| (kind, value.as_str())),
    )
}

fn key_id(channel: Channel, serial: u32) -> KeyId {
    KeyId {
        channel,
        group: ProductGroup::new(1).unwrap(),
        serial,
    }
}

impl World {
    fn new() -> Self {
        let root = Root::new("Contoso", vec![seeded(1).public()]).unwrap();
        let request = request_of(&seeded(2), Role::Issuing);
        let cert = root::issuing_cert(&request, &root::IssuingTerms::default(), START).unwrap();
        Self {
            publisher: root.publisher(),
            issuing: Issuing {
                name: Thumbprint([9; 32]),
                cert,
            },
            keys: BTreeMap::new(),
            certs: BTreeMap::new(),
            signer_revoked: false,
            hosts: 0,
            asked: 0,
        }
    }

    fn add_key(&mut self, channel: Channel, serial: u32, product: &str, site: &str) -> KeyId {
        let id = key_id(channel, serial);
        let ring = KeyRing::derive(&KeySecret::new(Zeroizing::new([3; 32])));
        let key = ring.issue(&self.publisher.0, channel, id.group, serial);
        let row = KeyRow {
            id,
            last5: key.last5(),
            product: product.parse().unwrap(),
            site: site.parse().unwrap(),
            hosts_max: 6,
            activations_max: 10,
            client_budget: 100_000,
            issued: START,
            revoked: None,
        };
        let known = KnownKey {
            row,
            slots: Vec::new(),
            next_slot: 0,
        };
        self.keys.insert(id, known);
        id
    }

    /// A request with a new signing key from a machine; the key's seed is returned for renewal.
    fn ask(&mut self, keys: &[KeyId], letters: &str) -> (Asked, SecretKey) {
        self.asked += 1;
        let signing = seeded(100 + self.asked);
        let mut request = request_of(&signing, Role::KmsHost);
        request.components = machine(self.publisher, letters);
        let asked = Asked {
            request,
            name: Thumbprint([self.asked; 32]),
            keys: keys.to_vec(),
        };
        (asked, signing)
    }

    fn renewal(
        &mut self,
        keys: &[KeyId],
        letters: &str,
        old: &SecretKey,
        cert: Thumbprint,
    ) -> (Asked, SecretKey) {
        let (mut asked, signing) = self.ask(keys, letters);
        let proof = succession(self.publisher, &old.public(), &asked.request.key);
        asked.request.previous = Some(Previous {
            key: old.public(),
            cert,
            signature: old.sign(&proof),
        });
        (asked, signing)
    }

    fn decide(&self, asked: &Asked, now: Timestamp) -> Result<Decision, Refusal> {
        let signing = asked.request.key.thumbprint();
        let named = asked.request.previous.as_ref();
        let previous = named.and_then(|previous| self.certs.get(&previous.cert));
        let repeat = self.certs.values().find(|c| c.request == asked.name);
        let known = Known {
            repeat: repeat.map(|cert| self.known_cert(cert)),
            signing_key_used: self.certs.values().any(|cert| cert.key == signing),
            keys: asked
                .keys
                .iter()
                .map(|id| self.keys.get(id).cloned())
                .collect(),
            previous: previous.map(|cert| self.known_cert(cert)),
            next_host: HostNumber(self.hosts + 1),
        };
        certify(&known, asked, &self.issuing, now)
    }

    fn known_cert(&self, row: &CertRow) -> KnownCert {
        let mut successor = row.successor;
        while let Some(same) = successor.filter(|name| self.certs[name].key == row.key) {
            successor = self.certs[&same].successor;
        }
        KnownCert {
            row: row.clone(),
            successor,
            is_signer_revoked: self.signer_revoked,
            keys: row.keys.iter().map(|id| self.keys[id].clone()).collect(),
        }
    }

    fn certify(&mut self, asked: &Asked, now: Timestamp) -> Result<Thumbprint, Refusal> {
        match self.decide(asked, now)? {
            Decision::Repeat(name) => Ok(name),
            Decision::Fork(_) => Err(reasons::FORKED.into()),
            Decision::Grant(grant) => Ok(self.apply(asked, &grant)),
        }
    }

    fn apply(&mut self, asked: &Asked, grant: &Grant) -> Thumbprint {
        // Names of certificates from above, of requests from below.
        let name = Thumbprint([u8::MAX - u8::try_from(self.certs.len()).unwrap(); 32]);
        self.hosts = self.hosts.max(grant.host.0);
        for change in &grant.slots {
            let key = self.keys.get_mut(&change.key).unwrap();
            key.slots.retain(|slot| slot.number != change.number);
            key.next_slot = key.next_slot.max(change.number + 1);
            key.slots.push(SlotRow {
                number: change.number,
                machine: asked.request.components,
                activations: change.activations,
                host: grant.host,
                cert: name,
            });
        }
        for old in &grant.succeeds {
            let cert = self.certs.get_mut(old).unwrap();
            cert.successor.get_or_insert(name);
            if cert.request == asked.name {
                cert.request = cert.name;
            }
        }
        let cert = CertRow {
            name,
            request: asked.name,
            host: grant.host,
            key: grant.cert.key.thumbprint(),
            keys: grant.keys.clone(),
            products: grant.cert.products.named().cloned().collect(),
            site: grant.cert.site().unwrap().clone(),
            client_budget: grant.cert.client_budget,
            host_name: grant.cert.name.clone(),
            issued: grant.cert.issued,
            not_after: grant.cert.not_after,
            successor: None,
            revoked: None,
            forks: 0,
        };
        self.certs.insert(name, cert);
        name
    }

    fn refused(&mut self, asked: &Asked, now: Timestamp, reason: Reason) {
        let before = (self.keys.clone(), self.certs.clone());
        assert_eq!(self.certify(asked, now).unwrap_err().reason, reason);
        assert_eq!((&self.keys, &self.certs), (&before.0, &before.1));
    }
}

/// The eight letters of machine number `n`, of one make with all others.
fn nth(n: u8) -> String {
    let own = char::from(b'a' + n);
    [own, own, own, '1', '2', '3', own, own].iter().collect()
}

#[test]
fn six_machines_ten_times_each_and_never_one_more() {
    let mut world = World::new();
    let key = world.add_key(Channel::KmsHost, 0, "cad", "default");
    for n in 0..6 {
        for _ in 0..10 {
            let (asked, _) = world.ask(&[key], &nth(n));
            let name = world.certify(&asked, START).unwrap();
            assert_eq!(
                world.certify(&asked, START).unwrap(),
                name,
                "a repeat is free"
            );
        }
        let (asked, _) = world.ask(&[key], &nth(n));
        world.refused(&asked, START, reasons::ACTIVATIONS_SPENT);
    }
    let (asked, _) = world.ask(&[key], &nth(6));
    world.refused(&asked, START, reasons::HOSTS_SPENT);
    let slots = &world.keys[&key].slots;
    assert_eq!(slots.iter().map(|slot| slot.activations).sum::<u32>(), 60);
    assert_eq!(world.hosts, 6);
}

#[test]
fn a_host_certificate_is_narrow() {
    let mut world = World::new();
    let key = world.add_key(Channel::KmsHost, 0, "cad", "default");
    let (asked, _) = world.ask(&[key], &nth(0));
    let Decision::Grant(grant) = world.decide(&asked, START).unwrap() else {
        panic!("a first activation is granted");
    };
    assert_eq!(grant.kind, GrantKind::Activated);
    let cert = &grant.cert;
    assert_eq!(
        (cert.depth, cert.flags.bits(), cert.client_budget),
        (0, 0, 100_000)
    );
    assert_eq!(cert.not_after, START + YEAR);
    assert_eq!(cert.site().unwrap().as_str(), "default");
    assert_eq!(cert.products.named().count(), 1);
    // The last year of the issuing certificate bounds it.
    let late = world.issuing.cert.not_after - Span::from_days(10);
    let Decision::Grant(grant) = world.decide(&asked, late).unwrap() else {
        panic!("a first activation is granted");
    };
    assert_eq!(grant.cert.not_after, world.issuing.cert.not_after);
    let over = world.issuing.cert.not_after + Span::from_seconds(1);
    world.refused(&asked, over, reasons::ISSUING_ENDED);
}

#[test]
fn a_lost_answer_comes_again_under_the_next_issuing_key() {
    let mut world = World::new();
    let key = world.add_key(Channel::KmsHost, 0, "cad", "default");
    let (asked, held) = world.ask(&[key], &nth(0));
    let first = world.certify(&asked, START).unwrap();
    world.signer_revoked = true;
    let Decision::Grant(grant) = world.decide(&asked, START).unwrap() else {
        panic!("nobody takes the first one");
    };
    assert_eq!(grant.kind, GrantKind::Reissued);
    let second = world.apply(&asked, &grant);
    world.signer_revoked = false;
    assert_eq!(world.certify(&asked, START).unwrap(), second, "and stays");
    let slot = &world.keys[&key].slots[0];
    assert_eq!((slot.activations, slot.cert), (1, second));

    // The host renews whichever it has, and once.
    let half = START + Span::from_seconds(YEAR.seconds() / 2);
    let (renewal, _) = world.renewal(&[], &nth(0), &held, second);
    assert!(matches!(
        world.decide(&renewal, half),
        Ok(Decision::Grant(_))
    ));
    let (renewal, _) = world.renewal(&[], &nth(0), &held, first);
    world.certify(&renewal, half).unwrap();
    for named in [first, second] {
        let (fork, _) = world.renewal(&[], &nth(0), &held, named);
        world.refused(&fork, half, reasons::FORKED);
    }
    world.signer_revoked = true;
    assert_eq!(
        world.decide(&asked, half).unwrap(),
        Decision::Repeat(second)
    );
}

#[test]
fn a_renewal_is_free_from_half_of_life_to_its_end_and_forks_are_named() {
    let mut world = World::new();
    let key = world.add_key(Channel::KmsHost, 0, "cad", "default");
    let (asked, old) = world.ask(&[key], &nth(0));
    let first = world.certify(&asked, START).unwrap();
    let half = START + Span::from_seconds(YEAR.seconds() / 2);

    let (early, _) = world.renewal(&[], &nth(0), &old, first);
    world.refused(&early, half - Span::from_seconds(1), reasons::RENEWAL_EARLY);
    world.signer_revoked = true;
    assert!(
        world.decide(&early, START).is_ok(),
        "the issuing key leaked"
    );
    world.signer_revoked = false;
    let (late, _) = world.renewal(&[], &nth(0), &old, first);
    world.refused(
        &late,
        START + YEAR + Span::from_seconds(1),
        reasons::PREVIOUS_ENDED,
    );
    let (mut same_key, _) = world.renewal(&[], &nth(0), &old, first);
    same_key.request.key = old.public();
    world.refused(&same_key, half, reasons::SIGNING_KEY_USED);
    let (foreign, _) = world.renewal(&[], &nth(0), &seeded(77), first);
    world.refused(&foreign, half, statement::POSSESSION);
    let (unknown, _) = world.renewal(&[], &nth(0), &old, Thumbprint([0; 32]));
    world.refused(&unknown, half, reasons::PREVIOUS_UNKNOWN);

    let (renewal, next) = world.renewal(&[], &nth(0), &old, first);
    let second = world.certify(&renewal, half).unwrap();
    assert_eq!(
        world.certify(&renewal, half).unwrap(),
        second,
        "a retry is free"
    );
    assert_eq!(world.certs[&second].not_after, half + YEAR);
    assert_eq!(
        world.keys[&key].slots[0].activations, 1,
        "a renewal is free"
    );

    let (fork, _) = world.renewal(&[], &nth(1), &old, first);
    world.refused(&fork, half, reasons::FORKED);
    assert_eq!(world.decide(&fork, half).unwrap(), Decision::Fork(first));

    // A renewal from other hardware moves the place along; the old machine is then another one.
    let later = half + Span::from_days(200);
    let (moved, _) = world.renewal(&[], &nth(4), &next, second);
    world.certify(&moved, later).unwrap();
    assert_eq!(world.keys[&key].slots.len(), 1);
    let (again, _) = world.ask(&[key], &nth(0));
    world.certify(&again, later).unwrap();
    assert_eq!(world.keys[&key].slots.len(), 2);
}

#[test]
fn an_activation_anew_replaces_the_place_s_certificate() {
    let mut world = World::new();
    let key = world.add_key(Channel::KmsHost, 0, "cad", "default");
    let (asked, old) = world.ask(&[key], &nth(0));
    let first = world.certify(&asked, START).unwrap();
    let (asked, _) = world.ask(&[key], &nth(0));
    let second = world.certify(&asked, START).unwrap();
    assert_eq!(world.certs[&first].host, world.certs[&second].host);
    let half = START + Span::from_days(200);
    let (stale, _) = world.renewal(&[], &nth(0), &old, first);
    world.refused(&stale, half, reasons::FORKED);
}

#[test]
fn a_further_key_widens_the_certificate_and_is_charged_alone() {
    let mut world = World::new();
    let cad = world.add_key(Channel::KmsHost, 0, "cad", "default");
    let cam = world.add_key(Channel::KmsHost, 1, "cam", "default");
    let other_site = world.add_key(Channel::KmsHost, 2, "erp", "berlin");
    let (asked, old) = world.ask(&[cad], &nth(0));
    let first = world.certify(&asked, START).unwrap();

    let (mixed, _) = world.renewal(&[other_site], &nth(0), &old, first);
    world.refused(&mixed, START, reasons::SITES_MIXED);

    let (wider, next) = world.renewal(&[cam], &nth(0), &old, first);
    let second = world.certify(&wider, START).unwrap();
    assert_eq!(world.certs[&second].products.len(), 2);
    assert_eq!(world.certs[&second].host, world.certs[&first].host);
    assert_eq!(world.keys[&cad].slots[0].activations, 1);
    assert_eq!(world.keys[&cam].slots[0].activations, 1);

    // A revoked key's product is left out of the next renewal; the last one ends it.
    world.keys.get_mut(&cad).unwrap().row.revoked = Some(START);
    let half = START + Span::from_days(200);
    let (renewal, last) = world.renewal(&[], &nth(0), &next, second);
    let third = world.certify(&renewal, half).unwrap();
    let left: Vec<_> = world.certs[&third].products.iter().collect();
    assert_eq!(left, [&"cam".parse().unwrap()]);
    world.keys.get_mut(&cam).unwrap().row.revoked = Some(START);
    let (renewal, _) = world.renewal(&[], &nth(0), &last, third);
    world.refused(&renewal, half + Span::from_days(200), reasons::KEY_REVOKED);
}

#[test]
fn what_may_not_be_redeemed_is_refused_with_its_own_reason() {
    let mut world = World::new();
    for (serial, (channel, reason)) in (10u32..).zip([
        (Channel::GenericVolume, key_reasons::WRONG_CHANNEL),
        (Channel::VmGuest, key_reasons::WRONG_CHANNEL),
        (Channel::Mak, reasons::CHANNEL_LATER),
        (Channel::VmHost, reasons::CHANNEL_LATER),
        (Channel::Retail, reasons::CHANNEL_LATER),
        (Channel::Oem, reasons::CHANNEL_LATER),
    ]) {
        let key = world.add_key(channel, serial, "cad", "default");
        let (asked, _) = world.ask(&[key], &nth(0));
        world.refused(&asked, START, reason);
    }
    let (unknown, _) = world.ask(&[key_id(Channel::KmsHost, 999)], &nth(0));
    world.refused(&unknown, START, key_reasons::UNKNOWN);
    let (nothing, _) = world.ask(&[], &nth(0));
    world.refused(&nothing, START, reasons::NOTHING_ASKED);
    let key = world.add_key(Channel::KmsHost, 0, "cad", "default");
    for role in [Role::VmHost, Role::Issuing] {
        let (mut asked, _) = world.ask(&[key], &nth(0));
        asked.request.role = role;
        world.refused(&asked, START, reasons::ROLE_NOT_CERTIFIED);
    }
    world.keys.get_mut(&key).unwrap().row.revoked = Some(START);
    let (revoked, _) = world.ask(&[key], &nth(0));
    world.refused(&revoked, START, reasons::KEY_REVOKED);
}

#[test]
fn a_revoked_host_gets_nothing_more_and_an_ended_answer_is_not_repeated() {
    let mut world = World::new();
    let key = world.add_key(Channel::KmsHost, 0, "cad", "default");
    let (asked, old) = world.ask(&[key], &nth(0));
    let first = world.certify(&asked, START).unwrap();
    world.refused(&asked, START + YEAR + YEAR, reasons::PREVIOUS_ENDED);
    world.certs.get_mut(&first).unwrap().revoked = Some(START);
    world.keys.get_mut(&key).unwrap().slots.clear();
    world.refused(&asked, START, reasons::HOST_REVOKED);
    let half = START + Span::from_days(200);
    let (renewal, _) = world.renewal(&[], &nth(0), &old, first);
    world.refused(&renewal, half, reasons::HOST_REVOKED);
    let (anew, _) = world.ask(&[key], &nth(0));
    let second = world.certify(&anew, half).unwrap();
    assert_ne!(world.certs[&second].host, world.certs[&first].host);
}

#[test]
fn an_issuing_key_certifies_within_its_own_terms() {
    let mut world = World::new();
    let key = world.add_key(Channel::KmsHost, 0, "cad", "default");
    let (asked, _) = world.ask(&[key], &nth(0));
    let wide = world.issuing.cert.clone();
    world.issuing.cert.products = crate::statement::scope::Scope::only(["cam".parse().unwrap()]);
    world.refused(&asked, START, reasons::OUTSIDE_ISSUING);
    world.issuing.cert = wide.clone();
    world.issuing.cert.flags = crate::statement::cert::Flags::NONE;
    world.refused(&asked, START, reasons::OUTSIDE_ISSUING);
    world.issuing.cert = wide;
    world.issuing.cert.client_budget = 7;
    let Decision::Grant(grant) = world.decide(&asked, START).unwrap() else {
        panic!("a first activation is granted");
    };
    assert_eq!(grant.cert.client_budget, 7);
}

#[test]
fn the_root_signs_requests_of_issuing_keys_only() {
    let terms = root::IssuingTerms::default();
    let host = request_of(&seeded(2), Role::KmsHost);
    let refusal = root::issuing_cert(&host, &terms, START).unwrap_err();
    assert_eq!(refusal.reason, reasons::ROOT_REQUEST);
    let issuing = request_of(&seeded(2), Role::Issuing);
    let short = root::IssuingTerms {
        life: Span::ZERO,
        ..terms
    };
    let refusal = root::issuing_cert(&issuing, &short, START).unwrap_err();
    assert_eq!(refusal.reason, reasons::TERMS_WRONG);
}

#[test]
fn a_sealed_key_belongs_to_one_request() {
    let ring = KeyRing::derive(&KeySecret::new(Zeroizing::new([3; 32])));
    let group = ProductGroup::new(1).unwrap();
    let key = ring.issue(&[1; 16], Channel::KmsHost, group, 5);
    let message = sealed_key::message(&key, &seeded(4).public());
    assert_eq!(
        sealed_key::read(&*message, &seeded(4).public()).unwrap(),
        key
    );
    for (message, who) in [(&message[..], 5), (&message[..47], 4), (&[], 4)] {
        let refusal = sealed_key::read(message, &seeded(who).public()).unwrap_err();
        assert_eq!(refusal.reason, reasons::KEY_UNREADABLE);
    }
}
