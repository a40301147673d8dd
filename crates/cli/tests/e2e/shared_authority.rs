//! An authority whose store is a PostgreSQL server, end to end: killed, doubled, moved, examined; and
//! the publishers that are kept out of one another's databases.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::doctor::{names, one_fault, saw};
use crate::estate::{Estate, Outcome, Service, copy_dir, eventually, muster, run};
use crate::renewal::host_key_use;
use crate::server::Postgres;

/// An authority with one product on a database server.
fn on_server(url: &str) -> Estate {
    let estate = Estate::in_dir(tempfile::tempdir().expect("a directory"));
    let file = estate.path("url");
    fs::write(&file, format!("{url}\n")).expect("a file");
    let argument = format!("@{}", file.display());
    let init = ["init", "--publisher", "Contoso", "--store", &argument];
    estate.authority(&init).done();
    estate.product("cad", "client", &[]);
    estate
}

/// Runs statements on a database server.
fn psql(url: &str, sql: &str) {
    let ran = Outcome::of(Command::new("psql").args([url, "-Atqc", sql]));
    assert_eq!(ran.code, 0, "{ran:#?}");
}

fn install(estate: &Estate, host: &str, key: &str, authority: &str) -> Outcome {
    let url = format!("http://{}", authority);
    estate.kms(host, &["install-key", key, "--authority", &url])
}

fn serve(dir: &Path) -> Service {
    let dir = dir.to_str().expect("paths are text");
    let args = [
        "authority",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--dir",
        dir,
    ];
    Service::start(muster().args(args))
}

#[test]
fn an_authority_on_a_server_keeps_what_it_acknowledged() {
    let url = Postgres::shared().database();
    let estate = on_server(&url);
    let kept = estate.path("authority/store.url");
    let mode = fs::metadata(&kept)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&kept).expect("a file"), url);
    assert!(!estate.path("authority/authority.db").exists());

    let key = estate.key("cad", "kms-host");
    let authority = estate.serve_authority();
    install(&estate, "kms1", &key, &authority.address).done();
    authority.kill();
    let authority = estate.serve_authority();
    install(&estate, "kms2", &key, &authority.address).done();
    assert_eq!(host_key_use(&estate), serde_json::json!([2, 2]));
    let hosts = estate.authority(&["host", "list", "--json"]).done().json();
    assert_eq!(hosts["hosts"].as_array().map(Vec::len), Some(2), "{hosts}");

    // The same arguments again change nothing, and no word of any command tells the password.
    let password = url.split([':', '@']).nth(2).expect("it has a password");
    let again = ["init", "--publisher", "Contoso"];
    for args in [&again[..], &["doctor"], &["product", "list"]] {
        let outcome = estate.authority(args);
        assert!(!format!("{outcome:?}").contains(password), "{outcome:#?}");
    }
}

#[test]
fn two_authorities_on_one_server_give_out_a_key_once() {
    let estate = on_server(&Postgres::shared().database());
    let key = estate.key("cad", "kms-host");
    copy_dir(&estate.path("authority"), &estate.path("copy"));
    let one = estate.serve_authority();
    let two = serve(&estate.path("copy"));
    let hosts: Vec<String> = (0..16).map(|number| format!("kms{number}")).collect();
    for host in &hosts {
        estate.hardware(host);
    }
    let outcomes = std::thread::scope(|scope| {
        let (estate, key) = (&estate, &key);
        let asks = hosts
            .iter()
            .zip([&one.address, &two.address].into_iter().cycle());
        let asks = asks
            .map(|(host, authority)| scope.spawn(move || install(estate, host, key, authority)));
        // All are begun before the first is waited for.
        let asks: Vec<_> = asks.collect();
        let outcomes = asks.into_iter().map(|ask| ask.join().expect("it ends"));
        outcomes.collect::<Vec<_>>()
    });
    let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Outcome::is_done);
    assert_eq!(done.len(), 6, "{refused:#?}");
    for outcome in refused {
        outcome.refused("MUSTER-AUT-0045");
    }
    assert_eq!(host_key_use(&estate), serde_json::json!([6, 6]));
}

/// The server is stopped under a service as by a crash, and comes back.
#[test]
fn a_service_goes_on_when_its_server_is_back() {
    let postgres = Postgres::start();
    let estate = on_server(&postgres.database());
    let key = estate.key("cad", "kms-host");
    let authority = estate.serve_authority();
    install(&estate, "kms1", &key, &authority.address).done();
    postgres.down();
    install(&estate, "kms2", &key, &authority.address).refused("MUSTER-STO-0021");
    one_fault(
        &estate.authority(&["doctor", "--json"]),
        "store",
        "MUSTER-STO-0021",
    );
    postgres.up();
    eventually("the host is certified", || {
        install(&estate, "kms2", &key, &authority.address).is_done()
    });
    assert_eq!(host_key_use(&estate), serde_json::json!([2, 2]));
    postgres.down();
}

