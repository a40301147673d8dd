//! What `doctor` concludes. A role collects what it saw and gives it here as plain data; each step
//! becomes one finding, in order, and the first finding that fails names the next step. Nothing is
//! guessed: a step that could not be tried because one before it failed says just that.

pub mod authority;
pub mod client;
pub mod host;
pub mod replication;

use std::net::SocketAddr;

use crate::ids::steers;
use crate::reason::{Reason, Refusal, config, dns, store};
use crate::time::{Span, Timestamp};

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and an administrator should know.
    Warn,
    /// It does not work.
    Fail,
    /// It was not tried: a step before it failed, or made it needless.
    NotReached,
}

impl Verdict {
    /// The verdict's name, as `--json` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::NotReached => "not-reached",
        }
    }
}

/// One step, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The step's stable name.
    pub step: &'static str,
    /// The publisher it is about, where it is about one.
    pub publisher: Option<String>,
    /// The host, product or zone it is about, where it is about one.
    pub subject: Option<String>,
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen, line by line, without anything that steers a terminal.
    pub saw: Vec<String>,
    /// Why it failed, or warns.
    pub reason: Option<Reason>,
}

/// Every step of one diagnosis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The steps, in order.
    pub findings: Vec<Finding>,
    /// The reason whose next step is the one to take now; none where nothing is wrong.
    pub next: Option<Reason>,
}

impl Report {
    /// The steps with the next one to take: the first that failed decides, else the first warning.
    pub fn of(findings: Vec<Finding>) -> Self {
        let next = first(&findings, Verdict::Fail).or_else(|| first(&findings, Verdict::Warn));
        Self { findings, next }
    }

    /// Whether anything fails.
    pub fn fails(&self) -> bool {
        any_fails(&self.findings)
    }
}

/// The outcome of one step, before it is known what the step is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen.
    pub saw: Vec<String>,
    /// Why it failed, or warns.
    pub reason: Option<Reason>,
}

impl Outcome {
    /// As it should be.
    pub fn ok(saw: impl Into<String>) -> Self {
        Self::judged(Verdict::Ok, None, vec![saw.into()])
    }

    /// Worth knowing.
    pub fn warn(reason: Reason, saw: impl Into<String>) -> Self {
        Self::judged(Verdict::Warn, Some(reason), vec![saw.into()])
    }

    /// Not as it must be.
    pub fn fail(reason: Reason, saw: impl Into<String>) -> Self {
        Self::judged(Verdict::Fail, Some(reason), vec![saw.into()])
    }

    /// A refusal as it was met.
    pub fn refused(refusal: &Refusal) -> Self {
        Self::fail(refusal.reason, words(refusal))
    }

    /// Not tried; `saw` says why where it is not the step before.
    pub fn not_reached(saw: impl Into<String>) -> Self {
        let mut saw = vec![saw.into()];
        saw.retain(|line| !line.is_empty());
        Self::judged(Verdict::NotReached, None, saw)
    }

    /// With the lines given.
    pub fn judged(verdict: Verdict, reason: Option<Reason>, saw: Vec<String>) -> Self {
        Self {
            verdict,
            saw,
            reason,
        }
    }
}

/// The steps about one thing, in order. After a step that failed, those that need it are not
/// reached.
#[derive(Debug, Default)]
pub struct Steps {
    publisher: Option<String>,
    subject: Option<String>,
    findings: Vec<Finding>,
    is_blocked: bool,
}

impl Steps {
    /// Steps about a publisher, and a host, product or zone.
    pub fn about(publisher: Option<&str>, subject: Option<String>) -> Self {
        Self {
            publisher: publisher.map(str::to_owned),
            subject,
            ..Self::default()
        }
    }

    /// A step that needs those before it; where it fails, those after it are not reached.
    pub fn needed(&mut self, step: &'static str, judge: impl FnOnce() -> Outcome) {
        let outcome = match self.is_blocked {
            true => Outcome::not_reached(""),
            false => judge(),
        };
        self.is_blocked |= outcome.verdict == Verdict::Fail;
        self.put(step, outcome);
    }

    /// A step that needs those before it and that none after it needs.
    pub fn aside(&mut self, step: &'static str, judge: impl FnOnce() -> Outcome) {
        let blocked = self.is_blocked;
        self.needed(step, judge);
        self.is_blocked = blocked;
    }

    /// A step that stands for itself.
    pub fn alone(&mut self, step: &'static str, outcome: Outcome) {
        self.put(step, outcome);
    }

    /// Whether a needed step failed.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// The findings.
    pub fn finish(self) -> Vec<Finding> {
        self.findings
    }

    fn put(&mut self, step: &'static str, outcome: Outcome) {
        self.findings.push(Finding {
            step,
            publisher: self.publisher.clone(),
            subject: self.subject.clone(),
            verdict: outcome.verdict,
            saw: outcome.saw.iter().map(|line| harmless(line)).collect(),
            reason: outcome.reason,
        });
    }
}

/// Why a directory cannot be written, as the system told it when it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// No space, or no more of this user's quota.
    Full,
    /// A limit on the size of files was reached.
    TooLarge,
    /// The file system is mounted read-only, or this user may not.
    Denied,
    /// Anything else.
    Other,
}

impl WriteFault {
    /// The reason that stands for it.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Full => store::FULL,
            Self::TooLarge => store::DISK_FAILED,
            Self::Denied => config::DIRECTORY_UNWRITABLE,
            Self::Other => config::FILE_UNWRITABLE,
        }
    }
}

