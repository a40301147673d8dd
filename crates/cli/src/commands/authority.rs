//! `muster authority`: the publisher's side, from the root to the service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_authority::root::RootKeys;
use muster_authority::serve::{ServeOptions, bind, serve_watched};
use muster_authority::{Authority, Ceremony, Examined, IssuingReport, Rotation, key_files};
use muster_machine::clock;
use muster_net::http::authority::AuthorityOptions;
use muster_proto::Refusal;
use muster_proto::authority::root::IssuingTerms;
use muster_proto::limits::{ISSUING_ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, ROOT_BYTES_MAX};
use muster_proto::reason::config as reasons;
use muster_proto::statement::root::Root;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::service;
use super::watching::watch;
use super::{authority_issuing, authority_keys, authority_products, authority_store, doctor_show};
use crate::args::authority::{Authority as Verb, AuthorityArgs, AuthorityDir, Root as RootVerb};
use crate::config::{self, AuthorityConfig};
use crate::report::Report;
use crate::times::{local, rfc3339};
use crate::{dirs, files};

/// Where an authority listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8443";

/// Runs a verb of `muster authority`.
pub(super) async fn run(args: AuthorityArgs) -> Result<Report, Refusal> {
    let place = Place::of(&args.at)?;
    match args.verb {
        Verb::Root(verb) => root(&place, verb).await,
        Verb::Init {
            publisher,
            url,
            root,
            offline,
            out,
            on,
        } => {
            let server = authority_store::url(&on)?;
            Init {
                root,
                offline,
                out,
                server,
            }
            .run(&place, &publisher, url.as_deref())
            .await
        }
        Verb::Apply { file } => {
            let answer = files::read(&file, ISSUING_ANSWER_BYTES_MAX)?;
            Authority::pin_root_of(&place.dir, &answer)?;
            let authority = place.open().await?;
            Ok(issuing_report(
                &authority,
                &authority.apply(&answer, clock::now()).await?,
            ))
        }
        Verb::Rotate { out } => rotate(&place.open().await?, out.as_deref()).await,
        Verb::Serve {
            on,
            listen,
            metrics,
            tls_cert,
            tls_key,
            insecure_http,
        } => {
            let config = &place.config;
            let metrics = metrics.or(config.metrics);
            let pem = |flag: Option<PathBuf>, set: &Option<PathBuf>| flag.or_else(|| set.clone());
            let cert = pem(tls_cert, &config.tls_cert);
            let options = ServeOptions {
                listen: vec![listen.or(config.listen).map_or_else(default_listen, Ok)?],
                tls: cert.zip(pem(tls_key, &config.tls_key)),
                insecure_http: insecure_http || config.insecure_http,
            };
            if let Some(server) = authority_store::url(&on)? {
                Authority::move_to(&place.dir, &server).await?;
            }
            run_service(place, &options, metrics).await
        }
        Verb::Doctor { url, ca_file } => Ok(doctor(&place, url, ca_file).await),
        Verb::Product(verb) => authority_products::run(&place, *verb).await,
        Verb::Key(verb) => authority_keys::run(&place, verb).await,
        Verb::Host(verb) => authority_keys::hosts(&place, verb).await,
        Verb::Issuing(verb) => authority_issuing::run(&place, verb).await,
        Verb::Certify { file, out } => certify(&place, &file, &out).await,
        Verb::Backup { out, with_keys } => backup(&place, &out, with_keys).await,
        Verb::Restore { file, with_keys } => restore(&place, &file, with_keys),
        Verb::Restored => authority_store::restored(&place).await,
    }
}

async fn doctor(place: &Place, url: Option<String>, ca_file: Option<PathBuf>) -> Report {
    let listen = place.config.listen.map(|addr| addr.to_string());
    let examined = Examined {
        directory: place.dir.clone(),
        url,
        listen: listen.unwrap_or_else(|| LISTEN.to_owned()),
        access: AuthorityOptions {
            ca_file,
            insecure_http: place.config.insecure_http,
            ..AuthorityOptions::default()
        },
    };
    doctor_show::report(&muster_authority::doctor(&examined, clock::now()).await)
}

fn restore(place: &Place, file: &Path, with_keys: bool) -> Result<Report, Refusal> {
    if with_keys {
        Authority::restore_with_keys(file, &place.dir)?;
    } else {
        Authority::restore(file, &place.dir)?;
    }
    let text = format!("Restored {} into {}.", file.display(), place.dir.display());
    let json = json!({ "restored": file, "dir": place.dir });
    Ok(Report::new(json, text))
}

