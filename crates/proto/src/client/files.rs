//! The frame of the client's two files, and the checks that come before their contents.
//!
//! ```text
//! file = magic(8) | version(1) | length of the contents(4, big-endian) | contents | SHA-256(32)
//! ```
//!
//! The checksum is over everything before it. It finds damage; it is no proof against whoever may
//! write the file, which is why everything that licenses is a signed statement. The contents are
//! deterministic CBOR, so the same knowledge always makes the same bytes.

use ciborium::value::Value;

use crate::cbor;
use crate::crypto::sha256;
use crate::limits::{IDENTITY_BYTES_MAX, STATE_BYTES_MAX};
use crate::reason::{Reason, Refusal, client as reasons};

const HEAD_BYTES: usize = 8 + 1 + 4;
const CHECKSUM_BYTES: usize = 32;
const VERSION: u8 = 1;

/// One of the two files.
pub(crate) struct Kind {
    name: &'static str,
    magic: &'static [u8; 8],
    bytes_max: usize,
    foreign: Reason,
    version: Reason,
    cut: Reason,
    altered: Reason,
    contents: Reason,
}

pub(crate) const STATE: Kind = Kind {
    name: "state",
    magic: b"MUSTERst",
    bytes_max: STATE_BYTES_MAX,
    foreign: reasons::STATE_FOREIGN,
    version: reasons::STATE_VERSION,
    cut: reasons::STATE_CUT,
    altered: reasons::STATE_ALTERED,
    contents: reasons::STATE_CONTENTS,
};

pub(crate) const IDENTITY: Kind = Kind {
    name: "identity",
    magic: b"MUSTERid",
    bytes_max: IDENTITY_BYTES_MAX,
    foreign: reasons::IDENTITY_FOREIGN,
    version: reasons::IDENTITY_VERSION,
    cut: reasons::IDENTITY_CUT,
    altered: reasons::IDENTITY_ALTERED,
    contents: reasons::IDENTITY_CONTENTS,
};

impl Kind {
    /// Frames contents.
    pub(crate) fn seal(&self, contents: &[u8]) -> Vec<u8> {
        let length = u32::try_from(contents.len()).expect("contents are below a megabyte");
        // Room for all at once: an identity that grows would leave copies of secrets behind.
        let mut file = Vec::with_capacity(HEAD_BYTES + contents.len() + CHECKSUM_BYTES);
        file.extend(self.magic);
        file.push(VERSION);
        file.extend(length.to_be_bytes());
        file.extend(contents);
        let checksum = sha256(&file);
        file.extend(checksum);
        file
    }

    /// Opens a file. The order of checks: size, magic, version, length, checksum, contents' form.
    pub(crate) fn open(&self, file: &[u8]) -> Result<Value, Refusal> {
        if file.len() > self.bytes_max {
            let detail = format!("{}: more than {} bytes", self.name, self.bytes_max);
            return Err(Refusal::new(self.foreign, detail));
        }
        let shown = file.len().min(8);
        if file[..shown] != self.magic[..shown] {
            return Err(Refusal::new(self.foreign, self.name));
        }
        let cut = |detail: String| Refusal::new(self.cut, detail);
        let (head, rest) = file
            .split_first_chunk::<HEAD_BYTES>()
            .ok_or_else(|| cut(format!("{}: {} bytes", self.name, file.len())))?;
        if head[8] != VERSION {
            let detail = format!("{}: version {}", self.name, head[8]);
            return Err(Refusal::new(self.version, detail));
        }
        let length = u32::from_be_bytes([head[9], head[10], head[11], head[12]]);
        let wanted = u64::from(length) + CHECKSUM_BYTES as u64;
        if rest.len() as u64 != wanted {
            let detail = format!("{}: {} bytes, it says {wanted}", self.name, rest.len());
            return Err(cut(detail));
        }
        let (sealed, checksum) = file
            .split_last_chunk::<CHECKSUM_BYTES>()
            .expect("the length was checked");
        if sha256(sealed) != *checksum {
            return Err(Refusal::new(self.altered, self.name));
        }
        cbor::decode(&sealed[HEAD_BYTES..]).map_err(|refusal| self.contents(&refusal))
    }

    /// What is refused in well-framed contents.
    pub(crate) fn contents(&self, refusal: &Refusal) -> Refusal {
        Refusal::new(self.contents, format!("{}: {refusal}", self.name))
    }
}
