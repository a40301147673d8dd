//! A command walked through every write it makes, with a fault at each.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use muster_proto::crypto::sha256;

use super::faults::{Fault, Plan};
use crate::estate::{Estate, Outcome, copy_dir};

/// As many writes at least as each command makes: fewer would mean that nothing is met at all.
const WRITES_MIN: u64 = 5;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Depth {
    /// So many writes of a command, spread over all of them, each with one fault.
    Some(u64),
    /// Every write with every fault.
    All,
}

impl Depth {
    /// What a test of each day tries.
    pub(crate) const DAILY: Self = Self::Some(16);

    /// The writes and faults that are tried of a command with so many writes.
    pub(crate) fn tried(self, name: &str, writes: u64, all: &[Fault]) -> Vec<(u64, Fault)> {
        let numbers = 1..=writes;
        match self {
            Self::All => numbers
                .flat_map(|number| all.iter().map(move |fault| (number, *fault)))
                .collect(),
            Self::Some(most) => {
                // The name is the seed: other writes of each command, the same ones each day.
                let seed = sha256(name.as_bytes())[0];
                let step = writes.div_ceil(most);
                let rest = u64::from(seed) % step;
                let faults = all.iter().cycle().skip(usize::from(seed) % all.len());
                let numbers = numbers.filter(|number| number % step == rest);
                numbers.zip(faults.copied()).collect()
            }
        }
    }

    /// One line of what was walked, past the harness, for the page of results. A fault is not met
    /// where threads end in another order and SQLite has less to tidy up.
    pub(crate) fn tell(self, name: &str, writes: u64, runs: usize, met: usize) {
        assert!(
            met * 2 > runs,
            "{name}: of {runs} faults only {met} were met"
        );
        if self == Self::All {
            let line = format!("walked: | `{name}` | {writes} | {runs} | {met} |\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

/// A fault at a write, as a check sees it.
pub(crate) struct Met<'a> {
    /// The name of the copy below the estate's directory.
    pub(crate) copy: &'a str,
    pub(crate) fault: Fault,
    pub(crate) outcome: &'a Outcome,
}

impl Met<'_> {
    /// The command told that it was done.
    pub(crate) fn is_done(&self) -> bool {
        self.outcome.is_done()
    }

    /// A command that is not killed says what is wrong, in words with a reason, and is not misused.
    fn check_words(&self) {
        let outcome = self.outcome;
        match outcome.code {
            // Killed.
            -1 if self.fault.is_deadly() => {}
            0 if !outcome.stderr.contains("panicked") => {}
            1 => assert!(outcome.stderr.contains("MUSTER-"), "{outcome:#?}"),
            _ => panic!("{outcome:#?}"),
        }
    }
}

/// Tries a command on a fresh copy of the directory `from` at each of its writes; `check` looks at
/// what is left and at what the command said.
pub(crate) fn at_every_write(
    estate: &Estate,
    (name, depth): (&str, Depth),
    from: &str,
    command: impl Fn(&str) -> Vec<String>,
    check: impl Fn(&Met<'_>),
) {
    let run = |number: u64, fault: Fault| -> u64 {
        let copy = format!("{from}.{fault:?}-{number}").to_lowercase();
        copy_dir(&estate.path(from), &estate.path(&copy));
        let plan = Plan::at(number, fault);
        let outcome = Outcome::of(&mut plan.command(estate.dir.path(), &command(&copy)));
        let met = Met {
            copy: &copy,
            fault,
            outcome: &outcome,
        };
        met.check_words();
        if fault == Fault::None {
            assert!(outcome.is_done(), "{name}: {outcome:#?}");
        }
        told_where(name, number, fault, || check(&met));
        fs::remove_dir_all(estate.path(&copy)).expect("the copy goes");
        plan.met()
    };
    let writes = run(0, Fault::None);
    assert!(writes >= WRITES_MIN, "{name}: only {writes} writes");
    let tried = depth.tried(name, writes, &Fault::ALL);
    let met = tried
        .iter()
        .filter(|(number, fault)| run(*number, *fault) >= *number);
    let met = met.count();
    depth.tell(name, writes, tried.len(), met);
}

/// Runs a check; one that fails is told with where it failed.
pub(crate) fn told_where(name: &str, number: u64, fault: Fault, check: impl FnOnce()) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
    if let Err(why) = outcome {
        let _ = writeln!(std::io::stderr(), "{name}: {fault:?} at write {number}");
        std::panic::resume_unwind(why);
    }
}

/// The names in a directory, in order.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map_while(Result::ok);
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The files of a directory with their contents, in order.
pub(crate) fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: &String| fs::read(dir.join(name)).unwrap_or_default();
    names(dir)
        .into_iter()
        .map(|name| (name.clone(), read(&name)))
        .collect()
}
