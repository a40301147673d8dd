//! Looking at hosts: addresses one by one, and what answers there.

use muster_proto::reason::dns as reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::probe::{Spoken, look, ports};
use super::*;

/// A server that says the same on every connection, after it has read a request.
async fn saying(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind(local()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(words).await;
            let _ = stream.shutdown().await;
        }
    });
    addr
}

#[tokio::test]
async fn each_address_is_tried_by_itself() {
    let open = saying(b"").await;
    let closed = {
        let listener = TcpListener::bind(local()).await.unwrap();
        listener.local_addr().unwrap()
    };
    let tried = ports(&[closed, open], Duration::from_secs(3)).await;
    assert_eq!(tried[0].0, closed);
    assert_eq!(tried[0].1.as_ref().unwrap_err().reason, reason::NET_REFUSED);
    assert_eq!(tried[1], (open, Ok(())));
}

#[tokio::test]
async fn http_is_told_from_anything_else() {
    let at = |addr| async move { look(&[addr], "x", "/", ClientLimits::default()).await };
    let dated = saying(
        b"HTTP/1.1 404 No\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 2\r\n\r\nno",
    );
    let Ok(Spoken::Http(answer)) = at(dated.await).await else {
        panic!("it is HTTP");
    };
    assert_eq!((answer.status, answer.body.as_ref()), (404, &b"no"[..]));
    assert_eq!(answer.date.map(|date| date.seconds()), Some(784_111_777));
    let other = at(saying(b"SSH-2.0-OpenSSH_9.2\r\n").await).await;
    assert_eq!(
        other,
        Ok(Spoken::Other(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()))
    );
    let mute = at(saying(b"").await).await;
    assert_eq!(mute.unwrap_err().reason, reason::NET_CLOSED_EARLY);
}
