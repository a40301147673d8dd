//! The authority's client and TLS server: trust, names, times, files, plain HTTP and proxies.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use muster_proto::Reason;
use muster_proto::reason::dns as reason;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::authority::{AuthorityClient, AuthorityOptions, Proxy};
use super::*;

/// Certificates of a test, made for it.
struct Pki {
    dir: tempfile::TempDir,
    ca: Issuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let pki = Self {
            dir: tempfile::tempdir().unwrap(),
            ca: Issuer::new(params, key),
        };
        pki.write("ca.pem", &pem);
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A leaf for this name that ends in this year.
    fn leaf(&self, name: &str, until: i32) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.ca).unwrap().pem();
        let file = format!("{name}-{until}");
        (
            self.write(&format!("{file}.pem"), &pem),
            self.write(&format!("{file}.key"), &key.serialize_pem()),
        )
    }

    fn options(&self) -> AuthorityOptions {
        AuthorityOptions {
            ca_file: Some(self.path("ca.pem")),
            proxy: Proxy::Direct,
            ..AuthorityOptions::default()
        }
    }
}

fn tls_server(cert: &Path, key: &Path) -> Running {
    let listener = Listener::bind(&[local()])
        .unwrap()
        .with_tls(cert, key)
        .unwrap();
    Running::start(listener, short(), echo)
}

