//! A product that knows its licence, to be copied: the publisher's root and the product's id are
//! compiled in, one call reads the licence, and the product decides what follows from it.
//!
//! Usage: `publisher-app [DIR]`. It looks where the machine's service and the user keep their
//! state; `DIR` names another directory, which can only hold less: whatever licenses in it must be
//! signed under the root compiled in. Exit code 0 licensed, 1 not.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a product talks to its user")]

use std::path::Path;
use std::process::ExitCode;

use muster_client::{Licence, LicenceState, Product, read, read_in};

/// The publisher's root. In a product of your own: `include_bytes!("contoso.root")`.
const ROOT: &[u8] = include_bytes!(env!("PUBLISHER_ROOT"));
/// The product's id, as the publisher's authority knows it.
const PRODUCT: &str = env!("PUBLISHER_PRODUCT");
/// The least policy version that this release of the product accepts.
const POLICY_VERSION_MIN: u32 = 1;

fn main() -> ExitCode {
    let mut product = match Product::from_root_file(ROOT, PRODUCT) {
        Ok(product) => product,
        Err(refusal) => {
            println!("This build of the product is broken: {refusal}");
            return ExitCode::FAILURE;
        }
    };
    product.policy_version_min = POLICY_VERSION_MIN;
    let licence = match std::env::args_os().nth(1) {
        Some(dir) => read_in(Path::new(&dir), &product),
        None => read(&product),
    };
    println!("{}", in_words(&licence));
    if licence.licensed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What the product tells its user. Here it could also go on for a while, restrict itself, or stop.
fn in_words(licence: &Licence) -> String {
    let (reason, next) = (licence.reason.to_string(), licence.reason.reason.next());
    let until = licence.until_text().unwrap_or_default();
    match licence.state {
        LicenceState::Licensed if licence.warning => {
            format!("Licensed until {until}, which is soon. {reason}. What to do: {next}.")
        }
        LicenceState::Licensed => format!("Licensed until {until}."),
        LicenceState::Unlicensed | LicenceState::Notification => {
            format!("Not licensed. {reason}. What to do: {next}.")
        }
        grace => format!(
            "Not licensed, in {} until {until}. {reason}. What to do: {next}.",
            grace.name()
        ),
    }
}
