//! The background service: it renews everything on the machine by schedule, reacts to what other
//! commands change in its directory, and stops in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use muster_net::local::{Limits, Visit, serve};
use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::{rounds, schedule};
use muster_proto::ids::{ProductId, PublisherId};
use muster_proto::limits::{CLIENT_PAUSE_SECONDS_MAX, FOLLOW_SECONDS, UPKEEP_SECONDS};

use crate::activate::{Activation, check_method, tend};
use crate::clock::written;
use crate::control::{Client, Which};
use crate::local::desk::Desk;
use crate::local::door::Door;
use crate::vault::Version;

/// What the service tells.
#[derive(Clone, Debug)]
pub enum ServiceEvent {
    /// It has read its directory and goes on by schedule: told once.
    Ready {
        /// Products installed then.
        products: usize,
    },
    /// A product's state has changed, or was seen for the first time.
    State {
        /// The publisher.
        publisher: PublisherId,
        /// The product.
        product: ProductId,
        /// Its state before, where one was seen.
        from: Option<LicenceState>,
        /// Its state now.
        to: LicenceState,
        /// Why.
        reason: Refusal,
    },
    /// Hosts were asked.
    Asked {
        /// For which publisher.
        publisher: PublisherId,
        /// What came of it, or why nobody could be asked.
        outcome: Result<Activation, Refusal>,
    },
    /// The service goes on: told every second while it rests, and before each ask.
    Alive,
    /// Something failed that is tried again: a full disk, a directory that cannot be read.
    Failed(Refusal),
}

/// What the service remembers between rounds; all of it can be had again from the disk.
#[derive(Default)]
struct Seen {
    states: BTreeMap<(PublisherId, ProductId), LicenceState>,
    failed: Option<Refusal>,
    /// Whose hosts a change of state wants to be asked, and the disk did not take it yet.
    wanted: BTreeSet<PublisherId>,
    /// Pauses since the last ask that was made.
    pauses: u32,
}

impl Seen {
    /// How long the service pauses this time, in seconds: longer each time until an ask was made.
    fn pause(&mut self) -> u64 {
        let seconds = 1_u64.checked_shl(self.pauses);
        self.pauses = self.pauses.saturating_add(1);
        seconds
            .unwrap_or(CLIENT_PAUSE_SECONDS_MAX)
            .min(CLIENT_PAUSE_SECONDS_MAX)
    }
}

impl Client {
    /// Serves until `stop` is ready: an ask under way is abandoned then, which its pending nonce
    /// makes harmless, and running time is written down. Everything that fails is told and tried
    /// again; the service itself ends for `stop` only. Products without privileges come in by the
    /// `door`, where there is one.
    ///
    /// # Errors
    /// A directory that cannot be made or written at all when the service starts.
    pub async fn serve(
        &self,
        door: Option<Door>,
        mut on: impl FnMut(ServiceEvent),
        stop: impl Future<Output = ()>,
    ) -> Result<(), Refusal> {
        let opened = self.vault().look()?;
        let products = opened.state.publishers.values();
        on(ServiceEvent::Ready {
            products: products.map(|holding| holding.products.len()).sum(),
        });
        drop(opened);
        let desk = Arc::new(Desk::new(self.again()));
        tokio::select! {
            () = stop => {}
            () = self.rounds(&desk, &mut on) => {}
            () = receive(door, Arc::clone(&desk)) => {}
        }
        self.vault().note_time()
    }

    async fn rounds(&self, desk: &Desk, on: &mut impl FnMut(ServiceEvent)) {
        let mut seen = Seen::default();
        loop {
            // Taken before the round: what changes during it is seen in the next one.
            let before = self.vault().version();
            let mut due = self.round(&mut seen, on);
            for wish in desk.wishes() {
                if !due.contains(&wish) {
                    due.push(wish);
                }
            }
            if due.is_empty() {
                let waited = async {
                    match seen.failed {
                        Some(_) => self.pause(seen.pause(), on).await,
                        None => self.rest(before, on).await,
                    }
                };
                tokio::select! {
                    () = waited => {}
                    () = desk.wished() => {}
                }
            }
            for publisher in due {
                let which = Which {
                    publisher: Some(publisher),
                    product: None,
                };
                on(ServiceEvent::Alive);
                desk.begin(publisher);
                let outcome = crate::activate::run(self, &which).await;
                desk.end(publisher, &outcome);
                let failed = outcome.is_err();
                on(ServiceEvent::Asked { publisher, outcome });
                if failed {
                    // Nobody could be asked: not again at once, whatever the schedule says.
                    let pause = seen.pause();
                    tokio::select! {
                        () = self.pause(pause, on) => {}
                        () = desk.wished() => {}
                    }
                } else {
                    seen.pauses = 0;
                }
            }
        }
    }