async fn backup(place: &Place, out: &Path, with_keys: bool) -> Result<Report, Refusal> {
    let authority = place.open().await?;
    if with_keys {
        let keys = authority.backup_with_keys(out).await?;
        let text = format!(
            "Backup of the store written to {}, of the key files to {}.",
            out.display(),
            keys.display()
        );
        let json = json!({ "backup": out, "keys": keys, "left_out": [] });
        let words = "warning: whoever takes both is this publisher; keep them as you keep the keys";
        return Ok(Report::new(json, text).say(words));
    }
    authority.backup(out).await?;
    let left_out = key_files(&place.dir)?;
    let text = format!("Backup of the store written to {}.", out.display());
    let json = json!({ "backup": out, "keys": null, "left_out": left_out });
    let names = left_out
        .iter()
        .map(|path| format!("\n  {}", path.display()));
    Ok(Report::new(json, text).say(format!(
        "note: it is of no use without these files, which are not in it; copy them apart:{}\n  \
         Or with them: muster authority backup --with-keys --out FILE",
        names.collect::<String>()
    )))
}

async fn certify(place: &Place, file: &Path, out: &Path) -> Result<Report, Refusal> {
    let request = files::read(file, REQUEST_BYTES_MAX)?;
    let authority = place.open().await?;
    let activation = authority.certify(&request, None, clock::now()).await?;
    files::write(out, &activation.encode())?;
    let text = format!("Answer written to {}.", out.display());
    let report = Report::new(json!({ "answer": out }), text);
    Ok(report.say("next, on the host: muster kms apply FILE"))
}

/// An authority's directory with its configuration.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    config: AuthorityConfig,
}

impl Place {
    fn of(at: &AuthorityDir) -> Result<Self, Refusal> {
        let config: AuthorityConfig = config::load(at.config.as_deref(), "authority")?;
        let dir = dirs::role_dir(at.dir.as_deref(), config.dir.as_deref(), "authority");
        Ok(Self { dir, config })
    }

    pub(super) async fn open(&self) -> Result<Authority, Refusal> {
        Authority::open(&self.dir).await
    }
}

fn default_listen() -> Result<SocketAddr, Refusal> {
    LISTEN
        .parse()
        .map_err(|_| Refusal::new(reasons::MISUSED, LISTEN))
}

async fn run_service(
    place: Place,
    options: &ServeOptions,
    metrics: Option<SocketAddr>,
) -> Result<Report, Refusal> {
    let authority = Arc::new(place.open().await?);
    authority.check_writable().await?;
    authority_store::warn(&authority).await;
    let listener = bind(options)?;
    let watch = watch(metrics)?;
    let shutdown = service::shutdown()?;
    service::tell_ready(&listener.addresses());
    let served = serve_watched(
        Arc::clone(&authority),
        listener,
        Arc::new(clock::now),
        watch,
        shutdown,
    )
    .await;
    authority.close().await;
    let report = served?;
    tracing::info!(
        connections = report.connections,
        "the authority has stopped"
    );
    Ok(Report::new(json!({ "stopped": true }), ""))
}

async fn root(place: &Place, verb: RootVerb) -> Result<Report, Refusal> {
    match verb {
        RootVerb::Init {
            publisher,
            out,
            keys,
        } => {
            let root = RootKeys::generate(&publisher, usize::from(keys))?;
            root.write(&out)?;
            let text = format!("Root of {publisher} written to {}.", out.display());
            Ok(Report::new(root_json(root.public(), Some(&out)), text)
                .say(fingerprint_words(root.public()))
                .say("keep this file offline, with copies: whoever holds it is this publisher"))
        }
        RootVerb::Sign {
            request,
            key,
            use_key,
            out,
        } => {
            let request = files::read(&request, REQUEST_BYTES_MAX)?;
            let root = RootKeys::read(&key)?.using(use_key)?;
            let answer = root.sign(&request, &IssuingTerms::default(), clock::now())?;
            files::write(&out, &answer.encode())?;
            let (cert, name) = answer.verify()?;
            let json = json!({ "answer": out, "name": name.to_string(),
                "key": cert.key.thumbprint().to_string(), "not_after": rfc3339(cert.not_after) });
            let text = format!(
                "Certified the issuing key until {}; answer written to {}.",
                local(cert.not_after),
                out.display()
            );
            Ok(Report::new(json, text).say("next, at the authority: muster authority apply FILE"))
        }
        RootVerb::Export { key, out } => {
            let root = match &key {
                Some(key) => RootKeys::read(key)?.public().clone(),
                None => place.open().await?.root().clone(),
            };
            let written = out.as_deref().map(|out| files::write(out, &root.encode()));
            written.transpose()?;
            let text = match &out {
                Some(out) => format!(
                    "Public root of {} written to {}.",
                    root.name(),
                    out.display()
                ),
                None => format!("{}: {}", root.name(), root.fingerprint()),
            };
            Ok(Report::new(root_json(&root, out.as_deref()), text).say(fingerprint_words(&root)))
        }
    }
}

