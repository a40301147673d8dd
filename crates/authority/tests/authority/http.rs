//! The HTTP API over real sockets, plain and under TLS.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use muster_authority::api::{Api, Call, Clock};
use muster_authority::serve::{ServeOptions, bind, serve};
use muster_authority::{Authority, api};
use muster_net::http::authority::{AuthorityClient, AuthorityOptions};
use muster_net::http::{Bytes, ClientLimits, Connection, ServerReport};
use muster_proto::Refusal;
use muster_proto::authority::HostNumber;
use muster_proto::authority::answer::{Activation, Publisher, RevocationList};
use muster_proto::ids::ProductId;
use muster_proto::limits::AUTHORITY_REQUESTS_PER_SOURCE_MINUTE;
use muster_proto::reason::{authority as reasons, key as key_reasons, statement};
use muster_proto::wire::Bundle;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::common::{NOW, authority, host_key, policy, product, request, verify};

fn clock() -> Clock {
    Arc::new(|| NOW)
}

fn options(tls: Option<(&Path, &Path)>) -> ServeOptions {
    ServeOptions {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        tls: tls.map(|(cert, key)| (cert.to_owned(), key.to_owned())),
        insecure_http: false,
    }
}

/// A service at work and the way to stop it.
struct Service {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<ServerReport, Refusal>>,
}

impl Service {
    async fn start(directory: &Path, options: &ServeOptions) -> Self {
        let authority = Arc::new(Authority::open(directory).await.unwrap());
        let listener = bind(options).unwrap();
        let address = listener.addresses()[0];
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let ended = tokio::spawn(serve(authority, listener, clock(), shutdown));
        Self {
            address,
            stop,
            ended,
        }
    }

    async fn connect(&self) -> Connection {
        Connection::open(&[self.address], ClientLimits::default())
            .await
            .unwrap()
    }

