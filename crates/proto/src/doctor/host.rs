//! The steps of `muster kms doctor`, in order: the host's store, disk and clock, the table of clients
//! where several hosts share one, and its service;
//! then for each publisher its certificate, opening key, greeting and authority; then each zone.

use crate::authority::renewable_from;
use crate::limits::{
    CERT_WARNING_DAYS, CLOCK_DIFFERENCE_REPORTED_SECONDS, OPENING_KEY_KEPT_SECONDS,
    OPENING_KEY_SECONDS,
};
use crate::reason::{Refusal, client, kms as reasons};
use crate::time::{Span, Timestamp};

use super::replication::DatabaseSeen;
use super::{
    DiskSeen, Finding, Outcome, PortSeen, Report, Steps, Verdict, is_absent, port_line, rough,
    standing,
};

/// How much older than its life an opening key may be before the service is thought not to run: a
/// day, since the service looks hourly.
const OPENING_KEY_SLACK_SECONDS: u64 = 86_400;

/// Everything that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The store: what opening and reading all of it came to.
    pub store: Result<String, Refusal>,
    /// The table of clients; none where it is in the host's own store.
    pub table: Option<DatabaseSeen>,
    /// The directory as it was tried; none where it is missing.
    pub disk: Option<DiskSeen>,
    /// The host's clock, judged against the time since the system's start.
    pub clock: Result<Timestamp, Refusal>,
    /// The wall clock.
    pub now: Timestamp,
    /// Whether a service runs on the directory.
    pub is_serving: bool,
    /// Where it listens or last listened, and what came of connecting there.
    pub ports: Vec<PortSeen>,
    /// Each publisher of whom something is held.
    pub publishers: Vec<PublisherSeen>,
    /// The zones that the host is to stand in.
    pub zones: Vec<ZoneSeen>,
}

