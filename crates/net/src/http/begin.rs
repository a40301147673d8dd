//! The beginning of a request: bytes are collected until a whole one is there, and only then hyper is
//! given it. So a connection holds what its peer has sent and little more: hyper's own buffer has
//! 8 kB from before the first byte.
//!
//! Nothing is decided here about a request but where it ends, and that only where it is plain:
//! HTTP/1.0 or 1.1, with a length or without a body. Whatever else comes (chunks, `Expect`, an upgrade,
//! too much, no HTTP) is given to hyper as it stands, and so is the refusal of it.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::ready;

use bytes::Bytes;
use muster_proto::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::timeout;

use super::server::ServerLimits;
use super::traffic::Fault;

/// Bytes that one read takes at most: an ask with its head in one.
const READ_BYTES_MAX: usize = 2_048;

/// What began.
pub(super) enum Begun {
    /// One whole request, and whether the connection ends with it.
    Whole { request: Bytes, is_last: bool },
    /// Something else, or what is there of a request whose body came too slowly.
    Other { bytes: Bytes, is_late: bool },
    /// Nothing: the peer closed between two requests.
    Ended,
    /// No request, and the connection is of no more use.
    Faulty(Fault),
}

/// What one connection has sent and nobody has taken yet.
#[derive(Default)]
pub(super) struct Beginning {
    bytes: Vec<u8>,
}

impl Beginning {
    /// Whether nothing of a request has come.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Waits for the first bytes of a request; what is given back ends the wait.
    pub(super) async fn first(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        limits: &ServerLimits,
    ) -> Option<Begun> {
        match timeout(limits.head_timeout, read_some(stream, &mut self.bytes)).await {
            Ok(Ok(0) | Err(_)) => Some(Begun::Ended),
            Ok(Ok(_)) => None,
            Err(_) => Some(Begun::Faulty(Fault::Timeout)),
        }
    }

    /// Collects a request that has begun, within the times that the limits give its head and its body.
    pub(super) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        limits: &ServerLimits,
    ) -> Begun {
        let head = timeout(
            limits.head_timeout,
            self.head(stream, limits.body_bytes_max),
        );
        let (length, is_last) = match head.await {
            Ok(Ok(Head::Plain { length, is_last })) => (length, is_last),
            Ok(Ok(Head::Other)) => return self.other(false),
            Ok(Ok(Head::Ended) | Err(_)) => return Begun::Faulty(Fault::Broken),
            Err(_) => return Begun::Faulty(Fault::Timeout),
        };
        if self.bytes.len() < length {
            match timeout(limits.body_timeout, self.reach(stream, length)).await {
                Ok(Ok(true)) => {}
                Ok(_) => return Begun::Faulty(Fault::Broken),
                Err(_) => return self.other(true),
            }
        }
        let behind = self.bytes.split_off(length);
        let request = std::mem::replace(&mut self.bytes, behind).into();
        Begun::Whole { request, is_last }
    }

    fn other(&mut self, is_late: bool) -> Begun {
        let bytes = std::mem::take(&mut self.bytes).into();
        Begun::Other { bytes, is_late }
    }

    /// Reads until the head is whole, or cannot be one.
    async fn head(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        body_bytes_max: usize,
    ) -> io::Result<Head> {
        // Where a head could end it is looked at, and now and then before, so that what is no HTTP is
        // noticed: as often as the bytes have doubled, or single bytes would cost the most.
        let mut next_look = 1;
        let mut seen = 0;
        loop {
            if self.bytes.len() >= next_look || ends_a_head(&self.bytes, seen) {
                next_look = (2 * self.bytes.len()).min(HTTP_HEAD_BYTES_MAX + 1);
                match look(&self.bytes, body_bytes_max) {
                    Some(head) => return Ok(head),
                    None if self.bytes.len() > HTTP_HEAD_BYTES_MAX => return Ok(Head::Other),
                    None => {}
                }
            }
            seen = self.bytes.len();
            if read_some(stream, &mut self.bytes).await? == 0 {
                return Ok(Head::Ended);
            }
        }
    }

    /// Reads until so many bytes are there; false when the peer closed before.
    async fn reach(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        length: usize,
    ) -> io::Result<bool> {
        while self.bytes.len() < length {
            if read_some(stream, &mut self.bytes).await? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads what is there. The room for it is on the stack, and only while something is read.
async fn read_some(stream: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> io::Result<usize> {
    poll_fn(|context| {
        let mut room = [const { MaybeUninit::uninit() }; READ_BYTES_MAX];
        let mut room = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut room))?;
        into.extend_from_slice(room.filled());
        std::task::Poll::Ready(Ok(room.filled().len()))
    })
    .await
}

/// What is known of a request's head.
enum Head {
    /// It is whole; the request has so many bytes with its body.
    Plain { length: usize, is_last: bool },
    /// Hyper must see it.
    Other,
    /// The peer closed before.
    Ended,
}

/// Whether a head may end in the bytes behind those that were seen.
fn ends_a_head(bytes: &[u8], seen: usize) -> bool {
    let fresh = &bytes[seen.saturating_sub(2)..];
    fresh.windows(2).any(|two| two == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n")
}

/// Looks at a head; nothing when it is not whole.
fn look(bytes: &[u8], body_bytes_max: usize) -> Option<Head> {
    let mut room = [const { MaybeUninit::uninit() }; HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let head_bytes = match request.parse_with_uninit_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Head::Other),
    };
    let mut is_last = request.version != Some(1);
    let mut length = None;
    for header in request.headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            match (length, number(header.value)) {
                (None, Some(bytes)) if bytes <= body_bytes_max => length = Some(bytes),
                _ => return Some(Head::Other),
            }
        } else if is("connection") {
            match header.value {
                value if value.eq_ignore_ascii_case(b"close") => is_last = true,
                value if !is_last && value.eq_ignore_ascii_case(b"keep-alive") => {}
                _ => return Some(Head::Other),
            }
        } else if is("transfer-encoding") || is("expect") || is("upgrade") {
            return Some(Head::Other);
        }
    }
    Some(Head::Plain {
        length: head_bytes + length.unwrap_or(0),
        is_last,
    })
}

