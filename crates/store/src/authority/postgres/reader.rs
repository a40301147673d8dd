//! Reads: each in one snapshot of the server that takes changes, so that what was acknowledged is
//! seen.

use muster_proto::Refusal;

use super::job::Job;
use super::session::Session;
use super::workers::{Place, Worker};
use crate::authority::sql::SqlTables;
use crate::postgres::{Fault, Retry};

/// A thread that reads.
pub(super) struct Reader;

impl Worker for Reader {
    type Job = Box<dyn Job>;
    const JOBS_MAX: usize = 1;

    fn work(&mut self, place: &Place, jobs: Vec<Self::Job>) {
        for mut job in jobs {
            let read = read(place, job.as_mut());
            job.answer(read);
        }
    }
}

/// Runs a read, and once more where its connection had gone.
fn read(place: &Place, job: &mut dyn Job) -> Result<(), Refusal> {
    let mut retry = Retry::of(&place.server);
    loop {
        match read_once(place, job) {
            Ok(()) => return Ok(()),
            Err(fault) => place.runtime.block_on(retry.after(fault))?,
        }
    }
}

fn read_once(place: &Place, job: &mut dyn Job) -> Result<(), Fault> {
    let mut transaction = place.runtime.block_on(place.server.begin_read())?;
    let session = Session::new(&place.runtime, transaction.connection());
    job.run(&mut SqlTables(&session));
    match session.take_fault() {
        Some(fault) => Err(fault),
        None => {
            // Nothing was changed, so nothing can be unknown; a bad connection is dropped.
            let _ = place.runtime.block_on(transaction.roll_back());
            Ok(())
        }
    }
}
