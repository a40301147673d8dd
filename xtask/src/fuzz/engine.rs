//! The instrumented program, and what it says of a run.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Room, failed, pack};
use crate::failure::{Failure, not_started, output_of, refused, run as run_command};

/// LLVM's coverage as libFuzzer reads it. Debug assertions bring checks of arithmetic with them.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 -Cdebug-assertions -Cdebuginfo=line-tables-only";
/// Seconds for one input, above which it has hung.
const INPUT_SECONDS: u64 = 10;
/// Memory of a run, above which an input has grown it without bound.
const MEMORY_MEGABYTES: u64 = 1_024;

/// The program.
pub(super) struct Engine {
    program: PathBuf,
    room: PathBuf,
}

/// A target as the program names it.
pub(super) struct Target {
    pub(super) name: String,
    bytes_max: usize,
}

/// How long a run takes, and its seed.
pub(super) struct Limits {
    pub(super) seconds: u64,
    pub(super) seed: u32,
}

impl Engine {
    /// Builds it, in a folder of its own: its flags would build everything else anew. With a target
    /// named, build scripts are left as they are.
    pub(super) fn build(root: &Path, room: &Path) -> Result<Self, Failure> {
        let mut compiler = Command::new("c++");
        let found = compiler.arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            let said = "libFuzzer is C++: install a compiler that `c++` calls (Debian: g++)";
            return Err(Failure::said(said));
        }
        let triple = host_triple()?;
        let words = [
            "build",
            "--release",
            "--package",
            "muster-fuzz",
            "--features",
            "libfuzzer",
        ];
        let mut build = Command::new("cargo");
        build
            .current_dir(root)
            .args(words)
            .args(["--target", &triple]);
        build.arg("--target-dir").arg(room).env("RUSTFLAGS", FLAGS);
        run_command(&mut build)?;
        Ok(Self {
            program: room.join(triple).join("release/muster-fuzz"),
            room: room.to_owned(),
        })
    }

    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.env("MUSTER_FUZZ_TARGET", target);
        command
    }

    /// All targets, as the program lists them.
    pub(super) fn targets(&self) -> Result<Vec<Target>, Failure> {
        let file = self.room.join("targets");
        let mut command = self.command("texts");
        command
            .env("MUSTER_FUZZ_LIST", &file)
            .arg("-runs=0")
            .stderr(Stdio::null());
        run_command(&mut command)?;
        let text = fs::read_to_string(&file).map_err(failed(&file))?;
        let target = |line: &str| {
            let (name, bytes_max) = line.split_once(' ')?;
            let (name, bytes_max) = (name.to_owned(), bytes_max.parse().ok()?);
            Some(Target { name, bytes_max })
        };
        Ok(text.lines().filter_map(target).collect())
    }

    /// Feeds one input, and shows what the program says.
    pub(super) fn feed(&self, target: &str, input: &Path) -> Result<(), Failure> {
        run_command(self.command(target).arg(input))
    }

    /// Runs a target; what it says goes into a file.
    pub(super) fn run(
        &self,
        target: &Target,
        room: &Room,
        words: &Path,
        limits: &Limits,
    ) -> Result<Row, Failure> {
        let log = room.path("log");
        let output = fs::File::create(&log).map_err(failed(&log))?;
        let mut command = self.command(&target.name);
        command
            .env("MUSTER_FUZZ_SEEDS", room.path("seeds"))
            .arg(format!("-max_total_time={}", limits.seconds))
            .arg(format!("-seed={}", limits.seed))
            .arg(format!("-max_len={}", target.bytes_max))
            .arg(format!("-timeout={INPUT_SECONDS}"))
            .arg(format!("-rss_limit_mb={MEMORY_MEGABYTES}"))
            .arg(format!(
                "-artifact_prefix={}/",
                room.path("found").display()
            ))
            .arg("-print_final_stats=1")
            .args([room.path("corpus"), room.path("seeds")])
            .stderr(output);
        if words.exists() {
            command.arg(format!("-dict={}", words.display()));
        }
        let status = command
            .status()
            .map_err(|source| not_started(&command, source))?;
        let said = fs::read(&log).map_err(failed(&log))?;
        Row::read(
            &target.name,
            &String::from_utf8_lossy(&said),
            !status.success(),
        )
        .ok_or_else(|| refused(&command, &format!("{status}; see {}", log.display())))
    }

    /// Keeps of a corpus the least that takes every edge that it takes; how often is left aside, or a
    /// corpus would be five times as large.
    pub(super) fn keep(&self, target: &Target, kept: &Path) -> Result<(), Failure> {
        let dir = self.room.join("run").join(&target.name);
        let least = dir.join("least");
        if least.exists() {
            fs::remove_dir_all(&least).map_err(failed(&least))?;
        }
        fs::create_dir_all(&least).map_err(failed(&least))?;
        let mut merge = self.command(&target.name);
        merge.args([
            "-set_cover_merge=1",
            "-use_counters=0",
            "-rss_limit_mb=2048",
        ]);
        merge.arg(format!("-max_len={}", target.bytes_max));
        merge
            .args([&least, &dir.join("corpus")])
            .stderr(Stdio::null());
        run_command(&mut merge)?;
        pack::pack(&least, kept)
    }
}

fn host_triple() -> Result<String, Failure> {
    let told = output_of(Command::new("rustc").arg("-vV"))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::said("`rustc -vV` names no host"))
}

/// The head of the table.
pub(super) const HEAD: &str =
    "target             seconds  executions  edges  features  inputs  found  seed";

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    target: String,
    seconds: u64,
    executions: u64,
    /// Edges of the program that were taken.
    edges: u64,
    /// Edges with how often each was taken, as libFuzzer tells them apart.
    features: u64,
    inputs: u64,
    pub(super) found: u32,
    seed: u64,
}

impl Row {
    /// Reads libFuzzer's own words.
    fn read(target: &str, said: &str, failed: bool) -> Option<Self> {
        let after = |line: &str, word: &str| {
            let rest = line.split(word).nth(1)?.trim_start();
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<u64>().ok()
        };
        let last = |word: &str| said.lines().rev().find_map(|line| after(line, word));
        Some(Self {
            target: target.to_owned(),
            seconds: last(" runs in ").or_else(|| failed.then_some(0))?,
            executions: last("stat::number_of_executed_units:").or_else(|| last("#"))?,
            edges: last(" cov: ").unwrap_or(0),
            features: last(" ft: ").unwrap_or(0),
            inputs: last(" corp: ").unwrap_or(0),
            found: u32::from(failed),
            seed: last("INFO: Seed:")?,
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            seconds,
            executions,
            edges,
            features,
            inputs,
            found,
            seed,
        } = self;
        write!(
            f,
            "{target:<18} {seconds:>7}  {executions:>10}  {edges:>5}  {features:>8}  {inputs:>6}  {found:>5}  {seed}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn a_run_is_read_from_what_the_engine_says() {
        let said = "INFO: Seed: 77\n#2 INITED cov: 9 ft: 10 corp: 1/1b\n\
            #900 NEW cov: 30 ft: 41 corp: 12/1Kb lim: 4 exec/s: 0 rss: 50Mb\n\
            Done 1000 runs in 21 second(s)\nstat::number_of_executed_units: 1000\n";
        let row = Row::read("texts", said, false).expect("a whole run");
        let figures = (
            row.seconds,
            row.executions,
            row.edges,
            row.features,
            row.inputs,
            row.seed,
        );
        assert_eq!(figures, (21, 1_000, 30, 41, 12, 77));
        assert_eq!(row.found, 0);
        assert_eq!(Row::read("texts", "nothing of use", false), None);
    }
}
