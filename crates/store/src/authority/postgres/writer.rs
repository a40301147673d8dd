//! Changes: those that wait share one serialisable transaction, which is run again when another
//! authority's came in between, and whose outcome is found out when its connection broke.

use std::sync::Arc;
use std::time::Duration;

use muster_proto::Refusal;
use muster_proto::limits::{
    POSTGRES_BATCH_MAX, POSTGRES_DONE_KEPT_SECONDS, POSTGRES_DONE_SWEPT_SECONDS,
    POSTGRES_OUTCOME_MILLISECONDS, POSTGRES_OUTCOME_PAUSE_MILLISECONDS,
};
use muster_proto::reason::store as reasons;
use tokio::time::{Instant, sleep};

use super::job::Job;
use super::session::Session;
use super::workers::{Place, Worker};
use crate::authority::sql::{Engine, SqlTables, Value};
use crate::postgres::{Fault, Retry};
use crate::sqlite::Tally;

/// The thread that writes.
pub(super) struct Writer {
    names: Names,
    tally: Arc<Tally>,
    swept: Option<Instant>,
}

impl Writer {
    pub(super) fn new(seed: [u8; 16], tally: Arc<Tally>) -> Self {
        Self {
            names: Names { seed, given: 0 },
            tally,
            swept: None,
        }
    }

    /// Forgets the names of transactions that nobody asks for any more. What cannot be forgotten
    /// now is next time.
    fn sweep(&mut self, place: &Place) {
        const EVERY: Duration = Duration::from_secs(POSTGRES_DONE_SWEPT_SECONDS);
        if self.swept.is_some_and(|swept| swept.elapsed() < EVERY) {
            return;
        }
        self.swept = Some(Instant::now());
        if let Err(fault) = forget(place) {
            tracing::debug!("old names of transactions are kept: {}", fault.refusal());
        }
    }
}

impl Worker for Writer {
    type Job = Box<dyn Job>;
    const JOBS_MAX: usize = POSTGRES_BATCH_MAX;

    fn work(&mut self, place: &Place, mut jobs: Vec<Self::Job>) {
        let begun = Instant::now();
        let outcome = commit(place, &mut jobs, &self.names.next());
        if outcome.is_ok() {
            self.tally.committed(jobs.len(), begun.elapsed());
        }
        for job in jobs {
            job.answer(outcome.clone());
        }
        if outcome.is_ok() {
            self.sweep(place);
        }
    }
}

/// Names for transactions, each given once in the whole world.
struct Names {
    seed: [u8; 16],
    given: u64,
}

impl Names {
    fn next(&mut self) -> [u8; 24] {
        let mut name = [0; 24];
        name[..16].copy_from_slice(&self.seed);
        name[16..].copy_from_slice(&self.given.to_be_bytes());
        self.given += 1;
        name
    }
}

/// Leaves a transaction's name; writes nothing where it is there already. While another connection
/// is about to leave the same name, it waits for what becomes of that.
const LEAVE: &str = "INSERT INTO @done (name, at) \
    VALUES (?1, CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) AS BIGINT)) ON CONFLICT DO NOTHING";
/// A name's age is told by the clock that told its time.
const FORGET: &str = "DELETE FROM @done \
    WHERE at < CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) AS BIGINT) - ?1";

/// Runs jobs until they are committed.
///
/// # Errors
/// Why they were not; `OUTCOME_UNKNOWN` where the server could not be asked in time.
fn commit(place: &Place, jobs: &mut [Box<dyn Job>], name: &[u8]) -> Result<(), Refusal> {
    const LIMIT: Duration = Duration::from_millis(POSTGRES_OUTCOME_MILLISECONDS);
    const PAUSE: Duration = Duration::from_millis(POSTGRES_OUTCOME_PAUSE_MILLISECONDS);
    let mut retry = Retry::of(&place.server);
    let mut doubt: Option<(Instant, String)> = None;
    loop {
        let Err(fault) = run(place, jobs, name) else {
            return Ok(());
        };
        match (fault, &doubt) {
            (Fault::Unknown(what), None) => {
                tracing::warn!("a commit's answer was lost and is looked for: {what}");
                doubt = Some((Instant::now(), what));
                place.server.distrust();
            }
            (fault, None) => place.runtime.block_on(retry.after(fault))?,
            (_, Some((since, what))) if since.elapsed() > LIMIT => {
                return Err(Refusal::new(reasons::OUTCOME_UNKNOWN, what.clone()));
            }
            // Until the name is found, or left by this run, whatever happens settles nothing.
            (_, Some(_)) => {
                place.server.distrust();
                // The runtime's clock is there only within it.
                place.runtime.block_on(async { sleep(PAUSE).await });
            }
        }
    }
}

/// Runs jobs once in a transaction of that name. A name that is there already was left by the run
/// before, whose results stand.
fn run(place: &Place, jobs: &mut [Box<dyn Job>], name: &[u8]) -> Result<(), Fault> {
    let runtime = &place.runtime;
    let mut transaction = runtime.block_on(place.server.begin())?;
    let session = Session::new(runtime, transaction.connection());
    let ran = session
        .heed(session.execute(LEAVE, &[Value::from(name)]))
        .and_then(|left| match (left, &mut *jobs) {
            (0, _) => Ok(false),
            (_, [job]) => run_job(&session, job.as_mut()),
            (_, jobs) => run_guarded(&session, jobs).map(|()| true),
        });
    match ran {
        Ok(true) => runtime.block_on(transaction.commit()),
        Ok(false) => {
            // Nothing is left to commit; a bad connection is dropped.
            let _ = runtime.block_on(transaction.roll_back());
            Ok(())
        }
        Err(fault) => {
            if let Fault::Conflict(_) = fault {
                let _ = runtime.block_on(transaction.roll_back());
            }
            Err(fault)
        }
    }
}

/// Runs several jobs, each in a savepoint: one that gives an error is undone alone.
fn run_guarded(session: &Session<'_>, jobs: &mut [Box<dyn Job>]) -> Result<(), Fault> {
    for job in jobs {
        session.plain("SAVEPOINT job")?;
        let end = match run_job(session, job.as_mut())? {
            true => "RELEASE job",
            false => "ROLLBACK TO job; RELEASE job",
        };
        session.plain(end)?;
    }
    Ok(())
}

/// Runs a job; false when it gave an error or made one.
fn run_job(session: &Session<'_>, job: &mut dyn Job) -> Result<bool, Fault> {
    let is_good = job.run(&mut SqlTables(session));
    match session.take_fault() {
        None => Ok(is_good),
        // The statement's fault, and no other's.
        Some(Fault::Refused(refusal)) if refusal.reason == reasons::INTERNAL => {
            job.fail(refusal);
            Ok(false)
        }
        Some(fault) => Err(fault),
    }
}

fn forget(place: &Place) -> Result<(), Fault> {
    const DAY: Value<'static> = Value::Int(Some(POSTGRES_DONE_KEPT_SECONDS));
    let mut transaction = place.runtime.block_on(place.server.begin())?;
    let session = Session::new(&place.runtime, transaction.connection());
    session.heed(session.execute(FORGET, &[DAY]))?;
    place.runtime.block_on(transaction.commit())
}
