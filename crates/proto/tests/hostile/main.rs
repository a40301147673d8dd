//! Every flipped bit, every cut and every lengthening of every golden vector: refused, each for the
//! reason that belongs to its place, or, where the bytes are not authentic by themselves, never
//! taken for what they were.

#[path = "../common/mod.rs"]
mod common;
mod places;

use common::Roots;
use muster_proto::Reason;
use muster_proto::reason::statement as reasons;
use muster_proto::statement::answer::Answer;
use muster_proto::statement::ask::Ask;
use muster_proto::statement::cert::Cert;
use muster_proto::statement::lease::Lease;
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::request::Request;
use muster_proto::statement::revocations::Revocations;
use muster_proto::statement::{Envelope, Typ};
use places::Part;
use serde_json::Value as Json;

struct Golden {
    roots: Roots,
    good: Json,
}

impl Golden {
    fn read() -> Self {
        Self {
            roots: Roots::of(&common::read("estate.json")),
            good: common::read("good.json"),
        }
    }

    /// The vectors whose bytes are authentic under the pinned root or under the key they name.
    fn authentic(&self) -> impl Iterator<Item = &Json> {
        let vectors = common::vectors(&self.good).iter();
        vectors.filter(|vector| !matches!(vector["check"].as_str(), Some("root" | "sealed-head")))
    }

    fn refusal(&self, vector: &Json, bytes: &[u8], altered: &str) -> Reason {
        match common::judge(&self.roots, vector, bytes) {
            Ok(_) => panic!("{}, {altered}: accepted", common::name_of(vector)),
            Err(refusal) => refusal.reason,
        }
    }
}

/// What bytes get that are no CBOR of the profile.
const FORM: [Reason; 3] = [
    reasons::NOT_CBOR,
    reasons::NOT_DETERMINISTIC,
    reasons::OUTSIDE_PROFILE,
];
/// What fields get that are missing, unknown, or of a wrong value.
const FIELDS: [Reason; 4] = [
    reasons::FIELD_MISSING,
    reasons::FIELD_WRONG,
    reasons::UNKNOWN_CRITICAL,
    reasons::BAD_KEY,
];

/// Whether the reason is one that an altered bit of this part has. Where a signature stands above
/// the part there is one reason only; what is read before the signature, by need, may be refused
/// for what it has become.
fn belongs(part: Part, is_self_signed: bool, reason: Reason) -> bool {
    let own: &[Reason] = match part {
        Part::Signature => return reason == reasons::BAD_SIGNATURE,
        Part::Claims if !is_self_signed => return reason == reasons::BAD_SIGNATURE,
        Part::Publisher => return reason == reasons::WRONG_PUBLISHER,
        Part::Parent => return [reasons::WRONG_PARENT, reasons::ROOT_UNKNOWN].contains(&reason),
        Part::Claims => &[reasons::WRONG_PARENT, reasons::BAD_SIGNATURE],
        Part::Header => &[reasons::WRONG_TYPE, reasons::WRONG_ALGORITHM],
        Part::Frame => &[reasons::NOT_COSE],
        // Of the root file in a bundle: other keys are another root, and another publisher's.
        Part::Plain => &[
            reasons::WRONG_TYPE,
            reasons::WRONG_PUBLISHER,
            reasons::ROOT_UNKNOWN,
        ],
    };
    [own, &FORM, &FIELDS].concat().contains(&reason)
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// Splits the work over the machine's processors, or all would wait for one.
fn for_each_bit(bits: usize, test: impl Fn(usize) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let test = &test;
            scope.spawn(move || (thread..bits).step_by(threads).for_each(test));
        }
    });
}

#[test]
fn every_flipped_bit_is_refused_for_the_reason_of_its_place() {
    let golden = Golden::read();
    for vector in golden.authentic() {
        let bytes = common::hex(&vector["bytes"]);
        common::judge(&golden.roots, vector, &bytes).expect("a good vector");
        let is_self_signed = matches!(vector["check"].as_str(), Some("ask" | "request"));
        let parts = places::parts(&bytes);
        for_each_bit(8 * bytes.len(), |bit| {
            let (altered, part) = (flipped(&bytes, bit), parts[bit / 8]);
            let reason = golden.refusal(vector, &altered, &format!("bit {bit}"));
            assert!(
                belongs(part, is_self_signed, reason),
                "{}: bit {bit}, in {part:?}: {}",
                common::name_of(vector),
                reason.code()
            );
        });
    }
}

