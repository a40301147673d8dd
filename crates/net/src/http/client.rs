//! The HTTP client of an ask: one connection, a few requests, every step bounded, no redirect
//! followed and no proxy used. Each way to fail has its own reason.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use muster_proto::limits::{
    HTTP_ANSWER_BYTES_MAX, HTTP_ANSWER_SECONDS, HTTP_CONNECT_SECONDS, HTTP_HEAD_BYTES_MAX,
};
use muster_proto::reason::dns as reason;
use muster_proto::time::Timestamp;
use muster_proto::{Reason, Refusal};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connect;

/// The limits of one exchange.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// Time to connect, for all addresses of the host together.
    pub connect_timeout: Duration,
    /// Time from sending a request to the last byte of its answer.
    pub answer_timeout: Duration,
    /// Bytes of an answer's body.
    pub answer_bytes_max: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(HTTP_CONNECT_SECONDS),
            answer_timeout: Duration::from_secs(HTTP_ANSWER_SECONDS),
            answer_bytes_max: HTTP_ANSWER_BYTES_MAX,
        }
    }
}

/// One GET on a connection of its own; see [`Connection::get`].
///
/// # Errors
/// As [`Connection::open`] and [`Connection::get`].
pub async fn get(
    addrs: &[SocketAddr],
    host: &str,
    path: &str,
    limits: ClientLimits,
) -> Result<(u16, Bytes), Refusal> {
    Connection::open(addrs, limits).await?.get(host, path).await
}

/// One POST on a connection of its own; see [`Connection::post`].
///
/// # Errors
/// As [`Connection::open`] and [`Connection::post`].
pub async fn post(
    addrs: &[SocketAddr],
    host: &str,
    path: &str,
    content_type: &'static str,
    body: impl Into<Bytes>,
    limits: ClientLimits,
) -> Result<(u16, Bytes), Refusal> {
    Connection::open(addrs, limits)
        .await?
        .post(host, path, content_type, body)
        .await
}

/// An answer with the time that its head names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The HTTP status.
    pub status: u16,
    /// `Date` of its head, where it has a readable one (RFC 9110 section 6.6.1).
    pub date: Option<Timestamp>,
    /// The body.
    pub body: Bytes,
}

/// A connection on which requests follow one another; dropping it closes it.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<Result<(), hyper::Error>>,
    peer: SocketAddr,
    limits: ClientLimits,
}

impl Connection {
    /// Connects to the first address that accepts.
    ///
    /// # Errors
    /// `NET_NO_ADDRESS`, `NET_REFUSED`, `NET_NO_ROUTE`, `NET_CONNECT_TIMEOUT`, `NET_FAILED`; the
    /// detail says what each address met.
    pub async fn open(addrs: &[SocketAddr], limits: ClientLimits) -> Result<Self, Refusal> {
        let (stream, peer) = connect::connect(addrs, limits.connect_timeout).await?;
        Self::over(stream, peer, limits).await
    }

