//! `muster authority key` and `muster authority host`: what was sold, and who was certified.

use muster_authority::{Authority, HostReport, IssuedKey, KeyOrder, KeyReport};
use muster_machine::clock;
use muster_proto::Refusal;
use muster_proto::authority::HostNumber;
use muster_proto::ids::ProductId;
use muster_proto::limits::LIST_ROWS_MAX;
use muster_proto::reason::config as reasons;
use serde_json::{Value, json};

use super::authority::Place;
use super::inspect::time_json;
use crate::args::authority::{Host, Key};
use crate::report::{Report, table};
use crate::times::{local, rfc3339};

/// Runs a verb of `muster authority key`.
pub(super) async fn run(place: &Place, verb: Key) -> Result<Report, Refusal> {
    let now = clock::now();
    match verb {
        Key::Issue {
            product,
            channel,
            count,
            activations,
            hosts,
            site,
            client_budget,
        } => {
            let order = KeyOrder {
                count,
                activations,
                hosts,
                site,
                client_budget,
                ..KeyOrder::new(product, channel)
            };
            Ok(issued(&place.open().await?.issue_keys(&order, now).await?))
        }
        Key::List { product } => list_all(&place.open().await?, product.as_ref()).await,
        Key::Show { key, reveal } => {
            show(&place.open().await?, key.as_deref(), reveal.as_deref()).await
        }
        Key::Revoke { key, with_hosts } => {
            let authority = place.open().await?;
            let report = authority.revoke_key(&key, with_hosts, now).await?;
            let text = format!("Revoked {} (…{}).", report.row.id, report.row.last5);
            Ok(Report::new(key_json(&report), text))
        }
    }
}

async fn list_all(authority: &Authority, product: Option<&ProductId>) -> Result<Report, Refusal> {
    let mut keys: Vec<KeyReport> = Vec::new();
    loop {
        let after = keys.last().map(|key| key.row.id);
        let page = authority.keys(product, after, LIST_ROWS_MAX).await?;
        let is_last = page.len() < LIST_ROWS_MAX;
        keys.extend(page);
        if is_last {
            return Ok(list(&keys));
        }
    }
}

async fn show(
    authority: &Authority,
    key: Option<&str>,
    reveal: Option<&str>,
) -> Result<Report, Refusal> {
    let selector = reveal.or(key).ok_or_else(|| {
        Refusal::new(
            reasons::MISUSED,
            "name a key by its last five symbols or its serial",
        )
    })?;
    let report = authority.key(selector).await?;
    let mut json = key_json(&report);
    let mut text = list_text(std::slice::from_ref(&report));
    if reveal.is_some() {
        let key = authority.reveal_key(report.row.id).await?;
        let whole = key.reveal();
        json["key"] = json!(whole.as_str());
        text.push_str(&format!("\n{}\n", whole.as_str()));
    }
    Ok(Report::new(json, text))
}

fn issued(keys: &[IssuedKey]) -> Report {
    let json = keys.iter().map(|issued| {
        json!({
            "key": issued.key.reveal().as_str(),
            "last5": issued.key.last5().to_string(),
            "serial": issued.id.to_string(),
            "product": issued.product.to_string(),
            "channel": issued.id.channel.name(),
        })
    });
    let lines: Vec<String> = keys
        .iter()
        .map(|issued| issued.key.reveal().to_string())
        .collect();
    Report::new(
        json!({ "keys": json.collect::<Vec<_>>() }),
        lines.join("\n"),
    )
}

fn key_json(key: &KeyReport) -> Value {
    let row = &key.row;
    json!({
        "serial": row.id.to_string(),
        "last5": row.last5.to_string(),
        "product": row.product.to_string(),
        "channel": row.id.channel.name(),
        "site": row.site.to_string(),
        "hosts": { "used": key.hosts_used, "max": row.hosts_max },
        "activations": { "used": key.activations_used, "max_per_host": row.activations_max },
        "client_budget": row.client_budget,
        "issued_at": rfc3339(row.issued),
        "revoked_at": time_json(row.revoked),
    })
}

fn list(keys: &[KeyReport]) -> Report {
    let json: Vec<Value> = keys.iter().map(key_json).collect();
    Report::new(json!({ "keys": json }), list_text(keys))
}

fn list_text(keys: &[KeyReport]) -> String {
    let rows = keys.iter().map(|key| {
        let row = &key.row;
        vec![
            row.id.to_string(),
            format!("…{}", row.last5),
            row.product.to_string(),
            row.site.to_string(),
            format!("{}/{}", key.hosts_used, row.hosts_max),
            key.activations_used.to_string(),
            row.revoked.map_or_else(|| "-".into(), local),
        ]
    });
    table(
        &[
            "SERIAL",
            "KEY",
            "PRODUCT",
            "SITE",
            "HOSTS",
            "ACTIVATIONS",
            "REVOKED",
        ],
        rows,
    )
}

/// Runs a verb of `muster authority host`.
pub(super) async fn hosts(place: &Place, verb: Host) -> Result<Report, Refusal> {
    match verb {
        Host::List => {
            let authority = place.open().await?;
            let mut hosts: Vec<HostReport> = Vec::new();
            loop {
                let after = hosts.last().map_or(HostNumber(0), |host| host.number);
                let page = authority.hosts(after, LIST_ROWS_MAX).await?;
                let is_last = page.len() < LIST_ROWS_MAX;
                hosts.extend(page);
                if is_last {
                    break;
                }
            }
            let json: Vec<Value> = hosts.iter().map(host_json).collect();
            Ok(Report::new(json!({ "hosts": json }), hosts_text(&hosts)))
        }
        Host::Revoke { host } => {
            let number = host.parse().map(HostNumber).map_err(|_| {
                Refusal::new(
                    reasons::MISUSED,
                    format!("{host:?} is no host number of host list"),
                )
            })?;
            let authority = place.open().await?;
            let report = authority.revoke_host(number, clock::now()).await?;
            let text = format!(
                "Revoked host {} ({}); its place is free.",
                number.0, report.name
            );
            Ok(Report::new(host_json(&report), text))
        }
    }
}

fn host_json(host: &HostReport) -> Value {
    json!({
        "id": host.number.0.to_string(),
        "name": host.name,
        "site": host.site.to_string(),
        "products": host.products.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "keys": host.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "client_budget": host.client_budget,
        "certificate": host.cert.to_string(),
        "certificates": host.certificates,
        "first_at": rfc3339(host.first),
        "issued_at": rfc3339(host.issued),
        "not_after": rfc3339(host.not_after),
        "revoked_at": time_json(host.revoked),
        "forks": host.forks,
    })
}

fn hosts_text(hosts: &[HostReport]) -> String {
    let rows = hosts.iter().map(|host| {
        let products: Vec<String> = host.products.iter().map(ToString::to_string).collect();
        vec![
            host.number.0.to_string(),
            host.name.clone(),
            host.site.to_string(),
            products.join(", "),
            local(host.not_after),
            host.revoked.map_or_else(|| "-".into(), local),
            host.forks.to_string(),
        ]
    });
    table(
        &[
            "HOST",
            "NAME",
            "SITE",
            "PRODUCTS",
            "CERTIFIED UNTIL",
            "REVOKED",
            "FORKS",
        ],
        rows,
    )
}
