//! Where an authority's store is, as the command line tells it.

use muster_authority::Authority;
use muster_machine::clock;
use muster_proto::Refusal;
use muster_proto::limits::POSTGRES_URL_BYTES_MAX;
use serde_json::json;
use zeroize::Zeroizing;

use super::authority::Place;
use crate::args::authority::StoreServer;
use crate::files;
use crate::report::Report;

/// The URL of the database server that is asked for; none where the directory decides.
pub(super) fn url(on: &StoreServer) -> Result<Option<Zeroizing<String>>, Refusal> {
    let read = |argument| files::secret_argument(argument, "the URL", POSTGRES_URL_BYTES_MAX);
    on.store.as_deref().map(read).transpose()
}

/// Tells at the start of a service where its server may lose what it acknowledged.
pub(super) async fn warn(authority: &Authority) {
    let fault = match authority.replication().await {
        Ok(Some(seen)) => seen.fault().map(|reason| (reason, seen.saw().join("; "))),
        Ok(None) => None,
        Err(refusal) => Some((refusal.reason, refusal.detail)),
    };
    if let Some((reason, saw)) = fault {
        tracing::warn!(code = reason.code(), "{}: {saw}", reason.text());
    }
}

/// Goes on after the server was brought back to an earlier time.
pub(super) async fn restored(place: &Place) -> Result<Report, Refusal> {
    let authority = place.open().await?;
    authority.restored(clock::now()).await?;
    authority.close().await;
    let text = "Serials, revocation numbers and policy versions go on above what may have been \
                given out since.";
    let json = json!({ "restored": true, "dir": place.dir });
    Ok(Report::new(json, text).say("next: hosts certified since must be activated again"))
}
