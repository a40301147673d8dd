//! The authority's page of metrics. Labels hold routes, statuses and reason codes: never a key, a
//! host or an address.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_net::http::Traffic;
use muster_net::watch::{Histogram, Page};
use muster_proto::Reason;
use muster_proto::Refusal;
use muster_proto::reason::{authority as reasons, key as key_reasons};
use muster_store::authority::{AuthorityStore, ops};

use crate::Authority;

/// What the running service has answered.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Counts>);

#[derive(Clone, Default)]
struct Counts {
    /// By route and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    /// By outcome and reason code.
    certifications: BTreeMap<(&'static str, &'static str), u64>,
    wrong_keys: u64,
    guesses_refused: u64,
    limited: u64,
}

impl Calls {
    /// Counts a request that was answered, by the path of its route as the API describes it.
    pub(crate) fn answered(&self, route: &'static str, status: u16, refused: Option<Reason>) {
        let is = |reason: Reason| u64::from(refused == Some(reason));
        let mut counts = self.lock();
        *counts.requests.entry((route, status)).or_default() += 1;
        counts.wrong_keys += is(key_reasons::UNKNOWN);
        counts.guesses_refused += is(key_reasons::TOO_MANY_TRIES);
        counts.limited += is(reasons::TOO_MANY_REQUESTS);
    }

    /// Counts a certification that was asked for.
    pub(crate) fn certified(&self, refused: Option<Reason>) {
        let label = refused.map_or(("certified", ""), |reason| ("refused", reason.code()));
        *self.lock().certifications.entry(label).or_default() += 1;
    }

    /// The page now.
    pub(crate) async fn page<S: AuthorityStore>(
        &self,
        authority: &Authority<S>,
        traffic: &Traffic,
    ) -> Result<Page, Refusal> {
        let number = authority
            .store
            .view(|tables| ops::newest_revocation(tables))
            .await?;
        let issuing = authority.newest_issuing().await?;
        let mut page = Page::new("authority", env!("CARGO_PKG_VERSION"));
        self.lock().clone().write(&mut page);
        let help = "The newest revocation";
        page.gauge("muster_authority_revocation_number", help, number);
        let ends = issuing.map(|issuing| ([], issuing.cert.not_after.seconds()));
        let help = "When the newest issuing certificate ends";
        let name = "muster_authority_issuing_certificate_end_timestamp_seconds";
        page.gauges(name, help, ends);
        page.traffic("muster_authority", traffic);
        let work = authority.store.work();
        let commits = Histogram {
            buckets: work.buckets().collect(),
            count: work.commits,
            seconds: work.seconds,
        };
        page.store("muster_authority", work.changes, commits);
        Ok(page)
    }

    /// A panic while the lock is held leaves the counts whole enough to go on.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn write(&self, page: &mut Page) {
        let requests = self.requests.iter().map(|((route, status), count)| {
            let labels = [
                ("route", (*route).to_owned()),
                ("status", status.to_string()),
            ];
            (labels, *count)
        });
        let help = "Requests by route and HTTP status";
        page.counters("muster_authority_requests", help, requests);
        let certifications = self.certifications.iter().map(|((outcome, code), count)| {
            let labels = [
                ("outcome", (*outcome).to_owned()),
                ("code", (*code).to_owned()),
            ];
            (labels, *count)
        });
        let help = "Certifications of hosts over HTTP, by outcome and reason code";
        page.counters("muster_authority_certifications", help, certifications);
        let help = "Product keys that the authority does not know";
        page.counter("muster_authority_wrong_keys", help, self.wrong_keys);
        let help = "Product keys not looked at, because their source had guessed too often";
        page.counter(
            "muster_authority_guesses_refused",
            help,
            self.guesses_refused,
        );
        let help = "Requests refused, because their source had sent too many";
        page.counter("muster_authority_limiter_refusals", help, self.limited);
    }
}
