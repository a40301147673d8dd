//! `muster kms doctor` through the real binary: one fault made for real each time, and exactly the
//! step that fails named.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use muster_net::dns::TsigKey;

use crate::clocks::{at, faked};
use crate::disks::set_mode;
use crate::doctor::{names, one_fault, saw, steps};
use crate::estate::{Estate, Outcome, Service, muster};
use crate::names::{Zone, dns_args, silent, write_key, zone_status};

fn doctor(estate: &Estate, more: &[&str]) -> Outcome {
    estate.kms("kms", &[&["doctor", "--json"], more].concat())
}

/// An estate whose authority serves on, so that its host's doctor finds it.
fn estate() -> (Estate, Service) {
    let estate = Estate::new("solo", "client");
    let authority = estate.serve_authority();
    estate.certify("kms", "solo", &authority);
    (estate, authority)
}

#[test]
fn nothing_is_wrong_with_a_host_that_serves_and_stands_in_dns() {
    let (estate, _authority) = estate();
    let zone = Zone::start(&estate);
    let server = zone.address();
    let args = dns_args(&server, &zone.key);
    let args = [&args[..], &["--host-address", "127.0.0.1"]].concat();
    let host = estate.serve_kms("kms", &args);
    zone_status(&estate, "kms", "published");
    let outcome = doctor(&estate, &args).done();
    let document = outcome.json();
    assert!(document["next"].is_null(), "{document:#}");
    let wanted = "disk store clock keys service port certificate opening-key greeting authority \
                  authority-clock dns";
    assert_eq!(names(&document, "ok").join(" "), wanted, "{document:#}");
    let words = estate.kms("kms", &[&["doctor"], &args[..]].concat());
    let words = words.done().stdout;
    assert!(words.contains("Nothing is wrong."), "{words}");
    let port = host.address.rsplit(':').next().expect("a port");
    let published = format!("kms.corp.test:{port} should be there, at 127.0.0.1");
    assert!(words.contains(&published), "{published}: {words}");
}

#[test]
fn a_directory_without_a_host_is_named_and_left_alone() {
    let estate = Estate::new("solo", "client");
    one_fault(&doctor(&estate, &[]), "store", "MUSTER-KMS-0040");
    assert!(!estate.path("kms").exists(), "looking makes nothing");
}

#[test]
fn a_service_that_does_not_run_is_named() {
    let (estate, _authority) = estate();
    let host = estate.serve_kms("kms", &[]);
    doctor(&estate, &[]).done();
    assert_eq!(host.stop(), 0);
    let outcome = doctor(&estate, &[]);
    one_fault(&outcome, "service", "MUSTER-KMS-0054");
    assert_eq!(names(&outcome.json(), "not-reached"), ["port", "greeting"]);
}

#[test]
fn an_authority_that_is_away_is_a_warning_and_one_with_another_time_a_fault() {
    let (estate, authority) = estate();
    let _host = estate.serve_kms("kms", &[]);
    authority.kill();
    let document = doctor(&estate, &[]).done().json();
    let warned = steps(&document, "warn");
    assert_eq!(warned.len(), 1, "{document:#}");
    assert_eq!(warned[0]["step"], "authority");
    assert_eq!(warned[0]["reason"]["code"], "MUSTER-NET-0001");
    let dir = estate.path("authority");
    let dir = dir.to_str().expect("paths are text");
    let serve = [
        "authority",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--dir",
        dir,
    ];
    let serve = serve.map(str::to_owned).to_vec();
    let authority = Service::start(&mut faked("+5h", serve));
    let url = format!("http://{}", authority.address);
    let outcome = doctor(&estate, &["--authority", &url]);
    one_fault(&outcome, "authority-clock", "MUSTER-KMS-0053");
    // Another publisher's is told by its root.
    let other = Estate::new("solo", "client");
    let theirs = other.serve_authority();
    let url = format!("http://{}", theirs.address);
    let outcome = doctor(&estate, &["--authority", &url]);
    one_fault(&outcome, "authority", "MUSTER-STM-0036");
}

