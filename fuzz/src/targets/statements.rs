//! Statements of every type: as they come, and signed by any key of the golden estate over any words.

use muster_proto::Refusal;
use muster_proto::ids::Thumbprint;
use muster_proto::statement::answer::Answer;
use muster_proto::statement::ask::Ask;
use muster_proto::statement::cert::Cert;
use muster_proto::statement::chain::UnderRoot;
use muster_proto::statement::lease::Lease;
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::request::Request;
use muster_proto::statement::revocations::{RevocationSet, Revocations};
use muster_proto::statement::{Anchor, Claims, Draft, Envelope, Typ, Verified};
use muster_proto::time::Timestamp;

use crate::estate::{Golden, NOW};
use crate::input::{Input, part, parts};

/// Ways in, by the input's first byte.
const RAW: u8 = 0;
const SIGNED: u8 = 1;

pub(super) fn run(bytes: &[u8]) {
    let golden = Golden::get();
    let mut input = Input::of(bytes);
    if input.byte() % 2 == RAW {
        judge(input.rest(), true);
        return;
    }
    let signer = &golden.signers[usize::from(input.byte()) % golden.signers.len()];
    let typ = Typ::ALL[usize::from(input.byte()) % Typ::ALL.len()];
    let payload = input.rest();
    for carry in [true, false] {
        judge(&signer.sign(typ, golden.publisher(), payload, carry), false);
    }
}

/// Verifies a statement in all ways; one whose signature may not be right is accepted only where it
/// says what the owner of the key once signed.
fn judge(bytes: &[u8], may_be_forged: bool) {
    let golden = Golden::get();
    let Ok(envelope) = Envelope::decode_any(bytes) else {
        return;
    };
    assert!(
        bytes.len() <= envelope.typ.bytes_max(),
        "a statement over its limit was read"
    );
    let is_accepted = match envelope.typ {
        Typ::Cert => under::<Cert>(&envelope, bytes),
        Typ::Policy => under::<Policy>(&envelope, bytes),
        Typ::Answer => under::<Answer>(&envelope, bytes),
        Typ::Lease => under::<Lease>(&envelope, bytes),
        Typ::Revocations => under::<Revocations>(&envelope, bytes),
        Typ::Opening => under::<Opening>(&envelope, bytes),
        Typ::Ask => {
            let audience = read::<Ask>(&envelope).map(|ask| ask.audience);
            let audience = audience.unwrap_or(Thumbprint([0; 32]));
            Ask::open(bytes, golden.publisher(), audience).is_ok()
        }
        Typ::Request => {
            read::<Request>(&envelope);
            Request::open(bytes, golden.publisher()).is_ok()
        }
        Typ::Object | Typ::Confirmation => {
            let signer = anchored(|anchor| anchor.signer(&envelope, &envelope.chain));
            signer.is_ok_and(|signer| signer.role.may_sign(envelope.typ))
        }
    };
    if may_be_forged && is_accepted {
        assert!(
            golden.names.contains(&envelope.name()),
            "a forged statement was accepted"
        );
    }
}

fn anchored<T>(judge: impl FnOnce(&Anchor<'_>) -> T) -> T {
    judge(&Anchor {
        root: &Golden::get().root,
        revoked: &RevocationSet::default(),
    })
}

/// Whether it is accepted with the chain it carries, or with the host's.
fn under<C: UnderRoot + PartialEq + std::fmt::Debug>(envelope: &Envelope, bytes: &[u8]) -> bool {
    read::<C>(envelope);
    let host = Golden::get().host();
    let accepted = |verified: Result<Verified<C>, Refusal>| {
        verified.is_ok_and(|verified| {
            assert!(
                verified.signer.role.may_sign(C::TYP),
                "the signer may not sign this type"
            );
            assert_eq!(verified.name, envelope.name());
            true
        })
    };
    anchored(|anchor| {
        accepted(anchor.verify(bytes)) | accepted(anchor.verify_with(bytes, &host.chain))
    })
}

/// Reads the claims whatever they are; what was read is written and read again as the same.
fn read<C: Claims + PartialEq + std::fmt::Debug>(envelope: &Envelope) -> Option<C> {
    let claims: C = envelope.claims().ok()?;
    let host = Golden::get().host();
    let draft = Draft::new(
        &claims,
        envelope.publisher,
        envelope.parent,
        &host.key.public(),
    );
    // What stands in place of an unknown claim is never longer than it was.
    let again = Envelope::decode_any(&draft.finish([0; 64], &[]));
    let again: C = again
        .and_then(|it| it.claims())
        .expect("claims are read as they are written");
    assert_eq!(claims, again);
    Some(claims)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let golden = Golden::get();
    let mut seeds = Vec::new();
    for vector in &golden.vectors {
        seeds.push([&[RAW][..], &vector.bytes].concat());
        if let Ok(envelope) = Envelope::decode_any(&vector.bytes) {
            let typ = Typ::ALL
                .iter()
                .position(|typ| *typ == envelope.typ)
                .unwrap_or(0) as u8;
            let signers = &golden.signers;
            let signer = signers.iter().position(|it| it.parent == envelope.parent);
            let head = [SIGNED, signer.unwrap_or(4) as u8, typ];
            seeds.push([&head[..], envelope.payload()].concat());
        }
    }
    seeds
}

/// Sequences of revocation deltas, each signed by root or issuing key over any words.
pub(super) fn deltas(bytes: &[u8]) {
    let golden = Golden::get();
    let mut input = Input::of(bytes);
    let mut set = RevocationSet::default();
    while !input.is_empty() {
        let signer = &golden.signers[usize::from(input.byte() % 2)];
        let payload = input.part();
        let bytes = signer.sign(Typ::Revocations, golden.publisher(), payload, true);
        let anchor = Anchor {
            root: &golden.root,
            revoked: &set,
        };
        let Ok(delta) = anchor.verify::<Revocations>(&bytes) else {
            continue;
        };
        let delta = delta.claims;
        let mut next = set.clone();
        match next.apply(&delta) {
            Err(_) => assert_eq!(next, set, "a refused delta changed the set"),
            Ok(()) => {
                assert!(next.number() >= set.number(), "the number fell");
                assert!(delta.entries.iter().all(|entry| next.holds(&entry.key)));
                set = next;
            }
        }
        let mut later = set.clone();
        later.forget_ended(NOW);
        later.forget_ended(Timestamp::MAX);
    }
}

pub(super) fn delta_seeds() -> Vec<Vec<u8>> {
    let deltas = ["revocations-first", "revocations-that-follow-by-the-root"];
    let payload = |name: &str| {
        let envelope = Envelope::decode_any(Golden::get().bytes(name)).expect("a golden delta");
        envelope.payload().to_vec()
    };
    let one = |name: &str, signer: u8| [&[signer][..], &part(&payload(name))].concat();
    vec![
        one(deltas[0], 1),
        one(deltas[1], 0),
        [one(deltas[0], 1), one(deltas[1], 0)].concat(),
        [one(deltas[0], 0), one(deltas[0], 0)].concat(),
        parts([payload(deltas[1])]),
    ]
}
