//! Files that hold secrets of the authority: root keys, an issuing key, the secret of product keys.
//! A fixed layout read in place, so that no parser leaves copies of a secret behind.
//!
//! ```text
//! file = "muster-secret" (13) | version 1 (1) | kind (1) | count (1) | count x secret (32)
//!      | label length (1) | label (UTF-8) | SHA-256 over all before (32)
//! ```

use zeroize::Zeroizing;

use crate::crypto::sha256;
use crate::limits::{NAME_BYTES_MAX, SECRET_FILE_BYTES_MAX};
use crate::reason::{Refusal, authority as reasons};

const MAGIC: &[u8; 13] = b"muster-secret";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = MAGIC.len() + 3;
const CHECKSUM_BYTES: usize = 32;

/// Secrets in one file at most.
const SECRETS_MAX: usize = 3;

/// What a file's secrets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// Seeds of root keys, the present one first; the label is the root's name.
    Root,
    /// An issuing key: the seed of its signing key, then its opening key.
    Issuing,
    /// The secret product keys are made with.
    ProductKeys,
}

impl SecretKind {
    const fn number(self) -> u8 {
        match self {
            Self::Root => 1,
            Self::Issuing => 2,
            Self::ProductKeys => 3,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Root => "root keys",
            Self::Issuing => "an issuing key",
            Self::ProductKeys => "the secret of product keys",
        }
    }
}

/// The contents of a secret file; wiped on drop, never shown.
pub struct SecretFile {
    /// What the secrets are.
    pub kind: SecretKind,
    /// One to three secrets of 32 bytes.
    pub secrets: Vec<Zeroizing<[u8; 32]>>,
    /// A name that is no secret.
    pub label: String,
}

impl SecretFile {
    /// The file's bytes.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let label = self.label.as_bytes();
        let length = HEAD_BYTES + 32 * self.secrets.len() + 1 + label.len() + CHECKSUM_BYTES;
        // Room for all of it at once: a vector that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        bytes.extend(MAGIC);
        let count = u8::try_from(self.secrets.len()).expect("a file holds at most three secrets");
        bytes.extend([VERSION, self.kind.number(), count]);
        for secret in &self.secrets {
            bytes.extend(secret.as_slice());
        }
        bytes.push(u8::try_from(label.len()).expect("a label has at most 128 bytes"));
        bytes.extend(label);
        let checksum = sha256(&bytes);
        bytes.extend(checksum);
        bytes
    }

    /// Reads a file of the expected kind.
    ///
    /// # Errors
    /// `SECRET_DAMAGED` with the rule that does not hold.
    pub fn decode(bytes: &[u8], kind: SecretKind) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::new(reasons::SECRET_DAMAGED, what);
        if bytes.len() > SECRET_FILE_BYTES_MAX {
            return Err(wrong("it is too large"));
        }
        let body = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .filter(|(body, checksum)| sha256(body) == **checksum)
            .map(|(body, _)| body)
            .ok_or_else(|| wrong("its checksum does not fit"))?;
        let (head, rest) = body
            .split_first_chunk::<HEAD_BYTES>()
            .filter(|(head, _)| head.starts_with(MAGIC))
            .ok_or_else(|| wrong("it is no secret file of muster"))?;
        let [version, number, count] = [head[13], head[14], head[15]];
        if version != VERSION {
            return Err(wrong("it is of another version"));
        }
        if number != kind.number() {
            let detail = format!("it does not hold {}", kind.name());
            return Err(wrong(&detail));
        }
        let count = usize::from(count);
        if count == 0 || count > SECRETS_MAX || rest.len() < 32 * count + 1 {
            return Err(wrong("its number of secrets is wrong"));
        }
        let (secrets, label) = rest.split_at(32 * count);
        let label = Self::read_label(label).ok_or_else(|| wrong("its label is wrong"))?;
        let secrets = secrets.chunks_exact(32).map(|chunk| {
            let mut secret = Zeroizing::new([0; 32]);
            secret.copy_from_slice(chunk);
            secret
        });
        Ok(Self {
            kind,
            secrets: secrets.collect(),
            label,
        })
    }

    fn read_label(bytes: &[u8]) -> Option<String> {
        let (length, label) = bytes.split_first()?;
        let fits = usize::from(*length) == label.len() && label.len() <= NAME_BYTES_MAX;
        String::from_utf8(label.to_vec()).ok().filter(|_| fits)
    }
}

impl std::fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretFile({})", self.kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_is_written_and_every_flipped_bit_is_refused() {
        let file = SecretFile {
            kind: SecretKind::Issuing,
            secrets: vec![Zeroizing::new([7; 32]), Zeroizing::new([9; 32])],
            label: "Contoso".into(),
        };
        let bytes = file.encode();
        let back = SecretFile::decode(&bytes, SecretKind::Issuing).unwrap();
        assert_eq!((&back.secrets, &back.label), (&file.secrets, &file.label));
        assert_eq!(format!("{back:?}"), "SecretFile(an issuing key)");
        assert!(SecretFile::decode(&bytes, SecretKind::Root).is_err());
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SecretFile::decode(&flipped, SecretKind::Issuing).is_err());
        }
        for length in 0..bytes.len() {
            assert!(SecretFile::decode(&bytes[..length], SecretKind::Issuing).is_err());
        }
    }
}
