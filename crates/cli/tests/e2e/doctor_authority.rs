//! `muster authority doctor` through the real binary: one fault made for real each time, and exactly
//! the step that fails named.

use std::fs;
use std::path::PathBuf;

use crate::clocks::at;
use crate::disks::set_mode;
use crate::doctor::{names, one_fault, saw, steps};
use crate::estate::{Estate, Outcome};

fn doctor(estate: &Estate, more: &[&str]) -> Outcome {
    estate.authority(&[&["doctor", "--json"], more].concat())
}

fn issuing_key(estate: &Estate) -> PathBuf {
    let files = fs::read_dir(estate.path("authority")).expect("the directory is read");
    let mut files = files.map_while(Result::ok).map(|entry| entry.path());
    let named = |path: &PathBuf| path.to_string_lossy().contains("/issuing-");
    files.find(named).expect("there is an issuing key")
}

#[test]
fn nothing_is_wrong_with_an_authority_that_serves() {
    let estate = Estate::new("cad", "client");
    let service = estate.serve_authority();
    let url = format!("http://{}", service.address);
    let document = doctor(&estate, &["--url", &url]).done().json();
    assert!(document["next"].is_null(), "{document:#}");
    let wanted = "root disk secrets store clock issuing products service";
    assert_eq!(names(&document, "ok").join(" "), wanted, "{document:#}");
    let words = estate.authority(&["doctor", "--url", &url]).done().stdout;
    assert!(words.contains("cad: policy version 1"), "{words}");
}

#[test]
fn a_service_is_missed_only_where_it_is_expected() {
    let estate = Estate::new("cad", "client");
    let service = estate.serve_authority();
    let url = format!("http://{}", service.address);
    assert_eq!(service.stop(), 0);
    one_fault(
        &doctor(&estate, &["--url", &url]),
        "service",
        "MUSTER-NET-0001",
    );
    // Another publisher's service in its place.
    let other = Estate::new("cad", "client");
    let theirs = other.serve_authority();
    let url = format!("http://{}", theirs.address);
    one_fault(
        &doctor(&estate, &["--url", &url]),
        "service",
        "MUSTER-STM-0036",
    );
}

#[test]
fn what_the_directory_lacks_is_named() {
    let estate = Estate::new("cad", "client");
    let none = estate.path("none");
    let none = none.to_str().expect("paths are text");
    let outcome = crate::estate::run(["authority", "doctor", "--json", "--dir", none]);
    one_fault(&outcome, "root", "MUSTER-AUT-0001");
    assert!(!estate.path("none").exists(), "looking makes nothing");

    let secret = estate.path("authority/product-keys.key");
    set_mode(&secret, 0o644);
    let step = one_fault(&doctor(&estate, &[]), "secrets", "MUSTER-CFG-0005");
    assert!(saw(&step).contains("0644"), "{step:#}");
    set_mode(&secret, 0o600);

    let key = issuing_key(&estate);
    let aside = key.with_extension("aside");
    fs::rename(&key, &aside).expect("the key is moved");
    one_fault(&doctor(&estate, &[]), "issuing", "MUSTER-AUT-0008");
    fs::rename(&aside, &key).expect("the key is moved back");

    let database = estate.path("authority/authority.db");
    let mut damaged = fs::read(&database).expect("the database is read");
    damaged.truncate(damaged.len() / 2);
    fs::write(&database, &damaged).expect("the database is written");
    one_fault(&doctor(&estate, &[]), "store", "MUSTER-STO-0005");
    fs::remove_file(&database).expect("the database is removed");
    one_fault(&doctor(&estate, &[]), "store", "MUSTER-AUT-0017");
}

#[test]
fn an_issuing_key_that_the_root_has_not_certified_is_named() {
    let estate = Estate::new("cad", "client");
    let root = estate.path("other.root");
    let root = root.to_str().expect("paths are text");
    estate.authority(&["root", "export", "--out", root]).done();
    let dir = estate.path("offline");
    let dir = dir.to_str().expect("paths are text");
    let request = estate.path("request");
    let request = request.to_str().expect("paths are text");
    let init = ["authority", "init", "--publisher", "Contoso", "--dir", dir];
    let offline = ["--offline", "--root", root, "--out", request];
    crate::estate::run([&init[..], &offline[..]].concat()).done();
    let outcome = crate::estate::run(["authority", "doctor", "--json", "--dir", dir]);
    let step = one_fault(&outcome, "issuing", "MUSTER-AUT-0003");
    assert!(saw(&step).contains("a request waits"), "{step:#}");
}

#[test]
fn the_clock_and_the_age_of_the_issuing_key_are_judged() {
    let estate = Estate::new("cad", "client");
    let dir = estate.path("authority");
    let dir = dir.to_str().expect("paths are text");
    let doctor = ["authority", "doctor", "--json", "--dir", dir];
    let later = |time: &str| at(time, doctor.map(str::to_owned).to_vec());
    one_fault(&later("-1y"), "clock", "MUSTER-AUT-0013");
    let document = later("+1800d").done().json();
    assert_eq!(steps(&document, "warn")[0]["step"], "issuing");
    assert_eq!(document["next"]["code"], "MUSTER-AUT-0014", "{document:#}");
    one_fault(&later("+6y"), "issuing", "MUSTER-AUT-0004");
}
