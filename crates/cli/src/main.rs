//! `muster`: one tool for volume activation.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    muster::run()
}
