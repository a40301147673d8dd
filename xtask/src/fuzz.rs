//! `cargo xtask fuzz`: builds the targets of fuzz/ with coverage counters, runs each for a while
//! under libFuzzer, and keeps what it found worth keeping. It needs a C++ compiler and nothing else
//! that stable Rust does not have.

mod engine;
mod pack;

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use engine::{Engine, Limits};

/// Where everything is worked on; the corpora that are kept stand under fuzz/.
const ROOM: &str = "target/fuzz";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The targets; empty means all.
    only: Vec<String>,
    /// Seconds for each.
    seconds: u64,
    /// The seed of its random numbers; 0 is a new one each time.
    seed: u32,
    /// An input to feed once, instead.
    input: Option<PathBuf>,
}

impl Options {
    /// Reads the words after `fuzz`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self {
            only: Vec::new(),
            seconds: 60,
            seed: 0,
            input: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                let missing = || Failure::said(format!("{word} needs a value"));
                words.next().copied().ok_or_else(missing)
            };
            match *word {
                "--seconds" => options.seconds = number(word, value()?)?,
                "--seed" => options.seed = number(word, value()?)?,
                "--input" => options.input = Some(value()?.into()),
                _ if word.starts_with('-') => {
                    return Err(Failure::said(format!("`{word}` is not known")));
                }
                _ => options.only.push((*word).to_owned()),
            }
        }
        if options.input.is_some() && options.only.len() != 1 {
            return Err(Failure::said(
                "an input needs the one target that it is for",
            ));
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(word: &str, text: &str) -> Result<T, Failure> {
    let wrong = |_| Failure::said(format!("{word} needs a number, not `{text}`"));
    text.parse().map_err(wrong)
}

/// Runs what was asked for; a target that fails does not stop the others.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let engine = Engine::build(root, &root.join(ROOM))?;
    let known = engine.targets()?;
    let unknown = |name: &&String| !known.iter().any(|target| target.name == **name);
    if let Some(name) = options.only.iter().find(unknown) {
        let names: Vec<&str> = known.iter().map(|target| target.name.as_str()).collect();
        let said = format!("no target is named {name}; there are: {}", names.join(", "));
        return Err(Failure::said(said));
    }
    if let (Some(input), Some(name)) = (&options.input, options.only.first()) {
        return engine.feed(name, input);
    }
    let wanted = |name: &String| options.only.is_empty() || options.only.contains(name);
    let limits = Limits {
        seconds: options.seconds,
        seed: options.seed,
    };
    println!("{}", engine::HEAD);
    let mut found = 0;
    for target in known.iter().filter(|target| wanted(&target.name)) {
        let kept = root
            .join("fuzz/corpus")
            .join(format!("{}.pack", target.name));
        let words = root
            .join("fuzz/dictionaries")
            .join(format!("{}.dict", target.name));
        let room = root.join(ROOM).join("run").join(&target.name);
        let row = engine.run(target, &Room::make(room, &kept)?, &words, &limits)?;
        println!("{row}");
        found += row.found;
        engine.keep(target, &kept)?;
    }
    match found {
        0 => Ok(()),
        _ => Err(Failure::said(format!(
            "{found} inputs made a target fail: they lie under {ROOM}/run/TARGET/found"
        ))),
    }
}

/// A target's folders.
struct Room {
    dir: PathBuf,
}

impl Room {
    /// Makes the folders anew; the corpus begins with what was kept.
    fn make(dir: PathBuf, kept: &Path) -> Result<Self, Failure> {
        let room = Self { dir };
        for name in ["corpus", "seeds"] {
            let folder = room.path(name);
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(failed(&folder))?;
            }
        }
        for name in ["corpus", "seeds", "found"] {
            let folder = room.path(name);
            fs::create_dir_all(&folder).map_err(failed(&folder))?;
        }
        pack::unpack(kept, &room.path("corpus"))?;
        Ok(room)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.display().to_string();
    move |source| Failure::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn words_are_targets_and_bounds() {
        let options = Options::parse(&["asks", "--seconds", "5", "--seed", "7", "texts"]);
        let options = options.expect("good words");
        assert_eq!(options.only, ["asks", "texts"]);
        assert_eq!((options.seconds, options.seed), (5, 7));
        for wrong in [
            &["--seconds"][..],
            &["--seconds", "x"],
            &["--fast"],
            &["--input", "f"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
