//! Links in documents lead somewhere: the file is part of the project, the heading stands on the
//! page, every page of the book is in its table of contents, and the book links only to itself,
//! since it is read apart from the source. Addresses on the web are not tried.

use std::collections::BTreeSet;

use super::Finding;
use crate::markdown::Page;
use crate::tree::Tree;

/// The folder of the book's pages.
const BOOK: &str = "docs/src/";
/// The book's table of contents.
const CONTENTS: &str = "docs/src/SUMMARY.md";

/// Checks the links of every page, and that the book is whole.
pub(crate) fn check(tree: &Tree, pages: &[(&str, Page)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut listed = BTreeSet::new();
    for (document, page) in pages {
        for link in &page.links {
            let target = Target::of(document, &link.text);
            if let (true, Target::File { path, .. }) = (*document == CONTENTS, &target) {
                listed.insert(path.clone());
            }
            if let Some(advice) = judge(document, &target, tree, pages) {
                let advice = format!("`{}`: {advice}", link.text);
                findings.push(Finding::new(document, link.line, "link", advice));
            }
        }
    }
    for (document, _) in pages
        .iter()
        .filter(|(document, _)| document.starts_with(BOOK))
    {
        if *document != CONTENTS && !listed.contains(*document) {
            let advice = format!("the page is not in {CONTENTS}: no reader will find it");
            findings.push(Finding::new(document, 1, "link", advice));
        }
    }
    findings
}

/// Where a link leads.
enum Target {
    /// Outside the project: not tried.
    Web,
    /// A file, by its path from the root, and the heading on it.
    File {
        path: String,
        anchor: Option<String>,
    },
    /// A path that climbs out of the project or starts at its root.
    Outside,
}

impl Target {
    fn of(document: &str, link: &str) -> Self {
        if link.contains("://") || link.starts_with("mailto:") {
            return Self::Web;
        }
        let (file, anchor) = match link.split_once('#') {
            Some((file, anchor)) => (file, Some(anchor.to_owned())),
            None => (link, None),
        };
        let path = if file.is_empty() {
            Some(document.to_owned())
        } else {
            join(document, file)
        };
        path.map_or(Self::Outside, |path| Self::File { path, anchor })
    }
}

/// The path that `link` on `document` names, from the root.
fn join(document: &str, link: &str) -> Option<String> {
    if link.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn judge(document: &str, target: &Target, tree: &Tree, pages: &[(&str, Page)]) -> Option<String> {
    let (path, anchor) = match target {
        Target::Web => return None,
        Target::Outside => return Some("leads out of the project".to_owned()),
        Target::File { path, anchor } => (path, anchor),
    };
    if !tree.holds(path) {
        return Some(format!("{path} does not exist"));
    }
    if document.starts_with(BOOK) && !path.starts_with(BOOK) {
        return Some("leads out of the book; name the path as code instead".to_owned());
    }
    let anchor = anchor.as_ref()?;
    let page = pages
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, page)| page);
    match page {
        Some(page) if page.anchors.contains(anchor) => None,
        _ => Some(format!("{path} has no heading `#{anchor}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::markdown::Page;
    use crate::tree::Tree;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let tree = Tree::of(files);
        let pages: Vec<(&str, Page)> = files
            .iter()
            .map(|(path, text)| (*path, Page::read(text)))
            .collect();
        check(&tree, &pages)
            .into_iter()
            .map(|finding| finding.advice)
            .collect()
    }

    #[test]
    fn a_link_leads_to_a_file_and_a_heading() {
        let good =
            "[a](b/c.md) [b](b/c.md#a-part) [c](#top) [d](https://example.org/x) [e](b)\n\n# Top";
        assert!(found(&[("a.md", good), ("b/c.md", "# A part\n\n[up](../a.md)")]).is_empty());
        assert_eq!(
            found(&[("a.md", "[x](gone.md)")]),
            ["`gone.md`: gone.md does not exist"]
        );
        assert_eq!(
            found(&[("a.md", "[x](#gone)")]),
            ["`#gone`: a.md has no heading `#gone`"]
        );
        assert_eq!(
            found(&[("a.md", "[x](../b.md)")]),
            ["`../b.md`: leads out of the project"]
        );
        assert_eq!(
            found(&[("a.md", "[x](/b.md)")]),
            ["`/b.md`: leads out of the project"]
        );
    }

    #[test]
    fn the_book_is_whole_and_links_to_itself() {
        let contents = ("docs/src/SUMMARY.md", "[One](one.md)");
        assert!(found(&[contents, ("docs/src/one.md", "# One")]).is_empty());
        let lost = found(&[
            contents,
            ("docs/src/one.md", "# One"),
            ("docs/src/two.md", "# Two"),
        ]);
        assert!(lost[0].contains("not in docs/src/SUMMARY.md"), "{lost:?}");
        let out = found(&[
            contents,
            ("docs/src/one.md", "[s](../../S.md)"),
            ("S.md", ""),
        ]);
        assert_eq!(
            out,
            ["`../../S.md`: leads out of the book; name the path as code instead"]
        );
    }
}
