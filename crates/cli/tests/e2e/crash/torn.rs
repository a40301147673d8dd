//! Torn files of a machine: whatever became of them, no licence comes of it that was not granted, the
//! damage is named, the file is kept aside, and asking again makes the machine whole.

use std::fs;
use std::path::Path;

use super::walk::contents;
use crate::estate::{Estate, Outcome, Service, copy_dir, run};

/// What a disk writes whole or not at all, in bytes.
const BLOCK: usize = 512;

/// A machine at two times, its licence renewed in between, and the host that it asks.
struct Machine {
    estate: Estate,
    _host: Service,
}

impl Machine {
    fn new() -> Self {
        let (estate, host) = Estate::licensed();
        copy_dir(&estate.path("m"), &estate.path("old"));
        estate.client("m", &["activate"]).done();
        Self {
            estate,
            _host: host,
        }
    }

    /// Runs a verb on a copy: the same hardware.
    fn client(&self, copy: &str, args: &[&str]) -> Outcome {
        let mut args = self.estate.client_args(copy, args);
        *args.last_mut().expect("a system root") = self.estate.hardware("m");
        run(args)
    }

    /// Every way in which a file may be torn between both times, with what it is called.
    fn torn(&self, file: &str) -> Vec<(String, Vec<u8>)> {
        let read = |time: &str| fs::read(self.estate.path(time).join(file)).expect("a file");
        let (old, new) = (read("old"), read("m"));
        let mut torn = Vec::new();
        for boundary in (0..new.len()).step_by(BLOCK) {
            let old_rest = old.get(boundary..).unwrap_or_default();
            let mut zeroed = new.clone();
            let end = (boundary + BLOCK).min(new.len());
            zeroed[boundary..end].fill(0);
            torn.push((format!("cut at {boundary}"), new[..boundary].to_vec()));
            torn.push((
                format!("old from {boundary}"),
                [&new[..boundary], old_rest].concat(),
            ));
            torn.push((format!("zeroed at {boundary}"), zeroed));
        }
        torn.push(("cut by one".to_owned(), new[..new.len() - 1].to_vec()));
        torn.push(("one more".to_owned(), [&new[..], &[0]].concat()));
        torn.retain(|(_, bytes)| *bytes != new && *bytes != old);
        torn
    }
}

fn no_panic(outcome: &Outcome, what: &str) {
    assert!((0..=1).contains(&outcome.code), "{what}: {outcome:#?}");
    assert!(!outcome.stderr.contains("panicked"), "{what}: {outcome:#?}");
}

fn is_aside(dir: &Path, file: &str, bytes: &[u8]) -> bool {
    let is_it = |(name, held): &(String, Vec<u8>)| {
        name.starts_with(&format!("{file}.corrupt")) && held == bytes
    };
    contents(dir).iter().any(is_it)
}

#[test]
fn a_torn_state_is_no_licence_and_is_rebuilt_by_asking() {
    let machine = Machine::new();
    let torn = machine.torn("state");
    assert!(torn.len() > 10, "{}", torn.len());
    for (what, bytes) in torn {
        let copy = machine.estate.path("copy");
        copy_dir(&machine.estate.path("m"), &copy);
        fs::write(copy.join("state"), &bytes).expect("a file");
        let status = machine.client("copy", &["status", "--check"]);
        no_panic(&status, &what);
        assert_eq!(status.code, 1, "{what}: {status:#?}");
        assert!(status.stderr.contains("MUSTER-CLI-"), "{what}: {status:#?}");
        no_panic(&machine.client("copy", &["doctor"]), &what);
        machine.client("copy", &["activate"]).done();
        assert!(is_aside(&copy, "state", &bytes), "{what}");
        machine.client("copy", &["status", "--check"]).done();
        fs::remove_dir_all(copy).expect("the copy goes");
    }
}

#[test]
fn a_torn_identity_is_kept_aside_and_the_machine_asks_as_another() {
    let machine = Machine::new();
    let torn = machine.torn("identity");
    assert!(torn.len() > 2, "{}", torn.len());
    for (what, bytes) in torn {
        let copy = machine.estate.path("copy");
        copy_dir(&machine.estate.path("m"), &copy);
        fs::write(copy.join("identity"), &bytes).expect("a file");
        no_panic(&machine.client("copy", &["status"]), &what);
        no_panic(&machine.client("copy", &["doctor"]), &what);
        let asked = machine.client("copy", &["activate"]);
        no_panic(&asked, &what);
        assert!(is_aside(&copy, "identity", &bytes), "{what}: {asked:#?}");
        fs::remove_dir_all(copy).expect("the copy goes");
    }
}
