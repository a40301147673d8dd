//! Why something could not be measured, in words.

use std::fmt;

use muster_proto::Refusal;

/// Why something could not be measured.
#[derive(Clone, Debug)]
pub(crate) struct Failure(pub(crate) String);

/// What most functions here give back.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure in words.
    pub(crate) fn said(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.to_string())
    }
}

/// Names what was being done when something else failed.
pub(crate) trait During<T> {
    /// Puts `what` before the words of the error.
    fn during(self, what: &str) -> Outcome<T>;
}

impl<T, E: fmt::Display> During<T> for Result<T, E> {
    fn during(self, what: &str) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}