/// What was seen for one publisher.
#[derive(Clone, Debug)]
pub struct PublisherSeen {
    /// The publisher's name.
    pub name: String,
    /// Last groups of the installed host product keys.
    pub last5: Vec<String>,
    /// The certificate, verified and in force now; or why not.
    pub certificate: Result<CertificateSeen, Refusal>,
    /// When the opening key was made.
    pub opening_made: Option<Timestamp>,
    /// The greeting that the service gives: whether it is this certificate's.
    pub greeting: Option<Result<bool, Refusal>>,
    /// The authority; nothing where its address is not known.
    pub authority: Option<AuthoritySeen>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSeen {
    /// The products it is for.
    pub products: Vec<String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// An authority that was called.
#[derive(Clone, Debug)]
pub struct AuthoritySeen {
    /// Its URL.
    pub url: String,
    /// Whether it answers, and under the pinned root.
    pub answer: Result<bool, Refusal>,
    /// The time that its answer named.
    pub date: Option<Timestamp>,
}

/// One zone.
#[derive(Clone, Debug)]
pub struct ZoneSeen {
    /// The zone.
    pub zone: String,
    /// The record that should be there: target and port.
    pub wanted: (String, u16),
    /// The records that are there, as target and port; or what asking the zone's server met.
    pub found: Result<Vec<(String, u16)>, Refusal>,
    /// The addresses of the record's target.
    pub addresses: Result<Vec<String>, Refusal>,
    /// Why the service's last update failed.
    pub last_failure: Option<Refusal>,
}

/// Judges everything that was seen.
pub fn judge(seen: &Seen) -> Report {
    let mut steps = Steps::default();
    steps.alone("disk", seen.judge_disk());
    steps.needed("store", || match &seen.store {
        Ok(words) => Outcome::ok(words.clone()),
        Err(refusal) => Outcome::refused(refusal),
    });
    if let Some(table) = &seen.table {
        // What a host acknowledged and its server lost is a client that asks again in a few days.
        steps.aside("table", || table.judge(Verdict::Warn));
    }
    steps.aside("clock", || match &seen.clock {
        Ok(now) => Outcome::ok(format!(
            "{now}, in step with the time since the system's start"
        )),
        Err(refusal) => Outcome::refused(refusal),
    });
    steps.needed("keys", || seen.judge_keys());
    steps.needed("service", || seen.judge_service());
    steps.needed("port", || seen.judge_port());
    let is_deaf = steps.is_blocked();
    let mut findings = steps.finish();
    for publisher in &seen.publishers {
        findings.extend(publisher.judge(is_deaf, seen.now));
    }
    findings.extend(seen.zones.iter().map(ZoneSeen::judge));
    Report::of(findings)
}

impl Seen {
    fn judge_disk(&self) -> Outcome {
        let missing = || Outcome::not_reached("there is no directory");
        self.disk.as_ref().map_or_else(missing, DiskSeen::judge)
    }

    fn judge_keys(&self) -> Outcome {
        let line = |it: &PublisherSeen| {
            let keys: Vec<_> = it.last5.iter().map(|last5| format!("…{last5}")).collect();
            format!("{}: {}", it.name, keys.join(", "))
        };
        let lines: Vec<String> = self.publishers.iter().map(line).collect();
        match lines.is_empty() {
            true => Outcome::fail(reasons::NOT_CERTIFIED, "no host product key is installed"),
            false => Outcome::judged(Verdict::Ok, None, lines),
        }
    }

    fn judge_service(&self) -> Outcome {
        match self.is_serving {
            true => Outcome::ok("a service runs on this directory"),
            false => Outcome::fail(reasons::NOT_SERVING, "no process holds this directory"),
        }
    }

    fn judge_port(&self) -> Outcome {
        let saw = self.ports.iter().map(port_line).collect();
        let failed = self
            .ports
            .iter()
            .find_map(|(_, tried)| tried.as_ref().err());
        match failed {
            _ if self.ports.is_empty() => Outcome::not_reached("no address is noted"),
            Some(refusal) => Outcome::judged(Verdict::Fail, Some(refusal.reason), saw),
            None => Outcome::judged(Verdict::Ok, None, saw),
        }
    }
}

impl PublisherSeen {
    fn judge(&self, is_deaf: bool, now: Timestamp) -> Vec<Finding> {
        let mut steps = Steps::about(Some(&self.name), None);
        let certificate = match &self.certificate {
            Err(refusal) => Outcome::refused(refusal),
            Ok(certificate) => certificate.judge(now),
        };
        steps.alone("certificate", certificate);
        steps.alone("opening-key", judge_opening(self.opening_made, now));
        steps.alone("greeting", self.judge_greeting(is_deaf));
        steps.needed("authority", || self.judge_authority());
        steps.aside("authority-clock", || self.judge_authority_clock(now));
        steps.finish()
    }

    fn judge_greeting(&self, is_deaf: bool) -> Outcome {
        match &self.greeting {
            _ if is_deaf => Outcome::not_reached(""),
            None => Outcome::not_reached("there is no certificate to greet with"),
            Some(Err(refusal)) => Outcome::refused(refusal),
            Some(Ok(true)) => Outcome::ok("the service greets with this certificate"),
            Some(Ok(false)) => {
                let saw = "what answers shows another certificate than the one held here";
                Outcome::fail(reasons::GREETING_OTHER, saw)
            }
        }
    }

    /// An authority that cannot be reached costs nothing until the certificate ends.
    fn judge_authority(&self) -> Outcome {
        let Some(seen) = &self.authority else {
            return Outcome::not_reached("no address is known: it works by files");
        };
        match &seen.answer {
            Ok(true) => Outcome::ok(format!("{} answers under the pinned root", seen.url)),
            Ok(false) => Outcome::fail(
                crate::reason::statement::ROOT_UNKNOWN,
                format!("{} answers under another root", seen.url),
            ),
            Err(refusal) => {
                let saw = format!("{}: {}", seen.url, super::words(refusal));
                Outcome::warn(refusal.reason, saw)
            }
        }
    }

    fn judge_authority_clock(&self, now: Timestamp) -> Outcome {
        let Some(date) = self.authority.as_ref().and_then(|seen| seen.date) else {
            return Outcome::not_reached("");
        };
        let by = standing(date, now);
        let saw = format!("the authority's clock says {date} (not signed), {by} this host's");
        match date.distance(now).seconds() > CLOCK_DIFFERENCE_REPORTED_SECONDS {
            true => Outcome::fail(reasons::CLOCKS_DIFFER, saw),
            false => Outcome::ok(saw),
        }
    }
}

impl CertificateSeen {
    fn judge(&self, now: Timestamp) -> Outcome {
        let due = renewable_from(self.issued, self.not_after);
        let left = self.not_after.since(now);
        let renewal = match now < due {
            true => format!("renewed from {due}"),
            false => format!("due for renewal since {due}"),
        };
        let saw = format!(
            "for {}, until {} ({} left), {renewal}",
            self.products.join(", "),
            self.not_after,
            rough(left)
        );
        match left < Span::from_days(CERT_WARNING_DAYS) {
            true => Outcome::warn(reasons::CERTIFICATE_ENDS, saw),
            false => Outcome::ok(saw),
        }
    }
}

fn judge_opening(made: Option<Timestamp>, now: Timestamp) -> Outcome {
    let Some(made) = made else {
        return Outcome::not_reached("there is none");
    };
    let age = now.since(made);
    let saw = format!("made {} ago", rough(age));
    let longest = OPENING_KEY_SECONDS + OPENING_KEY_KEPT_SECONDS;
    match age.seconds() {
        age if age > longest => Outcome::fail(reasons::OPENING_KEY_OLD, saw),
        age if age > OPENING_KEY_SECONDS + OPENING_KEY_SLACK_SECONDS => {
            Outcome::warn(reasons::OPENING_KEY_OLD, saw)
        }
        _ => Outcome::ok(saw),
    }
}

impl ZoneSeen {
    fn judge(&self) -> Finding {
        let mut steps = Steps::about(None, Some(self.zone.clone()));
        steps.alone("dns", self.outcome());
        steps.finish().remove(0)
    }

    fn outcome(&self) -> Outcome {
        let shown = |(target, port): &(String, u16)| format!("{target}:{port}");
        let wanted = shown(&self.wanted);
        let found = match &self.found {
            Ok(found) => found.as_slice(),
            Err(refusal) if is_absent(refusal.reason) => &[],
            Err(refusal) => return Outcome::refused(refusal),
        };
        let all: Vec<String> = found.iter().map(shown).collect();
        let all = match all.is_empty() {
            true => "no host".to_owned(),
            false => all.join(", "),
        };
        let saw = format!("the zone names {all}; {wanted} should be there");
        if !found.contains(&self.wanted) {
            let why = self.last_failure.as_ref();
            let reason = why.map_or(reasons::DNS_NOT_PUBLISHED, |why| why.reason);
            return Outcome::fail(reason, saw);
        }
        self.judge_addresses(&saw)
    }

    fn judge_addresses(&self, saw: &str) -> Outcome {
        match (&self.addresses, &self.last_failure) {
            (Err(refusal), _) => {
                let saw = format!("{saw}; its address: {}", refusal.reason.text());
                match is_absent(refusal.reason) {
                    true => Outcome::fail(client::HOST_NO_ADDRESS, saw),
                    false => Outcome::fail(refusal.reason, saw),
                }
            }
            (Ok(_), Some(failure)) => {
                let saw = format!("{saw}; the last update failed");
                Outcome::warn(failure.reason, saw)
            }
            (Ok(addresses), None) => Outcome::ok(format!("{saw}, at {}", addresses.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests;
