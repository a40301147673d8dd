//! HTTP as the server reads requests and as the client reads answers, on streams in memory. Time
//! stands still, so slowness is not tried here: `crates/net/src/http/tests` does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use muster_net::http::{
    ClientLimits, Connection, Request, Response, ServerLimits, Traffic, serve_one,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::wait;
use crate::input::Input;

/// Bytes of a body here: so few that inputs reach the limit.
const BODY_BYTES_MAX: usize = 256;

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 50_000))
}

pub(super) fn requests(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    let (step, sent) = (input.byte(), input.rest());
    wait(async {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let limits = ServerLimits {
            body_bytes_max: BODY_BYTES_MAX,
            ..ServerLimits::default()
        };
        let handled = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&handled);
        let handler = move |request: Request| {
            assert!(
                request.body.len() <= BODY_BYTES_MAX,
                "a body over its limit"
            );
            let shown = (request.path().len(), request.query().map(str::len));
            assert!(shown.0 + shown.1.unwrap_or(0) <= 4_096);
            let _ = (
                request.method(),
                request.header("host"),
                request.header("content-type"),
            );
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Response::text(200, "ok\n"))
        };
        let traffic = Arc::new(Traffic::default());
        let serving = serve_one(far, peer(), limits, Arc::clone(&traffic), handler);
        let ((), answers) = tokio::join!(serving, speak(near, sent, step));
        assert!(
            answers.is_empty() || answers.starts_with(b"HTTP/1."),
            "an answer is HTTP"
        );
        let handled = handled.load(Ordering::Relaxed);
        // No request is shorter than `GET / HTTP/1.0` with its two line ends.
        assert!(
            handled * 16 <= sent.len() + 16,
            "more requests than were sent"
        );
        let said = answers
            .windows(7)
            .filter(|words| *words == b"HTTP/1.")
            .count();
        assert!(said >= handled, "a request without an answer");
    });
}

/// What a handler is given of a request.
type Read = (String, String, Bytes);

/// Whatever comes behind one another on a connection, in whatever pieces, is taken for the requests
/// that hyper alone takes it for, up to the first that is not plain and so is the last: nobody slips
/// a request past by a head that two readers end at different bytes.
pub(super) fn sequences(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    let (step, sent) = (input.byte(), input.rest());
    let in_steps = wait(read_by_us(sent, step));
    let at_once = wait(read_by_us(sent, u8::MAX));
    assert_eq!(in_steps, at_once, "pieces changed what was read");
    let by_hyper = wait(read_by_hyper(sent));
    assert!(
        by_hyper.starts_with(&in_steps),
        "read as {in_steps:?}, by hyper as {by_hyper:?}"
    );
    assert!(
        by_hyper.is_empty() || !in_steps.is_empty(),
        "not read: {by_hyper:?}"
    );
}

async fn read_by_us(sent: &[u8], step: u8) -> Vec<Read> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let limits = ServerLimits {
        body_bytes_max: BODY_BYTES_MAX,
        ..ServerLimits::default()
    };
    let read = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&read);
    let handler = move |request: Request| {
        let target = (request.path(), request.query());
        let one = (
            request.method().to_string(),
            format!("{target:?}"),
            request.body,
        );
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.push(one);
        std::future::ready(Response::text(200, "ok\n"))
    };
    let traffic = Arc::new(Traffic::default());
    let serving = serve_one(far, peer(), limits, traffic, handler);
    tokio::join!(serving, speak(near, sent, step));
    let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *read)
}

/// Hyper by itself, with our limit of a body.
async fn read_by_hyper(sent: &[u8]) -> Vec<Read> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let read = Mutex::new(Vec::new());
    let service = service_fn(async |request: hyper::Request<Incoming>| {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await?;
        let target = (head.uri.path(), head.uri.query());
        let one = (
            head.method.to_string(),
            format!("{target:?}"),
            body.to_bytes(),
        );
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        read.push(one);
        let answer = Full::new(Bytes::from_static(b"ok\n"));
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(hyper::Response::new(answer))
    });
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).half_close(true);
    // How it ends says nothing about what was read.
    let serving = async {
        let _ = http.serve_connection(TokioIo::new(far), service).await;
    };
    tokio::join!(serving, speak(near, sent, u8::MAX));
    read.into_inner().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn sequence_seeds() -> Vec<Vec<u8>> {
    let heads = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a?b HTTP/1.1\nHost: a\n\n",
        "POST /v1/ask HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "POST /v1/ask HTTP/1.1\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET http://b/c HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
    ];
    let pair = |first: &str, second: &str| [&[7], first.as_bytes(), second.as_bytes()].concat();
    let pairs = heads
        .iter()
        .flat_map(|first| heads.map(|second| pair(first, second)));
    pairs.collect()
}

/// Sends in steps, ends, and reads whatever comes back.
async fn speak(mut stream: DuplexStream, bytes: &[u8], step: u8) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let write = async {
        for chunk in bytes.chunks(usize::from(step) * 8 + 1) {
            if writer.write_all(chunk).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = writer.shutdown().await;
    };
    let mut answers = Vec::new();
    let ((), _) = tokio::join!(write, reader.read_to_end(&mut answers));
    answers
}

pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    let texts: [&str; 9] = [
        "GET /healthz HTTP/1.1\r\nHost: kms\r\n\r\n",
        "GET /v1/hello/637358134fbbf95c80930e0a708c5239 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /v1/ask HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST /v1/ask HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /?from=7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let mut seeds: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| [&[255], text.as_bytes()].concat())
        .collect();
    let long = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n{}",
        "x".repeat(300)
    );
    seeds.push([&[3], long.as_bytes()].concat());
    seeds
}

pub(super) fn answers(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    let (how, sent) = (input.byte(), input.rest());
    wait(async {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let limits = ClientLimits {
            answer_bytes_max: BODY_BYTES_MAX,
            ..ClientLimits::default()
        };
        let ask = async {
            let mut connection = Connection::over(near, peer(), limits)
                .await
                .expect("no handshake");
            for _ in 0..2 {
                let answer = match how % 2 {
                    0 => connection.get_dated("kms", "/healthz").await,
                    _ => connection
                        .post("kms", "/v1/ask", "application/octet-stream", &b"ask"[..])
                        .await
                        .map(|(status, body)| muster_net::http::Dated {
                            status,
                            date: None,
                            body,
                        }),
                };
                let Ok(answer) = answer else {
                    return;
                };
                assert!(
                    answer.body.len() <= BODY_BYTES_MAX,
                    "an answer over its limit"
                );
                assert!((100..1_000).contains(&answer.status));
            }
        };
        let answer = async {
            // Whoever speaks before he was asked is told apart by the first bit of the step.
            let mut far = far;
            if how & 2 == 2 {
                let _ = far.read(&mut [0; 512]).await;
            }
            speak(far, sent, how / 4).await
        };
        tokio::join!(ask, answer);
    });
}

pub(super) fn answer_seeds() -> Vec<Vec<u8>> {
    let texts: [&str; 8] = [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\n\r\nnothing here",
        "HTTP/1.1 301 Moved\r\nLocation: http://other/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nlate",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ];
    let seed = |how: u8| texts.map(|text| [&[how], text.as_bytes()].concat());
    [seed(254), seed(255), seed(2), seed(253)].concat()
}
