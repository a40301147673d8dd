//! What keeps a server from its work, as the kernel tells it: its threads wait for their core, the
//! machine's cores are given to other machines, or the disks take long to make writes durable.

use std::fs::read_to_string;
use std::time::Duration;

use crate::cores::process_times;
use crate::failure::{During, Failure, Outcome};

/// Clock ticks of `/proc/stat` in a second: `USER_HZ`, which is the same on every Linux.
const TICKS: u64 = 100;

/// Hold-ups, since the server and the machine were started or over a while.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HoldUps {
    /// The server's threads could have run while another thread, maybe its own, had their core.
    waited: Duration,
    /// What the hypervisor took of all cores; a step is 10 ms.
    stolen: Duration,
    /// The disk that spent most on it made writes durable.
    flushed: Duration,
}

impl HoldUps {
    /// What there has been of a process so far.
    pub(crate) fn of(pid: u32) -> Outcome<Self> {
        let stat = read_to_string("/proc/stat").during("the machine's times")?;
        let disks = read_to_string("/proc/diskstats").during("the disks' times")?;
        Ok(Self {
            waited: process_times(pid)?.waited,
            stolen: stolen(&stat)
                .ok_or_else(|| Failure::said("/proc/stat tells no stolen time"))?,
            flushed: flushed(&disks),
        })
    }

    /// What there has been since an earlier look.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            waited: self.waited.saturating_sub(earlier.waited),
            stolen: self.stolen.saturating_sub(earlier.stolen),
            flushed: self.flushed.saturating_sub(earlier.flushed),
        }
    }

    /// In words.
    pub(crate) fn told(self) -> String {
        format!(
            "the host's threads waited {} ms for their core, {} ms of all cores were stolen, a disk \
             spent {} ms on making writes durable",
            self.waited.as_millis(),
            self.stolen.as_millis(),
            self.flushed.as_millis()
        )
    }
}

/// The eighth figure of all cores (proc(5)).
fn stolen(stat: &str) -> Option<Duration> {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: u64 = all.split_whitespace().nth(7)?.parse().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS))
}

/// Milliseconds of flushes, the seventeenth figure of a disk (the kernel's iostats document); an old
/// kernel tells none.
fn flushed(disks: &str) -> Duration {
    let of_one = |line: &str| line.split_whitespace().nth(2 + 17)?.parse::<u64>().ok();
    Duration::from_millis(disks.lines().filter_map(of_one).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_found() {
        let stat =
            "cpu  1922818 376885 226582 319421 6768 0 11830 1626 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n";
        assert_eq!(stolen(stat), Some(Duration::from_millis(16_260)));
        assert_eq!(stolen("cpu0 1 2 3 4 5 6 7 8 0 0\n"), None);
        let disks = " 254 0 vda 26 83 89 50 40 65 18 11 0 57 66 98 1 8 2 1352414 226540\n \
                     253 0 zram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n 7 0 old 0 0 0 0\n";
        assert_eq!(flushed(disks), Duration::from_millis(226_540));
        assert_eq!(flushed(""), Duration::ZERO);
    }

    #[test]
    fn this_process_has_hold_ups_that_only_grow() {
        let earlier = HoldUps::of(std::process::id()).expect("the kernel tells");
        let later = HoldUps::of(std::process::id()).expect("the kernel tells");
        assert!(later.waited >= earlier.waited && later.stolen >= earlier.stolen);
    }
}
