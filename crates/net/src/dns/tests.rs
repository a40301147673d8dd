//! Tests of DNS against real sockets: the built-in server, servers that are silent or babble, and
//! key files.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;

use muster_proto::reason::dns as reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::update::{HostRecords, register, register_at, withdraw};
use super::*;
use crate::clock;

const ZONE: &str = "lab.muster.test";
const NAME: &str = "_muster-kms._tcp.lab.muster.test";

struct Lab {
    dns: LabDns,
    key: TsigKey,
    resolver: Resolver,
    _dir: tempfile::TempDir,
}

impl Lab {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = TsigKey::generate("muster-key").unwrap();
        let addr = "127.0.0.1:0".parse().unwrap();
        let dns = LabDns::start(ZONE, addr, &key, dir.path()).await.unwrap();
        let resolver = Resolver::with_server(dns.addr()).unwrap();
        Self {
            dns,
            key,
            resolver,
            _dir: dir,
        }
    }

    fn servers(&self) -> [SocketAddr; 1] {
        [self.dns.addr()]
    }

    async fn targets(&self) -> Vec<(String, u16)> {
        let mut found: Vec<_> = self
            .resolver
            .srv(NAME)
            .await
            .unwrap()
            .into_iter()
            .map(|record| (record.target, record.port))
            .collect();
        found.sort();
        found
    }
}

fn host(target: &str, port: u16) -> HostRecords {
    HostRecords {
        target: target.to_owned(),
        port,
        priority: 0,
        weight: 0,
        addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        former: None,
    }
}

#[tokio::test]
async fn hosts_register_beside_each_other_and_twice_is_once() {
    let lab = Lab::start().await;
    assert_eq!(
        lab.resolver.srv(NAME).await.unwrap_err().reason,
        reason::DNS_NO_SUCH_NAME
    );
    let (first, second) = (
        host("kms1.lab.muster.test", 1688),
        host("kms2.lab.muster.test", 1688),
    );
    for records in [&first, &first, &second] {
        register(&lab.servers(), ZONE, &lab.key, records)
            .await
            .unwrap();
    }
    let expected = ["kms1", "kms2"].map(|host| (format!("{host}.{ZONE}"), 1688));
    assert_eq!(lab.targets().await, expected);
    let addresses = lab
        .resolver
        .addresses("kms1.lab.muster.test")
        .await
        .unwrap();
    assert_eq!(
        addresses,
        [
            "::1".parse::<IpAddr>().unwrap(),
            "127.0.0.1".parse().unwrap()
        ]
    );
    lab.dns.stop().await.unwrap();
}

#[tokio::test]
async fn hosts_replace_and_withdraw_only_their_own() {
    let lab = Lab::start().await;
    for name in ["kms1.lab.muster.test", "kms2.lab.muster.test"] {
        register(&lab.servers(), ZONE, &lab.key, &host(name, 1688))
            .await
            .unwrap();
    }
    let kms2 = ("kms2.lab.muster.test".to_owned(), 1688);
    let mut moved = host("KMS1.lab.muster.test.", 1689);
    (moved.priority, moved.weight) = (5, 7);
    moved.addresses = vec!["127.0.0.2".parse().unwrap()];
    moved.former = Some(("kms1.lab.muster.test".to_owned(), 1688));
    register(&lab.servers(), ZONE, &lab.key, &moved)
        .await
        .unwrap();
    assert_eq!(
        lab.targets().await,
        [("kms1.lab.muster.test".to_owned(), 1689), kms2.clone()]
    );
    let records = lab.resolver.srv(NAME).await.unwrap();
    assert!(
        records
            .iter()
            .any(|r| (r.priority, r.weight, r.port) == (5, 7, 1689))
    );
    let addresses = lab
        .resolver
        .addresses("kms1.lab.muster.test")
        .await
        .unwrap();
    assert_eq!(addresses, ["127.0.0.2".parse::<IpAddr>().unwrap()]);

    for _ in 0..2 {
        withdraw(&lab.servers(), ZONE, &lab.key, &moved)
            .await
            .unwrap();
        assert_eq!(lab.targets().await, std::slice::from_ref(&kms2));
    }
    assert!(
        lab.resolver
            .addresses("kms1.lab.muster.test")
            .await
            .is_err()
    );
    assert!(lab.resolver.addresses("kms2.lab.muster.test").await.is_ok());
}

