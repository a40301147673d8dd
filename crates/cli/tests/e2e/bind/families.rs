//! IPv6 alone: BIND, host and machine without any IPv4. And both families: hosts with several
//! addresses, and hosts of whose families only one gets through.

use super::site::{Site, V4, V6};
use super::{Registration, client, install, kms, serve, zones};
use crate::estate::Estate;

const CORP: &str = "_muster-kms._tcp.corp.example";
const OLD: &str = "50 0 1688 old-kms.corp.example.";

/// A new machine in a domain; the host that served it.
fn served(site: &Site, estate: &Estate, generic: &str, domain: &str) -> String {
    install(estate, domain, generic);
    estate.client(domain, &["set-domain", domain]).done();
    client(site, estate, domain, &["activate"]).done();
    let status = estate.status(domain);
    status["host"].as_str().expect("a host").to_owned()
}

#[test]
fn everything_works_without_ipv4() {
    let Some(site) = Site::start(&[V6]) else {
        return;
    };
    site.resolv("nameserver 2001:db8::53\nsearch corp.example\n");
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let key = site.key("muster-kms.key");
    let registration = Registration {
        host_name: "kms1.corp.example",
        zones: &["corp.example,10"],
        key: &key,
        more: &[
            "--host-address",
            "2001:db8::11",
            "--host-address",
            "2001:db8::12",
        ],
    };
    // The usual address, [::]:1688, without being told.
    let mut args = vec!["--listen", "[::]:1688"];
    args.extend(registration.args());
    let _host = serve(&site, &estate, "kms", &args);
    let zone = &zones(&estate, "kms", 1)[0];
    assert_eq!(zone["state"], "published", "{zone:#}");
    assert_eq!(site.dig(CORP, "SRV"), ["10 0 1688 kms1.corp.example.", OLD]);
    let addresses = ["2001:db8::11", "2001:db8::12"];
    assert_eq!(site.dig("kms1.corp.example", "AAAA"), addresses);

    // By the search list, and by an address alone.
    install(&estate, "m", &generic);
    client(&site, &estate, "m", &["activate"]).done();
    assert_eq!(estate.status("m")["host"], "kms1.corp.example:1688");
    estate
        .client("m", &["set-host", "[2001:db8::12]:1688"])
        .done();
    client(&site, &estate, "m", &["activate"]).done();
    assert_eq!(estate.status("m")["host"], "[2001:db8::12]:1688");
    // Names that also have IPv4 addresses, to which there is no way.
    for case in ["order", "several", "only6"] {
        served(&site, &estate, &generic, &format!("{case}.cases.example"));
    }
    // A resolver that cannot be reached beside one that can.
    site.resolv("nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
    served(&site, &estate, &generic, "alias.cases.example");
    // A silent one, named as the server to update and to ask.
    let silent = ["activate", "--dns-server", "[2001:db8:1::1]:53"];
    install(&estate, "lost", &generic);
    estate
        .client("lost", &["set-domain", "corp.example"])
        .done();
    client(&site, &estate, "lost", &silent).refused("MUSTER-DNS-0004");

    let retire = [&["retire"], &registration.args()[..]].concat();
    kms(&site, &estate, "kms", &retire).done();
    assert_eq!(site.dig(CORP, "SRV"), [OLD]);
    assert!(site.dig("kms1.corp.example", "AAAA").is_empty());
}

#[test]
fn one_family_that_is_closed_leaves_the_other() {
    let Some(site) = Site::start(&[V4, V6]) else {
        return;
    };
    site.resolv("nameserver 2001:db8::53\nnameserver 192.0.2.53\nsearch corp.example\n");
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let key = site.key("muster-kms.key");
    let registration = Registration {
        host_name: "kms1.corp.example",
        zones: &["corp.example"],
        key: &key,
        more: &[
            "--host-address",
            "192.0.2.11",
            "--host-address",
            "2001:db8::11",
        ],
    };
    let listen = [
        "--listen",
        "192.0.2.11:1688",
        "--listen",
        "[2001:db8::11]:1688",
    ];
    let args = [&listen, &registration.args()[..]].concat();
    let host = serve(&site, &estate, "kms", &args);
    host.log_until("state=\"published\"");
    assert_eq!(site.dig("kms1.corp.example", "A"), ["192.0.2.11"]);
    assert_eq!(site.dig("kms1.corp.example", "AAAA"), ["2001:db8::11"]);
    // Refused by IPv6, refused by IPv4, dropped on the way by IPv6.
    for case in ["only4", "only6", "dropped6", "several"] {
        let domain = format!("{case}.cases.example");
        let host = served(&site, &estate, &generic, &domain);
        assert_eq!(host, format!("{case}.cases.example:1688"));
    }
    // The host itself closes one family after the other, at the addresses that DNS names.
    assert_eq!(host.stop(), 0);
    install(&estate, "m", &generic);
    for open in ["192.0.2.11:1688", "[2001:db8::11]:1688"] {
        let host = serve(&site, &estate, "kms", &["--listen", open]);
        client(&site, &estate, "m", &["activate"]).done();
        assert_eq!(
            estate.status("m")["host"],
            "kms1.corp.example:1688",
            "{open}"
        );
        assert_eq!(host.stop(), 0);
    }
}
