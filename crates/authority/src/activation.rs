//! The certification of hosts, by wire and by file alike.

use std::sync::Arc;

use muster_proto::Refusal;
use muster_proto::authority::answer::Activation;
use muster_proto::authority::{Asked, Issuing, KeyId, Source, sealed_key};
use muster_proto::ids::{ProductId, Thumbprint};
use muster_proto::key::ProductKey;
use muster_proto::limits::REVOCATION_DELTAS_MAX;
use muster_proto::reason::{authority as reasons, key as key_reasons, store as store_reasons};
use muster_proto::statement::cert::Cert;
use muster_proto::statement::request::Request;
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::{Anchor, Envelope, Typ};
use muster_proto::time::Timestamp;
use muster_proto::wire::product_key_info;
use muster_store::authority::ops::{self, Certified};
use muster_store::authority::{AuthorityStore, CertStatement, IssuingRow, Tables};

use crate::Authority;
use crate::issuing::IssuingReport;

/// Issuing keys, the newest first, that a product key may be sealed to.
const OPENING_KEYS_MAX: usize = 4;

impl<S: AuthorityStore> Authority<S> {
    /// Answers a host's request. The same request again gets the same certificate and is not
    /// charged; where the issuing key above it was revoked since, the same under another. A request from the wire brings its source, whose wrong keys are counted; one from a
    /// file brings none.
    ///
    /// # Errors
    /// The reason why nothing was certified; nothing is charged then.
    pub async fn certify(
        &self,
        request: &[u8],
        source: Option<Source>,
        now: Timestamp,
    ) -> Result<Activation, Refusal> {
        let (request, name) = Request::open(request, self.publisher_id())?;
        let is_repeat = self
            .store
            .view(move |tables| ops::is_repeat(tables, name))
            .await?;
        let keys = if is_repeat {
            Vec::new()
        } else {
            self.open_keys(&request, source, now).await?
        };
        let asked = Asked {
            request,
            name,
            keys,
        };
        let outcome = self.decide(asked, is_repeat, now).await;
        if let Err(refusal) = &outcome {
            self.count_guess(refusal, source, now);
        }
        let (cert, statement) = match outcome? {
            Certified::Granted(cert, statement) => (cert, statement),
            Certified::Forked(cert) => {
                let detail = format!("certificate {cert}");
                return Err(Refusal::new(reasons::FORKED, detail));
            }
        };
        let parent = self.issuing_row(statement.parent).await?;
        let bytes = if statement.is_signed {
            statement.bytes
        } else {
            self.sign_host(cert, &statement, &parent).await?
        };
        self.activation(bytes, parent.statement, now).await
    }

    async fn decide(
        &self,
        asked: Asked,
        is_repeat: bool,
        now: Timestamp,
    ) -> Result<Certified, Refusal> {
        // A repeat is answered although the issuing key has ended; the newest is never revoked.
        let issuing = match self.newest_issuing().await? {
            Some(IssuingReport { name, cert, .. }) if is_repeat => Issuing { name, cert },
            _ => self.current(now).await?.issuing,
        };
        let publisher = self.publisher_id();
        let asked = Arc::new(asked);
        let decide =
            move |tables: &mut dyn Tables| ops::certify(tables, publisher, &asked, &issuing, now);
        self.store.change(decide).await
    }

    /// Opens the sealed product keys and checks their tags.
    async fn open_keys(
        &self,
        request: &Request,
        source: Option<Source>,
        now: Timestamp,
    ) -> Result<Vec<KeyId>, Refusal> {
        if let Some(source) = source {
            self.guesses().check(source, now)?;
        }
        let mut rows = self.issuing_rows().await?;
        rows.reverse();
        rows.truncate(OPENING_KEYS_MAX);
        let mut ids = Vec::with_capacity(request.sealed_keys.len());
        for sealed in &request.sealed_keys {
            let message = self.unseal(&rows, sealed)?;
            let key = sealed_key::read(&message, &request.key)?;
            let id = self.open_key(&key, source, now)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    fn unseal(
        &self,
        rows: &[IssuingRow],
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Refusal> {
        for row in rows {
            let key = self.issuing_keys.find(row.key)?;
            let info = product_key_info(self.publisher_id(), row.name);
            if let Ok((message, _)) = key.opening.open(&info, sealed) {
                return Ok(message);
            }
        }
        Err(reasons::KEY_UNREADABLE.into())
    }

    /// Checks a tag and counts a wrong one. Both under one lock, so that no source has more guesses
    /// than it may by sending them all at once.
    fn open_key(
        &self,
        key: &ProductKey,
        source: Option<Source>,
        now: Timestamp,
    ) -> Result<KeyId, Refusal> {
        let mut guesses = self.guesses();
        if let Some(source) = source {
            guesses.check(source, now)?;
        }
        let opened = self.ring.open(&self.publisher_id().0, key);
        if let (Err(_), Some(source)) = (&opened, source) {
            guesses.wrong(source, now);
        }
        opened.map(KeyId::from)
    }

    /// A right tag on a serial that was never issued: the same answer, and counted the same.
    fn count_guess(&self, refusal: &Refusal, source: Option<Source>, now: Timestamp) {
        if let (true, Some(source)) = (refusal.reason == key_reasons::UNKNOWN, source) {
            self.guesses().wrong(source, now);
        }
    }

    async fn issuing_row(&self, name: Thumbprint) -> Result<IssuingRow, Refusal> {
        let rows = self.issuing_rows().await?;
        let missing = || {
            let detail = format!("issuing certificate {name}");
            Refusal::new(store_reasons::ROW_UNREADABLE, detail)
        };
        rows.into_iter()
            .find(|row| row.name == name)
            .ok_or_else(missing)
    }

    /// Signs a certificate that was decided and charged for before, verifies it as a client would,
    /// and keeps it.
    async fn sign_host(
        &self,
        name: Thumbprint,
        statement: &CertStatement,
        parent: &IssuingRow,
    ) -> Result<Vec<u8>, Refusal> {
        let claims: Cert = Envelope::decode(&statement.bytes, Typ::Cert)?.claims()?;
        let key = self.issuing_keys.find(parent.key)?;
        let signed = key
            .sign(&claims, self.publisher_id(), parent.name, &[])
            .await?;
        let anchor = Anchor {
            root: &self.root,
            revoked: &RevocationSet::default(),
        };
        anchor.chain(&[signed.clone(), parent.statement.clone()], parent.name)?;
        self.store
            .change(move |tables| ops::attach_signature(tables, name, &signed))
            .await
    }

    async fn activation(
        &self,
        cert: Vec<u8>,
        issuing: Vec<u8>,
        now: Timestamp,
    ) -> Result<Activation, Refusal> {
        let claims: Cert = Envelope::decode(&cert, Typ::Cert)?.claims()?;
        let products: Vec<ProductId> = claims.products.named().cloned().collect();
        let read = move |tables: &mut dyn Tables| {
            let policy = |id| ops::newest_policy(tables, id).map(|(_, policy)| policy);
            products.iter().map(policy).collect()
        };
        let policies = self.store.view(read).await?;
        let mut revocations = self.deltas(now).await?;
        revocations.truncate(REVOCATION_DELTAS_MAX);
        Ok(Activation {
            chain: vec![cert, issuing],
            policies,
            revocations,
        })
    }
}