#[tokio::test]
async fn wrong_keys_clocks_and_zones_have_their_own_reasons() {
    let lab = Lab::start().await;
    let records = host("kms1.lab.muster.test", 1688);
    let same_name = TsigKey::generate("muster-key").unwrap();
    let unknown = TsigKey::generate("other-key").unwrap();
    for (key, error) in [(&same_name, "BADSIG"), (&unknown, "BADKEY")] {
        let refusal = register(&lab.servers(), ZONE, key, &records)
            .await
            .unwrap_err();
        assert_eq!(refusal.reason, reason::TSIG_KEY_REJECTED, "{refusal}");
        assert!(refusal.detail.contains(error), "{refusal}");
        let refusal = withdraw(&lab.servers(), ZONE, key, &records)
            .await
            .unwrap_err();
        assert_eq!(refusal.reason, reason::TSIG_KEY_REJECTED, "{refusal}");
    }
    for now in [clock::unix_seconds() - 3_600, clock::unix_seconds() + 3_600] {
        let refusal = register_at(&lab.servers(), ZONE, &lab.key, &records, now)
            .await
            .unwrap_err();
        assert_eq!(refusal.reason, reason::TSIG_CLOCK, "{refusal}");
    }
    let refusal = register(&lab.servers(), "other.test", &lab.key, &records)
        .await
        .unwrap_err();
    assert_eq!(
        refusal.reason,
        reason::DNS_HOST_RECORDS_INVALID,
        "{refusal}"
    );
    assert_eq!(
        lab.resolver.srv(NAME).await.unwrap_err().reason,
        reason::DNS_NO_SUCH_NAME
    );
}

#[tokio::test]
async fn lookups_name_what_they_met() {
    let lab = Lab::start().await;
    let reason_of = |name: &'static str| {
        let resolver = lab.resolver.clone();
        async move { resolver.srv(name).await.unwrap_err().reason }
    };
    assert_eq!(reason_of("ns.lab.muster.test").await, reason::DNS_NO_RECORD);
    assert_eq!(
        reason_of("nothing.lab.muster.test").await,
        reason::DNS_NO_SUCH_NAME
    );
    assert_eq!(
        reason_of("a.zone.elsewhere.test").await,
        reason::DNS_REFUSED
    );
    assert_eq!(reason_of("two..dots").await, reason::DNS_NAME_INVALID);
    assert_eq!(reason_of("a b.test").await, reason::DNS_NAME_INVALID);
    assert_eq!(reason_of("").await, reason::DNS_NAME_INVALID);
    for literal in ["192.0.2.7", "2001:db8::7", "[2001:db8::7]"] {
        assert_eq!(
            lab.resolver.addresses(literal).await.unwrap().len(),
            1,
            "{literal}"
        );
    }
    let servers = lab.resolver.zone_servers(ZONE).await.unwrap();
    assert_eq!(servers, ["127.0.0.1:53".parse::<SocketAddr>().unwrap()]);
}

#[tokio::test]
async fn a_silent_server_is_named_and_bounded() {
    let (_udp, tcp, addr) = deaf_sockets().await;
    let key = TsigKey::generate("muster-key").unwrap();
    let records = host("kms1.lab.muster.test", 1688);
    let resolver = Resolver::with_server(addr).unwrap();
    let servers = [addr];
    let (lookup, update) =
        tokio::join!(resolver.srv(NAME), register(&servers, ZONE, &key, &records));
    assert_eq!(lookup.unwrap_err().reason, reason::DNS_SILENT);
    assert_eq!(update.unwrap_err().reason, reason::DNS_SILENT);
    drop(tcp);
}

