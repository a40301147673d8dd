//! The bench as a program: what it is not asked rightly, it refuses.

use std::process::Command;

#[test]
fn a_misuse_is_exit_2_and_shows_the_usage() {
    for words in [&[][..], &["--muster"], &["--muster", "x", "everything"]] {
        let mut bench = Command::new(env!("CARGO_BIN_EXE_muster-bench"));
        let output = bench.args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--quick"));
    }
}
