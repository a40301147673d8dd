//! Threads that take jobs from one bounded queue, each with a runtime and connections of its own.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use muster_proto::Refusal;
use muster_proto::limits::POSTGRES_QUEUE_MAX;
use muster_proto::reason::store as reasons;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::postgres::{Server, StoreUrl};

/// Where a thread works.
pub(super) struct Place {
    pub(super) runtime: Runtime,
    pub(super) server: Server,
}

/// What a thread does with jobs that it took together.
pub(super) trait Worker: Send + 'static {
    /// A job; dropped, its asker learns that the store has stopped.
    type Job: Send + 'static;
    /// Jobs that it takes together at most.
    const JOBS_MAX: usize;
    /// Does them and answers them.
    fn work(&mut self, place: &Place, jobs: Vec<Self::Job>);
}

pub(super) struct Workers<J> {
    queue: Mutex<Option<SyncSender<J>>>,
    /// Each thread drops its end of these when it has closed its connections.
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl<J: Send + 'static> Workers<J> {
    /// Starts a thread for each worker.
    pub(super) fn start<W: Worker<Job = J>>(
        name: &str,
        url: &StoreUrl,
        workers: impl IntoIterator<Item = (u64, W)>,
    ) -> Result<Self, Refusal> {
        let (sender, receiver) = sync_channel(POSTGRES_QUEUE_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut ended = Vec::new();
        for (seed, mut worker) in workers {
            let (queue, url) = (Arc::clone(&receiver), url.clone());
            let (alive, end) = oneshot::channel::<()>();
            let work = move || {
                match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => {
                        let server = Server::new(url, seed);
                        run(&mut worker, &Place { runtime, server }, &queue);
                    }
                    Err(error) => tracing::error!("the store's thread has no runtime: {error}"),
                }
                drop(alive);
            };
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(work)
                .map_err(|error| Refusal::new(reasons::NO_THREAD, error.to_string()))?;
            ended.push(end);
        }
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            ended: Mutex::new(ended),
        })
    }

    /// Adds a job to the queue.
    ///
    /// # Errors
    /// `QUEUE_FULL`, `STOPPED`.
    pub(super) fn submit(&self, job: J) -> Result<(), Refusal> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(reasons::QUEUE_FULL.into()),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(reasons::STOPPED.into()),
        }
    }

    /// Lets the threads finish what waits and close their connections; later jobs are refused.
    pub(super) async fn close(&self) {
        let queue = self
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(queue);
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for end in ended {
            // It ends by being dropped; there is nothing to receive.
            let _ = end.await;
        }
    }
}

fn run<W: Worker>(worker: &mut W, place: &Place, queue: &Mutex<Receiver<W::Job>>) {
    loop {
        let jobs = {
            let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(first) = queue.recv() else { break };
            let others = queue.try_iter().take(W::JOBS_MAX - 1);
            std::iter::once(first).chain(others).collect()
        };
        worker.work(place, jobs);
    }
    place.server.close();
}
