//! The two cores of a measurement: servers under test on one, everything that loads them on the
//! other; and the time that a thread or a process has spent on them.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::failure::{During, Failure, Outcome};

/// Which cores are used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// For the server under test, and for peers in its place.
    pub(crate) server: usize,
    /// For whoever loads it; the same one where there is no other.
    pub(crate) load: usize,
}

impl Cores {
    /// The first and the last of the cores that this process may use.
    pub(crate) fn of_this_machine() -> Outcome<Self> {
        let set = sched_getaffinity(None).during("the cores of this process")?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core));
        let server = allowed
            .next()
            .ok_or_else(|| Failure::said("this process may use no core"))?;
        Ok(Self {
            server,
            load: allowed.next_back().unwrap_or(server),
        })
    }
}

/// Ties the calling thread, and threads and processes that it starts later, to one core.
pub(crate) fn stay_on(core: usize) -> Outcome<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).during("tying a thread to a core")
}

/// Runs something on a thread of its own that stays on one core.
pub(crate) fn on_core<T: Send>(
    core: usize,
    work: impl FnOnce() -> Outcome<T> + Send,
) -> Outcome<T> {
    std::thread::scope(|scope| {
        let run = scope.spawn(move || {
            stay_on(core)?;
            work()
        });
        run.join()
            .map_err(|_| Failure::said("a measuring thread panicked"))?
    })
}

/// CPU time of the calling thread.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// What a process's threads did with their time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// They ran, or the kernel did for them.
    pub(crate) spent: Duration,
    /// They could have run, and waited for their core.
    pub(crate) waited: Duration,
}

/// CPU time of a process, what the kernel did for it included; as [`process_times`].
pub(crate) fn process_time(pid: u32) -> Outcome<Duration> {
    Ok(process_times(pid)?.spent)
}

/// The times of a process over all its threads. Exact while the process waits; a thread at work is a
/// few milliseconds behind (`schedstat` of proc(5)).
pub(crate) fn process_times(pid: u32) -> Outcome<Times> {
    let mut times = Times::default();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).during("the server's threads")?;
    for thread in threads {
        let path = thread.during("the server's threads")?.path();
        // A thread may end while the list is read.
        let Ok(text) = std::fs::read_to_string(path.join("schedstat")) else {
            continue;
        };
        let mut words = text.split_whitespace().map(str::parse);
        let mut next = || Duration::from_nanos(words.next().and_then(Result::ok).unwrap_or(0));
        times.spent += next();
        times.waited += next();
    }
    Ok(times)
}
