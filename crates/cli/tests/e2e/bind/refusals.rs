//! Each way in which BIND refuses an update, or says nothing, has its own reason, in the log and in
//! `kms status`; and the host goes on serving.

use serde_json::Value;

use super::site::{Family, IPV4, IPV6, Site, at};
use super::{Registration, client, install, zones};
use crate::clocks;
use crate::estate::{Estate, Service, copy_dir};

/// One estate whose host is started again and again, each time in a fresh copy of its directory.
struct Scene {
    family: Family,
    site: Site,
    estate: Estate,
    generic: String,
}

/// One start of the host.
struct Try<'a> {
    /// Names the copy of its directory.
    name: &'a str,
    host_name: &'a str,
    key: &'a str,
    zones: &'a [&'a str],
    more: &'a [&'a str],
    /// How its clock differs.
    clock: &'a str,
}

impl Default for Try<'_> {
    fn default() -> Self {
        Self {
            name: "once",
            host_name: "kms1.corp.example",
            key: "muster-kms.key",
            zones: &["corp.example"],
            more: &[],
            clock: "+0",
        }
    }
}

impl Scene {
    fn start(family: Family) -> Option<Self> {
        let site = family.site()?;
        let estate = Estate::solo();
        let generic = estate.key("solo", "generic");
        Some(Self {
            family,
            site,
            estate,
            generic,
        })
    }

    /// The zones as `kms status` tells them, after the log has named each failure and a machine was
    /// served.
    fn zones(&self, tried: &Try<'_>) -> Vec<Value> {
        let (site, estate, name) = (&self.site, &self.estate, tried.name);
        copy_dir(&estate.path("kms"), &estate.path(name));
        let registration = Registration {
            host_name: tried.host_name,
            zones: tried.zones,
            key: &site.key(tried.key),
            more: tried.more,
        };
        let listen = at(self.family.host(1), 1688);
        let serve = ["serve", "--listen", &listen];
        let args = [&serve, &registration.args()[..]].concat();
        let mut command = site.muster(&estate.kms_args(name, &args));
        if tried.clock != "+0" {
            clocks::under(tried.clock, &mut command);
        }
        let host = Service::start(&mut command);
        let zones = zones(estate, name, tried.zones.len());
        let machine = format!("machine of {name}");
        install(estate, &machine, &self.generic);
        estate.client(&machine, &["set-host", &listen]).done();
        client(site, estate, &machine, &["activate"]).done();
        let log = host.log();
        for zone in &zones {
            if let Some(code) = zone["reason"]["code"].as_str() {
                let is_named = log.iter().any(|line| line.contains(code));
                assert!(is_named, "{code} is not in {log:#?}");
            }
        }
        zones
    }

    fn bind(&self) -> String {
        at(self.family.bind(), 53)
    }

    /// The code and the words of the one zone's failure.
    fn failure(&self, tried: &Try<'_>) -> (String, String) {
        failure(&self.zones(tried)[0], &self.bind())
    }
}

/// The code and the words of a failed zone; the words name the server.
fn failure(zone: &Value, server: &str) -> (String, String) {
    assert_eq!(zone["state"], "failed", "{zone:#}");
    let word = |field: &str| zone["reason"][field].as_str().expect("a text").to_owned();
    let text = word("text");
    assert!(text.contains(server), "{server} is not named: {text}");
    (word("code"), text)
}

#[test]
fn each_refusal_has_its_own_reason_and_the_host_serves_on() {
    each_refusal(IPV4);
}

#[test]
fn each_refusal_has_its_own_reason_without_ipv4() {
    each_refusal(IPV6);
}

fn each_refusal(family: Family) {
    let Some(scene) = Scene::start(family) else {
        return;
    };
    let before = scene.site.dig("_muster-kms._tcp.corp.example", "SRV");
    let of_key = |name, key| {
        scene.failure(&Try {
            name,
            key,
            ..Try::default()
        })
    };
    let (code, text) = of_key("wrong", "wrong.key");
    assert_eq!(code, "MUSTER-DNS-0024");
    assert!(text.contains("BADSIG"), "{text}");
    let (code, text) = of_key("unknown", "unknown.key");
    assert_eq!(code, "MUSTER-DNS-0024");
    assert!(text.contains("BADKEY"), "{text}");
    let (code, _) = of_key("foreign", "locked.key");
    assert_eq!(code, "MUSTER-DNS-0026", "a key for another zone");

    // The key may write the SRV record, but not this name's address: all or nothing.
    let (code, _) = scene.failure(&Try {
        name: "www",
        host_name: "www.corp.example",
        more: &["--host-address", family.host(1)],
        ..Try::default()
    });
    assert_eq!(code, "MUSTER-DNS-0026");
    assert_eq!(scene.site.dig("www.corp.example", "A"), ["192.0.2.80"]);

    let (code, text) = scene.failure(&Try {
        name: "clock",
        clock: "+1h",
        ..Try::default()
    });
    assert_eq!(code, "MUSTER-DNS-0025");
    assert!(text.contains("seconds behind this machine's"), "{text}");

    // Everything on the way there is dropped.
    let silent = at(family.dropped(), 53);
    let zones = scene.zones(&Try {
        name: "silent",
        more: &["--dns-server", &silent],
        ..Try::default()
    });
    let (code, _) = failure(&zones[0], &silent);
    assert_eq!(code, "MUSTER-DNS-0004");

    let after = scene.site.dig("_muster-kms._tcp.corp.example", "SRV");
    assert_eq!(before, after, "nothing was written");
}

/// Zones that fail keep no other zone from being written.
#[test]
fn one_zone_s_refusal_is_no_other_s() {
    one_zone_s_refusal(IPV4);
}

#[test]
fn one_zone_s_refusal_is_no_other_s_without_ipv4() {
    one_zone_s_refusal(IPV6);
}

fn one_zone_s_refusal(family: Family) {
    let Some(scene) = Scene::start(family) else {
        return;
    };
    let zones = scene.zones(&Try {
        zones: &[
            "locked.example",
            "hand.example",
            "nowhere.example",
            "corp.example",
            "branch.example",
        ],
        more: &["--dns-server", family.bind()],
        ..Try::default()
    });
    let of = |name: &str| {
        let zone = zones.iter().find(|zone| zone["zone"] == name);
        zone.unwrap_or_else(|| panic!("{name} is not in {zones:#?}"))
    };
    let code = |name: &str| failure(of(name), &scene.bind()).0;
    assert_eq!(code("locked.example"), "MUSTER-DNS-0026");
    assert_eq!(code("hand.example"), "MUSTER-DNS-0026");
    assert_eq!(code("nowhere.example"), "MUSTER-DNS-0027");
    assert_eq!(of("corp.example")["state"], "published");
    assert_eq!(of("branch.example")["state"], "published");
    let branch = scene.site.dig("_muster-kms._tcp.branch.example", "SRV");
    assert_eq!(branch, ["0 0 1688 kms1.corp.example."]);
}
