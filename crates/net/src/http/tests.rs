//! Tests of HTTP over real sockets: the listener's limits, the client's reasons, the authority's
//! TLS and proxies. This file holds what they share.

mod authority;
mod client;
mod probe;
mod server;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

/// A server in a task of its own, with short limits.
pub(super) struct Running {
    pub(super) addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<ServerReport>,
}

impl Running {
    pub(super) fn echo(limits: ServerLimits) -> Self {
        Self::start(Listener::bind(&[local()]).unwrap(), limits, echo)
    }

    pub(super) fn start<F>(
        listener: Listener,
        limits: ServerLimits,
        handler: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let addr = listener.addresses()[0];
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async move { stopped.await.unwrap_or_default() };
            serve(listener, limits, handler, stopped).await.unwrap()
        });
        Self { addr, stop, task }
    }

    pub(super) async fn stop(self) -> ServerReport {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}

pub(super) fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(super) fn short() -> ServerLimits {
    ServerLimits {
        body_bytes_max: 1_000,
        head_timeout: Duration::from_millis(400),
        body_timeout: Duration::from_millis(400),
        request_timeout: Duration::from_millis(400),
        write_timeout: Duration::from_millis(400),
        stop_timeout: Duration::from_millis(400),
        ..ServerLimits::default()
    }
}

/// Answers with method, path, query, peer's address and body; `/slow` never answers.
pub(super) async fn echo(request: Request) -> Response {
    if request.path() == "/slow" {
        std::future::pending::<()>().await;
    }
    let body = String::from_utf8_lossy(&request.body);
    Response::text(
        200,
        format!(
            "{} {} {} {} {body}",
            request.method(),
            request.path(),
            request.query().unwrap_or("-"),
            request.peer.ip()
        ),
    )
}
