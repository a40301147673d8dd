//! What time brings to a host: its certificate is renewed from half of its life, by wire and by file,
//! free of charge and once; its opening key is replaced; a clock that jumped is confirmed.

use serde_json::Value;

use crate::clocks::{at, faked};
use crate::estate::{Estate, Service, copy_dir};

/// Past half of a year's certificate.
const LATER: &str = "+200d";

fn serve_authority(estate: &Estate, time: &str) -> (Service, String) {
    let args = estate.authority_args(&["serve", "--listen", "127.0.0.1:0"]);
    let service = Service::start(&mut faked(time, args));
    let url = format!("http://{}", service.address);
    (service, url)
}

pub(crate) fn host_key_use(estate: &Estate) -> Value {
    let keys = estate.authority(&["key", "list", "--json"]).done().json();
    let keys = keys["keys"]
        .as_array()
        .expect("the test's own material is good")
        .clone();
    let host = keys.iter().find(|key| key["channel"] == "kms-host");
    let host = host.expect("a host key");
    serde_json::json!([host["hosts"]["used"], host["activations"]["used"]])
}

pub(crate) fn not_after(estate: &Estate, host: &str) -> String {
    let status = estate.kms(host, &["status", "--json"]).done().json();
    status["keys"][0]["not_after"]
        .as_str()
        .expect("the test's own material is good")
        .to_owned()
}

#[test]
fn a_certificate_is_renewed_once_and_free_of_charge() {
    let estate = Estate::solo();
    let before = host_key_use(&estate);
    let first = not_after(&estate, "kms");
    copy_dir(&estate.path("kms"), &estate.path("copy"));
    let (_authority, url) = serve_authority(&estate, LATER);
    let renew = |host: &str, time: &str| {
        let mut args = estate.kms_args(host, &["renew", "--authority", &url]);
        let at_host = args.iter().position(|arg| arg == "--sysroot").unwrap();
        args[at_host + 1] = estate.hardware("kms");
        at(time, args)
    };
    assert!(renew("kms", "+170d").done().stdout.contains("Not due"));
    assert_eq!(not_after(&estate, "kms"), first);
    assert!(renew("kms", LATER).done().stdout.contains("Certified"));
    let second = not_after(&estate, "kms");
    assert!(second > first, "{second} is after {first}");
    assert!(renew("kms", LATER).done().stdout.contains("Not due"));
    assert_eq!(host_key_use(&estate), before, "free of charge");
    // A copy of the host renews the same certificate: named, and refused.
    renew("copy", LATER).refused("MUSTER-AUT-0051");
    assert_eq!(not_after(&estate, "copy"), first, "nothing is lost");
    let hosts = estate.authority(&["host", "list", "--json"]).done().json();
    assert_eq!(hosts["hosts"][0]["forks"], 1, "{hosts:#}");
    assert_eq!(host_key_use(&estate), before);
}

#[test]
fn a_certificate_is_renewed_by_file() {
    let estate = Estate::solo();
    let first = not_after(&estate, "kms");
    let text = |name: &str| estate.path(name).to_str().unwrap().to_owned();
    let (request, answer) = (text("renew.request"), text("renew.answer"));
    at(LATER, estate.kms_args("kms", &["renew", "--out", &request])).done();
    assert_eq!(
        not_after(&estate, "kms"),
        first,
        "it serves on until the answer"
    );
    let certify = ["authority", "certify", &request, "--out", &answer, "--dir"];
    let mut certify: Vec<String> = certify.map(str::to_owned).to_vec();
    certify.push(text("authority"));
    at(LATER, certify).done();
    for _ in 0..2 {
        at(LATER, estate.kms_args("kms", &["apply", &answer])).done();
    }
    assert!(not_after(&estate, "kms") > first);
}

/// A host that was off for a month: its clock seems to have jumped, so it signs nothing until that
/// is confirmed, without a restart; then its opening key is replaced, and machines ask on.
#[test]
fn a_month_later_the_clock_is_confirmed_and_the_opening_key_replaced() {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let host = estate.serve_kms("kms", &[]);
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    assert_eq!(host.stop(), 0);
    const MONTH: &str = "+31d";
    let args = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let host = Service::start(&mut faked(MONTH, args));
    estate.client("m", &["set-host", &host.address]).done();
    let refused = at(MONTH, estate.client_args("m", &["activate"]));
    assert!(refused.stderr.contains(&host.address), "{refused:#?}");
    let log = host.log();
    let told = |log: &[String], words: &str| log.iter().any(|line| line.contains(words));
    assert!(told(&log, "MUSTER-KMS-0013"), "{log:#?}");
    at(MONTH, estate.kms_args("kms", &["confirm-clock"])).done();
    // The service follows within a second or two.
    let mut answered = false;
    for _ in 0..60 {
        let asked = at(MONTH, estate.client_args("m", &["activate"]));
        if !asked.stderr.contains(&host.address) {
            answered = true;
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(200));
    }
    assert!(answered, "the host signs again: {:#?}", host.log());
    // Started anew it does at once what an hour would bring.
    assert_eq!(host.stop(), 0);
    let args = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let host = Service::start(&mut faked(MONTH, args));
    estate.client("m", &["set-host", &host.address]).done();
    at(MONTH, estate.client_args("m", &["activate"])).done();
    let log = host.log();
    assert!(told(&log, "opening key was replaced"), "{log:#?}");
    at(MONTH, estate.client_args("m", &["activate"])).done();
}
