//! Backup and restore of hosts and authorities: the old one or the new one, never neither, whatever
//! happened; and a store that was restored knows it.

use std::fs;
use std::path::Path;

use muster_authority::Authority;
use muster_proto::host::StoreIdentity;
use muster_store::kms::{Audited, Kept, SqliteKms};
use muster_store::sqlite::Options;
use serde_json::Value;

use super::walk::{Depth, Met, at_every_write, names};
use crate::estate::{Estate, Outcome, copy_dir, run};

/// A host or an authority, in the folder `case`, with a backup of an earlier state beside it.
struct Case {
    estate: Estate,
}

impl Case {
    fn host() -> Self {
        let (estate, host) = Estate::licensed();
        assert_eq!(host.stop(), 0);
        let case = Self { estate };
        copy_dir(&case.estate.path("kms"), &case.estate.path("case/kms"));
        case.kms("case", &["backup", "--out", &case.text("case/out")])
            .done();
        case.kms("case", &["set", "--renewal", "2d"]).done();
        case
    }

    fn authority() -> Self {
        let case = Self {
            estate: Estate::solo(),
        };
        let from = case.estate.path("authority");
        copy_dir(&from, &case.estate.path("case/authority"));
        let out = case.text("case/out");
        case.verb("case", &["backup", "--with-keys", "--out", &out])
            .done();
        case.verb("case", &["rotate"]).done();
        let issue = ["key", "issue", "--product", "solo", "--channel", "generic"];
        case.verb("case", &issue).done();
        case
    }

    fn text(&self, name: &str) -> String {
        self.estate.path(name).to_str().expect("text").to_owned()
    }

    /// The arguments of `muster kms …` on a copy of the case.
    fn kms_args(&self, copy: &str, args: &[&str]) -> Vec<String> {
        let place = ["--dir", &self.text(&format!("{copy}/kms"))].map(str::to_owned);
        let words = ["kms"].iter().chain(args).map(|&word| word.to_owned());
        words.chain(place).collect()
    }

    fn kms(&self, copy: &str, args: &[&str]) -> Outcome {
        run(self.kms_args(copy, args))
    }

    /// The arguments of `muster authority …` on a copy of the case.
    fn verb_args(&self, copy: &str, args: &[&str]) -> Vec<String> {
        let place = ["--dir", &self.text(&format!("{copy}/authority"))].map(str::to_owned);
        let words = ["authority"]
            .iter()
            .chain(args)
            .map(|&word| word.to_owned());
        words.chain(place).collect()
    }

    fn verb(&self, copy: &str, args: &[&str]) -> Outcome {
        run(self.verb_args(copy, args))
    }

    /// What tells one state of a host from another.
    fn host_state(&self, copy: &str) -> Value {
        let status = self.kms(copy, &["status", "--json"]).done().json();
        serde_json::json!([
            status["settings"],
            status["keys"],
            status["pools"][0]["count"]
        ])
    }

    /// What tells one state of an authority from another.
    fn authority_state(&self, copy: &str) -> Value {
        let keys = self.verb(copy, &["key", "list", "--json"]).done().json();
        let issuing = self
            .verb(copy, &["issuing", "list", "--json"])
            .done()
            .json();
        serde_json::json!([keys, issuing])
    }

    /// What a host's backup holds.
    fn in_host_backup(&self, copy: &str) -> Value {
        let out = self.text(&format!("{copy}/out"));
        self.kms("fresh", &["restore", &out]).done();
        let held = self.host_state("fresh");
        fs::remove_dir_all(self.estate.path("fresh")).expect("the copy goes");
        held
    }

    /// What an authority's backup holds, which signs: its keys belong to its store.
    fn in_authority_backup(&self, copy: &str) -> Value {
        let out = self.text(&format!("{copy}/out"));
        self.verb("fresh", &["restore", &out, "--with-keys"]).done();
        let held = self.authority_state("fresh");
        let set = ["product", "set", "solo", "--threshold", "3"];
        self.verb("fresh", &set).done();
        fs::remove_dir_all(self.estate.path("fresh")).expect("the copy goes");
        held
    }
}

/// Old or new; new where that was told.
fn old_or_new(met: &Met<'_>, left: &Value, old: &Value, new: &Value) {
    assert!(left == new || (left == old && !met.is_done()), "{left:#}");
}

