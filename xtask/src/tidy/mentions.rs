//! What a crate's own code may name: sockets, arguments, printing, and in proto no file or clock.
//!
//! The code is read as tokens: `use` lists are unfolded, macros are read like the rest, comments and
//! strings are not. Tests (`#[cfg(test)]`, files named `tests.rs`, folders outside `src`) are free.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Finding;
use super::rules::{Only, Rules};
use crate::tree::{TextFile, Tree};

/// A path in code: `std::fs::read` is three parts.
#[derive(Debug, PartialEq, Eq)]
struct Mention {
    parts: Vec<String>,
    /// Whether `!` follows: a macro.
    is_macro: bool,
    line: usize,
}

/// Checks the production code of every crate.
pub(crate) fn check(tree: &Tree, rules: &Rules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(".rs") {
        let Some(room) = room_of(&file.path) else {
            continue;
        };
        let banned: Vec<&Only> = rules
            .only_mention
            .iter()
            .filter(|only| !only.crates.iter().any(|c| c == room))
            .collect();
        findings.extend(check_file(file, &banned));
    }
    findings
}

/// The crate whose production code a file is part of: `crates/NAME/src/…` or `xtask/src/…`.
fn room_of(path: &str) -> Option<&str> {
    let parts: Vec<&str> = path.split('/').collect();
    let (room, rest) = match parts.as_slice() {
        ["crates", room, "src", rest @ ..] => (*room, rest),
        ["xtask", "src", rest @ ..] => ("xtask", rest),
        _ => return None,
    };
    let is_test = rest.contains(&"tests") || rest.last() == Some(&"tests.rs");
    (!is_test).then_some(room)
}

fn check_file(file: &TextFile, banned: &[&Only]) -> Vec<Finding> {
    let Ok(stream) = TokenStream::from_str(&file.text) else {
        return Vec::new();
    };
    let mut mentions = Vec::new();
    collect(stream, &[], &mut mentions);
    let mut findings = Vec::new();
    for mention in &mentions {
        for only in banned {
            if let Some(name) = only.names.iter().find(|name| mention.is_of(name)) {
                let advice = format!(
                    "`{name}` belongs in {}: {}",
                    only.crates.join(", "),
                    only.why
                );
                findings.push(Finding::new(&file.path, mention.line, "reach", advice));
            }
        }
    }
    findings
}

impl Mention {
    /// Whether this path holds the named one as a run of whole parts; a name that ends in `!` wants
    /// a macro.
    fn is_of(&self, name: &str) -> bool {
        let bare = name.trim_end_matches('!');
        let wanted: Vec<&str> = bare.split("::").collect();
        if name.ends_with('!') {
            return self.is_macro && self.parts.iter().map(String::as_str).eq(wanted);
        }
        self.parts
            .windows(wanted.len())
            .any(|run| run.iter().map(String::as_str).eq(wanted.clone()))
    }
}

/// Collects the paths of a token stream; `prefix` is what stands before a `use` list.
fn collect(stream: TokenStream, prefix: &[String], out: &mut Vec<Mention>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at = match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => after_attribute(&tokens, at),
            TokenTree::Ident(_) => collect_path(&tokens, at, prefix, out),
            TokenTree::Group(group) => {
                collect(group.stream(), &[], out);
                at + 1
            }
            _ => at + 1,
        };
    }
}

/// Steps over `#[…]`; over the whole item when the attribute says that it is a test's.
fn after_attribute(tokens: &[TokenTree], hash: usize) -> usize {
    let is_inner = matches!(tokens.get(hash + 1), Some(TokenTree::Punct(p)) if p.as_char() == '!');
    let group_at = hash + 1 + usize::from(is_inner);
    let Some(TokenTree::Group(group)) = tokens.get(group_at) else {
        return hash + 1;
    };
    let words: String = group.stream().to_string().split_whitespace().collect();
    if words != "test" && !words.starts_with("cfg(test)") && !words.starts_with("cfg(all(test,") {
        return group_at + 1;
    }
    let ends_item = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    let rest = tokens.get(group_at + 1..).unwrap_or_default();
    group_at + 2 + rest.iter().position(ends_item).unwrap_or(rest.len())
}

