//! The verbs of an administrator: they work on the host's directory, also while the service runs on
//! it, and take effect without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_machine::Machine;
use muster_net::http::authority::{AuthorityClient, AuthorityOptions};
use muster_proto::authority::answer::{Activation, Publisher};
use muster_proto::authority::renewable_from;
use muster_proto::host::check_interval;
use muster_proto::ids::PublisherId;
use muster_proto::key::{Channel, ProductKey};
use muster_proto::limits::AUTHORITY_WORDS_MAX;
use muster_proto::reason::kms as reasons;
use muster_proto::time::Span;
use muster_proto::wire::Bundle;
use muster_proto::{Reason, Refusal};
use muster_store::kms::{ClientTable, HostValues, SqliteKms};

use crate::dns::{DnsOptions, Wanted, ZoneStatus};
use crate::enrol::{Enrolled, RootPin, begin, complete, publisher_of};
use crate::keys::{PublisherKeys, StoredKeys};
use crate::records::{Clock, DATABASE, Records, Settings, make_dir};
use crate::refresh::repeat;
use crate::status::{self, ClientLine, ClientPage, Status};
use crate::table::Table;

/// How the authority is reached.
#[derive(Clone, Debug, Default)]
pub struct AuthorityAccess {
    /// Its address; without one, the address it was reached at last.
    pub url: Option<String>,
    /// CA certificates to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// Plain HTTP to another machine is allowed.
    pub insecure_http: bool,
}

/// What a renewal found or did for one publisher.
#[derive(Debug)]
pub enum Renewal {
    /// Renewed by wire.
    Done(Enrolled),
    /// A request was made, to be carried to the authority.
    Request(Vec<u8>),
    /// Half of the certificate's life has not passed; it may be renewed from this time on.
    NotDue(muster_proto::time::Timestamp),
}

/// A host's directory in an administrator's hands.
#[derive(Clone)]
pub struct Admin {
    pub(crate) records: Records,
    machine: Machine,
}

impl Admin {
    /// Opens a host's directory, making it where it is missing. Its clients are in the table given,
    /// else in the one that the service ran with last, else in the host's own store.
    pub fn open(dir: &Path, table: Option<&Table>, machine: Machine) -> Result<Self, Refusal> {
        Ok(Self {
            records: Records::open(dir, table)?,
            machine,
        })
    }

    /// Works on an opened store, by the clocks given: for simulations and tests.
    pub fn over_store<S>(store: Arc<S>, machine: Machine, clock: Clock) -> Self
    where
        S: ClientTable + HostValues + 'static,
    {
        Self::over(Records::over(store, clock), machine)
    }

    /// Opens a host's directory that must be there: looking at a mistyped one makes nothing.
    pub fn open_existing(
        dir: &Path,
        table: Option<&Table>,
        machine: Machine,
    ) -> Result<Self, Refusal> {
        if !dir.join(DATABASE).exists() {
            let detail = format!("{} holds no host", dir.display());
            return Err(Refusal::new(reasons::NOT_CERTIFIED, detail));
        }
        Self::open(dir, table, machine)
    }

    /// The one publisher that this host is certified by, as far as its own certificate tells: what
    /// a further product key is sealed to when the authority cannot be reached.
    pub async fn known_publisher(&self) -> Result<Option<Publisher>, Refusal> {
        let all = self.records.all_keys().await?.1;
        let certified: Vec<_> = all.iter().filter(|keys| keys.is_certified()).collect();
        let [stored] = certified.as_slice() else {
            return Ok(None);
        };
        let chain = stored.chain[1..].to_vec();
        Ok(Some(Publisher {
            root: stored.root()?,
            chain,
            url: None,
        }))
    }

    pub(crate) fn over(records: Records, machine: Machine) -> Self {
        Self { records, machine }
    }

    /// The address of the one authority that is known here, where there is one.
    pub async fn known_authority(&self) -> Result<Option<String>, Refusal> {
        let all = self.records.all_keys().await?.1;
        let mut known: Vec<_> = all.iter().filter_map(StoredKeys::authority).collect();
        known.dedup();
        Ok(match known.as_slice() {
            [url] => Some((*url).to_owned()),
            _ => None,
        })
    }

    /// Asks an authority who it is: its root and issuing certificate, verified to each other.
    pub async fn publisher(access: &AuthorityAccess) -> Result<Publisher, Refusal> {
        let url = access
            .url
            .as_deref()
            .ok_or(Refusal::from(reasons::NO_AUTHORITY))?;
        let publisher = Publisher::decode(&get(&client(url, access)?, "/v1/publisher").await?)?;
        publisher.verify()?;
        Ok(publisher)
    }

