//! What `muster kms` shows: counts, keys, DNS, clients, settings.

use muster_host::{ClientLine, KeyStatus, PoolStatus, Settings, Status, ZoneStatus};
use muster_proto::time::Timestamp;
use serde_json::{Map, Value, json};

use super::inspect::time_json;
use crate::report::{Report, error_json, table};
use crate::times::{self, rfc3339};

/// `kms status`.
pub(super) fn status(status: &Status) -> Report {
    let json = status_json(status);
    let report = Report::new(json, status_text(status));
    status.warnings.iter().fold(report, |report, warning| {
        report.say(format!(
            "warning: {warning}\n  next: {}",
            warning.reason.next()
        ))
    })
}

/// The JSON of `kms status`, also part of `lab --json`.
pub(crate) fn status_json(status: &Status) -> Value {
    json!({
        "listen": status.listen.first(),
        "store": {
            "name": status.table.name,
            "shared": status.table.is_shared,
            "answers": status.table.answers,
        },
        "pools": status.pools.iter().map(pool_json).collect::<Vec<_>>(),
        "keys": status.keys.iter().map(key_json).collect::<Vec<_>>(),
        "dns": status.dns.iter().map(zone_json).collect::<Vec<_>>(),
        "settings": settings_json(&status.settings),
        "warnings": status.warnings.iter()
            .map(|warning| error_json(warning)["error"].take()).collect::<Vec<_>>(),
    })
}

fn pool_json(pool: &PoolStatus) -> Value {
    let by_state: Map<String, Value> = pool
        .by_state
        .iter()
        .map(|(state, n)| (state.name().to_owned(), json!(n)))
        .collect();
    json!({
        "publisher": pool.publisher.to_string(),
        "pool": pool.pool,
        "count": pool.count,
        "products": pool.products.iter()
            .map(|(product, threshold)| json!({ "product": product, "required": threshold }))
            .collect::<Vec<_>>(),
        "requests": { "total": pool.total, "failed": pool.failed, "by_state": by_state },
    })
}

fn key_json(key: &KeyStatus) -> Value {
    json!({
        "publisher": key.publisher.to_string(),
        "name": key.name,
        "root_fingerprint": key.fingerprint,
        "key_last5": key.last5,
        "products": key.products,
        "site": key.site,
        "client_budget": key.client_budget,
        "certificate": key.certificate.map(|name| name.to_string()),
        "not_after": time_json(key.not_after),
        "pending": key.is_pending,
        "authority": key.authority,
    })
}

fn zone_json(zone: &ZoneStatus) -> Value {
    json!({
        "zone": zone.zone,
        "state": zone.state,
        "at": rfc3339(Timestamp::from_seconds(zone.at)),
        "next_at": time_json(zone.next.map(Timestamp::from_seconds)),
        "reason": zone.reason.as_ref().map(|code| json!({ "code": code, "text": zone.message })),
    })
}

fn settings_json(settings: &Settings) -> Value {
    json!({
        "renewal": settings.intervals.renewal.map(|span| span.to_string()),
        "retry": settings.intervals.retry.map(|span| span.to_string()),
        "new_identities": settings.new_identities,
    })
}

