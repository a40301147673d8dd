//! The serve loop: accepts, bounds and answers HTTP/1.1, plain or under TLS, until it is told to
//! stop.
//!
//! A request is collected first (`crates/net/src/http/begin.rs`) and served by hyper when it is whole,
//! so that a connection between two requests, or one that is slow, costs next to nothing.
//!
//! Limits, in the order a peer meets them: connections per source and in all (for a newer one, one that
//! is in no request is closed: `crates/net/src/http/crowd.rs`), time of the TLS handshake, size and
//! time of the head (the same time bounds an idle connection), size and time of the body, time of
//! the answer, and time in which the peer must take it. What is over a limit is counted and costs
//! the connection; it never costs another peer anything.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use muster_proto::Refusal;
use muster_proto::limits::{
    HTTP_BODY_BYTES_MAX, HTTP_BODY_SECONDS, HTTP_CONNECTIONS_MAX, HTTP_CONNECTIONS_PER_SOURCE_MAX,
    HTTP_FAULT_REPORT_SECONDS, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_SECONDS, HTTP_OTHERS_MAX,
    HTTP_REQUEST_SECONDS, HTTP_STOP_SECONDS, HTTP_UNTAKEN_SECONDS, TLS_HANDSHAKE_SECONDS,
};
use muster_proto::reason::dns as reason;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::begin::{Beginning, Begun};
use super::crowd::{Admission, Crowd, Seat};
use super::descriptors;
use super::handed::Handed;
use super::listener::Listener;
use super::traffic::{Fault, Traffic};

/// The limits of one listener; the default stands in `muster_proto::limits`.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Connections at once; for more, those that are in no request are closed.
    pub connections_max: usize,
    /// Connections at once from one IPv4 address or IPv6 /64; for more, its own are closed.
    pub connections_per_source_max: usize,
    /// Bytes of a request's body; 413 above it.
    pub body_bytes_max: usize,
    /// Time for a request's head, and for a connection without one.
    pub head_timeout: Duration,
    /// Time for a request's body; 408 after it.
    pub body_timeout: Duration,
    /// Time for the handler; 503 after it, and the handler is dropped at its next await.
    pub request_timeout: Duration,
    /// Time in which the peer must take an answer, from when it first kept it waiting.
    pub write_timeout: Duration,
    /// Time a stop waits for requests under way.
    pub stop_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: HTTP_CONNECTIONS_MAX,
            connections_per_source_max: HTTP_CONNECTIONS_PER_SOURCE_MAX,
            body_bytes_max: HTTP_BODY_BYTES_MAX,
            head_timeout: Duration::from_secs(HTTP_HEAD_SECONDS),
            body_timeout: Duration::from_secs(HTTP_BODY_SECONDS),
            request_timeout: Duration::from_secs(HTTP_REQUEST_SECONDS),
            write_timeout: Duration::from_secs(HTTP_UNTAKEN_SECONDS),
            stop_timeout: Duration::from_secs(HTTP_STOP_SECONDS),
        }
    }
}

/// A complete request, its body read and within its limit.
#[derive(Debug)]
pub struct Request {
    /// The peer; an IPv4 peer of a dual-stack socket is shown as IPv4.
    pub peer: SocketAddr,
    /// The body.
    pub body: Bytes,
    head: Parts,
}

impl Request {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path without its query, as sent: percent signs are not decoded.
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// What stands after the question mark.
    pub fn query(&self) -> Option<&str> {
        self.head.uri.query()
    }

    /// A header, by its name in lower case; none when it is not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }
}

/// What a handler answers.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Media type of the body.
    pub content_type: &'static str,
    /// More headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// An answer without further headers.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A line of text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into())
    }
}

/// What a listener did until it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerReport {
    /// Connections accepted.
    pub connections: u64,
    /// Connections and requests that ended badly.
    pub faults: u64,
    /// Connections that were cut because they were not done when the stop's time was over.
    pub cut: u64,
}

