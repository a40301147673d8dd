//! The tables of an authority, as rules and changes see them.

use muster_proto::Refusal;
use muster_proto::authority::publish::Numbered;
use muster_proto::authority::{CertRow, HostNumber, KeyId, KeyRow, SlotRow};
use muster_proto::ids::{ProductId, Thumbprint};
use muster_proto::key::{Channel, Last5, ProductGroup};
use muster_proto::reason::authority as reasons;
use muster_proto::time::{Span, Timestamp};

/// A product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductRow {
    /// Its id.
    pub id: ProductId,
    /// The group number in its keys.
    pub group: ProductGroup,
    /// The version of its newest policy.
    pub version: u32,
    /// The longest lease validity that any of its policies allowed: revocations are kept as long.
    pub validity_max: Span,
    /// When it was added.
    pub added: Timestamp,
}

/// An issuing certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuingRow {
    /// Its name.
    pub name: Thumbprint,
    /// The thumbprint of the key it certifies.
    pub key: Thumbprint,
    /// The certificate.
    pub statement: Vec<u8>,
    /// When it was applied.
    pub added: Timestamp,
}

/// A host certificate's statement. It is charged for and stored before it is signed, since a
/// signature may come late or never: whoever asks again gets it signed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertStatement {
    /// The name of the issuing certificate it stands under.
    pub parent: Thumbprint,
    /// The statement; its signature is 64 zeros until it is signed.
    pub bytes: Vec<u8>,
    /// Whether it is signed.
    pub is_signed: bool,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, which only grows.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What happened: `host-activated`, `key-revoked`, …
    pub event: String,
    /// To what: a product, serial, host or setting.
    pub subject: String,
    /// Details; no secret.
    pub detail: String,
}

