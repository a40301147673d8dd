//! The local socket: both messages, each with its length.

use muster_proto::client::LicenceState;
use muster_proto::client::local::{Answer, LENGTH_BYTES, Request};
use muster_proto::limits::{LOCAL_ANSWER_BYTES_MAX, LOCAL_REQUEST_BYTES_MAX};
use muster_proto::reason::client as reasons;
use muster_proto::time::Span;

use crate::estate::Golden;

pub(super) fn run(bytes: &[u8]) {
    let Some((head, message)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return;
    };
    if let Ok(length) = Request::length(*head) {
        assert!(length <= LOCAL_REQUEST_BYTES_MAX);
    }
    if let Ok(length) = Answer::length(*head) {
        assert!(length <= LOCAL_ANSWER_BYTES_MAX);
    }
    if let Ok(request) = Request::decode(message) {
        assert_eq!(&request.encode()[LENGTH_BYTES..], message);
    }
    if let Ok(answer) = Answer::decode(message) {
        assert_eq!(&answer.encode()[LENGTH_BYTES..], message);
        let _ = (answer.is_licensed(), answer.reason().to_string());
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let request = Request {
        publisher: Golden::get().publisher(),
        product: "cad".parse().expect("an id"),
    };
    let licensed = reasons::LICENSED.into();
    let asked = Some(Span::from_minutes(5));
    vec![
        request.encode(),
        Answer::outcome(LicenceState::Licensed, &licensed, asked).encode(),
        Answer::outcome(LicenceState::Notification, &licensed, None).encode(),
        Answer::refused(&reasons::SERVICE_BUSY.into()).encode(),
    ]
}
