//! The house rules that a machine can check. Each rule is a module with a function from what it
//! reads to its findings, and a test with one sample that passes and one that does not.
//!
//! A finding is printed as `file:line: rule: what to do`.

mod attributes;
mod layers;
mod links;
mod manifest;
mod mentions;
mod paths;
mod rules;
mod source;
mod words;

use std::fmt;
use std::path::Path;

use crate::failure::Failure;
use crate::markdown::Page;
use crate::tree::Tree;

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    rule: &'static str,
    advice: String,
}

impl Finding {
    fn new(file: &str, line: usize, rule: &'static str, advice: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            rule,
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}: {}",
            self.file, self.line, self.rule, self.advice
        )
    }
}

/// Checks every rule; prints the findings in the order of the files.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let tree = Tree::read(root)?;
    let rules = rules::Rules::read(&tree)?;
    let graph = layers::Graph::read(root)?;
    let mut findings = source::check(&tree);
    findings.extend(attributes::check(&tree));
    findings.extend(words::check(&tree, &rules));
    findings.extend(mentions::check(&tree, &rules));
    findings.extend(manifest::check(&tree));
    findings.extend(graph.check(&rules));
    findings.extend(layers::check_proto_closure(
        &layers::proto_closure(root)?,
        &rules,
    ));
    findings.extend(documents(&tree, &rules));
    report(findings)
}

fn documents(tree: &Tree, rules: &rules::Rules) -> Vec<Finding> {
    let pages = pages_of(tree);
    let mut findings = paths::check(tree, &pages, rules);
    findings.extend(links::check(tree, &pages));
    findings
}

fn pages_of(tree: &Tree) -> Vec<(&str, Page)> {
    tree.of_kind(".md")
        .map(|file| (file.path.as_str(), Page::read(&file.text)))
        .collect()
}

fn report(mut findings: Vec<Finding>) -> Result<(), Failure> {
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err(Failure::said("1 house rule is broken")),
        many => Err(Failure::said(format!(
            "house rules are broken in {many} places"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, report};

    #[test]
    fn a_finding_names_file_line_rule_and_remedy() {
        let finding = Finding::new(
            "crates/a/src/lib.rs",
            7,
            "header",
            "open the file with `//!`",
        );
        assert_eq!(
            finding.to_string(),
            "crates/a/src/lib.rs:7: header: open the file with `//!`"
        );
        assert!(report(vec![finding]).is_err());
        assert!(report(Vec::new()).is_ok());
    }
}
