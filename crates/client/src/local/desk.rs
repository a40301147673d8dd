//! The service's desk: visitors come through the door, wishes go to the service's rounds, outcomes
//! come back. What visitors may cause is `muster_proto::client::local`'s rule; several who want the
//! same share one ask, and who comes too soon is told what came of the last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_net::local::Visit;
use muster_proto::client::local::{Answer, Pace, Request};
use muster_proto::client::state::Holding;
use muster_proto::ids::PublisherId;
use muster_proto::reason::client as reasons;
use muster_proto::time::Span;
use muster_proto::{Reason, Refusal};
use tokio::sync::{Notify, watch};

use crate::activate::Activation;
use crate::control::Client;
use crate::sdk;

/// What visitors and the service's rounds share.
pub(crate) struct Desk {
    /// A client of its own on the service's directory: it only reads.
    client: Client,
    book: Mutex<Book>,
    wished: Notify,
    /// How many asks of each publisher have ended.
    ended: watch::Sender<BTreeMap<PublisherId, u64>>,
}

#[derive(Default)]
struct Book {
    pace: Pace,
    /// Whose hosts are to be asked, because somebody wished it.
    wishes: BTreeSet<PublisherId>,
    /// Whose hosts are being asked.
    asking: Option<PublisherId>,
    /// Why nobody could be asked the last time, where that was so.
    failed: BTreeMap<PublisherId, Refusal>,
}

impl Desk {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            book: Mutex::default(),
            wished: Notify::new(),
            ended: watch::Sender::default(),
        }
    }

    /// Ready when somebody has wished for something since the last call.
    pub(crate) async fn wished(&self) {
        self.wished.notified().await;
    }

    /// Whose hosts visitors want to be asked.
    pub(crate) fn wishes(&self) -> Vec<PublisherId> {
        self.book().wishes.iter().copied().collect()
    }

    /// A publisher's hosts are asked from now on.
    pub(crate) fn begin(&self, publisher: PublisherId) {
        let now = self.now();
        let mut book = self.book();
        book.wishes.remove(&publisher);
        book.asking = Some(publisher);
        book.pace.note(publisher, now);
    }

    /// They were asked.
    pub(crate) fn end(&self, publisher: PublisherId, outcome: &Result<Activation, Refusal>) {
        let mut book = self.book();
        book.asking = None;
        match outcome {
            Ok(_) => book.failed.remove(&publisher),
            Err(refusal) => book.failed.insert(publisher, refusal.clone()),
        };
        drop(book);
        self.ended
            .send_modify(|ended| *ended.entry(publisher).or_default() += 1);
    }

    /// Answers a visitor.
    pub(crate) async fn attend(&self, visit: Visit) -> Answer {
        let request = visit.request;
        tracing::debug!(uid = visit.uid, product = %request.product, "asked to activate");
        if let Err(refusal) = self.holding(&request) {
            return Answer::refused(&refusal);
        }
        let count = |ended: &BTreeMap<_, u64>| ended.get(&request.publisher).copied();
        let mut ended = self.ended.subscribe();
        let before = count(&ended.borrow_and_update());
        let waits = self.wish(request.publisher);
        if waits {
            // Its sender lives as long as this desk.
            let _ = ended.wait_for(|ended| count(ended) != before).await;
        }
        match self.holding(&request) {
            Ok(holding) => self.tell(&request, &holding, waits),
            Err(refusal) => Answer::refused(&refusal),
        }
    }

    /// Wishes for an ask where that is allowed; tells whether there is one to wait for, which
    /// somebody else may have caused.
    fn wish(&self, publisher: PublisherId) -> bool {
        let now = self.now();
        let mut book = self.book();
        if book.asking == Some(publisher) || book.wishes.contains(&publisher) {
            return true;
        }
        if !book.pace.admits(publisher, now) {
            return false;
        }
        book.wishes.insert(publisher);
        self.wished.notify_one();
        true
    }

    /// What is held of the publisher of a product that is installed.
    fn holding(&self, request: &Request) -> Result<Holding, Refusal> {
        let mut state = sdk::load(self.client.dir())?;
        let holding = state.publishers.remove(&request.publisher);
        let installed = holding.filter(|it| it.products.contains_key(&request.product));
        installed.ok_or_else(|| Refusal::new(reasons::NOT_INSTALLED, request.product.as_str()))
    }

    /// The product's state, and why: for one that is not licensed, how the last ask ended.
    fn tell(&self, request: &Request, holding: &Holding, waited: bool) -> Answer {
        let licence = self.client.licence(&holding.root, &request.product);
        let now = self.now();
        let book = self.book();
        let asked_ago = match waited {
            true => Some(Span::ZERO),
            // Zero would say that it was for this request.
            false => (book.pace.since_last(request.publisher, now))
                .map(|ago| ago.max(Span::from_seconds(1))),
        };
        let failed = book.failed.get(&request.publisher).cloned();
        let reason = match failed.or_else(|| noted(holding)) {
            Some(reason) if !licence.licensed => reason,
            _ => licence.reason,
        };
        Answer::outcome(licence.state, &reason, asked_ago)
    }

    /// Running time.
    fn now(&self) -> Span {
        self.client.vault().clock().boot().uptime
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the last ask ended, where that says more than that a lease came.
fn noted(holding: &Holding) -> Option<Refusal> {
    let noted = holding.outcome.as_ref()?;
    let reason = Reason::find(&noted.code).filter(|reason| *reason != reasons::LICENSED)?;
    Some(Refusal::new(reason, noted.detail.clone()))
}
