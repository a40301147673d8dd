//! The roles' configuration files: one TOML file a role, every field optional, no unknown names.
//! A flag beats a `MUSTER_*` variable beats the file beats the default.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use muster_proto::Refusal;
use muster_proto::reason::config as reasons;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::files;

/// Bytes of a configuration file at most.
const CONFIG_BYTES_MAX: usize = 65_536;

/// `/etc/muster/authority.toml`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuthorityConfig {
    /// The authority's directory.
    pub(crate) dir: Option<PathBuf>,
    /// The address to listen on.
    pub(crate) listen: Option<SocketAddr>,
    /// The address of the page of metrics.
    pub(crate) metrics: Option<SocketAddr>,
    /// The TLS certificate chain, PEM.
    pub(crate) tls_cert: Option<PathBuf>,
    /// The TLS private key, PEM.
    pub(crate) tls_key: Option<PathBuf>,
    /// Plain HTTP on an address other than loopback.
    pub(crate) insecure_http: bool,
}

/// `/etc/muster/kms.toml`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KmsConfig {
    /// The host's directory.
    pub(crate) dir: Option<PathBuf>,
    /// Addresses to listen on.
    pub(crate) listen: Vec<SocketAddr>,
    /// The address of the page of metrics.
    pub(crate) metrics: Option<SocketAddr>,
    /// The authority's address.
    pub(crate) authority: Option<String>,
    /// CA certificates to trust for the authority.
    pub(crate) ca_file: Option<PathBuf>,
    /// How the host stands in DNS.
    pub(crate) dns: DnsConfig,
}

/// The `[dns]` table of `kms.toml`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DnsConfig {
    /// The DNS server to update.
    pub(crate) server: Option<String>,
    /// Zones, each `ZONE[,PRIORITY[,WEIGHT]]`.
    pub(crate) zones: Vec<String>,
    /// The TSIG key file.
    pub(crate) tsig_key: Option<PathBuf>,
    /// This host's name.
    pub(crate) host_name: Option<String>,
    /// Addresses to register for it.
    pub(crate) host_addresses: Vec<IpAddr>,
}

/// `/etc/muster/client.toml`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientConfig {
    /// The client's directory.
    pub(crate) dir: Option<PathBuf>,
    /// The DNS server to ask.
    pub(crate) dns_server: Option<String>,
}

/// Reads a role's configuration: the file named, else the default one where it exists, else the
/// zero value.
pub(crate) fn load<T: DeserializeOwned + Default>(
    named: Option<&Path>,
    role: &str,
) -> Result<T, Refusal> {
    match named {
        Some(path) => read(path),
        None => {
            let default = Path::new("/etc/muster").join(format!("{role}.toml"));
            if default.exists() {
                read(&default)
            } else {
                Ok(T::default())
            }
        }
    }
}

/// Checks a file as the configuration of the role that its name begins with.
pub(crate) fn check(path: &Path) -> Result<&'static str, Refusal> {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    if stem.starts_with("authority") {
        read::<AuthorityConfig>(path).map(|_| "authority")
    } else if stem.starts_with("kms") {
        read::<KmsConfig>(path).map(|_| "kms")
    } else if stem.starts_with("client") {
        read::<ClientConfig>(path).map(|_| "client")
    } else {
        let detail = "the file's name must begin with its role: authority, kms or client";
        Err(Refusal::new(
            reasons::CONFIG_WRONG,
            format!("{}: {detail}", path.display()),
        ))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Refusal> {
    let wrong = |detail: String| {
        Refusal::new(
            reasons::CONFIG_WRONG,
            format!("{}: {detail}", path.display()),
        )
    };
    let bytes = files::read(path, CONFIG_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("not text".into()))?;
    toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        wrong(format!("line {line}: {}", error.message()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zero_value_is_usable_and_unknown_names_are_refused() {
        assert_eq!(
            toml::from_str::<KmsConfig>("").unwrap(),
            KmsConfig::default()
        );
        assert!(toml::from_str::<KmsConfig>("lissten = []").is_err());
        assert!(toml::from_str::<ClientConfig>("dir = 5").is_err());
    }
}
