//! The steps about one KMS host as a client sees it.

use std::net::IpAddr;

use super::*;
use crate::doctor::{PortSeen, named_in, port_line};
use crate::limits::{CERT_WARNING_DAYS, CLOCK_DIFFERENCE_REPORTED_SECONDS};
use crate::reason::{dns, kms, statement};
use crate::time::Span;

/// What was seen of one host. What a failed step made impossible is nothing.
#[derive(Clone, Debug)]
pub struct HostSeen {
    /// The host.
    pub host: HostAddr,
    /// Where it comes from.
    pub source: Source,
    /// Its addresses.
    pub addresses: Result<Vec<IpAddr>, Refusal>,
    /// Each address with its port, and what came of connecting.
    pub ports: Vec<PortSeen>,
    /// What answers there.
    pub service: Option<Result<ServiceSeen, Refusal>>,
    /// The time that the HTTP answer named: anybody may have written it.
    pub date: Option<Timestamp>,
    /// The chain it showed for the publisher.
    pub chain: Option<Result<ChainSeen, Refusal>>,
    /// What became of the ask, where one was made.
    pub asked: Option<AskSeen>,
    /// Why no ask was made although nothing failed.
    pub not_asked: &'static str,
}

/// What answers on the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceSeen {
    /// A greeting of a muster host.
    Greeting,
    /// Another HTTP answer: its status and the first line of its body.
    Http(u16, String),
    /// No HTTP at all: its first bytes as text.
    Other(String),
}

/// A chain that was verified to the pinned root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSeen {
    /// The host's name in its certificate.
    pub name: String,
    /// Its site.
    pub site: Option<SiteId>,
    /// Until when the certificate is valid.
    pub not_after: Timestamp,
    /// Installed products that it is certified for.
    pub certified: Vec<String>,
    /// Installed products that it is not certified for.
    pub missing: Vec<String>,
}

/// What became of a real ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskSeen {
    /// Whether a verified answer came.
    pub is_answered: bool,
    /// What came of it.
    pub outcome: Refusal,
    /// The host's signed time.
    pub host_time: Option<Timestamp>,
    /// The counts it stated.
    pub counts: Vec<CountSeen>,
}

/// A product's count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountSeen {
    /// The product's id.
    pub product: String,
    /// How many machines the host counts.
    pub count: u32,
    /// How many the policy needs.
    pub required: u32,
}

impl HostSeen {
    /// Judges the steps in order.
    pub(super) fn judge(&self, publisher: &str, machine: &MachineSeen) -> Vec<Finding> {
        let mut steps = Steps::about(Some(publisher), Some(self.host.to_string()));
        steps.needed("address", || self.judge_address());
        steps.needed("port", || self.judge_port());
        steps.needed("service", || self.judge_service());
        steps.needed("chain", || self.judge_chain(publisher, machine));
        let refuses_time = self.refusal_of_time().is_some();
        let clock = || self.judge_clock(machine);
        match refuses_time {
            true => steps.needed("host-clock", clock),
            false => steps.aside("host-clock", clock),
        }
        steps.needed("certified", || self.judge_certified());
        steps.needed("answer", || self.judge_answer());
        steps.needed("count", || self.judge_count());
        steps.finish()
    }

    fn judge_address(&self) -> Outcome {
        match &self.addresses {
            Ok(addresses) => {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                Outcome::ok(addresses.join(", "))
            }
            Err(refusal) => {
                let saw = format!("{}: {}", self.host.host(), refusal.reason.text());
                match is_absent(refusal.reason) {
                    true => Outcome::fail(reasons::HOST_NO_ADDRESS, saw),
                    false => Outcome::fail(refusal.reason, saw),
                }
            }
        }
    }

    /// One address that accepts is enough; the others are told.
    fn judge_port(&self) -> Outcome {
        let saw = self.ports.iter().map(port_line).collect();
        let mut failed = self
            .ports
            .iter()
            .filter_map(|(_, tried)| tried.as_ref().err());
        let is_open = self.ports.iter().any(|(_, tried)| tried.is_ok());
        // A refused connection says most: the machine is there.
        let refused = failed.clone().find(|it| it.reason == dns::NET_REFUSED);
        let reason = refused.or_else(|| failed.next()).map(|it| it.reason);
        match (is_open, reason) {
            (true, None) => Outcome::judged(Verdict::Ok, None, saw),
            (true, Some(reason)) => Outcome::judged(Verdict::Warn, Some(reason), saw),
            (false, reason) => {
                let reason = reason.unwrap_or(dns::NET_NO_ADDRESS);
                Outcome::judged(Verdict::Fail, Some(reason), saw)
            }
        }
    }

    fn judge_service(&self) -> Outcome {
        match &self.service {
            None => Outcome::not_reached(""),
            Some(Err(refusal)) => Outcome::refused(refusal),
            Some(Ok(ServiceSeen::Greeting)) => Outcome::ok("a muster host answers"),
            Some(Ok(ServiceSeen::Http(status, first))) => {
                let saw = format!("HTTP {status}: {first}");
                let named = named_in(first);
                if named == Some(kms::UNKNOWN_PUBLISHER) {
                    return Outcome::ok("a muster host answers");
                }
                match status {
                    429 | 503 => Outcome::fail(named.unwrap_or(reasons::HOST_BUSY), saw),
                    _ => Outcome::fail(reasons::HOST_OTHER_SERVICE, saw),
                }
            }
            Some(Ok(ServiceSeen::Other(first))) => {
                let saw = format!("another service; it says {first:?}");
                Outcome::fail(reasons::HOST_OTHER_SERVICE, saw)
            }
        }
    }

