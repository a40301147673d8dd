//! Backups of an authority: what is in them, what is not, and what comes of both elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::estate::{Estate, Outcome, run};

fn text(path: &Path) -> &str {
    path.to_str().expect("paths are text")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

/// The names of the key files in an authority's directory.
fn key_files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).expect("a directory");
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.into_string().expect("text"))
        .filter(|name| name.ends_with(".key") || name == "root.pub")
        .collect();
    names.sort();
    names
}

fn authority(dir: &Path, args: &[&str]) -> Outcome {
    run([&["authority"], args, &["--dir", text(dir)]].concat())
}

#[test]
fn a_backup_says_what_else_to_copy_and_is_restored_with_it() {
    let estate = Estate::new("cad", "client");
    let key = estate.key("cad", "generic");
    let (home, out) = (estate.path("authority"), estate.path("backup"));
    let backup = ["backup", "--out", text(&out), "--json"];
    let made = estate.authority(&backup).done();
    let json = made.json();
    assert_eq!(json["keys"], Value::Null);
    let left_out: Vec<&str> = json["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| path.as_str().unwrap())
        .collect();
    let expected = key_files(&home);
    assert_eq!(expected.len(), 4, "{expected:?}");
    assert_eq!(left_out.len(), 4, "{left_out:?}");
    for name in &expected {
        let path = home.join(name);
        assert!(left_out.contains(&text(&path)), "{name}: {left_out:?}");
        assert!(made.stderr.contains(text(&path)), "{name}: {made:#?}");
    }
    assert!(made.stderr.contains("--with-keys"), "{made:#?}");
    let whole = fs::read(&out).unwrap();
    let secret = fs::read(home.join("product-keys.key")).unwrap();
    let is_in = |bytes: &[u8]| whole.windows(bytes.len()).any(|window| window == bytes);
    assert!(!is_in(&secret[16..48]), "no secret is in it");

    // Elsewhere it is of no use until those files are there.
    let moved = estate.path("moved");
    fs::create_dir(&moved).unwrap();
    fs::set_permissions(&moved, fs::Permissions::from_mode(0o700)).unwrap();
    authority(&moved, &["restore", text(&out)]).refused("MUSTER-AUT-");
    assert!(!moved.join("authority.db").exists(), "nothing is written");
    for path in left_out {
        let name = Path::new(path).file_name().unwrap();
        fs::copy(path, moved.join(name)).unwrap();
    }
    authority(&moved, &["restore", text(&out)]).done();
    let last5 = key.rsplit('-').next().unwrap();
    authority(&moved, &["key", "show", last5]).done();
}

#[test]
fn a_backup_with_its_keys_is_a_whole_authority() {
    let estate = Estate::new("cad", "client");
    let key = estate.key("cad", "generic");
    let (home, out) = (estate.path("authority"), estate.path("backup"));
    let keys = estate.path("backup.keys");
    let backup = ["backup", "--with-keys", "--out", text(&out), "--json"];
    for _ in 0..2 {
        let json = estate.authority(&backup).done().json();
        assert_eq!(json["keys"], text(&keys));
        assert_eq!(json["left_out"], serde_json::json!([]));
    }
    assert_eq!(mode(&keys), 0o700);
    assert_eq!(key_files(&keys), key_files(&home));
    for name in key_files(&home) {
        assert_eq!(mode(&keys.join(&name)), 0o600, "{name}");
        assert_eq!(
            fs::read(keys.join(&name)).unwrap(),
            fs::read(home.join(&name)).unwrap()
        );
    }

    let moved = estate.path("moved");
    let restore = ["restore", text(&out), "--with-keys"];
    for _ in 0..2 {
        authority(&moved, &restore).done();
    }
    assert_eq!(key_files(&moved), key_files(&home));
    let last5 = key.rsplit('-').next().unwrap();
    authority(&moved, &["key", "show", last5]).done();
    // It signs as before.
    let policy = estate.path("moved.policy");
    let policy_of = ["product", "policy", "cad", "--out", text(&policy)];
    authority(&moved, &policy_of).done();
    let inspected = run(["inspect", text(&policy), "--verify", "--root"]
        .map(str::to_owned)
        .into_iter()
        .chain([text(&home.join("root.pub")).to_owned()]));
    inspected.done();

    // No key is ever replaced: neither another authority's, nor by a damaged one.
    let other = estate.path("other");
    authority(&other, &["init", "--publisher", "Other"]).done();
    let before = fs::read(other.join("product-keys.key")).unwrap();
    authority(&other, &restore).refused("MUSTER-CFG-0004");
    assert_eq!(fs::read(other.join("product-keys.key")).unwrap(), before);
    let damaged = keys.join("product-keys.key");
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[20] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let empty = estate.path("empty");
    authority(&empty, &restore).refused("MUSTER-AUT-");
    assert!(!empty.exists(), "nothing is written");
}
