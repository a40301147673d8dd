//! The client of a publisher's authority: HTTPS, through the proxy of the environment where one is
//! set; plain HTTP to this machine only, unless the administrator insists. Calls are rare, so each
//! makes a connection of its own.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use muster_proto::Refusal;
use muster_proto::limits::{
    AUTHORITY_ANSWER_BYTES_MAX, DNS_LOOKUP_SECONDS, HTTP_ANSWER_SECONDS, HTTP_CONNECT_SECONDS,
    TLS_HANDSHAKE_SECONDS,
};
use muster_proto::reason::dns as reason;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::client::{ClientLimits, Connection, Dated, request};
use super::{connect, tls, tunnel};

/// Which proxy calls go through.
#[derive(Clone, Debug, Default)]
pub enum Proxy {
    /// HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in capitals or not.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// This one for everything but `no_proxy` (comma-separated names and networks).
    Through {
        /// `http://[USER:PASSWORD@]HOST[:PORT]`.
        url: String,
        /// What is reached directly, as in NO_PROXY.
        no_proxy: String,
    },
}

/// How an authority is reached.
#[derive(Clone, Debug)]
pub struct AuthorityOptions {
    /// PEM file of certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Allows `http://` to other machines.
    pub insecure_http: bool,
    /// The proxy.
    pub proxy: Proxy,
    /// Limits of each call.
    pub limits: ClientLimits,
}

impl Default for AuthorityOptions {
    fn default() -> Self {
        let limits = ClientLimits {
            connect_timeout: Duration::from_secs(HTTP_CONNECT_SECONDS),
            answer_timeout: Duration::from_secs(HTTP_ANSWER_SECONDS),
            answer_bytes_max: AUTHORITY_ANSWER_BYTES_MAX,
        };
        Self {
            ca_file: None,
            insecure_http: false,
            proxy: Proxy::default(),
            limits,
        }
    }
}

/// An authority's address and how to get there.
pub struct AuthorityClient {
    /// Scheme, host and port, without a path.
    origin: Uri,
    /// `https` or `http`.
    is_tls: bool,
    host: String,
    port: u16,
    /// The path of the URL, without a slash at its end.
    prefix: String,
    tls: Option<Arc<ClientConfig>>,
    proxy: Option<Intercept>,
    limits: ClientLimits,
}

impl AuthorityClient {
    /// Checks the URL and reads what trust needs; connects to nothing.
    ///
    /// # Errors
    /// `NET_URL_INVALID`, `NET_PLAIN_HTTP`, `NET_PROXY_INVALID`, `NET_TLS_FILE_UNREADABLE`,
    /// `NET_TLS_FILE_MALFORMED`, `NET_TLS_UNTRUSTED` (there are no trusted roots at all).
    pub fn new(url: &str, options: &AuthorityOptions) -> Result<Self, Refusal> {
        let Parsed {
            is_tls,
            host,
            port,
            prefix,
            origin,
        } = parse(url)?;
        if !is_tls && !options.insecure_http && !is_loopback(&host) {
            return Err(Refusal::new(
                reason::NET_PLAIN_HTTP,
                format!("{host}:{port}"),
            ));
        }
        let proxy = if is_loopback(&host) {
            None
        } else {
            proxy(&options.proxy, &origin)?
        };
        let tls = if is_tls {
            Some(tls::client_config(options.ca_file.as_deref())?)
        } else {
            None
        };
        let limits = options.limits;
        Ok(Self {
            origin,
            is_tls,
            host,
            port,
            prefix,
            tls,
            proxy,
            limits,
        })
    }

    /// Gets `path` below the authority's URL.
    ///
    /// # Errors
    /// What [`Connection`] meets; `NET_PROXY_REFUSED`; `NET_TLS_UNTRUSTED`, `NET_TLS_WRONG_NAME`,
    /// `NET_TLS_TIME`, `NET_TLS_FAILED`. A status is no error: it is returned.
    pub async fn get(&self, path: &str) -> Result<(u16, Bytes), Refusal> {
        let answer = self.get_dated(path).await?;
        Ok((answer.status, answer.body))
    }