/// Reads one path that begins at `at`; gives back where reading goes on.
fn collect_path(
    tokens: &[TokenTree],
    at: usize,
    prefix: &[String],
    out: &mut Vec<Mention>,
) -> usize {
    let line = tokens[at].span().start().line;
    let mut parts = prefix.to_vec();
    parts.push(tokens[at].to_string());
    let mut next = at + 1;
    while is_separator(tokens, next) {
        match tokens.get(next + 2) {
            Some(TokenTree::Ident(part)) => parts.push(part.to_string()),
            Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Brace => {
                collect(list.stream(), &parts, out);
            }
            _ => break,
        }
        next += 3;
    }
    let bang = matches!(tokens.get(next), Some(TokenTree::Punct(p)) if p.as_char() == '!');
    let is_macro = bang && matches!(tokens.get(next + 1), Some(TokenTree::Group(_)));
    out.push(Mention {
        parts,
        is_macro,
        line,
    });
    next
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::rules::{Only, Rules};
    use crate::tree::Tree;

    fn lines_found(path: &str, names: &[&str], text: &str) -> Vec<usize> {
        let only = Only {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            crates: vec!["net".to_owned()],
            why: "sample".to_owned(),
        };
        let rules = Rules {
            only_mention: vec![only],
            ..Rules::default()
        };
        check(&Tree::of(&[(path, text)]), &rules)
            .iter()
            .map(|finding| finding.line)
            .collect()
    }

    const HOST: &str = "crates/host/src/kms.rs";

    #[test]
    fn a_type_is_found_in_paths_lists_and_macros() {
        let names = ["TcpListener"];
        assert_eq!(
            lines_found(HOST, &names, "use tokio::net::TcpListener;"),
            [1]
        );
        assert_eq!(
            lines_found(HOST, &names, "use tokio::{io, net::{self, TcpListener}};"),
            [1]
        );
        assert_eq!(
            lines_found(
                HOST,
                &names,
                "\nfn f() { join!(net::TcpListener::bind(a)); }"
            ),
            [2]
        );
        assert!(
            lines_found(
                HOST,
                &names,
                "// TcpListener\nconst A: &str = \"TcpListener\";"
            )
            .is_empty()
        );
        assert!(
            lines_found(
                "crates/net/src/tcp.rs",
                &names,
                "use tokio::net::TcpListener;"
            )
            .is_empty()
        );
    }

    #[test]
    fn tests_and_examples_are_free() {
        let names = ["TcpListener"];
        let inline = "#[cfg(test)]\nmod tests { use std::net::TcpListener; }\nfn f() {}";
        assert!(lines_found(HOST, &names, inline).is_empty());
        assert!(
            lines_found(
                "crates/host/src/kms/tests.rs",
                &names,
                "use a::TcpListener;"
            )
            .is_empty()
        );
        assert!(lines_found("crates/host/tests/a.rs", &names, "use a::TcpListener;").is_empty());
        assert!(lines_found("crates/host/examples/a.rs", &names, "use a::TcpListener;").is_empty());
        let after = "#[cfg(test)]\nmod tests;\nuse a::TcpListener;";
        assert_eq!(lines_found(HOST, &names, after), [3]);
    }

    #[test]
    fn a_path_wants_its_parts_in_order_and_a_macro_its_mark() {
        assert_eq!(
            lines_found(HOST, &["std::fs"], "use std::{fs::File, io};"),
            [1]
        );
        assert!(lines_found(HOST, &["std::fs"], "use crate::fs::std;").is_empty());
        assert_eq!(
            lines_found(HOST, &["println!"], "fn f() { println!(\"x\"); }"),
            [1]
        );
        assert!(lines_found(HOST, &["println!"], "fn f() { println(1); a != b; }").is_empty());
    }
}
