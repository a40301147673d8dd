//! Work that is run again when another transaction came in between.

use std::pin::Pin;
use std::time::Duration;

use muster_proto::Refusal;
use muster_proto::limits::{
    POSTGRES_PAUSE_MILLISECONDS, POSTGRES_PAUSE_MILLISECONDS_MAX,
    POSTGRES_TRANSACTION_MILLISECONDS, POSTGRES_TRIES_MAX,
};
use muster_proto::reason::store as reasons;
use sqlx_postgres::PgConnection;
use tokio::time::{sleep, timeout};

use super::{Fault, Server, Transaction};

/// Work under way on a connection.
pub type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

impl Server {
    /// Runs work in a serialisable transaction and gives its result when it is committed. The work
    /// may be run several times, each time from its start: it has no effect but on the database.
    ///
    /// # Errors
    /// What the work refused; `OUTCOME_UNKNOWN` where the connection was lost in the commit;
    /// `CONFLICTS` where others came in between too often; or why the server does not answer.
    pub async fn transact<T>(
        &self,
        mut work: impl for<'a> FnMut(&'a mut PgConnection) -> Working<'a, T> + Send,
    ) -> Result<T, Refusal> {
        let mut retry = Retry::of(self);
        loop {
            match self.run_once(&mut work).await {
                Ok(result) => return Ok(result),
                Err(fault) => retry.after(fault).await?,
            }
        }
    }

    /// As [`Server::transact`] for work that first locks the rows it depends on: whoever comes
    /// second waits there for the first, and sees what that one left.
    pub async fn transact_in_turn<T>(
        &self,
        mut work: impl for<'a> FnMut(&'a mut PgConnection) -> Working<'a, T> + Send,
    ) -> Result<T, Refusal> {
        let mut retry = Retry::of(self);
        loop {
            let run = async { run(self.begin_in_turn().await?, &mut work).await };
            match run.await {
                Ok(result) => return Ok(result),
                Err(fault) => retry.after(fault).await?,
            }
        }
    }

    /// Runs work once; the caller decides what follows a fault.
    pub async fn run_once<T>(
        &self,
        mut work: impl for<'a> FnMut(&'a mut PgConnection) -> Working<'a, T> + Send,
    ) -> Result<T, Fault> {
        run(self.begin().await?, &mut work).await
    }

    /// Runs a read in one snapshot, and once more where its connection had gone.
    pub async fn read<T>(
        &self,
        mut read: impl for<'a> FnMut(&'a mut PgConnection) -> Working<'a, T> + Send,
    ) -> Result<T, Refusal> {
        let mut retry = Retry::of(self);
        loop {
            let mut transaction = match self.begin_read().await {
                Ok(transaction) => transaction,
                Err(fault) => {
                    retry.after(fault).await?;
                    continue;
                }
            };
            let result = match in_time(read(transaction.connection())).await {
                Ok(result) => {
                    // Nothing was changed, so nothing can be unknown.
                    let _ = transaction.roll_back().await;
                    result
                }
                Err(silent) => Err(silent),
            };
            match result {
                Ok(result) => return Ok(result),
                Err(fault) => retry.after(fault).await?,
            }
        }
    }
}

/// Runs work in a transaction and ends it.
async fn run<T>(
    mut transaction: Transaction,
    work: &mut (impl for<'a> FnMut(&'a mut PgConnection) -> Working<'a, T> + Send),
) -> Result<T, Fault> {
    let result = in_time(work(transaction.connection())).await?;
    match result {
        Ok(result) => transaction.commit().await.map(|()| result),
        // The connection is good and may be kept; should it not be, it is dropped.
        Err(fault @ (Fault::Refused(_) | Fault::Conflict(_))) => {
            let _ = transaction.roll_back().await;
            Err(fault)
        }
        Err(fault) => Err(fault),
    }
}

/// Work that takes too long is given up, and its connection with it: a server that hangs is told
/// nothing more, and is not asked a second time, for the asker would wait too long.
async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, Fault> {
    const LIMIT: Duration = Duration::from_millis(POSTGRES_TRANSACTION_MILLISECONDS);
    let silent = || Refusal::new(reasons::SERVER_UNREACHABLE, "it did not answer in time");
    let done = timeout(LIMIT, work).await;
    done.map_err(|_| Fault::Refused(silent()))
}

/// How often a transaction was run, and whether it may be run again.
pub struct Retry<'a> {
    server: &'a Server,
    runs: u32,
    losses: u32,
}

impl<'a> Retry<'a> {
    /// Before the first run.
    pub fn of(server: &'a Server) -> Self {
        Self {
            server,
            runs: 1,
            losses: 0,
        }
    }

    /// How often it was run so far.
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// After a fault: waits a little and comes back where the transaction is to be run again.
    ///
    /// # Errors
    /// The refusal to tell where it is not.
    pub async fn after(&mut self, fault: Fault) -> Result<(), Refusal> {
        match fault {
            Fault::Conflict(_) if self.runs < POSTGRES_TRIES_MAX => {
                let pause = pause(self.runs, self.server.spread());
                self.runs += 1;
                sleep(pause).await;
                Ok(())
            }
            // A connection that had broken unseen, and perhaps the one after it.
            Fault::Lost(_) if self.losses < 2 => {
                self.server.distrust();
                self.losses += 1;
                Ok(())
            }
            fault => {
                if !matches!(fault, Fault::Conflict(_)) {
                    self.server.distrust();
                }
                Err(fault.refusal())
            }
        }
    }
}

/// The pause after a run: it doubles, and lies anywhere between its half and its whole.
fn pause(run: u32, spread: u64) -> Duration {
    let doubled = POSTGRES_PAUSE_MILLISECONDS << run.min(16);
    let whole = 1_000 * doubled.min(POSTGRES_PAUSE_MILLISECONDS_MAX);
    Duration::from_micros(whole / 2 + spread % (whole / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_are_spread() {
        let most = Duration::from_millis(POSTGRES_PAUSE_MILLISECONDS_MAX);
        for run in 1..100 {
            for spread in [0, 7, u64::MAX] {
                let pause = pause(run, spread);
                assert!(pause >= Duration::from_millis(1) && pause <= most);
            }
        }
        assert!(pause(3, 1) > pause(2, 1));
        assert_ne!(pause(5, 1), pause(5, 2));
    }
}
