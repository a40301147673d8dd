//! The shape of a source file: its header, its length, the length of its functions, and the ban of
//! unsafe code in crate roots.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Finding;
use crate::tree::{TextFile, Tree};

/// Lines of a file, tests included.
const FILE_LINES_MAX: usize = 800;
/// Lines of a function from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// The only crate that may hold unsafe code.
const UNSAFE_ROOM: &str = "crates/ffi/";

/// Checks every Rust file.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.of_kind(".rs").flat_map(check_file).collect()
}

fn check_file(file: &TextFile) -> Vec<Finding> {
    let path = file.path.as_str();
    let mut findings = Vec::new();
    let first = file.text.lines().next().unwrap_or_default();
    if first
        .strip_prefix("//!")
        .is_none_or(|words| words.trim().is_empty())
    {
        let advice = "open the file with a `//!` line that says what it is";
        findings.push(Finding::new(path, 1, "header", advice));
    }
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        let advice =
            format!("{lines} lines: split it by noun, {FILE_LINES_MAX} lines are the limit");
        findings.push(Finding::new(
            path,
            FILE_LINES_MAX + 1,
            "file-length",
            advice,
        ));
    }
    match syn::parse_file(&file.text) {
        Ok(parsed) => {
            let mut functions = Functions {
                path,
                findings: &mut findings,
            };
            functions.visit_file(&parsed);
            if is_crate_root(path) && !path.starts_with(UNSAFE_ROOM) && !forbids_unsafe(&parsed) {
                let advice = "write `#![forbid(unsafe_code)]` under the header";
                findings.push(Finding::new(path, 1, "unsafe", advice));
            }
        }
        Err(error) => {
            let line = error.span().start().line;
            findings.push(Finding::new(path, line, "syntax", error.to_string()));
        }
    }
    findings
}

/// Whether a path is the root of a library or a program: `src/lib.rs`, `src/main.rs`,
/// `src/bin/NAME.rs`.
fn is_crate_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || path.contains("/src/bin/")
}

fn forbids_unsafe(file: &syn::File) -> bool {
    file.attrs.iter().any(|attribute| {
        attribute.path().is_ident("forbid")
            && attribute
                .parse_args_with(
                    syn::punctuated::Punctuated::<syn::Path, syn::Token![,]>::parse_terminated,
                )
                .is_ok_and(|lints| lints.iter().any(|lint| lint.is_ident("unsafe_code")))
    })
}

/// Walks a file and measures each function that has a body.
struct Functions<'a> {
    path: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let start = signature.fn_token.span().start().line;
        let end = body.brace_token.span.close().end().line;
        let lines = end + 1 - start;
        if lines > FUNCTION_LINES_MAX {
            let advice = format!(
                "`{}` has {lines} lines: split it, {FUNCTION_LINES_MAX} are the limit",
                signature.ident
            );
            self.findings
                .push(Finding::new(self.path, start, "function-length", advice));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE_LINES_MAX, FUNCTION_LINES_MAX, check};
    use crate::tree::Tree;

    const PATH: &str = "crates/a/src/part.rs";

    fn rules_broken(path: &str, text: &str) -> Vec<&'static str> {
        check(&Tree::of(&[(path, text)]))
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    /// A file whose one function has `lines` lines.
    fn function_of(lines: usize) -> String {
        format!(
            "//! A part.\n\nfn long() {{\n{}}}\n",
            "    f();\n".repeat(lines - 2)
        )
    }

    #[test]
    fn a_file_needs_a_header_with_words_on_its_first_line() {
        assert!(rules_broken(PATH, "//! A part.\n").is_empty());
        assert_eq!(rules_broken(PATH, "//!\n"), ["header"]);
        assert_eq!(rules_broken(PATH, "\n//! A part.\n"), ["header"]);
        assert_eq!(rules_broken(PATH, ""), ["header"]);
    }

    #[test]
    fn a_file_has_a_longest_length() {
        let of = |lines: usize| format!("//! A part.\n{}", "//\n".repeat(lines - 1));
        assert!(rules_broken(PATH, &of(FILE_LINES_MAX)).is_empty());
        assert_eq!(rules_broken(PATH, &of(FILE_LINES_MAX + 1)), ["file-length"]);
    }

    #[test]
    fn a_function_has_a_longest_length_wherever_it_stands() {
        assert!(rules_broken(PATH, &function_of(FUNCTION_LINES_MAX)).is_empty());
        assert_eq!(
            rules_broken(PATH, &function_of(FUNCTION_LINES_MAX + 1)),
            ["function-length"]
        );
        let body = "        f();\n".repeat(FUNCTION_LINES_MAX);
        let method = format!("//! A part.\nimpl A {{\n    fn long(&self) {{\n{body}    }}\n}}\n");
        assert_eq!(rules_broken(PATH, &method), ["function-length"]);
        let default = format!("//! A part.\ntrait A {{\n    fn long(&self) {{\n{body}    }}\n}}\n");
        assert_eq!(rules_broken(PATH, &default), ["function-length"]);
    }

    #[test]
    fn a_crate_root_forbids_unsafe_code_except_in_ffi() {
        let bare = "//! A crate.\n";
        let good = "//! A crate.\n#![forbid(unsafe_code, unused_must_use)]\n";
        assert_eq!(rules_broken("crates/a/src/lib.rs", bare), ["unsafe"]);
        assert_eq!(rules_broken("crates/a/src/bin/tool.rs", bare), ["unsafe"]);
        assert!(rules_broken("crates/a/src/lib.rs", good).is_empty());
        assert!(rules_broken("crates/a/tests/all.rs", bare).is_empty());
        assert!(rules_broken("crates/ffi/src/lib.rs", bare).is_empty());
    }

    #[test]
    fn text_that_is_no_rust_is_named() {
        assert_eq!(rules_broken(PATH, "//! A part.\nfn {\n"), ["syntax"]);
    }
}
