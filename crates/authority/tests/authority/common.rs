//! What the tests of the authority share: a directory with an authority, and hosts that ask it.
use std::path::Path;

use muster_authority::{Authority, Ceremony, KeyOrder};
use muster_net::seal::{self, OpeningKey};
use muster_proto::Refusal;
use muster_proto::authority::answer::{Activation, Publisher, VerifiedActivation};
use muster_proto::authority::sealed_key;
use muster_proto::crypto::SecretKey;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::{ProductId, Thumbprint};
use muster_proto::key::{Channel, ProductKey};
use muster_proto::statement::ask::succession;
use muster_proto::statement::policy::{Policy, ProductKind};
use muster_proto::statement::request::{Previous, Request};
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::{Draft, Role};
use muster_proto::time::{Span, Timestamp};
use muster_proto::wire::product_key_info;

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(crate) fn days(days: u64) -> Timestamp {
    NOW + Span::from_days(days)
}

pub(crate) fn product(id: &str) -> ProductId {
    id.parse().unwrap()
}

pub(crate) fn policy(id: &str) -> Policy {
    Policy::new(product(id), "A product", ProductKind::Client, NOW)
}

/// A small publisher's authority with the product `cad`.
pub(crate) async fn authority(directory: &Path) -> Authority {
    let made = Authority::init(directory, "Contoso", None, Ceremony::Here, NOW).await;
    let (authority, _) = made.unwrap();
    authority.add_product(policy("cad"), NOW).await.unwrap();
    authority
}

pub(crate) async fn key_of(authority: &Authority, id: &str, channel: Channel) -> ProductKey {
    let order = KeyOrder::new(product(id), channel);
    let mut keys = authority.issue_keys(&order, NOW).await.unwrap();
    keys.pop().unwrap().key
}

pub(crate) async fn host_key(authority: &Authority) -> ProductKey {
    key_of(authority, "cad", Channel::KmsHost).await
}

/// A host's request and the secret it was signed with.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signing: SecretKey,
}

/// Makes the request of a machine, named by any text, as a host does.
pub(crate) fn request(publisher: &Publisher, keys: &[&ProductKey], machine: &str) -> Made {
    make(publisher, keys, machine, None, Role::KmsHost)
}

/// A request that renews or widens what `old` was certified for.
pub(crate) fn renewal(
    publisher: &Publisher,
    keys: &[&ProductKey],
    machine: &str,
    old: (&Made, Thumbprint),
) -> Made {
    make(publisher, keys, machine, Some(old), Role::KmsHost)
}

pub(crate) fn make(
    publisher: &Publisher,
    keys: &[&ProductKey],
    machine: &str,
    old: Option<(&Made, Thumbprint)>,
    role: Role,
) -> Made {
    let signing = SecretKey::from_seed(&muster_machine::random::bytes());
    let id = publisher.root.publisher();
    let sealed = keys.iter().map(|key| {
        let message = sealed_key::message(key, &signing.public());
        seal_to(publisher, &*message)
    });
    let claims = Request {
        role,
        key: signing.public(),
        opening_key: OpeningKey::generate().public(),
        sealed_keys: sealed.collect(),
        components: ComponentTags::of(id, Component::ALL.map(|kind| (kind, machine))),
        previous: old.map(|(made, cert)| previous(publisher, made, cert, &signing)),
        name: machine.to_owned(),
        nonce: *muster_machine::random::bytes(),
        issued: NOW,
    };
    let bytes = sign(publisher, &claims, &signing);
    Made { bytes, signing }
}

pub(crate) fn sign(publisher: &Publisher, claims: &Request, signing: &SecretKey) -> Vec<u8> {
    let public = signing.public();
    let id = publisher.root.publisher();
    let draft = Draft::new(claims, id, public.thumbprint(), &public);
    let signature = signing.sign(&draft.to_be_signed());
    draft.finish(signature, &[])
}

pub(crate) fn seal_to(publisher: &Publisher, message: &[u8]) -> Vec<u8> {
    let (issuing, name) = publisher.verify().unwrap();
    let info = product_key_info(publisher.root.publisher(), name);
    seal::seal(&issuing.opening_key, &info, message).unwrap().0
}

fn previous(publisher: &Publisher, old: &Made, cert: Thumbprint, signing: &SecretKey) -> Previous {
    let proof = succession(
        publisher.root.publisher(),
        &old.signing.public(),
        &signing.public(),
    );
    Previous {
        key: old.signing.public(),
        cert,
        signature: old.signing.sign(&proof),
    }
}

/// Verifies an activation as the host that asked for it does.
pub(crate) fn verify(
    publisher: &Publisher,
    made: &Made,
    activation: &Activation,
    now: Timestamp,
) -> Result<VerifiedActivation, Refusal> {
    let decoded = Activation::decode(&activation.encode())?;
    assert_eq!(&decoded, activation);
    decoded.verify(
        &publisher.root,
        &RevocationSet::default(),
        &made.signing.public(),
        now,
    )
}

/// The name of an activation's host certificate.
pub(crate) fn cert_name(publisher: &Publisher, made: &Made, activation: &Activation) -> Thumbprint {
    let now = NOW.max(activation_issued(activation));
    let verified = verify(publisher, made, activation, now).unwrap();
    verified.permit.thumbprint
}

fn activation_issued(activation: &Activation) -> Timestamp {
    use muster_proto::statement::cert::Cert;
    use muster_proto::statement::{Envelope, Typ};
    let cert = Envelope::decode(&activation.chain[0], Typ::Cert).unwrap();
    cert.claims::<Cert>().unwrap().issued
}
