//! What `muster client` shows: products and why they are as they are, hosts that were tried, files.

use std::path::Path;

use muster_client::{
    Activation, Exported, KeyInstalled, ProductName, ProductStatus, Status, TimeReport,
};
use muster_proto::Refusal;
use muster_proto::reason::config as reasons;
use serde_json::{Value, json};

use crate::files;
use crate::report::{Report, table};
use crate::times::{local, local_of, rfc3339, rough};

/// `client status`.
pub(super) fn status(status: &Status, long: bool) -> Report {
    let json = json!({ "products": status.products });
    let text = match (status.products.is_empty(), long) {
        (true, _) => "No product is installed.".to_owned(),
        (false, false) => short(&status.products),
        (false, true) => status
            .products
            .iter()
            .map(whole)
            .collect::<Vec<_>>()
            .join("\n"),
    };
    Report::new(json, text)
}

fn or_dash(value: Option<&str>) -> String {
    value.unwrap_or("-").to_owned()
}

fn time(value: &Option<String>) -> String {
    value.as_deref().map_or_else(|| "-".to_owned(), local_of)
}

fn count_of(product: &ProductStatus) -> String {
    match (product.count, product.required) {
        (Some(count), Some(required)) => format!("{count} of {required}"),
        _ => "-".into(),
    }
}

fn short(products: &[ProductStatus]) -> String {
    let rows = products.iter().map(|product| {
        let next = product
            .next
            .as_ref()
            .map(|next| format!("{} {}", next.what, local_of(&next.at)));
        vec![
            product.product.clone(),
            product.state.to_owned(),
            or_dash(product.method),
            count_of(product),
            time(&product.until),
            or_dash(next.as_deref()),
        ]
    });
    let mut text = table(
        &["PRODUCT", "STATE", "METHOD", "COUNT", "UNTIL", "NEXT"],
        rows,
    );
    for product in products {
        text.push_str(&format!("\n{}: {}", product.product, why(product)));
    }
    text
}

/// Why, in one or two sentences.
fn why(product: &ProductStatus) -> String {
    let mut why = format!("{} ({}).", product.reason.text, product.reason.code);
    let failed = product.ask_failed.as_ref();
    if let Some(failed) = failed.filter(|failed| failed.reason.code != product.reason.code) {
        let (at, reason) = (local_of(&failed.at), &failed.reason);
        why.push_str(&format!(
            "\n  The last ask failed, {at}: {} ({}).",
            reason.text, reason.code
        ));
    }
    if !product.licensed {
        why.push_str(&format!("\n  Next: {}.", product.reason.next));
    }
    if product.warning {
        why.push_str("\n  This ends soon.");
    }
    if product.user_identity {
        why.push_str("\n  This is kept in the user's own directory, not by the machine's service.");
    }
    why
}

fn whole(product: &ProductStatus) -> String {
    let line = |name: &str, value: String| format!("  {name:<18}{value}\n");
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let mut out = format!("{} of {}\n", product.product, product.publisher);
    out.push_str(&line("state", product.state.to_owned()));
    out.push_str(&line("method", or_dash(product.method)));
    out.push_str(&line("count", count_of(product)));
    out.push_str(&line("until", time(&product.until)));
    out.push_str(&line("host", text(&product.host)));
    out.push_str(&line("site", text(&product.site)));
    out.push_str(&line("key", format!("…{}", text(&product.key_last5))));
    out.push_str(&line("issued", time(&product.issued_at)));
    out.push_str(&line("renewed from", time(&product.renew_at)));
    out.push_str(&line("expires", time(&product.expires_at)));
    if let Some(next) = &product.next {
        out.push_str(&line(
            "next",
            format!("{} {}", next.what, local_of(&next.at)),
        ));
    }
    out.push_str(&line("last answer", time(&product.answered_at)));
    if let Some(seconds) = product.clock_difference {
        out.push_str(&line(
            "host's clock",
            format!("{seconds:+} s from this machine's"),
        ));
    }
    let version = product.policy_version.map(|version| version.to_string());
    out.push_str(&line("policy version", text(&version)));
    out.push_str(&line("hardware", product.hardware.to_owned()));
    out.push_str(&line("client id", text(&product.client_id)));
    if product.user_identity {
        out.push_str(&line("identity", "in this user's own directory".to_owned()));
    }
    out.push_str(&format!("  {}\n", why(product).replace('\n', "\n  ")));
    out
}

