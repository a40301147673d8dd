//! How a service is watched: the page of metrics that was asked for, and systemd's watchdog.

use std::net::SocketAddr;

use muster_net::http::Listener;
use muster_net::watch::{PATH, Watch};
use muster_proto::Refusal;

use crate::notify;
use crate::report::say;

/// Opens what watches a service; `metrics` is where its page is to stand.
pub(super) fn watch(metrics: Option<SocketAddr>) -> Result<Watch, Refusal> {
    let page = metrics
        .map(|address| Listener::bind(&[address]))
        .transpose()?;
    for address in page.iter().flat_map(Listener::addresses) {
        say(&format!("metrics at http://{address}{PATH}"));
        if !address.ip().is_loopback() {
            say("note: whoever reaches this address reads them; loopback is enough for an agent");
        }
    }
    let alive = notify::watchdog();
    Ok(Watch { page, alive })
}
