//! The diagnosis: what `muster authority doctor` sees of the authority's directory and its service.
//! It changes nothing but for a file that it writes and removes to try the disk. What the
//! observations mean is `muster_proto::doctor::authority`'s to say.

use std::path::{Path, PathBuf};

use muster_machine::disk::try_directory;
use muster_net::http::authority::{AuthorityClient, AuthorityOptions};
use muster_proto::Refusal;
use muster_proto::authority::HostNumber;
use muster_proto::authority::answer::Publisher;
use muster_proto::authority::secret::SecretKind;
use muster_proto::doctor::Report;
use muster_proto::doctor::authority::{IssuingSeen, Seen, ServiceSeen, judge};
use muster_proto::limits::{LIST_ROWS_MAX, STORE_TRY_BYTES};
use muster_proto::reason::dns;
use muster_proto::time::Timestamp;

use crate::root::RootKeys;
use crate::{Authority, IssuingReport, directory, files, store};

/// Where the service is looked for.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The authority's directory.
    pub directory: PathBuf,
    /// The address of the service; else the one that `init` was told, else `listen` over HTTP.
    pub url: Option<String>,
    /// Where it listens on this machine.
    pub listen: String,
    /// How it is reached.
    pub access: AuthorityOptions,
}

/// Goes through every step of an authority and tells what it saw.
pub async fn doctor(examined: &Examined, now: Timestamp) -> Report {
    let directory = examined.directory.as_path();
    let root = directory::read_root(directory);
    let secrets = secrets(directory);
    let is_there = directory.is_dir();
    let mut seen = Seen {
        root: root
            .as_ref()
            .map(|root| root.name().to_owned())
            .map_err(Clone::clone),
        disk: is_there.then(|| try_directory(directory, STORE_TRY_BYTES)),
        store: Ok(String::new()),
        replication: None,
        now,
        newest: None,
        issuing: None,
        is_pending: directory::pending_path(directory).exists(),
        products: Vec::new(),
        service: None,
        secrets,
    };
    let is_sound = root.is_ok() && seen.secrets.iter().all(|(_, read)| read.is_ok());
    if is_sound && let Err(refusal) = examine(examined, &mut seen).await {
        seen.store = Err(refusal);
    }
    judge(&seen)
}

/// Every file with a secret, and whether it is whole and closed to others.
fn secrets(directory: &Path) -> Vec<(String, Result<(), Refusal>)> {
    let mut secrets = vec![(
        "product-keys.key".to_owned(),
        directory::read_key_secret(directory).map(|_| ()),
    )];
    let root = directory::root_secret_path(directory);
    if root.exists() {
        secrets.push(("root.key".to_owned(), RootKeys::read(&root).map(|_| ())));
    }
    if directory::store_url_path(directory).exists() {
        secrets.push((
            "store.url".to_owned(),
            store::read_url(directory).map(|_| ()),
        ));
    }
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut issuing: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("issuing-") && name.ends_with(".key"))
        .collect();
    issuing.sort();
    for name in issuing {
        let read = files::read_secret(&directory.join(&name), SecretKind::Issuing);
        secrets.push((name, read.map(|_| ())));
    }
    secrets
}

/// What the store holds, and what answers in the authority's name.
///
/// # Errors
/// What the store refuses to open or to read.
async fn examine(examined: &Examined, seen: &mut Seen) -> Result<(), Refusal> {
    let authority = Authority::open(&examined.directory).await?;
    seen.store = Ok(authority.store.check().await?);
    seen.replication = authority.replication().await?;
    let newest = authority.newest_issuing().await?;
    let products = authority.products().await?;
    let hosts = authority.hosts(HostNumber(0), LIST_ROWS_MAX).await?;
    let signed = newest.iter().map(|it| it.cert.issued);
    let signed = signed.chain(products.iter().map(|it| it.policy.issued));
    seen.newest = signed.chain(hosts.iter().map(|host| host.issued)).max();
    seen.issuing = newest.map(|newest| issuing(&authority, &newest));
    let product = |it: &crate::ProductReport| (it.policy.product.to_string(), it.policy.version);
    seen.products = products.iter().map(product).collect();
    seen.service = Some(service(examined, &authority).await?);
    authority.close().await;
    Ok(())
}

fn issuing(authority: &Authority, newest: &IssuingReport) -> IssuingSeen {
    let key = authority.issuing_keys.find(newest.cert.key.thumbprint());
    IssuingSeen {
        not_after: newest.cert.not_after,
        key: key.map(|_| ()),
    }
}

/// What answers where the service should be.
///
/// # Errors
/// What the store refuses to read.
async fn service(examined: &Examined, authority: &Authority) -> Result<ServiceSeen, Refusal> {
    let known = match &examined.url {
        Some(url) => Some(url.clone()),
        None => authority.url().await?,
    };
    let is_expected = known.is_some();
    let url = known.unwrap_or_else(|| format!("http://{}", examined.listen));
    let call = async {
        let client = AuthorityClient::new(&url, &examined.access)?;
        let (status, body) = client.get("/v1/publisher").await?;
        if status != 200 {
            let detail = format!("HTTP {status}");
            return Err(Refusal::new(dns::NET_NOT_HTTP, detail));
        }
        Ok(Publisher::decode(&body)?.root == *authority.root())
    };
    let answer = call.await;
    Ok(ServiceSeen {
        url,
        is_expected,
        answer,
    })
}
