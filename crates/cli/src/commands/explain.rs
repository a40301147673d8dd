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
    let text = format!(
        "{}: {}.\n\nLikely cause: {}.\nNext: {}.",
        reason.code(),
        reason.text(),
        reason.cause(),
        reason.next()
    );
    Ok(Report::new(reason_json(reason), text))
}