#[tokio::test]
async fn each_code_of_a_server_has_its_reason() {
    let key = TsigKey::generate("muster-key").unwrap();
    let records = host("kms1.lab.muster.test", 1688);
    for (code, expected) in [
        (0, reason::DNS_UPDATE_UNVERIFIED),
        (2, reason::DNS_UPDATE_FAILED),
        (5, reason::DNS_UPDATE_REFUSED),
        (9, reason::DNS_UPDATE_NOT_ZONE),
        (10, reason::DNS_UPDATE_NOT_ZONE),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            while let Ok(length) = stream.read_u16().await {
                let request = &mut request[..usize::from(length)];
                stream.read_exact(request).await.unwrap();
                let opcode = request[2] & 0x78;
                let mut answer = vec![0, 12, request[0], request[1], 0x80 | opcode, code];
                answer.extend_from_slice(&[0; 8]);
                stream.write_all(&answer).await.unwrap();
            }
        });
        let refusal = register(&[addr], ZONE, &key, &records).await.unwrap_err();
        assert_eq!(refusal.reason, expected, "{refusal}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn an_absent_and_a_babbling_server_are_told_apart() {
    let (udp, tcp, addr) = deaf_sockets().await;
    let babble = tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            tokio::select! {
                Ok((length, peer)) = udp.recv_from(&mut buffer) => {
                    // The id is kept, so that it counts as the answer; the rest is cut.
                    let _ = udp.send_to(&buffer[..length.min(9)], peer).await;
                }
                Ok((mut stream, _)) = tcp.accept() => {
                    let _ = stream.read(&mut buffer).await;
                    let _ = stream.write_all(&[0, 5, 1, 2, 3, 4, 5]).await;
                }
            }
        }
    });
    let key = TsigKey::generate("muster-key").unwrap();
    let records = host("kms1.lab.muster.test", 1688);
    let resolver = Resolver::with_server(addr).unwrap();
    assert_eq!(
        resolver.srv(NAME).await.unwrap_err().reason,
        reason::DNS_MALFORMED
    );
    let refusal = register(&[addr], ZONE, &key, &records).await.unwrap_err();
    assert_eq!(refusal.reason, reason::DNS_MALFORMED, "{refusal}");
    babble.abort();
    let _ = babble.await;
    assert_eq!(
        resolver.srv(NAME).await.unwrap_err().reason,
        reason::DNS_UNREACHABLE
    );
    let refusal = register(&[addr], ZONE, &key, &records).await.unwrap_err();
    assert_eq!(refusal.reason, reason::DNS_UNREACHABLE, "{refusal}");
}

/// A UDP and a TCP socket on one port that never answer.
async fn deaf_sockets() -> (UdpSocket, TcpListener, SocketAddr) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = udp.local_addr().unwrap();
        if let Ok(tcp) = TcpListener::bind(addr).await {
            return (udp, tcp, addr);
        }
    }
}

