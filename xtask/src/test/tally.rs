//! Reads what `cargo test` prints: how many tests passed and failed, which said that they were not
//! run, and how long each test program took.

/// How many slow programs are shown.
const SLOWEST_SHOWN: usize = 5;

/// The sum over all test programs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Tests that the harness calls passed.
    passed: u64,
    /// Tests that failed.
    pub(super) failed: u64,
    /// Tests that said `not run: NAME: WHY`. The harness calls them passed; they are none.
    pub(super) not_run: Vec<String>,
    /// Test programs with their seconds, in the order in which they ran.
    programs: Vec<(String, f64)>,
    /// The program whose result line comes next.
    current: String,
}

impl Tally {
    /// Tests that were run and passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed.saturating_sub(self.not_run.len() as u64)
    }

    /// Takes one line of output.
    pub(super) fn take(&mut self, line: &str) {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("Running ") {
            self.current = name_of_running(rest);
        } else if let Some(name) = line.strip_prefix("Doc-tests ") {
            self.current = format!("{name} (documentation)");
        } else if let Some(rest) = line.strip_prefix("test result: ") {
            self.take_result(rest);
        } else if let Some((_, rest)) = line.split_once("not run: ") {
            self.not_run.push(rest.to_owned());
        }
    }

    /// `ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`
    fn take_result(&mut self, rest: &str) {
        let counts = rest.split_once(". ").map_or(rest, |(_, counts)| counts);
        for part in counts.split("; ") {
            if let Some(count) = part.strip_suffix(" passed") {
                self.passed += count.parse::<u64>().unwrap_or(0);
            } else if let Some(count) = part.strip_suffix(" failed") {
                self.failed += count.parse::<u64>().unwrap_or(0);
            } else if let Some(time) = part.strip_prefix("finished in ") {
                let seconds = time.trim_end_matches('s').parse::<f64>().unwrap_or(0.0);
                self.programs.push((self.current.clone(), seconds));
            }
        }
    }

    /// The programs that took longest, slowest first.
    pub(super) fn slowest(&self) -> Vec<(&str, f64)> {
        let mut programs: Vec<(&str, f64)> = self
            .programs
            .iter()
            .map(|(name, seconds)| (name.as_str(), *seconds))
            .collect();
        programs.sort_by(|a, b| b.1.total_cmp(&a.1));
        programs.truncate(SLOWEST_SHOWN);
        programs
    }
}

/// `unittests src/lib.rs (target/release/deps/muster_proto-0f…)` becomes
/// `muster_proto src/lib.rs`.
fn name_of_running(rest: &str) -> String {
    let (source, program) = rest.split_once(" (").unwrap_or((rest, ""));
    let source = source.strip_prefix("unittests ").unwrap_or(source);
    let file = program
        .trim_end_matches(')')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    format!("{name} {source}").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::Tally;

    const OUTPUT: &str = "\
     Running unittests src/lib.rs (target/release/deps/muster_proto-0f3a)
test a ... ok
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.25s
     Running tests/pair.rs (target/release/deps/pair-77)
test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.50s
   Doc-tests muster_proto
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.75s
";

    #[test]
    fn results_are_summed_and_programs_named() {
        let mut tally = Tally::default();
        OUTPUT.lines().for_each(|line| tally.take(line));
        assert_eq!((tally.passed(), tally.failed), (16, 2));
        assert_eq!(
            tally.slowest(),
            [
                ("pair tests/pair.rs", 1.5),
                ("muster_proto (documentation)", 0.75),
                ("muster_proto src/lib.rs", 0.25),
            ]
        );
    }

    #[test]
    fn a_line_that_only_looks_alike_counts_nothing() {
        let mut tally = Tally::default();
        tally.take("test result_is_kept ... ok");
        tally.take("12 passed; 3 failed");
        assert_eq!((tally.passed(), tally.failed), (0, 0));
    }

    #[test]
    fn a_test_that_says_it_was_not_run_is_not_counted_as_passed() {
        let mut tally = Tally::default();
        tally.take("not run: bind::a: no namespaces");
        tally.take("test bind::b ... not run: bind::b: no namespaces");
        OUTPUT.lines().for_each(|line| tally.take(line));
        assert_eq!((tally.passed(), tally.failed), (14, 2));
        assert_eq!(
            tally.not_run,
            ["bind::a: no namespaces", "bind::b: no namespaces"]
        );
    }
}