#[test]
fn the_clock_and_the_age_of_certificates_are_judged() {
    let (estate, authority) = estate();
    authority.kill();
    let host = estate.serve_kms("kms", &[]);
    let later = |time: &str| at(time, estate.kms_args("kms", &["doctor", "--json"]));
    one_fault(&later("+3d"), "clock", "MUSTER-KMS-0013");
    host.kill();
    // A year on, by a clock that was confirmed: first the certificate ends soon, then it has ended.
    for (time, code) in [("+310d", "MUSTER-KMS-0049"), ("+400d", "MUSTER-STM-0025")] {
        at(time, estate.kms_args("kms", &["confirm-clock"])).done();
        let serve = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
        let host = Service::start(&mut faked(time, serve));
        let outcome = with_fresh_opening_key(|| later(time));
        if code == "MUSTER-KMS-0049" {
            let document = outcome.done().json();
            assert_eq!(steps(&document, "warn")[0]["step"], "certificate");
            assert_eq!(document["next"]["code"], code, "{document:#}");
        } else {
            one_fault(&outcome, "certificate", code);
        }
        host.kill();
    }
}

/// A service that has just been started replaces an old opening key in a moment.
fn with_fresh_opening_key(doctor: impl Fn() -> Outcome) -> Outcome {
    for _ in 0..100 {
        let outcome = doctor();
        if names(&outcome.json(), "ok").contains(&"opening-key") {
            return outcome;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    panic!("the opening key stays old");
}

#[test]
fn zones_that_do_not_name_the_host_are_told_apart() {
    let (estate, _authority) = estate();
    let zone = Zone::start(&estate);
    let server = zone.address();
    let host = estate.serve_kms("kms", &[]);
    let args = dns_args(&server, &zone.key);
    let step = one_fault(&doctor(&estate, &args), "dns", "MUSTER-KMS-0056");
    assert_eq!(step["subject"], "corp.test");
    assert!(saw(&step).contains("the zone names no host"), "{step:#}");
    let (udp, _tcp) = silent();
    let nobody = udp.local_addr().expect("an address").to_string();
    let args = dns_args(&nobody, &zone.key);
    one_fault(&doctor(&estate, &args), "dns", "MUSTER-DNS-0004");
    host.kill();
    // The reason of a failed update is the reason why nothing stands there.
    let wrong = TsigKey::generate("corp").expect("a key");
    let wrong = write_key(&estate.path("wrong.key"), &wrong);
    let args = dns_args(&server, &wrong);
    let _host = estate.serve_kms("kms", &args);
    zone_status(&estate, "kms", "failed");
    one_fault(&doctor(&estate, &args), "dns", "MUSTER-DNS-0024");
}

#[test]
fn a_store_that_is_damaged_open_to_others_or_on_a_full_disk_is_named() {
    let (estate, _authority) = estate();
    let host = estate.serve_kms("kms", &[]);
    assert_eq!(host.stop(), 0);
    let path = estate.path("kms/kms.db");
    set_mode(&path, 0o644);
    one_fault(&doctor(&estate, &[]), "store", "MUSTER-CFG-0005");
    set_mode(&path, 0o600);
    let small = estate.path("small");
    fs::create_dir(&small).expect("a directory");
    let script = "mount -t tmpfs -o size=256k tmpfs \"$1\" && cp -a \"$2\"/. \"$1\"/ && chmod 700 \"$1\" \
                  && { cat /dev/zero > \"$1/fill\" 2> /dev/null || true; } \
                  && exec \"$3\" kms doctor --json --dir \"$1\"";
    let outcome = Outcome::of(
        Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
            .arg(&small)
            .arg(estate.path("kms"))
            .arg(muster().get_program())
            .stdin(Stdio::null()),
    );
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    let document = outcome.json();
    assert_eq!(document["next"]["code"], "MUSTER-STO-0003", "{document:#}");
    assert!(names(&document, "fail").contains(&"disk"), "{document:#}");

    let mut damaged = fs::read(&path).expect("the database is read");
    damaged.truncate(damaged.len() / 2);
    fs::write(&path, &damaged).expect("the database is written");
    one_fault(&doctor(&estate, &[]), "store", "MUSTER-STO-0005");
    assert_eq!(fs::read(&path).expect("the database is read"), damaged);
}
