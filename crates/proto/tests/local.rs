//! The messages of the local socket: their exact bytes, as `docs/src/protocol/local-socket.md`
//! shows them, and what becomes of altered ones.

use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::local::{Answer, LENGTH_BYTES, Request};
use muster_proto::ids::PublisherId;
use muster_proto::limits::{
    LOCAL_ANSWER_BYTES_MAX, LOCAL_DETAIL_BYTES_MAX, LOCAL_REQUEST_BYTES_MAX,
};
use muster_proto::reason::{client as reasons, statement};
use muster_proto::time::Span;

const REQUEST: &str = "002fa300756d75737465722d6c6f63616c2d616374697661746501500101010101010101010101010101010\
    10263636164";
const ANSWER: &str = "003da500746d75737465722d6c6f63616c2d6f7574636f6d65016f4d55535445522d434c492d30303036\
    026f3235206172652072657175697265640300040c";

fn request() -> Request {
    Request {
        publisher: PublisherId([1; 16]),
        product: "cad".parse().expect("an id"),
    }
}

fn answer() -> Answer {
    let reason = Refusal::new(reasons::COUNT_BELOW, "25 are required");
    Answer::outcome(
        LicenceState::Unlicensed,
        &reason,
        Some(Span::from_seconds(12)),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digits(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn messages_have_the_bytes_of_the_specification() {
    assert_eq!(hex(&request().encode()), digits(REQUEST));
    assert_eq!(hex(&answer().encode()), digits(ANSWER));
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/src/protocol/local-socket.md"
    );
    let page = digits(&std::fs::read_to_string(page).expect("the page is read"));
    for bytes in [REQUEST, ANSWER] {
        assert!(page.contains(&digits(bytes)), "the page shows {bytes}");
    }
}

#[test]
fn a_message_is_read_as_it_is_written() {
    let bytes = request().encode();
    let (head, message) = bytes.split_first_chunk().expect("a length");
    assert_eq!(Request::length(*head), Ok(message.len()));
    assert_eq!(Request::decode(message), Ok(request()));
    for state in LicenceState::ALL {
        let reason = Refusal::new(reasons::HOST_NONE, "Möbel 東京");
        let said = Answer::outcome(state, &reason, None);
        let bytes = said.encode();
        assert_eq!(Answer::decode(&bytes[LENGTH_BYTES..]), Ok(said.clone()));
        assert_eq!(said.reason(), reason);
    }
    let refused = Answer::refused(&reasons::SERVICE_BUSY.into());
    let bytes = refused.encode();
    assert_eq!(Answer::decode(&bytes[LENGTH_BYTES..]), Ok(refused));
}

#[test]
fn the_largest_messages_fit_and_one_byte_more_does_not() {
    let largest = Request {
        publisher: PublisherId([0xff; 16]),
        product: "p".repeat(32).parse().expect("the longest id"),
    };
    assert!(largest.encode().len() <= LENGTH_BYTES + LOCAL_REQUEST_BYTES_MAX);
    let detail = "x".repeat(2 * LOCAL_DETAIL_BYTES_MAX);
    let reason = Refusal::new(reasons::HOST_NONE, detail);
    let ago = Some(Span::from_seconds(u64::MAX));
    let largest = Answer::outcome(LicenceState::ExtendedGrace, &reason, ago);
    let bytes = largest.encode();
    assert!(bytes.len() <= LENGTH_BYTES + LOCAL_ANSWER_BYTES_MAX);
    assert_eq!(Answer::decode(&bytes[LENGTH_BYTES..]), Ok(largest));

    let too_large = |refusal: Refusal| assert_eq!(refusal.reason, statement::TOO_LARGE);
    let head = |length: usize| u16::try_from(length).expect("a length").to_be_bytes();
    for (max, length, decode) in [
        (
            LOCAL_REQUEST_BYTES_MAX,
            Request::length as fn([u8; 2]) -> Result<usize, Refusal>,
            (|bytes| Request::decode(bytes).map(drop)) as fn(&[u8]) -> Result<(), Refusal>,
        ),
        (LOCAL_ANSWER_BYTES_MAX, Answer::length, |bytes| {
            Answer::decode(bytes).map(drop)
        }),
    ] {
        assert_eq!(length(head(max)), Ok(max));
        too_large(length(head(max + 1)).expect_err("too large"));
        too_large(length([0xff; 2]).expect_err("too large"));
        too_large(decode(&vec![0; max + 1]).expect_err("too large"));
    }
}

/// No two byte strings mean the same: what is read is what would have been written.
#[test]
fn an_altered_message_is_refused_or_says_exactly_something_else() {
    let (request, answer) = (request().encode(), answer().encode());
    let mut taken = 0;
    for bit in 0..8 * (request.len() - LENGTH_BYTES) {
        let mut altered = request[LENGTH_BYTES..].to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = Request::decode(&altered) {
            assert_eq!(&read.encode()[LENGTH_BYTES..], altered, "bit {bit}");
            taken += 1;
        }
    }
    // Every bit of the publisher, and some of the product's letters.
    assert!((128..160).contains(&taken), "{taken}");
    for bit in 0..8 * (answer.len() - LENGTH_BYTES) {
        let mut altered = answer[LENGTH_BYTES..].to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = Answer::decode(&altered) {
            assert_eq!(&read.encode()[LENGTH_BYTES..], altered, "bit {bit}");
        }
    }
}

#[test]
fn a_cut_or_lengthened_message_is_refused() {
    for (bytes, is_read) in [
        (
            request().encode(),
            (|bytes| Request::decode(bytes).is_ok()) as fn(&[u8]) -> bool,
        ),
        (answer().encode(), |bytes| Answer::decode(bytes).is_ok()),
    ] {
        let message = &bytes[LENGTH_BYTES..];
        assert!(is_read(message));
        for length in 0..message.len() {
            assert!(!is_read(&message[..length]), "cut to {length}");
        }
        for more in 0..=255 {
            assert!(!is_read(&[message, &[more]].concat()), "{more} more");
        }
    }
}

#[test]
fn each_is_told_from_the_other_and_from_what_is_unknown() {
    let (request, answer) = (request().encode(), answer().encode());
    let refusal = Request::decode(&answer[LENGTH_BYTES..]).expect_err("an answer");
    assert_eq!(refusal.reason, statement::WRONG_TYPE);
    let refusal = Answer::decode(&request[LENGTH_BYTES..]).expect_err("a request");
    assert_eq!(refusal.reason, statement::WRONG_TYPE);
    // A member more, and a state that is none.
    let mut more = request[LENGTH_BYTES..].to_vec();
    more[0] += 1;
    more.extend([0x03, 0x00]);
    let refusal = Request::decode(&more).expect_err("a member more");
    assert_eq!(refusal.reason, statement::UNKNOWN_CRITICAL);
    let mut other = answer[LENGTH_BYTES..].to_vec();
    let state = other.len() - 3;
    other[state] = 7;
    let refusal = Answer::decode(&other).expect_err("no state");
    assert_eq!(refusal.reason, statement::FIELD_WRONG);
}
