//! The key that signs DNS updates (TSIG, RFC 8945), read from a file in BIND's format:
//! `key "NAME" { algorithm hmac-sha256; secret "BASE64"; };`.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use data_encoding::BASE64;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};
use muster_proto::Refusal;
use muster_proto::limits::{
    TSIG_FILE_BYTES_MAX, TSIG_FUDGE_SECONDS, TSIG_SECRET_BYTES_MAX, TSIG_SECRET_BYTES_MIN,
};
use muster_proto::reason::dns as reason;
use zeroize::Zeroizing;

use super::name;

/// A TSIG key: name, algorithm (HMAC with SHA-256, SHA-384 or SHA-512) and secret.
#[derive(Clone)]
pub struct TsigKey {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: Zeroizing<Vec<u8>>,
}

impl TsigKey {
    /// Reads a key file, which must not be open to every user of the machine.
    ///
    /// # Errors
    /// `TSIG_FILE_UNREADABLE`, `TSIG_FILE_EXPOSED`, `TSIG_FILE_MALFORMED`,
    /// `TSIG_ALGORITHM_UNKNOWN`; each names the file.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        let shown = path.display();
        let unreadable = |error: std::io::Error| {
            Refusal::new(reason::TSIG_FILE_UNREADABLE, format!("{shown}: {error}"))
        };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode();
        if mode & 0o007 != 0 {
            let detail = format!("{shown}: mode {:03o}", mode & 0o777);
            return Err(Refusal::new(reason::TSIG_FILE_EXPOSED, detail));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(TSIG_FILE_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| malformed(format!("{shown}: it holds bytes that are no text")))?;
        Self::parse(text)
            .map_err(|refusal| Refusal::new(refusal.reason, format!("{shown}: {}", refusal.detail)))
    }

