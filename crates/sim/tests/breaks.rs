//! The controls: each rule of proto that is switched off is noticed by a checker, within a bounded
//! number of seeds. Without the feature `break-rules`, which only tests enable, there is nothing to
//! switch off (`cargo xtask test sim`).
#![cfg(feature = "break-rules")]

use std::process::Command;

/// Seeds within which a broken rule must be noticed.
const SEEDS_MAX: u64 = 40;

/// The checker that a broken rule first trips over, and the seed.
fn noticed(rule: &str) -> Option<(String, u64)> {
    (1..=SEEDS_MAX).find_map(|seed| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-sim"));
        command.args([format!("--seed={seed}"), format!("--without={rule}")]);
        let output = command.args(["--clients", "40"]).output();
        let output = output.expect("the simulator starts");
        let said = String::from_utf8(output.stderr).expect("text");
        match output.status.code() {
            Some(0) => None,
            Some(1) => {
                let (checker, _) = said.split_once(':').expect("a checker's name");
                assert!(said.contains(&format!("seed {seed}")), "{said}");
                assert!(
                    said.contains("--without="),
                    "it says how to see it again: {said}"
                );
                Some((checker.to_owned(), seed))
            }
            other => panic!("{other:?}: {said}"),
        }
    })
}

#[track_caller]
fn is_noticed(rule: &str, checkers: &[&str]) {
    let (checker, seed) = noticed(rule).unwrap_or_else(|| panic!("nobody noticed {rule}"));
    assert!(
        checkers.contains(&checker.as_str()),
        "{rule}: {checker} at seed {seed}"
    );
}

#[test]
fn a_broken_count_is_noticed() {
    is_noticed("CountWindow", &["count-exact", "acknowledged-kept"]);
    is_noticed("PredecessorLeaves", &["count-exact", "acknowledged-kept"]);
    is_noticed("Threshold", &["threshold-reached"]);
}

#[test]
fn broken_tickets_are_noticed() {
    is_noticed("RepeatedNonce", &["honest-keeps-key"]);
    is_noticed("LaterTicket", &["honest-keeps-key"]);
    is_noticed(
        "SharedIdentity",
        &["replay-counts-nobody", "copies-told-apart"],
    );
}

#[test]
fn leases_that_are_dropped_or_live_on_are_noticed() {
    is_noticed("LeaseKept", &["valid-lease-kept"]);
    is_noticed("LeaseSetAside", &["valid-lease-kept"]);
    is_noticed("RunningTime", &["valid-lease-kept", "lease-ends"]);
    is_noticed("Revocation", &["revoked-not-believed"]);
}

#[test]
fn clocks_that_are_believed_are_noticed() {
    is_noticed("HostClockJump", &["jumped-clock-signs-nothing"]);
    is_noticed("FloorBound", &["floor-bounded"]);
}

#[test]
fn policies_that_go_back_and_asks_that_come_at_once_are_noticed() {
    is_noticed("PolicyForward", &["policy-forward"]);
    is_noticed("Jitter", &["asks-spread"]);
}

#[test]
fn an_authority_that_charges_wrong_is_noticed() {
    is_noticed("HostsOfKey", &["activations-limited"]);
    is_noticed("ActivationsOfHost", &["activations-limited"]);
    is_noticed("RequestOnce", &["request-once"]);
    is_noticed("RenewedOnce", &["renewed-once"]);
}

/// As many client-years as CI has time for; `cargo xtask test --long` adds more.
#[test]
fn a_sweep_of_ci_size_holds() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-sim"));
    let output = command
        .args(["--seeds", "100..140", "--clients", "40"])
        .output();
    let output = output.expect("the simulator starts");
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "half an hour of two cores: more than 40,000 client-years"]
fn a_long_sweep_holds() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster-sim"));
    command.args(["--seeds", "1000..1500", "--clients", "40", "--years", "2"]);
    let output = command.output().expect("the simulator starts");
    assert!(output.status.success(), "{output:?}");
}
