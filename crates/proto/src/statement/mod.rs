//! Signed statements: one envelope, one table of who may sign what, one way to verify.
//!
//! The specification is `docs/src/protocol/statements.md`.

pub mod answer;
pub mod ask;
pub mod cert;
pub mod chain;
pub mod envelope;
pub mod lease;
pub mod opening;
pub mod policy;
pub mod request;
pub mod revocations;
pub mod root;
pub mod scope;

use std::fmt;

use crate::limits;
use crate::reason::{Refusal, statement as reasons};

pub use chain::{Anchor, Permit, Verified};
pub use envelope::{Claims, Draft, Envelope};

/// The types of statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Typ {
    /// Certifies a key for a role.
    Cert,
    /// The rules of one product.
    Policy,
    /// A client asks one host.
    Ask,
    /// A host answers one ask.
    Answer,
    /// One product is licensed for one client key.
    Lease,
    /// One forest of one customer is activated.
    Object,
    /// One installation is confirmed.
    Confirmation,
    /// Keys that are revoked.
    Revocations,
    /// A host's present opening key.
    Opening,
    /// A key asks to be certified.
    Request,
}

impl Typ {
    /// Every type, in the order of the specification's table.
    pub const ALL: [Typ; 10] = [
        Typ::Cert,
        Typ::Policy,
        Typ::Ask,
        Typ::Answer,
        Typ::Lease,
        Typ::Object,
        Typ::Confirmation,
        Typ::Revocations,
        Typ::Opening,
        Typ::Request,
    ];

    /// The largest of all types' limits, in bytes.
    pub const BYTES_MAX: usize = 8_192;

    /// The type's short name.
    pub const fn name(self) -> &'static str {
        match self {
            Typ::Cert => "cert",
            Typ::Policy => "policy",
            Typ::Ask => "ask",
            Typ::Answer => "answer",
            Typ::Lease => "lease",
            Typ::Object => "object",
            Typ::Confirmation => "confirmation",
            Typ::Revocations => "revocations",
            Typ::Opening => "opening",
            Typ::Request => "request",
        }
    }

    /// The `typ` header (RFC 9596); as there, `application/` is left out.
    pub fn media_type(self) -> String {
        format!("muster-{}+cwt", self.name())
    }

    /// Reads a `typ` header.
    pub fn from_media_type(text: &str) -> Result<Self, Refusal> {
        Self::ALL
            .into_iter()
            .find(|typ| typ.media_type() == text)
            .ok_or_else(|| {
                Refusal::new(reasons::WRONG_TYPE, format!("{text:?} is not a known type"))
            })
    }

    /// The largest size of a statement of this type with its chain, in bytes.
    pub const fn bytes_max(self) -> usize {
        match self {
            Typ::Cert => limits::CERT_BYTES_MAX,
            Typ::Policy => limits::POLICY_BYTES_MAX,
            Typ::Ask => limits::ASK_BYTES_MAX,
            Typ::Answer => limits::ANSWER_BYTES_MAX,
            Typ::Lease => limits::LEASE_BYTES_MAX,
            Typ::Object | Typ::Confirmation => limits::OBJECT_BYTES_MAX,
            Typ::Revocations => limits::REVOCATIONS_BYTES_MAX,
            Typ::Opening => limits::OPENING_BYTES_MAX,
            Typ::Request => limits::REQUEST_BYTES_MAX,
        }
    }
}

const _: () = {
    let mut at = 0;
    while at < Typ::ALL.len() {
        assert!(Typ::ALL[at].bytes_max() <= Typ::BYTES_MAX);
        at += 1;
    }
};

impl fmt::Display for Typ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who signs a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The publisher's offline root.
    Root,
    /// The authority's issuing key.
    Issuing,
    /// A KMS host.
    KmsHost,
    /// A virtualization host.
    VmHost,
    /// A client, or a key that asks to be certified: it signs for itself.
    Own,
}

impl Role {
    /// Every role, in the order of the specification's table.
    pub const ALL: [Role; 5] = [
        Role::Root,
        Role::Issuing,
        Role::KmsHost,
        Role::VmHost,
        Role::Own,
    ];

    /// The number a certificate carries. The root and self-signers have no certificate.
    pub(crate) const fn number(self) -> Option<u64> {
        match self {
            Role::Issuing => Some(1),
            Role::KmsHost => Some(2),
            Role::VmHost => Some(3),
            Role::Root | Role::Own => None,
        }
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.number() == Some(number))
    }

    /// Whether this role may sign statements of a type: the signer table. Every pair that is not
    /// named here is refused.
    pub const fn may_sign(self, typ: Typ) -> bool {
        matches!(
            (self, typ),
            (Role::Root, Typ::Cert | Typ::Policy | Typ::Revocations)
                | (
                    Role::Issuing,
                    Typ::Cert | Typ::Policy | Typ::Object | Typ::Confirmation | Typ::Revocations
                )
                | (Role::KmsHost, Typ::Answer | Typ::Lease | Typ::Opening)
                | (Role::VmHost, Typ::Lease)
                | (Role::Own, Typ::Ask | Typ::Request)
        )
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Root => "root",
            Role::Issuing => "issuing",
            Role::KmsHost => "kms-host",
            Role::VmHost => "vm-host",
            Role::Own => "own",
        })
    }
}
