//! A database's files torn in every way, and what must hold of a store that is opened on them: one
//! course for the database of every role.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Range;
use std::path::{Path, PathBuf};

use muster_proto::reason::{Reason, store as reasons};
use muster_store::sqlite::Executor;

/// What a disk writes whole or not at all, in bytes.
const BLOCK: usize = 512;
/// SQLite's page, and what its log puts before the pages and before each.
const PAGE: usize = 4_096;
const LOG_HEAD: usize = 32;
const FRAME_HEAD: usize = 24;

/// A store whose files are torn. It is filled in steps that are numbered, each of them one commit.
pub(crate) trait Torn: Sized {
    /// The name of its database.
    const FILE: &'static str;
    /// Steps that lie in the database, and those that followed them and lie in the log.
    const BEFORE: u16;
    const SINCE: u16;
    /// All of them.
    const ALL: u16 = Self::BEFORE + Self::SINCE;
    /// All that it holds.
    type Held: PartialEq + Debug;

    fn open(path: &Path) -> Result<Self, Reason>;
    fn executor(&self) -> &Executor;
    /// Takes steps, each of which is acknowledged.
    fn take(&self, steps: Range<u16>);
    fn held(&self) -> Result<Self::Held, Reason>;
    /// What is held after the first steps.
    fn after(steps: u16) -> Self::Held;
    /// Whether a whole check finds nothing wrong.
    fn is_whole(&self) -> bool;
    /// The same of the quick check of a diagnosis.
    fn is_whole_quickly(&self) -> bool;

    /// Whether nothing is held that never was: blocks of two times can make one row of two.
    fn is_known(held: &Self::Held) -> bool;
    /// Uses the store further; `before` is what it held.
    fn ask(&self, before: &Result<Self::Held, Reason>, what: &str) -> Asked;
    /// Demands what holds even of damage that no check finds.
    fn check_unseen(held: &Self::Held, what: &str);
}

/// What came of using a damaged store further.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Every answer was the one that an undamaged store gives.
    pub(crate) is_true: bool,
    /// Something was counted that is counted already, since its row is gone.
    pub(crate) is_over: bool,
}

/// The files of one store at two times.
struct Times {
    /// Before, everything in the database.
    old: Vec<u8>,
    /// Since then, everything in the log.
    log: Vec<u8>,
    /// Afterwards, the log moved into the database.
    new: Vec<u8>,
}

impl Times {
    fn of<S: Torn>() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(S::FILE);
        let read = |ending: &str| std::fs::read(with(&path, ending)).unwrap();
        let store = S::open(&path).unwrap();
        store.take(0..S::BEFORE);
        close(&store);
        let old = read("");
        let store = S::open(&path).unwrap();
        store.take(S::BEFORE..S::ALL);
        assert_eq!(read(""), old, "nothing was moved yet");
        let log = read("-wal");
        close(&store);
        let new = read("");
        Self { old, log, new }
    }

    /// Every boundary of blocks in the longer of both databases.
    fn boundaries(&self) -> impl Iterator<Item = usize> {
        (0..=self.new.len().max(self.old.len())).step_by(BLOCK)
    }

    /// New blocks up to a boundary, from it on, and one alone; old ones elsewhere.
    fn tears(&self, boundary: usize) -> [Vec<u8>; 3] {
        let end = self.new.len().max(self.old.len());
        let joined = |parts: &[(&Vec<u8>, Range<usize>)]| -> Vec<u8> {
            let part = |(of, range): &(&Vec<u8>, Range<usize>)| {
                let range = range.start.min(of.len())..range.end.min(of.len());
                of[range].to_vec()
            };
            parts.iter().flat_map(part).collect()
        };
        let (old, new, next) = (&self.old, &self.new, boundary + BLOCK);
        [
            joined(&[(new, 0..boundary), (old, boundary..end)]),
            joined(&[(old, 0..boundary), (new, boundary..end)]),
            joined(&[
                (old, 0..boundary),
                (new, boundary..next),
                (old, next..end.max(next)),
            ]),
        ]
    }

    /// What no crash leaves of a database whose log is gone, each with what it is called: cut, and
    /// blocks and pages zeroed or of another time.
    fn damaged(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        self.boundaries().flat_map(move |boundary| {
            let cut = boundary.min(self.new.len());
            let zeroed = |length: usize| {
                let mut zeroed = self.new.clone();
                zeroed[cut..(cut + length).min(self.new.len())].fill(0);
                zeroed
            };
            let [old_behind, old_before, _] = self.tears(boundary);
            let mut damaged = vec![
                (format!("block {boundary} zeroed"), zeroed(BLOCK)),
                (format!("old up to {boundary}"), old_before),
                (format!("old from {boundary}"), old_behind),
            ];
            // An empty file is no damaged database, but none.
            if boundary > 0 {
                damaged.push((format!("cut at {boundary}"), self.new[..cut].to_vec()));
            }
            if boundary % PAGE == 0 {
                damaged.push((format!("page {boundary} zeroed"), zeroed(PAGE)));
            }
            // All of another time, whatever lies behind it, is no damage but an older copy.
            damaged.retain(|(_, database)| !database.starts_with(&self.old));
            damaged
        })
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn close<S: Torn>(store: &S) {
    crate::common::block_on(store.executor().close());
}

/// Lays files down in a directory of their own and opens them.
fn laid<S: Torn>(database: &[u8], log: &[u8]) -> (tempfile::TempDir, Result<S, Reason>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(S::FILE);
    std::fs::write(&path, database).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).unwrap();
    if !log.is_empty() {
        std::fs::write(with(&path, "-wal"), log).unwrap();
    }
    let store = S::open(&path);
    (directory, store)
}