    /// As [`get`](Self::get), with the time that the answer's head names, for diagnosis.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_dated(&self, path: &str) -> Result<Dated, Refusal> {
        self.call(Method::GET, path, None, Bytes::new()).await
    }

    /// Posts a body to `path` below the authority's URL.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post(
        &self,
        path: &str,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Result<(u16, Bytes), Refusal> {
        let body = body.into();
        let answer = self.call(Method::POST, path, Some(content_type), body);
        let answer = answer.await?;
        Ok((answer.status, answer.body))
    }

    /// The authority's URL as it is used, for messages.
    pub fn url(&self) -> String {
        format!(
            "{}{}",
            self.origin.to_string().trim_end_matches('/'),
            self.prefix
        )
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Dated, Refusal> {
        let authority = self
            .origin
            .authority()
            .map_or("", |authority| authority.as_str());
        // A proxy of plain HTTP is asked for the whole URL (RFC 9112 section 3.2.2).
        let whole = self.proxy.is_some() && !self.is_tls;
        let start = if whole {
            format!("http://{authority}")
        } else {
            String::new()
        };
        let target = format!("{start}{}{path}", self.prefix);
        let mut request = request(method, authority, &target, body)?;
        let headers = request.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(login) = self
            .proxy
            .as_ref()
            .and_then(Intercept::basic_auth)
            .filter(|_| whole)
        {
            headers.insert(PROXY_AUTHORIZATION, login.clone());
        }
        self.connect().await?.send_dated(request).await
    }

    async fn connect(&self) -> Result<Connection, Refusal> {
        let (stream, peer) = match &self.proxy {
            Some(proxy) => self.connect_through(proxy).await?,
            None => {
                let addrs = resolve(&self.host, self.port).await?;
                connect::connect(&addrs, self.limits.connect_timeout).await?
            }
        };
        let Some(tls) = &self.tls else {
            return Connection::over(stream, peer, self.limits).await;
        };
        let name = ServerName::try_from(bare(&self.host).to_owned())
            .map_err(|error| Refusal::new(reason::NET_URL_INVALID, error.to_string()))?;
        let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        let limit = Duration::from_secs(TLS_HANDSHAKE_SECONDS);
        let stream = timeout(limit, handshake)
            .await
            .map_err(|_| Refusal::new(reason::NET_ANSWER_TIMEOUT, format!("{peer}: TLS")))?
            .map_err(|error| tls::handshake_refusal(&self.host, &error))?;
        Connection::over(stream, peer, self.limits).await
    }

    async fn connect_through(&self, proxy: &Intercept) -> Result<(TcpStream, SocketAddr), Refusal> {
        let uri = proxy.uri();
        let addrs = resolve(uri.host().unwrap_or(""), uri.port_u16().unwrap_or(80)).await?;
        let (mut stream, peer) = connect::connect(&addrs, self.limits.connect_timeout).await?;
        if self.is_tls {
            let target = format!("{}:{}", self.host, self.port);
            let opened = tunnel::open(&mut stream, &target, proxy.basic_auth());
            timeout(self.limits.answer_timeout, opened)
                .await
                .map_err(|_| Refusal::new(reason::NET_ANSWER_TIMEOUT, format!("proxy {peer}")))??;
        }
        Ok((stream, peer))
    }
}

impl std::fmt::Debug for AuthorityClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorityClient")
            .field("url", &self.url())
            .field("proxy", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
}

struct Parsed {
    is_tls: bool,
    host: String,
    port: u16,
    prefix: String,
    origin: Uri,
}

/// Whether an authority's URL can be used at all.
///
/// # Errors
/// `NET_URL_INVALID` with the rule that it breaks.
pub fn check_url(url: &str) -> Result<(), Refusal> {
    parse(url).map(|_| ())
}

fn parse(url: &str) -> Result<Parsed, Refusal> {
    // The URL may hold a password by mistake, so it is not repeated.
    let invalid = |rule: &str| Refusal::new(reason::NET_URL_INVALID, rule);
    let uri: Uri = url
        .trim()
        .parse()
        .map_err(|_| invalid("it cannot be parsed"))?;
    let is_tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(invalid("it begins with neither https:// nor http://")),
    };
    let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
    if authority.as_str().contains('@') {
        return Err(invalid("it holds a user or password"));
    }
    if uri.query().is_some() {
        return Err(invalid("it holds a query"));
    }
    let host = authority.host().to_ascii_lowercase();
    if host.is_empty() {
        return Err(invalid("it names no host"));
    }
    let port = match authority.as_str().rsplit_once(authority.host()) {
        Some((_, "")) if is_tls => 443,
        Some((_, "")) => 80,
        _ => authority
            .port_u16()
            .ok_or_else(|| invalid("its port is not a number"))?,
    };
    let prefix = uri.path().trim_end_matches('/').to_owned();
    let origin = Uri::builder()
        .scheme(if is_tls { "https" } else { "http" })
        .authority(authority.as_str())
        .path_and_query("/")
        .build()
        .map_err(|_| invalid("it cannot be parsed"))?;
    Ok(Parsed {
        is_tls,
        host,
        port,
        prefix,
        origin,
    })
}

/// An IPv6 address of a URL without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
}

/// This machine, by address or by the name that means it everywhere (RFC 6761 section 6.3).
fn is_loopback(host: &str) -> bool {
    match bare(host).parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn proxy(choice: &Proxy, origin: &Uri) -> Result<Option<Intercept>, Refusal> {
    let matcher = match choice {
        Proxy::Direct => return Ok(None),
        Proxy::Environment => Matcher::from_env(),
        Proxy::Through { url, no_proxy } => {
            if url.parse::<Uri>().map_or(true, |uri| uri.host().is_none()) {
                return Err(Refusal::new(reason::NET_PROXY_INVALID, "it names no host"));
            }
            Matcher::builder()
                .all(url.clone())
                .no(no_proxy.clone())
                .build()
        }
    };
    let Some(found) = matcher.intercept(origin) else {
        return Ok(None);
    };
    if found.uri().scheme_str() != Some("http") || found.uri().host().is_none() {
        let scheme = found.uri().scheme_str().unwrap_or("none").to_owned();
        return Err(Refusal::new(
            reason::NET_PROXY_INVALID,
            format!("its scheme is {scheme}"),
        ));
    }
    Ok(Some(found))
}

/// The system's own resolution, as every other program of the machine sees the authority.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
    let host = bare(host);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let limit = Duration::from_secs(DNS_LOOKUP_SECONDS);
    match timeout(limit, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addrs)) => Ok(addrs.collect()),
        Ok(Err(error)) => Err(Refusal::new(
            reason::NET_NO_ADDRESS,
            format!("{host}: {error}"),
        )),
        Err(_) => Err(Refusal::new(reason::DNS_SILENT, host)),
    }
}
