//! The files of the project as the checks see them: what git tracks or would track, never what it
//! ignores, with the text of those kinds that the checks read.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, output_of};

/// The kinds of file whose text is read, by the end of their names.
const TEXT_KINDS: [&str; 3] = [".rs", ".md", ".toml"];

/// One file's text under its path from the project's root, with `/` between folders.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// The path from the root.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

/// All files of the project.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Every file and every folder above a file.
    paths: BTreeSet<String>,
    /// The text files, in the order of their paths.
    files: Vec<TextFile>,
}

impl Tree {
    /// Reads the project under `root`. Files that git lists and that are gone are left out, so that
    /// a deletion not yet committed counts as one.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let listed = output_of(Command::new("git").current_dir(root).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let mut tree = Self::default();
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            if !root.join(path).is_file() {
                continue;
            }
            tree.add_path(path);
            if TEXT_KINDS.iter().any(|kind| path.ends_with(kind)) {
                let text =
                    std::fs::read_to_string(root.join(path)).map_err(|source| Failure::File {
                        path: path.to_owned(),
                        source,
                    })?;
                tree.files.push(TextFile {
                    path: path.to_owned(),
                    text,
                });
            }
        }
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree.files.dedup_by(|a, b| a.path == b.path);
        Ok(tree)
    }

    /// A tree made of the given paths and texts.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add_path(path);
            tree.files.push(TextFile {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
            });
        }
        tree
    }

    /// The text files whose names end in `kind`, `.rs` for example.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a TextFile> {
        self.files
            .iter()
            .filter(move |file| file.path.ends_with(kind))
    }

    /// The text of one file.
    pub(crate) fn text_of(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    }

    /// Whether a file or folder of this path is part of the project; a `*` in the last part stands
    /// for anything.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        match path.split_once('*') {
            None => self.paths.contains(path),
            Some((start, end)) => self
                .paths
                .iter()
                .any(|held| held.starts_with(start) && held.ends_with(end)),
        }
    }

    fn add_path(&mut self, path: &str) {
        let mut end = path.len();
        loop {
            self.paths.insert(path[..end].to_owned());
            match path[..end].rfind('/') {
                Some(cut) => end = cut,
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn a_folder_is_part_of_the_project_when_a_file_below_it_is() {
        let tree = Tree::of(&[("crates/proto/src/lib.rs", "")]);
        assert!(tree.holds("crates/proto/src/lib.rs"));
        assert!(tree.holds("crates/proto/"));
        assert!(tree.holds("crates/*/lib.rs"));
        assert!(!tree.holds("crates/net"));
        assert!(!tree.holds("crates/pro"));
    }
}
