//! `muster client`: what this machine holds, and what it asks for.

use std::path::PathBuf;

use muster_client::{Activation, Client, Options, ServiceEvent, Which, parse_root};
use muster_net::dns::parse_server;
use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::discover::HostAddr;
use muster_proto::ids::{ProductId, SiteId};
use muster_proto::key::ProductKey;
use muster_proto::limits::BUNDLE_BYTES_MAX;
use muster_proto::statement::policy::Method;
use serde_json::json;

use super::client_show;
use super::service;
use crate::args::client::{Client as Verb, ClientDir};
use crate::config::{self, ClientConfig};
use crate::report::Report;
use crate::{dirs, files};

/// Runs a verb of `muster client`.
pub(super) async fn run(verb: Verb) -> Result<Report, Refusal> {
    match verb {
        Verb::InstallKey {
            at,
            key,
            policy,
            root,
        } => install(&open(&at)?, &key, &policy, root.as_deref()),
        Verb::ChangeKey { at, key, policy } => {
            let client = open(&at)?;
            match policy {
                Some(policy) => install(&client, &key, &policy, None),
                None => change(&client, &key),
            }
        }
        Verb::Activate { at, product } => {
            let activation = open(&at)?.activate(&which(product)).await?;
            Ok(activated(&activation))
        }
        Verb::Status {
            at,
            product,
            long,
            check,
        } => {
            let status = readable(&at)?.status(&which(product))?;
            let report = client_show::status(&status, long);
            let all = !status.products.is_empty() && status.products.iter().all(|p| p.licensed);
            Ok(if check && !all {
                report.refused()
            } else {
                report
            })
        }
        Verb::SetHost { at, host, product } => {
            let host: HostAddr = host.parse()?;
            open(&at)?.set_host(std::slice::from_ref(&host), &which(product))?;
            Ok(Report::new(
                json!({ "host": host.to_string() }),
                format!("Host: {host}."),
            ))
        }
        Verb::ClearHost { at, product } => {
            open(&at)?.clear_host(&which(product))?;
            Ok(Report::new(
                json!({ "host": null }),
                "Hosts are found by DNS.",
            ))
        }
        Verb::SetDomain { at, domain } => {
            let domain = Some(domain.as_str()).filter(|domain| *domain != "-");
            open(&at)?.set_domain(domain)?;
            let text = match domain {
                Some(domain) => format!("Domain: {domain}."),
                None => "The machine's own domain is searched.".into(),
            };
            Ok(Report::new(json!({ "domain": domain }), text))
        }
        Verb::SetSite { at, site } => {
            let wanted = Some(site.as_str()).filter(|site| *site != "-");
            let wanted = wanted.map(str::parse::<SiteId>).transpose()?;
            open(&at)?.set_site(wanted)?;
            Ok(Report::new(
                json!({ "site": site }),
                format!("Site: {site}."),
            ))
        }
        Verb::SetName { at, tell } => {
            open(&at)?.set_tell_name(tell == "yes")?;
            let text = format!("Asks carry this machine's name: {tell}.");
            Ok(Report::new(json!({ "tell_name": tell == "yes" }), text))
        }
        Verb::SetTime { at } => Ok(client_show::time(&open(&at)?.set_time().await?)),
        Verb::SetMethod { at, method } => {
            open(&at)?.set_method(Method::parse(&method))?;
            Ok(Report::new(
                json!({ "method": method }),
                format!("Method: {method}."),
            ))
        }
        Verb::Export { at, out } => {
            client_show::exported(&open(&at)?.export(&Which::default())?, &out)
        }
        Verb::RemoveKey { at, product } => {
            let removed = open(&at)?.remove_key(&which(Some(product)))?;
            Ok(client_show::names("removed", "Removed", &removed))
        }
        Verb::Rearm { at, product } => {
            let rearmed = open(&at)?.rearm(&which(product))?;
            Ok(client_show::names(
                "rearmed",
                "Extended grace begun for",
                &rearmed,
            ))
        }
        Verb::ResetIdentity { at } => {
            open(&at)?.reset_identity()?;
            let text = "Keys, tickets and leases are forgotten; product keys stay.";
            Ok(Report::new(json!({ "reset": true }), text))
        }
        Verb::Serve { at } => serve(&open(&at)?).await,
    }
}

