//! A host's own records in BIND: written at start in each of its zones, left by stop and restart,
//! withdrawn by `retire`; and nobody else's ever touched.

use super::site::{Family, IPV4, IPV6, Site, at};
use super::{Registration, client, install, kms, serve};
use crate::estate::{Estate, Service};

const CORP: &str = "_muster-kms._tcp.corp.example";
const BRANCH: &str = "_muster-kms._tcp.branch.example";
const HAND: &str = "_muster-kms._tcp.hand.example";
/// Stands in the zone before any host registers.
const OLD: &str = "50 0 1688 old-kms.corp.example.";

/// Two certified hosts, `kms` and `second`. No --dns-server is given anywhere: the zone's own primary
/// is found through the system's resolver.
struct Scene {
    site: Site,
    estate: Estate,
    key: String,
}

impl Scene {
    fn start(family: Family) -> Option<Self> {
        let site = family.site()?;
        site.resolv(&format!(
            "nameserver {}\nsearch corp.example\n",
            family.bind()
        ));
        let estate = Estate::solo();
        let authority = estate.serve_authority();
        estate.certify("second", "solo", &authority);
        let key = site.key("muster-kms.key");
        Some(Self { site, estate, key })
    }

    /// Starts a host and waits until it stands in the last of its zones.
    fn register(&self, host: &str, listen: &str, registration: &Registration<'_>) -> Service {
        let args = [&["--listen", listen], &registration.args()[..]].concat();
        let service = serve(&self.site, &self.estate, host, &args);
        let zone = registration.zones.last().expect("a zone");
        let zone = zone.split(',').next().unwrap_or_default();
        service.log_until(&format!("zone=\"{zone}\" state=\"published\""));
        service
    }

    fn corp(&self) -> Vec<String> {
        self.site.dig(CORP, "SRV")
    }
}

/// Two hosts in two zones, found by a machine; then the first one is retired.
#[test]
fn hosts_stand_beside_each_other_and_only_retire_takes_its_own() {
    hosts_stand_beside_each_other(IPV4);
}

#[test]
fn hosts_stand_beside_each_other_without_ipv4() {
    hosts_stand_beside_each_other(IPV6);
}

fn hosts_stand_beside_each_other(family: Family) {
    let (one, two, kind) = (family.host(1), family.host(2), family.record());
    let listen = at(one, 1688);
    let Some(scene) = Scene::start(family) else {
        return;
    };
    let Scene { site, estate, key } = &scene;
    let hand = site.dig(HAND, "SRV");
    let first = Registration {
        host_name: "kms1.corp.example",
        zones: &["corp.example,10,30", "branch.example,5"],
        key,
        more: &["--host-address", one],
    };
    let host = scene.register("kms", &listen, &first);
    let kms1 = "10 30 1688 kms1.corp.example.";
    assert_eq!(scene.corp(), [kms1, OLD]);
    assert_eq!(site.dig(BRANCH, "SRV"), ["5 0 1688 kms1.corp.example."]);
    assert_eq!(site.dig("kms1.corp.example", kind), [one]);

    let second = Registration {
        host_name: "kms2.corp.example",
        zones: &["corp.example,20"],
        key,
        more: &["--host-address", two],
    };
    let _second = scene.register("second", &at(two, 1688), &second);
    let kms2 = "20 0 1688 kms2.corp.example.";
    assert_eq!(scene.corp(), [kms1, kms2, OLD]);

    // A machine finds the preferred one by the search list alone.
    install(estate, "m", &estate.key("solo", "generic"));
    client(site, estate, "m", &["activate"]).done();
    assert_eq!(estate.status("m")["host"], "kms1.corp.example:1688");

    let serial = site.dig("corp.example", "SOA");
    assert_eq!(host.stop(), 0);
    assert_eq!(scene.corp(), [kms1, kms2, OLD], "a stop leaves them");
    let _host = scene.register("kms", &listen, &first);
    assert_eq!(scene.corp(), [kms1, kms2, OLD], "a restart changes nothing");
    let after = site.dig("corp.example", "SOA");
    assert_eq!(after, serial, "not even the zone's serial");

    for _ in 0..2 {
        let retire = [&["retire", "--json"], &first.args()[..]].concat();
        let retired = kms(site, estate, "kms", &retire).done().json();
        assert_eq!(retired["dns"][0]["state"], "withdrawn", "{retired:#}");
        assert_eq!(retired["dns"][1]["state"], "withdrawn", "{retired:#}");
    }
    assert_eq!(scene.corp(), [kms2, OLD]);
    assert!(site.dig(BRANCH, "SRV").is_empty());
    assert!(site.dig("kms1.corp.example", kind).is_empty());
    assert_eq!(site.dig("kms2.corp.example", kind), [two]);
    assert_eq!(site.dig("www.corp.example", "A"), ["192.0.2.80"]);
    assert_eq!(site.dig(HAND, "SRV"), hand, "a zone of nobody's");
}

/// Changed settings replace this host's record, and a second service on the same machine keeps its
/// own.
#[test]
fn changed_settings_replace_what_this_host_wrote() {
    let Some(scene) = Scene::start(IPV4) else {
        return;
    };
    let start = |host: &str, port: u16, zone: &str| {
        let registration = Registration {
            host_name: "kms1.corp.example",
            zones: &[zone],
            key: &scene.key,
            more: &[],
        };
        scene.register(host, &format!("192.0.2.11:{port}"), &registration)
    };
    let first = start("kms", 1688, "corp.example,10");
    let _second = start("second", 1700, "corp.example,20");
    let second = "20 0 1700 kms1.corp.example.";
    let both = ["10 0 1688 kms1.corp.example.", second, OLD];
    assert_eq!(scene.corp(), both, "two services on one machine");

    assert_eq!(first.stop(), 0);
    let first = start("kms", 1688, "corp.example,30,5");
    let both = [second, "30 5 1688 kms1.corp.example.", OLD];
    assert_eq!(scene.corp(), both, "another priority and weight");

    assert_eq!(first.stop(), 0);
    let _first = start("kms", 1689, "corp.example,30,5");
    let both = [second, "30 5 1689 kms1.corp.example.", OLD];
    assert_eq!(scene.corp(), both, "another port");
}

/// A zone kept by hand: the host prints what belongs in it, and those very lines work.
#[test]
fn a_zone_kept_by_hand_gets_its_lines_printed() {
    let Some(scene) = Scene::start(IPV4) else {
        return;
    };
    let Scene { site, estate, .. } = &scene;
    site.resolv("nameserver 192.0.2.53\nsearch hand.example\n");
    let host = serve(site, estate, "kms", &["--listen", "192.0.2.11:1688"]);
    let hint = host.log_until("IN SRV");
    let line = "_muster-kms._tcp.example.com. 3600 IN SRV 0 0 1688";
    let is_printed = hint.iter().any(|printed| printed.contains(line));
    assert!(is_printed, "{hint:#?}");

    let args = ["dns-records", "--dns-zone", "hand.example"];
    let args = [&args[..], &["--host-name", "kms1"]].concat();
    let records = kms(site, estate, "kms", &args).done();
    let record = "0 0 1688 kms1.hand.example.";
    let line = format!("{HAND}. 3600 IN SRV {record}");
    assert_eq!(records.stdout.trim(), line);
    let hand = site.dig(HAND, "SRV");
    assert!(hand.iter().any(|held| held == record), "{hand:?}");
    install(estate, "m", &estate.key("solo", "generic"));
    client(site, estate, "m", &["activate"]).done();
    assert_eq!(estate.status("m")["host"], "kms1.hand.example:1688");
}