    fn judge_chain(&self, publisher: &str, machine: &MachineSeen) -> Outcome {
        if let Some(Ok(ServiceSeen::Http(status, first))) = &self.service {
            return Outcome::fail(kms::UNKNOWN_PUBLISHER, format!("HTTP {status}: {first}"));
        }
        let chain = match &self.chain {
            None => return Outcome::not_reached(""),
            Some(Err(refusal)) => return Outcome::refused(refusal),
            Some(Ok(chain)) => chain,
        };
        let site = chain.site.as_ref().map_or("none", SiteId::as_str);
        let saw = format!(
            "{}, site {site}, certified under the root of {publisher} until {}",
            chain.name, chain.not_after
        );
        let own = [statement::SIGNER_EXPIRED, statement::REVOKED];
        if let Some(told) = self.told().filter(|told| own.contains(told)) {
            return Outcome::fail(told, format!("{saw}; {}", self.words()));
        }
        // Whether it has ended is the host's to say in a signed answer: ours may be the wrong clock.
        let now = match self.signed_time() {
            Some(time) => time,
            None if machine.is_behind => return Outcome::ok(saw),
            None => machine.clock,
        };
        if chain.not_after < now {
            return Outcome::fail(statement::SIGNER_EXPIRED, format!("{saw}; it is {now}"));
        }
        match chain.not_after.since(now) < Span::from_days(CERT_WARNING_DAYS) {
            true => Outcome::warn(kms::CERTIFICATE_ENDS, saw),
            false => Outcome::ok(saw),
        }
    }

    fn judge_clock(&self, machine: &MachineSeen) -> Outcome {
        let (host, how) = match (self.signed_time(), self.date) {
            (Some(time), _) => (time, "signed"),
            (None, Some(time)) => (time, "not signed"),
            (None, None) => return Outcome::not_reached("the host told no time"),
        };
        let by = standing(host, machine.clock);
        let saw = format!("the host's clock says {host} ({how}), {by} this machine's");
        if let Some(told) = self.refusal_of_time() {
            return Outcome::fail(told, format!("{saw}; {}", self.words()));
        }
        let differs = host.distance(machine.clock).seconds() > CLOCK_DIFFERENCE_REPORTED_SECONDS;
        // A clock that is behind what has passed is named already, and the host's agrees with that.
        let is_explained = machine.is_behind && host >= machine.clock;
        match differs && !is_explained {
            true => Outcome::fail(reasons::CLOCKS_DIFFER, saw),
            false => Outcome::ok(saw),
        }
    }

    fn judge_certified(&self) -> Outcome {
        let Some(Ok(chain)) = &self.chain else {
            return Outcome::not_reached("");
        };
        let missing = format!("not for {}", chain.missing.join(", "));
        let certified = format!("for {}", chain.certified.join(", "));
        match (chain.certified.is_empty(), chain.missing.is_empty()) {
            (_, true) => Outcome::ok(certified),
            (true, false) => Outcome::fail(kms::PRODUCT_NOT_CERTIFIED, missing),
            (false, false) => Outcome::warn(
                kms::PRODUCT_NOT_CERTIFIED,
                format!("{certified}; {missing}"),
            ),
        }
    }

    fn judge_answer(&self) -> Outcome {
        let asked = match (&self.asked, self.not_asked) {
            (Some(asked), _) => asked,
            (None, why) => return Outcome::not_reached(why),
        };
        let refused = [reasons::HOST_WAIT, reasons::HOST_REFUSED];
        if !asked.is_answered || refused.contains(&asked.outcome.reason) {
            let reason = self.told().unwrap_or(asked.outcome.reason);
            return Outcome::fail(reason, self.words());
        }
        Outcome::ok(format!("a signed answer: {}", asked.outcome.reason.text()))
    }

    fn judge_count(&self) -> Outcome {
        let Some(asked) = self.asked.as_ref().filter(|asked| asked.is_answered) else {
            return Outcome::not_reached("");
        };
        let line = |it: &CountSeen| format!("{}: {} of {}", it.product, it.count, it.required);
        let saw: Vec<String> = asked.counts.iter().map(line).collect();
        if saw.is_empty() {
            return Outcome::not_reached("the answer states no count");
        }
        let too_few = asked.counts.iter().any(|it| it.count < it.required);
        match too_few {
            true => Outcome::judged(Verdict::Fail, Some(reasons::COUNT_BELOW), saw),
            false => Outcome::judged(Verdict::Ok, None, saw),
        }
    }

    /// The time of a verified answer.
    fn signed_time(&self) -> Option<Timestamp> {
        self.asked.as_ref()?.host_time
    }

    /// The reason that the host itself named.
    fn told(&self) -> Option<Reason> {
        named_in(&self.asked.as_ref()?.outcome.detail)
    }

    /// What the host said, or what became of the ask.
    fn words(&self) -> String {
        let asked = self.asked.as_ref();
        asked.map_or_else(String::new, |asked| words(&asked.outcome))
    }

    /// Where the host signs nothing because of its clock.
    fn refusal_of_time(&self) -> Option<Reason> {
        let of_time = [kms::CLOCK_JUMPED, statement::SIGNER_NOT_YET_VALID];
        self.told().filter(|told| of_time.contains(told))
    }
}
