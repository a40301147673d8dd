//! Where a database server is: one URL, several hosts.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;

use muster_proto::Refusal;
use muster_proto::limits::{POSTGRES_HOSTS_MAX, POSTGRES_URL_BYTES_MAX};
use muster_proto::reason::store as reasons;
use sqlx_core::connection::ConnectOptions;
use sqlx_postgres::PgConnectOptions;

/// Parameters that a URL may carry, as libpq names them.
const PARAMETERS: [&str; 9] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "user",
    "password",
    "dbname",
];
/// Those of them that name files.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];
/// Which hosts will do. The one that takes changes is looked for in any case.
const ATTRIBUTES: &str = "target_session_attrs";

/// Where a store on a database server is, as libpq writes it (PostgreSQL manual, 34.1.1.2):
/// `postgres://user:password@one:5432,two:5432/database?sslmode=verify-full`.
///
/// A password that the URL does not hold comes from `PGPASSWORD`, the file that `PGPASSFILE` names,
/// or `~/.pgpass`. Neither `Debug` nor `Display` shows it, nor any parameter.
#[derive(Clone)]
pub struct StoreUrl {
    hosts: Vec<PgConnectOptions>,
    files: Vec<PathBuf>,
    shown: String,
    has_password: bool,
}

impl StoreUrl {
    /// Whether the text is meant as such a URL, right or wrong.
    pub fn is_meant(text: &str) -> bool {
        text.contains("://")
    }

    /// Whether the URL itself holds a password: the file it stands in is then a secret.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    /// Demands that the certificates and the key that it names can be read.
    pub(super) fn read_files(&self) -> Result<(), Refusal> {
        for file in &self.files {
            File::open(file).map_err(|error| bad(format!("{}: {error}", file.display())))?;
        }
        Ok(())
    }

    /// How each host is connected to, in the order of the URL; never empty.
    pub(super) fn hosts(&self) -> &[PgConnectOptions] {
        &self.hosts
    }
}

impl FromStr for StoreUrl {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        if text.len() > POSTGRES_URL_BYTES_MAX {
            return Err(bad("it is too long"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("no scheme"))?;
        if !["postgres", "postgresql"].contains(&scheme) {
            return Err(bad(format!("{scheme} is not postgres")));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let query = parameters(query)?;
        let user = login.split_once(':').map_or(login, |(user, _)| user);
        let has_password = login.contains(':') || query.iter().any(|(name, _)| *name == "password");
        let kept: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let at = if login.is_empty() { "" } else { "@" };
        let open = |host: &str| {
            options(&format!(
                "postgres://{login}{at}{host}/{path}?{}",
                kept.join("&")
            ))
        };
        let hosts_named: Vec<&str> = hosts.split(',').collect();
        if hosts_named.len() > POSTGRES_HOSTS_MAX {
            return Err(bad(format!("more than {POSTGRES_HOSTS_MAX} hosts")));
        }
        Ok(Self {
            hosts: hosts_named
                .into_iter()
                .map(open)
                .collect::<Result<_, _>>()?,
            files: query
                .iter()
                .filter(|(name, _)| FILES.contains(name))
                .map(|(_, value)| PathBuf::from(value))
                .collect(),
            shown: format!("postgres://{user}{at}{hosts}/{path}"),
            has_password,
        })
    }
}

/// The known parameters of a URL; another one is refused, and only its name is told.
fn parameters(query: &str) -> Result<Vec<(&str, &str)>, Refusal> {
    let mut kept = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name == ATTRIBUTES {
            if !["any", "read-write", "primary"].contains(&value) {
                return Err(bad(format!("{ATTRIBUTES} must be read-write")));
            }
        } else if PARAMETERS.contains(&name) {
            kept.push((name, value));
        } else {
            return Err(bad(format!("the parameter {name} is not known")));
        }
    }
    Ok(kept)
}

fn options(url: &str) -> Result<PgConnectOptions, Refusal> {
    let options = PgConnectOptions::from_str(url).map_err(|error| bad(error.to_string()))?;
    // Statements carry no secret, but a log of every one helps nobody.
    Ok(options
        .application_name("muster")
        .disable_statement_logging())
}

fn bad(what: impl Into<String>) -> Refusal {
    Refusal::new(reasons::BAD_URL, what)
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> StoreUrl {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_are_tried_in_the_order_of_the_url() {
        let url = parse(
            "postgresql://muster@one,two:5433,[2001:db8::3]:5434/fleet?sslmode=require&target_session_attrs=read-write",
        );
        let places: Vec<_> = url
            .hosts()
            .iter()
            .map(|host| (host.get_host(), host.get_port()))
            .collect();
        assert_eq!(
            places,
            [("one", 5432), ("two", 5433), ("[2001:db8::3]", 5434)]
        );
        assert_eq!(url.hosts()[1].get_database(), Some("fleet"));
        assert_eq!(
            url.to_string(),
            "postgres://muster@one,two:5433,[2001:db8::3]:5434/fleet"
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://muster:geheim@one,two/fleet",
            "postgres://muster@one/fleet?password=geheim",
            "postgres://muster:ge%2Fheim@one/fleet",
        ] {
            let url = parse(text);
            assert!(url.has_password());
            let shown = format!("{url} {url:?}");
            assert!(!shown.contains("heim"), "{shown}");
        }
        assert!(!parse("postgres://muster@one/fleet").has_password());
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_showing_it() {
        for text in [
            "mysql://one/fleet",
            "kms.db",
            "postgres://one/fleet?geheim=1&x=geheim",
            "postgres://one/fleet?target_session_attrs=standby",
            "postgres://one/fleet?sslmode=maybe",
            "postgres://one:port/fleet",
            "postgres://1,2,3,4,5,6,7,8,9/fleet",
            &format!("postgres://one/{}", "x".repeat(POSTGRES_URL_BYTES_MAX)),
        ] {
            let refusal = text.parse::<StoreUrl>().unwrap_err();
            assert_eq!(refusal.reason, reasons::BAD_URL, "{text}");
            assert!(!refusal.detail.contains("=geheim"), "{refusal}");
        }
    }
}