    /// Installs a host product key: the authority certifies this host. Asked again with the same
    /// key, it costs no second activation.
    pub async fn install_key(
        &self,
        key: &ProductKey,
        publisher: &Publisher,
        pin: Option<&RootPin>,
        access: &AuthorityAccess,
    ) -> Result<Enrolled, Refusal> {
        let url = access.url.clone().or_else(|| publisher.url.clone());
        if let Some(enrolled) = self.already(key, publisher).await? {
            return Ok(enrolled);
        }
        let request = self.request(key, publisher, pin, url.clone()).await?;
        let url = url.ok_or(Refusal::from(reasons::NO_AUTHORITY))?;
        let answer = post(&client(&url, access)?, "/v1/certify", request).await?;
        self.complete(publisher.root.publisher(), &answer).await
    }

    /// What the host is certified for where the key was installed before and its certificate still
    /// serves: asked twice, a key costs one activation.
    async fn already(
        &self,
        key: &ProductKey,
        publisher: &Publisher,
    ) -> Result<Option<Enrolled>, Refusal> {
        let (_, stored) = self.records.keys(publisher.root.publisher()).await?;
        let last5 = key.last5().to_string();
        let installed = |stored: &StoredKeys| {
            stored.is_certified() && stored.installed.iter().any(|key| key.last5 == last5)
        };
        let Some(stored) = stored.filter(installed) else {
            return Ok(None);
        };
        let keys = PublisherKeys::load(stored)?;
        if keys.check_may_sign(self.records.now()).is_err() {
            return Ok(None);
        }
        Ok(Some(enrolled_with(keys)))
    }

    /// Makes the request of a host that cannot reach the authority; the publisher is known from a
    /// policy bundle.
    pub async fn request_offline(
        &self,
        key: &ProductKey,
        bundle: &Bundle,
        pin: Option<&RootPin>,
    ) -> Result<Vec<u8>, Refusal> {
        bundle.verify()?;
        self.request(key, &publisher_of(bundle), pin, None).await
    }

    /// Makes and remembers the request under a host product key; the answer is [`Admin::apply`]'s.
    pub async fn request(
        &self,
        key: &ProductKey,
        publisher: &Publisher,
        pin: Option<&RootPin>,
        url: Option<String>,
    ) -> Result<Vec<u8>, Refusal> {
        key.require_channel(&[Channel::KmsHost])?;
        if let Some(pin) = pin {
            pin.check(&publisher.root)?;
        }
        let now = self.records.now();
        let id = publisher.root.publisher();
        let (revision, stored) = self.records.keys(id).await?;
        let mut stored = stored.unwrap_or_else(|| StoredKeys::first(&publisher.root));
        stored.set_authority(url);
        let request = begin(&mut stored, publisher, Some(key), &self.machine, now)?;
        let said = format!("requested a certificate under …{}", key.last5());
        self.records.put_keys(revision, &stored, said, now).await?;
        Ok(request)
    }

    /// Takes an authority's answer file in. One that is in force already changes nothing.
    pub async fn apply(&self, answer: &[u8]) -> Result<Enrolled, Refusal> {
        let mut why = Refusal::from(reasons::NOTHING_PENDING);
        let activation = Activation::decode(answer)?;
        for stored in self.records.all_keys().await?.1 {
            if stored.is_certified() && stored.chain == activation.chain {
                return PublisherKeys::load(stored).map(enrolled_with);
            }
            if stored.pending.is_none() {
                continue;
            }
            match self.complete(stored.root()?.publisher(), answer).await {
                Ok(enrolled) => return Ok(enrolled),
                Err(refusal) => why = refusal,
            }
        }
        Err(why)
    }

    async fn complete(&self, publisher: PublisherId, answer: &[u8]) -> Result<Enrolled, Refusal> {
        let now = self.records.now();
        let (revision, stored) = self.records.keys(publisher).await?;
        let mut stored = stored.ok_or(Refusal::from(reasons::NOTHING_PENDING))?;
        let enrolled = complete(&mut stored, answer, now)?;
        let said = format!("certified for {}", enrolled.products.join(", "));
        self.records.put_keys(revision, &stored, said, now).await?;
        Ok(enrolled)
    }