fn status_text(status: &Status) -> String {
    let now = times::now();
    let mut text = match status.listen.as_slice() {
        [] => "The service has not run yet.\n".to_owned(),
        listen => format!("Listens on {}.\n", listen.join(", ")),
    };
    if status.table.is_shared {
        let answers = match status.table.answers {
            true => "",
            false => ", which does not answer",
        };
        text.push_str(&format!("Counts in {}{answers}.\n", status.table.name));
    }
    for key in &status.keys {
        let until = match key.not_after {
            Some(end) => format!(
                "until {} ({})",
                times::local(end),
                times::relative(end, now)
            ),
            None => "not certified yet".to_owned(),
        };
        let keys: Vec<String> = key.last5.iter().map(|last5| format!("…{last5}")).collect();
        text.push_str(&format!(
            "\n{}: {} {until}, key {}\n",
            key.name,
            key.products.join(", "),
            keys.join(", ")
        ));
    }
    if !status.pools.is_empty() {
        let rows = status.pools.iter().map(|pool| {
            let needs: Vec<String> = pool
                .products
                .iter()
                .map(|(product, n)| format!("{product} {n}"))
                .collect();
            vec![
                pool.pool.clone(),
                pool.count.to_string(),
                needs.join(", "),
                pool.total.to_string(),
                pool.failed.to_string(),
            ]
        });
        text.push('\n');
        text.push_str(&table(
            &["POOL", "COUNT", "NEEDED", "ASKS", "NOT GRANTED"],
            rows,
        ));
    }
    for zone in &status.dns {
        let at = Timestamp::from_seconds(zone.at);
        text.push_str(&format!(
            "\nDNS {}: {} {}",
            zone.zone,
            zone.state,
            times::relative(at, now)
        ));
        if let Some(message) = &zone.message {
            text.push_str(&format!(": {message}"));
        }
        let next = zone.next.map(Timestamp::from_seconds);
        if let Some(next) = next.filter(|next| *next > now) {
            text.push_str(&format!("; again {}", times::relative(next, now)));
        }
    }
    text
}

/// `kms clients`.
pub(super) fn clients(clients: &[ClientLine]) -> Report {
    let json = clients.iter().map(|client| {
        json!({
            "id": client.client.client.to_string(),
            "publisher": client.client.publisher.to_string(),
            "pool": client.pool,
            "first_seen": rfc3339(client.first_seen),
            "last_seen": rfc3339(client.last_seen),
            "counts_until": time_json(client.counts_until),
            "state": client.state.name(),
        })
    });
    let rows = clients.iter().map(|client| {
        vec![
            client.client.client.to_string(),
            client.pool.clone().unwrap_or_else(|| "-".into()),
            times::local(client.last_seen),
            client
                .counts_until
                .map_or_else(|| "not counted".into(), times::local),
            client.state.name().to_owned(),
        ]
    });
    let text = table(
        &["CLIENT", "POOL", "LAST SEEN", "COUNTS UNTIL", "STATE"],
        rows,
    );
    Report::new(json!({ "clients": json.collect::<Vec<_>>() }), text)
}

/// `kms set`.
pub(super) fn settings(settings: &Settings) -> Report {
    let interval = |span: Option<muster_proto::time::Span>| {
        span.map_or_else(|| "as the policies say".to_owned(), |span| span.to_string())
    };
    let text = format!(
        "Renewal: {}\nRetry: {}\nNew identities per source and hour: {}",
        interval(settings.intervals.renewal),
        interval(settings.intervals.retry),
        settings.new_identities
    );
    Report::new(settings_json(settings), text)
}

/// `kms retire`.
pub(super) fn zones(zones: &[ZoneStatus]) -> Report {
    let lines: Vec<String> = zones
        .iter()
        .map(|zone| match &zone.message {
            None => format!("{}: {}", zone.zone, zone.state),
            Some(message) => format!("{}: {}: {message}", zone.zone, zone.state),
        })
        .collect();
    let text = if lines.is_empty() {
        "No zone is configured.".into()
    } else {
        lines.join("\n")
    };
    let json = json!({ "dns": zones.iter().map(zone_json).collect::<Vec<_>>() });
    let report = Report::new(json, text);
    if zones.iter().any(|zone| zone.message.is_some()) {
        report.refused()
    } else {
        report
    }
}

/// `kms dns-records`.
pub(super) fn records(lines: &[String]) -> Report {
    let text = if lines.is_empty() {
        "No zone is given: --dns-zone ZONE[,PRIORITY[,WEIGHT]].".into()
    } else {
        lines.join("\n")
    };
    Report::new(json!({ "records": lines }), text)
}
