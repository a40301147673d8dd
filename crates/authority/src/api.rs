//! The HTTP API that hosts and products call. Its description is `openapi.json`; a test compares
//! the two. Administration has no HTTP: it works on the directory.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use muster_net::http::{Response, Traffic};
use muster_net::watch::Page;
use muster_proto::authority::{RateLimiter, Source};
use muster_proto::limits::REQUEST_BYTES_MAX;
use muster_proto::reason::{
    authority as reasons, config, key as key_reasons, statement, store as store_reasons,
};
use muster_proto::time::Timestamp;
use muster_proto::{Reason, Refusal};
use muster_store::authority::AuthorityStore;
use tokio::sync::watch;

use crate::Authority;
use crate::metrics::Calls;

/// The description of this API, OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// What the service takes as now.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

const CBOR: &str = "application/cbor";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    OpenApi,
    Health,
    Publisher,
    Certify,
    Policy,
    Revocations,
}

/// Method and path of each route; `{id}` stands for one segment.
const ROUTES: [(&str, &str, Route); 6] = [
    ("get", "/openapi.json", Route::OpenApi),
    ("get", "/healthz", Route::Health),
    ("get", "/v1/publisher", Route::Publisher),
    ("post", "/v1/certify", Route::Certify),
    ("get", "/v1/products/{id}/policy", Route::Policy),
    ("get", "/v1/revocations", Route::Revocations),
];

/// A request as the API sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The method, in whatever case.
    pub method: &'a str,
    /// The path without its query.
    pub path: &'a str,
    /// What stands after the question mark.
    pub query: Option<&'a str>,
    /// Who asks.
    pub peer: IpAddr,
    /// The body.
    pub body: &'a [u8],
}

/// The API of one authority.
pub struct Api<S> {
    authority: Arc<Authority<S>>,
    clock: Clock,
    rate: Mutex<RateLimiter>,
    calls: Calls,
    /// Whether the store has stopped by itself.
    store_ended: watch::Sender<bool>,
}

impl<S> std::fmt::Debug for Api<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({:?})", self.authority)
    }
}

impl<S: AuthorityStore> Api<S> {
    /// The API of an authority.
    pub fn new(authority: Arc<Authority<S>>, clock: Clock) -> Self {
        Self {
            authority,
            clock,
            rate: Mutex::default(),
            calls: Calls::default(),
            store_ended: watch::Sender::new(false),
        }
    }

    /// Ready when the store has stopped by itself, because it no longer trusts its disk.
    pub(crate) async fn store_ended(&self) {
        // What is waited for lives as long as this does.
        let _ = self.store_ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub(crate) fn has_store_ended(&self) -> bool {
        *self.store_ended.borrow()
    }

    /// The page of metrics now.
    pub(crate) async fn page(&self, traffic: &Traffic) -> Result<Page, Refusal> {
        self.calls.page(&self.authority, traffic).await
    }

    /// Answers a request; a refusal is answered in JSON with its reason.
    pub async fn answer(&self, call: Call<'_>) -> Response {
        let now = (self.clock)();
        let outcome = self.try_answer(call, now).await;
        let refused = outcome.as_ref().err().map(|refusal| refusal.reason);
        if refused == Some(store_reasons::STOPPED) {
            self.store_ended.send_replace(true);
        }
        let response = Self::respond(call, outcome);
        let route = route_of(call.path);
        self.calls.answered(route, response.status, refused);
        response
    }

    fn respond(call: Call<'_>, outcome: Result<Response, Refusal>) -> Response {
        match outcome {
            Ok(response) => response,
            Err(refusal) => {
                let (status, peer) = (status_of(refusal.reason), call.peer);
                let code = refusal.reason.code();
                if status >= 500 {
                    tracing::error!(code, %peer, path = call.path, "{refusal}");
                } else {
                    tracing::warn!(code, %peer, path = call.path, "{refusal}");
                }
                error(status, &refusal)
            }
        }
    }

    async fn try_answer(&self, call: Call<'_>, now: Timestamp) -> Result<Response, Refusal> {
        let source = Source::of(call.peer);
        self.rate
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admit(source, now)?;
        let (route, id) = find(call.method, call.path)?;
        if route != Route::Revocations && call.query.is_some_and(|query| !query.is_empty()) {
            return Err(Refusal::new(reasons::QUERY_WRONG, "this path has no query"));
        }
        match route {
            Route::OpenApi => Ok(Response::new(200, JSON, OPENAPI)),
            Route::Health => {
                self.authority.current(now).await?;
                Ok(Response::new(200, TEXT, "ok\n"))
            }
            Route::Publisher => self
                .authority
                .publisher(now)
                .await
                .map(|p| cbor(p.encode())),
            Route::Certify => self.certify(call, source, now).await,
            Route::Policy => {
                let id = id.parse()?;
                self.authority
                    .bundle(&id, now)
                    .await
                    .map(|b| cbor(b.encode()))
            }
            Route::Revocations => {
                let list = self.authority.revocations(from(call.query)?, now).await?;
                Ok(cbor(list.encode()))
            }
        }
    }

    async fn certify(
        &self,
        call: Call<'_>,
        source: Source,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        if call.body.is_empty() || call.body.len() > REQUEST_BYTES_MAX {
            let detail = format!("{} bytes, 1 to {REQUEST_BYTES_MAX}", call.body.len());
            return Err(Refusal::new(reasons::BODY_SIZE, detail));
        }
        let outcome = self.authority.certify(call.body, Some(source), now).await;
        let refused = outcome.as_ref().err().map(|refusal| refusal.reason);
        self.calls.certified(refused);
        let activation = outcome?;
        tracing::info!(peer = %call.peer, "a host was certified");
        Ok(cbor(activation.encode()))
    }
}

fn cbor(bytes: Vec<u8>) -> Response {
    Response::new(200, CBOR, bytes)
}

/// The route of a path and method, with the segment that stood for `{id}`.
fn find<'a>(method: &str, path: &'a str) -> Result<(Route, &'a str), Refusal> {
    let mut is_known = false;
    for (known, template, route) in ROUTES {
        if let Some(id) = matches(template, path) {
            is_known = true;
            if method.eq_ignore_ascii_case(known) {
                return Ok((route, id));
            }
        }
    }
    let shown: String = path.chars().take(64).collect();
    Err(match is_known {
        true => Refusal::new(reasons::METHOD_WRONG, shown),
        false => Refusal::new(reasons::ROUTE_UNKNOWN, shown),
    })
}

