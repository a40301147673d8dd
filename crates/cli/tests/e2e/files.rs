//! What lies on disk: altered, cut, carried to another machine, on a full or read-only disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::estate::{Estate, run};

#[test]
fn an_altered_state_says_why_and_asking_again_restores_it() {
    let (estate, _host) = Estate::licensed();
    let path = estate.path("m/state");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&path, &bad).unwrap();
    let outcome = estate.client("m", &["status", "--check"]);
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    let told = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(told.contains("MUSTER-CLI-"), "{told}");
    // The damaged file is kept aside, never overwritten unseen.
    let outcome = estate.client("m", &["activate"]);
    let aside = fs::read_dir(estate.path("m"))
        .unwrap()
        .map_while(Result::ok)
        .any(|entry| {
            entry.file_name().to_string_lossy().starts_with("state.")
                && fs::read(entry.path()).is_ok_and(|bytes| bytes == bad)
        });
    assert!(aside, "{outcome:#?}");
}

#[test]
fn a_licence_is_not_carried_to_another_machine() {
    let (estate, _host) = Estate::licensed();
    let other = estate.hardware("other");
    let mut args = estate.client_args("m", &["status", "--check", "--json"]);
    let at = args.iter().position(|arg| arg == "--sysroot").unwrap();
    args[at + 1] = other;
    let outcome = crate::estate::run(args);
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    let product = &outcome.json()["products"][0];
    assert_eq!(product["state"], "out-of-tolerance-grace", "{product:#}");
}

#[test]
fn secrets_are_their_owners_alone_and_others_are_refused() {
    let (estate, _host) = Estate::licensed();
    let mode = |file: &str| {
        fs::metadata(estate.path(file))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("m/identity"), 0o600);
    assert_eq!(mode("kms/kms.db"), 0o600);
    assert_eq!(mode("authority/root.key"), 0o600);
    fs::set_permissions(estate.path("m/identity"), fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = estate.client("m", &["activate"]);
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    assert!(outcome.stderr.contains("MUSTER-C"), "{outcome:#?}");
}

#[test]
fn a_host_that_is_down_or_moved_costs_no_licence() {
    let (estate, host) = Estate::licensed();
    host.kill();
    let outcome = estate.client("m", &["activate"]);
    assert!(outcome.stderr.contains("MUSTER-NET-0001"), "{outcome:#?}");
    estate.client("m", &["status", "--check"]).done();
    let moved = estate.serve_kms("kms", &[]);
    estate.client("m", &["set-host", &moved.address]).done();
    estate.client("m", &["activate"]).done();
}

#[test]
fn an_export_is_verified_under_the_root() {
    let (estate, _host) = Estate::licensed();
    let out = estate.path("export");
    estate
        .client("m", &["export", "--out", out.to_str().unwrap()])
        .done();
    let root = estate.path("c.root");
    estate
        .authority(&["root", "export", "--out", root.to_str().unwrap()])
        .done();
    let lease = fs::read_dir(&out)
        .unwrap()
        .map_while(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("lease"))
        .expect("a lease is exported");
    let args = |file: &str| {
        vec![
            "inspect".to_owned(),
            file.to_owned(),
            "--verify".to_owned(),
            "--root".to_owned(),
            root.to_str().unwrap().to_owned(),
            "--json".to_owned(),
        ]
    };
    let verdict = crate::estate::run(args(lease.to_str().unwrap()))
        .done()
        .json();
    assert_eq!(
        (&verdict["typ"], &verdict["valid"]),
        (&"lease".into(), &true.into())
    );
    assert_eq!(verdict["chain"].as_array().map(Vec::len), Some(2));
    let mut bytes = fs::read(&lease).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&lease, bytes).unwrap();
    let verdict = crate::estate::run(args(lease.to_str().unwrap()));
    assert_eq!(verdict.code, 1, "{verdict:#?}");
    assert_eq!(verdict.json()["valid"], false);
}

/// With the authority at hand, a machine takes its newer policy instead of the file's.
#[test]
fn the_authoritys_newer_policy_is_taken() {
    let estate = Estate::solo();
    let authority = estate.serve_authority();
    let url = format!("http://{}", authority.address);
    estate
        .authority(&["product", "set", "solo", "--threshold", "3"])
        .done();
    let key = estate.key("solo", "generic");
    let old = estate.policy("solo");
    let old = old.to_str().unwrap();
    estate
        .client(
            "m",
            &["install-key", &key, "--policy", old, "--authority", &url],
        )
        .done();
    let status = estate.status("m");
    assert_eq!(
        (&status["policy_version"], &status["required"]),
        (&3.into(), &3.into())
    );
    let other = Estate::solo();
    let elsewhere = other.serve_authority();
    let url = format!("http://{}", elsewhere.address);
    estate
        .client(
            "n",
            &["install-key", &key, "--policy", old, "--authority", &url],
        )
        .refused("MUSTER-STM-0036");
    assert!(!estate.path("n/state").exists(), "nothing is written");
}

/// An offline root that the new authority does not know yet: its answer brings it.
#[test]
fn an_authority_learns_its_offline_root_from_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (at, root, request, answer) = (
        path("authority"),
        path("root.key"),
        path("req"),
        path("ans"),
    );
    run([
        "authority",
        "root",
        "init",
        "--publisher",
        "Contoso",
        "--out",
        &root,
    ])
    .done();
    let init = [
        "authority",
        "init",
        "--dir",
        &at,
        "--publisher",
        "Contoso",
        "--offline",
        "--out",
    ];
    run(init.iter().copied().chain([request.as_str()])).done();
    let first = fs::read(&request).unwrap();
    run(init.iter().copied().chain([request.as_str()])).done();
    assert_eq!(
        fs::read(&request).unwrap(),
        first,
        "asked again, the same request"
    );
    run([
        "authority",
        "root",
        "sign",
        &request,
        "--key",
        &root,
        "--out",
        &answer,
    ])
    .done();
    // Another root's answer to another request pins nothing here.
    let other = path("other.key");
    run([
        "authority",
        "root",
        "init",
        "--publisher",
        "Fabrikam",
        "--out",
        &other,
    ])
    .done();
    let applied = run(["authority", "apply", &answer, "--dir", &at, "--json"])
        .done()
        .json();
    assert_eq!(applied["name"], "Contoso");
    run(["authority", "apply", &answer, "--dir", &at]).done();
    let add = [
        "product", "add", "cad", "--name", "CAD", "--kind", "client", "--dir", &at,
    ];
    run(std::iter::once("authority").chain(add)).done();
}

/// Looking at a mistyped directory makes nothing there.
#[test]
fn a_reading_verb_makes_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let typo = dir.path().join("kmss");
    let typo = typo.to_str().unwrap();
    run(["kms", "status", "--dir", typo]).refused("MUSTER-KMS-0040");
    run(["kms", "clients", "--dir", typo]).refused("MUSTER-KMS-0040");
    assert!(!dir.path().join("kmss").exists());
}

/// A second service on the same directory is refused and named.
#[test]
fn one_process_serves_a_directory() {
    let (estate, host) = Estate::licensed();
    let again = estate.kms("kms", &["serve", "--listen", "127.0.0.1:0"]);
    again.refused("MUSTER-KMS-0048");
    drop(host);
    estate.serve_kms("kms", &[]);
}