/// `client activate`.
pub(super) fn activation(activation: &Activation) -> Report {
    let tried: Vec<Value> = activation
        .tried
        .iter()
        .map(|tried| {
            json!({ "host": tried.host, "found_by": tried.source, "answered": tried.answered,
                "code": tried.outcome.reason.code(), "text": tried.outcome.to_string() })
        })
        .collect();
    let json = json!({ "licensed": activation.licensed, "products": activation.products,
        "tried": tried, "directory": activation.dir });
    let mut report = Report::new(json, short(&activation.products));
    for tried in activation.tried.iter().filter(|tried| !tried.answered) {
        report = report.say(format!(
            "{} ({}): {}",
            tried.host, tried.source, tried.outcome
        ));
    }
    for note in &activation.notes {
        report = report.say(format!("note: {note}"));
    }
    report
}

/// `client install-key` and `change-key`.
pub(super) fn installed(installed: &KeyInstalled, is_root_known: bool) -> Report {
    let name = &installed.name;
    let json = json!({
        "product": name.product.to_string(),
        "publisher": name.publisher_name,
        "publisher_id": name.publisher.to_string(),
        "key_last5": installed.last5.to_string(),
        "root_fingerprint": installed.fingerprint.to_string(),
        "replaced": installed.replaced.map(|last5| last5.to_string()),
    });
    let text = match installed.replaced {
        Some(old) => format!(
            "Replaced …{old} by …{} for {}.",
            installed.last5, name.product
        ),
        None => format!("Installed …{} for {}.", installed.last5, name.product),
    };
    let report = Report::new(json, text);
    if installed.root_known || is_root_known {
        return report.say("next: muster client activate");
    }
    report
        .say(format!(
            "note: the root of {} is pinned as found; compare its fingerprint with the \
             publisher's:\n  {}",
            name.publisher_name, installed.fingerprint
        ))
        .say("next: muster client activate")
}

/// The products a verb has worked on.
pub(super) fn names(field: &str, words: &str, names: &[ProductName]) -> Report {
    let products: Vec<String> = names.iter().map(|name| name.product.to_string()).collect();
    let text = format!("{words} {}.", products.join(", "));
    Report::new(json!({ field: products }), text)
}

/// `client export`: one file for each statement.
pub(super) fn exported(exported: &[Exported], dir: &Path) -> Result<Report, Refusal> {
    std::fs::create_dir_all(dir).map_err(|error| {
        Refusal::new(
            reasons::FILE_UNWRITABLE,
            format!("{}: {error}", dir.display()),
        )
    })?;
    let mut names = Vec::new();
    for file in exported {
        let path = dir.join(&file.name);
        files::write(&path, &file.bytes)?;
        names.push(path.display().to_string());
    }
    let text = names.join("\n");
    Ok(Report::new(json!({ "files": names }), text)
        .say("verify one with: muster inspect FILE --verify --root ROOT"))
}

/// `client set-time`.
pub(super) fn clocks(report: &TimeReport) -> Report {
    let json = json!({
        "clock": rfc3339(report.wall),
        "floor": rfc3339(report.floor),
        "behind": report.behind.map(|span| span.to_string()),
        "host_time": report.last.map(|(host, _)| rfc3339(host)),
        "asked": { "code": report.asked.reason.code(), "text": report.asked.to_string() },
    });
    let mut text = format!(
        "This machine's clock: {}\nTime known to have passed: {}\n",
        local(report.wall),
        local(report.floor)
    );
    if let Some((host, own)) = report.last {
        let (apart, side) = (
            host.distance(own),
            if host > own { "ahead" } else { "behind" },
        );
        text.push_str(&format!(
            "The host's clock was {} {side} when it answered.\n",
            rough(apart)
        ));
    }
    if let Some(behind) = report.behind {
        text.push_str(&format!(
            "The clock is {} behind; correct it.\n",
            rough(behind)
        ));
    }
    Report::new(json, text).say(format!("{}", report.asked))
}
