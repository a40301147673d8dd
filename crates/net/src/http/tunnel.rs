//! A way through an HTTP proxy to the authority: `CONNECT` (RFC 9110 section 9.3.6).

use hyper::header::HeaderValue;
use muster_proto::Refusal;
use muster_proto::limits::HTTP_HEAD_BYTES_MAX;
use muster_proto::reason::dns as reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks the proxy on the other side of `stream` to connect it to `target` (`host:port`). The
/// caller bounds the time.
pub(super) async fn open(
    stream: &mut TcpStream,
    target: &str,
    authorization: Option<&HeaderValue>,
) -> Result<(), Refusal> {
    let refused = |what: &str| Refusal::new(reason::NET_PROXY_REFUSED, format!("{target}: {what}"));
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream
        .write_all(&request)
        .await
        .map_err(|error| refused(&error.to_string()))?;

    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Byte by byte: what follows the head already belongs to the tunnel.
        let byte = stream
            .read_u8()
            .await
            .map_err(|error| refused(&error.to_string()))?;
        head.push(byte);
        if head.len() > HTTP_HEAD_BYTES_MAX {
            return Err(refused("the proxy's answer is too long"));
        }
    }
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let is_http = words
        .next()
        .is_some_and(|version| version.starts_with("HTTP/1."));
    match words.next() {
        Some(status) if is_http && status.len() == 3 && status.starts_with('2') => Ok(()),
        _ => Err(refused(&format!("the proxy answered {line:?}"))),
    }
}
