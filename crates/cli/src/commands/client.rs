//! `muster client`: what this machine holds, and what it asks for.

use std::path::{Path, PathBuf};

use muster_client::{Activation, Client, Options, ServiceEvent, Which, parse_root};
use muster_net::dns::parse_server;
use muster_net::http::authority::{AuthorityClient, AuthorityOptions};
use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::discover::HostAddr;
use muster_proto::ids::SiteId;
use muster_proto::key::ProductKey;
use muster_proto::limits::BUNDLE_BYTES_MAX;
use muster_proto::reason::{config as reasons, kms, statement};
use muster_proto::statement::policy::Method;
use muster_proto::wire::Bundle;
use serde_json::json;

use super::client_show;
use super::service;
use crate::args::client::{Client as Verb, ClientArgs, ClientDir, Only};
use crate::args::kms::AuthorityAccess;
use crate::config::{self, ClientConfig};
use crate::report::Report;
use crate::{dirs, files};

/// Runs a verb of `muster client`.
pub(super) async fn run(args: ClientArgs) -> Result<Report, Refusal> {
    if let Verb::Status { only, long, check } = args.verb {
        let client = readable(&args.at)?;
        let status = client.status(&which(&client, only)?)?;
        let report = client_show::status(&status, long);
        let all = !status.products.is_empty() && status.products.iter().all(|p| p.licensed);
        return Ok(if check && !all {
            report.refused()
        } else {
            report
        });
    }
    let client = open(&args.at)?;
    match args.verb {
        Verb::InstallKey {
            key,
            policy,
            root,
            access,
        } => install(&client, &key, &policy, root.as_deref(), &access).await,
        Verb::ChangeKey {
            key,
            policy: Some(policy),
            ..
        } => {
            let access = AuthorityAccess::default();
            install(&client, &key, &policy, None, &access).await
        }
        Verb::ChangeKey { key, only, .. } => change(&client, &key, only),
        Verb::Activate { only } => {
            let which = which(&client, only)?;
            Ok(activated(&client.activate(&which).await?))
        }
        Verb::Export { out } => client_show::exported(&client.export(&Which::default())?, &out),
        Verb::RemoveKey { product, publisher } => {
            let product = Some(product);
            let which = which(&client, Only { product, publisher })?;
            let removed = client.remove_key(&which)?;
            Ok(client_show::names("removed", "Removed", &removed))
        }
        Verb::Rearm { only } => {
            let rearmed = client.rearm(&which(&client, only)?)?;
            Ok(client_show::names(
                "rearmed",
                "Extended grace begun for",
                &rearmed,
            ))
        }
        Verb::ResetIdentity => {
            client.reset_identity()?;
            let text = "Keys, tickets and leases are forgotten; product keys stay.";
            Ok(Report::new(json!({ "reset": true }), text))
        }
        Verb::SetTime => Ok(client_show::clocks(&client.set_time().await?)),
        Verb::Serve => serve(&client).await,
        setting => set(&client, setting),
    }
}

/// The verbs that change one setting.
fn set(client: &Client, verb: Verb) -> Result<Report, Refusal> {
    let (json, text) = match verb {
        Verb::SetHost { host, only } => {
            let host: HostAddr = host.parse()?;
            client.set_host(std::slice::from_ref(&host), &which(client, only)?)?;
            (
                json!({ "host": host.to_string() }),
                format!("Host: {host}."),
            )
        }
        Verb::ClearHost { only } => {
            client.clear_host(&which(client, only)?)?;
            (
                json!({ "host": null }),
                "Hosts are found by DNS.".to_owned(),
            )
        }
        Verb::SetDomain { domain } => {
            let domain = Some(domain.as_str()).filter(|domain| *domain != "-");
            client.set_domain(domain)?;
            let found = domain.unwrap_or("the machine's own");
            (json!({ "domain": domain }), format!("Domain: {found}."))
        }
        Verb::SetSite { site } => {
            let wanted = Some(site.as_str()).filter(|site| *site != "-");
            client.set_site(wanted.map(str::parse::<SiteId>).transpose()?)?;
            (
                json!({ "site": wanted }),
                format!("Site: {}.", wanted.unwrap_or("any")),
            )
        }
        Verb::SetName { tell } => {
            client.set_tell_name(tell == "yes")?;
            let text = format!("Asks carry this machine's name: {tell}.");
            (json!({ "tell_name": tell == "yes" }), text)
        }
        Verb::SetMethod { method } => {
            client.set_method(Method::parse(&method))?;
            (json!({ "method": method }), format!("Method: {method}."))
        }
        // Every other verb was taken before; it may hold a product key, so it is not shown.
        _ => return Err(reasons::MISUSED.into()),
    };
    Ok(Report::new(json, text))
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

/// What a verb works on, the publisher found by its name.
fn which(client: &Client, only: Only) -> Result<Which, Refusal> {
    let publisher = only.publisher.map(|name| client.publisher(&name));
    Ok(Which {
        publisher: publisher.transpose()?,
        product: only.product,
    })
}

async fn install(
    client: &Client,
    key: &str,
    policy: &Path,
    root: Option<&str>,
    access: &AuthorityAccess,
) -> Result<Report, Refusal> {
    let key = ProductKey::parse(&files::key_argument(key)?)?;
    let mut bundle = files::read(policy, BUNDLE_BYTES_MAX)?;
    let insisted = root.map(parse_root).transpose()?;
    if let Some(url) = &access.authority {
        bundle = newer_policy(&bundle, url, access).await?;
    }
    let installed = client.install_key(&key, &bundle, insisted.as_ref())?;
    Ok(client_show::installed(&installed, insisted.is_some()))
}

/// The authority's bundle where it is newer than the one on file; both are of one root.
async fn newer_policy(
    on_file: &[u8],
    url: &str,
    access: &AuthorityAccess,
) -> Result<Vec<u8>, Refusal> {
    let held = Bundle::decode(on_file)?;
    let policy = held.verify()?.policy.claims;
    let options = AuthorityOptions {
        ca_file: access.ca_file.clone(),
        insecure_http: access.insecure_http,
        ..AuthorityOptions::default()
    };
    let path = format!("/v1/products/{}/policy", policy.product);
    let (status, body) = AuthorityClient::new(url, &options)?.get(&path).await?;
    if status != 200 {
        let detail = format!("status {status} for the policy of {}", policy.product);
        return Err(Refusal::new(kms::AUTHORITY_ODD, detail));
    }
    let offered = Bundle::decode(&body)?;
    if offered.root != held.root {
        let detail = format!("{url} answers for {}", offered.root.fingerprint());
        return Err(Refusal::new(statement::ROOT_UNKNOWN, detail));
    }
    let newer = offered.verify()?.policy.claims;
    let is_newer = newer.product == policy.product && newer.version > policy.version;
    Ok(if is_newer {
        offered.encode()
    } else {
        on_file.to_vec()
    })
}

fn change(client: &Client, key: &str, only: Only) -> Result<Report, Refusal> {
    let key = ProductKey::parse(&files::key_argument(key)?)?;
    let changed = client.change_key(&key, &which(client, only)?)?;
    Ok(client_show::installed(&changed, true))
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
