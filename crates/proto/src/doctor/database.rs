//! A store on a database server: whether it answers, and whether what it acknowledged outlives it.

use crate::reason::{Refusal, store as reasons};

use super::{Outcome, words};

/// A store on a database server.
#[derive(Clone, Debug)]
pub struct DatabaseSeen {
    /// Where it is, without a password.
    pub url: String,
    /// How the server that takes changes keeps a second copy; or why none answers.
    pub answer: Result<ReplicationSeen, Refusal>,
}

/// How a database server keeps a second copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationSeen {
    /// The server's version.
    pub version: String,
    /// Whether a commit waits until a second server has it.
    pub is_synchronous: bool,
    /// The standbys that are connected.
    pub standbys: Vec<String>,
}

impl DatabaseSeen {
    /// Judges it. Standbys that commits do not wait for lose, with the server, what it had
    /// acknowledged: `asynchronous` says what that is for the role.
    pub fn judge(&self, asynchronous: fn(crate::Reason, String) -> Outcome) -> Outcome {
        let seen = match &self.answer {
            Ok(seen) => seen,
            Err(refusal) => return Outcome::fail(refusal.reason, words(refusal)),
        };
        let server = format!("{}: PostgreSQL {} takes changes", self.url, seen.version);
        let standbys = seen.standbys.join(", ");
        match (seen.standbys.is_empty(), seen.is_synchronous) {
            (true, _) => Outcome::ok(format!("{server}, no standby is connected")),
            (false, true) => Outcome::ok(format!("{server} and waits for a standby ({standbys})")),
            (false, false) => {
                let saw = format!("{server} and waits for none of its standbys ({standbys})");
                asynchronous(reasons::ASYNCHRONOUS, saw)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn judged(answer: Result<ReplicationSeen, Refusal>) -> Outcome {
        let url = "postgres://muster@one/fleet".to_owned();
        DatabaseSeen { url, answer }.judge(Outcome::warn)
    }

    #[test]
    fn standbys_are_waited_for_or_it_is_told() {
        let seen = |is_synchronous, standbys: &[&str]| {
            let standbys = standbys.iter().map(|name| (*name).to_owned()).collect();
            let version = "15.18".to_owned();
            judged(Ok(ReplicationSeen {
                version,
                is_synchronous,
                standbys,
            }))
        };
        assert_eq!(seen(false, &[]).verdict, Verdict::Ok);
        assert_eq!(seen(true, &["two"]).verdict, Verdict::Ok);
        let lazy = seen(false, &["two", "three"]);
        assert_eq!(lazy.verdict, Verdict::Warn);
        assert_eq!(lazy.reason, Some(reasons::ASYNCHRONOUS));
        assert!(lazy.saw[0].contains("two, three"), "{lazy:?}");
    }

    #[test]
    fn a_silent_server_is_told_as_it_was_met() {
        let silent = Refusal::new(reasons::SERVER_UNREACHABLE, "it is silent");
        let outcome = judged(Err(silent));
        assert_eq!(outcome.verdict, Verdict::Fail);
        assert_eq!(outcome.reason, Some(reasons::SERVER_UNREACHABLE));
    }
}
