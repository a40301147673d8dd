//! What the checks want to know of a Markdown page: its code spans, its links, its headings and the
//! anchors that they make.
//!
//! Anchors are made as mdBook makes them (letters, digits, `_` and `-` kept in lower case, white
//! space to `-`, the rest dropped, a number added to the second of the same name).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A piece of a page with the line it begins on, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The text of the code span, heading, or the target of the link.
    pub(crate) text: String,
}

/// A heading, with its level: 1 for `#`.
#[derive(Debug)]
pub(crate) struct Heading {
    /// The words and the line.
    pub(crate) piece: Piece,
    /// 1 to 6.
    pub(crate) level: usize,
}

/// What a page holds.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Inline code, `like this`; never fenced blocks.
    pub(crate) codes: Vec<Piece>,
    /// Targets of links and pictures.
    pub(crate) links: Vec<Piece>,
    /// Headings in order.
    pub(crate) headings: Vec<Heading>,
    /// What a link may name after `#`.
    pub(crate) anchors: BTreeSet<String>,
}

impl Page {
    /// Reads a page. Markdown has no wrong text, so this cannot fail.
    pub(crate) fn read(text: &str) -> Self {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_HEADING_ATTRIBUTES;
        let mut reader = Reader::new(text);
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            reader.take(event, &range);
        }
        reader.page
    }

    /// The words of the headings that stand over `line`, outermost first.
    pub(crate) fn section_of(&self, line: usize) -> Vec<&str> {
        let mut open: Vec<&Heading> = Vec::new();
        for heading in self
            .headings
            .iter()
            .take_while(|heading| heading.piece.line <= line)
        {
            open.retain(|above| above.level < heading.level);
            open.push(heading);
        }
        open.into_iter()
            .map(|heading| heading.piece.text.as_str())
            .collect()
    }
}

/// The state of reading one page.
struct Reader {
    page: Page,
    line_starts: Vec<usize>,
    /// The heading being read and the identifier written behind it, if any.
    heading: Option<(Heading, Option<String>)>,
    seen: BTreeMap<String, usize>,
}

impl Reader {
    fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Self {
            page: Page::default(),
            line_starts,
            heading: None,
            seen: BTreeMap::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, range: &Range<usize>) {
        let line = self
            .line_starts
            .partition_point(|start| *start <= range.start);
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.page.links.push(Piece {
                    line,
                    text: dest_url.into_string(),
                });
            }
            Event::Start(Tag::Heading { level, id, .. }) => {
                let piece = Piece {
                    line,
                    text: String::new(),
                };
                let heading = Heading {
                    piece,
                    level: level as usize,
                };
                self.heading = Some((heading, id.map(pulldown_cmark::CowStr::into_string)));
            }
            Event::End(TagEnd::Heading(_)) => self.end_heading(),
            Event::Code(code) => {
                self.add_to_heading(&code);
                self.page.codes.push(Piece {
                    line,
                    text: code.into_string(),
                });
            }
            Event::Text(words) => self.add_to_heading(&words),
            _ => {}
        }
    }

    fn add_to_heading(&mut self, words: &str) {
        if let Some((heading, _)) = &mut self.heading {
            heading.piece.text.push_str(words);
        }
    }

    fn end_heading(&mut self) {
        let Some((heading, id)) = self.heading.take() else {
            return;
        };
        let id = id.unwrap_or_else(|| anchor_of(&heading.piece.text));
        let count = self.seen.entry(id.clone()).or_insert(0);
        let unique = if *count == 0 {
            id
        } else {
            format!("{id}-{count}")
        };
        *count += 1;
        self.page.anchors.insert(unique);
        self.page.headings.push(heading);
    }
}

/// The anchor that mdBook makes of a heading's words.
fn anchor_of(words: &str) -> String {
    words
        .trim()
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
            c if c.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Page, Piece};

    const PAGE: &str = "# One `two` (three)\n\ntext `a/b.rs` and [x](y.md#z)\n\n## Sub\n\n\
        ```text\n`not/this.rs` [nor](that.md)\n```\n\n## Sub\n\n# Last {#end}\n";

    #[test]
    fn code_and_links_are_found_with_their_lines_but_not_in_fences() {
        let page = Page::read(PAGE);
        let piece = |line, text: &str| Piece {
            line,
            text: text.to_owned(),
        };
        assert_eq!(page.codes, [piece(1, "two"), piece(3, "a/b.rs")]);
        assert_eq!(page.links, [piece(3, "y.md#z")]);
    }

    #[test]
    fn anchors_are_those_of_mdbook() {
        let page = Page::read(PAGE);
        let anchors: Vec<&str> = page.anchors.iter().map(String::as_str).collect();
        assert_eq!(anchors, ["end", "one-two-three", "sub", "sub-1"]);
    }

    #[test]
    fn a_section_ends_where_a_heading_of_its_level_begins() {
        let page = Page::read(PAGE);
        assert_eq!(page.section_of(3), ["One two (three)"]);
        assert_eq!(page.section_of(6), ["One two (three)", "Sub"]);
        assert_eq!(page.section_of(14), ["Last"]);
    }
}
