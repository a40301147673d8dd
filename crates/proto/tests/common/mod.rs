//! Reads the statement vectors and judges their bytes as a verifier would, for the tests that check
//! them, alter them, and switch rules off. The form of the files is `vectors/statements/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use muster_proto::Refusal;
use muster_proto::ids::{Nonce, PublisherId, Thumbprint};
use muster_proto::statement::answer::Answer;
use muster_proto::statement::ask::Ask;
use muster_proto::statement::cert::Cert;
use muster_proto::statement::chain::UnderRoot;
use muster_proto::statement::envelope::Envelope;
use muster_proto::statement::lease::Lease;
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::request::Request;
use muster_proto::statement::revocations::{RevocationSet, Revocations, Revoked};
use muster_proto::statement::root::Root;
use muster_proto::statement::{Anchor, Permit, Typ};
use muster_proto::time::Timestamp;
use muster_proto::wire::{Bundle, Hello, SealedHead};
use serde_json::Value as Json;

/// The folder of the statement vectors.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/statements")
}

/// The roots by name, as `estate.json` holds them.
pub(crate) struct Roots(BTreeMap<String, Root>);

impl Roots {
    /// Reads `estate.json`'s document.
    pub(crate) fn of(estate: &Json) -> Self {
        let roots = estate["roots"].as_object().expect("estate.roots");
        let root = |(name, root): (&String, &Json)| {
            let root = Root::decode(&hex(&root["file"])).expect("a root file");
            (name.clone(), root)
        };
        Self(roots.iter().map(root).collect())
    }

    fn get(&self, vector: &Json) -> &Root {
        &self.0[vector["root"].as_str().expect("a vector's root")]
    }
}

/// One JSON document of the folder.
pub(crate) fn read(name: &str) -> Json {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("a vector file is JSON")
}

/// The vectors of a document.
pub(crate) fn vectors(document: &Json) -> &[Json] {
    document["vectors"].as_array().expect("a list of vectors")
}

/// A vector's name.
pub(crate) fn name_of(vector: &Json) -> &str {
    vector["name"].as_str().expect("a vector's name")
}

/// Bytes of a hexadecimal text.
pub(crate) fn hex(json: &Json) -> Vec<u8> {
    let text = json.as_str().unwrap_or_else(|| panic!("{json} is no hex"));
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Judges `bytes` in place of the vector's own, under the vector's circumstances. What is accepted
/// is told as words that differ whenever its meaning does.
pub(crate) fn judge(roots: &Roots, vector: &Json, bytes: &[u8]) -> Result<String, Refusal> {
    match vector["check"].as_str().expect("a vector's check") {
        "statement" => judge_statement(roots, vector, bytes),
        "signer" => {
            let envelope = Envelope::decode(bytes, typ_of(vector))?;
            let anchored = Anchored::of(roots, vector);
            let signer = anchored.anchor().signer(&envelope, &envelope.chain)?;
            anchored.anchor().check_revoked(&signer)?;
            Ok(format!("{:?} {}", signer_words(&signer), envelope.name()))
        }
        "ask" => {
            let (publisher, audience) =
                (publisher_of(vector), Thumbprint(array(vector, "audience")));
            let (ask, name) = Ask::open(bytes, publisher, audience)?;
            Ok(format!("{ask:?} {name}"))
        }
        "request" => {
            let (request, name) = Request::open(bytes, publisher_of(vector))?;
            Ok(format!("{request:?} {name}"))
        }
        "hello" => {
            let anchored = Anchored::of(roots, vector);
            let hello = Hello::decode(bytes)?;
            let floor = Timestamp::from_seconds(vector["floor"].as_u64().expect("a floor"));
            let host = hello.verify(&anchored.anchor(), floor)?;
            let key = Thumbprint(host.opening_key);
            Ok(format!("{:?} opening {key}", signer_words(&host.permit)))
        }
        "bundle" => judge_bundle(roots, vector, bytes),
        "root" => Root::decode(bytes).map(|root| format!("{root:?}")),
        "sealed-head" => {
            let (head, seal) = SealedHead::split(bytes)?;
            Ok(format!("{head:?} {seal:02x?}"))
        }
        other => panic!("unknown check {other}"),
    }
}

/// The root and the revocations a vector is judged against.
struct Anchored<'a> {
    root: &'a Root,
    revoked: RevocationSet,
}

