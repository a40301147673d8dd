//! The roles' configuration files: one TOML file a role, every field optional, no unknown names.
//! A flag beats a `MUSTER_*` variable beats the file beats the default.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use muster_authority::serve::ServeOptions;
use muster_host::{DnsOptions, Table, Zone};
use muster_net::dns::{check_name, parse_server};
use muster_net::http::authority::check_url;
use muster_proto::Refusal;
use muster_proto::reason::config as reasons;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::files;

/// The KMS port (IANA registers 1688/TCP for this use by the field's original).
pub(crate) const KMS_PORT: u16 = 1688;

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
    /// The table of clients that several hosts share.
    #[serde(deserialize_with = "table")]
    pub(crate) store: Option<Table>,
    /// The authority's address.
    #[serde(deserialize_with = "url")]
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
    #[serde(deserialize_with = "server")]
    pub(crate) server: Option<SocketAddr>,
    /// Zones, each `ZONE[,PRIORITY[,WEIGHT]]`.
    #[serde(deserialize_with = "zones")]
    pub(crate) zones: Vec<Zone>,
    /// The TSIG key file.
    pub(crate) tsig_key: Option<PathBuf>,
    /// This host's name.
    #[serde(deserialize_with = "name")]
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
    #[serde(deserialize_with = "server")]
    pub(crate) dns_server: Option<SocketAddr>,
}

/// The configuration of a role.
pub(crate) trait RoleConfig: DeserializeOwned + Default {
    /// Rules between fields, whatever flags and variables add; the rule that is broken.
    fn check_fields(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether the service takes the file as it is, without flags and variables.
    fn check_alone(&self) -> Result<(), Refusal> {
        Ok(())
    }

    /// The field that makes the file a secret, which others may not read.
    fn secret(&self) -> Option<&'static str> {
        None
    }
}

impl RoleConfig for AuthorityConfig {
    fn check_fields(&self) -> Result<(), String> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => Err("tls_cert: it needs tls_key beside it".to_owned()),
            (None, Some(_)) => Err("tls_key: it needs tls_cert beside it".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_alone(&self) -> Result<(), Refusal> {
        ServeOptions {
            listen: self.listen.into_iter().collect(),
            tls: self.tls_cert.clone().zip(self.tls_key.clone()),
            insecure_http: self.insecure_http,
        }
        .check()
    }
}

impl RoleConfig for KmsConfig {
    fn check_alone(&self) -> Result<(), Refusal> {
        let host_name = self.dns.host_name.clone();
        let options = DnsOptions {
            zones: self.dns.zones.clone(),
            // The machine's own name is as good as any that is not given here.
            host_name: host_name.unwrap_or_else(|| "kms".to_owned()),
            addresses: self.dns.host_addresses.clone(),
            ..DnsOptions::default()
        };
        options.lines(KMS_PORT).map(drop)
    }

    fn secret(&self) -> Option<&'static str> {
        let has_password = self.store.as_ref().is_some_and(Table::has_password);
        has_password.then_some("store")
    }
}

impl RoleConfig for ClientConfig {}

/// Reads a role's configuration: the file named, else the default one where it exists, else the
/// zero value.
pub(crate) fn load<T: RoleConfig>(named: Option<&Path>, role: &str) -> Result<T, Refusal> {
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

/// Checks a file as the configuration of the role that its name begins with. The files that it names
/// are not opened: it may be checked on another machine.
pub(crate) fn check(path: &Path) -> Result<&'static str, Refusal> {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    if stem.starts_with("authority") {
        check_as::<AuthorityConfig>(path).map(|()| "authority")
    } else if stem.starts_with("kms") {
        check_as::<KmsConfig>(path).map(|()| "kms")
    } else if stem.starts_with("client") {
        check_as::<ClientConfig>(path).map(|()| "client")
    } else {
        let detail = "the file's name must begin with its role: authority, kms or client";
        Err(wrong(path, detail))
    }
}

