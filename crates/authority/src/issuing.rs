//! The issuing key: requested, certified by the root, used, and replaced while the old one's
//! certificates stay valid.

use std::path::Path;
use std::sync::Arc;

use muster_machine::random;
use muster_proto::Refusal;
use muster_proto::authority::Issuing;
use muster_proto::authority::answer::IssuingAnswer;
use muster_proto::authority::root::IssuingTerms;
use muster_proto::hardware::ComponentTags;
use muster_proto::ids::{PublisherId, Thumbprint};
use muster_proto::limits::REQUEST_BYTES_MAX;
use muster_proto::reason::{authority as reasons, statement};
use muster_proto::statement::cert::Cert;
use muster_proto::statement::request::Request;
use muster_proto::statement::{Claims, Envelope, Role, Typ};
use muster_proto::time::Timestamp;
use muster_store::authority::{AuthorityStore, IssuingRow, Tables, issuing};

use crate::Authority;
use crate::root::RootKeys;
use crate::signer::{IssuingKey, IssuingKeys};
use crate::{directory, files};

/// An issuing certificate, for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuingReport {
    /// Its name.
    pub name: Thumbprint,
    /// Its claims.
    pub cert: Cert,
    /// Whether its key is revoked.
    pub is_revoked: bool,
}

/// What became of a rotation.
#[derive(Clone, Debug)]
pub enum Rotation {
    /// The root is here and certified the new key.
    Done(Box<IssuingReport>),
    /// The root is offline: this request is to be carried to it.
    Request(Vec<u8>),
}

/// The issuing key in use.
pub(crate) struct Current {
    pub(crate) issuing: Issuing,
    pub(crate) statement: Vec<u8>,
    pub(crate) key: Arc<IssuingKey>,
}

impl<S: AuthorityStore> Authority<S> {
    /// Takes the root's answer in. Twice changes nothing.
    ///
    /// # Errors
    /// `ROOT_UNKNOWN` when another root answered, `ISSUING_FOREIGN` when it answers no request of
    /// this directory, and what the certificate itself does not keep.
    pub async fn apply(&self, answer: &[u8], now: Timestamp) -> Result<IssuingReport, Refusal> {
        let answer = IssuingAnswer::decode(answer)?;
        if answer.root != self.root {
            let detail = format!(
                "the answer is of {}, {} is pinned",
                answer.root.fingerprint(),
                self.root.fingerprint()
            );
            return Err(Refusal::new(statement::ROOT_UNKNOWN, detail));
        }
        let (cert, name) = answer.verify()?;
        let thumbprint = cert.key.thumbprint();
        let foreign = |what: &str| Refusal::new(reasons::ISSUING_FOREIGN, what.to_owned());
        let key = self
            .issuing_keys
            .find(thumbprint)
            .map_err(|refusal| foreign(&refusal.detail))?;
        if key.opening.public() != cert.opening_key {
            return Err(foreign("it names another opening key"));
        }
        let row = IssuingRow {
            name,
            key: thumbprint,
            statement: answer.cert,
            added: now,
        };
        self.store
            .change(move |tables| issuing::add(tables, &row, now))
            .await?;
        self.forget_pending(thumbprint)?;
        Ok(IssuingReport {
            name,
            cert,
            is_revoked: false,
        })
    }

    /// Revokes an issuing key that has leaked: its name joins the revocation list, which the newest
    /// key signs anew, as it does every policy that the revoked one signed. Hosts renew at their
    /// next round, machines take policy and lease from them. Run it again where it was cut.
    ///
    /// # Errors
    /// `ISSUING_UNKNOWN`, and `ISSUING_NEWEST` before a new key was made.
    pub async fn revoke_issuing(
        &self,
        key: Thumbprint,
        now: Timestamp,
    ) -> Result<IssuingReport, Refusal> {
        self.store
            .change(move |tables| issuing::revoke(tables, key, now))
            .await?;
        self.deltas(now).await?;
        self.sign_policies_again(key, now).await?;
        let mut reports = self.issuing().await?.into_iter();
        let found = reports.find(|report| report.cert.key.thumbprint() == key);
        found.ok_or_else(|| Refusal::new(reasons::ISSUING_UNKNOWN, key.to_string()))
    }

    /// Makes a new issuing key. Where the root is here it certifies the key at once; where it is
    /// offline a request comes back, the same one until its answer is applied.
    pub async fn rotate(&self, now: Timestamp) -> Result<Rotation, Refusal> {
        let request = match self.pending()? {
            Some(request) => request,
            None => self.request(now).await?,
        };
        let secret = directory::root_secret_path(&self.directory);
        if !secret.exists() {
            return Ok(Rotation::Request(request));
        }
        let root = RootKeys::read(&secret)?;
        let answer = root.sign(&request, &IssuingTerms::default(), now)?;
        let report = self.apply(&answer.encode(), now).await?;
        Ok(Rotation::Done(Box::new(report)))
    }

