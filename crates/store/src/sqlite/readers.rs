//! The reading connections: a few threads that take reads from one queue.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use muster_proto::{Refusal, reason::store as reasons};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::{Options, open, refusal_of, refuse, stopped};

type Read = Box<dyn FnOnce(&Connection) + Send>;

pub(super) struct Readers {
    queue: Mutex<Option<Sender<Read>>>,
    /// Each thread drops its end of these when its connection is closed.
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl Readers {
    pub(super) fn start(path: &Path, options: &Options) -> Result<Self, Refusal> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut ended = Vec::new();
        for _ in 0..options.readers.max(1) {
            let connection = open::reader(path, options)?;
            let queue = Arc::clone(&receiver);
            let (alive, end) = oneshot::channel();
            thread::Builder::new()
                .name("muster-read".into())
                .spawn(move || {
                    run(&connection, &queue);
                    drop(connection);
                    drop(alive);
                })
                .map_err(|error| refuse(reasons::NO_THREAD, path, error))?;
            ended.push(end);
        }
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            ended: Mutex::new(ended),
        })
    }

    /// Runs a read inside a transaction, so that it sees one state throughout.
    pub(super) async fn submit<T, F>(&self, read: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        self.submit_plain(move |connection| {
            let snapshot =
                rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Deferred)
                    .map_err(|error| refusal_of(&error))?;
            read(&snapshot)
        })
        .await
    }

    /// Runs a read without a transaction of ours.
    pub(super) async fn submit_plain<T, F>(&self, read: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Read = Box::new(move |connection| {
            // Whoever asked may have gone away meanwhile.
            let _ = reply.send(read(connection));
        });
        let queued = match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.send(job).is_ok(),
            None => false,
        };
        if !queued {
            return Err(stopped());
        }
        answer.await.map_err(|_| stopped())?
    }

    pub(super) async fn close(&self) {
        drop(
            self.queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for end in ended {
            // It ends by being dropped; there is nothing to receive.
            let _ = end.await;
        }
    }
}

fn run(connection: &Connection, queue: &Mutex<Receiver<Read>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => read(connection),
            Err(_) => return,
        }
    }
}