    async fn get(&self, path: &str) -> (u16, Bytes) {
        let mut connection = self.connect().await;
        connection.get("authority", path).await.unwrap()
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> (u16, Bytes) {
        let mut connection = self.connect().await;
        let answer = connection.post("authority", path, "application/cbor", body);
        answer.await.unwrap()
    }

    async fn stop(self) -> ServerReport {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap().unwrap()
    }
}

fn code(body: &[u8]) -> String {
    let error: Value = serde_json::from_slice(body).unwrap();
    for field in ["text", "cause", "next"] {
        assert!(error["error"][field].is_string());
    }
    error["error"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_host_is_certified_over_the_wire_and_commands_take_effect_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let command = authority(directory.path()).await;
    let service = Service::start(directory.path(), &options(None)).await;

    let (status, body) = service.get("/v1/publisher").await;
    assert_eq!(status, 200);
    let publisher = Publisher::decode(&body).unwrap();
    assert_eq!(&publisher.root, command.root());

    // The key is issued beside the running service.
    let key = host_key(&command).await;
    let made = request(&publisher, &[&key], "a");
    let (status, body) = service.post("/v1/certify", made.bytes.clone()).await;
    assert_eq!(status, 200);
    let activation = Activation::decode(&body).unwrap();
    verify(&publisher, &made, &activation, NOW).unwrap();
    let (_, again) = service.post("/v1/certify", made.bytes.clone()).await;
    assert_eq!(again, body);
    assert_eq!(
        command.certify(&made.bytes, None, NOW).await.unwrap(),
        activation
    );

    command.revoke_host(HostNumber(1), NOW).await.unwrap();
    let (status, body) = service.get("/v1/revocations?from=0").await;
    assert_eq!(
        (status, RevocationList::decode(&body).unwrap().number),
        (200, 1)
    );
    let (status, body) = service.post("/v1/certify", made.bytes).await;
    assert_eq!(
        (status, code(&body)),
        (403, reasons::HOST_REVOKED.code().to_owned())
    );

    command.add_product(policy("cam"), NOW).await.unwrap();
    let (status, body) = service.get("/v1/products/cam/policy").await;
    assert_eq!(status, 200);
    let bundle = Bundle::decode(&body).unwrap().verify().unwrap();
    assert_eq!(bundle.policy.claims.product, product("cam"));
    let (status, body) = service.get("/openapi.json").await;
    assert_eq!((status, &body[..]), (200, api::OPENAPI.as_bytes()));
    assert_eq!(service.get("/healthz").await.0, 200);
    let report = service.stop().await;
    assert_eq!((report.connections, report.faults, report.cut), (8, 0, 0));
}

#[tokio::test]
async fn hostile_requests_get_a_reason_and_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let command = authority(directory.path()).await;
    let service = Service::start(directory.path(), &options(None)).await;
    let cose = [0xd2, 0x84, 0x43, 0xa1, 0x01, 0x26, 0xa0, 0x40, 0x40];
    for (body, status, reason) in [
        (Vec::new(), 413, reasons::BODY_SIZE),
        (vec![0xff; 4_096], 400, statement::NOT_CBOR),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 400, statement::NOT_CBOR),
        (vec![0x9f; 4_000], 400, statement::NOT_CBOR),
        (vec![0x81; 4_000], 400, statement::NOT_CBOR),
        (cose.to_vec(), 400, statement::NOT_COSE),
        (vec![0xa0], 400, statement::NOT_COSE),
    ] {
        let shown = body[..body.len().min(9)].to_vec();
        let answer = service.post("/v1/certify", body).await;
        assert_eq!(
            (answer.0, code(&answer.1)),
            (status, reason.code().to_owned()),
            "{shown:02x?}"
        );
    }
    for (path, status, reason) in [
        ("/", 404, reasons::ROUTE_UNKNOWN),
        ("/v1/certify", 405, reasons::METHOD_WRONG),
        ("/v1/products/erp/policy", 404, reasons::PRODUCT_UNKNOWN),
        ("/v1/revocations?from=x", 400, reasons::QUERY_WRONG),
        ("/v1/publisher?x=1", 400, reasons::QUERY_WRONG),
    ] {
        let answer = service.get(path).await;
        assert_eq!(
            (answer.0, code(&answer.1)),
            (status, reason.code().to_owned()),
            "{path}"
        );
    }
    assert_eq!(
        service.get("/v1/products/..%2f..%2fetc/policy").await.0,
        400
    );
    assert_eq!(service.post("/healthz", b"x".to_vec()).await.0, 405);
    assert_eq!(service.post("/v1/certify", vec![0; 4_097]).await.0, 413);
    assert_eq!(service.post("/v1/certify", vec![0; 1 << 20]).await.0, 413);
    assert!(command.hosts(HostNumber(0), 10).await.unwrap().is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_source_that_asks_too_often_or_guesses_is_told_to_wait() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Arc::new(authority(directory.path()).await);
    let publisher = authority.publisher(NOW).await.unwrap();
    let api = Api::new(Arc::clone(&authority), clock());
    let call = |body: &[u8], last: u8| {
        let (method, path) = match body.is_empty() {
            true => ("GET", "/v1/publisher"),
            false => ("POST", "/v1/certify"),
        };
        let (api, body) = (&api, body.to_vec());
        async move {
            let answer = api.answer(Call {
                method,
                path,
                query: None,
                peer: [192, 0, 2, last].into(),
                body: &body,
            });
            answer.await
        }
    };
    let id: ProductId = product("cad");
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = host_key(&crate::common::authority(elsewhere.path()).await).await;
    for _ in 0..10 {
        let made = request(&publisher, &[&foreign], id.as_str());
        let answer = call(&made.bytes, 1).await;
        assert_eq!(
            (answer.status, code(&answer.body)),
            (403, key_reasons::UNKNOWN.code().into())
        );
    }
    let made = request(&publisher, &[&foreign], "a");
    let answer = call(&made.bytes, 1).await;
    let expected = (429, key_reasons::TOO_MANY_TRIES.code().to_owned());
    assert_eq!((answer.status, code(&answer.body)), expected);
    for _ in 0..AUTHORITY_REQUESTS_PER_SOURCE_MINUTE {
        assert_eq!(call(&[], 2).await.status, 200);
    }
    let answer = call(&[], 2).await;
    let expected = (429, reasons::TOO_MANY_REQUESTS.code().to_owned());
    assert_eq!((answer.status, code(&answer.body)), expected);
    assert_eq!(call(&[], 3).await.status, 200);
}

#[tokio::test]
async fn an_authority_without_issuing_key_is_not_healthy() {
    let directory = tempfile::tempdir().unwrap();
    let root = muster_authority::root::RootKeys::generate("Contoso", 1).unwrap();
    let ceremony = muster_authority::Ceremony::Offline(root.public().clone());
    let init = Authority::init(directory.path(), "Contoso", None, ceremony, NOW).await;
    drop(init.unwrap());
    let service = Service::start(directory.path(), &options(None)).await;
    for path in ["/healthz", "/v1/publisher"] {
        let (status, body) = service.get(path).await;
        assert_eq!(
            (status, code(&body)),
            (503, reasons::AWAITING_ROOT.code().to_owned())
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn https_by_certificate_files_and_plain_http_on_this_machine_only() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("authority");
    let command = authority(&home).await;
    let (cert, key) = (
        directory.path().join("tls.pem"),
        directory.path().join("tls.key"),
    );
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let service = Service::start(&home, &options(Some((&cert, &key)))).await;
    let trusting = AuthorityOptions {
        ca_file: Some(cert.clone()),
        ..AuthorityOptions::default()
    };
    let url = format!("https://{}", service.address);
    let client = AuthorityClient::new(&url, &trusting).unwrap();
    let (status, body) = client.get("/v1/publisher").await.unwrap();
    assert_eq!(
        (status, Publisher::decode(&body).unwrap().root),
        (200, command.root().clone())
    );
    service.stop().await;

    let mut outside = options(None);
    outside.listen = vec![SocketAddr::from(([0, 0, 0, 0], 0))];
    assert_eq!(bind(&outside).unwrap_err().reason, reasons::PLAIN_LISTEN);
    outside.insecure_http = true;
    bind(&outside).unwrap();
}