    /// Parses the text of a key file, which holds exactly one key.
    ///
    /// # Errors
    /// `TSIG_FILE_MALFORMED` names what was expected; `TSIG_ALGORITHM_UNKNOWN`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > TSIG_FILE_BYTES_MAX {
            return Err(malformed(format!("more than {TSIG_FILE_BYTES_MAX} bytes")));
        }
        let mut tokens = Tokens { rest: text };
        tokens.expect("key")?;
        let name = tokens.value("the key's name")?;
        tokens.expect("{")?;
        let (mut algorithm, mut secret) = (None, None);
        loop {
            match tokens.value("`algorithm`, `secret` or `}`")? {
                "}" => break,
                "algorithm" => algorithm = Some(tokens.value("an algorithm")?),
                "secret" => secret = Some(tokens.value("a secret in base64")?),
                other => return Err(malformed(format!("`{}` is not known", cut(other)))),
            }
            tokens.expect(";")?;
        }
        tokens.expect(";")?;
        if tokens.next()?.is_some() {
            return Err(malformed("more than one key; muster uses one".to_owned()));
        }
        let name = name::full(name)
            .map_err(|refusal| malformed(format!("the key's name: {}", refusal.detail)))?;
        let algorithm = parse_algorithm(
            algorithm.ok_or_else(|| malformed("there is no `algorithm`".to_owned()))?,
        )?;
        let secret =
            parse_secret(secret.ok_or_else(|| malformed("there is no `secret`".to_owned()))?)?;
        Ok(Self {
            name,
            algorithm,
            secret,
        })
    }

    /// Draws a new HMAC-SHA-256 key of 256 bits, for the lab's own server.
    ///
    /// # Errors
    /// `DNS_NAME_INVALID`.
    ///
    /// # Panics
    /// When the operating system's random source fails.
    pub fn generate(name: &str) -> Result<Self, Refusal> {
        let mut secret = Zeroizing::new(vec![0; 32]);
        aws_lc_rs::rand::fill(&mut secret)
            .expect("the system's random source works: no key is safe without it");
        Ok(Self {
            name: name::full(name)?,
            algorithm: TsigAlgorithm::HmacSha256,
            secret,
        })
    }

    /// The key as a BIND key file, a secret.
    pub fn to_bind(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(BASE64.encode(&self.secret));
        Zeroizing::new(format!(
            "key \"{}\" {{\n\talgorithm {};\n\tsecret \"{}\";\n}};\n",
            self.name(),
            name::text(&self.algorithm.to_name()),
            secret.as_str(),
        ))
    }

    /// The key's name, without the final dot.
    pub fn name(&self) -> String {
        name::text(&self.name)
    }

    pub(super) fn algorithm(&self) -> &TsigAlgorithm {
        &self.algorithm
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The signer of one exchange. It copies the secret into memory that is not wiped, so it lives
    /// no longer than that exchange.
    pub(super) fn signer(&self) -> TSigner {
        TSigner::new(
            self.secret.to_vec(),
            self.algorithm.clone(),
            self.name.clone(),
            TSIG_FUDGE_SECONDS,
        )
        .expect("a key holds one of the three supported algorithms")
    }
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsigKey")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

fn parse_algorithm(text: &str) -> Result<TsigAlgorithm, Refusal> {
    match text.trim_end_matches('.').to_ascii_lowercase().as_str() {
        "hmac-sha256" => Ok(TsigAlgorithm::HmacSha256),
        "hmac-sha384" => Ok(TsigAlgorithm::HmacSha384),
        "hmac-sha512" => Ok(TsigAlgorithm::HmacSha512),
        other => Err(Refusal::new(reason::TSIG_ALGORITHM_UNKNOWN, cut(other))),
    }
}

fn parse_secret(text: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let secret = BASE64
        .decode(text.as_bytes())
        .map(Zeroizing::new)
        .map_err(|error| malformed(format!("the secret is not base64: {error}")))?;
    if (TSIG_SECRET_BYTES_MIN..=TSIG_SECRET_BYTES_MAX).contains(&secret.len()) {
        return Ok(secret);
    }
    Err(malformed(format!(
        "the secret has {} bytes; {TSIG_SECRET_BYTES_MIN} to {TSIG_SECRET_BYTES_MAX} are allowed",
        secret.len()
    )))
}

fn malformed(detail: String) -> Refusal {
    Refusal::new(reason::TSIG_FILE_MALFORMED, detail)
}

/// What was met, cut short: a misplaced secret must not reach a log.
fn cut(text: &str) -> String {
    text.chars().take(16).collect()
}

/// The words of named.conf: quoted strings, words, `{`, `}`, `;`, and its three comment styles.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn expect(&mut self, token: &str) -> Result<(), Refusal> {
        match self.next()? {
            Some(found) if found == token => Ok(()),
            Some(_) => Err(malformed(format!(
                "`{token}` was expected, something else stands there"
            ))),
            None => Err(malformed(format!("`{token}` was expected, the file ends"))),
        }
    }

    fn value(&mut self, what: &str) -> Result<&'a str, Refusal> {
        self.next()?
            .ok_or_else(|| malformed(format!("{what} was expected, the file ends")))
    }

    fn next(&mut self) -> Result<Option<&'a str>, Refusal> {
        self.skip_blank()?;
        let rest = self.rest;
        let Some(first) = rest.chars().next() else {
            return Ok(None);
        };
        let (token, rest) = match first {
            '"' => rest[1..]
                .split_once('"')
                .ok_or_else(|| malformed("a quotation mark is not closed".to_owned()))?,
            '{' | '}' | ';' => rest.split_at(1),
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || "{};\"".contains(c))
                    .unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        self.rest = rest;
        Ok(Some(token))
    }

    fn skip_blank(&mut self) -> Result<(), Refusal> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                self.rest = comment
                    .split_once("*/")
                    .ok_or_else(|| malformed("a comment is not closed".to_owned()))?
                    .1;
            } else {
                return Ok(());
            }
        }
    }
}
