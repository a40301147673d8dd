//! Words that never reach the main branch. They are listed in xtask/tidy.toml and looked for in
//! Rust files, comments included; a word inside a longer one does not count.

use super::Finding;
use super::rules::Rules;
use crate::tree::Tree;

/// Checks every line of every Rust file.
pub(crate) fn check(tree: &Tree, rules: &Rules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of_kind(".rs") {
        for (index, line) in file.text.lines().enumerate() {
            for word in rules.words.iter().filter(|word| holds_word(line, word)) {
                let advice = format!("`{word}`: finish it now, or file it as an issue");
                findings.push(Finding::new(&file.path, index + 1, "word", advice));
            }
        }
    }
    findings
}

/// Whether `word` stands in `line` with no letter, digit or `_` on either side.
fn holds_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::rules::Rules;
    use crate::tree::Tree;

    #[test]
    fn a_whole_word_is_found_and_a_part_of_one_is_not() {
        let rules = Rules {
            words: vec!["LATER".to_owned()],
            ..Rules::default()
        };
        let found = |text: &str| check(&Tree::of(&[("a.rs", text)]), &rules);
        assert_eq!(found("//! A part.\nfn f() {} // LATER: more\n")[0].line, 2);
        assert!(found("const LATERAL: u8 = 1; const NO_LATER: u8 = 2;").is_empty());
    }
}
