//! The service: listens, answers, and stops in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use muster_net::http::{Listener, Request, ServerLimits, ServerReport, Traffic};
use muster_net::watch::{Alive, Watch, serve_page};
use muster_proto::Refusal;
use muster_proto::limits::{FOLLOW_SECONDS, POSTGRES_TRANSACTION_MILLISECONDS, REQUEST_BYTES_MAX};
use muster_proto::reason::{authority as reasons, store as store_reasons};
use muster_store::authority::AuthorityStore;
use tokio::task::JoinHandle;

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

impl ServeOptions {
    /// Whether this may be served.
    ///
    /// # Errors
    /// `PLAIN_LISTEN` for plain HTTP beyond this machine.
    pub fn check(&self) -> Result<(), Refusal> {
        let outside = self.listen.iter().find(|addr| !addr.ip().is_loopback());
        match (outside, &self.tls, self.insecure_http) {
            (Some(addr), None, false) => Err(Refusal::new(reasons::PLAIN_LISTEN, addr.to_string())),
            _ => Ok(()),
        }
    }
}

/// Opens the sockets. They listen from now on; ask [`Listener::addresses`] where.
///
/// # Errors
/// `PLAIN_LISTEN` for plain HTTP beyond this machine, and what the sockets and TLS files refuse.
pub fn bind(options: &ServeOptions) -> Result<Listener, Refusal> {
    options.check()?;
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
    serve_watched(authority, listener, clock, Watch::default(), shutdown).await
}

/// As [`serve`], watched.
///
/// # Errors
/// What the sockets refuse; `STOPPED` when the store no longer trusts its disk: whoever supervises
/// the authority starts it anew.
pub async fn serve_watched<S: AuthorityStore>(
    authority: Arc<Authority<S>>,
    listener: Listener,
    clock: Clock,
    watch: Watch,
    shutdown: impl Future<Output = ()>,
) -> Result<ServerReport, Refusal> {
    let api = Arc::new(Api::new(Arc::clone(&authority), clock));
    let traffic = listener.traffic();
    let page = watch
        .page
        .map(|page| tokio::spawn(publish(page, Arc::clone(&api), traffic)));
    let beating = watch
        .alive
        .map(|alive| tokio::spawn(beat(authority, alive)));
    let limits = ServerLimits {
        body_bytes_max: REQUEST_BYTES_MAX,
        ..ServerLimits::default()
    };
    let (served, watched) = (Arc::clone(&api), Arc::clone(&api));
    let handler = move |request: Request| {
        let api = Arc::clone(&served);
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
    let end = async move {
        tokio::select! {
            () = shutdown => {}
            () = watched.store_ended() => {}
        }
    };
    let report = muster_net::http::serve(listener, limits, handler, end).await;
    page.iter().for_each(JoinHandle::abort);
    beating.iter().for_each(JoinHandle::abort);
    match api.has_store_ended() {
        true => Err(store_reasons::STOPPED.into()),
        false => report,
    }
}

/// Serves the page of metrics.
async fn publish<S: AuthorityStore>(page: Listener, api: Arc<Api<S>>, traffic: Arc<Traffic>) {
    let read = move || {
        let (api, traffic) = (Arc::clone(&api), Arc::clone(&traffic));
        async move { api.page(&traffic).await }
    };
    if let Err(refusal) = serve_page(page, read).await {
        tracing::error!(code = refusal.reason.code(), "metrics: {refusal}");
    }
}

/// Gives a sign of life every second. It reads the store each time, so it tells that the service
/// and its store go on; a server that hangs is not this service's fault, and no reason to end it.
async fn beat<S: AuthorityStore>(authority: Arc<Authority<S>>, alive: Alive) {
    const PATIENCE: Duration = Duration::from_millis(POSTGRES_TRANSACTION_MILLISECONDS);
    let mut every = tokio::time::interval(Duration::from_secs(FOLLOW_SECONDS));
    loop {
        every.tick().await;
        let read = if authority.store.is_elsewhere() {
            let read = tokio::time::timeout(PATIENCE, authority.url()).await;
            read.unwrap_or_else(|_| Err(store_reasons::SERVER_UNREACHABLE.into()))
        } else {
            authority.url().await
        };
        if let Err(refusal) = read {
            tracing::warn!(code = refusal.reason.code(), "{refusal}");
        }
        alive();
    }
}
