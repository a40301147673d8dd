//! The root's ceremony: keys made and used offline, with files that are carried to and fro.

use std::path::Path;

use muster_machine::random;
use muster_proto::Refusal;
use muster_proto::authority::answer::IssuingAnswer;
use muster_proto::authority::root::{IssuingTerms, issuing_cert};
use muster_proto::authority::secret::{SecretFile, SecretKind};
use muster_proto::crypto::SecretKey;
use muster_proto::ids::PublisherId;
use muster_proto::reason::{authority as reasons, statement};
use muster_proto::statement::request::Request;
use muster_proto::statement::root::Root;
use muster_proto::statement::{Draft, Envelope, Typ};
use muster_proto::time::Timestamp;

use crate::files::{self, Owner};

/// Keys a root has by default: the present one and the next.
pub const KEYS_DEFAULT: usize = 2;

/// A publisher's root keys; wiped on drop, never shown.
#[derive(Debug)]
pub struct RootKeys {
    root: Root,
    secrets: Vec<SecretKey>,
    /// Which of them signs.
    signing: usize,
}

impl RootKeys {
    /// Makes one to three root keys.
    ///
    /// # Errors
    /// `FIELD_WRONG` when the name or the number of keys is not allowed.
    pub fn generate(name: &str, keys: usize) -> Result<Self, Refusal> {
        let secrets = (0..keys).map(|_| SecretKey::from_seed(&random::bytes()));
        Self::of(name, secrets.collect())
    }

    fn of(name: &str, secrets: Vec<SecretKey>) -> Result<Self, Refusal> {
        let keys = secrets.iter().map(SecretKey::public).collect();
        Ok(Self {
            root: Root::new(name, keys)?,
            secrets,
            signing: 0,
        })
    }

    /// Writes the secret file (0600); an existing file is never replaced.
    pub fn write(&self, path: &Path) -> Result<(), Refusal> {
        self.write_as(path, Owner::Maker)
    }

    /// The same in an authority's directory.
    pub(crate) fn write_as(&self, path: &Path, owner: Owner) -> Result<(), Refusal> {
        let file = SecretFile {
            kind: SecretKind::Root,
            secrets: self.secrets.iter().map(SecretKey::seed).collect(),
            label: self.root.name().to_owned(),
        };
        files::write_new_secret(path, &file, owner)
    }

    /// Reads a secret file.
    ///
    /// # Errors
    /// `FILE_MODE` when others may read it, `SECRET_DAMAGED` when it is no root's.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        let file = files::read_secret(path, SecretKind::Root)?;
        let secrets = file.secrets.iter().map(|seed| SecretKey::from_seed(seed));
        Self::of(&file.label, secrets.collect())
    }

    /// The same root with another of its keys to sign with, counted from 1: the first is the
    /// present one, the others are for the day when it is lost.
    ///
    /// # Errors
    /// `TERMS_WRONG` when the root has no such key.
    pub fn using(mut self, number: usize) -> Result<Self, Refusal> {
        if number == 0 || number > self.secrets.len() {
            let detail = format!(
                "the root has keys 1 to {}, not {number}",
                self.secrets.len()
            );
            return Err(Refusal::new(reasons::TERMS_WRONG, detail));
        }
        self.signing = number - 1;
        Ok(self)
    }

    /// The public root.
    pub fn public(&self) -> &Root {
        &self.root
    }

    /// Answers an issuing key's request with a certificate signed by the root key in use.
    ///
    /// # Errors
    /// `ROOT_REQUEST` when it is not an issuing key's, `WRONG_PUBLISHER` when it was made for
    /// another root, `TERMS_WRONG`.
    pub fn sign(
        &self,
        request: &[u8],
        terms: &IssuingTerms,
        now: Timestamp,
    ) -> Result<IssuingAnswer, Refusal> {
        let request = self.open(request)?;
        let cert = issuing_cert(&request, terms, now)?;
        let key = &self.secrets[self.signing];
        let public = key.public();
        let draft = Draft::new(&cert, self.root.publisher(), public.thumbprint(), &public);
        let signature = key.sign(&draft.to_be_signed());
        let answer = IssuingAnswer {
            root: self.root.clone(),
            cert: draft.finish(signature, &[]),
        };
        answer.verify()?;
        Ok(answer)
    }

    fn open(&self, request: &[u8]) -> Result<Request, Refusal> {
        let publisher = self.root.publisher();
        // A new authority may not know its root yet: its first request then names no publisher.
        let named = match Envelope::decode(request, Typ::Request) {
            Ok(envelope) if envelope.publisher == UNKNOWN_PUBLISHER => UNKNOWN_PUBLISHER,
            _ => publisher,
        };
        let opened = Request::open(request, named).map(|(request, _)| request);
        opened.map_err(|refusal| match Envelope::decode(request, Typ::Request) {
            Ok(envelope) if refusal.reason == statement::WRONG_PUBLISHER => {
                wrong_publisher(envelope.publisher, publisher)
            }
            Err(other) if other.reason == statement::WRONG_TYPE => {
                Refusal::new(reasons::ROOT_REQUEST, other.detail)
            }
            _ => refusal,
        })
    }
}

/// The publisher id in the first request of an authority whose root is not known yet.
pub(crate) const UNKNOWN_PUBLISHER: PublisherId = PublisherId([0; 16]);

fn wrong_publisher(found: PublisherId, own: PublisherId) -> Refusal {
    let detail = format!("the request is for the root of {found}, this one is of {own}");
    Refusal::new(statement::WRONG_PUBLISHER, detail)
}