/// The tables within one transaction.
pub trait Tables {
    /// A setting.
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Refusal>;
    /// Sets a setting.
    fn put_setting(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal>;

    /// Every product, by id.
    fn products(&self) -> Result<Vec<ProductRow>, Refusal>;
    /// A product.
    fn product(&self, id: &ProductId) -> Result<Option<ProductRow>, Refusal>;
    /// Adds or replaces a product.
    fn put_product(&mut self, row: &ProductRow) -> Result<(), Refusal>;
    /// A version of a product's policy.
    fn policy(&self, id: &ProductId, version: u32) -> Result<Option<Vec<u8>>, Refusal>;
    /// Keeps a version of a product's policy; a version is never replaced.
    fn put_policy(&mut self, id: &ProductId, version: u32, policy: &[u8]) -> Result<(), Refusal>;

    /// The next serial of a channel and group; above 32 bits when all are given out.
    fn next_serial(&self, channel: Channel, group: ProductGroup) -> Result<u64, Refusal>;
    /// The highest next serial of all channels and groups.
    fn highest_serial(&self) -> Result<u64, Refusal>;
    /// Moves the next serial.
    fn put_next_serial(
        &mut self,
        channel: Channel,
        group: ProductGroup,
        next: u64,
    ) -> Result<(), Refusal>;
    /// A product key.
    fn key(&self, id: KeyId) -> Result<Option<KeyRow>, Refusal>;
    /// Product keys after a serial, of one product or of all, by serial.
    fn keys(
        &self,
        product: Option<&ProductId>,
        after: Option<KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyRow>, Refusal>;
    /// Product keys whose last group is this, at most `limit`.
    fn keys_ending(&self, last5: Last5, limit: usize) -> Result<Vec<KeyRow>, Refusal>;
    /// Adds a key, or replaces when it was revoked.
    fn put_key(&mut self, row: &KeyRow) -> Result<(), Refusal>;

    /// The places of a key that are taken.
    fn slots(&self, key: KeyId) -> Result<Vec<SlotRow>, Refusal>;
    /// The number of a key's next new place.
    fn next_slot(&self, key: KeyId) -> Result<u32, Refusal>;
    /// The places that a host holds.
    fn slots_of_host(&self, host: HostNumber) -> Result<Vec<(KeyId, SlotRow)>, Refusal>;
    /// Takes or changes a place. The limits of the key hold here by themselves, whatever was
    /// decided before.
    ///
    /// # Errors
    /// `HOSTS_SPENT`, `ACTIVATIONS_SPENT`; nothing is changed then.
    fn put_slot(&mut self, key: KeyId, row: &SlotRow) -> Result<(), Refusal>;
    /// Frees every place of a host; returns how many.
    fn free_slots(&mut self, host: HostNumber, at: Timestamp) -> Result<u32, Refusal>;

    /// The number of the next new host.
    fn next_host(&self) -> Result<HostNumber, Refusal>;
    /// Hosts after a number, in order.
    fn hosts(&self, after: HostNumber, limit: usize) -> Result<Vec<HostNumber>, Refusal>;
    /// A certificate by its name.
    fn cert(&self, name: Thumbprint) -> Result<Option<CertRow>, Refusal>;
    /// The certificate that answered a request.
    fn cert_of_request(&self, request: Thumbprint) -> Result<Option<CertRow>, Refusal>;
    /// A host's certificates, the oldest first.
    fn certs_of_host(&self, host: HostNumber) -> Result<Vec<CertRow>, Refusal>;
    /// Whether a signing key was certified before.
    fn is_signing_key_used(&self, key: Thumbprint) -> Result<bool, Refusal>;
    /// Adds a certificate, or replaces its request, successor, revocation and forks.
    fn put_cert(&mut self, row: &CertRow) -> Result<(), Refusal>;
    /// A certificate's statement.
    fn statement(&self, name: Thumbprint) -> Result<Option<CertStatement>, Refusal>;
    /// Adds or replaces a certificate's statement.
    fn put_statement(&mut self, name: Thumbprint, row: &CertStatement) -> Result<(), Refusal>;

    /// The issuing certificates, the oldest first.
    fn issuing(&self) -> Result<Vec<IssuingRow>, Refusal>;
    /// Adds an issuing certificate.
    fn put_issuing(&mut self, row: &IssuingRow) -> Result<(), Refusal>;

    /// The newest revocation number; 0 when nothing was ever revoked.
    fn newest_revocation(&self) -> Result<u64, Refusal>;
    /// Every revocation that has not ended, by number.
    fn revocations(&self, now: Timestamp) -> Result<Vec<Numbered>, Refusal>;
    /// Whether a signing key was ever revoked.
    fn is_revoked(&self, key: Thumbprint) -> Result<bool, Refusal>;
    /// Adds a revocation.
    fn put_revocation(&mut self, row: &Numbered) -> Result<(), Refusal>;
    /// The signed deltas that tile the list, in order.
    fn deltas(&self) -> Result<Vec<Vec<u8>>, Refusal>;
    /// Replaces the signed deltas.
    fn put_deltas(&mut self, deltas: &[Vec<u8>]) -> Result<(), Refusal>;

    /// Entries of the audit log after a number, in order.
    fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, Refusal>;
    /// Appends to the audit log.
    fn put_audit(
        &mut self,
        at: Timestamp,
        event: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), Refusal>;
}

/// Why a place was neither changed nor taken.
pub(super) fn place_refused(
    tables: &dyn Tables,
    key: KeyId,
    row: &SlotRow,
) -> Result<Refusal, Refusal> {
    let Some(known) = tables.key(key)? else {
        return Ok(Refusal::new(reasons::KEY_NOT_FOUND, key.to_string()));
    };
    let (reason, what) = match row.activations > known.activations_max {
        true => (reasons::ACTIVATIONS_SPENT, "activations"),
        false => (reasons::HOSTS_SPENT, "hosts"),
    };
    Ok(Refusal::new(
        reason,
        format!("the key that ends in {}: no {what} are left", known.last5),
    ))
}
