//! Files and messages that travel: what carries statements, what the client keeps, and what
//! `muster inspect` is shown.

use muster::read::inspection;
use muster_proto::Refusal;
use muster_proto::authority::answer::{Activation, IssuingAnswer, Publisher, RevocationList};
use muster_proto::client::evidence::{Compiled, Reader};
use muster_proto::client::identity::Identity;
use muster_proto::client::judge::{ReadHardware, judge_product};
use muster_proto::client::state::State;
use muster_proto::client::trusted_time::Moment;
use muster_proto::crypto::sha256;
use muster_proto::hardware::ComponentTags;
use muster_proto::limits::{
    ACTIVATION_BYTES_MAX, BUNDLE_BYTES_MAX, HELLO_BYTES_MAX, IDENTITY_BYTES_MAX, ROOT_BYTES_MAX,
    SEALED_ASK_BYTES_MAX, STATE_BYTES_MAX,
};
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::root::Root;
use muster_proto::time::Span;
use muster_proto::wire::{Bundle, Hello, SealedHead};

use crate::estate::{Certified, Golden, NOW};
use crate::input::Input;

/// Everything that is read exactly: what nobody signed is written as it was read, byte for byte.
pub(super) fn carriers(bytes: &[u8]) {
    exact(bytes, ROOT_BYTES_MAX, Root::decode, Root::encode);
    exact(bytes, HELLO_BYTES_MAX, Hello::decode, Hello::encode);
    exact(bytes, usize::MAX, Publisher::decode, Publisher::encode);
    exact(
        bytes,
        usize::MAX,
        RevocationList::decode,
        RevocationList::encode,
    );
    if let Some(bundle) = exact(bytes, BUNDLE_BYTES_MAX, Bundle::decode, Bundle::encode) {
        let _ = bundle.verify();
    }
    if let Some(answer) = exact(
        bytes,
        usize::MAX,
        IssuingAnswer::decode,
        IssuingAnswer::encode,
    ) {
        let _ = answer.verify();
    }
    let activation = exact(
        bytes,
        ACTIVATION_BYTES_MAX,
        Activation::decode,
        Activation::encode,
    );
    if let Some(activation) = activation {
        let golden = Golden::get();
        let key = golden.host().key.public();
        let verified = activation.verify(&golden.root, &RevocationSet::default(), &key, NOW);
        assert!(verified.is_ok() || activation.bundles(&golden.root).len() <= bytes.len());
    }
    if let Ok((head, seal)) = SealedHead::split(bytes) {
        assert!(bytes.len() <= SEALED_ASK_BYTES_MAX);
        assert_eq!(head.join(seal), bytes);
    }
}

fn exact<T>(
    bytes: &[u8],
    bytes_max: usize,
    decode: impl FnOnce(&[u8]) -> Result<T, Refusal>,
    encode: impl FnOnce(&T) -> Vec<u8>,
) -> Option<T> {
    let read = decode(bytes).ok()?;
    assert!(bytes.len() <= bytes_max, "a file over its limit was read");
    assert_eq!(encode(&read), bytes, "a file is not written as it was read");
    Some(read)
}

pub(super) fn carrier_seeds() -> Vec<Vec<u8>> {
    let golden = Golden::get();
    let mut seeds: Vec<Vec<u8>> = golden.vectors.iter().map(|it| it.bytes.clone()).collect();
    let certified = Certified::get();
    let now = NOW;
    let (publisher, list) = super::wait(async {
        let publisher = certified.authority.publisher(now).await;
        let list = certified.authority.revocations(0, now).await;
        (
            publisher.expect("the authority's own"),
            list.expect("the authority's own"),
        )
    });
    seeds.extend([certified.bundle.encode(), publisher.encode(), list.encode()]);
    seeds.push(
        Bundle::decode(golden.bytes("bundle"))
            .expect("golden")
            .root
            .encode(),
    );
    seeds.retain(|seed| seed.len() <= 8_192);
    seeds
}

/// `muster inspect`, with and without the golden root.
pub(super) fn inspect(bytes: &[u8]) {
    let plain = inspection(bytes, None);
    let judged = inspection(bytes, Some(&Golden::get().root));
    assert_eq!(
        plain.is_ok(),
        judged.is_ok(),
        "to judge a file is to read it"
    );
    if let Ok((json, text)) = judged {
        assert!(json["valid"].is_boolean() && !text.is_empty());
        let steers = |symbol: char| symbol.is_control() && symbol != '\n';
        assert!(
            !text.contains(steers),
            "what is shown steers the terminal: {text:?}"
        );
    }
}

/// Ways in, by the input's first byte; both files, as they are or with a frame that fits.
const FRAMED: u8 = 2;

/// The client's two files.
pub(super) fn client(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    let how = input.byte();
    let magic = if how & 1 == 0 {
        b"MUSTERst"
    } else {
        b"MUSTERid"
    };
    let file = match how & FRAMED {
        0 => input.rest().to_vec(),
        _ => framed(magic, input.rest()),
    };
    if let Ok(state) = State::decode(&file) {
        assert!(file.len() <= STATE_BYTES_MAX);
        assert_eq!(State::decode(&state.encode()).as_ref(), Ok(&state));
        judge(&state);
    }
    if let Ok(identity) = Identity::decode(&file) {
        assert!(file.len() <= IDENTITY_BYTES_MAX);
        let again = Identity::decode(&identity.encode());
        assert!(
            again.is_ok_and(|again| again == identity),
            "an identity is not kept as it is"
        );
    }
}

/// Magic, version, length, contents, checksum.
fn framed(magic: &[u8; 8], contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len())
        .expect("an input is short")
        .to_be_bytes();
    let mut file = [&magic[..], &[1], &length, contents].concat();
    file.extend(sha256(&file));
    file
}

/// Judges every product of every publisher, each under the root that the file itself names: even so
/// nothing but a signed lease licenses, and those that the seeds hold are golden.
fn judge(state: &State) {
    for holding in state.publishers.values() {
        let root = &holding.root;
        let Ok(mut reader) = Reader::open(state, root) else {
            continue;
        };
        let mut hardware = ReadHardware {
            tags: ComponentTags::default(),
            declared: false,
        };
        let clocks = Moment {
            wall: NOW,
            running: Span::from_days(400),
        };
        for (product, installed) in &holding.products {
            let compiled = Compiled::default();
            let judged = judge_product(&mut reader, product, compiled, &mut hardware, clocks);
            assert!(
                !judged.is_licensed() || installed.lease.is_some(),
                "a licence from nothing"
            );
        }
    }
}

pub(super) fn client_seeds() -> Vec<Vec<u8>> {
    let states: [&[u8]; 2] = [
        include_bytes!("../../../vectors/client/v1.state"),
        include_bytes!("../../../vectors/client/v1-removed.state"),
    ];
    let mut files: Vec<(u8, Vec<u8>)> = states.iter().map(|file| (0, file.to_vec())).collect();
    let mut identity = Identity::default();
    let root = Golden::get().root.clone();
    let own = muster_proto::client::identity::Own::new(root, &[77; 32]);
    identity.publishers.insert(own.root.publisher(), own);
    files.push((1, identity.encode().to_vec()));
    files.push((1, Identity::default().encode().to_vec()));
    files.push((0, State::default().encode()));
    let mut seeds = Vec::new();
    for (kind, file) in files {
        seeds.push([&[kind][..], &file].concat());
        let contents = &file[13..file.len() - 32];
        seeds.push([&[kind | FRAMED][..], contents].concat());
    }
    seeds.retain(|seed| seed.len() <= 16_384);
    seeds
}
