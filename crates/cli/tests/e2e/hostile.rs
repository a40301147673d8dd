//! Requests that are no asks: too large, too slow, rubbish. The host refuses each, counts nobody for
//! it, serves the honest ones meanwhile, and stays small.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use muster_proto::time::Span;

use crate::estate::{Estate, Service, running_time};

/// Longest that a peer which sends nothing may hold its connection, with room for a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn solo() -> (Estate, Service) {
    let estate = Estate::solo();
    let host = estate.serve_kms("kms", &[]);
    (estate, host)
}

/// Sends bytes and reads what comes until the host closes; none where it never answers.
fn send(address: &str, bytes: &[u8]) -> Option<String> {
    let mut line = TcpStream::connect(address).expect("the host listens");
    line.set_read_timeout(Some(PATIENCE))
        .expect("the test's own material is good");
    // The host may close before everything is sent: then the rest has nowhere to go.
    let _ = line.write_all(bytes);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        match line.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the host holds the connection: {error}"),
        }
        // A kept connection stays open after a whole answer.
        if answer.windows(4).any(|window| window == b"\r\n\r\n") {
            break;
        }
    }
    (!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
}

fn post(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /muster/v1/ask HTTP/1.1\r\nhost: kms\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn rubbish_is_refused_and_counts_nobody() {
    let (estate, host) = solo();
    let generic = estate.key("solo", "generic");
    let mut requests: Vec<(&str, Vec<u8>)> = vec![
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(40)),
        ("a line without end", vec![b'A'; 200_000]),
        ("no version", b"GET /\r\n\r\n".to_vec()),
        ("no body", post(b"")),
        ("zeros", post(&[0; 600])),
        ("ones", post(&[0xff; 600])),
        ("too large", post(&vec![7; 100_000])),
        (
            "a length beyond all",
            b"POST /muster/v1/ask HTTP/1.1\r\nhost: kms\r\ncontent-length: 99999999999\r\n\r\n".to_vec(),
        ),
        (
            "two lengths",
            b"POST /muster/v1/ask HTTP/1.1\r\nhost: k\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"
                .to_vec(),
        ),
        ("another path", b"GET /../../etc/passwd HTTP/1.1\r\nhost: kms\r\n\r\n".to_vec()),
        ("another publisher", b"GET /muster/v1/hello/00 HTTP/1.1\r\nhost: kms\r\n\r\n".to_vec()),
    ];
    // CBOR that promises more than it brings, nested deep, or of unbounded length.
    for shape in [
        &[0x9b, 0xff, 0xff, 0xff, 0xff][..],
        &[0x81; 700],
        &[0x9f; 700],
        &[0x5b; 700],
    ] {
        requests.push(("a hostile shape", post(shape)));
    }
    for (what, bytes) in &requests {
        if let Some(answer) = send(&host.address, bytes) {
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert!(status.starts_with('4'), "{what}: {answer}");
        }
    }
    let clients = estate.kms("kms", &["clients", "--json"]).done().json();
    assert_eq!(clients["clients"].as_array().map(Vec::len), Some(0));
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
}

#[test]
fn who_sends_nothing_is_cut_off_and_holds_up_nobody() {
    let (estate, host) = solo();
    let generic = estate.key("solo", "generic");
    let parts: [&[u8]; 4] = [
        b"",
        b"POST /muster",
        b"POST /muster/v1/ask HTTP/1.1\r\nhost: kms\r\n",
        b"POST /muster/v1/ask HTTP/1.1\r\nhost: kms\r\ncontent-length: 600\r\n\r\nabc",
    ];
    let mut lines: Vec<TcpStream> = Vec::new();
    for part in parts.iter().cycle().take(24) {
        let mut line = TcpStream::connect(&host.address).unwrap();
        line.write_all(part).unwrap();
        lines.push(line);
    }
    let began = running_time();
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    assert!(
        running_time().less(began) < Span::from_seconds(10),
        "honest machines do not wait"
    );
    for line in &mut lines {
        line.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        match line.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }
    assert!(
        running_time().less(began) < Span::from_seconds(60),
        "each is cut off"
    );
}

/// A host that only waits is small: at most 25 MB (the numbers page), after rubbish too.
#[test]
fn an_idle_host_is_small() {
    let (_estate, host) = solo();
    for _ in 0..200 {
        send(&host.address, &post(&[0x9f; 600]));
    }
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.trim().split(' ').next())
        .and_then(|number| number.parse::<u64>().ok())
        .expect("the kernel tells");
    assert!(resident <= 25_000, "{resident} kB");
}
