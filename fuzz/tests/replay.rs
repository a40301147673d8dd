//! Every input that was ever worth keeping, fed to its target: the seeds, the corpora that fuzzing
//! has left, and, under `vectors/fuzz/`, what once made a target fail.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use muster_fuzz::pack::unpack;
use muster_fuzz::{TARGETS, Target};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Feeds inputs; the ones that fail are named.
fn replay(target: &Target, what: &str, inputs: &[Vec<u8>]) -> Vec<String> {
    let fails = |bytes: &[u8]| catch_unwind(|| target.feed(bytes)).is_err();
    let failed = inputs.iter().enumerate().filter(|(_, input)| fails(input));
    failed
        .map(|(number, input)| format!("{}: {what} {number}: {input:02x?}", target.name))
        .collect()
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let file = folder("corpus").join(format!("{}.pack", target.name));
    let pack = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let inputs = unpack(&pack).unwrap_or_else(|| panic!("{} is cut", file.display()));
    inputs.into_iter().map(<[u8]>::to_vec).collect()
}

/// What once failed, one file each; most targets have none.
fn found(target: &Target) -> Vec<Vec<u8>> {
    let Ok(files) = fs::read_dir(folder("../vectors/fuzz").join(target.name)) else {
        return Vec::new();
    };
    files
        .map(|file| fs::read(file.expect("a folder's entry").path()).expect("a file"))
        .collect()
}

#[test]
fn every_kept_input_leaves_every_target_whole() {
    let mut failed = Vec::new();
    for target in TARGETS {
        failed.extend(replay(target, "seed", &target.seeds()));
        failed.extend(replay(target, "kept input", &corpus(target)));
        failed.extend(replay(target, "vector", &found(target)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_seed_and_every_kept_input_is_within_its_limit() {
    for target in TARGETS {
        for input in [target.seeds(), corpus(target), found(target)].concat() {
            let (name, max) = (target.name, target.bytes_max);
            assert!(
                input.len() <= max,
                "{name}: {} bytes, {max} at most",
                input.len()
            );
        }
    }
}

#[test]
fn every_corpus_and_every_vector_belongs_to_a_target() {
    let is_known = |name: &str| TARGETS.iter().any(|target| target.name == name);
    let names = |path: PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    for path in [names(folder("corpus")), names(folder("../vectors/fuzz"))].concat() {
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        assert!(is_known(name) || name == "README", "{}", path.display());
    }
}
