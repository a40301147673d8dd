//! The writing connection: waiting jobs are collected, share one transaction, and are answered when
//! it is durable: by the asker that collected them, for a runtime is woken once for all of them then,
//! and its own thread wakes the others for nothing.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use muster_proto::Refusal;
use muster_proto::limits::{STORE_BATCH_MAX, STORE_QUEUE_MAX};
use muster_proto::reason::store as reasons;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::failure::is_beyond_trust;
use super::work::Tally;
use super::{refusal_of, stopped};

/// A change on its way: it runs, keeps its result, and gives it back after the commit.
trait Job: Send {
    /// Whether it runs in a savepoint of its own.
    fn is_guarded(&self) -> bool;
    /// Runs it; false when it gave an error.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Gives back its result, or why the transaction failed.
    fn answer(self: Box<Self>, commit: Result<(), Refusal>);
}

struct Change<T, F> {
    guarded: bool,
    change: Option<F>,
    result: Option<Result<T, Refusal>>,
    reply: oneshot::Sender<Result<T, Refusal>>,
}

impl<T, F> Job for Change<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Refusal> + Send,
{
    fn is_guarded(&self) -> bool {
        self.guarded
    }

    fn run(&mut self, connection: &Connection) -> bool {
        let change = self.change.take().expect("a job runs once");
        let result = change(connection);
        let is_good = result.is_ok();
        self.result = Some(result);
        is_good
    }

    fn answer(self: Box<Self>, commit: Result<(), Refusal>) {
        let result = match (self.result, commit) {
            // What a job itself refused is told whether or not the others were committed.
            (Some(Err(refusal)), _) => Err(refusal),
            (_, Err(refusal)) => Err(refusal),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => Err(stopped()),
        };
        // Whoever asked may have gone away; the change stands all the same.
        let _ = self.reply.send(result);
    }
}

/// What plain changes of one transaction leave to its end: each of them would otherwise write the same
/// few rows. Guarded changes see everything written.
pub(crate) trait Ending: Send {
    /// Writes it, and begins anew.
    fn write(&mut self, connection: &Connection) -> Result<(), Refusal>;

    /// Forgets it: the transaction is undone.
    fn forget(&mut self);
}

/// For those who leave nothing.
pub(super) struct NoEnding;

impl Ending for NoEnding {
    fn write(&mut self, _: &Connection) -> Result<(), Refusal> {
        Ok(())
    }

    fn forget(&mut self) {}
}

enum Command {
    Batch(Batch),
    Close(oneshot::Sender<()>),
}

/// Jobs that were collected together, and who answers them.
struct Batch {
    jobs: Vec<Box<dyn Job>>,
    answerer: oneshot::Sender<Outcomes>,
}

/// Jobs that have run. They are answered when this is dropped, by whoever has it then: the collector,
/// or, where that has gone away, the writing thread.
struct Outcomes {
    jobs: Vec<Box<dyn Job>>,
    commit: Result<(), Refusal>,
}

impl Drop for Outcomes {
    fn drop(&mut self) {
        for job in self.jobs.drain(..) {
            job.answer(self.commit.clone());
        }
    }
}

/// Jobs that wait for a collector.
struct Waiting {
    jobs: Vec<Box<dyn Job>>,
    is_collected: bool,
    is_closed: bool,
}

struct Shared {
    waiting: Mutex<Waiting>,
    commands: Sender<Command>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        mut ending: Box<dyn Ending>,
        tally: Arc<Tally>,
    ) -> Result<Self, Refusal> {
        let (commands, queue) = channel();
        thread::Builder::new()
            .name("muster-write".into())
            .spawn(move || run(connection, ending.as_mut(), &queue, &tally))
            .map_err(|error| Refusal::new(reasons::NO_THREAD, error.to_string()))?;
        let waiting = Mutex::new(Waiting {
            jobs: Vec::new(),
            is_collected: false,
            is_closed: false,
        });
        Ok(Self {
            shared: Arc::new(Shared { waiting, commands }),
        })
    }

    pub(super) async fn submit<T, F>(&self, guarded: bool, change: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Change {
            guarded,
            change: Some(change),
            result: None,
            reply,
        });
        if let Some(collector) = self.enqueue(job)? {
            collector.collect().await;
        }
        answer.await.map_err(|_| stopped())?
    }

    /// Adds a job; gives back a collector where nobody collects.
    fn enqueue(&self, job: Box<dyn Job>) -> Result<Option<Collector>, Refusal> {
        let mut waiting = self.shared.waiting();
        if waiting.is_closed {
            return Err(stopped());
        }
        if waiting.jobs.len() >= STORE_QUEUE_MAX {
            return Err(reasons::QUEUE_FULL.into());
        }
        waiting.jobs.push(job);
        if waiting.is_collected {
            return Ok(None);
        }
        waiting.is_collected = true;
        Ok(Some(Collector {
            shared: Some(Arc::clone(&self.shared)),
        }))
    }

    pub(super) async fn close(&self) {
        self.shared.waiting().is_closed = true;
        hand_over(&self.shared);
        let (done, closed) = oneshot::channel();
        if self.shared.commands.send(Command::Close(done)).is_ok() {
            // An error means that the thread had ended already.
            let _ = closed.await;
        }
    }
}

