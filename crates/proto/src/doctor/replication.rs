//! A store on a database server: whether the server answers, and whether what it acknowledged
//! outlives it. A grant that an authority's server loses would be given a second time; a client that
//! a host's server loses asks again in a few days.

use crate::reason::{Reason, Refusal, store as reasons};

use super::{Outcome, Verdict};

/// A store on a database server.
#[derive(Clone, Debug)]
pub struct DatabaseSeen {
    /// Where it is, without a password.
    pub url: String,
    /// How the server that takes changes keeps them; or why none answers.
    pub answer: Result<ReplicationSeen, Refusal>,
}

impl DatabaseSeen {
    /// Judges it; a server that may lose what it acknowledged is `at_fault`.
    pub fn judge(&self, at_fault: Verdict) -> Outcome {
        let mut outcome = match &self.answer {
            Ok(seen) => seen.judge(at_fault),
            Err(refusal) => Outcome::refused(refusal),
        };
        outcome.saw.insert(0, self.url.clone());
        outcome
    }
}

/// A database server's settings and standbys, as it tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationSeen {
    /// What kind and version it is.
    pub server: String,
    /// Settings by name: `fsync`, `full_page_writes`, `synchronous_commit`. One that the server does
    /// not have is left out.
    pub settings: Vec<(String, String)>,
    /// Which standbys a commit waits for; empty for none.
    pub waits_for: String,
    /// The standbys that are connected.
    pub standbys: Vec<StandbySeen>,
}

/// A connected standby.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandbySeen {
    /// Its name.
    pub name: String,
    /// Whether commits wait for it; none where the user may not know.
    pub is_waited_for: Option<bool>,
}

impl ReplicationSeen {
    /// Judges it; a server that may lose what it acknowledged is `at_fault`. A lone server is as good
    /// as a lone disk; a second server that lags is not.
    pub fn judge(&self, at_fault: Verdict) -> Outcome {
        let fault = self.fault();
        let verdict = fault.map_or(Verdict::Ok, |_| at_fault);
        Outcome::judged(verdict, fault, self.saw())
    }

    /// Why it may lose what it acknowledged, or acknowledges nothing: no place for an authority.
    pub fn fault(&self) -> Option<Reason> {
        let is_off = |(_, value): &(String, String)| ["off", "local"].contains(&value.as_str());
        if self.settings.iter().any(is_off) {
            return Some(reasons::NOT_DURABLE);
        }
        if self.standbys.is_empty() && self.waits_for.is_empty() {
            return None;
        }
        if self.waits_for.is_empty() {
            return Some(reasons::ASYNCHRONOUS);
        }
        let is_there = |standby: &StandbySeen| standby.is_waited_for != Some(false);
        match self.standbys.iter().any(is_there) {
            true => None,
            false => Some(reasons::NO_STANDBY),
        }
    }

    /// What was seen, line by line.
    pub fn saw(&self) -> Vec<String> {
        let settings = self.settings.iter();
        let mut settings: Vec<_> = settings
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        settings.push(format!("synchronous_standby_names = '{}'", self.waits_for));
        let mut lines = vec![self.server.clone(), settings.join(", ")];
        if self.standbys.is_empty() {
            lines.push("no standby is connected".to_owned());
        }
        lines.extend(self.standbys.iter().map(|standby| {
            let name = &standby.name;
            match standby.is_waited_for {
                Some(true) => format!("standby {name}: commits wait for it"),
                Some(false) => format!("standby {name}: commits do not wait for it"),
                None => {
                    format!("standby {name}: this user may not see whether commits wait for it")
                }
            }
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standby(is_waited_for: Option<bool>) -> StandbySeen {
        StandbySeen {
            name: "two".into(),
            is_waited_for,
        }
    }

    fn seen(waits_for: &str, standbys: &[Option<bool>]) -> ReplicationSeen {
        let names = ["fsync", "full_page_writes", "synchronous_commit"];
        ReplicationSeen {
            server: "PostgreSQL 15".into(),
            settings: names.map(|name| (name.into(), "on".into())).into(),
            waits_for: waits_for.into(),
            standbys: standbys.iter().copied().map(standby).collect(),
        }
    }

    #[test]
    fn what_may_lose_a_grant_is_refused() {
        for (waits_for, standbys, expected) in [
            ("", &[][..], None),
            ("two", &[Some(true)], None),
            ("two", &[Some(false), Some(true)], None),
            ("two", &[None], None),
            ("", &[Some(false)], Some(reasons::ASYNCHRONOUS)),
            ("", &[None], Some(reasons::ASYNCHRONOUS)),
            ("two", &[], Some(reasons::NO_STANDBY)),
            ("two", &[Some(false)], Some(reasons::NO_STANDBY)),
        ] {
            let seen = seen(waits_for, standbys);
            assert_eq!(seen.fault(), expected, "{seen:?}");
            let verdict = expected.map_or(Verdict::Ok, |_| Verdict::Warn);
            assert_eq!(seen.judge(Verdict::Warn).verdict, verdict);
        }
    }

    #[test]
    fn a_server_that_does_not_wait_for_its_disk_is_refused() {
        for setting in 0..3 {
            for value in ["off", "local"] {
                let mut seen = seen("two", &[Some(true)]);
                seen.settings[setting].1 = value.into();
                assert_eq!(seen.fault(), Some(reasons::NOT_DURABLE), "{seen:?}");
                assert!(seen.saw()[1].contains(value));
            }
        }
        let mut other = seen("", &[]);
        other.settings.clear();
        assert_eq!(other.fault(), None, "another product has no such settings");
    }

    #[test]
    fn a_database_is_named_and_told_as_it_was_met() {
        let url = "postgres://muster@one/fleet";
        let judged = |answer| {
            let database = DatabaseSeen {
                url: url.into(),
                answer,
            };
            database.judge(Verdict::Warn)
        };
        let lazy = judged(Ok(seen("", &[Some(false)])));
        assert_eq!((lazy.verdict, lazy.saw[0].as_str()), (Verdict::Warn, url));
        let silent = judged(Err(reasons::SERVER_UNREACHABLE.into()));
        assert_eq!(
            (silent.verdict, silent.saw[0].as_str()),
            (Verdict::Fail, url)
        );
        assert_eq!(silent.reason, Some(reasons::SERVER_UNREACHABLE));
    }
}