/// Holds exactly what came of the first steps, whole, and goes on with the next one.
fn check_after<S: Torn>(store: &S, steps: u16, what: &str) {
    assert!(store.held() == Ok(S::after(steps)), "{what}");
    assert!(store.is_whole(), "{what}");
    store.take(steps..steps + 1);
    assert!(
        store.held() == Ok(S::after(steps + 1)),
        "{what}: it goes on"
    );
}

/// A checkpoint that came half to the disk is made whole by the log.
pub(crate) fn half_a_checkpoint<S: Torn>() {
    let times = Times::of::<S>();
    let mut tried = 0;
    for boundary in times.boundaries() {
        for database in times.tears(boundary) {
            let (_directory, store) = laid::<S>(&database, &times.log);
            check_after(&store.unwrap(), S::ALL, &format!("torn at {boundary}"));
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
}

/// A log cut anywhere, or with a frame that came half to the disk: the commits before it stand, each
/// whole and in order. None that was acknowledged is among those behind, for `fsync` had come back.
pub(crate) fn half_a_log<S: Torn>() {
    let times = Times::of::<S>();
    let frames = (times.log.len() - LOG_HEAD) / (FRAME_HEAD + PAGE);
    assert!(frames > usize::from(S::SINCE));
    let starts = (0..=frames).map(|frame| LOG_HEAD + frame * (FRAME_HEAD + PAGE));
    let mut last = S::BEFORE;
    // The head of the log alone, then each frame.
    for start in std::iter::once(0).chain(starts) {
        // At the frame, in its head, after it, and at blocks within its page.
        let within_page = [FRAME_HEAD + BLOCK, FRAME_HEAD + PAGE - BLOCK];
        for within in [0, 8, FRAME_HEAD].into_iter().chain(within_page) {
            let end = (start + within).min(times.log.len());
            let steps = cut_log::<S>(&times, end);
            // The head and the first frame overlap.
            if start > 0 {
                assert!((last..=S::ALL).contains(&steps), "cut at {end}");
                last = steps;
            }
        }
    }
    assert_eq!(last, S::ALL, "whole, all of them are there");
}

/// Cuts, zeroes and garbles the log from an offset on; the steps that each of them has left.
fn cut_log<S: Torn>(times: &Times, end: usize) -> u16 {
    let mut zeroed = times.log.clone();
    zeroed[end..].fill(0);
    let mut garbled = times.log.clone();
    garbled[end..].iter_mut().for_each(|byte| *byte = !*byte);
    let mut left = BTreeSet::new();
    for log in [&times.log[..end], &zeroed, &garbled] {
        let (_directory, store) = laid::<S>(&times.old, log);
        let store = store.unwrap();
        let held = store.held();
        let steps = (S::BEFORE..=S::ALL).find(|steps| held == Ok(S::after(*steps)));
        let steps = steps.unwrap_or_else(|| panic!("cut at {end}: no whole number of steps"));
        check_after(&store, steps, &format!("cut at {end}"));
        left.insert(steps);
    }
    assert_eq!(left.len(), 1, "cut at {end}: {left:?}");
    left.into_iter().next().unwrap()
}

/// Reasons that name the damage.
pub(crate) const NAMED: [Reason; 4] = [
    reasons::CORRUPT,
    reasons::WRONG_KIND,
    reasons::ROW_UNREADABLE,
    // A page of the schema from another time.
    reasons::INTERNAL,
];

/// What became of damaged databases.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) tried: usize,
    pub(crate) refused: usize,
    pub(crate) healthy: usize,
    /// Something was lost, and a whole check says so; a quick one too.
    pub(crate) found: usize,
    pub(crate) found_quickly: usize,
    /// Those that held something that never was, each of them found.
    pub(crate) strange: usize,
    /// Those of which something was counted a second time.
    pub(crate) over: usize,
    /// Whole pages of two times, which no check can tell from what was.
    pub(crate) of_two_times: usize,
    /// What must not be: a reason that does not name the damage, and damage that no check finds with
    /// something held that never was, or counted a second time.
    wrong: Vec<String>,
}

impl Outcomes {
    /// Opens a damaged database, uses it, and judges: refused with the reason named, or served, and
    /// then a check finds what is wrong; but for whole pages of another time.
    fn judge<S: Torn>(&mut self, database: &[u8], what: &str) {
        self.tried += 1;
        let (_directory, store) = laid::<S>(database, &[]);
        let store = match store {
            Ok(store) => store,
            Err(reason) => {
                self.check_named(reason, what);
                self.refused += 1;
                return;
            }
        };
        let (is_whole, is_whole_quickly) = (store.is_whole(), store.is_whole_quickly());
        let before = store.held();
        let is_strange = match &before {
            Ok(held) => !S::is_known(held),
            Err(reason) => {
                self.check_named(*reason, what);
                false
            }
        };
        let asked = store.ask(&before, what);
        let is_true = asked.is_true && before == Ok(S::after(S::ALL));
        self.strange += usize::from(is_strange);
        self.over += usize::from(asked.is_over);
        if is_whole && (is_strange || asked.is_over) {
            self.wrong.push(format!("{what}: {is_strange}, {asked:?}"));
        }
        self.healthy += usize::from(is_true);
        self.found += usize::from(!is_true && !is_whole);
        self.found_quickly += usize::from(!is_true && !is_whole_quickly);
        if !is_true && is_whole {
            match &before {
                Ok(held) => S::check_unseen(held, what),
                Err(reason) => self.wrong.push(format!("{what}: whole, and {reason}")),
            }
            self.of_two_times += 1;
        }
    }

    fn check_named(&mut self, reason: Reason, what: &str) {
        if !NAMED.contains(&reason) {
            self.wrong.push(format!("{what}: {reason}"));
        }
    }
}

/// A damaged database is refused or the damage is found.
pub(crate) fn damage<S: Torn>() -> Outcomes {
    let mut outcomes = Outcomes::default();
    for (what, database) in Times::of::<S>().damaged() {
        outcomes.judge::<S>(&database, &what);
    }
    // One line past the harness, for the page of results.
    let line = format!("{}: {outcomes:?}\n", S::FILE);
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    assert!(outcomes.wrong.is_empty(), "{outcomes:#?}");
    assert!(
        outcomes.refused > 50 && outcomes.found > 50,
        "{outcomes:#?}"
    );
    let told = outcomes.healthy + outcomes.found + outcomes.of_two_times;
    assert_eq!(outcomes.refused + told, outcomes.tried, "{outcomes:#?}");
    assert!(outcomes.found_quickly <= outcomes.found, "{outcomes:#?}");
    outcomes
}
