//! Opening the sockets a service listens on, IPv6 and IPv4, with the reason when that fails.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_proto::limits::{
    HTTP_BACKLOG_MAX, HTTP_SEND_BYTES, HTTP_UNACKNOWLEDGED_SECONDS, TLS_FILES_CHECK_SECONDS,
};
use muster_proto::reason::dns as reason;
use muster_proto::{Reason, Refusal};
use socket2::{Domain, Protocol, Socket, Type};

use super::tls;
use super::traffic::Traffic;

/// The sockets of one service, and its TLS identity where it has one. Binding needs no runtime, so
/// that a service can give up privileges before it starts one.
pub struct Listener {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) traffic: Arc<Traffic>,
}

impl Listener {
    /// Listens on every address. `[::]` takes IPv4 too, and becomes `0.0.0.0` where IPv6 is
    /// switched off; port 0 takes a free one.
    ///
    /// # Errors
    /// `NET_PORT_TAKEN`, `NET_PORT_FORBIDDEN`, `NET_ADDRESS_NOT_OURS`, `NET_LISTEN_FAILED`; each
    /// names address and port.
    pub fn bind(addrs: &[SocketAddr]) -> Result<Self, Refusal> {
        let sockets = addrs
            .iter()
            .map(|&addr| bind(addr))
            .collect::<Result<Vec<_>, _>>()?;
        if sockets.is_empty() {
            return Err(Refusal::new(
                reason::NET_LISTEN_INVALID,
                "no address is given",
            ));
        }
        Ok(Self {
            sockets,
            tls: None,
            traffic: Arc::default(),
        })
    }

    /// Speaks TLS 1.2 and 1.3 with this certificate chain (PEM, leaf first) and key (PEM; the file
    /// must not be open to every user of the machine). Renewed files are used within a minute.
    ///
    /// # Errors
    /// `NET_TLS_FILE_UNREADABLE`, `NET_TLS_FILE_MALFORMED`, `NET_TLS_KEY_EXPOSED`,
    /// `NET_TLS_KEY_MISMATCH`.
    pub fn with_tls(self, cert_pem: &Path, key_pem: &Path) -> Result<Self, Refusal> {
        self.with_tls_rechecked(
            cert_pem,
            key_pem,
            Duration::from_secs(TLS_FILES_CHECK_SECONDS),
        )
    }

    pub(super) fn with_tls_rechecked(
        self,
        cert_pem: &Path,
        key_pem: &Path,
        recheck: Duration,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            tls: Some(tls::server_config(cert_pem, key_pem, recheck)?),
            ..self
        })
    }

    /// What is counted about its connections, also while it serves.
    pub fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    /// Where it listens, with the ports that were taken for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect()
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("addresses", &self.addresses())
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

/// Reads an address to listen on, `ADDR:PORT` with brackets around IPv6.
///
/// # Errors
/// `NET_LISTEN_INVALID`.
pub fn parse_listen(text: &str) -> Result<SocketAddr, Refusal> {
    text.parse()
        .map_err(|_| Refusal::new(reason::NET_LISTEN_INVALID, format!("{text:?}")))
}

fn bind(addr: SocketAddr) -> Result<TcpListener, Refusal> {
    open(addr)
        .or_else(|error| {
            let all = addr.ip().is_unspecified() && addr.is_ipv6();
            if all && is_without_ipv6(&error) {
                open(SocketAddr::new(
                    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    addr.port(),
                ))
            } else {
                Err(error)
            }
        })
        .map_err(|error| {
            let detail = match bind_reason(&error) {
                reason if reason == reason::NET_PORT_TAKEN => {
                    format!("port {} on {}", addr.port(), addr.ip())
                }
                _ => format!("{addr}: {error}"),
            };
            Refusal::new(bind_reason(&error), detail)
        })
}

fn open(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // A restart must not wait until old connections have left TIME_WAIT.
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit what follows. An answer is one write; waiting to fill a packet would
    // only delay it.
    socket.set_tcp_nodelay(true)?;
    // The kernel would take 4 MB for answers that a peer does not read.
    socket.set_send_buffer_size(HTTP_SEND_BYTES)?;
    // A peer that is gone does not hold its connection for ever.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_secs(HTTP_UNACKNOWLEDGED_SECONDS)))?;
    socket.bind(&addr.into())?;
    socket.listen(HTTP_BACKLOG_MAX)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// EAFNOSUPPORT where the kernel has no IPv6, EADDRNOTAVAIL where it is disabled by sysctl.
fn is_without_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == ErrorKind::AddrNotAvailable
}

fn bind_reason(error: &io::Error) -> Reason {
    match error.kind() {
        ErrorKind::AddrInUse => reason::NET_PORT_TAKEN,
        ErrorKind::PermissionDenied => reason::NET_PORT_FORBIDDEN,
        ErrorKind::AddrNotAvailable => reason::NET_ADDRESS_NOT_OURS,
        _ => reason::NET_LISTEN_FAILED,
    }
}
