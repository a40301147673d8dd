//! `muster explain`: the reason table, one row or all.

use muster_proto::reason::config as reasons;
use muster_proto::{Reason, Refusal};
use serde_json::{Value, json};

use crate::report::{Report, reason_json, table};

/// Runs `muster explain`.
pub(super) fn run(code: Option<&str>) -> Result<Report, Refusal> {
    let Some(code) = code else {
        let rows = Reason::all().map(|reason| vec![reason.code().into(), reason.text().into()]);
        let json: Vec<Value> = Reason::all().map(reason_json).collect();
        return Ok(Report::new(
            json!({ "reasons": json }),
            table(&["CODE", "TEXT"], rows),
        ));
    };
    let reason = Reason::find(code)
        .ok_or_else(|| Refusal::new(reasons::UNKNOWN_CODE, format!("{code:?}")))?;
    let mut text = format!(
        "{}: {}.\n\nLikely cause: {}.\nNext: {}.",
        reason.code(),
        reason.text(),
        reason.cause(),
        reason.next()
    );
    if let Some(doctor) = doctor_of(reason.code()) {
        text.push_str(&format!("\nTo go through every step: {doctor}."));
    }
    Ok(Report::new(reason_json(reason), text))
}

/// The diagnosis in which a reason of this area is met.
fn doctor_of(code: &str) -> Option<&'static str> {
    match code.split('-').nth(1)? {
        "CLI" => Some("muster client doctor"),
        "KMS" => Some("muster kms doctor"),
        "AUT" => Some("muster authority doctor"),
        _ => None,
    }
}
