//! The client: every way an exchange can fail, told apart.

use muster_proto::Reason;
use muster_proto::reason::dns as reason;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn hasty() -> ClientLimits {
    ClientLimits {
        connect_timeout: Duration::from_millis(400),
        answer_timeout: Duration::from_millis(400),
        answer_bytes_max: 1_000,
    }
}

/// A server that reads a request, sends these bytes and closes, or stays silent for none.
async fn scripted(answer: Option<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind(local()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request).await;
        match answer {
            Some(answer) => {
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
            None => std::future::pending().await,
        }
    });
    addr
}

async fn reason_of(answer: Option<Vec<u8>>) -> Reason {
    let addr = scripted(answer).await;
    post(&[addr], "x", "/", "text/plain", "ask", hasty())
        .await
        .unwrap_err()
        .reason
}

#[tokio::test]
async fn answers_that_are_none_have_their_own_reasons() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: ";
    let cases = [
        (None, reason::NET_ANSWER_TIMEOUT),
        (Some(String::new()), reason::NET_CLOSED_EARLY),
        (Some("HTTP/1.1 200 O".to_owned()), reason::NET_CLOSED_EARLY),
        (
            Some(format!("{head}10\r\n\r\nshort")),
            reason::NET_CLOSED_EARLY,
        ),
        (
            Some("SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
            reason::NET_NOT_HTTP,
        ),
        (
            Some("220 mail.test ESMTP\r\n".to_owned()),
            reason::NET_NOT_HTTP,
        ),
        (
            Some("\x15\x03\x01\0\x02\x02\x32".to_owned()),
            reason::NET_NOT_HTTP,
        ),
        (
            Some(format!("{head}1001\r\n\r\n")),
            reason::NET_ANSWER_TOO_LARGE,
        ),
        (
            Some(format!(
                "HTTP/1.1 200 OK\r\nx: {}\r\n\r\n",
                "y".repeat(40_000)
            )),
            reason::NET_ANSWER_TOO_LARGE,
        ),
        (
            Some(format!("HTTP/1.1 200 OK\r\n\r\n{}", "y".repeat(1_001))),
            reason::NET_ANSWER_TOO_LARGE,
        ),
        (
            Some("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned()),
            reason::NET_NOT_HTTP,
        ),
    ];
    for (answer, expected) in cases {
        let shown = answer
            .as_deref()
            .unwrap_or("silence")
            .chars()
            .take(40)
            .collect::<String>();
        let met = reason_of(answer.map(String::into_bytes)).await;
        assert_eq!(met, expected, "{shown:?}");
    }
}

#[tokio::test]
async fn a_banner_before_the_request_is_not_http() {
    let listener = TcpListener::bind(local()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let mut connection = Connection::open(&[addr], hasty()).await.unwrap();
    // The banner arrives while the connection is idle.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refusal = connection.get("x", "/").await.unwrap_err();
    assert_eq!(refusal.reason, reason::NET_NOT_HTTP, "{refusal}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let answer =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nno";
    let addr = scripted(Some(answer.into())).await;
    let (status, body) = post(&[addr], "x", "/", "text/plain", "ask", hasty())
        .await
        .unwrap();
    assert_eq!((status, &body[..]), (302, &b"no"[..]));
}

#[tokio::test]
async fn the_next_address_is_tried_and_failures_name_each() {
    let closed = |_| {
        let listener = std::net::TcpListener::bind(local()).unwrap();
        listener.local_addr().unwrap()
    };
    let closed: Vec<SocketAddr> = (0..2).map(closed).collect();
    let server = Running::echo(short());
    let (status, _) = get(&[closed[0], server.addr], "x", "/", ClientLimits::default())
        .await
        .unwrap();
    assert_eq!(status, 200);
    server.stop().await;
    let refusal = get(&closed, "x", "/", hasty()).await.unwrap_err();
    assert_eq!(refusal.reason, reason::NET_REFUSED);
    assert!(
        closed
            .iter()
            .all(|addr| refusal.detail.contains(&addr.to_string())),
        "{refusal}"
    );
    assert_eq!(
        get(&[], "x", "/", hasty()).await.unwrap_err().reason,
        reason::NET_NO_ADDRESS
    );
}

#[tokio::test]
async fn a_silent_address_is_named_and_does_not_hold_up_the_next() {
    // A full backlog drops further connections silently, as a firewall does.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&local().into()).unwrap();
    socket.listen(0).unwrap();
    let silent = socket.local_addr().unwrap().as_socket().unwrap();
    let mut fillers = Vec::new();
    for _ in 0..16 {
        let connect = tokio::net::TcpStream::connect(silent);
        match tokio::time::timeout(Duration::from_millis(100), connect).await {
            Ok(stream) => fillers.push(stream.unwrap()),
            Err(_) => break,
        }
    }
    let refusal = get(&[silent], "x", "/", hasty()).await.unwrap_err();
    assert_eq!(refusal.reason, reason::NET_CONNECT_TIMEOUT, "{refusal}");
    let server = Running::echo(short());
    let limits = ClientLimits {
        connect_timeout: Duration::from_secs(3),
        ..hasty()
    };
    assert_eq!(
        get(&[silent, server.addr], "x", "/", limits)
            .await
            .unwrap()
            .0,
        200
    );
    server.stop().await;
}
