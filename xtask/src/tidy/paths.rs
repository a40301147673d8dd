//! Paths named in documents and in comments of Rust files exist. A word of inline code counts as a
//! path when it begins with one of the project's folders (`rooms` in xtask/tidy.toml) or is a
//! document of the root.
//!
//! ARCHITECTURE.md may name rooms that are still to come under a heading with the word "later"; once
//! such a room exists, it must leave that section.

use super::Finding;
use super::rules::Rules;
use crate::markdown::Page;
use crate::tree::Tree;

/// The only document that may speak of rooms to come.
const MAP: &str = "ARCHITECTURE.md";
/// Folders inside a crate: a path that begins `CRATE/src` is written without `crates/`.
const CRATE_FOLDERS: [&str; 4] = ["src", "tests", "benches", "examples"];

/// Checks every page.
pub(crate) fn check(tree: &Tree, pages: &[(&str, Page)], rules: &Rules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (document, page) in pages {
        for code in &page.codes {
            for word in code.text.split_whitespace() {
                let later = *document == MAP && is_later(page, code.line);
                if let Some(advice) = judge(word, later, tree, rules) {
                    findings.push(Finding::new(document, code.line, "path", advice));
                }
            }
        }
    }
    for file in tree.of_kind(".rs") {
        for (index, line) in file.text.lines().enumerate() {
            for word in codes_of_comment(line) {
                if let Some(advice) = judge(word, false, tree, rules) {
                    findings.push(Finding::new(&file.path, index + 1, "path", advice));
                }
            }
        }
    }
    findings
}

/// The words between backticks of a line that is a comment.
fn codes_of_comment(line: &str) -> impl Iterator<Item = &str> {
    let comment = line.trim_start().strip_prefix("//").unwrap_or_default();
    comment
        .split('`')
        .skip(1)
        .step_by(2)
        .flat_map(str::split_whitespace)
}

fn is_later(page: &Page, line: usize) -> bool {
    page.section_of(line)
        .iter()
        .any(|heading| heading.to_lowercase().contains("later"))
}

fn judge(word: &str, later: bool, tree: &Tree, rules: &Rules) -> Option<String> {
    if let Some(advice) = judge_short(word, tree) {
        return Some(advice);
    }
    let path = repo_path(word, rules)?;
    let missing = unfold(path).into_iter().find(|path| !tree.holds(path));
    match (missing, later) {
        (Some(missing), false) => Some(format!("`{missing}` does not exist in the project")),
        (None, true) => Some(format!(
            "`{path}` exists now: move it out of the later section"
        )),
        _ => None,
    }
}

/// A path that leaves `crates/` out: proto/src/lib.rs.
fn judge_short(word: &str, tree: &Tree) -> Option<String> {
    let (room, rest) = word.split_once('/')?;
    let folder = rest.split('/').next().unwrap_or_default();
    let is_short = CRATE_FOLDERS.contains(&folder) && tree.holds(&format!("crates/{room}"));
    is_short.then(|| format!("write `crates/{word}`, the whole path"))
}

/// The path that a word of inline code names, if it names one.
fn repo_path<'a>(word: &'a str, rules: &Rules) -> Option<&'a str> {
    if word.contains(['<', '>', '$', '=', '(', '…', '"', '\'']) || word.contains("://") {
        return None;
    }
    let path = without_line(word).trim_end_matches([',', ';']);
    let is_root_document = !path.contains('/')
        && path.strip_suffix(".md").is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '-')
        });
    let first = path.split('/').next().unwrap_or_default();
    let is_in_room = path.contains('/') && rules.rooms.iter().any(|room| room == first);
    (is_root_document || is_in_room).then_some(path)
}

/// `a/b.rs:12` names the file a/b.rs.
fn without_line(word: &str) -> &str {
    match word.rsplit_once(':') {
        Some((path, line)) if line.chars().all(|c| c.is_ascii_digit()) => path,
        _ => word,
    }
}

/// `a/{b,c}.rs` names two files.
fn unfold(path: &str) -> Vec<String> {
    let Some((start, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let Some((list, end)) = rest.split_once('}') else {
        return vec![path.to_owned()];
    };
    list.split(',')
        .flat_map(|part| unfold(&format!("{start}{part}{end}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::markdown::Page;
    use crate::tidy::rules::Rules;
    use crate::tree::Tree;

    fn found(document: &str, text: &str) -> Vec<String> {
        let rules = Rules {
            rooms: ["crates", "docs", "fuzz"].map(str::to_owned).to_vec(),
            ..Rules::default()
        };
        let tree = Tree::of(&[
            ("crates/proto/src/limits.rs", ""),
            ("crates/proto/src/lib.rs", ""),
            ("STYLE.md", ""),
        ]);
        let pages = [(document, Page::read(text))];
        check(&tree, &pages, &rules)
            .into_iter()
            .map(|finding| finding.advice)
            .collect()
    }

    #[test]
    fn a_path_that_exists_passes_and_one_that_does_not_is_named() {
        assert!(
            found(
                "README.md",
                "`crates/proto/src/limits.rs:3` and `crates/proto/`"
            )
            .is_empty()
        );
        assert!(
            found(
                "README.md",
                "`crates/proto/src/{limits,lib}.rs`, `crates/*/src`"
            )
            .is_empty()
        );
        assert!(
            found(
                "README.md",
                "`STYLE.md`, `/etc/muster/kms.toml`, `a/b`, `state`"
            )
            .is_empty()
        );
        assert!(found("README.md", "`crates/NAME/<x>`").is_empty());
        let gone = "`crates/proto/src/gone.rs` does not exist in the project";
        assert_eq!(
            found("README.md", "see `cat crates/proto/src/gone.rs`"),
            [gone]
        );
        assert_eq!(found("README.md", "`GONE.md`").len(), 1);
        assert_eq!(
            found("README.md", "`crates/proto/src/{lib,gone}.rs`"),
            [gone]
        );
    }

    #[test]
    fn comments_of_rust_files_are_read_and_their_strings_are_not() {
        let found = |text: &str| {
            let rules = Rules {
                rooms: vec!["docs".to_owned()],
                ..Rules::default()
            };
            let findings = check(&Tree::of(&[("crates/a/src/b.rs", text)]), &[], &rules);
            findings
                .into_iter()
                .map(|finding| finding.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(found("//! A part.\n//! See `docs/gone.md`.\n"), [2]);
        assert!(found("const A: &str = \"`docs/gone.md`\"; // `b` docs/gone.md `c`").is_empty());
    }

    #[test]
    fn a_path_is_written_whole() {
        assert_eq!(
            found("a.md", "`proto/src/lib.rs`"),
            ["write `crates/proto/src/lib.rs`, the whole path"]
        );
    }

    #[test]
    fn only_the_map_speaks_of_later_rooms_and_only_while_they_are_missing() {
        let text = "# Map\n\n## Later rooms\n\n`fuzz/`: later. \n\n## Now\n";
        assert!(found("ARCHITECTURE.md", text).is_empty());
        assert_eq!(found("README.md", text).len(), 1);
        assert_eq!(found("ARCHITECTURE.md", "## Now\n\n`fuzz/a`").len(), 1);
        let here = found("ARCHITECTURE.md", "## Later\n\n`crates/proto/`");
        assert!(here[0].contains("move it out"), "{here:?}");
    }
}
