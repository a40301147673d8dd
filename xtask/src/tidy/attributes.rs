//! Attributes that switch something off say why: no `allow`, an `expect` with its reason, an
//! `ignore` with its reason. Read from the tokens, so that macros are covered too.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::Finding;
use crate::tree::{TextFile, Tree};

/// Checks every Rust file; one that cannot be split into tokens is the business of `source`.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.of_kind(".rs").flat_map(check_file).collect()
}

fn check_file(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Ok(tokens) = TokenStream::from_str(&file.text) {
        walk(&file.path, tokens, &mut findings);
    }
    findings
}

/// Finds `#[…]` and `#![…]` at every depth.
fn walk(path: &str, stream: TokenStream, findings: &mut Vec<Finding>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        if group.delimiter() == Delimiter::Bracket && follows_hash(&tokens[..at]) {
            judge(path, group.stream(), findings);
        }
        walk(path, group.stream(), findings);
    }
}

fn follows_hash(before: &[TokenTree]) -> bool {
    let is = |token: Option<&TokenTree>, c: char| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == c);
    let last = before.last();
    is(last, '#') || (is(last, '!') && is(before.iter().rev().nth(1), '#'))
}

/// Judges the inside of one attribute, and what `cfg_attr` holds.
fn judge(path: &str, inside: TokenStream, findings: &mut Vec<Finding>) {
    let tokens: Vec<TokenTree> = inside.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Ident(name) = token else {
            continue;
        };
        let line = name.span().start().line;
        let arguments = match tokens.get(at + 1) {
            Some(TokenTree::Group(group)) => Some(group),
            _ => None,
        };
        match (name.to_string().as_str(), arguments) {
            ("allow", Some(_)) => {
                let advice = "write `#[expect(lint, reason = \"…\")]`: it ends when its cause does";
                findings.push(Finding::new(path, line, "allow", advice));
            }
            ("expect", Some(group)) if !gives_reason(group) => {
                let advice = "add `reason = \"…\"`";
                findings.push(Finding::new(path, line, "expect", advice));
            }
            ("ignore", None)
                if tokens
                    .get(at + 1)
                    .is_none_or(|next| next.to_string() != "=") =>
            {
                let advice = "write `#[ignore = \"why\"]`, or run the test";
                findings.push(Finding::new(path, line, "ignore", advice));
            }
            ("cfg_attr", Some(group)) => judge(path, group.stream(), findings),
            _ => {}
        }
    }
}

fn gives_reason(arguments: &Group) -> bool {
    arguments
        .stream()
        .into_iter()
        .any(|token| token.to_string() == "reason")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tree::Tree;

    fn rules_broken(text: &str) -> Vec<&'static str> {
        let tree = Tree::of(&[("crates/a/src/part.rs", text)]);
        check(&tree)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn allow_is_refused_wherever_it_stands() {
        assert_eq!(rules_broken("#[allow(dead_code)] fn f() {}"), ["allow"]);
        assert_eq!(rules_broken("#![allow(dead_code)]"), ["allow"]);
        assert_eq!(
            rules_broken("#[cfg_attr(test, allow(dead_code))] fn f() {}"),
            ["allow"]
        );
        assert_eq!(
            rules_broken("macro_rules! m { () => { #[allow(x)] fn f() {} } }"),
            ["allow"]
        );
        assert!(rules_broken("fn f() { allow(1); }").is_empty());
    }

    #[test]
    fn expect_and_ignore_say_why() {
        assert_eq!(rules_broken("#[expect(dead_code)] fn f() {}"), ["expect"]);
        assert!(rules_broken("#[expect(dead_code, reason = \"shown\")] fn f() {}").is_empty());
        assert_eq!(rules_broken("#[test]\n#[ignore]\nfn f() {}"), ["ignore"]);
        assert!(rules_broken("#[test]\n#[ignore = \"an hour long\"]\nfn f() {}").is_empty());
        assert!(rules_broken("fn f() { x.expect(\"set\"); let ignore = 1; }").is_empty());
    }
}
