//! The seam behind which an issuing key signs. Its answer may come later, as from a device or over
//! the network; today's keys are files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use muster_machine::random;
use muster_net::seal::OpeningKey;
use muster_proto::Refusal;
use muster_proto::authority::secret::{SecretFile, SecretKind};
use muster_proto::crypto::{PublicKey, SIGNATURE_BYTES, SecretKey};
use muster_proto::ids::{PublisherId, Thumbprint};
use muster_proto::reason::authority as reasons;
use muster_proto::statement::{Claims, Draft};

use crate::files::{self, Owner};

/// A signature that may come later.
pub type Signing<'a> =
    Pin<Box<dyn Future<Output = Result<[u8; SIGNATURE_BYTES], Refusal>> + Send + 'a>>;

/// A key that signs.
pub trait Signer: Send + Sync {
    /// The public key.
    fn public(&self) -> PublicKey;

    /// Signs a message.
    ///
    /// # Errors
    /// `SIGNER_FAILED` when the key's file or device does not answer.
    fn sign(&self, message: Vec<u8>) -> Signing<'_>;
}

/// Signs with a key held in memory.
#[derive(Debug)]
pub struct LocalSigner(SecretKey);

impl LocalSigner {
    /// The signer of a key.
    pub fn new(key: SecretKey) -> Self {
        Self(key)
    }
}

impl Signer for LocalSigner {
    fn public(&self) -> PublicKey {
        self.0.public()
    }

    fn sign(&self, message: Vec<u8>) -> Signing<'_> {
        Box::pin(std::future::ready(Ok(self.0.sign(&message))))
    }
}

/// An issuing key: one part signs, the other opens what hosts seal to the authority.
pub struct IssuingKey {
    /// Signs.
    pub signer: Box<dyn Signer>,
    /// Opens sealed product keys.
    pub opening: OpeningKey,
}

impl std::fmt::Debug for IssuingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuingKey(of {})", self.signer.public().thumbprint())
    }
}

impl IssuingKey {
    /// Signs a statement under the certificate named `parent`, and checks the signature before
    /// anybody sees it.
    pub(crate) async fn sign<C: Claims>(
        &self,
        claims: &C,
        publisher: PublisherId,
        parent: Thumbprint,
        chain: &[Vec<u8>],
    ) -> Result<Vec<u8>, Refusal> {
        let public = self.signer.public();
        let draft = Draft::new(claims, publisher, parent, &public);
        // What no verifier would read is not signed.
        draft.check_size(chain)?;
        let message = draft.to_be_signed();
        let signature = self.signer.sign(message.clone()).await?;
        public
            .verify(&message, &signature)
            .map_err(|_| Refusal::new(reasons::SIGNER_FAILED, "its signature does not verify"))?;
        Ok(draft.finish(signature, chain))
    }
}

/// Where issuing keys are found by the thumbprint of their signing key.
pub trait IssuingKeys: Send + Sync {
    /// A key.
    ///
    /// # Errors
    /// `SIGNER_FAILED` when it is not here.
    fn find(&self, key: Thumbprint) -> Result<Arc<IssuingKey>, Refusal>;

    /// Makes a new key, which is safe before anybody hears of it.
    fn generate(&self) -> Result<Arc<IssuingKey>, Refusal>;
}

/// Issuing keys in files of the authority's directory, read when first needed.
#[derive(Debug)]
pub struct FileKeys {
    directory: PathBuf,
    read: Mutex<HashMap<Thumbprint, Arc<IssuingKey>>>,
}

impl FileKeys {
    /// The keys in a directory.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            read: Mutex::default(),
        }
    }

    fn path(&self, key: Thumbprint) -> PathBuf {
        let name = key.to_string();
        self.directory.join(format!("issuing-{}.key", &name[..16]))
    }

    fn read(&self, key: Thumbprint) -> Result<IssuingKey, Refusal> {
        let path = self.path(key);
        if !path.exists() {
            let detail = format!("{} is missing", path.display());
            return Err(Refusal::new(reasons::SIGNER_FAILED, detail));
        }
        let file = files::read_secret(&path, SecretKind::Issuing)?;
        let [signing, opening] = file.secrets.as_slice() else {
            let detail = format!("{}: it holds no issuing key", path.display());
            return Err(Refusal::new(reasons::SECRET_DAMAGED, detail));
        };
        let signer = LocalSigner::new(SecretKey::from_seed(signing));
        if signer.public().thumbprint() != key {
            let detail = format!("{}: it holds another key", path.display());
            return Err(Refusal::new(reasons::SECRET_DAMAGED, detail));
        }
        Ok(IssuingKey {
            signer: Box::new(signer),
            opening: OpeningKey::from_bytes(opening)?,
        })
    }
}

impl IssuingKeys for FileKeys {
    fn find(&self, key: Thumbprint) -> Result<Arc<IssuingKey>, Refusal> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = read.get(&key) {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(self.read(key)?);
        read.insert(key, Arc::clone(&found));
        Ok(found)
    }

    fn generate(&self) -> Result<Arc<IssuingKey>, Refusal> {
        let signing = SecretKey::from_seed(&random::bytes());
        let opening = OpeningKey::generate();
        let file = SecretFile {
            kind: SecretKind::Issuing,
            secrets: vec![signing.seed(), opening.to_bytes()],
            label: String::new(),
        };
        let thumbprint = signing.public().thumbprint();
        files::write_new_secret(&self.path(thumbprint), &file, Owner::Directory)?;
        self.find(thumbprint)
    }
}