fn check_as<T: RoleConfig>(path: &Path) -> Result<(), Refusal> {
    let config: T = read(path)?;
    let checked = config.check_alone();
    checked.map_err(|refusal| wrong(path, &rule_of(&refusal)))
}

fn read<T: RoleConfig>(path: &Path) -> Result<T, Refusal> {
    let bytes = files::read(path, CONFIG_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong(path, "not text"))?;
    let config: T = parse(&text).map_err(|detail| wrong(path, &detail))?;
    if let Some(field) = config.secret()
        && files::is_open(path)?
    {
        let rule = "it holds a password, and others may read this file: chmod 0600, or keep the \
                    password in the file that PGPASSFILE names";
        return Err(wrong(path, &format!("{field}: {rule}")));
    }
    Ok(config)
}

/// Takes a text as `config check` takes a file; the rule that it breaks.
pub(crate) fn take<T: RoleConfig>(text: &str) -> Result<(), String> {
    let config: T = parse(text)?;
    config.check_alone().map_err(|refusal| rule_of(&refusal))
}

/// The configuration in a text; or the line, the field and the rule that it breaks.
fn parse<T: RoleConfig>(text: &str) -> Result<T, String> {
    let config: T = toml::from_str(text).map_err(|error| {
        let (line, field) = error.span().map_or((0, String::new()), |span| {
            let line = text[..span.start].matches('\n').count();
            (line + 1, field_at(text, line))
        });
        format!("line {line}: {field}{}", error.message())
    })?;
    config.check_fields()?;
    Ok(config)
}

/// The field whose value stands on a line, counted from 0, with its table: `dns.zones: `.
fn field_at(text: &str, line: usize) -> String {
    let before: Vec<&str> = text.lines().take(line + 1).map(str::trim).collect();
    let name = |line: &&str| line.split_once('=').map(|(name, _)| name.trim().to_owned());
    let Some(field) = before.iter().rev().find_map(name) else {
        return String::new();
    };
    let table = |line: &&str| Some(line.strip_prefix('[')?.strip_suffix(']')?.to_owned() + ".");
    let table = before.iter().rev().find_map(table).unwrap_or_default();
    format!("{table}{field}: ")
}

fn wrong(path: &Path, detail: &str) -> Refusal {
    Refusal::new(
        reasons::CONFIG_WRONG,
        format!("{}: {detail}", path.display()),
    )
}

/// What a parser of the service refuses, in a sentence about the file rather than the command line.
fn rule_of(refusal: &Refusal) -> String {
    let Refusal { reason, detail } = refusal;
    if *reason == reasons::MISUSED {
        detail.clone()
    } else if detail.is_empty() {
        reason.text().to_owned()
    } else {
        format!("{}: {detail}", reason.text())
    }
}

/// Reads text by the parser that reads the flag of the same meaning.
fn parsed<'de, D: Deserializer<'de>, T>(
    text: D,
    parser: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(text)?;
    let value = parser(&text).map_err(|refusal| D::Error::custom(rule_of(&refusal)))?;
    Ok(Some(value))
}

fn server<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SocketAddr>, D::Error> {
    parsed(text, parse_server)
}

fn url<'de, D: Deserializer<'de>>(text: D) -> Result<Option<String>, D::Error> {
    parsed(text, |url| check_url(url).map(|()| url.to_owned()))
}

fn table<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Table>, D::Error> {
    parsed(text, str::parse)
}

fn name<'de, D: Deserializer<'de>>(text: D) -> Result<Option<String>, D::Error> {
    parsed(text, check_name)
}