    /// Judges everything; tells which publishers' hosts are to be asked now.
    fn round(&self, seen: &mut Seen, on: &mut impl FnMut(ServiceEvent)) -> Vec<PublisherId> {
        let mut events = Vec::new();
        let outcome = self.vault().update(|opened| {
            let mut due = Vec::new();
            let publishers: Vec<_> = opened.state.publishers.keys().copied().collect();
            for publisher in publishers {
                let judged = tend(opened, self, publisher)?;
                let holding = rounds::holding(&opened.state, publisher)?;
                let mut ask =
                    rounds::is_due(holding, opened.now) || seen.wanted.contains(&publisher);
                for (product, judgement) in judged {
                    let key = (publisher, product.clone());
                    let from = seen.states.insert(key, judgement.state);
                    if from == Some(judgement.state) {
                        continue;
                    }
                    if rounds::asks_now(&judgement, from) {
                        seen.wanted.insert(publisher);
                        ask = true;
                    }
                    events.push(ServiceEvent::State {
                        publisher,
                        product,
                        from,
                        to: judgement.state,
                        reason: judgement.reason,
                    });
                }
                if ask && !holding.products.is_empty() {
                    due.push(publisher);
                }
            }
            let is_asking = !due.is_empty() && check_method(&opened.identity.settings).is_ok();
            if is_asking {
                // Whoever could not keep an answer asks nobody: this brings the state to the disk.
                opened.state.written = written(self.vault().clock(), &opened.state.written);
            }
            Ok(due)
        });
        events.into_iter().for_each(&mut *on);
        match outcome {
            Ok(due) => {
                seen.failed = None;
                seen.wanted.clear();
                due
            }
            Err(refusal) => {
                if seen.failed.as_ref() != Some(&refusal) {
                    on(ServiceEvent::Failed(refusal.clone()));
                }
                seen.failed = Some(refusal);
                Vec::new()
            }
        }
    }

    /// Waits for the next ask, for a change of the files, or for the time to note running time.
    async fn rest(&self, before: Version, on: &mut impl FnMut(ServiceEvent)) {
        let mut slept = 0;
        loop {
            on(ServiceEvent::Alive);
            tokio::time::sleep(Duration::from_secs(FOLLOW_SECONDS)).await;
            slept += FOLLOW_SECONDS;
            if self.vault().version() != before || self.seconds_until_next_ask() == 0 {
                return;
            }
            if slept >= UPKEEP_SECONDS {
                break;
            }
        }
        if let Err(refusal) = self.vault().note_time() {
            tracing::warn!(code = refusal.reason.code(), "{refusal}");
        }
    }

    /// Waits so long, or until another command has changed the files.
    async fn pause(&self, seconds: u64, on: &mut impl FnMut(ServiceEvent)) {
        let before = self.vault().version();
        for _ in 0..seconds.div_ceil(FOLLOW_SECONDS) {
            on(ServiceEvent::Alive);
            tokio::time::sleep(Duration::from_secs(FOLLOW_SECONDS)).await;
            if self.vault().version() != before {
                return;
            }
        }
    }

    fn seconds_until_next_ask(&self) -> u64 {
        let Ok(state) = crate::sdk::load(self.dir()) else {
            return UPKEEP_SECONDS;
        };
        let now = crate::clock::moment(self.vault().clock(), &state.written);
        let asks = state
            .publishers
            .values()
            .filter_map(|holding| holding.next_ask);
        let next = asks.map(|next| schedule::until(next, now)).min();
        next.map_or(UPKEEP_SECONDS, |span| span.seconds())
    }
}

/// Lets visitors in for as long as the service runs; without a door nobody comes.
async fn receive(door: Option<Door>, desk: Arc<Desk>) {
    if let Some(door) = &door {
        let handler = move |visit: Visit| {
            let desk = Arc::clone(&desk);
            async move { desk.attend(visit).await }
        };
        if let Err(refusal) = serve(&door.listener, Limits::default(), handler).await {
            tracing::warn!(code = refusal.reason.code(), "{refusal}");
        }
    }
    std::future::pending().await
}
