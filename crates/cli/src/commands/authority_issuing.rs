//! `muster authority issuing`: the keys that the root certified, and the one that has leaked.

use muster_authority::{Authority, IssuingReport};
use muster_machine::clock;
use muster_proto::Refusal;
use muster_proto::ids::Thumbprint;
use muster_proto::limits::ISSUING_DIGITS_MIN;
use muster_proto::reason::authority as reasons;
use serde_json::{Value, json};

use super::authority::Place;
use crate::args::authority::Issuing;
use crate::report::{Report, table};
use crate::times::{local, rfc3339};

/// Runs a verb of `muster authority issuing`.
pub(super) async fn run(place: &Place, verb: Issuing) -> Result<Report, Refusal> {
    let authority = place.open().await?;
    match verb {
        Issuing::List => {
            let keys = authority.issuing().await?;
            let json: Vec<Value> = keys.iter().map(key_json).collect();
            Ok(Report::new(json!({ "issuing": json }), keys_text(&keys)))
        }
        Issuing::Revoke { key } => {
            let thumbprint = find(&authority, &key).await?;
            let report = authority.revoke_issuing(thumbprint, clock::now()).await?;
            let text = format!("Revoked the issuing key {thumbprint}.");
            Ok(Report::new(key_json(&report), text)
                .say("hosts renew by themselves within a day, or at once by: muster kms renew"))
        }
    }
}

/// The one issuing key that these digits begin.
async fn find(authority: &Authority, digits: &str) -> Result<Thumbprint, Refusal> {
    let keys = authority.issuing().await?;
    let thumbprints = keys.iter().map(|key| key.cert.key.thumbprint());
    let wanted = digits.to_ascii_lowercase();
    let mut found = thumbprints.filter(|key| key.to_string().starts_with(&wanted));
    let unknown = |detail: String| Err(Refusal::new(reasons::ISSUING_UNKNOWN, detail));
    match (found.next(), found.next()) {
        _ if digits.len() < ISSUING_DIGITS_MIN => {
            unknown(format!("give at least {ISSUING_DIGITS_MIN} digits"))
        }
        (Some(one), None) => Ok(one),
        (None, _) => unknown(digits.to_owned()),
        (Some(_), Some(_)) => unknown(format!("{digits} begins several")),
    }
}

fn key_json(key: &IssuingReport) -> Value {
    json!({
        "key": key.cert.key.thumbprint().to_string(),
        "certificate": key.name.to_string(),
        "name": key.cert.name,
        "issued_at": rfc3339(key.cert.issued),
        "not_after": rfc3339(key.cert.not_after),
        "revoked": key.is_revoked,
    })
}

fn keys_text(keys: &[IssuingReport]) -> String {
    let rows = keys.iter().map(|key| {
        let revoked = if key.is_revoked { "revoked" } else { "-" };
        vec![
            key.cert.key.thumbprint().to_string()[..16].to_owned(),
            key.cert.name.clone(),
            local(key.cert.issued),
            local(key.cert.not_after),
            revoked.to_owned(),
        ]
    });
    table(&["KEY", "NAME", "ISSUED", "VALID UNTIL", "STATE"], rows)
}