/// A length as RFC 9110 section 8.6 writes it: digits alone.
fn number(value: &[u8]) -> Option<usize> {
    let is_plain = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_plain)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncWriteExt, DuplexStream};

    use super::*;

    const PLAIN: &[u8] = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";

    async fn one(beginning: &mut Beginning, stream: &mut DuplexStream) -> Begun {
        let limits = ServerLimits {
            body_bytes_max: 10,
            head_timeout: Duration::from_millis(50),
            body_timeout: Duration::from_millis(50),
            ..ServerLimits::default()
        };
        if beginning.is_empty()
            && let Some(begun) = beginning.first(stream, &limits).await
        {
            return begun;
        }
        beginning.next(stream, &limits).await
    }

    /// What comes of bytes that arrive in parts, while the peer stays.
    async fn begin(parts: &[&[u8]]) -> Vec<String> {
        let (near, mut far) = tokio::io::duplex(64);
        let send = async {
            for part in parts {
                // The reader may have had enough.
                let _ = far.write_all(part).await;
                tokio::task::yield_now().await;
            }
        };
        let mut beginning = Beginning::default();
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let take = async {
            let mut near = near;
            let mut begun = Vec::new();
            loop {
                match one(&mut beginning, &mut near).await {
                    Begun::Whole { request, is_last } => {
                        begun.push(format!("{is_last} {}", text(&request)));
                        continue;
                    }
                    Begun::Other { bytes, is_late } => {
                        begun.push(format!("{is_late} other {}", text(&bytes)));
                    }
                    Begun::Ended => {}
                    Begun::Faulty(fault) => begun.push(format!("{fault:?}")),
                }
                return begun;
            }
        };
        tokio::join!(send, take).1
    }

    #[tokio::test]
    async fn a_request_is_taken_when_it_is_whole_however_it_comes() {
        let whole = String::from_utf8_lossy(PLAIN);
        let expected = [format!("false {whole}"), "Timeout".to_owned()];
        assert_eq!(begin(&[PLAIN]).await, expected);
        let bytes: Vec<&[u8]> = PLAIN.chunks(1).collect();
        assert_eq!(begin(&bytes).await, expected);
        let get = "GET / HTTP/1.1\n\n";
        let both = [PLAIN, get.as_bytes()].concat();
        let expected = [
            format!("false {whole}"),
            format!("false {get}"),
            "Timeout".into(),
        ];
        assert_eq!(begin(&[&both]).await, expected, "one behind the other");
    }

    #[tokio::test]
    async fn the_last_request_says_so() {
        for last in [
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: Close\r\n\r\n",
        ] {
            assert_eq!(begin(&[last.as_bytes()]).await[0], format!("true {last}"));
        }
        let kept = "GET / HTTP/1.1\r\nconnection: keep-alive\r\n\r\n";
        assert_eq!(begin(&[kept.as_bytes()]).await[0], format!("false {kept}"));
    }

    #[tokio::test]
    async fn what_is_not_plain_is_left_to_others() {
        for other in [
            "\x16\x03\x01\x02",
            "GET / HTTP/9.9\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 11\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: +3\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3, 3\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n",
            "GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
            "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        ] {
            assert_eq!(
                begin(&[other.as_bytes()]).await,
                [format!("false other {other}")]
            );
        }
        let long = vec![b'a'; HTTP_HEAD_BYTES_MAX + READ_BYTES_MAX];
        let begun = begin(&[b"GET /", &long]).await;
        assert!(begun[0].starts_with("false other GET /aaa"), "{begun:?}");
    }

    #[tokio::test]
    async fn what_stays_away_ends_the_wait() {
        let begun = begin(&[b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab"]).await;
        assert!(begun[0].starts_with("true other POST"), "{begun:?}");
        assert_eq!(begin(&[b"POST / HTTP"]).await, ["Timeout"]);
        assert_eq!(begin(&[]).await, ["Timeout"]);
    }
}
