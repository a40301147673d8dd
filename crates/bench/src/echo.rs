//! The floors: an HTTP echo built with the HTTP stack of the KMS host, and a bare TLS 1.3 echo. Each
//! is a process of its own, so that its CPU time can be told.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use muster_net::http::{Bytes, Listener, Request, Response, ServerLimits, serve};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::failure::{During, Failure, Outcome};

/// The name in the certificate.
const NAME: &str = "localhost";

/// Answers every HTTP request with so many bytes, until the process is ended.
pub(crate) async fn serve_http(answer_bytes: usize) -> Outcome<()> {
    let listener = Listener::bind(&[any_port()])?;
    let answer = Bytes::from(vec![0x5a; answer_bytes]);
    tell_ready(listener.addresses().first().copied())?;
    let reply = move |_: Request| {
        let answer = answer.clone();
        async move { Response::new(200, "application/octet-stream", answer) }
    };
    serve(
        listener,
        ServerLimits::default(),
        reply,
        std::future::pending(),
    )
    .await?;
    Ok(())
}

/// Writes a certificate of P-256 for [`NAME`] and its key, both PEM.
pub(crate) fn write_certificate(cert: &Path, key: &Path) -> Outcome<()> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).during("a certificate")?;
    std::fs::write(cert, made.cert.pem()).during("a certificate")?;
    std::fs::write(key, made.signing_key.serialize_pem()).during("a certificate's key")
}

/// Answers every TLS connection's request of so many bytes with so many, until the process is ended.
/// No tickets are made, and the key exchange is plain X25519: the cheapest that TLS 1.3 can be.
pub(crate) async fn serve_tls(cert: &Path, key: &Path, sizes: Sizes) -> Outcome<()> {
    let chain = vec![CertificateDer::from_pem_file(cert).during("the certificate")?];
    let key = PrivateKeyDer::from_pem_file(key).during("the certificate's key")?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .during("TLS 1.3")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .during("the certificate")?;
    config.send_tls13_tickets = 0;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(any_port()).await.during("a port")?;
    tell_ready(listener.local_addr().ok())?;
    loop {
        let (stream, _) = listener.accept().await.during("a connection")?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move { answer_tls(&acceptor, stream, sizes).await });
    }
}

/// Bytes of a request and of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) request: usize,
    pub(crate) answer: usize,
}

async fn answer_tls(acceptor: &TlsAcceptor, stream: TcpStream, sizes: Sizes) -> Outcome<()> {
    stream.set_nodelay(true).during("a connection")?;
    let mut line = acceptor.accept(stream).await.during("a handshake")?;
    let mut request = vec![0; sizes.request];
    line.read_exact(&mut request).await.during("a request")?;
    let answer = vec![0x5a; sizes.answer];
    line.write_all(&answer).await.during("an answer")?;
    line.flush().await.during("an answer")?;
    line.shutdown().await.during("a connection's end")
}

/// Whoever asks a TLS echo, trusting the one certificate.
#[derive(Clone)]
pub(crate) struct TlsAsker {
    connector: TlsConnector,
    address: SocketAddr,
    sizes: Sizes,
}

impl TlsAsker {
    /// Trusts the certificate in a file.
    pub(crate) fn new(cert: &Path, address: SocketAddr, sizes: Sizes) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(cert).during("the certificate")?)
            .during("the certificate")?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .during("TLS 1.3")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            address,
            sizes,
        })
    }

    /// One request on a connection of its own, and its answer.
    pub(crate) async fn ask(&self) -> Outcome<()> {
        let stream = TcpStream::connect(self.address).await.during("TLS echo")?;
        stream.set_nodelay(true).during("TLS echo")?;
        let name = ServerName::try_from(NAME).during("TLS echo")?;
        let mut line = self
            .connector
            .connect(name, stream)
            .await
            .during("TLS echo")?;
        let request = vec![0x5a; self.sizes.request];
        line.write_all(&request).await.during("TLS echo")?;
        let mut answer = vec![0; self.sizes.answer];
        line.read_exact(&mut answer).await.during("TLS echo")?;
        Ok(())
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    Arc::new(provider)
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn tell_ready(address: Option<SocketAddr>) -> Outcome<()> {
    let address = address.ok_or_else(|| Failure::said("no address to listen on"))?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {address}")
        .and_then(|()| out.flush())
        .during("standard output")
}