fn zones<'de, D: Deserializer<'de>>(texts: D) -> Result<Vec<Zone>, D::Error> {
    let texts = Vec::<String>::deserialize(texts)?;
    let zones = texts.iter().map(|text| text.parse());
    zones
        .collect::<Result<_, _>>()
        .map_err(|refusal| D::Error::custom(rule_of(&refusal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: RoleConfig>(text: &str) -> String {
        parse::<T>(text).map(drop).unwrap_err()
    }

    #[test]
    fn the_zero_value_is_usable_and_unknown_names_are_refused() {
        assert_eq!(parse::<KmsConfig>("").unwrap(), KmsConfig::default());
        assert!(parse::<KmsConfig>("lissten = []").is_err());
        assert!(parse::<ClientConfig>("dir = 5").is_err());
    }

    #[test]
    fn a_value_that_the_service_would_refuse_is_refused_with_its_field() {
        let cases = [
            (
                "listen = [\n  \"[::]:1688\",\n  \"nonsense\",\n]",
                3,
                "listen: ",
            ),
            ("authority = \"nonsense\"", 1, "authority: "),
            ("authority = \"ftp://a.example\"", 1, "authority: "),
            ("[dns]\nserver = \"nonsense\"", 2, "dns.server: "),
            ("[dns]\nserver = \"192.0.2.1:99999\"", 2, "dns.server: "),
            ("[dns]\n\nzones = [\"corp.test,x\"]", 3, "dns.zones: "),
            ("[dns]\nzones = [\"corp.test\", \"a b\"]", 2, "dns.zones: "),
            ("[dns]\nhost_name = \"a..b\"", 2, "dns.host_name: "),
            (
                "[dns]\nhost_addresses = [\"here\"]",
                2,
                "dns.host_addresses: ",
            ),
        ];
        for (text, line, field) in cases {
            let said = refused::<KmsConfig>(text);
            let wanted = format!("line {line}: {field}");
            assert!(said.starts_with(&wanted), "{text:?}: {said}");
            assert!(said.len() > wanted.len() + 5, "the rule is told: {said}");
        }
        let said = refused::<ClientConfig>("dns_server = \"nonsense\"");
        assert!(said.starts_with("line 1: dns_server: "), "{said}");
        assert!(said.contains("nonsense"), "{said}");
    }

    #[test]
    fn a_password_makes_the_file_a_secret_and_is_never_told() {
        let read = |text: &str| parse::<KmsConfig>(text).unwrap();
        let plain = read("store = \"postgres://muster@one,two/fleet?sslmode=verify-full\"");
        assert_eq!(plain.secret(), None);
        assert_eq!(read("store = \"own\"").secret(), None);
        let secret = read("store = \"postgres://muster:geheim@one/fleet\"");
        assert_eq!(secret.secret(), Some("store"));
        assert!(!format!("{secret:?}").contains("geheim"));
        let said = refused::<KmsConfig>("store = \"postgres://muster:geheim@one:port/fleet\"");
        assert!(said.starts_with("line 1: store: "), "{said}");
        assert!(!said.contains("geheim"), "{said}");
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        for (field, other) in [("tls_cert", "tls_key"), ("tls_key", "tls_cert")] {
            let said = refused::<AuthorityConfig>(&format!("{field} = \"/a.pem\""));
            assert!(said.starts_with(field) && said.contains(other), "{said}");
        }
        let both = "tls_cert = \"/a.pem\"\ntls_key = \"/a.key\"";
        assert!(parse::<AuthorityConfig>(both).is_ok());
    }

    #[test]
    fn a_file_alone_is_what_the_service_takes() {
        let plain = "listen = \"0.0.0.0:8443\"";
        let alone = |text: &str| parse::<AuthorityConfig>(text).unwrap().check_alone();
        assert!(alone(plain).is_err());
        assert!(alone(&format!("{plain}\ninsecure_http = true")).is_ok());
        let tls = "tls_cert = \"/a.pem\"\ntls_key = \"/a.key\"";
        assert!(alone(&format!("{plain}\n{tls}")).is_ok());
        assert!(alone("").is_ok());
        // Addresses of a name outside of the zone cannot be registered in it.
        let dns = "[dns]\nzones = [\"corp.test\"]\nhost_addresses = [\"192.0.2.1\"]\n";
        let kms = |text: &str| parse::<KmsConfig>(text).unwrap().check_alone();
        assert!(kms(dns).is_ok());
        assert!(kms(&format!("{dns}host_name = \"kms.corp.test\"")).is_ok());
        assert!(kms(&format!("{dns}host_name = \"kms.other.test\"")).is_err());
    }
}