/// The client of a directory.
fn open(at: &ClientDir) -> Result<Client, Refusal> {
    let config: ClientConfig = config::load(at.config.as_deref(), "client")?;
    let dir = dirs::role_dir(at.dir.as_deref(), config.dir.as_deref(), "client");
    build(at, &config, dir)
}

/// For reading: the machine's directory where it holds a state, else the user's.
fn readable(at: &ClientDir) -> Result<Client, Refusal> {
    let config: ClientConfig = config::load(at.config.as_deref(), "client")?;
    let named = at.dir.clone().or_else(|| config.dir.clone());
    let system = dirs::system_dir("client");
    let dir = named.unwrap_or_else(|| {
        if system.join("state").exists() {
            system
        } else {
            dirs::user_dir("client")
        }
    });
    build(at, &config, dir)
}

fn build(at: &ClientDir, config: &ClientConfig, dir: PathBuf) -> Result<Client, Refusal> {
    let server = at.dns_server.as_ref().or(config.dns_server.as_ref());
    let mut options = Options::new(dir);
    options.sysroot = at.sysroot.clone();
    options.dns_server = server.map(|server| parse_server(server)).transpose()?;
    options.version = format!("muster {}", env!("CARGO_PKG_VERSION"));
    Ok(Client::new(options))
}

fn which(product: Option<ProductId>) -> Which {
    Which {
        product,
        ..Which::default()
    }
}

fn install(
    client: &Client,
    key: &str,
    policy: &std::path::Path,
    root: Option<&str>,
) -> Result<Report, Refusal> {
    let key = ProductKey::parse(&files::key_argument(key)?)?;
    let bundle = files::read(policy, BUNDLE_BYTES_MAX)?;
    let insisted = root.map(parse_root).transpose()?;
    let installed = client.install_key(&key, &bundle, insisted.as_ref())?;
    Ok(client_show::installed(&installed))
}

fn change(client: &Client, key: &str) -> Result<Report, Refusal> {
    let key = ProductKey::parse(&files::key_argument(key)?)?;
    Ok(client_show::installed(
        &client.change_key(&key, &Which::default())?,
    ))
}

fn activated(activation: &Activation) -> Report {
    let report = client_show::activation(activation);
    if activation.licensed {
        return report;
    }
    let reason = &activation.reason;
    report
        .refused()
        .say(format!("error: {reason}"))
        .say(format!("  likely cause: {}", reason.reason.cause()))
        .say(format!("  next: {}", reason.reason.next()))
}

async fn serve(client: &Client) -> Result<Report, Refusal> {
    let stop = service::shutdown()?;
    crate::report::print_ready(&format!("serving {}", client.dir().display()));
    client.serve(log_event, stop).await?;
    Ok(Report::new(json!({ "stopped": true }), ""))
}

/// One event of the service, as the log tells it.
fn log_event(event: ServiceEvent) {
    match event {
        ServiceEvent::Ready { products } => tracing::info!(products, "serving"),
        ServiceEvent::State {
            product,
            from,
            to,
            reason,
            ..
        } => {
            let (from, to) = (from.map(LicenceState::name), to.name());
            tracing::info!(%product, from, to, code = reason.reason.code(), "{reason}");
        }
        ServiceEvent::Asked {
            outcome: Ok(activation),
            ..
        } => {
            for tried in activation.tried.iter().filter(|tried| !tried.answered) {
                let code = tried.outcome.reason.code();
                tracing::warn!(host = tried.host, code, "{}", tried.outcome);
            }
            for note in &activation.notes {
                tracing::warn!(code = note.reason.code(), "{note}");
            }
            let code = activation.reason.reason.code();
            tracing::info!(
                code,
                licensed = activation.licensed,
                "{}",
                activation.reason
            );
        }
        ServiceEvent::Asked {
            outcome: Err(refusal),
            ..
        }
        | ServiceEvent::Failed(refusal) => {
            tracing::warn!(code = refusal.reason.code(), "{refusal}");
        }
    }
}
