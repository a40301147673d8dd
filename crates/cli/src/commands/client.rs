//! `muster client`: what this machine holds, and what it asks for.

use std::path::{Path, PathBuf};

use muster_client::{
    Activation, Client, Options, ProductStatus, ServiceEvent, Status, Which, parse_root,
};
use muster_net::dns::parse_server;
use muster_net::http::authority::{AuthorityClient, AuthorityOptions};
use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::discover::HostAddr;
use muster_proto::ids::SiteId;
use muster_proto::key::ProductKey;
use muster_proto::limits::BUNDLE_BYTES_MAX;
use muster_proto::reason::{client as client_reasons, config as reasons, kms, statement};
use muster_proto::statement::policy::Method;
use muster_proto::wire::Bundle;
use serde_json::json;

use super::client_show;
use super::doctor_show;
use super::service;
use crate::args::client::{Client as Verb, ClientArgs, ClientDir, Only};
use crate::args::kms::AuthorityAccess;
use crate::config::{self, ClientConfig};
use crate::report::Report;
use crate::{dirs, files, notify};

/// Runs a verb of `muster client`.
pub(super) async fn run(args: ClientArgs) -> Result<Report, Refusal> {
    if let Verb::Status { only, long, check } = args.verb {
        let status = shown(&args.at, &only)?;
        let report = client_show::status(&status, long);
        let all = !status.products.is_empty() && status.products.iter().all(|p| p.licensed);
        return Ok(if check && !all {
            report.refused()
        } else {
            report
        });
    }
    if let Verb::Activate { only } = args.verb {
        return Ok(activated(&activate(&args.at, only).await?));
    }
    if let Verb::Doctor = args.verb {
        return Ok(doctor_show::report(&examined(&args.at)?.doctor().await));
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

/// What is known, from the directory that was named; else from the machine's, and from the user's
/// own, where products keep their state that found no service. A product of both is shown as a
/// reading product sees it: the first in which it is licensed.
fn shown(at: &ClientDir, only: &Only) -> Result<Status, Refusal> {
    let config: ClientConfig = config::load(at.config.as_deref(), "client")?;
    let status = |dir| {
        let client = build(at, &config, dir)?;
        client.status(&which(&client, only.clone())?)
    };
    if let Some(named) = at.dir.as_ref().or(config.dir.as_ref()) {
        return status(named.clone());
    }
    let own = status(dirs::user_dir("client"));
    let mut whole = match status(dirs::system_dir("client")) {
        Err(refusal) if is_absent(&refusal) && own.is_ok() => return own,
        whole => whole?,
    };
    let own = match own {
        // What is wrong with the user's files hides nothing of the machine's.
        Err(_) if !whole.products.is_empty() => return Ok(whole),
        own => own?,
    };
    for own in own.products {
        let is_same = |it: &&mut ProductStatus| {
            (&it.publisher_id, &it.product) == (&own.publisher_id, &own.product)
        };
        match whole.products.iter_mut().find(is_same) {
            None => whole.products.push(own),
            Some(shown) if own.licensed && !shown.licensed => *shown = own,
            Some(_) => {}
        }
    }
    Ok(whole)
}

/// For a diagnosis: the machine's directory where it holds a state, else the user's own.
fn examined(at: &ClientDir) -> Result<Client, Refusal> {
    let config: ClientConfig = config::load(at.config.as_deref(), "client")?;
    let named = at.dir.clone().or_else(|| config.dir.clone());
    let system = dirs::system_dir("client");
    let dir = named.unwrap_or_else(|| match system.join("state").exists() {
        true => system,
        false => dirs::user_dir("client"),
    });
    build(at, &config, dir)
}

/// Whether a directory just does not hold what was named.
fn is_absent(refusal: &Refusal) -> bool {
    [client_reasons::NOT_INSTALLED, client_reasons::STATE_LOST].contains(&refusal.reason)
}

/// Activates what the directory holds. Without root and without a named directory, what is installed
/// on the machine is activated by its service, or else in the user's own directory.
async fn activate(at: &ClientDir, only: Only) -> Result<Activation, Refusal> {
    let config: ClientConfig = config::load(at.config.as_deref(), "client")?;
    let is_named = at.dir.is_some() || config.dir.is_some();
    let system = build(at, &config, dirs::system_dir("client"))?;
    let installed = || {
        let which = which(&system, only.clone())?;
        let is_here = !system.status(&which)?.products.is_empty();
        Ok(is_here.then_some(which))
    };
    let by_service = match installed() {
        _ if is_named || dirs::is_root() => None,
        Err(refusal) if is_absent(&refusal) => None,
        installed => installed?,
    };
    let Some(which_here) = by_service else {
        let client = open(at)?;
        let which = which(&client, only)?;
        return client.activate(&which).await;
    };
    let own = build(at, &config, dirs::user_dir("client"))?;
    system.activate_or_in(&own, &which_here).await
}

fn build(at: &ClientDir, config: &ClientConfig, dir: PathBuf) -> Result<Client, Refusal> {
    let server = at.dns_server.as_deref().map(parse_server).transpose()?;
    let mut options = Options::new(dir);
    options.sysroot = at.sysroot.clone();
    options.dns_server = server.or(config.dns_server);
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
    let serving = format!("serving {}", client.dir().display());
    let door = match client.open_door(dirs::runtime_dir().as_deref()) {
        Ok(door) => {
            let path = door.path().display();
            crate::report::print_ready(&format!("listening on {path}, {serving}"));
            Some(door)
        }
        // Renewing is worth more than being asked: it goes on without.
        Err(refusal) => {
            tracing::warn!(code = refusal.reason.code(), "{refusal}");
            crate::report::print_ready(&serving);
            None
        }
    };
    let alive = notify::watchdog();
    let on = |event| match (&event, &alive) {
        (ServiceEvent::Alive, Some(alive)) => alive(),
        _ => log_event(event),
    };
    client.serve(door, on, stop).await?;
    Ok(Report::new(json!({ "stopped": true }), ""))
}

/// One event of the service, as the log tells it.
fn log_event(event: ServiceEvent) {
    match event {
        ServiceEvent::Alive => {}
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
