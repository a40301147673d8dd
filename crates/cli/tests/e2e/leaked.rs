//! A publisher's issuing key leaks: a new one is made, the old one revoked, hosts renew, and their
//! machines go on under the new chain.

use serde_json::Value;

use crate::estate::{Estate, Service, eventually};

/// A host and a licensed machine whose authority is up.
struct Leaked {
    estate: Estate,
    authority: Service,
    host: Service,
}

impl Leaked {
    fn new() -> Self {
        let estate = Estate::solo();
        let authority = estate.serve_authority();
        let url = format!("http://{}", authority.address);
        let key = estate.key("solo", "kms-host");
        estate
            .kms("kms", &["install-key", &key, "--authority", &url])
            .done();
        let host = estate.serve_kms("kms", &[]);
        let generic = estate.key("solo", "generic");
        estate.machine("m", "solo", &generic, &host.address);
        estate.client("m", &["activate"]).done();
        Self {
            estate,
            authority,
            host,
        }
    }

    fn issuing(&self) -> Vec<Value> {
        let list = self.estate.authority(&["issuing", "list", "--json"]).done();
        list.json()["issuing"].as_array().expect("keys").clone()
    }

    fn old_key(&self) -> String {
        self.issuing()[0]["key"].as_str().expect("a key").to_owned()
    }

    /// The certificates above the machine's lease, the host's first.
    fn chain(&self, out: &str) -> Vec<Value> {
        let out = self.estate.path(out);
        let to = out.to_str().expect("paths are text");
        self.estate.client("m", &["export", "--out", to]).done();
        let file = |ending: &str| {
            let files = std::fs::read_dir(&out).expect("an export");
            let mut paths = files.map(|file| file.expect("an entry").path().display().to_string());
            paths.find(|path| path.ends_with(ending)).expect("a file")
        };
        let (lease, root) = (file(".lease"), file(".root"));
        let args = ["inspect", &lease, "--verify", "--root", &root, "--json"];
        let told = crate::estate::run(args).done().json();
        told["chain"].as_array().expect("a chain").clone()
    }
}

#[test]
fn a_leaked_issuing_key_is_replaced_and_no_machine_stops() {
    let it = Leaked::new();
    let before = it.chain("before");
    let old = it.old_key();
    // Nothing could follow it: refused, and nothing is changed.
    it.estate
        .authority(&["issuing", "revoke", &old])
        .refused("MUSTER-AUT-0012");
    assert_eq!(it.issuing()[0]["revoked"], false);

    it.estate.authority(&["rotate"]).done();
    for _ in 0..2 {
        it.estate
            .authority(&["issuing", "revoke", &old[..16]])
            .done();
    }
    let states: Vec<_> = it
        .issuing()
        .iter()
        .map(|key| key["revoked"].clone())
        .collect();
    assert_eq!(states, [true, false]);

    // At once, where the day's round is not waited for.
    it.estate.kms("kms", &["renew"]).done();
    eventually("the machine is licensed under the new key", || {
        it.estate.client("m", &["activate"]).done();
        it.chain("after") != before
    });
    let status = it.estate.status("m");
    assert_eq!(status["state"], "licensed", "{status}");
    let warnings = it.estate.kms("kms", &["status", "--json"]).done().json();
    assert_eq!(warnings["warnings"], Value::Array(Vec::new()));
    drop((it.host, it.authority));
}

/// A machine learns of the revocation from a bundle, before its host has renewed: it has the grace
/// of a revoked chain, and is licensed again when the host comes back.
#[test]
fn a_machine_that_hears_of_it_first_has_a_grace() {
    let it = Leaked::new();
    let old = it.old_key();
    it.estate.authority(&["rotate"]).done();
    it.estate.authority(&["issuing", "revoke", &old]).done();
    it.estate.write_policy("solo");
    let policy = it.estate.policy("solo");
    let policy = policy.to_str().expect("paths are text");
    let generic = it.estate.key("solo", "generic");
    it.estate
        .client("m", &["install-key", &generic, "--policy", policy])
        .done();
    let status = it.estate.status("m");
    assert_eq!(status["state"], "non-genuine-grace", "{status}");

    it.estate.kms("kms", &["renew"]).done();
    eventually("licensed again", || {
        it.estate.client("m", &["activate"]);
        it.estate.status("m")["state"] == "licensed"
    });
    drop((it.host, it.authority));
}
