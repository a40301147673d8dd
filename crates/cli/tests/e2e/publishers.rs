//! What belongs to another publisher, product or edition: refused or passed over, with the reason,
//! and nothing written in its place.

use std::fs;

use crate::estate::Estate;

/// Five products of one publisher on one machine: more than one ask has room for.
#[test]
fn a_machine_with_many_products_asks_in_turns() {
    let estate = Estate::solo();
    let more = ["cad", "cam", "cae", "pdm", "plm"];
    for product in more {
        estate.product(product, "client", &["--threshold", "1"]);
    }
    let authority = estate.serve_authority();
    for product in more {
        estate.certify("kms", product, &authority);
    }
    let host = estate.serve_kms("kms", &[]);
    for product in more {
        estate.machine("m", product, &estate.key(product, "generic"), &host.address);
    }
    estate.client("m", &["activate"]).done();
    let status = estate.client("m", &["status", "--json"]).done().json();
    let products = status["products"].as_array().expect("products");
    assert_eq!(products.len(), more.len());
    for product in products {
        assert_eq!(product["state"], "licensed", "{product}");
        assert_eq!(product["count"], 1, "one machine, however many asks");
    }
}

#[test]
fn a_key_of_another_product_is_refused_and_writes_nothing() {
    let estate = Estate::new("cad", "client");
    estate.product("cad-pro", "client", &[]);
    let key = estate.key("cad-pro", "generic");
    let policy = estate.policy("cad");
    let policy = policy.to_str().unwrap();
    estate
        .client("m", &["install-key", &key, "--policy", policy])
        .refused("MUSTER-KEY-0008");
    assert!(!estate.path("m/state").exists() && !estate.path("m/identity").exists());
    // Where a product is installed it stays as it was.
    let right = estate.key("cad", "generic");
    estate
        .client("m", &["install-key", &right, "--policy", policy])
        .done();
    let files = || ["m/state", "m/identity"].map(|name| fs::read(estate.path(name)).unwrap());
    let before = files();
    for wrong in [
        &key,
        &estate.key("cad", "kms-host"),
        &estate.key("cad", "mak"),
    ] {
        estate
            .client("m", &["install-key", wrong, "--policy", policy])
            .refused("MUSTER-KEY-000");
        estate
            .client("m", &["change-key", wrong])
            .refused("MUSTER-");
    }
    assert_eq!(files(), before, "nothing is written");
}

#[test]
fn a_host_key_of_another_publisher_is_refused_by_the_authority() {
    let (ours, theirs) = (Estate::new("cad", "client"), Estate::new("cad", "client"));
    let key = theirs.key("cad", "kms-host");
    let authority = ours.serve_authority();
    let url = format!("http://{}", authority.address);
    let before = ours.authority(&["key", "list", "--json"]).done().stdout;
    ours.kms("kms", &["install-key", &key, "--authority", &url])
        .refused("MUSTER-KEY-0007");
    ours.kms("kms", &["serve", "--listen", "127.0.0.1:0"])
        .refused("MUSTER-KMS-0040");
    let hosts = ours.authority(&["host", "list", "--json"]).done().json();
    assert_eq!(hosts["hosts"].as_array().map(Vec::len), Some(0));
    let after = ours.authority(&["key", "list", "--json"]).done().stdout;
    assert_eq!(after, before, "nothing is charged");
    // Another root than the one that was insisted on is refused before the key is sent.
    let root = theirs.path("their.root");
    let root = root.to_str().unwrap();
    theirs.authority(&["root", "export", "--out", root]).done();
    let right = ours.key("cad", "kms-host");
    let insisted = ["install-key", &right, "--authority", &url, "--root", root];
    ours.kms("kms", &insisted).refused("MUSTER-STM-0036");
    // A certificate request of one publisher is no other's.
    let request = ours.path("request");
    let request = request.to_str().unwrap();
    let policy = theirs.policy("cad");
    let offline = ["install-key", &key, "--offline", "--root"];
    let offline = [&offline[..], &[policy.to_str().unwrap(), "--out", request]].concat();
    ours.kms("kms2", &offline).done();
    let answer = ours.path("answer");
    ours.authority(&["certify", request, "--out", answer.to_str().unwrap()])
        .refused("MUSTER-");
    assert!(!answer.exists(), "nothing is written");
}

#[test]
fn a_host_of_another_publisher_is_passed_over() {
    let (ours, theirs) = (Estate::new("cad", "client"), Estate::new("cad", "client"));
    let authority = theirs.serve_authority();
    theirs.certify("kms", "cad", &authority);
    let host = theirs.serve_kms("kms", &[]);
    let generic = ours.key("cad", "generic");
    ours.machine("m", "cad", &generic, &host.address);
    let outcome = ours.client("m", &["activate"]);
    assert_eq!(outcome.code, 1, "{outcome:#?}");
    assert!(outcome.stderr.contains(&host.address), "{outcome:#?}");
    assert!(outcome.stderr.contains("MUSTER-CLI-0040"), "{outcome:#?}");
    assert_eq!(ours.status("m")["state"], "unlicensed");
    let clients = theirs.kms("kms", &["clients", "--json"]).done().json();
    assert_eq!(clients["clients"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_policy_of_another_publisher_does_not_replace_ours() {
    let (ours, theirs) = (Estate::new("cad", "client"), Estate::new("cad", "client"));
    let generic = ours.key("cad", "generic");
    let policy = ours.policy("cad");
    let install = ["install-key", &generic, "--policy"];
    ours.client("m", &[&install[..], &[policy.to_str().unwrap()]].concat())
        .done();
    // Insisting on our root, theirs is refused; without insisting it stands beside ours.
    let root = ours.path("our.root");
    let root = root.to_str().unwrap();
    ours.authority(&["root", "export", "--out", root]).done();
    let before = fs::read(ours.path("m/state")).unwrap();
    let foreign = theirs.policy("cad");
    let foreign = foreign.to_str().unwrap();
    let args = [&install[..], &[foreign, "--root", root]].concat();
    ours.client("m", &args).refused("MUSTER-CLI-0081");
    assert_eq!(fs::read(ours.path("m/state")).unwrap(), before);
    // One altered byte in a policy is refused, wherever it is.
    let mut bytes = fs::read(&policy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    let altered = ours.path("altered");
    fs::write(&altered, bytes).unwrap();
    let args = [&install[..], &[altered.to_str().unwrap()]].concat();
    ours.client("m", &args).refused("MUSTER-STM-");
    assert_eq!(fs::read(ours.path("m/state")).unwrap(), before);
}
