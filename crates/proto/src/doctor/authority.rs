//! The steps of `muster authority doctor`, in order: the root and the secrets of the directory, its
//! store and the server that keeps it, disk and clock, the issuing key and its certificate, the products, and the service.

use crate::limits::{CERT_WARNING_DAYS, CLOCK_DIFFERENCE_REPORTED_SECONDS};
use crate::reason::{Refusal, authority as reasons, statement};
use crate::time::{Span, Timestamp};

use super::replication::ReplicationSeen;
use super::{DiskSeen, Outcome, Report, Steps, Verdict, rough, standing, words};

/// Everything that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The pinned root: its publisher's name.
    pub root: Result<String, Refusal>,
    /// Files with secrets: name, and whether they can be read with the right mode.
    pub secrets: Vec<(String, Result<(), Refusal>)>,
    /// The directory as it was tried; none where it is missing.
    pub disk: Option<DiskSeen>,
    /// The store: what opening and reading all of it came to.
    pub store: Result<String, Refusal>,
    /// How the server of the store keeps it; none where it is a file.
    pub replication: Option<ReplicationSeen>,
    /// The wall clock.
    pub now: Timestamp,
    /// When the newest statement was signed here: that time has passed.
    pub newest: Option<Timestamp>,
    /// The newest issuing certificate; nothing where the root has not answered yet.
    pub issuing: Option<IssuingSeen>,
    /// Whether a request waits for the root.
    pub is_pending: bool,
    /// Products with the version of the policy of each.
    pub products: Vec<(String, u32)>,
    /// What answers where the service should be.
    pub service: Option<ServiceSeen>,
}

/// The service.
#[derive(Clone, Debug)]
pub struct ServiceSeen {
    /// Where it was looked for.
    pub url: String,
    /// Whether somebody said that it should be there.
    pub is_expected: bool,
    /// Whether it answers, and under this root.
    pub answer: Result<bool, Refusal>,
}

/// An issuing certificate.
#[derive(Clone, Debug)]
pub struct IssuingSeen {
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// Whether its key is at hand.
    pub key: Result<(), Refusal>,
}

/// Judges everything that was seen.
pub fn judge(seen: &Seen) -> Report {
    let mut steps = Steps::default();
    steps.needed("root", || match &seen.root {
        Ok(name) => Outcome::ok(format!("of {name}")),
        Err(refusal) => Outcome::refused(refusal),
    });
    steps.alone("disk", seen.judge_disk());
    steps.needed("secrets", || seen.judge_secrets());
    steps.needed("store", || match &seen.store {
        Ok(words) => Outcome::ok(words.clone()),
        Err(refusal) => Outcome::refused(refusal),
    });
    if let Some(replication) = &seen.replication {
        steps.aside("replication", || replication.judge(Verdict::Fail));
    }
    steps.aside("clock", || seen.judge_clock());
    steps.aside("issuing", || seen.judge_issuing());
    steps.aside("products", || seen.judge_products());
    steps.aside("service", || seen.judge_service());
    Report::of(steps.finish())
}

impl Seen {
    fn judge_disk(&self) -> Outcome {
        let missing = || Outcome::not_reached("there is no directory");
        self.disk.as_ref().map_or_else(missing, DiskSeen::judge)
    }

    fn judge_secrets(&self) -> Outcome {
        let line = |(name, read): &(String, Result<(), Refusal>)| match read {
            Ok(()) => format!("{name}: whole, closed to others"),
            Err(refusal) => words(refusal),
        };
        let saw = self.secrets.iter().map(line).collect();
        let fault = self
            .secrets
            .iter()
            .find_map(|(_, read)| read.as_ref().err());
        match fault {
            Some(refusal) => Outcome::judged(Verdict::Fail, Some(refusal.reason), saw),
            None => Outcome::judged(Verdict::Ok, None, saw),
        }
    }

    /// What was signed here has happened: a clock that stands before it is wrong.
    fn judge_clock(&self) -> Outcome {
        let Some(newest) = self.newest else {
            return Outcome::ok(self.now.to_string());
        };
        let by = standing(self.now, newest);
        let saw = format!("{}, {by} the newest statement signed here", self.now);
        match newest.since(self.now).seconds() > CLOCK_DIFFERENCE_REPORTED_SECONDS {
            true => Outcome::fail(reasons::CLOCK_BEHIND, saw),
            false => Outcome::ok(saw),
        }
    }

    fn judge_issuing(&self) -> Outcome {
        let Some(issuing) = &self.issuing else {
            let saw = match self.is_pending {
                true => "a request waits for the root's answer",
                false => "there is no issuing key",
            };
            return Outcome::fail(reasons::AWAITING_ROOT, saw);
        };
        if let Err(refusal) = &issuing.key {
            return Outcome::refused(refusal);
        }
        let left = issuing.not_after.since(self.now);
        let saw = format!("until {} ({} left)", issuing.not_after, rough(left));
        if issuing.not_after < self.now {
            return Outcome::fail(reasons::ISSUING_ENDED, saw);
        }
        match left < Span::from_days(CERT_WARNING_DAYS) {
            true => Outcome::warn(reasons::ISSUING_ENDS, saw),
            false => Outcome::ok(saw),
        }
    }

    fn judge_products(&self) -> Outcome {
        let line =
            |(product, version): &(String, u32)| format!("{product}: policy version {version}");
        let saw: Vec<String> = self.products.iter().map(line).collect();
        match saw.is_empty() {
            true => Outcome::warn(reasons::NO_PRODUCTS, "none"),
            false => Outcome::judged(Verdict::Ok, None, saw),
        }
    }

    /// A publisher who works by files needs no service.
    fn judge_service(&self) -> Outcome {
        let Some(ServiceSeen {
            url,
            is_expected,
            answer,
        }) = &self.service
        else {
            return Outcome::not_reached("");
        };
        match answer {
            Ok(true) => Outcome::ok(format!("{url} answers under this root")),
            Ok(false) => Outcome::fail(
                statement::ROOT_UNKNOWN,
                format!("{url} answers under another root"),
            ),
            Err(refusal) => {
                let saw = format!("{url}: {}", words(refusal));
                match is_expected {
                    true => Outcome::fail(refusal.reason, saw),
                    false => Outcome::warn(refusal.reason, saw),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