/// A command that could say what was wrong has left nothing half-done beside.
fn check_rest(met: &Met<'_>, dir: &Path, expected: &[&str]) {
    if met.fault.is_deadly() {
        return;
    }
    let found = names(dir);
    let left = found
        .iter()
        .filter(|name| !expected.contains(&name.as_str()));
    // With the whole disk refusing every change, what was begun cannot be removed either.
    let may_stay = matches!(
        met.fault,
        super::faults::Fault::Failing | super::faults::Fault::ReadOnly
    );
    assert!(
        may_stay || left.count() == 0,
        "{found:?} in {:?}: {:#?}",
        met.fault,
        met.outcome
    );
}

fn a_host_is_backed_up(depth: Depth) {
    let case = Case::host();
    let old = case.in_host_backup("case");
    let new = case.host_state("case");
    assert_ne!(old, new);
    let backup = |copy: &str| {
        let out = case.text(&format!("{copy}/out"));
        case.kms_args(copy, &["backup", "--out", &out])
    };
    at_every_write(&case.estate, ("kms backup", depth), "case", backup, |met| {
        check_rest(met, &case.estate.path(met.copy), &["kms", "out"]);
        old_or_new(met, &case.in_host_backup(met.copy), &old, &new);
        run(backup(met.copy)).done();
        assert_eq!(case.in_host_backup(met.copy), new);
        assert_eq!(names(&case.estate.path(met.copy)), ["kms", "out"]);
    });
}

