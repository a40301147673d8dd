//! The open port: whoever reaches it may connect as often as he likes, send slowly, send rubbish or
//! nothing. An honest machine gets its answer meanwhile, from another address and from the same one,
//! and the log stays short.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::estate::{Estate, Service};

/// Slow connections of one test.
const SLOW: usize = 1_000;
/// Lines that the log may hold after any flood.
const LOG_LINES_MAX: usize = 20;

/// Lets this process open so many files, where it may not yet; how many it may then.
pub(crate) fn allow_files(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .map_or(wanted as u64, |most| most.min(wanted as u64));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).expect("a limit may be raised to its maximum");
    }
    usize::try_from(wanted).expect("a number of files")
}

/// An address of the loopback network; honest machines come from 127.0.0.1.
pub(crate) fn source(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, number))
}

/// Connects from an address of this machine.
pub(crate) fn connect_from(source: IpAddr, to: &str) -> std::io::Result<TcpStream> {
    connect(Socket::new(Domain::IPV4, Type::STREAM, None)?, source, to)
}

/// The same with a socket that was made before.
pub(crate) fn connect(socket: Socket, source: IpAddr, to: &str) -> std::io::Result<TcpStream> {
    let to: SocketAddr = to.parse().expect("an address");
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect_timeout(&to.into(), Duration::from_secs(10))?;
    Ok(socket.into())
}

/// Opens connections that send a part of a request, or nothing, and then wait.
fn slow(host: &Service, sources: &[u8], count: usize) -> Vec<TcpStream> {
    let parts: [&[u8]; 4] = [
        b"",
        b"POST /muster",
        b"POST /muster/v1/ask HTTP/1.1\r\nhost: kms\r\n",
        b"POST /muster/v1/ask HTTP/1.1\r\nhost: kms\r\ncontent-length: 600\r\n\r\nabc",
    ];
    (0..count)
        .zip(sources.iter().cycle())
        .zip(parts.iter().cycle())
        .map(|((_, &number), part)| {
            let mut line = connect_from(source(number), &host.address).expect("the host accepts");
            // It may be closed again already, for one that came later.
            let _ = line.write_all(part);
            line
        })
        .collect()
}

/// How many of these connections the host still holds.
pub(crate) fn held(lines: &mut [TcpStream]) -> usize {
    let is_held = |line: &mut TcpStream| {
        line.set_nonblocking(true).expect("a socket");
        matches!(line.read(&mut [0; 64]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    };
    lines.iter_mut().map(is_held).filter(|held| *held).count()
}

/// New machines activate, one after the other, each within the limits that it always has.
pub(crate) fn honest(estate: &Estate, host: &Service, generic: &str, names: &[&str]) {
    for name in names {
        estate.machine(name, "solo", generic, &host.address);
        estate.client(name, &["activate"]).done();
        estate.client(name, &["status", "--check"]).done();
    }
}

/// The log of a host that met a flood: short, and with a count of what it met.
fn check_log(host: &Service) {
    let log = host.log();
    assert!(log.len() <= LOG_LINES_MAX, "{} lines: {log:#?}", log.len());
    let told = log
        .iter()
        .any(|line| line.contains("connections ended with faults"));
    assert!(told, "{log:#?}");
}

#[test]
fn a_thousand_slow_connections_keep_nobody_from_its_answer() {
    allow_files(4 * SLOW);
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let host = estate.serve_kms("kms", &[]);
    // From one other source; then from the honest machine's own address.
    let mut lines = slow(&host, &[2], SLOW);
    assert_eq!(held(&mut lines), SLOW);
    honest(&estate, &host, &generic, &["beside"]);
    let mut own = slow(&host, &[1], SLOW);
    assert_eq!(held(&mut own), SLOW);
    honest(&estate, &host, &generic, &["among"]);
    drop((lines, own));
    check_log(&host);
}

/// A host with few open files is full with eight sources' shares: then the heaviest make room.
#[test]
fn a_full_listener_makes_room_for_others() {
    allow_files(4 * SLOW);
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let mut command = std::process::Command::new("prlimit");
    command.args(["--nofile=512:512", env!("CARGO_BIN_EXE_muster")]);
    command.args(estate.kms_args("kms", &serve));
    let host = Service::start(&mut command);
    // 384 places, 48 for each source: more than all of them are wanted.
    let sources: Vec<u8> = (2..=13).collect();
    let mut lines = slow(&host, &sources, SLOW);
    // Until the host has met all of them, those it has not accepted look like those that it holds.
    let mut held_now = || {
        std::thread::park_timeout(Duration::from_millis(50));
        held(&mut lines)
    };
    let held = (0..200).map(|_| held_now()).find(|held| *held <= 384);
    assert!(
        held.is_some_and(|held| held >= 300),
        "{held:?} places are taken"
    );
    honest(&estate, &host, &generic, &["first", "second", "third"]);
    drop(lines);
    check_log(&host);
}

#[test]
fn a_flood_keeps_nobody_from_its_answer() {
    allow_files(4 * SLOW);
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let host = estate.serve_kms("kms", &[]);
    let ends = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    let rubbish: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /muster/v1/ask HTTP/1.1\r\nhost: kms\r\ncontent-length: 8\r\n\r\n\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f",
        b"POST /muster/v1/ask HTTP/1.1\r\nhost: kms\r\ncontent-length: 99999999\r\n\r\n",
    ];
    std::thread::scope(|scope| {
        for number in 2..=4 {
            let (ends, sent, address) = (&ends, &sent, &host.address);
            scope.spawn(move || {
                for bytes in rubbish.iter().cycle() {
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Ok(mut line) = connect_from(source(number), address) {
                        let _ = line.write_all(bytes);
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // A panic here must end the others too, or the scope waits for ever.
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while sent.load(Ordering::Relaxed) < SLOW as u64 {
                std::thread::yield_now();
            }
            honest(&estate, &host, &generic, &["one", "two", "three", "four"]);
        }));
        ends.store(true, Ordering::Relaxed);
        asked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    check_log(&host);
    let clients = estate.kms("kms", &["clients", "--json"]).done().json();
    assert_eq!(clients["clients"].as_array().map(Vec::len), Some(4));
}
