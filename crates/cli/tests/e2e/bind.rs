//! DNS for real: BIND 9 with the sample configuration of the book, in a network of its own where the
//! system's resolver configuration is the test's. Registration by signed updates, every way in
//! which it is refused, and machines that find their host.

mod families;
mod lookups;
mod refusals;
mod registration;
mod site;

use serde_json::Value;

use crate::estate::{Estate, Outcome, Service};
use site::Site;

/// The arguments of `kms serve` that register a host.
struct Registration<'a> {
    host_name: &'a str,
    zones: &'a [&'a str],
    key: &'a str,
    more: &'a [&'a str],
}

impl Registration<'_> {
    fn args(&self) -> Vec<&str> {
        let mut args = vec!["--host-name", self.host_name, "--tsig-key", self.key];
        args.extend(self.zones.iter().flat_map(|zone| ["--dns-zone", *zone]));
        args.extend(self.more);
        args
    }
}

/// Starts a host of the estate within the site.
fn serve(site: &Site, estate: &Estate, host: &str, more: &[&str]) -> Service {
    let args = [&["serve"], more].concat();
    Service::start(&mut site.muster(&estate.kms_args(host, &args)))
}

/// Runs `muster kms …` within the site.
fn kms(site: &Site, estate: &Estate, host: &str, args: &[&str]) -> Outcome {
    Outcome::of(&mut site.muster(&estate.kms_args(host, args)))
}

/// Runs `muster client …` within the site.
fn client(site: &Site, estate: &Estate, machine: &str, args: &[&str]) -> Outcome {
    Outcome::of(&mut site.muster(&estate.client_args(machine, args)))
}

/// A machine with its key and policy, which knows no host.
fn install(estate: &Estate, machine: &str, generic: &str) {
    let policy = estate.policy("solo");
    let policy = policy.to_str().expect("paths are text");
    estate
        .client(machine, &["install-key", generic, "--policy", policy])
        .done();
}

/// What `kms status` says of each zone, once the service has tried all of them.
fn zones(estate: &Estate, host: &str, count: usize) -> Vec<Value> {
    for _ in 0..300 {
        let status = estate.kms(host, &["status", "--json"]).done().json();
        let zones = status["dns"].as_array().cloned().unwrap_or_default();
        if zones.len() == count {
            return zones;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    panic!("{host}: not every zone was tried");
}
