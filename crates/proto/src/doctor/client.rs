//! The steps of `muster client doctor`, in order: the machine's own files, hardware, products and
//! clock; then for each publisher where hosts come from, for each host its address, port, service,
//! chain, clock, products, answer and count, and in the end what each product's licence is.

use std::cmp::Reverse;

use crate::client::LicenceState;
use crate::client::discover::{HostAddr, Source};
use crate::hardware::Component;
use crate::ids::SiteId;
use crate::limits::COMPONENT_KINDS;
use crate::reason::{Reason, Refusal, client as reasons, key};
use crate::statement::policy::Method;
use crate::time::Timestamp;

use super::{
    DiskSeen, Finding, Outcome, Report, Steps, Verdict, any_fails, first, is_absent, standing,
    words,
};

mod host;

pub use host::{AskSeen, ChainSeen, CountSeen, HostSeen, ServiceSeen};

/// Everything that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The machine itself.
    pub machine: MachineSeen,
    /// Each publisher whose products are installed.
    pub publishers: Vec<PublisherSeen>,
}

/// What was seen of the machine itself.
#[derive(Clone, Debug)]
pub struct MachineSeen {
    /// The `state` and `identity` files: their bytes, or nothing where one is missing.
    pub files: [(&'static str, Result<Option<usize>, Refusal>); 2],
    /// The directory as it was tried; none where it is missing.
    pub disk: Option<DiskSeen>,
    /// The directory that hardware is read under, where it was declared.
    pub sysroot: Option<String>,
    /// The components that could be read.
    pub components: Vec<Component>,
    /// What is installed.
    pub products: Vec<ProductSeen>,
    /// The one method that is allowed.
    pub method: Option<Method>,
    /// The one site that is allowed.
    pub site: Option<SiteId>,
    /// The machine's clock.
    pub clock: Timestamp,
    /// The time that is known to have passed.
    pub floor: Timestamp,
    /// Whether the clock is so far behind the floor that it cannot be used.
    pub is_behind: bool,
}

/// One installed product.
#[derive(Clone, Debug)]
pub struct ProductSeen {
    /// The product's id.
    pub product: String,
    /// Its publisher's name.
    pub publisher: String,
    /// The key's last group, where a key is held.
    pub last5: Option<String>,
    /// The policy's version, and whether the key is of the policy's product; nothing where no key
    /// can be read.
    pub policy: Result<(u32, Option<bool>), Refusal>,
}

/// What was seen for one publisher.
#[derive(Clone, Debug)]
pub struct PublisherSeen {
    /// The publisher's name.
    pub name: String,
    /// Where hosts come from, in the order in which they are asked.
    pub places: Vec<PlaceSeen>,
    /// The hosts, in that order.
    pub hosts: Vec<HostSeen>,
    /// The products' licences after all that.
    pub licences: Vec<LicenceSeen>,
}

/// One place that hosts come from.
#[derive(Clone, Debug)]
pub enum PlaceSeen {
    /// A host that is known without a lookup.
    Host(HostAddr, Source),
    /// A name that was looked up, and what came back.
    Lookup(String, Source, Result<Vec<HostAddr>, Refusal>),
}

/// What one product's licence is.
#[derive(Clone, Debug)]
pub struct LicenceSeen {
    /// The product's id.
    pub product: String,
    /// The state.
    pub state: LicenceState,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Whether that is soon.
    pub warning: bool,
    /// Why.
    pub reason: Refusal,
}

/// Judges everything that was seen.
pub fn judge(seen: &Seen) -> Report {
    let machine = &seen.machine;
    let mut findings = machine.judge();
    let mut next = Report::of(findings.clone());
    let is_sound = !next.fails();
    for publisher in &seen.publishers {
        let (judged, first) = publisher.judge(machine, is_sound);
        findings.extend(judged);
        if !next.fails() && (next.next.is_none() || first.fails()) {
            next = first;
        }
    }
    let next = next.next.or_else(|| first(&findings, Verdict::Warn));
    Report { findings, next }
}

impl MachineSeen {
    /// Whether a file is there and cannot be read at all: one that is damaged is built anew.
    pub fn cannot_read(&self) -> bool {
        let mut faults = self
            .files
            .iter()
            .filter_map(|(_, file)| file.as_ref().err());
        faults.any(|refusal| !is_damage(refusal.reason))
    }

    fn judge(&self) -> Vec<Finding> {
        let mut steps = Steps::default();
        steps.needed("files", || self.judge_files());
        steps.aside("disk", || {
            let missing = || Outcome::not_reached("there is no directory");
            self.disk.as_ref().map_or_else(missing, DiskSeen::judge)
        });
        steps.alone("hardware", self.judge_hardware());
        steps.needed("products", || self.judge_products());
        steps.aside("settings", || self.judge_settings());
        steps.alone("clock", self.judge_clock());
        steps.finish()
    }

    /// Damaged files are rebuilt by asking, so they are no end; what cannot be read is one.
    fn judge_files(&self) -> Outcome {
        let mut saw = Vec::new();
        let mut worst = (Verdict::Ok, None);
        for (name, file) in &self.files {
            match file {
                Ok(Some(bytes)) => saw.push(format!("{name}: {bytes} bytes, whole")),
                Ok(None) => saw.push(format!("{name}: missing")),
                Err(refusal) => {
                    saw.push(format!("{name}: {}", words(refusal)));
                    let verdict = match is_damage(refusal.reason) {
                        true => Verdict::Warn,
                        false => Verdict::Fail,
                    };
                    if worst.0 != Verdict::Fail {
                        worst = (verdict, Some(refusal.reason));
                    }
                }
            }
        }
        if self.files.iter().all(|(_, file)| matches!(file, Ok(None))) {
            worst = (Verdict::Fail, Some(reasons::STATE_LOST));
        }
        Outcome::judged(worst.0, worst.1, saw)
    }

    fn judge_hardware(&self) -> Outcome {
        let names: Vec<_> = self.components.iter().map(|kind| kind.name()).collect();
        let mut saw = format!("{} of {COMPONENT_KINDS} components read", names.len());
        if !names.is_empty() {
            saw = format!("{saw}: {}", names.join(", "));
        }
        if let Some(sysroot) = &self.sysroot {
            saw = format!("{saw} (declared, under {sysroot})");
        }
        match names.is_empty() {
            true => Outcome::warn(reasons::HARDWARE_NONE, saw),
            false => Outcome::ok(saw),
        }
    }

    fn judge_products(&self) -> Outcome {
        if self.products.is_empty() {
            return Outcome::fail(reasons::NOT_INSTALLED, "no product is installed here");
        }
        let mut saw = Vec::new();
        let mut worst = (Verdict::Ok, None);
        for product in &self.products {
            let (line, fault) = product.judge();
            saw.push(line);
            if let Some(reason) = fault {
                // What is missing only is fetched from the host.
                let is_missing = reason == reasons::POLICY_MISSING;
                if worst.0 == Verdict::Ok || !is_missing {
                    let verdict = [Verdict::Fail, Verdict::Warn][usize::from(is_missing)];
                    worst = (verdict, Some(reason));
                }
            }
        }
        Outcome::judged(worst.0, worst.1, saw)
    }

    fn judge_settings(&self) -> Outcome {
        let method = self.method.map_or("all", Method::name);
        let site = self.site.as_ref().map_or("any", SiteId::as_str);
        let saw = format!("methods: {method}; site: {site}");
        match self.method {
            Some(other) if other != Method::Kms => Outcome::fail(reasons::METHOD_NOT_ALLOWED, saw),
            _ => Outcome::ok(saw),
        }
    }

    fn judge_clock(&self) -> Outcome {
        if self.is_behind {
            let by = standing(self.clock, self.floor);
            let saw = format!("{}, {by} {}, which has passed", self.clock, self.floor);
            return Outcome::fail(reasons::CLOCK_BEHIND, saw);
        }
        Outcome::ok(format!(
            "{}; {} is known to have passed",
            self.clock, self.floor
        ))
    }
}

impl ProductSeen {
    fn judge(&self) -> (String, Option<Reason>) {
        let key = match &self.last5 {
            Some(last5) => format!("key …{last5}"),
            None => "no key held".to_owned(),
        };
        let named = format!("{} ({}): {key}", self.product, self.publisher);
        match &self.policy {
            Ok((version, Some(false))) => (
                format!("{named} of another product, policy version {version}"),
                Some(key::WRONG_PRODUCT),
            ),
            Ok((version, _)) => (format!("{named}, policy version {version}"), None),
            Err(refusal) => (
                format!("{named}, policy: {}", refusal.reason.text()),
                Some(refusal.reason),
            ),
        }
    }
}

impl PublisherSeen {
    /// The findings, and those of them that say what to do next: of several hosts, only the best.
    fn judge(&self, machine: &MachineSeen, is_sound: bool) -> (Vec<Finding>, Report) {
        let mut steps = Steps::about(Some(&self.name), None);
        steps.needed("hosts", || self.judge_places());
        let mut findings = steps.finish();
        let mut hosts: Vec<Vec<Finding>> = self
            .hosts
            .iter()
            .map(|host| host.judge(&self.name, machine))
            .collect();
        let quality = |place: usize| {
            let host = &hosts[place];
            (serves(host), reach(host), Reverse(place))
        };
        let best = (0..hosts.len()).max_by_key(|place| quality(*place));
        if best.is_some_and(|best| serves(&hosts[best])) {
            // One that serves is enough: what is wrong with the others can wait.
            let others = hosts.iter_mut().enumerate();
            let others = others.filter(|(place, _)| Some(*place) != best);
            others.flat_map(|(_, host)| host).for_each(soften);
        }
        let best = best.map(|best| hosts[best].clone()).unwrap_or_default();
        let mut leading: Vec<Finding> = findings.iter().cloned().chain(best).collect();
        findings.extend(hosts.into_iter().flatten());
        let is_blocked = !is_sound || any_fails(&leading);
        let licences = self.licences.iter();
        let licences = licences.map(|licence| licence.judge(&self.name, is_blocked));
        let licences: Vec<Finding> = licences.collect();
        leading.extend(licences.iter().cloned());
        findings.extend(licences);
        (findings, Report::of(leading))
    }

    /// Where hosts come from. DNS may be of no use where a host is known by other ways.
    fn judge_places(&self) -> Outcome {
        let saw: Vec<String> = self.places.iter().map(PlaceSeen::shown).collect();
        let faults = self.places.iter().filter_map(PlaceSeen::fault);
        if !self.hosts.is_empty() {
            let broken = faults.into_iter().find(|fault| !is_absent(*fault));
            let verdict = [Verdict::Ok, Verdict::Warn][usize::from(broken.is_some())];
            return Outcome::judged(verdict, broken, saw);
        }
        if saw.is_empty() {
            let saw = "no host is set, none is remembered, and this machine has no DNS domain";
            return Outcome::fail(reasons::HOST_NONE, saw);
        }
        // The place that comes first is the one that somebody meant.
        let reason = faults.into_iter().next().unwrap_or(reasons::HOST_NONE);
        Outcome::judged(Verdict::Fail, Some(reason), saw)
    }
}

impl PlaceSeen {
    fn shown(&self) -> String {
        match self {
            Self::Host(host, source) => format!("{host} ({})", source.name()),
            Self::Lookup(name, source, Ok(hosts)) => {
                let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
                let hosts = match hosts.is_empty() {
                    true => "records that name no host".to_owned(),
                    false => hosts.join(", "),
                };
                format!("{name} SRV ({}): {hosts}", source.name())
            }
            Self::Lookup(name, source, Err(refusal)) => {
                let text = refusal.reason.text();
                format!("{name} SRV ({}): {text}", source.name())
            }
        }
    }

    fn fault(&self) -> Option<Reason> {
        match self {
            Self::Lookup(_, _, Err(refusal)) => Some(refusal.reason),
            _ => None,
        }
    }
}

impl LicenceSeen {
    fn judge(&self, publisher: &str, is_blocked: bool) -> Finding {
        let mut saw = self.state.name().to_owned();
        if let Some(until) = self.until {
            saw = format!("{saw} until {until}");
        }
        let reason = self.reason.reason;
        let outcome = match self.state {
            LicenceState::Licensed if self.warning => Outcome::warn(reason, saw),
            LicenceState::Licensed => Outcome::ok(saw),
            _ if is_blocked => Outcome::not_reached(format!("{saw}, as it was")),
            LicenceState::Unlicensed | LicenceState::Notification => Outcome::fail(reason, saw),
            _ => Outcome::warn(reason, saw),
        };
        let mut steps = Steps::about(Some(publisher), Some(self.product.clone()));
        steps.alone("licence", outcome);
        steps.finish().remove(0)
    }
}

/// Whether a host has answered with all that is needed; its clock may be wrong for all that.
fn serves(host: &[Finding]) -> bool {
    let answered = |it: &Finding| it.step == "answer" && it.verdict == Verdict::Ok;
    let mut failed = host.iter().filter(|it| it.verdict == Verdict::Fail);
    host.iter().any(answered) && failed.all(|it| it.step == "host-clock")
}

/// How many steps a host came to without a fault.
fn reach(host: &[Finding]) -> usize {
    let failed = host
        .iter()
        .position(|finding| finding.verdict == Verdict::Fail);
    failed.unwrap_or(host.len())
}

fn soften(finding: &mut Finding) {
    if finding.verdict == Verdict::Fail {
        finding.verdict = Verdict::Warn;
    }
}

/// Whether a file's contents are damaged: it is then set aside and built anew.
fn is_damage(reason: Reason) -> bool {
    [
        reasons::STATE_FOREIGN,
        reasons::STATE_VERSION,
        reasons::STATE_CUT,
        reasons::STATE_ALTERED,
        reasons::STATE_CONTENTS,
        reasons::IDENTITY_FOREIGN,
        reasons::IDENTITY_VERSION,
        reasons::IDENTITY_CUT,
        reasons::IDENTITY_ALTERED,
        reasons::IDENTITY_CONTENTS,
        crate::reason::config::FILE_TOO_LARGE,
    ]
    .contains(&reason)
}

#[cfg(test)]
mod tests;