/// Serves until `shutdown` is ready; then accepts nothing more, lets requests under way end within
/// `stop_timeout`, and cuts the rest. The handler runs as often at once as there are connections.
/// Where the process may not open as many files as there may be connections, there are fewer.
///
/// # Errors
/// `NET_LISTEN_FAILED` when the runtime cannot watch the sockets.
pub async fn serve<H, F>(
    listener: Listener,
    mut limits: ServerLimits,
    handler: H,
    shutdown: impl Future<Output = ()>,
) -> Result<ServerReport, Refusal>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let sockets = listener
        .sockets
        .into_iter()
        .map(TcpListener::from_std)
        .collect::<io::Result<Vec<_>>>()
        .map_err(|error| Refusal::new(reason::NET_LISTEN_FAILED, error.to_string()))?;
    descriptors::fit(&mut limits);
    let server = Arc::new(Server {
        tls: listener.tls.map(TlsAcceptor::from),
        whole: whole(),
        other: other(&limits),
        others: Semaphore::new(HTTP_OTHERS_MAX),
        traffic: listener.traffic,
        limits,
        handler,
    });
    // Every connection holds a receiver, so the sender also knows how many there are.
    let phase = watch::Sender::new(Phase::Serving);
    let connections = accept_until(&sockets, &server, &phase, shutdown).await;
    drop(sockets);
    let cut = finish(&phase, server.limits.stop_timeout).await;
    Ok(ServerReport {
        connections,
        faults: server.traffic.finish(),
        cut,
    })
}

/// Serves one connection that was accepted elsewhere, until it ends; TLS is not spoken on it.
pub async fn serve_one<S, H, F>(
    stream: S,
    peer: SocketAddr,
    limits: ServerLimits,
    traffic: Arc<Traffic>,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let crowd = Crowd::new(1, 1);
    let server = Server {
        tls: None,
        whole: whole(),
        other: other(&limits),
        others: Semaphore::new(HTTP_OTHERS_MAX),
        traffic,
        limits,
        handler,
    };
    let phase = watch::Sender::new(Phase::Serving);
    if let Some(seat) = server.admit(&crowd, peer) {
        let mut stream = stream;
        let mut phase = phase.subscribe();
        server.http(&mut stream, peer, &seat, &mut phase).await;
        let _ = stream.shutdown().await;
    }
}

/// What connections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Phase {
    Serving,
    /// Answer the request under way, take no other.
    Stopping,
    /// End now.
    Cut,
}

/// Waits for this phase or a later one; a sender that is gone can only have reached the last.
async fn reach(phase: &mut watch::Receiver<Phase>, least: Phase) {
    let _ = phase.wait_for(|phase| *phase >= least).await;
}

struct Server<H> {
    tls: Option<TlsAcceptor>,
    /// For requests that are whole.
    whole: http1::Builder,
    /// For others.
    other: http1::Builder,
    /// How many others are served at once.
    others: Semaphore,
    traffic: Arc<Traffic>,
    limits: ServerLimits,
    handler: H,
}

/// The request is there, so nothing is waited for, and that nothing follows is no sign of a peer that
/// has gone.
fn whole() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None)
        .half_close(true)
        .max_buf_size(HTTP_HEAD_BYTES_MAX);
    http
}

/// One request, and then the connection ends. As with those that are whole, a peer that has said all
/// it wanted to and closed that side is answered.
fn other(limits: &ServerLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .half_close(true)
        .keep_alive(false)
        .max_buf_size(HTTP_HEAD_BYTES_MAX);
    http
}

async fn accept_until<H, F>(
    sockets: &[TcpListener],
    server: &Arc<Server<H>>,
    phase: &watch::Sender<Phase>,
    shutdown: impl Future<Output = ()>,
) -> u64
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let crowd = Crowd::new(
        server.limits.connections_max,
        server.limits.connections_per_source_max,
    );
    // The crowd counts those that were told to end as gone; a place is free when they are.
    let places = Arc::new(Semaphore::new(server.limits.connections_max));
    let mut report = tokio::time::interval(Duration::from_secs(HTTP_FAULT_REPORT_SECONDS));
    let mut connections = 0;
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return connections,
            _ = report.tick() => {
                server.traffic.report_if_due();
                continue;
            }
            accepted = accept(sockets) => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                server.traffic.fault(Fault::Internal);
                if !is_of_one_connection(&error) {
                    // Out of descriptors or memory: existing connections must end first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                continue;
            }
        };
        connections += 1;
        server.traffic.accept();
        let Some(seat) = server.admit(&crowd, peer) else {
            continue;
        };
        // Where every connection is in a request, this one waits, and the next in the backlog.
        let place = tokio::select! {
            () = &mut shutdown => return connections,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let (server, phase) = (Arc::clone(server), phase.subscribe());
        tokio::spawn(async move {
            let _held = (place, server.traffic.hold());
            tokio::select! {
                biased;
                () = server.connection(stream, peer, &seat, phase) => {}
                () = seat.given_up() => {}
            }
        });
    }
}

