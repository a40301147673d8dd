//! Two publishers whose products have the same name, on one host and one port: keys, certificates,
//! counts and identities stay apart.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::estate::{Estate, Service, eventually, run};

const MACHINES: usize = 25;

/// Both publishers' estates, and the host that serves them.
struct Pair {
    contoso: Estate,
    fabrikam: Estate,
    host: Service,
}

impl Pair {
    fn new() -> Self {
        let contoso = Estate::new("cad", "client");
        let fabrikam = contoso.beside("Fabrikam", "cad", "client");
        for estate in [&contoso, &fabrikam] {
            let authority = estate.serve_authority();
            estate.certify("kms", "cad", &authority);
        }
        let host = contoso.serve_kms("kms", &[]);
        Self {
            contoso,
            fabrikam,
            host,
        }
    }

    /// Machine 0 holds both publishers' products; the others one each.
    fn fill(&self) {
        for estate in [&self.contoso, &self.fabrikam] {
            let generic = estate.key("cad", "generic");
            for number in 0..MACHINES {
                estate.machine(
                    &self.name(estate, number),
                    "cad",
                    &generic,
                    &self.host.address,
                );
            }
        }
        for estate in [&self.contoso, &self.fabrikam] {
            for number in 0..MACHINES {
                estate.client(&self.name(estate, number), &["activate"]);
            }
        }
    }

    fn name(&self, estate: &Estate, number: usize) -> String {
        match number {
            0 => "both".to_owned(),
            _ if std::ptr::eq(estate, &self.contoso) => format!("contoso{number}"),
            _ => format!("fabrikam{number}"),
        }
    }
}

#[test]
fn two_publishers_count_apart_on_one_host() {
    let pair = Pair::new();
    pair.fill();
    let status = pair.contoso.kms("kms", &["status", "--json"]);
    let status = status.done().json();
    let pools = status["pools"].as_array().expect("pools");
    let publishers: BTreeSet<&str> = pools
        .iter()
        .filter_map(|it| it["publisher"].as_str())
        .collect();
    assert_eq!((pools.len(), publishers.len()), (2, 2), "{status}");
    for pool in pools {
        assert_eq!(pool["count"], MACHINES, "{pool}");
    }
    // One machine, two identities: no host can tell that they are one machine's.
    let clients = pair.contoso.kms("kms", &["clients", "--json"]).done();
    let clients = clients.json()["clients"].take();
    let ids: BTreeSet<&str> = clients
        .as_array()
        .expect("clients")
        .iter()
        .filter_map(|client| client["id"].as_str())
        .collect();
    assert_eq!(ids.len(), 2 * MACHINES);
    pair.contoso.client("both", &["activate"]).done();
    let status = pair
        .contoso
        .client("both", &["status", "--json"])
        .done()
        .json();
    let products = status["products"].as_array().expect("products");
    assert_eq!(products.len(), 2);
    for product in products {
        let told = (&product["state"], &product["count"]);
        assert_eq!(told, (&"licensed".into(), &MACHINES.into()), "{product}");
    }
}

/// The lease names the same product; the root decides.
#[test]
fn a_lease_is_worth_nothing_under_the_other_publishers_root() {
    let pair = Pair::new();
    pair.fill();
    let export = |estate: &Estate, number| {
        let machine = pair.name(estate, number);
        let out = estate.path(&format!("exported-{machine}"));
        let to = out.to_str().expect("paths are text");
        estate.client(&machine, &["export", "--out", to]).done();
        out
    };
    let ours = export(&pair.contoso, MACHINES - 1);
    let theirs = export(&pair.fabrikam, MACHINES - 1);
    let verify = |lease: &Path, root: &Path| {
        let (lease, root) = (file(lease, ".lease"), file(root, ".root"));
        run(["inspect", &lease, "--verify", "--root", &root, "--json"])
    };
    assert_eq!(verify(&ours, &ours).done().json()["valid"], true);
    assert_eq!(verify(&theirs, &theirs).done().json()["valid"], true);
    for (lease, root) in [(&ours, &theirs), (&theirs, &ours)] {
        let refused = verify(lease, root);
        assert_eq!(refused.code, 1);
        assert_eq!(refused.json()["reason"]["code"], "MUSTER-STM-0013");
    }
}

/// When one publisher's key leaves the host, the other's machines notice nothing.
#[test]
fn one_publisher_leaves_and_the_other_stays() {
    let pair = Pair::new();
    for (estate, machine) in [(&pair.contoso, "c"), (&pair.fabrikam, "f")] {
        let generic = estate.key("cad", "generic");
        estate.machine(machine, "cad", &generic, &pair.host.address);
    }
    let status = pair.contoso.kms("kms", &["status", "--json"]).done().json();
    let mut keys = status["keys"].as_array().expect("keys").iter();
    let leaving = keys.find(|key| key["name"] == "Contoso").expect("its key");
    let last5 = leaving["key_last5"][0].as_str().expect("the last five");
    pair.contoso.kms("kms", &["remove-key", last5]).done();
    eventually("the host knows the publisher no more", || {
        let outcome = pair.contoso.client("c", &["activate"]);
        outcome.code == 1 && outcome.stderr.contains("404")
    });
    pair.fabrikam.client("f", &["activate"]);
    assert_eq!(pair.fabrikam.status("f")["count"], 1);
}

/// The file of an export whose name ends so.
fn file(dir: &Path, ending: &str) -> String {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut names = entries.map(|entry| entry.expect("an entry").path().display().to_string());
    names
        .find(|name| name.ends_with(ending))
        .expect("an exported file")
}
