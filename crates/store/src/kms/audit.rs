//! The stored form of audit entries: a kind, whom it is about, or what was said.

use muster_proto::host::{AuditEvent, ClientKey};
use muster_proto::ids::{ClientId, PublisherId};

use super::Audited;

/// Kinds of audit entries. *Warning:* stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    FirstSeen = 1,
    Succeeded = 2,
    Ended = 3,
    Changed = 4,
    Restored = 5,
}

/// The kind and the subject of what a decision has audited.
pub(super) fn stored(client: ClientId, event: AuditEvent) -> (Event, Vec<u8>) {
    match event {
        AuditEvent::FirstSeen => (Event::FirstSeen, client.0.to_vec()),
        AuditEvent::Succeeded { predecessor } => {
            (Event::Succeeded, [client.0, predecessor.0].concat())
        }
    }
}

/// What an entry about a client tells; none where it cannot be read, or is of a kind that this
/// release does not know.
pub(super) fn of_client(kind: u8, publisher: PublisherId, subject: &[u8]) -> Option<Audited> {
    let id = |from: usize| {
        let bytes = subject.get(from..from + 16)?;
        bytes.try_into().ok().map(ClientId)
    };
    let is = |event: Event| kind == event as u8;
    let client = ClientKey {
        publisher,
        client: id(0)?,
    };
    if is(Event::FirstSeen) {
        Some(Audited::FirstSeen(client))
    } else if is(Event::Ended) {
        Some(Audited::Ended(client))
    } else if is(Event::Succeeded) {
        let predecessor = id(16)?;
        Some(Audited::Succeeded {
            client,
            predecessor,
        })
    } else {
        None
    }
}