/// The one asker that gathers the others' jobs. Its batch is handed over when it is dropped, so
/// that an asker that goes away leaves nobody waiting.
struct Collector {
    /// None once it has handed over.
    shared: Option<Arc<Shared>>,
}

impl Collector {
    /// Yields until no new job arrives: everyone who is about to ask has then asked. Hands them over
    /// and answers them.
    async fn collect(mut self) {
        let mut seen = 0;
        while let Some(shared) = &self.shared {
            let present = shared.waiting().jobs.len();
            if present == seen || present >= STORE_BATCH_MAX {
                break;
            }
            seen = present;
            tokio::task::yield_now().await;
        }
        // From here on the jobs that wait are the next collector's.
        let outcomes = self.shared.take().map(|shared| hand_over(&shared));
        if let Some(outcomes) = outcomes {
            // What comes answers when it is dropped; an error means that the thread has ended.
            drop(outcomes.await);
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            hand_over(shared);
        }
    }
}

/// Hands the waiting jobs to the thread. Dropping what comes back leaves the answers to the thread.
fn hand_over(shared: &Shared) -> oneshot::Receiver<Outcomes> {
    let (answerer, outcomes) = oneshot::channel();
    let mut waiting = shared.waiting();
    waiting.is_collected = false;
    let jobs = std::mem::take(&mut waiting.jobs);
    // Sent under the lock, so that batches keep their order. An error means that the thread has
    // ended; the jobs are dropped and their askers learn it.
    if !jobs.is_empty() {
        let batch = Batch { jobs, answerer };
        let _ = shared.commands.send(Command::Batch(batch));
    }
    outcomes
}

/// The thread: takes all batches that wait, commits them together, and answers.
fn run(connection: Connection, ending: &mut dyn Ending, queue: &Receiver<Command>, tally: &Tally) {
    while let Ok(command) = queue.recv() {
        let mut batches = Vec::new();
        let mut jobs = 0;
        let mut close = None;
        let mut next = Some(command);
        while let Some(command) = next {
            match command {
                Command::Batch(batch) => {
                    jobs += batch.jobs.len();
                    batches.push(batch);
                }
                Command::Close(done) => close = Some(done),
            }
            let full = jobs >= STORE_BATCH_MAX;
            next = if full { None } else { queue.try_recv().ok() };
        }
        let is_trusted = batches.is_empty() || commit(&connection, ending, batches, tally);
        if let Some(done) = close {
            drop(connection);
            // Whoever closes may have gone away.
            let _ = done.send(());
            return;
        }
        if !is_trusted {
            tracing::error!("the disk failed to keep what it was told to; the store stops");
            return;
        }
    }
}

/// Runs batches in one transaction and has them answered; false when nothing further of this
/// connection can be trusted.
fn commit(
    connection: &Connection,
    ending: &mut dyn Ending,
    mut batches: Vec<Batch>,
    tally: &Tally,
) -> bool {
    let begun = Instant::now();
    let jobs = batches.iter().map(|batch| batch.jobs.len()).sum();
    let outcome = transact(
        connection,
        ending,
        batches.iter_mut().flat_map(|batch| &mut batch.jobs),
    );
    let is_trusted = !matches!(&outcome, Err(Fault::Sqlite(error)) if is_beyond_trust(error));
    let told = match outcome {
        Ok(()) => {
            tally.committed(jobs, begun.elapsed());
            Ok(())
        }
        Err(fault) => {
            ending.forget();
            // After some errors SQLite has rolled back by itself; then there is nothing to do.
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK");
            }
            Err(fault.refusal())
        }
    };
    for Batch { jobs, answerer } in batches {
        let commit = told.clone();
        // Where the collector has gone away, what comes back is dropped here.
        let _ = answerer.send(Outcomes { jobs, commit });
    }
    is_trusted
}

enum Fault {
    Sqlite(rusqlite::Error),
    /// What was left to the end could not be written.
    Ending(Refusal),
    /// An unguarded job failed after it had written: the batch is undone.
    Unguarded,
}

impl Fault {
    fn refusal(&self) -> Refusal {
        match self {
            Self::Sqlite(error) => refusal_of(error),
            Self::Ending(refusal) => refusal.clone(),
            Self::Unguarded => Refusal::new(
                reasons::DISK_FAILED,
                "another change of the same batch failed",
            ),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn transact<'a>(
    connection: &Connection,
    ending: &mut dyn Ending,
    jobs: impl Iterator<Item = &'a mut Box<dyn Job>>,
) -> Result<(), Fault> {
    let execute = |sql: &str| connection.prepare_cached(sql)?.execute([]);
    execute("BEGIN IMMEDIATE")?;
    for job in jobs {
        if job.is_guarded() {
            ending.write(connection).map_err(Fault::Ending)?;
            execute("SAVEPOINT job")?;
            if !job.run(connection) {
                execute("ROLLBACK TO job")?;
            }
            execute("RELEASE job")?;
        } else {
            let before = connection.total_changes();
            let is_good = job.run(connection);
            // SQLite itself undoes the transaction after some errors; what followed would be kept
            // without the rest.
            let is_left = connection.total_changes() != before || connection.is_autocommit();
            if !is_good && is_left {
                return Err(Fault::Unguarded);
            }
        }
    }
    ending.write(connection).map_err(Fault::Ending)?;
    execute("COMMIT")?;
    Ok(())
}
