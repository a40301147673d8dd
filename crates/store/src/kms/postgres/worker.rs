//! The thread that decides: while one transaction is under way the asks that come gather, and share
//! the next. There is no timer, so a lonely ask waits for nobody.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use muster_proto::Refusal;
use muster_proto::host::{Decision, PoolNumber, StoreIdentity, hour_of};
use muster_proto::ids::ClientId;
use muster_proto::limits::POSTGRES_ASKS_MAX;
use muster_proto::time::Timestamp;
use sqlx_postgres::PgConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::batch::{Ask, Given};
use super::keep::keep;
use super::load::load;
use super::sweep::Sweep;
use super::{SCHEMA, numbers};
use crate::postgres::{Fault, Server};
use crate::sqlite::Tally;

/// An ask, and who waits for its decision.
pub(super) struct Job {
    pub(super) ask: Ask,
    pub(super) reply: oneshot::Sender<Result<Decision, Refusal>>,
}

/// The table on its server: what the thread and the readers share. It is made ready when it is
/// first used, and looked at anew after a fault: another database may stand there then.
#[derive(Clone)]
pub(super) struct Tables {
    pub(super) server: Server,
    /// The identity of the table, should it be new.
    identity: StoreIdentity,
    is_ready: Arc<Mutex<bool>>,
    given: Arc<Mutex<Given>>,
}

impl Tables {
    pub(super) fn new(server: Server, identity: StoreIdentity) -> Self {
        Self {
            server,
            identity,
            is_ready: Arc::default(),
            given: Arc::default(),
        }
    }

    /// Brings the tables to the present version and gives them their identity, where that was not
    /// done yet.
    pub(super) async fn ready(&self) -> Result<(), Refusal> {
        if *lock(&self.is_ready) {
            return Ok(());
        }
        self.server.migrate(&SCHEMA).await?;
        let find = self
            .server
            .read(|connection| Box::pin(numbers::identity(connection)));
        if find.await?.is_none() {
            let make = self.server.transact(|connection| {
                Box::pin(numbers::make_identity(connection, self.identity.clone()))
            });
            make.await?;
        }
        *lock(&self.is_ready) = true;
        Ok(())
    }

    /// After a fault: look again before the next use.
    pub(super) fn doubt(&self) {
        *lock(&self.is_ready) = false;
    }

    /// The pools whose numbers were told.
    pub(super) fn given(&self) -> std::sync::MutexGuard<'_, Given> {
        lock(&self.given)
    }
}

/// What these locks guard is whole wherever a panic leaves it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Worker {
    pub(super) tables: Tables,
    pub(super) tally: Arc<Tally>,
    pub(super) sweep: Sweep,
    /// Whether the last batch was refused: the change is told once.
    pub(super) is_away: bool,
}

impl Worker {
    /// Decides what comes, until nobody can ask any more.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while queue.recv_many(&mut jobs, POSTGRES_ASKS_MAX).await > 0 {
            // Whose asker has gone away was told nothing: after an outage this is most of them.
            jobs.retain(|job| !job.reply.is_closed());
            while let Some(first) = jobs.first() {
                let hour = hour_of(first.ask.now);
                let others = jobs.iter().position(|job| hour_of(job.ask.now) != hour);
                let rest = jobs.split_off(others.unwrap_or(jobs.len()));
                self.serve(std::mem::replace(&mut jobs, rest)).await;
            }
        }
    }

    /// Decides asks of one hour in one transaction, and answers them.
    async fn serve(&mut self, jobs: Vec<Job>) {
        let (asks, replies): (Vec<Ask>, Vec<_>) =
            jobs.into_iter().map(|job| (job.ask, job.reply)).unzip();
        let count = asks.len();
        let Some(now) = asks.iter().map(|ask| ask.now).max() else {
            return;
        };
        let begun = Instant::now();
        let decided = self.decide(asks.into(), now).await;
        match decided {
            Ok(decisions) => {
                self.tally.committed(count, begun.elapsed());
                if std::mem::take(&mut self.is_away) {
                    tracing::info!("clients are counted again");
                }
                for (reply, decision) in replies.into_iter().zip(decisions) {
                    // Whoever asked may have gone away; the change stands all the same.
                    let _ = reply.send(decision);
                }
            }
            Err(refusal) => {
                self.tables.doubt();
                if !std::mem::replace(&mut self.is_away, true) {
                    let code = refusal.reason.code();
                    tracing::warn!(code, "clients are not counted: {refusal}");
                }
                for reply in replies {
                    let _ = reply.send(Err(refusal.clone()));
                }
                return;
            }
        }
        if let Err(refusal) = self.sweep.step(&self.tables.server, count, now).await {
            tracing::debug!(code = refusal.reason.code(), "passed rows stay: {refusal}");
        }
    }

    /// The decisions, when they are durable. Where that cannot be known, all are refused as unknown:
    /// whoever asks again with the same nonce is told what stands.
    async fn decide(
        &self,
        asks: Arc<[Ask]>,
        now: Timestamp,
    ) -> Result<Vec<Result<Decision, Refusal>>, Refusal> {
        self.tables.ready().await?;
        let given = self.tables.given().clone();
        let decided = self.tables.server.transact_in_turn(|connection| {
            Box::pin(decide_all(
                connection,
                Arc::clone(&asks),
                given.clone(),
                now,
            ))
        });
        decided.await
    }
}

async fn decide_all(
    connection: &mut PgConnection,
    asks: Arc<[Ask]>,
    given: Given,
    now: Timestamp,
) -> Result<Vec<Result<Decision, Refusal>>, Fault> {
    let facts = || asks.iter().map(|ask| &ask.facts);
    let pools: BTreeSet<PoolNumber> = facts()
        .flat_map(|facts| facts.pools.iter().map(|asked| asked.pool))
        .collect();
    let clients: BTreeSet<ClientId> = facts()
        .flat_map(|facts| {
            let named = facts.predecessor.map(|named| named.client);
            std::iter::once(facts.client.client).chain(named)
        })
        .collect();
    let mut batch = load(connection, &pools, &clients, now).await?;
    let decide = |ask: &Ask| batch.decide(ask, &given);
    let decisions = asks.iter().map(decide).collect();
    keep(connection, &batch).await?;
    Ok(decisions)
}
