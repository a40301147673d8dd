//! Manifests: versions stand once, in the root, whole (`x.y.z`), and every crate takes them and the
//! lints from there.

use toml::Value;

use super::Finding;
use crate::tree::Tree;

const ROOT: &str = "Cargo.toml";
const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks the root manifest and those of the crates, of fuzz and of xtask.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind("Cargo.toml") {
        let path = file.path.as_str();
        match file.text.parse::<toml::Table>() {
            Err(error) => findings.push(Finding::new(path, 1, "manifest", error.to_string())),
            Ok(manifest) if path == ROOT => findings.extend(check_root(&file.text, &manifest)),
            Ok(manifest) if is_member(path) => {
                findings.extend(check_member(path, &file.text, &manifest));
            }
            Ok(_) => {}
        }
    }
    findings
}

fn is_member(path: &str) -> bool {
    ["xtask/Cargo.toml", "fuzz/Cargo.toml"].contains(&path)
        || path
            .strip_prefix("crates/")
            .is_some_and(|rest| rest.matches('/').count() == 1)
}

fn check_root(text: &str, manifest: &toml::Table) -> Vec<Finding> {
    let listed = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(Value::as_table);
    let mut findings = Vec::new();
    for (name, value) in listed.into_iter().flatten() {
        let version = value
            .as_str()
            .or_else(|| value.get("version").and_then(Value::as_str));
        let is_own = value.get("path").is_some();
        if !is_own && !version.is_some_and(is_whole) {
            let advice = format!("`{name}`: write the least version that works, whole, as x.y.z");
            findings.push(Finding::new(ROOT, line_of(text, name), "version", advice));
        }
    }
    findings
}

fn check_member(path: &str, text: &str, manifest: &toml::Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in TABLES {
        let listed = manifest.get(table).and_then(Value::as_table);
        for (name, value) in listed.into_iter().flatten() {
            if value.get("workspace").and_then(Value::as_bool) != Some(true) {
                let advice = format!(
                    "`{name}`: declare it in the root's Cargo.toml, here `workspace = true`"
                );
                findings.push(Finding::new(path, line_of(text, name), "version", advice));
            }
        }
    }
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"));
    if lints.and_then(Value::as_bool) != Some(true) {
        let advice = "add `[lints]` with `workspace = true`";
        findings.push(Finding::new(path, 1, "lints", advice));
    }
    findings
}

/// Whether a requirement is a plain `x.y.z`.
fn is_whole(version: &str) -> bool {
    let numbers = version
        .split_once('-')
        .map_or(version, |(numbers, _)| numbers);
    let parts: Vec<&str> = numbers.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u64>().is_ok())
}

/// The line on which a dependency is declared, 1 when it is written in an unusual way.
fn line_of(text: &str, name: &str) -> usize {
    let declares = |line: &str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with([' ', '=', '.']))
    };
    text.lines().position(declares).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::Tree;

    fn found(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let findings = check(&Tree::of(&[(path, text)]));
        findings
            .iter()
            .map(|finding| (finding.line, finding.rule))
            .collect()
    }

    #[test]
    fn the_root_names_whole_least_versions() {
        let good = "[workspace.dependencies]\na = \"1.2.3\"\nb = { version = \"0.1.0-rc.1\" }\n\
                    c = { path = \"crates/c\" }\n";
        assert!(found("Cargo.toml", good).is_empty());
        for bad in ["\"*\"", "\"1.2\"", "\">=1.2.3\"", "{ git = \"x\" }"] {
            let text = format!("[workspace.dependencies]\na = {bad}\n");
            assert_eq!(found("Cargo.toml", &text), [(2, "version")], "{bad}");
        }
    }

    #[test]
    fn a_crate_takes_versions_and_lints_from_the_root() {
        let good = "[dependencies]\na.workspace = true\nb = { workspace = true, optional = true }\n\
                    [lints]\nworkspace = true\n";
        assert!(found("crates/x/Cargo.toml", good).is_empty());
        let bad = "[dev-dependencies]\na = \"1.2.3\"\n[lints]\nworkspace = true\n";
        assert_eq!(found("crates/x/Cargo.toml", bad), [(2, "version")]);
        assert_eq!(
            found("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n"),
            [(1, "lints")]
        );
    }
}
