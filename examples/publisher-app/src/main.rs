//! A product that knows its licence, to be copied: the publisher's root and the product's id are
//! compiled in, one call reads the licence, and the product decides what follows from it.
//!
//! Usage: `publisher-app [--activate] [DIR]`. It looks where the machine's service and the user keep
//! their state; `DIR` names another directory, which can only hold less: whatever licenses in it must
//! be signed under the root compiled in. With `--activate` it has a host asked first, by the machine's
//! service where the directory is not this user's. Exit code 0 licensed, 1 not.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a product talks to its user")]

use std::path::PathBuf;
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
    let mut arguments = std::env::args_os().skip(1).peekable();
    let wants_activation = arguments.next_if(|first| first == "--activate").is_some();
    let dir = arguments.next().map(PathBuf::from);
    let licence = match (wants_activation, dir) {
        (true, dir) => activated(&product, dir),
        (false, Some(dir)) => read_in(&dir, &product),
        (false, None) => read(&product),
    };
    println!("{}", in_words(&licence));
    if licence.licensed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Has a host asked, and reads again. A product with a runtime of its own awaits it there.
#[cfg(feature = "ask")]
fn activated(product: &Product, dir: Option<PathBuf>) -> Licence {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match (runtime, dir) {
        (Ok(runtime), Some(dir)) => runtime.block_on(muster_client::activate_from(&[dir], product)),
        (Ok(runtime), None) => runtime.block_on(muster_client::activate(product)),
        // Without threads or files there is still what is known.
        (Err(_), _) => read(product),
    }
}

/// This build only reads: it links no network.
#[cfg(not(feature = "ask"))]
fn activated(product: &Product, dir: Option<PathBuf>) -> Licence {
    dir.map_or_else(|| read(product), |dir| read_in(&dir, product))
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
