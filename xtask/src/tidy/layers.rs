//! Who may use whom, from cargo's own view of the workspace. Normal and build dependencies count;
//! those of tests do not, since a test may set up a whole estate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::Finding;
use super::rules::Rules;
use crate::failure::{Failure, output_of};

/// One crate of the workspace with what it uses.
#[derive(Debug, Default)]
struct Room {
    /// Crates of the workspace, by folder.
    own: BTreeSet<String>,
    /// Crates of others, by name.
    foreign: BTreeSet<String>,
    /// Features that it switches on in what it uses.
    features: BTreeSet<String>,
}

/// The crates of the workspace by folder: `proto` for crates/proto, `xtask` for xtask.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    rooms: BTreeMap<String, Room>,
}

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// None is normal; else `dev` or `build`.
    kind: Option<String>,
    /// The folder of a crate of this workspace.
    path: Option<String>,
    #[serde(default)]
    features: Vec<String>,
}

impl Graph {
    /// Asks cargo.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let arguments = ["metadata", "--format-version", "1", "--no-deps"];
        Self::parse(&output_of(
            Command::new("cargo").current_dir(root).args(arguments),
        )?)
    }

    fn parse(json: &str) -> Result<Self, Failure> {
        let metadata: Metadata = serde_json::from_str(json)
            .map_err(|error| Failure::said(format!("cargo metadata: {error}")))?;
        let mut graph = Self::default();
        for package in metadata.packages {
            let folder = package.manifest_path.trim_end_matches("/Cargo.toml");
            let room = graph.rooms.entry(last_part(folder)).or_default();
            let counted = |dependency: &Dependency| dependency.kind.as_deref() != Some("dev");
            for dependency in package.dependencies.into_iter().filter(counted) {
                room.features.extend(dependency.features);
                match dependency.path {
                    Some(path) => room.own.insert(last_part(&path)),
                    None => room.foreign.insert(dependency.name),
                };
            }
        }
        Ok(graph)
    }

    /// Checks layers, reach, and the dependencies that only some crates may have.
    pub(crate) fn check(&self, rules: &Rules) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, room) in self.rooms.iter().filter(|(name, _)| *name != "xtask") {
            findings.extend(check_layer(name, room, rules));
        }
        for never in &rules.never {
            if self.reach_of(&never.from).contains(&never.links) {
                let advice = format!("must never link {}: {}", never.links, never.why);
                findings.push(finding_at(&never.from, advice));
            }
        }
        for only in &rules.only_dependency {
            for (name, room) in self
                .rooms
                .iter()
                .filter(|(name, _)| !only.crates.contains(name))
            {
                for foreign in room
                    .foreign
                    .iter()
                    .filter(|foreign| only.names.contains(foreign))
                {
                    let advice = format!(
                        "`{foreign}` belongs in {}: {}",
                        only.crates.join(", "),
                        only.why
                    );
                    findings.push(finding_at(name, advice));
                }
            }
        }
        for (feature, why) in &rules.test_features {
            for (name, _) in self
                .rooms
                .iter()
                .filter(|(_, room)| room.features.contains(feature))
            {
                let advice = format!("feature `{feature}` is for dev-dependencies only: {why}");
                findings.push(finding_at(name, advice));
            }
        }
        findings.extend(self.check_proto(rules));
        findings
    }

    fn check_proto(&self, rules: &Rules) -> Vec<Finding> {
        let foreign = self
            .rooms
            .get("proto")
            .into_iter()
            .flat_map(|room| &room.foreign);
        let unlisted = foreign.filter(|name| !rules.proto.may_use.contains_key(*name));
        unlisted
            .map(|name| {
                let advice = format!(
                    "`{name}` is not on the list of proto.may_use in xtask/tidy.toml; \
                     add it with its reason, or do without"
                );
                finding_at("proto", advice)
            })
            .collect()
    }

    /// Every crate of the workspace that one links, on any path.
    fn reach_of(&self, from: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(name) = open.pop() {
            for next in self.rooms.get(&name).into_iter().flat_map(|room| &room.own) {
                if reached.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        reached
    }
}

fn check_layer(name: &str, room: &Room, rules: &Rules) -> Vec<Finding> {
    let Some(allowed) = rules.layers.get(name) else {
        let advice = "give the crate its place under [layers] in xtask/tidy.toml";
        return vec![finding_at(name, advice.to_owned())];
    };
    let sideways = room.own.iter().filter(|used| !allowed.contains(used));
    sideways
        .map(|used| {
            finding_at(
                name,
                format!("must not use {used}; it may use: {}", allowed.join(", ")),
            )
        })
        .collect()
}

/// The names of all crates that proto links outside tests, with proto's own features only.
pub(crate) fn proto_closure(root: &Path) -> Result<Vec<String>, Failure> {
    let listed = output_of(Command::new("cargo").current_dir(root).args([
        "tree",
        "--package",
        "muster-proto",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let names = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

/// Checks that nothing forbidden reaches proto by way of others.
pub(crate) fn check_proto_closure(closure: &[String], rules: &Rules) -> Vec<Finding> {
    let names: BTreeSet<&String> = closure.iter().collect();
    let found = rules
        .proto
        .never_links
        .iter()
        .filter(|(name, _)| names.contains(name));
    found
        .map(|(name, why)| {
            let advice = format!("`{name}` ({why}) reaches proto; see `cargo tree -i {name}`");
            finding_at("proto", advice)
        })
        .collect()
}

fn finding_at(room: &str, advice: String) -> Finding {
    let folder = if room == "xtask" {
        "xtask".to_owned()
    } else {
        format!("crates/{room}")
    };
    Finding::new(&format!("{folder}/Cargo.toml"), 1, "layers", advice)
}

fn last_part(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Graph, check_proto_closure};
    use crate::tidy::rules::Rules;

    fn rules() -> Rules {
        let text = include_str!("../../tidy.toml");
        Rules::parse(text).expect("the committed lists are well formed")
    }

    /// A workspace of crates with `(name, own dependencies, others' dependencies)`.
    fn graph(rooms: &[(&str, &[&str], &[&str])]) -> Graph {
        let package = |(name, own, foreign): &(&str, &[&str], &[&str])| {
            let own = own
                .iter()
                .map(|dep| format!(r#"{{"name":"muster-{dep}","kind":null,"path":"/p/{dep}"}}"#));
            let foreign = foreign
                .iter()
                .map(|dep| format!(r#"{{"name":"{dep}","kind":null,"path":null}}"#));
            let dev = r#"{"name":"rand","kind":"dev","path":null}"#.to_owned();
            let all: Vec<String> = own.chain(foreign).chain([dev]).collect();
            format!(
                r#"{{"manifest_path":"/p/crates/{name}/Cargo.toml","dependencies":[{}]}}"#,
                all.join(",")
            )
        };
        let packages: Vec<String> = rooms.iter().map(package).collect();
        let json = format!(r#"{{"packages":[{}]}}"#, packages.join(","));
        Graph::parse(&json).expect("the sample is what cargo writes")
    }

    fn advice(rooms: &[(&str, &[&str], &[&str])]) -> Vec<String> {
        graph(rooms)
            .check(&rules())
            .into_iter()
            .map(|finding| finding.advice)
            .collect()
    }

    #[test]
    fn downwards_is_allowed_and_sideways_is_not() {
        assert!(advice(&[("host", &["proto", "store", "net"], &[])]).is_empty());
        let found = advice(&[("store", &["net"], &[])]);
        assert_eq!(found, ["must not use net; it may use: proto"]);
        assert!(advice(&[("attic", &[], &[])])[0].contains("[layers]"));
    }

    #[test]
    fn a_host_reaches_no_authority_even_by_a_detour() {
        let found = advice(&[("host", &["net"], &[]), ("net", &["authority"], &[])]);
        assert!(
            found
                .iter()
                .any(|advice| advice.contains("must never link authority")),
            "{found:?}"
        );
    }

    #[test]
    fn only_store_declares_a_database() {
        assert!(advice(&[("store", &["proto"], &["rusqlite"])]).is_empty());
        assert!(advice(&[("host", &[], &["rusqlite"])])[0].contains("only store speaks SQL"));
    }

    #[test]
    fn a_feature_for_tests_is_enabled_by_tests_only() {
        let package = |kind: &str| {
            let json = format!(
                r#"{{"packages":[{{"manifest_path":"/p/crates/host/Cargo.toml","dependencies":[
                   {{"name":"muster-proto","kind":{kind},"path":"/p/proto","features":["break-rules"]}}
                ]}}]}}"#
            );
            Graph::parse(&json)
                .expect("the sample is what cargo writes")
                .check(&rules())
        };
        assert!(package("\"dev\"").is_empty());
        assert!(package("null")[0].advice.contains("dev-dependencies only"));
    }

    #[test]
    fn proto_uses_what_is_listed_and_its_tests_are_free() {
        assert!(advice(&[("proto", &[], &["hmac", "subtle"])]).is_empty());
        assert!(advice(&[("proto", &[], &["tokio"])])[0].contains("proto.may_use"));
    }

    #[test]
    fn nothing_forbidden_reaches_proto_by_way_of_others() {
        let closure = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert!(check_proto_closure(&closure(&["hmac", "ciborium"]), &rules()).is_empty());
        assert_eq!(
            check_proto_closure(&closure(&["hmac", "mio"]), &rules()).len(),
            1
        );
    }
}
