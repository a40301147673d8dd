//! The simulator as a program: a seed gives the same bytes each time, and small sweeps hold.

use std::path::Path;
use std::process::{Command, Output};

/// Seeds of the sweep that every run of the tests makes.
const SEEDS: &str = "1..3";

fn sim(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-sim"));
    command.args(words).output().expect("the simulator starts")
}

fn log_of(seed: &str, log: &Path) -> (Vec<u8>, Vec<u8>) {
    let log_word = log.display().to_string();
    let output = sim(&[
        "--seed",
        seed,
        "--clients",
        "8",
        "--json",
        "--log",
        &log_word,
    ]);
    assert!(output.status.success(), "{output:?}");
    (std::fs::read(log).expect("the log"), output.stdout)
}

#[test]
fn a_seed_run_twice_gives_the_same_bytes_and_another_seed_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = log_of("7", &dir.path().join("first"));
    let again = log_of("7", &dir.path().join("again"));
    assert!(first.0.len() > 10_000, "hardly anything happened");
    assert!(first == again, "two runs of one seed differ");
    let other = log_of("8", &dir.path().join("other"));
    assert_ne!(first.0, other.0);
}

#[test]
fn a_sweep_holds_and_says_what_it_did() {
    let output = sim(&["--seeds", SEEDS, "--clients", "8", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let sum: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let number = |name: &str| sum[name].as_f64().unwrap_or_default();
    assert!(number("client_years") >= 16.0, "{sum}");
    assert!(number("asks") > 500.0, "{sum}");
    assert!(
        number("licensed_at_the_end") * 10.0 > number("products_at_the_end") * 8.0,
        "{sum}"
    );
    assert_eq!(sum["violations"].as_array().map(Vec::len), Some(0), "{sum}");
}

/// Nothing strikes: then everybody is licensed all the time after the first days.
#[test]
fn without_faults_nobody_is_ever_unlicensed_for_long() {
    let output = sim(&["--seed", "3", "--faults", "none", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let sum: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(sum["messages_lost"], 0);
    assert_eq!(sum["licensed_at_the_end"], sum["products_at_the_end"]);
}

#[test]
fn misuse_is_told_and_changes_nothing() {
    for words in [
        &["--faults", "meteor"][..],
        &["--seeds", "9..1"],
        &["--years", "0"],
        &["--clients", "0"],
    ] {
        let output = sim(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty());
    }
}
