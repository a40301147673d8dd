//! Bad input through the real binary: a clear error that names the field and the rule, exit 1 or 2,
//! nothing written, nothing lost.

use std::fs;
use std::net::TcpListener;

use crate::estate::{Estate, run};

/// Changes one symbol of a product key.
fn mistyped(key: &str, at: usize) -> String {
    let mut symbols: Vec<char> = key.chars().collect();
    symbols[at] = if symbols[at] == '7' { '8' } else { '7' };
    symbols.into_iter().collect()
}

/// Every file below a directory with its contents, to see that nothing was written.
fn snapshot(dir: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        let Ok(read) = fs::read_dir(&dir) else {
            continue;
        };
        for entry in read.map_while(Result::ok) {
            if entry.path().is_dir() {
                dirs.push(entry.path());
            } else {
                files.push((entry.path(), fs::read(entry.path()).unwrap_or_default()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_mistyped_key_is_named_by_its_group_and_writes_nothing() {
    let estate = Estate::new("cad", "client");
    let key = estate.key("cad", "generic");
    let wrong = mistyped(&key, 13); // in the third group of five
    let policy = estate.policy("cad");
    let outcome = estate.client(
        "m",
        &["install-key", &wrong, "--policy", policy.to_str().unwrap()],
    );
    let outcome = outcome.refused("MUSTER-KEY-0003");
    assert!(outcome.stderr.contains("group 3"), "{outcome:#?}");
    assert!(snapshot(&estate.path("m")).is_empty(), "nothing is written");
}

#[test]
fn a_key_of_another_product_or_channel_is_refused() {
    let estate = Estate::new("cad", "client");
    estate.product("render", "server", &[]);
    let policy = estate.policy("cad");
    let policy = policy.to_str().unwrap();
    let host_key = estate.key("cad", "kms-host");
    estate
        .client("m", &["install-key", &host_key, "--policy", policy])
        .refused("MUSTER-KEY-");
    assert!(snapshot(&estate.path("m")).is_empty(), "nothing is written");
    let authority = estate.serve_authority();
    let url = format!("http://{}", authority.address);
    let generic = estate.key("cad", "generic");
    estate
        .kms("kms", &["install-key", &generic, "--authority", &url])
        .refused("MUSTER-KEY-");
}

#[test]
fn a_file_that_is_no_policy_is_refused() {
    let estate = Estate::new("cad", "client");
    let key = estate.key("cad", "generic");
    let garbage = estate.path("garbage");
    fs::write(&garbage, b"this is no policy").unwrap();
    let outcome = estate.client(
        "m",
        &["install-key", &key, "--policy", garbage.to_str().unwrap()],
    );
    outcome.refused("MUSTER-STM-0001");
    let mut cut = fs::read(estate.policy("cad")).unwrap();
    cut.truncate(cut.len() / 2);
    fs::write(&garbage, &cut).unwrap();
    let outcome = estate.client(
        "m",
        &["install-key", &key, "--policy", garbage.to_str().unwrap()],
    );
    outcome.refused("MUSTER-STM-0001");
    estate
        .client("m", &["install-key", &key, "--policy", "/nowhere/at.all"])
        .refused("MUSTER-CFG-0003");
    assert!(snapshot(&estate.path("m")).is_empty(), "nothing is written");
}

#[test]
fn the_root_that_was_insisted_on_must_be_the_root() {
    let estate = Estate::new("cad", "client");
    let other = Estate::new("cad", "client");
    let root = other.path("other.root");
    other
        .authority(&["root", "export", "--out", root.to_str().unwrap()])
        .done();
    let key = estate.key("cad", "generic");
    let policy = estate.policy("cad");
    let args = [
        "install-key",
        &key,
        "--policy",
        policy.to_str().unwrap(),
        "--root",
        root.to_str().unwrap(),
    ];
    estate.client("m", &args).refused("MUSTER-CLI-0081");
    assert!(snapshot(&estate.path("m")).is_empty(), "nothing is written");
}

#[test]
fn a_taken_port_is_named() {
    let estate = Estate::new("cad", "client");
    let authority = estate.serve_authority();
    estate.certify("kms", "cad", &authority);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let outcome = estate
        .kms("kms", &["serve", "--listen", &address])
        .refused("MUSTER-NET-");
    assert!(
        outcome
            .stderr
            .contains(&taken.local_addr().unwrap().port().to_string()),
        "{outcome:#?}"
    );
}

#[test]
fn misuse_ends_with_2() {
    for args in [
        &["client", "set-method", "telepathy"][..],
        &["kms", "serve", "--listen", "nowhere"],
        &[
            "authority",
            "key",
            "issue",
            "--product",
            "CAD!",
            "--channel",
            "generic",
        ],
        &["lab", "--days", "0"],
        &["kms", "dns-records", "--dns-zone", "corp.test,1,2,3"],
        &["nonsense"],
    ] {
        let outcome = run(args);
        assert_eq!(outcome.code, 2, "{args:?}: {outcome:#?}");
        assert!(!outcome.stderr.is_empty());
    }
}

#[test]
fn misuse_is_told_in_json_too() {
    let outcome = run(["kms", "frobnicate", "--json"]);
    assert_eq!(outcome.code, 2, "{outcome:#?}");
    assert_eq!(outcome.json()["error"]["code"], "MUSTER-CFG-0008");
    let help = run(["kms", "--help", "--json"]);
    assert_eq!(help.code, 0, "{help:#?}");
    assert!(
        !help.stdout.contains('\u{1b}'),
        "no colours in a pipe: {help:#?}"
    );
    assert!(
        !outcome.stderr.contains('\u{1b}'),
        "no colours in a pipe: {outcome:#?}"
    );
}

#[test]
fn an_error_is_the_same_in_json() {
    let outcome = run(["inspect", "/nowhere/at.all", "--json"]).refused("MUSTER-CFG-0003");
    let error = &outcome.json()["error"];
    assert_eq!(error["code"], "MUSTER-CFG-0003");
    for field in ["text", "cause", "next"] {
        let words = error[field].as_str().expect("words");
        assert!(outcome.stderr.contains(words), "{field}: {outcome:#?}");
    }
}

#[test]
fn a_configuration_file_is_checked_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kms.toml");
    fs::write(
        &file,
        "listen = [\"127.0.0.1:1688\"]\n\n[dns]\nzoness = []\n",
    )
    .unwrap();
    let outcome = run(["config", "check", file.to_str().unwrap()]).refused("MUSTER-CFG-0007");
    assert!(outcome.stderr.contains("line 4"), "{outcome:#?}");
    fs::write(&file, "listen = [\"127.0.0.1:1688\"]\n").unwrap();
    run(["config", "check", file.to_str().unwrap()]).done();
}

/// A flag beats a variable beats the configuration file.
#[test]
fn a_flag_beats_a_variable_beats_the_file() {
    let estate = Estate::new("cad", "client");
    let config = estate.path("kms.toml");
    fs::write(&config, "[dns]\nzones = [\"file.test\"]\n").unwrap();
    let records = |variable: bool, flag: bool| {
        let mut args = vec!["dns-records", "--host-name", "kms", "--config"];
        args.push(config.to_str().unwrap());
        if flag {
            args.extend(["--dns-zone", "flag.test"]);
        }
        let mut command = crate::estate::muster();
        command.args(estate.kms_args("kms", &args));
        if variable {
            command.env("MUSTER_KMS_DNS_ZONE", "variable.test");
        }
        crate::estate::Outcome::of(&mut command).done().stdout
    };
    for (variable, flag, zone) in [
        (false, false, "file.test"),
        (true, false, "variable.test"),
        (true, true, "flag.test"),
    ] {
        let told = records(variable, flag);
        assert!(
            told.contains(&format!("_muster-kms._tcp.{zone}.")),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}
