//! TLS of the authority: the server's certificate and key from files, the client's trust in the
//! system's roots and, where given, in certificates of one more file; and words for what fails.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use muster_proto::limits::TLS_FILE_BYTES_MAX;
use muster_proto::reason::dns as reason;
use muster_proto::{Reason, Refusal};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use tokio::time::Instant;
use zeroize::Zeroizing;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The server's configuration from two PEM files, which are looked at again every `recheck`: a
/// certificate that was renewed is shown without a restart.
pub(super) fn server_config(
    cert: &Path,
    key: &Path,
    recheck: Duration,
) -> Result<Arc<ServerConfig>, Refusal> {
    let identity = Identity {
        cert: cert.to_owned(),
        key: key.to_owned(),
        recheck,
        shown: Mutex::new(Shown::load(cert, key)?),
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Refusal::new(reason::NET_TLS_FAILED, error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(identity));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The server's certificate and key, and where they come from.
#[derive(Debug)]
struct Identity {
    cert: PathBuf,
    key: PathBuf,
    recheck: Duration,
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Shown {
    pair: Arc<CertifiedKey>,
    stamps: [Option<SystemTime>; 2],
    checked_at: Instant,
}

impl Shown {
    fn load(cert: &Path, key: &Path) -> Result<Self, Refusal> {
        let stamps = stamps(cert, key);
        let pair = CertifiedKey::from_der(certificates(cert)?, private_key(key)?, &provider())
            .map_err(|error| {
                let reason = match error {
                    Error::InconsistentKeys(_) => reason::NET_TLS_KEY_MISMATCH,
                    _ => reason::NET_TLS_FILE_MALFORMED,
                };
                Refusal::new(
                    reason,
                    format!("{}, {}: {error}", cert.display(), key.display()),
                )
            })?;
        Ok(Self {
            pair: Arc::new(pair),
            stamps,
            checked_at: Instant::now(),
        })
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.checked_at.elapsed() >= self.recheck {
            shown.checked_at = Instant::now();
            if shown.stamps != stamps(&self.cert, &self.key) {
                // One file may be new and the other not yet: the old pair stays until both fit.
                match Shown::load(&self.cert, &self.key) {
                    Ok(new) => *shown = new,
                    Err(refusal) => tracing::warn!(%refusal, "the old TLS certificate stays"),
                }
            }
        }
        Some(Arc::clone(&shown.pair))
    }
}

fn stamps(cert: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [cert, key].map(|path| {
        path.metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
    })
}

/// The client's configuration: the system's roots and those of `ca_file`.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Refusal> {
    let extra = ca_file.map(certificates).transpose()?.unwrap_or_default();
    let verifier = Verifier::new_with_extra_roots(extra.clone(), provider())
        .map_err(|error| Refusal::new(reason::NET_TLS_UNTRUSTED, error.to_string()))?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Refusal::new(reason::NET_TLS_FAILED, error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trust { verifier, extra }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What a failed handshake is called.
pub(super) fn handshake_refusal(server: &str, error: &std::io::Error) -> Refusal {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let reason = match tls {
        Some(Error::InvalidCertificate(error)) => certificate_reason(error),
        _ => reason::NET_TLS_FAILED,
    };
    Refusal::new(reason, format!("{server}: {error}"))
}

fn certificate_reason(error: &CertificateError) -> Reason {
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            reason::NET_TLS_WRONG_NAME
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => reason::NET_TLS_TIME,
        _ => reason::NET_TLS_UNTRUSTED,
    }
}

/// The platform's verifier, and one thing more: a small publisher's server often shows a
/// self-signed certificate that is marked as an authority (`openssl req -x509` makes them so). Web
/// PKI refuses it as a server's own, even where the administrator named exactly this certificate
/// as trusted. Byte for byte the same and for this name, it is accepted.
#[derive(Debug)]
struct Trust {
    verifier: Verifier,
    extra: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.extra.iter().any(|trusted| trusted == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    let (pem, _) = read(path)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(path, error))?;
    if chain.is_empty() {
        return Err(malformed(path, "there is no CERTIFICATE in it"));
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Refusal> {
    let (pem, mode) = read(path)?;
    if mode & 0o007 != 0 {
        let detail = format!("{}: mode {:03o}", path.display(), mode & 0o777);
        return Err(Refusal::new(reason::NET_TLS_KEY_EXPOSED, detail));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| malformed(path, error))
}

/// A file's bytes, limited and wiped on drop, and its mode.
fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, u32), Refusal> {
    let unreadable = |error: std::io::Error| {
        Refusal::new(
            reason::NET_TLS_FILE_UNREADABLE,
            format!("{}: {error}", path.display()),
        )
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode();
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(TLS_FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > TLS_FILE_BYTES_MAX {
        return Err(malformed(
            path,
            format!("more than {TLS_FILE_BYTES_MAX} bytes"),
        ));
    }
    Ok((bytes, mode))
}

fn malformed(path: &Path, error: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        reason::NET_TLS_FILE_MALFORMED,
        format!("{}: {error}", path.display()),
    )
}