#[test]
fn every_cut_and_every_lengthening_is_no_statement() {
    let golden = Golden::read();
    for vector in golden.authentic() {
        let bytes = common::hex(&vector["bytes"]);
        let is_refused = |altered: &[u8], how: &str| {
            let reason = golden.refusal(vector, altered, how);
            assert_eq!(
                reason,
                reasons::NOT_CBOR,
                "{}, {how}",
                common::name_of(vector)
            );
        };
        for length in 0..bytes.len() {
            is_refused(&bytes[..length], &format!("cut to {length}"));
        }
        for more in [0x00, 0xff, 0xd2] {
            is_refused(&[&bytes[..], &[more]].concat(), &format!("{more:02x} more"));
        }
    }
}

#[test]
fn a_root_file_with_a_flipped_bit_is_another_root() {
    let golden = Golden::read();
    let roots = common::vectors(&golden.good).iter();
    for vector in roots.filter(|vector| vector["check"] == "root") {
        let bytes = common::hex(&vector["bytes"]);
        let meaning = common::judge(&golden.roots, vector, &bytes).expect("a good root");
        for bit in 0..8 * bytes.len() {
            let altered = common::judge(&golden.roots, vector, &flipped(&bytes, bit));
            assert!(altered.is_err() || altered.is_ok_and(|words| words != meaning));
        }
    }
}

/// The readers of claims see only what a signature let through; a fault in one must not depend on
/// that. So they read every altered payload here, whatever its signature says.
#[test]
fn no_altered_claims_make_a_reader_panic() {
    let golden = Golden::read();
    for vector in golden.authentic() {
        let bytes = common::hex(&vector["bytes"]);
        for_each_bit(8 * bytes.len(), |bit| {
            if let Ok(envelope) = Envelope::decode_any(&flipped(&bytes, bit)) {
                read_claims(&envelope);
            }
        });
    }
}

/// Reads the claims whatever they are; returns whether they could be read.
fn read_claims(envelope: &Envelope) -> bool {
    match envelope.typ {
        Typ::Cert => envelope.claims::<Cert>().is_ok(),
        Typ::Policy => envelope.claims::<Policy>().is_ok(),
        Typ::Ask => envelope.claims::<Ask>().is_ok(),
        Typ::Answer => envelope.claims::<Answer>().is_ok(),
        Typ::Lease => envelope.claims::<Lease>().is_ok(),
        Typ::Revocations => envelope.claims::<Revocations>().is_ok(),
        Typ::Opening => envelope.claims::<Opening>().is_ok(),
        Typ::Request => envelope.claims::<Request>().is_ok(),
        Typ::Object | Typ::Confirmation => false,
    }
}

/// Bytes as deep, as long and as wide as the limits allow, and heads that claim 2^64 - 1 items: a
/// reader that believed them would exhaust stack or memory here.
#[test]
fn hostile_shapes_are_refused() {
    let limit = Typ::BYTES_MAX;
    let arrays = vec![0x81; limit];
    let tags = vec![0xd2; limit];
    let maps = [0xa1, 0x00].repeat(limit / 2);
    let wide = [&[0x99, 0x0f, 0xf0][..], &vec![0x00; 0x0ff0]].concat();
    let many_keys: Vec<u8> = (0..1_000u16)
        .flat_map(|key| [&[0x19][..], &(key + 256).to_be_bytes(), &[0x00]].concat())
        .collect();
    let many_keys = [&[0xb9, 0x03, 0xe8][..], &many_keys].concat();
    let claimed = [&[0x9b][..], &[0xff; 8]].concat();
    let claimed_bytes = [&[0x5b][..], &[0xff; 8]].concat();
    for bytes in [arrays, tags, maps, wide, many_keys, claimed, claimed_bytes] {
        assert!(Envelope::decode_any(&bytes).is_err());
    }
}