async fn met(url: &str, options: &AuthorityOptions) -> Result<String, Reason> {
    let client = AuthorityClient::new(url, options).map_err(|refusal| refusal.reason)?;
    let (status, body) = client
        .post("/v1/x", "application/json", "{}")
        .await
        .map_err(|refusal| refusal.reason)?;
    assert_eq!(status, 200);
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn https_trusts_the_given_authority_and_nobody_else() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let (cert, key) = pki.leaf("localhost", 2999);
    let server = tls_server(&cert, &key);
    let url = format!("https://localhost:{}/base/", server.addr.port());
    let answer = met(&url, &pki.options()).await.unwrap();
    assert!(
        answer.starts_with("POST /base/v1/x - 127.0.0.1 {}"),
        "{answer}"
    );
    assert_eq!(
        met(&url, &stranger.options()).await,
        Err(reason::NET_TLS_UNTRUSTED)
    );
    server.stop().await;

    for (name, until, expected) in [
        ("other.test", 2999, reason::NET_TLS_WRONG_NAME),
        ("localhost", 2021, reason::NET_TLS_TIME),
    ] {
        let (cert, key) = pki.leaf(name, until);
        let server = tls_server(&cert, &key);
        let url = format!("https://localhost:{}", server.addr.port());
        assert_eq!(
            met(&url, &pki.options()).await,
            Err(expected),
            "{name} {until}"
        );
        server.stop().await;
    }
    let plain = Running::echo(short());
    let url = format!("https://localhost:{}", plain.addr.port());
    assert_eq!(met(&url, &pki.options()).await, Err(reason::NET_TLS_FAILED));
    plain.stop().await;
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_where_it_is_named() {
    let pki = Pki::new();
    for (name, expected) in [
        ("localhost", None),
        ("other.test", Some(reason::NET_TLS_WRONG_NAME)),
    ] {
        // As `openssl req -x509` makes it: its own authority.
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = pki.write("self.pem", &params.self_signed(&key).unwrap().pem());
        let key = pki.write("self.key", &key.serialize_pem());
        let server = tls_server(&cert, &key);
        let url = format!("https://localhost:{}", server.addr.port());
        let named = AuthorityOptions {
            ca_file: Some(cert),
            ..pki.options()
        };
        assert_eq!(met(&url, &named).await.err(), expected, "{name}");
        assert!(
            met(&url, &pki.options()).await.is_err(),
            "trusted without being named"
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (pki, next) = (Pki::new(), Pki::new());
    let (cert, key) = pki.leaf("localhost", 2999);
    let listener = Listener::bind(&[local()]).unwrap();
    let listener = listener
        .with_tls_rechecked(&cert, &key, Duration::ZERO)
        .unwrap();
    let server = Running::start(listener, short(), echo);
    let url = format!("https://localhost:{}", server.addr.port());
    assert!(met(&url, &pki.options()).await.is_ok());

    let (new_cert, new_key) = next.leaf("localhost", 2999);
    replace(&new_cert, &cert);
    assert!(
        met(&url, &pki.options()).await.is_ok(),
        "half a pair was taken"
    );
    replace(&new_key, &key);
    assert!(met(&url, &next.options()).await.is_ok());
    assert_eq!(
        met(&url, &pki.options()).await,
        Err(reason::NET_TLS_UNTRUSTED)
    );
    server.stop().await;
}

/// Renames, as a renewal does, and makes sure that the time stamp is another one.
fn replace(new: &Path, old: &Path) {
    let before = old.metadata().unwrap().modified().unwrap();
    std::fs::rename(new, old).unwrap();
    let file = std::fs::File::options().append(true).open(old).unwrap();
    file.set_modified(before + Duration::from_secs(1)).unwrap();
}

#[test]
fn tls_files_are_checked_before_anything_is_served() {
    let pki = Pki::new();
    let (cert, key) = pki.leaf("localhost", 2999);
    let (_, other) = pki.leaf("other.test", 2999);
    let empty = pki.write("empty.pem", "no pem here\n");
    let missing = pki.path("missing.pem");
    let load = |cert: &Path, key: &Path| {
        Listener::bind(&[local()])
            .unwrap()
            .with_tls(cert, key)
            .map(drop)
            .map_err(|r| r.reason)
    };
    assert_eq!(load(&cert, &key), Ok(()));
    assert_eq!(load(&cert, &other), Err(reason::NET_TLS_KEY_MISMATCH));
    assert_eq!(load(&missing, &key), Err(reason::NET_TLS_FILE_UNREADABLE));
    assert_eq!(load(&cert, &missing), Err(reason::NET_TLS_FILE_UNREADABLE));
    assert_eq!(load(&empty, &key), Err(reason::NET_TLS_FILE_MALFORMED));
    assert_eq!(load(&cert, &empty), Err(reason::NET_TLS_FILE_MALFORMED));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(load(&cert, &key), Err(reason::NET_TLS_KEY_EXPOSED));
}

#[test]
fn urls_are_held_to_the_rules() {
    let options = AuthorityOptions {
        proxy: Proxy::Direct,
        ..AuthorityOptions::default()
    };
    let insecure = AuthorityOptions {
        insecure_http: true,
        ..options.clone()
    };
    let reason_of = |url: &str, options: &AuthorityOptions| {
        AuthorityClient::new(url, options)
            .map(|client| client.url())
            .map_err(|r| r.reason)
    };
    for url in [
        "http://127.0.0.1:8443",
        "http://localhost:8443/x",
        "http://[::1]:8443",
    ] {
        assert_eq!(reason_of(url, &options).as_deref(), Ok(url));
    }
    assert_eq!(
        reason_of("http://authority.test", &options),
        Err(reason::NET_PLAIN_HTTP)
    );
    assert_eq!(
        reason_of("http://192.0.2.1:80", &options),
        Err(reason::NET_PLAIN_HTTP)
    );
    assert!(reason_of("http://authority.test", &insecure).is_ok());
    for url in [
        "",
        "authority.test",
        "ftp://authority.test",
        "https://",
        "https://u:p@authority.test",
        "https://authority.test?x=1",
        "https://authority.test:port",
    ] {
        assert_eq!(
            reason_of(url, &insecure),
            Err(reason::NET_URL_INVALID),
            "{url}"
        );
    }
}

/// A proxy that notes each head it gets and then connects to `target`, or refuses.
async fn fake_proxy(target: SocketAddr, refuse: bool) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(local()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            let text = String::from_utf8(head.clone()).unwrap();
            let is_tunnel = text.starts_with("CONNECT ");
            noted.lock().unwrap().push(text);
            if refuse {
                let _ = client
                    .write_all(b"HTTP/1.1 407 Login\r\ncontent-length: 0\r\n\r\n")
                    .await;
                continue;
            }
            let mut server = TcpStream::connect(target).await.unwrap();
            if is_tunnel {
                client
                    .write_all(b"HTTP/1.1 200 Opened\r\nvia: test\r\n\r\n")
                    .await
                    .unwrap();
            } else {
                server.write_all(&head).await.unwrap();
            }
            tokio::spawn(
                async move { tokio::io::copy_bidirectional(&mut client, &mut server).await },
            );
        }
    });
    (addr, heads)
}

