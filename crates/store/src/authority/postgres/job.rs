//! A change or a read on its way.

use muster_proto::Refusal;
use muster_proto::reason::store as reasons;
use tokio::sync::oneshot;

use crate::authority::Tables;

/// It runs, once or more often, keeps its last result, and gives it back when that stands.
pub(super) trait Job: Send {
    /// Runs it from its start; false when it gave an error.
    fn run(&mut self, tables: &mut dyn Tables) -> bool;
    /// What it came to after all.
    fn fail(&mut self, refusal: Refusal);
    /// Gives back its result, or why the transaction failed.
    fn answer(self: Box<Self>, transaction: Result<(), Refusal>);
}

struct Asked<T, F> {
    work: F,
    result: Option<Result<T, Refusal>>,
    reply: oneshot::Sender<Result<T, Refusal>>,
}

/// A job, and what its answer is waited for with.
pub(super) fn job<T, F>(work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, Refusal>>)
where
    T: Send + 'static,
    F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let asked = Asked {
        work,
        result: None,
        reply,
    };
    (Box::new(asked), answer)
}

impl<T, F> Job for Asked<T, F>
where
    T: Send,
    F: Fn(&mut dyn Tables) -> Result<T, Refusal> + Send,
{
    fn run(&mut self, tables: &mut dyn Tables) -> bool {
        let result = (self.work)(tables);
        let is_good = result.is_ok();
        self.result = Some(result);
        is_good
    }

    fn fail(&mut self, refusal: Refusal) {
        self.result = Some(Err(refusal));
    }

    fn answer(self: Box<Self>, transaction: Result<(), Refusal>) {
        let result = match (self.result, transaction) {
            (_, Err(refusal)) => Err(refusal),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => Err(reasons::STOPPED.into()),
        };
        // Whoever asked may have gone away; what was committed stands all the same.
        let _ = self.reply.send(result);
    }
}