/// Takes the next connection of any socket.
async fn accept(sockets: &[TcpListener]) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, mut peer) = poll_fn(|cx| {
        for socket in sockets {
            if let Poll::Ready(accepted) = socket.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await?;
    peer.set_ip(peer.ip().to_canonical());
    Ok((stream, peer))
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Waits for connections to end; returns how many had to be cut.
async fn finish(phase: &watch::Sender<Phase>, stop_timeout: Duration) -> u64 {
    phase.send_replace(Phase::Stopping);
    if timeout(stop_timeout, phase.closed()).await.is_ok() {
        return 0;
    }
    let cut = phase.receiver_count() as u64;
    phase.send_replace(Phase::Cut);
    phase.closed().await;
    cut
}

impl<H, F> Server<H>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    /// Finds a place for a new connection.
    fn admit(&self, crowd: &Arc<Crowd>, peer: SocketAddr) -> Option<Seat> {
        match crowd.admit(peer.ip()) {
            Admission::Placed(seat) => Some(seat),
            Admission::Displaced(seat) => {
                self.traffic.fault(Fault::Displaced);
                Some(seat)
            }
            Admission::Refused => {
                self.traffic.fault(Fault::SourceFull);
                None
            }
        }
    }

    async fn connection(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        seat: &Seat,
        mut phase: watch::Receiver<Phase>,
    ) {
        match &self.tls {
            None => self.http(&mut stream, peer, seat, &mut phase).await,
            // On the heap, so that connections without TLS do not hold room for it.
            Some(tls) => Box::pin(self.https(tls, stream, peer, seat, &mut phase)).await,
        }
    }

    async fn https(
        &self,
        tls: &TlsAcceptor,
        stream: TcpStream,
        peer: SocketAddr,
        seat: &Seat,
        phase: &mut watch::Receiver<Phase>,
    ) {
        let limit = Duration::from_secs(TLS_HANDSHAKE_SECONDS);
        let handshake = timeout(limit, tls.accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = reach(phase, Phase::Stopping) => return,
        };
        match shaken {
            Ok(Ok(mut stream)) => {
                self.http(&mut stream, peer, seat, phase).await;
                // Whoever cannot take the end of TLS is not waited for.
                let _ = timeout(limit, stream.shutdown()).await;
            }
            Ok(Err(_)) => self.traffic.fault(Fault::Malformed),
            Err(_) => self.traffic.fault(Fault::Timeout),
        }
    }

    /// Serves requests, one after the other, until the connection ends.
    async fn http<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        peer: SocketAddr,
        seat: &Seat,
        phase: &mut watch::Receiver<Phase>,
    ) {
        let mut beginning = Beginning::default();
        loop {
            match self.begin(&mut beginning, stream, phase).await {
                Begun::Whole { request, is_last } => {
                    let request = Handed::whole(request, stream, self.limits.write_timeout);
                    let limit = self.limits.body_timeout;
                    // On the heap, so that a connection without a request holds no room for one.
                    let served = self.serve(&self.whole, request, limit, peer, seat, phase);
                    if !Box::pin(served).await || is_last {
                        return;
                    }
                }
                Begun::Other { bytes, is_late } => {
                    return self.other(bytes, is_late, stream, peer, seat, phase).await;
                }
                Begun::Ended => return,
                Begun::Faulty(fault) => return self.traffic.fault(fault),
            }
        }
    }

    /// The next request; a stop waits for one of which something has come.
    async fn begin<S: AsyncRead + Unpin>(
        &self,
        beginning: &mut Beginning,
        stream: &mut S,
        phase: &mut watch::Receiver<Phase>,
    ) -> Begun {
        if beginning.is_empty() {
            let first = tokio::select! {
                biased;
                first = beginning.first(stream, &self.limits) => first,
                () = reach(phase, Phase::Stopping) => return Begun::Ended,
            };
            if let Some(begun) = first {
                return begun;
            }
        }
        tokio::select! {
            biased;
            begun = beginning.next(stream, &self.limits) => begun,
            () = reach(phase, Phase::Cut) => Begun::Ended,
        }
    }

    /// Serves what is not plain. It takes much more memory, so there are only so many at once, and each
    /// ends with its answer.
    async fn other<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        bytes: Bytes,
        is_late: bool,
        stream: &mut S,
        peer: SocketAddr,
        seat: &Seat,
        phase: &mut watch::Receiver<Phase>,
    ) {
        let place = timeout(self.limits.head_timeout, self.others.acquire());
        let Ok(_place) = place.await else {
            return self.traffic.fault(Fault::Timeout);
        };
        let limit = match is_late {
            true => Duration::ZERO,
            false => self.limits.body_timeout,
        };
        let rest = Handed::rest(bytes, stream, self.limits.write_timeout);
        let served = self.serve(&self.other, rest, limit, peer, seat, phase);
        Box::pin(served).await;
    }

    /// Has hyper serve what was handed over; whether the connection can go on.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        http: &http1::Builder,
        stream: Handed<'_, S>,
        body_timeout: Duration,
        peer: SocketAddr,
        seat: &Seat,
        phase: &mut watch::Receiver<Phase>,
    ) -> bool {
        let service = service_fn(async |request| {
            let response = self.request(peer, seat, request, body_timeout).await;
            Ok::<_, Infallible>(encode(response))
        });
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = reach(phase, Phase::Stopping) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = reach(phase, Phase::Cut) => return false,
                }
            }
        };
        if let Err(error) = &ended {
            self.traffic.fault(fault_of(error));
        }
        ended.is_ok() && *phase.borrow() == Phase::Serving
    }

    async fn request(
        &self,
        peer: SocketAddr,
        seat: &Seat,
        request: hyper::Request<Incoming>,
        body_timeout: Duration,
    ) -> Response {
        let (head, body) = request.into_parts();
        let body = match self.body(body, body_timeout).await {
            Ok(body) => body,
            Err(fault) => {
                self.traffic.fault(fault);
                return match fault {
                    Fault::TooLarge => Response::text(413, "the body is over its limit\n"),
                    Fault::Timeout => Response::text(408, "the body came too slowly\n"),
                    _ => Response::text(400, "the body was not complete\n"),
                };
            }
        };
        let request = Request { peer, body, head };
        let _in_request = seat.begin_request();
        // On the heap, so that a connection holds room for it only while a request is answered.
        let answering = Box::pin((self.handler)(request));
        let answer = timeout(self.limits.request_timeout, answering).await;
        answer.unwrap_or_else(|_| {
            self.traffic.fault(Fault::Timeout);
            Response::text(503, "the answer took too long\n")
        })
    }

    async fn body(&self, body: Incoming, body_timeout: Duration) -> Result<Bytes, Fault> {
        let bytes_max = self.limits.body_bytes_max;
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(Fault::TooLarge);
        }
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let collected = timeout(body_timeout, Limited::new(body, bytes_max).collect());
        match collected.await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::TooLarge),
            Ok(Err(_)) => Err(Fault::Broken),
            Err(_) => Err(Fault::Timeout),
        }
    }
}

fn encode(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut encoded = hyper::Response::new(Full::new(response.body));
    *encoded.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = encoded.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(response.content_type),
    );
    for (name, value) in response.headers {
        // A value with a line break would be a header of somebody else's making.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    encoded
}

fn fault_of(error: &hyper::Error) -> Fault {
    let io = std::error::Error::source(error).and_then(|error| error.downcast_ref::<io::Error>());
    if error.is_timeout() || io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
        Fault::Timeout
    } else if error.is_parse_too_large() {
        Fault::TooLarge
    } else if error.is_parse() {
        Fault::Malformed
    } else {
        Fault::Broken
    }
}
