//! The targets, one file for each kind of reader.

mod asks;
mod authority;
mod client;
mod dns;
mod files;
mod hardware;
mod http;
mod keys;
mod local;
mod statements;
mod store;
mod texts;

use crate::Target;

/// All targets. The first seven are those that strangers reach over the network.
pub const TARGETS: &[Target] = &[
    target("asks", 2_048, asks::run, asks::seeds),
    target("statements", 4_608, statements::run, statements::seeds),
    target("http-requests", 4_096, http::requests, http::request_seeds),
    target(
        "http-sequences",
        2_048,
        http::sequences,
        http::sequence_seeds,
    ),
    target("http-answers", 4_096, http::answers, http::answer_seeds),
    target("dns-answers", 2_048, dns::answers, dns::answer_seeds),
    target("dns-updates", 2_048, dns::updates, dns::update_seeds),
    target("client-answers", 8_192, client::run, client::seeds),
    target("client-files", 16_384, files::client, files::client_seeds),
    target("carriers", 8_192, files::carriers, files::carrier_seeds),
    target("inspect", 8_192, files::inspect, files::carrier_seeds),
    target(
        "revocations",
        4_608,
        statements::deltas,
        statements::delta_seeds,
    ),
    target("product-keys", 256, keys::run, keys::seeds),
    target("texts", 256, texts::run, texts::seeds),
    target(
        "configuration",
        2_048,
        texts::configuration,
        texts::configuration_seeds,
    ),
    target("local-socket", 1_200, local::run, local::seeds),
    target("hardware", 4_096, hardware::run, hardware::seeds),
    target("authority", 4_608, authority::run, authority::seeds),
    target("store-rows", 256, store::rows, store::row_seeds),
    target("store-values", 8_192, store::values, store::value_seeds),
];

const fn target(
    name: &'static str,
    bytes_max: usize,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
) -> Target {
    Target {
        name,
        bytes_max,
        run,
        seeds,
    }
}

/// Runs something that waits, on clocks that stand still while there is work and jump to the next
/// deadline when there is none: no time-out costs time, and every run is the same.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime
        .expect("a runtime without I/O needs nothing")
        .block_on(work)
}
