//! The listener: what it answers, what it bounds, how it stops.

use muster_proto::reason::dns as reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// Sends bytes and reads until the server closes.
async fn raw(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn one_connection_carries_several_requests() {
    let server = Running::echo(short());
    let mut connection = Connection::open(&[server.addr], ClientLimits::default())
        .await
        .unwrap();
    assert_eq!(connection.peer(), server.addr);
    let (status, body) = connection.get("kms.test", "/chain/x?y=1").await.unwrap();
    assert_eq!(
        (status, &body[..]),
        (200, &b"GET /chain/x y=1 127.0.0.1 "[..])
    );
    let (status, body) = connection
        .post("kms.test", "/ask", "application/octet-stream", "sealed")
        .await
        .unwrap();
    assert_eq!(
        (status, &body[..]),
        (200, &b"POST /ask - 127.0.0.1 sealed"[..])
    );
    let report = server.stop().await;
    assert_eq!(
        report,
        ServerReport {
            connections: 1,
            faults: 0,
            cut: 0
        }
    );
}

#[tokio::test]
async fn all_addresses_of_ipv6_take_ipv4_too() {
    let listener = Listener::bind(&["[::]:0".parse().unwrap()]).unwrap();
    let bound = listener.addresses()[0];
    let server = Running::start(listener, short(), echo);
    let mut hosts = vec!["127.0.0.1"];
    if bound.is_ipv6() && TcpStream::connect(("::1", bound.port())).await.is_ok() {
        hosts.push("::1");
    }
    for host in hosts {
        let addr = SocketAddr::new(host.parse().unwrap(), bound.port());
        let (_, body) = get(&[addr], "kms.test", "/", ClientLimits::default())
            .await
            .unwrap();
        assert_eq!(body, format!("GET / - {host} "));
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_over_the_limit_get_413_by_length_and_in_chunks() {
    let server = Running::echo(short());
    let by_length = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n";
    assert!(
        raw(server.addr, by_length.as_bytes())
            .await
            .starts_with("HTTP/1.1 413")
    );
    let chunk = format!("3e8\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(1_000));
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"
    );
    assert!(
        raw(server.addr, chunked.as_bytes())
            .await
            .starts_with("HTTP/1.1 413")
    );
    let allowed = vec![b'x'; 1_000];
    let addrs = [server.addr];
    let answer = post(
        &addrs,
        "x",
        "/",
        "text/plain",
        allowed,
        ClientLimits::default(),
    );
    assert_eq!(answer.await.unwrap().0, 200);
    assert_eq!(server.stop().await.faults, 2);
}

#[tokio::test]
async fn a_peer_that_has_said_all_is_answered_however_it_says_it() {
    let server = Running::echo(short());
    for framing in [
        "content-length: 0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let request = format!("POST /slow HTTP/1.1\r\nhost: x\r\n{framing}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 503"),
            "{framing:?}: {answer:?}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn slow_heads_slow_bodies_and_idle_peers_lose_their_connection() {
    let server = Running::echo(short());
    let (head, body, idle) = tokio::join!(
        raw(server.addr, b"POST / HTTP/1.1\r\nhost:"),
        raw(
            server.addr,
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"
        ),
        raw(server.addr, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    );
    assert!(!head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!(idle.starts_with("HTTP/1.1 200"), "{idle}");
    assert!(server.stop().await.faults >= 2);
}

#[tokio::test]
async fn heads_over_the_limit_and_other_protocols_are_refused() {
    let server = Running::echo(short());
    let long = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(40_000)
    );
    let answer = raw(server.addr, long.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    let other = raw(
        server.addr,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls",
    )
    .await;
    assert!(
        other.is_empty() || other.starts_with("HTTP/1.1 400"),
        "{other}"
    );
    assert_eq!(server.stop().await.faults, 2);
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_dropped() {
    let server = Running::echo(short());
    let (status, _) = get(&[server.addr], "x", "/slow", ClientLimits::default())
        .await
        .unwrap();
    assert_eq!(status, 503);
    assert_eq!(
        server.stop().await,
        ServerReport {
            connections: 1,
            faults: 1,
            cut: 0
        }
    );
}

/// It goes on sending, so that the kernel sees it alive.
#[tokio::test]
async fn a_peer_that_reads_no_answers_loses_its_connection() {
    let large = Bytes::from(vec![b'x'; 40_000]);
    let handler = move |_| std::future::ready(Response::new(200, "text/plain", large.clone()));
    let server = Running::start(Listener::bind(&[local()]).unwrap(), short(), handler);
    let mut deaf = TcpStream::connect(server.addr).await.unwrap();
    let requests = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    // The server takes no more before it ends the connection.
    let sent = async { while deaf.write_all(requests.as_bytes()).await.is_ok() {} };
    let sent = tokio::time::timeout(Duration::from_secs(20), sent);
    sent.await.expect("the connection ends");
    assert_eq!(server.stop().await.faults, 1);
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_connection_only() {
    let server = Running::start(
        Listener::bind(&[local()]).unwrap(),
        short(),
        async |request| {
            assert!(request.path() != "/panic", "as asked");
            Response::new(204, "text/plain", Bytes::new())
        },
    );
    let broken = get(&[server.addr], "x", "/panic", ClientLimits::default())
        .await
        .unwrap_err();
    assert_eq!(broken.reason, reason::NET_CLOSED_EARLY, "{broken}");
    let (status, _) = get(&[server.addr], "x", "/", ClientLimits::default())
        .await
        .unwrap();
    assert_eq!(status, 204);
    assert_eq!(server.stop().await.faults, 1);
}

#[tokio::test]
async fn one_source_gives_up_its_own_silent_connections_for_newer_ones() {
    let limits = ServerLimits {
        connections_per_source_max: 2,
        head_timeout: Duration::from_secs(20),
        ..short()
    };
    let server = Running::echo(limits);
    let addrs = [server.addr];
    let open = || Connection::open(&addrs, ClientLimits::default());
    let mut kept = open().await.unwrap();
    kept.get("x", "/").await.unwrap();
    for _ in 0..8 {
        let mut silent = TcpStream::connect(server.addr).await.unwrap();
        let mut newer = open().await.unwrap();
        newer.get("x", "/").await.unwrap();
        assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0, "it is closed");
        kept.get("x", "/").await.unwrap();
        // Within its share again before the next round.
        drop(newer);
    }
    assert!(server.stop().await.faults >= 8);
}

#[tokio::test]
async fn one_source_has_its_share_of_requests_and_gets_it_back() {
    let limits = ServerLimits {
        connections_per_source_max: 1,
        request_timeout: Duration::from_secs(1),
        ..short()
    };
    let server = Running::echo(limits);
    let addrs = [server.addr];
    let slow =
        tokio::spawn(async move { get(&addrs, "x", "/slow", ClientLimits::default()).await });
    // Until the slow request is under way it may be the one that goes.
    let refused = loop {
        match get(&addrs, "x", "/", ClientLimits::default()).await {
            Ok(_) if slow.is_finished() => panic!("the slow request was given up"),
            Ok(_) => tokio::task::yield_now().await,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.reason, reason::NET_CLOSED_EARLY, "{refused}");
    assert_eq!(slow.await.unwrap().unwrap().0, 503, "it runs to its end");
    assert_eq!(
        get(&addrs, "x", "/", ClientLimits::default())
            .await
            .unwrap()
            .0,
        200
    );
    assert!(server.stop().await.faults >= 1);
}

#[tokio::test]
async fn connections_wait_while_all_places_are_in_requests() {
    let (began, mut begun) = tokio::sync::mpsc::channel(1);
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let releases = release.clone();
    let limits = ServerLimits {
        connections_max: 1,
        request_timeout: Duration::from_secs(20),
        ..short()
    };
    let handler = move |request: Request| {
        let (began, mut released) = (began.clone(), releases.subscribe());
        async move {
            if request.path() == "/held" {
                began.send(()).await.unwrap();
                drop(released.recv().await);
            }
            Response::text(200, "done")
        }
    };
    let server = Running::start(Listener::bind(&[local()]).unwrap(), limits, handler);
    let addrs = [server.addr];
    let first =
        tokio::spawn(async move { get(&addrs, "x", "/held", ClientLimits::default()).await });
    begun.recv().await.unwrap();
    let waiting = get(&addrs, "x", "/", ClientLimits::default());
    let mut waiting = std::pin::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(200), waiting.as_mut()).await;
    assert!(
        early.is_err(),
        "the second connection was served beside the first"
    );
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap().0, 200);
    assert_eq!(waiting.await.unwrap().0, 200);
    assert_eq!(server.stop().await.faults, 0);
}

#[tokio::test]
async fn a_stop_lets_requests_end_and_cuts_what_hangs() {
    let (began, mut begun) = tokio::sync::mpsc::channel(2);
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let releases = release.clone();
    let limits = ServerLimits {
        request_timeout: Duration::from_secs(20),
        ..short()
    };
    let handler = move |request: Request| {
        let (began, mut released) = (began.clone(), releases.subscribe());
        async move {
            began.send(()).await.unwrap();
            match request.path() {
                "/hang" => std::future::pending().await,
                _ => drop(released.recv().await),
            }
            Response::text(200, "done")
        }
    };
    let server = Running::start(Listener::bind(&[local()]).unwrap(), limits, handler);
    let addr = server.addr;
    let ask = |path: &'static str| {
        tokio::spawn(async move { get(&[addr], "x", path, ClientLimits::default()).await })
    };
    let (ends, hangs) = (ask("/ends"), ask("/hang"));
    begun.recv().await.unwrap();
    begun.recv().await.unwrap();
    let stopping = tokio::spawn(server.stop());
    while get(&[addr], "x", "/late", ClientLimits::default())
        .await
        .unwrap_err()
        .reason
        != reason::NET_REFUSED
    {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    assert_eq!(ends.await.unwrap().unwrap().0, 200);
    assert_eq!(
        hangs.await.unwrap().unwrap_err().reason,
        reason::NET_CLOSED_EARLY
    );
    assert_eq!(stopping.await.unwrap().cut, 1);
}

#[test]
fn what_cannot_be_listened_on_says_why() {
    let first = Listener::bind(&[local()]).unwrap();
    let addr = first.addresses()[0];
    let taken = Listener::bind(&[addr]).unwrap_err();
    assert_eq!(taken.reason, reason::NET_PORT_TAKEN);
    assert!(taken.detail.contains(&addr.port().to_string()), "{taken}");
    let foreign = Listener::bind(&["192.0.2.1:1688".parse().unwrap()]).unwrap_err();
    assert_eq!(foreign.reason, reason::NET_ADDRESS_NOT_OURS, "{foreign}");
    assert_eq!(
        Listener::bind(&[]).unwrap_err().reason,
        reason::NET_LISTEN_INVALID
    );
    assert_eq!(parse_listen("[::]:1688").unwrap().port(), 1688);
    assert_eq!(
        parse_listen("1688").unwrap_err().reason,
        reason::NET_LISTEN_INVALID
    );
}