fn root_json(root: &Root, file: Option<&Path>) -> Value {
    json!({
        "publisher": root.publisher().to_string(),
        "name": root.name(),
        "fingerprint": root.fingerprint().to_string(),
        "keys": root.keys().len(),
        "file": file,
    })
}

fn fingerprint_words(root: &Root) -> String {
    format!("fingerprint of the root: {}", root.fingerprint())
}

/// How `init` comes to its root.
struct Init {
    root: Option<PathBuf>,
    offline: bool,
    out: Option<PathBuf>,
    server: Option<Zeroizing<String>>,
}

impl Init {
    async fn run(
        &self,
        place: &Place,
        publisher: &str,
        url: Option<&str>,
    ) -> Result<Report, Refusal> {
        let now = clock::now();
        let server = self.server.as_deref().map(String::as_str);
        if let (true, None, Some(out)) = (self.offline, &self.root, &self.out) {
            let request = Authority::init_unpinned(server, &place.dir, publisher, url, now).await?;
            return request_for_root(place, out, &request);
        }
        let secret = match &self.root {
            Some(path) if !self.offline => Some(RootKeys::read(path)?),
            _ => None,
        };
        let ceremony = match (&secret, &self.root) {
            (Some(root), _) => Ceremony::Offline(root.public().clone()),
            (None, Some(path)) => {
                Ceremony::Offline(Root::decode(&files::read(path, ROOT_BYTES_MAX)?)?)
            }
            (None, None) => Ceremony::Here,
        };
        let (authority, mut init) =
            Authority::init_on(server, &place.dir, publisher, url, ceremony, now).await?;
        if let (Some(root), Some(request)) = (&secret, &init.request) {
            let answer = root.sign(request, &IssuingTerms::default(), now)?;
            init.issuing = Some(authority.apply(&answer.encode(), now).await?);
            init.request = None;
        }
        if let (Some(request), Some(out)) = (&init.request, &self.out) {
            return request_for_root(place, out, request);
        }
        let issuing = init.issuing.ok_or_else(|| {
            Refusal::new(
                reasons::MISUSED,
                "the root is offline: give --offline and --out FILE",
            )
        })?;
        let mut report = issuing_report(&authority, &issuing);
        if authority.root().name() != publisher {
            report = report.say(format!(
                "note: the root is named {:?}, and that name is shown; {publisher:?} is kept for \
                 this directory only",
                authority.root().name()
            ));
        }
        if init.root_is_here {
            report = report.say(format!(
                "warning: the root's secret lies in {}; whoever takes it is this publisher.\n  \
                 Larger publishers keep it offline: see muster authority root init --help.",
                place.dir.display()
            ));
        }
        Ok(report)
    }
}

fn request_for_root(place: &Place, out: &Path, request: &[u8]) -> Result<Report, Refusal> {
    files::write(out, request)?;
    let text = format!("Request for the root written to {}.", out.display());
    Ok(
        Report::new(json!({ "dir": place.dir, "request": out }), text)
            .say("next, at the root: muster authority root sign FILE --out ANSWER")
            .say("then here: muster authority apply ANSWER"),
    )
}

async fn rotate(authority: &Authority, out: Option<&Path>) -> Result<Report, Refusal> {
    match (authority.rotate(clock::now()).await?, out) {
        (Rotation::Done(issuing), _) => Ok(issuing_report(authority, &issuing)),
        (Rotation::Request(request), Some(out)) => {
            files::write(out, &request)?;
            let text = format!("Request for the root written to {}.", out.display());
            Ok(Report::new(json!({ "request": out }), text)
                .say("next, at the root: muster authority root sign FILE --out ANSWER"))
        }
        (Rotation::Request(_), None) => Err(Refusal::new(
            reasons::MISUSED,
            "the root is offline: give --out FILE",
        )),
    }
}

fn issuing_report(authority: &Authority, issuing: &IssuingReport) -> Report {
    let root = authority.root();
    let json = json!({
        "publisher": root.publisher().to_string(),
        "name": root.name(),
        "root_fingerprint": root.fingerprint().to_string(),
        "issuing_cert": issuing.name.to_string(),
        "not_after": rfc3339(issuing.cert.not_after),
    });
    let text = format!(
        "Authority of {}: issuing key certified until {}.",
        root.name(),
        local(issuing.cert.not_after)
    );
    Report::new(json, text).say(fingerprint_words(root))
}