    /// Renews every publisher's certificate that is due: by wire, or with `offline` by a request
    /// for each.
    pub async fn renew(
        &self,
        access: &AuthorityAccess,
        offline: bool,
    ) -> Result<Vec<(PublisherId, Result<Renewal, Refusal>)>, Refusal> {
        let mut outcomes = Vec::new();
        for stored in self.records.all_keys().await?.1 {
            if stored.is_certified() {
                let publisher = stored.root()?.publisher();
                let renewal = repeat(|| self.renew_one(publisher, access, offline));
                outcomes.push((publisher, renewal.await));
            }
        }
        if outcomes.is_empty() {
            return Err(reasons::NOT_CERTIFIED.into());
        }
        Ok(outcomes)
    }

    async fn renew_one(
        &self,
        publisher: PublisherId,
        access: &AuthorityAccess,
        offline: bool,
    ) -> Result<Renewal, Refusal> {
        let now = self.records.now();
        let (revision, stored) = self.records.keys(publisher).await?;
        let mut stored = stored.ok_or(Refusal::from(reasons::NOT_CERTIFIED))?;
        let keys = PublisherKeys::load(stored.clone())?;
        let due = renewable_from(keys.cert.issued, keys.cert.not_after);
        if now < due && !keys.is_cut_off() {
            return Ok(Renewal::NotDue(due));
        }
        let mut publisher = Publisher {
            root: keys.root.clone(),
            chain: stored.chain[1..].to_vec(),
            url: None,
        };
        let url = access
            .url
            .clone()
            .or_else(|| stored.authority().map(str::to_owned));
        let authority = match (&url, offline) {
            (_, true) => None,
            (Some(url), false) => Some(client(url, access)?),
            (None, false) => return Err(reasons::NO_AUTHORITY.into()),
        };
        if let Some(authority) = &authority {
            publisher = Publisher::decode(&get(authority, "/v1/publisher").await?)?;
        }
        let request = begin(&mut stored, &publisher, None, &self.machine, now)?;
        let said = "requested a renewal".to_owned();
        self.records.put_keys(revision, &stored, said, now).await?;
        match authority {
            None => Ok(Renewal::Request(request)),
            Some(authority) => {
                let answer = post(&authority, "/v1/certify", request).await?;
                self.complete(keys.publisher, &answer)
                    .await
                    .map(Renewal::Done)
            }
        }
    }

    /// Removes a host product key. The last key of a publisher takes its certificate with it; what
    /// machines hold stays valid until it ends.
    pub async fn remove_key(&self, last5: &str) -> Result<(), Refusal> {
        let now = self.records.now();
        let (revision, all) = self.records.all_keys().await?;
        for mut stored in all {
            let before = stored.installed.len();
            stored
                .installed
                .retain(|installed| !installed.last5.eq_ignore_ascii_case(last5));
            if stored.installed.len() == before {
                continue;
            }
            let publisher = stored.root()?.publisher();
            let said = format!("removed the key …{last5}");
            return if stored.installed.is_empty() {
                self.records
                    .remove_keys(revision, publisher, said, now)
                    .await
            } else {
                self.records.put_keys(revision, &stored, said, now).await
            };
        }
        Err(Refusal::new(reasons::NO_SUCH_KEY, format!("…{last5}")))
    }

    /// Changes the settings that are given; a setting of `None` inside returns to the policies.
    pub async fn set(
        &self,
        renewal: Option<Option<Span>>,
        retry: Option<Option<Span>>,
        new_identities: Option<u32>,
    ) -> Result<Settings, Refusal> {
        let mut settings = self.records.settings().await?;
        for interval in [renewal, retry].into_iter().flatten().flatten() {
            check_interval(interval)?;
        }
        settings.intervals.renewal = renewal.unwrap_or(settings.intervals.renewal);
        settings.intervals.retry = retry.unwrap_or(settings.intervals.retry);
        settings.new_identities = new_identities.unwrap_or(settings.new_identities);
        self.records
            .put_settings(settings, "changed the settings", self.records.now())
            .await?;
        Ok(settings)
    }

    /// Everything about the host for an administrator.
    pub async fn status(&self) -> Result<Status, Refusal> {
        status::read(&self.records, self.records.now()).await
    }

    /// A page of client computers.
    pub async fn clients(&self, page: &ClientPage) -> Result<Vec<ClientLine>, Refusal> {
        status::clients(&self.records, page, self.records.now()).await
    }