#[test]
fn publishers_are_kept_out_of_one_another_s_databases() {
    let (ours, theirs) = {
        let postgres = Postgres::shared();
        (postgres.database(), postgres.database())
    };
    let estate = on_server(&ours);
    let other = on_server(&theirs);

    // A new directory on a database that is another's: nothing is made.
    let none = estate.path("none");
    let dir = none.to_str().expect("paths are text");
    let init = ["authority", "init", "--publisher", "Fabrikam", "--dir", dir];
    run([&init[..], &["--store", &ours]].concat()).refused("MUSTER-AUT-0015");
    assert!(!none.exists());

    // A directory that is pointed at another's, by command and by file.
    let moved = ["init", "--publisher", "Contoso", "--store", &theirs];
    estate.authority(&moved).refused("MUSTER-AUT-0015");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--store", &theirs];
    estate.authority(&serve).refused("MUSTER-AUT-0015");
    estate.authority(&["product", "list"]).done();
    let file = "authority/store.url";
    fs::copy(other.path(file), estate.path(file)).expect("a copy");
    estate
        .authority(&["product", "list"])
        .refused("MUSTER-AUT-0015");
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(estate.path(file), open).expect("its mode is set");
    estate
        .authority(&["product", "list"])
        .refused("MUSTER-CFG-0005");

    // A database that was emptied would give out its serials a second time.
    psql(&theirs, "DELETE FROM authority_setting");
    other
        .authority(&["product", "list"])
        .refused("MUSTER-AUT-0017");
    // Nor does an empty one take the place of one whose URL was lost.
    fs::remove_file(other.path(file)).expect("it is removed");
    let empty = Postgres::shared().database();
    for store in [&["--store", &empty][..], &[]] {
        other
            .authority(&[&["init", "--publisher", "Contoso"], store].concat())
            .refused("MUSTER-AUT-0017");
    }

    // A store in a file stays there.
    let on_file = Estate::new("cad", "client");
    on_file
        .authority(&["init", "--publisher", "Contoso", "--store", &theirs])
        .refused("MUSTER-AUT-0002");
}

/// What a file's backup is for, a server does by itself; what follows a restore is still to be done.
#[test]
fn after_the_server_s_own_restore_nothing_is_given_out_twice() {
    let estate = on_server(&Postgres::shared().database());
    let out = estate.path("backup");
    let out = out.to_str().expect("paths are text");
    estate
        .authority(&["backup", "--with-keys", "--out", out])
        .refused("MUSTER-AUT-0016");
    estate
        .authority(&["restore", out])
        .refused("MUSTER-AUT-0016");
    estate.key("cad", "generic");
    estate.authority(&["restored"]).done();
    estate.key("cad", "generic");
    let keys = estate.authority(&["key", "list", "--json"]).done().json();
    let serials: BTreeSet<_> = keys["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| key["serial"].as_str().expect("a serial").to_owned())
        .collect();
    let wanted = ["generic/1/0", "generic/1/1000001"].map(str::to_owned);
    assert_eq!(serials, wanted.into(), "{keys:#}");
}

#[test]
fn doctor_refuses_a_server_that_may_lose_what_it_acknowledged() {
    let postgres = Postgres::start();
    let url = postgres.database();
    let estate = on_server(&url);
    let doctor = || estate.authority(&["doctor", "--json"]);
    let sound = doctor().done().json();
    let steps = "root disk secrets store replication clock issuing products";
    assert_eq!(names(&sound, "ok").join(" "), steps, "{sound:#}");

    let set = |setting: &str| {
        psql(&url, &format!("ALTER SYSTEM SET {setting}"));
        psql(&url, "SELECT pg_reload_conf()");
    };
    set("fsync = off");
    eventually("the setting is seen", || !doctor().is_done());
    let step = one_fault(&doctor(), "replication", "MUSTER-STO-0030");
    assert!(saw(&step).contains("fsync = off"), "{step:#}");
    set("fsync = on");
    eventually("the setting is seen", || doctor().is_done());

    // A standby that nothing waits for.
    let dir = estate.path("standby");
    let own = std::process::id().to_string();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testenv/postgres/standby");
    let standby = Command::new(script)
        .arg(&url)
        .arg(&dir)
        .args(["--until", &own])
        .output();
    let standby = standby.expect("testenv/postgres/standby can be run");
    let words = String::from_utf8_lossy(&standby.stderr);
    assert!(standby.status.success(), "{words}");
    eventually("the standby is seen", || !doctor().is_done());
    let step = one_fault(&doctor(), "replication", "MUSTER-STO-0029");
    assert!(saw(&step).contains("walreceiver"), "{step:#}");
    let service = estate.serve_authority();
    service.log_until("MUSTER-STO-0029");
    drop(service);

    // It is waited for from now on; then for one that is not there, and no change comes to its end.
    set("synchronous_standby_names = '*'");
    eventually("the standby is waited for", || doctor().is_done());
    set("synchronous_standby_names = 'nobody'");
    eventually("the setting is seen", || !doctor().is_done());
    one_fault(&doctor(), "replication", "MUSTER-STO-0031");
    set("synchronous_standby_names = ''");

    // The standby alone takes no changes.
    let at_standby = String::from_utf8_lossy(&standby.stdout).trim().to_owned();
    let name = url.rsplit_once('/').expect("it names a database").1;
    let at_standby = at_standby.replace("/postgres", &format!("/{name}"));
    fs::write(estate.path("authority/store.url"), at_standby).expect("a file");
    one_fault(&doctor(), "store", "MUSTER-STO-0023");
    postgres.down();
}
