//! HTTPS by certificate files, between real processes: the authority shows its certificate, and a
//! host sends its product key to nobody whom it does not trust.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::estate::{Estate, Service, muster, run};

/// A self-signed certificate and its key, in files.
fn tls_files(estate: &Estate, name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])
        .expect("the test's own material is good");
    let cert = estate.path(&format!("{name}.pem"));
    let key = estate.path(&format!("{name}.key"));
    fs::write(&cert, made.cert.pem()).expect("the test's own material is good");
    fs::write(&key, made.signing_key.serialize_pem()).expect("the test's own material is good");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))
        .expect("the test's own material is good");
    let text = |path: std::path::PathBuf| {
        path.to_str()
            .expect("the test's own material is good")
            .to_owned()
    };
    (text(cert), text(key))
}

#[test]
fn a_host_is_certified_over_https_by_a_trusted_authority_only() {
    let estate = Estate::new("cad", "client");
    let (cert, key) = tls_files(&estate, "tls");
    let (other, _) = tls_files(&estate, "other");
    let dir = estate.path("authority");
    let dir = dir.to_str().unwrap();
    let serve = ["authority", "serve", "--dir", dir, "--tls-cert", &cert];
    let serve = [&serve[..], &["--tls-key", &key, "--listen"]].concat();
    let authority = Service::start(muster().args([&serve[..], &["127.0.0.1:0"]].concat()));
    let host_key = estate.key("cad", "kms-host");
    let https = format!("https://{}", authority.address);
    let install = ["install-key", &host_key, "--authority", &https];
    for untrusted in [&[][..], &["--ca-file", &other]] {
        estate
            .kms("kms", &[&install[..], untrusted].concat())
            .refused("MUSTER-NET-0024");
    }
    let http = format!("http://{}", authority.address);
    let plain = estate.kms("kms", &["install-key", &host_key, "--authority", &http]);
    assert_eq!(plain.code, 1, "{plain:#?}");
    let hosts = estate.authority(&["host", "list", "--json"]).done().json();
    assert_eq!(hosts["hosts"].as_array().map(Vec::len), Some(0));
    estate
        .kms("kms", &[&install[..], &["--ca-file", &cert]].concat())
        .done();
    drop(authority);

    // A key that others can read, or one of another certificate, is not served with.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    run([&serve[..], &["127.0.0.1:0"]].concat()).refused("MUSTER-NET-0030");
    let crossed = ["authority", "serve", "--dir", dir, "--tls-cert", &other];
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    run([
        &crossed[..],
        &["--tls-key", &key, "--listen", "127.0.0.1:0"],
    ]
    .concat())
    .refused("MUSTER-NET-0031");
}

/// Plain HTTP is for this machine; elsewhere it must be asked for, on either side.
#[test]
fn plain_http_beyond_this_machine_must_be_asked_for() {
    let estate = Estate::new("cad", "client");
    estate
        .authority(&["serve", "--listen", "0.0.0.0:0"])
        .refused("MUSTER-AUT-0075");
    let host_key = estate.key("cad", "kms-host");
    let far = "http://authority.corp.test:8443";
    estate
        .kms("kms", &["install-key", &host_key, "--authority", far])
        .refused("MUSTER-NET-0021");
}