/// The path of a request's route as the API describes it; `other` where there is none.
fn route_of(path: &str) -> &'static str {
    let mut routes = ROUTES.iter().map(|(_, template, _)| *template);
    routes
        .find(|template| matches(template, path).is_some())
        .unwrap_or("other")
}

fn matches<'a>(template: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, after)) = template.split_once("{id}") else {
        return (template == path).then_some("");
    };
    let id = path.strip_prefix(before)?.strip_suffix(after)?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

/// The number in `from=N`; 0 without a query.
fn from(query: Option<&str>) -> Result<u64, Refusal> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(0);
    };
    let number = query.strip_prefix("from=").map(str::parse);
    match number {
        Some(Ok(number)) => Ok(number),
        _ => Err(Refusal::new(reasons::QUERY_WRONG, "it is from=NUMBER")),
    }
}

/// The refusal as JSON. What the authority itself could not do is not told in detail: it may name
/// paths.
fn error(status: u16, refusal: &Refusal) -> Response {
    let reason = refusal.reason;
    let detail = Some(&refusal.detail).filter(|detail| status < 500 && !detail.is_empty());
    let body = serde_json::json!({ "error": {
        "code": reason.code(),
        "text": reason.text(),
        "cause": reason.cause(),
        "next": reason.next(),
        "detail": detail,
    }});
    Response::new(status, JSON, body.to_string())
}

/// The status of each reason.
fn status_of(reason: Reason) -> u16 {
    const BUSY: [Reason; 2] = [key_reasons::TOO_MANY_TRIES, reasons::TOO_MANY_REQUESTS];
    const MISSING: [Reason; 2] = [reasons::ROUTE_UNKNOWN, reasons::PRODUCT_UNKNOWN];
    const WRONG: [Reason; 4] = [
        reasons::QUERY_WRONG,
        reasons::NOTHING_ASKED,
        reasons::KEY_UNREADABLE,
        config::ID_WRONG,
    ];
    const OURS: [Reason; 7] = [
        reasons::NOT_INITIALISED,
        reasons::STORE_MISSING,
        reasons::AWAITING_ROOT,
        reasons::ISSUING_ENDED,
        reasons::SIGNER_FAILED,
        reasons::SECRET_DAMAGED,
        reasons::CHANGED_MEANWHILE,
    ];
    let area = |name: &str| reason.code().starts_with(name);
    match reason {
        reason if BUSY.contains(&reason) => 429,
        reason if MISSING.contains(&reason) => 404,
        reason if reason == reasons::METHOD_WRONG => 405,
        reason if reason == reasons::BODY_SIZE => 413,
        reason if reason == reasons::FORKED => 409,
        reason if WRONG.contains(&reason) || statement::ALL.contains(&reason) => 400,
        reason if OURS.contains(&reason) || area("MUSTER-STO") || area("MUSTER-CFG") => 503,
        _ => 403,
    }
}

/// Every status an answer may have.
#[cfg(test)]
const STATUSES: [u16; 9] = [200, 400, 403, 404, 405, 409, 413, 429, 503];

#[cfg(test)]
mod tests;
