//! The service: listens, answers, and stops in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use muster_net::http::{Listener, Request, ServerLimits, ServerReport};
use muster_proto::Refusal;
use muster_proto::limits::REQUEST_BYTES_MAX;
use muster_proto::reason::authority as reasons;
use muster_store::authority::AuthorityStore;

use crate::Authority;
use crate::api::{Api, Call, Clock};

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// Files with the TLS certificate chain and its key; renewed files are used within a minute.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether plain HTTP is allowed on other than loopback addresses.
    pub insecure_http: bool,
}

/// Opens the sockets. They listen from now on; ask [`Listener::addresses`] where.
///
/// # Errors
/// `PLAIN_LISTEN` for plain HTTP beyond this machine, and what the sockets and TLS files refuse.
pub fn bind(options: &ServeOptions) -> Result<Listener, Refusal> {
    let outside = options.listen.iter().find(|addr| !addr.ip().is_loopback());
    if let (Some(addr), None, false) = (outside, &options.tls, options.insecure_http) {
        return Err(Refusal::new(reasons::PLAIN_LISTEN, addr.to_string()));
    }
    let listener = Listener::bind(&options.listen)?;
    match &options.tls {
        Some((cert, key)) => listener.with_tls(cert, key),
        None => Ok(listener),
    }
}

/// Serves until `shutdown` is ready, then lets requests under way end.
pub async fn serve<S: AuthorityStore>(
    authority: Arc<Authority<S>>,
    listener: Listener,
    clock: Clock,
    shutdown: impl Future<Output = ()>,
) -> Result<ServerReport, Refusal> {
    let api = Arc::new(Api::new(authority, clock));
    let limits = ServerLimits {
        body_bytes_max: REQUEST_BYTES_MAX,
        ..ServerLimits::default()
    };
    let handler = move |request: Request| {
        let api = Arc::clone(&api);
        async move {
            let call = Call {
                method: request.method().as_str(),
                path: request.path(),
                query: request.query(),
                peer: request.peer.ip(),
                body: &request.body,
            };
            api.answer(call).await
        }
    };
    muster_net::http::serve(listener, limits, handler, shutdown).await
}