/// Restores that a host's log tells of.
fn restores_of_host(dir: &Path) -> usize {
    let other = || StoreIdentity {
        id: muster_proto::ids::StoreId([9; 8]),
        key: zeroize::Zeroizing::new([9; 32]),
    };
    let store = SqliteKms::open(&dir.join("kms.db"), Options::default(), other).expect("a store");
    let log = block_on(store.audit(0, 1_000)).expect("a log");
    block_on(store.close()).expect("it closes");
    let restored = log
        .iter()
        .filter(|entry| matches!(entry.event, Audited::Restored(_)));
    restored.count()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

fn a_host_is_restored(depth: Depth) {
    let case = Case::host();
    let old = case.host_state("case");
    let new = case.in_host_backup("case");
    let restore = |copy: &str| {
        let out = case.text(&format!("{copy}/out"));
        case.kms_args(copy, &["restore", &out])
    };
    at_every_write(
        &case.estate,
        ("kms restore", depth),
        "case",
        restore,
        |met| {
            let dir = case.estate.path(&format!("{}/kms", met.copy));
            let left = case.host_state(met.copy);
            old_or_new(met, &left, &old, &new);
            // Restored and known to be restored are one.
            assert_eq!(restores_of_host(&dir), usize::from(left == new));
            run(restore(met.copy)).done();
            assert_eq!(case.host_state(met.copy), new);
            let rest = names(&dir);
            assert!(!rest.iter().any(|name| name.contains("restor")), "{rest:?}");
        },
    );
}

fn a_host_is_restored_where_there_is_none(depth: Depth) {
    let case = Case::host();
    let new = case.in_host_backup("case");
    fs::remove_dir_all(case.estate.path("case/kms")).expect("the host goes");
    let restore = |copy: &str| {
        let out = case.text(&format!("{copy}/out"));
        case.kms_args(copy, &["restore", &out])
    };
    let name = "kms restore, a new directory";
    at_every_write(&case.estate, (name, depth), "case", restore, |met| {
        let is_there = case
            .estate
            .path(&format!("{}/kms/kms.db", met.copy))
            .exists();
        if is_there {
            assert_eq!(case.host_state(met.copy), new);
        } else {
            assert!(!met.is_done());
            case.kms(met.copy, &["status"]).refused("MUSTER-KMS-0040");
        }
        run(restore(met.copy)).done();
        assert_eq!(case.host_state(met.copy), new);
    });
}

fn an_authority_is_backed_up(depth: Depth) {
    let case = Case::authority();
    let old = case.in_authority_backup("case");
    let new = case.authority_state("case");
    assert_ne!(old, new);
    let backup = |copy: &str| {
        let out = case.text(&format!("{copy}/out"));
        case.verb_args(copy, &["backup", "--with-keys", "--out", &out])
    };
    let name = "authority backup --with-keys";
    at_every_write(&case.estate, (name, depth), "case", backup, |met| {
        check_rest(
            met,
            &case.estate.path(met.copy),
            &["authority", "out", "out.keys"],
        );
        old_or_new(met, &case.in_authority_backup(met.copy), &old, &new);
        run(backup(met.copy)).done();
        assert_eq!(case.in_authority_backup(met.copy), new);
        let rest = names(&case.estate.path(met.copy));
        assert_eq!(rest, ["authority", "out", "out.keys"]);
    });
}

/// Restores that an authority's log tells of.
fn restores_of_authority(dir: &Path) -> usize {
    let log = block_on(async {
        let authority = Authority::open(dir).await.expect("an authority");
        let log = authority.audit(0, 1_000).await.expect("a log");
        authority.close().await;
        log
    });
    log.iter().filter(|entry| entry.event == "restored").count()
}

fn an_authority_is_restored(depth: Depth) {
    let case = Case::authority();
    let old = case.authority_state("case");
    let new = case.in_authority_backup("case");
    let restore = |copy: &str| {
        let out = case.text(&format!("{copy}/out"));
        case.verb_args(copy, &["restore", &out])
    };
    at_every_write(
        &case.estate,
        ("authority restore", depth),
        "case",
        restore,
        |met| {
            let dir = case.estate.path(&format!("{}/authority", met.copy));
            let left = case.authority_state(met.copy);
            old_or_new(met, &left, &old, &new);
            // What was given out since the backup must not be given out again: the numbers are raised
            // with the restore or there is none.
            assert_eq!(restores_of_authority(&dir), usize::from(left == new));
            run(restore(met.copy)).done();
            assert_eq!(case.authority_state(met.copy), new);
            let rest = names(&dir);
            assert!(!rest.iter().any(|name| name.contains("restor")), "{rest:?}");
        },
    );
}

fn an_authority_is_restored_where_there_is_none(depth: Depth) {
    let case = Case::authority();
    let new = case.in_authority_backup("case");
    fs::remove_dir_all(case.estate.path("case/authority")).expect("the authority goes");
    let restore = |copy: &str| {
        let out = case.text(&format!("{copy}/out"));
        case.verb_args(copy, &["restore", &out, "--with-keys"])
    };
    let name = "authority restore --with-keys, a new directory";
    at_every_write(&case.estate, (name, depth), "case", restore, |met| {
        let is_there = case
            .estate
            .path(&format!("{}/authority/authority.db", met.copy))
            .exists();
        if is_there {
            assert_eq!(case.authority_state(met.copy), new);
        } else {
            // Half of the files are there: no verb may take them for an authority, and begin to
            // number its keys anew.
            assert!(!met.is_done());
            case.verb(met.copy, &["key", "list"]).refused("MUSTER-");
            let made = case
                .estate
                .path(&format!("{}/authority/authority.db", met.copy));
            assert!(!made.exists(), "looking made a store");
        }
        run(restore(met.copy)).done();
        assert_eq!(case.authority_state(met.copy), new);
    });
}

#[test]
fn a_backup_of_a_host_is_the_old_or_the_new_one_at_every_write() {
    a_host_is_backed_up(Depth::DAILY);
}

#[test]
fn a_host_is_restored_or_as_before_at_every_write() {
    a_host_is_restored(Depth::DAILY);
    a_host_is_restored_where_there_is_none(Depth::DAILY);
}

#[test]
fn a_backup_of_an_authority_is_the_old_or_the_new_one_at_every_write() {
    an_authority_is_backed_up(Depth::DAILY);
}

#[test]
fn an_authority_is_restored_or_as_before_at_every_write() {
    an_authority_is_restored(Depth::DAILY);
    an_authority_is_restored_where_there_is_none(Depth::DAILY);
}

#[test]
#[ignore = "minutes: every write of backups and restores with every fault"]
fn backups_and_restores_at_every_write_with_every_fault() {
    a_host_is_backed_up(Depth::All);
    a_host_is_restored(Depth::All);
    a_host_is_restored_where_there_is_none(Depth::All);
    an_authority_is_backed_up(Depth::All);
    an_authority_is_restored(Depth::All);
    an_authority_is_restored_where_there_is_none(Depth::All);
}