/// A directory as it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSeen {
    /// The directory.
    pub dir: String,
    /// What writing a file there came to, with the system's words.
    pub write: Result<(), (WriteFault, String)>,
    /// Bytes that this user may still write there, where the system tells.
    pub free_bytes: Option<u64>,
}

/// Free space below which a disk is warned about, in bytes: 64 MiB.
const FREE_BYTES_WARN: u64 = 64 << 20;

impl DiskSeen {
    /// Whether the directory can be written.
    pub fn judge(&self) -> Outcome {
        let free = match self.free_bytes {
            Some(bytes) => format!(", {} MiB free", bytes >> 20),
            None => String::new(),
        };
        match &self.write {
            Err((fault, words)) => {
                Outcome::fail(fault.reason(), format!("{}: {words}{free}", self.dir))
            }
            Ok(()) => {
                let saw = format!("{}: a file was written{free}", self.dir);
                match self.free_bytes {
                    Some(bytes) if bytes < FREE_BYTES_WARN => {
                        Outcome::warn(store::NEARLY_FULL, saw)
                    }
                    _ => Outcome::ok(saw),
                }
            }
        }
    }
}

/// An address with its port, and what came of connecting to it.
pub type PortSeen = (SocketAddr, Result<(), Refusal>);

pub(crate) fn port_line((addr, tried): &PortSeen) -> String {
    match tried {
        Ok(()) => format!("{addr}: connected"),
        Err(refusal) => format!("{addr}: {}", refusal.reason.text()),
    }
}

/// Whether DNS says that there is nothing, which is no fault of its server.
pub(crate) fn is_absent(reason: Reason) -> bool {
    [
        dns::DNS_NO_SUCH_NAME,
        dns::DNS_NO_RECORD,
        dns::NET_NO_ADDRESS,
    ]
    .contains(&reason)
}

/// The reason that a text names by its code, as muster's own refusals end: `… (MUSTER-KMS-0013)`.
pub fn named_in(text: &str) -> Option<Reason> {
    let start = text.find("MUSTER-")?;
    let code = text[start..].split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    Reason::find(code.into_iter().next()?)
}

/// What was seen, or the reason's own sentence where there is nothing to add.
pub(crate) fn words(refusal: &Refusal) -> String {
    match refusal.detail.as_str() {
        "" => refusal.reason.text().to_owned(),
        detail => detail.to_owned(),
    }
}

/// `7d ahead of` or `5h behind`: how one time stands to another.
pub(crate) fn standing(time: Timestamp, other: Timestamp) -> String {
    let by = rough(time.distance(other));
    if time >= other {
        format!("{by} ahead of")
    } else {
        format!("{by} behind")
    }
}

/// A span without the units that nobody needs.
pub(crate) fn rough(span: Span) -> String {
    let keep = match span.seconds() {
        172_800.. => 86_400,
        7_200.. => 60,
        _ => 1,
    };
    Span::from_seconds(span.seconds() / keep * keep).to_string()
}

pub(crate) fn any_fails(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Fail)
}

fn first(findings: &[Finding], verdict: Verdict) -> Option<Reason> {
    let found = findings.iter().find(|finding| finding.verdict == verdict);
    found.and_then(|finding| finding.reason)
}

/// What somebody else sent is shown without what would steer a terminal.
fn harmless(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for symbol in line.chars() {
        if steers(symbol) {
            shown.extend(symbol.escape_default());
        } else {
            shown.push(symbol);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::kms;

    #[test]
    fn what_needs_a_failed_step_is_not_reached_and_the_first_fault_is_next() {
        let mut steps = Steps::about(Some("Contoso"), None);
        steps.aside("one", || Outcome::warn(kms::BUSY, "w"));
        steps.needed("two", || Outcome::fail(dns::NET_REFUSED, "seen\u{1b}[1m"));
        steps.needed("three", || unreachable!("it needs the second"));
        steps.alone("four", Outcome::fail(kms::BUSY, ""));
        let report = Report::of(steps.finish());
        let verdicts: Vec<_> = report.findings.iter().map(|it| it.verdict.name()).collect();
        assert_eq!(verdicts, ["warn", "fail", "not-reached", "fail"]);
        assert_eq!(report.next, Some(dns::NET_REFUSED));
        assert_eq!(report.findings[1].saw, [r"seen\u{1b}[1m"]);
        assert!(report.fails());
    }

    #[test]
    fn a_warning_is_next_where_nothing_fails() {
        let mut steps = Steps::default();
        steps.alone("one", Outcome::warn(kms::BUSY, "w"));
        let report = Report::of(steps.finish());
        assert_eq!((report.next, report.fails()), (Some(kms::BUSY), false));
    }

    #[test]
    fn a_code_is_found_in_a_text() {
        let refusal = Refusal::new(kms::CLOCK_JUMPED, "by 3d");
        assert_eq!(named_in(&refusal.to_string()), Some(kms::CLOCK_JUMPED));
        for nothing in ["", "MUSTER-", "MUSTER-KMS-9999", "busy"] {
            assert_eq!(named_in(nothing), None);
        }
    }

    #[test]
    fn a_disk_says_why_it_cannot_be_written() {
        let disk = |write, free_bytes| DiskSeen {
            dir: "/d".into(),
            write,
            free_bytes,
        };
        let full = disk(Err((WriteFault::Full, "no space".into())), Some(0)).judge();
        assert_eq!(full.reason, Some(store::FULL));
        assert_eq!(full.saw, ["/d: no space, 0 MiB free"]);
        let little = disk(Ok(()), Some(1 << 20)).judge();
        assert_eq!(little.reason, Some(store::NEARLY_FULL));
        assert_eq!(disk(Ok(()), None).judge().verdict, Verdict::Ok);
    }
}