#[test]
fn key_files_parse_as_bind_writes_them() {
    let secret = "MDEyMzQ1Njc4OWFiY2RlZg==";
    let plain = format!("key \"a.key\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};");
    let commented = format!(
        "# made by hand\n/* long\n */ key a.key. {{ // name\n secret {secret}; algorithm \"HMAC-SHA512\"; \n}};\n"
    );
    for text in [&plain, &commented] {
        let key = TsigKey::parse(text).unwrap();
        assert_eq!(
            (key.name().as_str(), key.secret()),
            ("a.key", &b"0123456789abcdef"[..])
        );
        assert!(!format!("{key:?}").contains(secret));
        assert_eq!(
            TsigKey::parse(&key.to_bind()).unwrap().secret(),
            key.secret()
        );
    }
    let bad = [
        (String::new(), reason::TSIG_FILE_MALFORMED),
        (
            "Kfile.private-key-format: v1.3".to_owned(),
            reason::TSIG_FILE_MALFORMED,
        ),
        (plain.replace("};", ""), reason::TSIG_FILE_MALFORMED),
        (
            plain.replace("secret", "sekret"),
            reason::TSIG_FILE_MALFORMED,
        ),
        (
            plain.replace(secret, "not base64!"),
            reason::TSIG_FILE_MALFORMED,
        ),
        (
            plain.replace(secret, "c2hvcnQ="),
            reason::TSIG_FILE_MALFORMED,
        ),
        (
            plain.replace("algorithm hmac-sha256;", ""),
            reason::TSIG_FILE_MALFORMED,
        ),
        (
            plain.replace("hmac-sha256", "hmac-md5"),
            reason::TSIG_ALGORITHM_UNKNOWN,
        ),
        (format!("{plain}{plain}"), reason::TSIG_FILE_MALFORMED),
        ("key \"open".to_owned(), reason::TSIG_FILE_MALFORMED),
    ];
    for (text, expected) in bad {
        assert_eq!(
            TsigKey::parse(&text).unwrap_err().reason,
            expected,
            "{text}"
        );
    }
}

#[test]
fn key_files_open_to_all_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("update.key");
    let missing = TsigKey::read(&path).unwrap_err();
    assert_eq!(missing.reason, reason::TSIG_FILE_UNREADABLE);
    std::fs::write(&path, [0xff, 0xfe, 0]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        TsigKey::read(&path).unwrap_err().reason,
        reason::TSIG_FILE_MALFORMED
    );
    std::fs::write(&path, TsigKey::generate("k").unwrap().to_bind().as_str()).unwrap();
    for (mode, exposed) in [(0o644, true), (0o606, true), (0o640, false), (0o600, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        match TsigKey::read(&path) {
            Ok(_) => assert!(!exposed, "{mode:o}"),
            Err(refusal) => {
                assert!(exposed, "{mode:o}: {refusal}");
                assert_eq!(refusal.reason, reason::TSIG_FILE_EXPOSED);
            }
        }
    }
}

#[test]
fn records_print_for_a_zone_kept_by_hand() {
    let lines = host("kms1.lab.muster.test", 1688).lines(ZONE).unwrap();
    assert_eq!(
        lines[0],
        format!("{NAME}. 3600 IN SRV 0 0 1688 kms1.lab.muster.test.")
    );
    assert_eq!(lines[1], "kms1.lab.muster.test. 3600 IN A 127.0.0.1");
    assert_eq!(lines[2], "kms1.lab.muster.test. 3600 IN AAAA ::1");
    let short = host("kms1", 1688).lines(ZONE).unwrap_err();
    assert_eq!(short.reason, reason::DNS_HOST_RECORDS_INVALID);
}

#[test]
fn server_addresses_parse_with_and_without_a_port() {
    for (text, expected) in [
        ("192.0.2.53", "192.0.2.53:53"),
        ("192.0.2.53:5300", "192.0.2.53:5300"),
        ("2001:db8::53", "[2001:db8::53]:53"),
        ("[2001:db8::53]", "[2001:db8::53]:53"),
        ("[2001:db8::53]:5300", "[2001:db8::53]:5300"),
    ] {
        assert_eq!(parse_server(text).unwrap(), expected.parse().unwrap());
    }
    for text in ["", "dns.test", "192.0.2.53:x", "192.0.2.53:99999"] {
        assert_eq!(
            parse_server(text).unwrap_err().reason,
            reason::DNS_SERVER_INVALID,
            "{text}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,80}", inner in "[a-z \"{};#/*=\\-0-9]{0,60}") {
        let _ = TsigKey::parse(&text);
        let _ = TsigKey::parse(&format!("key {inner} }};"));
        let _ = TsigKey::parse(&format!("key \"k\" {{ {inner}"));
        let _ = parse_server(&text);
        let _ = name::full(&text);
        let _ = name::full(&inner);
        let target = host(&text, 1).lines(&inner);
        proptest::prop_assert!(target.is_err() || !text.is_empty());
    }
}