    /// The newest issuing certificate, if the root has answered.
    pub async fn newest_issuing(&self) -> Result<Option<IssuingReport>, Refusal> {
        Ok(self.issuing().await?.pop())
    }

    /// Every issuing certificate, the oldest first.
    pub async fn issuing(&self) -> Result<Vec<IssuingReport>, Refusal> {
        let read = |tables: &mut dyn Tables| {
            let mut reports = Vec::new();
            for row in tables.issuing()? {
                reports.push(IssuingReport {
                    name: row.name,
                    cert: claims(&row)?,
                    is_revoked: tables.is_revoked(row.key)?,
                });
            }
            Ok(reports)
        };
        self.store.view(read).await
    }

    /// The newest issuing certificate that is valid now and not revoked, with its key.
    ///
    /// # Errors
    /// `AWAITING_ROOT` when there was never one, `ISSUING_ENDED` when none is valid now,
    /// `SIGNER_FAILED` when its key is not here.
    pub(crate) async fn current(&self, now: Timestamp) -> Result<Current, Refusal> {
        let good = |tables: &mut dyn Tables| {
            let mut rows = Vec::new();
            for row in tables.issuing()? {
                if !tables.is_revoked(row.key)? {
                    rows.push(row);
                }
            }
            Ok(rows)
        };
        let rows = self.store.view(good).await?;
        if rows.is_empty() {
            return Err(reasons::AWAITING_ROOT.into());
        }
        for row in rows.iter().rev() {
            let cert = claims(row)?;
            if (cert.not_before..=cert.not_after).contains(&now) {
                return Ok(Current {
                    issuing: Issuing {
                        name: row.name,
                        cert,
                    },
                    statement: row.statement.clone(),
                    key: self.issuing_keys.find(row.key)?,
                });
            }
        }
        let newest = rows.last().map(claims).transpose()?;
        let ends = newest.map_or(0, |newest| newest.not_after.seconds());
        let detail = format!("the newest ends at {ends}, now is {}", now.seconds());
        Err(Refusal::new(reasons::ISSUING_ENDED, detail))
    }

    pub(crate) async fn issuing_rows(&self) -> Result<Vec<IssuingRow>, Refusal> {
        self.store
            .view(|tables: &mut dyn Tables| tables.issuing())
            .await
    }

    /// Signs a statement with its chain under the issuing key in use.
    pub(crate) async fn sign<C: Claims>(
        &self,
        claims: &C,
        now: Timestamp,
    ) -> Result<Vec<u8>, Refusal> {
        let current = self.current(now).await?;
        let (key, parent) = (current.key, current.issuing.name);
        key.sign(claims, self.publisher_id(), parent, &[current.statement])
            .await
    }

    fn pending(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let path = directory::pending_path(&self.directory);
        files::read_if_there(&path, REQUEST_BYTES_MAX)
    }

    fn forget_pending(&self, key: Thumbprint) -> Result<(), Refusal> {
        let Some(pending) = self.pending()? else {
            return Ok(());
        };
        // A first request may have been made before the root was known.
        let publisher = Envelope::decode(&pending, Typ::Request)?.publisher;
        match Request::open(&pending, publisher) {
            Ok((request, _)) if request.key.thumbprint() == key => {
                files::remove(&directory::pending_path(&self.directory))
            }
            _ => Ok(()),
        }
    }

    async fn request(&self, now: Timestamp) -> Result<Vec<u8>, Refusal> {
        let number = self.issuing_rows().await?.len() + 1;
        let keys = self.issuing_keys.as_ref();
        make_request(keys, &self.directory, self.publisher_id(), number, now).await
    }
}

/// Makes an issuing key and the request for the root to certify it, which stays pending.
pub(crate) async fn make_request(
    keys: &dyn IssuingKeys,
    directory: &Path,
    publisher: PublisherId,
    number: usize,
    now: Timestamp,
) -> Result<Vec<u8>, Refusal> {
    let key = keys.generate()?;
    let public = key.signer.public();
    let claims = Request {
        role: Role::Issuing,
        key: public,
        opening_key: key.opening.public(),
        sealed_keys: Vec::new(),
        components: ComponentTags::default(),
        previous: None,
        name: format!("issuing key {number}"),
        nonce: *random::bytes(),
        issued: now,
    };
    let request = key
        .sign(&claims, publisher, public.thumbprint(), &[])
        .await?;
    files::write(&directory::pending_path(directory), &request)?;
    Ok(request)
}

fn claims(row: &IssuingRow) -> Result<Cert, Refusal> {
    Envelope::decode(&row.statement, Typ::Cert)?.claims()
}
