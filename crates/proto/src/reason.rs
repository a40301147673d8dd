//! The reason table: one stable code, one sentence, a likely cause and a next step for every
//! refusal, wait and success. It feeds logs, metrics, exit messages, `muster explain` and the book.
//!
//! Each area keeps its entries in a file of its own; a code once published is never given another
//! meaning and never reused.

pub mod authority;
pub mod client;
pub mod config;
pub mod dns;
pub mod key;
pub mod kms;
pub mod statement;
pub mod store;

use std::fmt::{self, Write as _};

use crate::ids::steers;

/// One row of the reason table.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Stable code, `MUSTER-AREA-NNNN`.
    pub code: &'static str,
    /// What happened, in one sentence without a full stop.
    pub text: &'static str,
    /// The likely cause.
    pub cause: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// Why something was decided. Two reasons are equal when their codes are.
#[derive(Clone, Copy)]
pub struct Reason(&'static Entry);

impl Reason {
    /// Every reason of every area, in the order of their codes' areas.
    pub fn all() -> impl Iterator<Item = Reason> {
        [
            statement::ALL,
            key::ALL,
            kms::ALL,
            client::ALL,
            authority::ALL,
            dns::ALL,
            store::ALL,
            config::ALL,
        ]
        .into_iter()
        .flatten()
        .copied()
    }

    /// Finds a reason by its code, case-blind.
    pub fn find(code: &str) -> Option<Reason> {
        Self::all().find(|reason| reason.code().eq_ignore_ascii_case(code))
    }

    /// Makes a reason of a table entry; the areas' tables are the only users.
    pub const fn of(entry: &'static Entry) -> Self {
        Self(entry)
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        self.0.code
    }

    /// What happened.
    pub const fn text(self) -> &'static str {
        self.0.text
    }

    /// The likely cause.
    pub const fn cause(self) -> &'static str {
        self.0.cause
    }

    /// The next step.
    pub const fn next(self) -> &'static str {
        self.0.next
    }
}

impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.0.code == other.0.code
    }
}

impl Eq for Reason {}

impl std::hash::Hash for Reason {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.code.hash(state);
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.text, self.0.code)
    }
}

/// A refusal: its reason, and what exactly was seen (a field, a limit, a value that is no secret).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The row of the reason table.
    pub reason: Reason,
    /// What was seen, for the log and the error message; empty when the reason says it all.
    pub detail: String,
}

impl Refusal {
    /// A refusal with what was seen.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            detail: String::new(),
        }
    }
}

/// The detail may hold what somebody else sent: what would steer a terminal or a log stands escaped,
/// but for line breaks and tabs.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            return write!(f, "{}", self.reason);
        }
        write!(f, "{}: ", self.reason.text())?;
        for symbol in self.detail.chars() {
            if steers(symbol) && !matches!(symbol, '\n' | '\t') {
                write!(f, "{}", symbol.escape_unicode())?;
            } else {
                f.write_char(symbol)?;
            }
        }
        write!(f, " ({})", self.reason.code())
    }
}

impl std::error::Error for Refusal {}

/// Declares the reasons of one area: `NAME = "MUSTER-…" text, cause, next;`.
macro_rules! reasons {
    ($($name:ident = $code:literal, $text:literal, $cause:literal, $next:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`: ", $text, ".")]
            pub const $name: $crate::reason::Reason =
                $crate::reason::Reason::of(&$crate::reason::Entry {
                    code: $code, text: $text, cause: $cause, next: $next,
                });
        )*
        /// The reasons of this area, in the order of their codes.
        pub const ALL: &[$crate::reason::Reason] = &[$($name),*];
    };
}
pub(crate) use reasons;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_steers_no_terminal() {
        let detail = "\u{1b}[31m\u{202e}a\u{9b}1m\tb\nc é";
        let refusal = Refusal::new(key::UNKNOWN, detail);
        let shown = r"\u{1b}[31m\u{202e}a\u{9b}1m".to_owned() + "\tb\nc é";
        assert!(refusal.to_string().contains(&shown), "{refusal}");
    }

    #[test]
    fn codes_are_well_formed_and_unique() {
        let mut seen = std::collections::HashSet::new();
        for reason in Reason::all() {
            let parts: Vec<&str> = reason.code().split('-').collect();
            assert_eq!(parts.len(), 3, "{}", reason.code());
            assert_eq!(parts[0], "MUSTER");
            assert!(parts[2].len() == 4 && parts[2].bytes().all(|b| b.is_ascii_digit()));
            assert!(seen.insert(reason.code()), "{} stands twice", reason.code());
            for words in [reason.text(), reason.cause(), reason.next()] {
                assert!(
                    !words.is_empty() && !words.ends_with('.'),
                    "{}: {words:?}",
                    reason.code()
                );
            }
            assert_eq!(Reason::find(&reason.code().to_lowercase()), Some(reason));
        }
    }
}