impl<'a> Anchored<'a> {
    fn of(roots: &'a Roots, vector: &Json) -> Self {
        let root = roots.get(vector);
        let mut revoked = RevocationSet::default();
        let keys = vector["revoked"].as_array().into_iter().flatten();
        let entries: Vec<Revoked> = keys
            .map(|key| Revoked {
                key: Thumbprint(hex(key).try_into().expect("a thumbprint")),
                ends: Timestamp::MAX,
            })
            .collect();
        if !entries.is_empty() {
            let delta = Revocations {
                from: 0,
                number: 1,
                entries,
                issued: Timestamp::default(),
            };
            revoked.apply(&delta).expect("the first delta follows");
        }
        for held in vector["held"].as_array().into_iter().flatten() {
            let anchor = Anchor {
                root,
                revoked: &revoked,
            };
            let delta = anchor
                .verify::<Revocations>(&hex(held))
                .expect("a held delta");
            revoked.apply(&delta.claims).expect("held deltas follow");
        }
        Self { root, revoked }
    }

    fn anchor(&self) -> Anchor<'_> {
        Anchor {
            root: self.root,
            revoked: &self.revoked,
        }
    }
}

fn judge_statement(roots: &Roots, vector: &Json, bytes: &[u8]) -> Result<String, Refusal> {
    let anchored = Anchored::of(roots, vector);
    match typ_of(vector) {
        Typ::Cert => verify::<Cert>(&anchored, vector, bytes).map(|(words, _)| words),
        Typ::Policy => verify::<Policy>(&anchored, vector, bytes).map(|(words, _)| words),
        Typ::Lease => verify::<Lease>(&anchored, vector, bytes).map(|(words, _)| words),
        Typ::Opening => verify::<Opening>(&anchored, vector, bytes).map(|(words, _)| words),
        Typ::Answer => {
            let (words, answer) = verify::<Answer>(&anchored, vector, bytes)?;
            if !vector["pending_nonce"].is_null() {
                let nonce = Nonce(array(vector, "pending_nonce"));
                answer.check_for(nonce, Thumbprint(array(vector, "pending_ask")))?;
            }
            Ok(words)
        }
        Typ::Revocations => {
            let (words, delta) = verify::<Revocations>(&anchored, vector, bytes)?;
            let mut set = anchored.revoked.clone();
            set.apply(&delta)?;
            Ok(format!("{words} then {set:?}"))
        }
        typ => panic!("{typ} has no claims that stand under a root"),
    }
}

fn verify<C: UnderRoot + std::fmt::Debug>(
    anchored: &Anchored<'_>,
    vector: &Json,
    bytes: &[u8],
) -> Result<(String, C), Refusal> {
    let anchor = anchored.anchor();
    let verified = match vector["chain"].as_array() {
        None => anchor.verify::<C>(bytes)?,
        Some(chain) => {
            let chain: Vec<_> = chain.iter().map(hex).collect();
            anchor.verify_with::<C>(bytes, &chain)?
        }
    };
    let signer = signer_words(&verified.signer);
    let words = format!("{:?} {signer:?} {}", verified.claims, verified.name);
    Ok((words, verified.claims))
}

fn judge_bundle(roots: &Roots, vector: &Json, bytes: &[u8]) -> Result<String, Refusal> {
    let bundle = Bundle::decode(bytes)?;
    let verified = bundle.verify()?;
    let pinned = roots.get(vector);
    if bundle.root != *pinned {
        let reason = muster_proto::reason::statement::ROOT_UNKNOWN;
        return Err(Refusal::new(reason, "another root than the pinned one"));
    }
    let (policy, issuing) = (&verified.policy, signer_words(&verified.issuing));
    Ok(format!(
        "{:?} {:?} {issuing:?} {:?}",
        policy.claims, policy.name, verified.revoked
    ))
}

fn signer_words(signer: &Permit) -> impl std::fmt::Debug {
    (signer.role, signer.thumbprint, signer.keys.clone())
}

fn typ_of(vector: &Json) -> Typ {
    let name = vector["typ"].as_str().expect("a vector's typ");
    let mut all = Typ::ALL.into_iter();
    all.find(|typ| typ.name() == name).expect("a known type")
}

fn publisher_of(vector: &Json) -> PublisherId {
    PublisherId(array(vector, "publisher"))
}

fn array<const N: usize>(vector: &Json, field: &str) -> [u8; N] {
    hex(&vector[field]).try_into().expect("so many bytes")
}