fn through(proxy: SocketAddr, no_proxy: &str) -> Proxy {
    Proxy::Through {
        url: format!("http://me:secret@{proxy}"),
        no_proxy: no_proxy.to_owned(),
    }
}

#[tokio::test]
async fn https_goes_through_a_tunnel_of_the_proxy() {
    let pki = Pki::new();
    let (cert, key) = pki.leaf("authority.test", 2999);
    let server = tls_server(&cert, &key);
    let (proxy, heads) = fake_proxy(server.addr, false).await;
    let options = AuthorityOptions {
        proxy: through(proxy, ""),
        ..pki.options()
    };
    let answer = met("https://authority.test:9443", &options).await.unwrap();
    assert!(answer.starts_with("POST /v1/x"), "{answer}");
    let head = heads.lock().unwrap().join("");
    assert!(
        head.starts_with("CONNECT authority.test:9443 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"),
        "{head}"
    );

    let (refusing, _) = fake_proxy(server.addr, true).await;
    let options = AuthorityOptions {
        proxy: through(refusing, ""),
        ..pki.options()
    };
    assert_eq!(
        met("https://authority.test", &options).await,
        Err(reason::NET_PROXY_REFUSED)
    );
    server.stop().await;
}

#[tokio::test]
async fn plain_http_through_a_proxy_names_the_whole_url() {
    let server = Running::echo(short());
    let (proxy, heads) = fake_proxy(server.addr, false).await;
    let options = AuthorityOptions {
        insecure_http: true,
        proxy: through(proxy, "direct.test"),
        ..AuthorityOptions::default()
    };
    let answer = met("http://authority.test/base", &options).await.unwrap();
    assert!(answer.starts_with("POST /base/v1/x"), "{answer}");
    let head = heads.lock().unwrap().join("");
    assert!(
        head.starts_with("POST http://authority.test/base/v1/x HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("proxy-authorization: Basic bWU6c2VjcmV0\r\n"),
        "{head}"
    );
    // Neither this machine nor what NO_PROXY names goes through it.
    met(&format!("http://{}", server.addr), &options)
        .await
        .unwrap();
    assert_eq!(
        met("http://direct.test", &options).await,
        Err(reason::NET_NO_ADDRESS)
    );
    assert_eq!(heads.lock().unwrap().len(), 1);
    server.stop().await;
}

#[test]
fn proxies_that_cannot_be_used_are_named() {
    for url in [
        "socks5://127.0.0.1:1080",
        "https://proxy.test:443",
        "::",
        "",
    ] {
        let proxy = Proxy::Through {
            url: url.to_owned(),
            no_proxy: String::new(),
        };
        let options = AuthorityOptions {
            insecure_http: true,
            proxy,
            ..AuthorityOptions::default()
        };
        let refusal = AuthorityClient::new("http://authority.test", &options).unwrap_err();
        assert_eq!(refusal.reason, reason::NET_PROXY_INVALID, "{url}");
    }
}

proptest::proptest! {
    #[test]
    fn no_url_makes_the_client_panic(text in "\\PC{0,60}", rest in "[a-z0-9:@/?#\\[\\].%-]{0,40}") {
        let options = AuthorityOptions {
            insecure_http: true,
            proxy: Proxy::Through { url: format!("http://{rest}"), no_proxy: text.clone() },
            ..AuthorityOptions::default()
        };
        for url in [text, format!("http://{rest}")] {
            if let Ok(client) = AuthorityClient::new(&url, &options) {
                proptest::prop_assert!(client.url().starts_with("http"));
            }
        }
    }
}
