//! Faults of the disk under a process of the real binary. A small library stands between it and libc
//! (`crates/cli/tests/e2e/crash/shim.c`), so no build of its own is needed. Calls are numbered over
//! all threads, and those of one directory alone; that no write passes it unseen is tested against
//! `strace`.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::estate::{Outcome, muster};

/// A block of a disk, in bytes: what it writes whole or not at all.
const BLOCK: u32 = 512;

/// What becomes of a call that changes a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing: calls are counted.
    None,
    /// The process is ended before it.
    Killed,
    /// The process is ended after it, before anybody learns of it.
    KilledAfter,
    /// Its first block alone comes to the disk, and the process is ended.
    Torn,
    /// No space left, for it and every later one.
    Full,
    /// The disk fails, for it and every later one.
    Failing,
    /// The file system is read-only, for it and every later one.
    ReadOnly,
}

impl Fault {
    /// Those that end the process.
    pub(crate) const DEADLY: [Self; 3] = [Self::Killed, Self::Torn, Self::KilledAfter];
    /// Every fault.
    pub(crate) const ALL: [Self; 6] = [
        Self::Killed,
        Self::Full,
        Self::Torn,
        Self::ReadOnly,
        Self::KilledAfter,
        Self::Failing,
    ];

    pub(crate) fn is_deadly(self) -> bool {
        Self::DEADLY.contains(&self)
    }

    /// As the library reads it: its kind, and what belongs to the kind.
    fn in_plan(self) -> [u32; 2] {
        let fails = |errno: rustix::io::Errno| [4, errno.raw_os_error().unsigned_abs()];
        match self {
            Self::None => [0, 0],
            Self::Killed => [1, 0],
            Self::KilledAfter => [2, 0],
            Self::Torn => [3, BLOCK],
            Self::Full => fails(rustix::io::Errno::NOSPC),
            Self::Failing => fails(rustix::io::Errno::IO),
            Self::ReadOnly => fails(rustix::io::Errno::ROFS),
        }
    }
}

/// What is to happen to processes, and what has: it may change while they run.
#[derive(Debug)]
pub(crate) struct Plan(tempfile::NamedTempFile);

impl Plan {
    /// A fault at the call of a number, counted from 1.
    pub(crate) fn at(number: u64, fault: Fault) -> Self {
        let plan = Self(tempfile::NamedTempFile::new().expect("a file"));
        plan.file().set_len(24).expect("a file");
        plan.change(number, fault);
        plan
    }

    /// Another fault from now on.
    pub(crate) fn change(&self, number: u64, fault: Fault) {
        let [kind, detail] = fault.in_plan();
        let halves = [kind.to_ne_bytes(), detail.to_ne_bytes()].concat();
        // The kind goes first: a number without a fault does nothing.
        self.put(16, &[0; 8]);
        self.put(8, &number.to_ne_bytes());
        self.put(16, &halves);
    }

    /// Calls so far.
    pub(crate) fn met(&self) -> u64 {
        let mut bytes = [0; 8];
        self.file().read_exact_at(&mut bytes, 0).expect("the plan");
        u64::from_ne_bytes(bytes)
    }

    /// `muster` with arguments, its writes below `root` under this plan.
    pub(crate) fn command(&self, root: &Path, args: &[String]) -> Command {
        let mut command = muster();
        command
            .args(args)
            .env("LD_PRELOAD", library())
            .env("CRASH_PLAN", self.0.path())
            .env("CRASH_ROOT", root)
            .stdin(Stdio::null());
        command
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.file().write_all_at(bytes, at).expect("the plan");
    }

    fn file(&self) -> &File {
        self.0.as_file()
    }
}

/// The library, built once for all tests of this process.
fn library() -> &'static Path {
    static BUILT: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("crash.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/crash/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args([
            "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o",
        ]);
        Outcome::of(compiler.arg(&path).arg(source).arg("-ldl")).done();
        (dir, path)
    });
    path
}

/// Every call that changes a file, as `strace` names them. A mode that is changed by its name, and
/// times and attributes, are none of muster's business.
const CHANGES: &str = "trace=?write,?writev,?pwrite64,?pwritev,?pwritev2,?fsync,?fdatasync,\
    ?sync_file_range,?ftruncate,?truncate,?fallocate,?fchmod,?chmod,?fchmodat,?fchown,?chown,\
    ?fchownat,?rename,?renameat,?renameat2,?link,?linkat,?symlink,?symlinkat,?unlink,?unlinkat,\
    ?mkdir,?mkdirat,?rmdir,?mknod,?mknodat,?creat,?open,?openat,?openat2,?copy_file_range,\
    ?sendfile,?splice,?io_uring_enter,?io_submit";

/// Calls that change something under a directory, counted by `strace` and by the library at once.
pub(crate) fn counted_by_both(root: &Path, args: &[String]) -> (u64, u64) {
    let plan = Plan::at(0, Fault::None);
    let (log, inner) = (
        tempfile::NamedTempFile::new().expect("a file"),
        plan.command(root, args),
    );
    let mut outer = Command::new("strace");
    outer
        .args(["-f", "-qq", "-y", "-e", CHANGES, "-o"])
        .arg(log.path());
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            let pair = format!("{}={}", name.display(), value.display());
            outer.args(["-E", &pair]);
        }
    }
    outer.arg(inner.get_program()).args(inner.get_args());
    Outcome::of(outer.stdin(Stdio::null())).done();
    let root = format!("{}/", root.display());
    let said = fs::read_to_string(log.path()).expect("what strace saw");
    let is_change = |line: &&str| {
        let is_opening = line.contains(" open");
        line.contains(&root)
            && (!is_opening || line.contains("O_CREAT") || line.contains("O_TRUNC"))
    };
    let changes: Vec<&str> = said.lines().filter(is_change).collect();
    (changes.len() as u64, plan.met())
}