    /// Talks over a stream that leads to `peer` already.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn over<S>(stream: S, peer: SocketAddr, limits: ClientLimits) -> Result<Self, Refusal>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HTTP_HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| refusal(peer, &error))?;
        let driver = tokio::spawn(connection);
        Ok(Self {
            sender,
            driver,
            peer,
            limits,
        })
    }

    /// The address that accepted.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Sends a GET and reads the answer, whatever its status; a redirect is an answer like others.
    ///
    /// # Errors
    /// `NET_ANSWER_TIMEOUT`, `NET_CLOSED_EARLY`, `NET_NOT_HTTP`, `NET_ANSWER_TOO_LARGE`,
    /// `NET_FAILED`.
    pub async fn get(&mut self, host: &str, path: &str) -> Result<(u16, Bytes), Refusal> {
        let request = request(Method::GET, host, path, Bytes::new())?;
        self.send(request).await
    }

    /// Sends a POST and reads the answer.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post(
        &mut self,
        host: &str,
        path: &str,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Result<(u16, Bytes), Refusal> {
        let mut request = request(Method::POST, host, path, body.into())?;
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.send(request).await
    }

    /// As [`get`](Self::get), with the time that the answer's head names: whoever answers may write
    /// anything there, so it is for diagnosis only.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_dated(&mut self, host: &str, path: &str) -> Result<Dated, Refusal> {
        let request = request(Method::GET, host, path, Bytes::new())?;
        self.send_dated(request).await
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(u16, Bytes), Refusal> {
        let answer = self.send_dated(request).await?;
        Ok((answer.status, answer.body))
    }

    pub(super) async fn send_dated(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Dated, Refusal> {
        let limits = self.limits;
        let exchanged = timeout(
            limits.answer_timeout,
            exchange(&mut self.sender, request, &limits),
        );
        match exchanged.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Failure::TooLarge)) => Err(Refusal::new(
                reason::NET_ANSWER_TOO_LARGE,
                format!("{}: more than {} bytes", self.peer, limits.answer_bytes_max),
            )),
            Ok(Err(Failure::Http(error))) => Err(self.explain(error).await),
            Err(_) => Err(Refusal::new(
                reason::NET_ANSWER_TIMEOUT,
                format!("{}: {} s", self.peer, limits.answer_timeout.as_secs_f32()),
            )),
        }
    }

    /// When the request was only cancelled, the connection itself knows why.
    async fn explain(&mut self, error: hyper::Error) -> Refusal {
        if (error.is_canceled() || error.is_closed()) && !self.driver.is_finished() {
            tokio::task::yield_now().await;
        }
        if (error.is_canceled() || error.is_closed())
            && self.driver.is_finished()
            && let Ok(Err(cause)) = (&mut self.driver).await
        {
            return refusal(self.peer, &cause);
        }
        refusal(self.peer, &error)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A request with the two headers every request of muster has.
pub(super) fn request(
    method: Method,
    host: &str,
    target: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Refusal> {
    Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, host)
        .body(Full::new(body))
        .map_err(|error| Refusal::new(reason::NET_URL_INVALID, format!("{host}{target}: {error}")))
}

enum Failure {
    Http(hyper::Error),
    TooLarge,
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    limits: &ClientLimits,
) -> Result<Dated, Failure> {
    sender.ready().await.map_err(Failure::Http)?;
    let response = sender.send_request(request).await.map_err(Failure::Http)?;
    Ok(Dated {
        status: response.status().as_u16(),
        date: date(response.headers()),
        body: read_body(response.into_body(), limits.answer_bytes_max).await?,
    })
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_seconds(since.as_secs()))
}

async fn read_body(body: Incoming, bytes_max: usize) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Failure::TooLarge);
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLarge),
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(error) => Err(Failure::Http(*error)),
            Err(_) => Err(Failure::TooLarge),
        },
    }
}

fn refusal(peer: SocketAddr, error: &hyper::Error) -> Refusal {
    let mut detail = format!("{peer}: {error}");
    if let Some(cause) = std::error::Error::source(error) {
        detail = format!("{detail}: {cause}");
    }
    Refusal::new(reason_of(error), detail)
}

fn reason_of(error: &hyper::Error) -> Reason {
    let io = std::error::Error::source(error).and_then(|s| s.downcast_ref::<std::io::Error>());
    if error.is_parse_too_large() {
        reason::NET_ANSWER_TOO_LARGE
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        reason::NET_CLOSED_EARLY
    } else if let Some(io) = io {
        match io.kind() {
            std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::UnexpectedEof => reason::NET_CLOSED_EARLY,
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
                reason::NET_NOT_HTTP
            }
            _ => reason::NET_FAILED,
        }
    } else {
        // What is left is a head or a frame that is not HTTP, or bytes before any request.
        reason::NET_NOT_HTTP
    }
}
