//! How a service is watched from outside: a page of numbers for Prometheus, and a sign of life for
//! its supervisor. Both are off unless asked for.

mod page;

use std::sync::Arc;

use muster_proto::Refusal;
use muster_proto::limits::METRICS_CONNECTIONS_MAX;

pub use page::{Histogram, Page};

use crate::http::{self, Listener, Method, Request, Response, ServerLimits};

/// Where the page stands.
pub const PATH: &str = "/metrics";

/// Tells a supervisor that the service goes on. A service calls it from its own loop, so that a
/// loop that hangs falls silent.
pub type Alive = Arc<dyn Fn() + Send + Sync>;

/// How one service is watched.
#[derive(Default)]
pub struct Watch {
    /// Where its page is served.
    pub page: Option<Listener>,
    /// Its sign of life.
    pub alive: Option<Alive>,
}

impl Watch {
    /// Gives a sign of life, where somebody waits for one.
    pub fn beat(alive: Option<&Alive>) {
        if let Some(alive) = alive {
            alive();
        }
    }
}

/// Serves the page at [`PATH`] until it is dropped. `read` makes it anew for each request; what it
/// refuses is answered by 503, and the monitoring system then sees the service as down.
///
/// # Errors
/// `NET_LISTEN_FAILED` when the runtime cannot watch the sockets.
pub async fn serve_page<F>(
    listener: Listener,
    read: impl Fn() -> F + Send + Sync + 'static,
) -> Result<(), Refusal>
where
    F: Future<Output = Result<Page, Refusal>> + Send + 'static,
{
    let limits = ServerLimits {
        connections_max: METRICS_CONNECTIONS_MAX,
        connections_per_source_max: METRICS_CONNECTIONS_MAX,
        body_bytes_max: 0,
        ..ServerLimits::default()
    };
    let answer = move |request: Request| {
        let is_page = request.path() == PATH && *request.method() == Method::GET;
        let page = is_page.then(&read);
        async move {
            match page {
                None => Response::text(404, format!("the metrics stand at {PATH}\n")),
                Some(page) => respond(page.await),
            }
        }
    };
    http::serve(listener, limits, answer, std::future::pending())
        .await
        .map(drop)
}

fn respond(page: Result<Page, Refusal>) -> Response {
    match page {
        Ok(page) => Response::new(200, Page::CONTENT_TYPE, page.text()),
        Err(refusal) => {
            tracing::warn!(code = refusal.reason.code(), "metrics: {refusal}");
            Response::text(503, format!("{}\n", refusal.reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::reason::dns as reason;

    use super::*;
    use crate::http::{ClientLimits, get};

    async fn scrape(
        read: impl Fn() -> std::future::Ready<Result<Page, Refusal>> + Send + Sync + 'static,
        path: &str,
    ) -> (u16, String) {
        let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = listener.addresses();
        let served = tokio::spawn(serve_page(listener, read));
        let answer = get(&address, "host.test", path, ClientLimits::default()).await;
        served.abort();
        let (status, body) = answer.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    fn good() -> std::future::Ready<Result<Page, Refusal>> {
        std::future::ready(Ok(Page::new("kms", "1.2.3")))
    }

    #[tokio::test]
    async fn the_page_stands_at_one_path_alone() {
        let (status, text) = scrape(good, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("muster_build_info{role=\"kms\",version=\"1.2.3\"} 1\n"));
        assert_eq!(scrape(good, "/").await.0, 404);
        assert_eq!(scrape(good, "/metrics/x").await.0, 404);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unavailable_and_tells_no_detail() {
        let bad = || {
            let refusal = Refusal::new(reason::NET_LISTEN_FAILED, "/secret/path");
            std::future::ready(Err(refusal))
        };
        let (status, text) = scrape(bad, "/metrics").await;
        assert_eq!(status, 503);
        assert!(!text.contains("secret"), "{text}");
    }
}