    /// Withdraws this host's own records from its zones.
    pub async fn retire(&self, dns: &DnsOptions, port: u16) -> Result<Vec<ZoneStatus>, Refusal> {
        let now = self.records.now();
        let before = self.records.zones().await?;
        let zones = dns.update(Wanted::Withdrawn, port, &before, now).await;
        self.records.put_zones(&zones, now).await?;
        Ok(zones)
    }

    /// The port that the service listens or last listened on.
    pub async fn port(&self) -> Result<Option<u16>, Refusal> {
        let listen = self.records.listen().await?;
        Ok(listen
            .first()
            .and_then(|address| address.rsplit(':').next()?.parse().ok()))
    }

    /// Confirms that the clock is right after it jumped.
    pub async fn confirm_clock(&self) -> Result<(), Refusal> {
        self.records
            .put_clock_reference(self.records.reference(), Some("confirmed the clock"))
            .await
    }

    /// The shared table of clients, which a backup of this host does not hold; none where there is
    /// none.
    pub fn shared_table(&self) -> Option<String> {
        let shared = self.records.shared.as_ref();
        shared.map(|shared| shared.url().to_string())
    }

    /// Writes a backup of the store: keys, settings, and the counts and tickets that it holds.
    pub async fn backup(&self, out: &Path) -> Result<(), Refusal> {
        self.records.values.backup(out.to_path_buf()).await
    }

    /// Restores a backup into a host's directory.
    pub fn restore(backup: &Path, dir: &Path) -> Result<(), Refusal> {
        make_dir(dir)?;
        SqliteKms::restore(backup, &dir.join(DATABASE), muster_machine::clock::now())
    }
}

/// What a host with these keys is certified for.
fn enrolled_with(keys: PublisherKeys) -> Enrolled {
    let products = keys.cert.products.named();
    Enrolled {
        products: products.map(ToString::to_string).collect(),
        not_after: keys.cert.not_after,
        root: keys.root,
    }
}

pub(crate) fn client(url: &str, access: &AuthorityAccess) -> Result<AuthorityClient, Refusal> {
    let options = AuthorityOptions {
        ca_file: access.ca_file.clone(),
        insecure_http: access.insecure_http,
        ..AuthorityOptions::default()
    };
    AuthorityClient::new(url, &options)
}

pub(crate) async fn get(authority: &AuthorityClient, path: &str) -> Result<Vec<u8>, Refusal> {
    let (status, body) = authority.get(path).await?;
    accept(status, &body)
}

async fn post(authority: &AuthorityClient, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let (status, body) = authority.post(path, "application/cbor", body).await?;
    accept(status, &body)
}

/// An authority's answer, or its own reason for refusing.
pub(crate) fn accept(status: u16, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    if status == 200 {
        return Ok(body.to_vec());
    }
    let error: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    // Words of somebody who may not be the authority at all: one line, and not a long one.
    let word = |name: &str| {
        let word = error.as_ref()?.get("error")?.get(name)?.as_str()?;
        let line = word.chars().filter(|symbol| !matches!(symbol, '\n' | '\r'));
        Some(line.take(AUTHORITY_WORDS_MAX).collect::<String>())
    };
    let code = word("code").unwrap_or_default();
    match Reason::find(&code) {
        Some(reason) => Err(Refusal::new(reason, word("detail").unwrap_or_default())),
        None if code.is_empty() => Err(Refusal::new(
            reasons::AUTHORITY_ODD,
            format!("status {status} from the authority"),
        )),
        None => {
            let text = word("text").unwrap_or_default();
            Err(Refusal::new(
                reasons::AUTHORITY_REFUSED,
                format!("{text} ({code})"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_authority_says_is_one_short_line() {
        let said = |code: &str, words: &str| {
            let error = serde_json::json!({ "code": code, "text": words, "detail": words });
            let body = serde_json::json!({ "error": error }).to_string();
            accept(403, body.as_bytes()).unwrap_err()
        };
        let words = format!("a\r\n  next: b{}", "c".repeat(9_000));
        for code in ["X", "MUSTER-KEY-0007"] {
            let refusal = said(code, &words);
            assert!(refusal.detail.starts_with("a  next: bc"), "{refusal}");
            assert!(refusal.detail.len() < AUTHORITY_WORDS_MAX + 10);
            assert!(!refusal.detail.contains(['\r', '\n']));
        }
        assert_eq!(said("", "x").reason, reasons::AUTHORITY_ODD);
    }
}
