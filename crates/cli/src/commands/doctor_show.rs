//! A diagnosis as people and programs read it: aligned lines, or one document.

use std::io::IsTerminal as _;

use muster_proto::doctor::{Finding, Report as Diagnosis, Verdict};
use serde_json::{Value, json};

use crate::report::{Report, reason_json};
use crate::times;

/// Columns before a step's name: the verdict.
const VERDICT_WIDTH: usize = 4;
/// Columns of the longest step's name.
const STEP_WIDTH: usize = 15;
/// Bytes of a time as it is seen: `2026-11-25T09:30:00Z`.
const RFC3339_BYTES: usize = 20;

/// The report of a diagnosis: exit code 1 where a step fails.
pub(super) fn report(diagnosis: &Diagnosis) -> Report {
    let report = Report::new(document(diagnosis), text(diagnosis));
    match diagnosis.fails() {
        true => report.refused(),
        false => report,
    }
}

fn document(diagnosis: &Diagnosis) -> Value {
    let steps: Vec<Value> = diagnosis.findings.iter().map(step).collect();
    let next = diagnosis
        .next
        .map(|reason| json!({ "code": reason.code(), "text": reason.next() }));
    json!({ "steps": steps, "next": next })
}

fn step(finding: &Finding) -> Value {
    let saw = Some(finding.saw.join("; ")).filter(|saw| !saw.is_empty());
    json!({
        "step": finding.step,
        "publisher": finding.publisher,
        "subject": finding.subject,
        "verdict": finding.verdict.name(),
        "saw": saw,
        "reason": finding.reason.map(reason_json),
    })
}

fn text(diagnosis: &Diagnosis) -> String {
    let painter = Painter {
        colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    let mut text = String::new();
    let mut about = String::new();
    for finding in &diagnosis.findings {
        let heading = heading(finding);
        if heading != about {
            text.push_str(&format!("\n{heading}\n"));
            about = heading;
        }
        text.push_str(&lines(finding, &painter));
    }
    text.push('\n');
    match diagnosis.next {
        None => text.push_str("Nothing is wrong.\n"),
        Some(reason) => {
            text.push_str(&format!("{reason}\n"));
            text.push_str(&format!("  likely cause: {}\n", reason.cause()));
            text.push_str(&format!("  next: {}\n", reason.next()));
        }
    }
    text.trim_start_matches('\n').to_owned()
}

/// What the steps that follow are about.
fn heading(finding: &Finding) -> String {
    match (&finding.publisher, &finding.subject) {
        (Some(publisher), Some(subject)) => format!("{publisher}: {subject}"),
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => String::new(),
    }
}

fn lines(finding: &Finding, painter: &Painter) -> String {
    let mut lines: Vec<String> = finding.saw.iter().map(|line| local(line)).collect();
    if let Some(reason) = finding.reason {
        match lines.last_mut() {
            // Where the reason was all there was to see, its code is what is missing.
            Some(last) if last.ends_with(reason.text()) => {
                last.push_str(&format!(" ({})", reason.code()));
            }
            _ => lines.push(reason.to_string()),
        }
    }
    if lines.is_empty() {
        lines.push("not reached".to_owned());
    }
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let (word, step) = match number {
            0 => (word(finding.verdict), finding.step),
            _ => ("", ""),
        };
        let word = painter.paint(finding.verdict, &format!("{word:<VERDICT_WIDTH$}"));
        text.push_str(&format!("{word}  {step:<STEP_WIDTH$} {line}\n"));
    }
    text
}

/// The times in a line as people read them.
fn local(line: &str) -> String {
    let word = |word: &str| {
        let time = word.trim_end_matches([',', ';', ')']);
        let is_time = time.len() == RFC3339_BYTES && time.ends_with('Z');
        match is_time {
            true => format!("{}{}", times::local_of(time), &word[time.len()..]),
            false => word.to_owned(),
        }
    };
    let words: Vec<String> = line.split(' ').map(word).collect();
    words.join(" ")
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
        Verdict::NotReached => "-",
    }
}

/// Colours where a person looks, and none in files and pipes.
struct Painter {
    colours: bool,
}

impl Painter {
    fn paint(&self, verdict: Verdict, word: &str) -> String {
        let colour = match verdict {
            Verdict::Ok => "32",
            Verdict::Warn => "33",
            Verdict::Fail => "31;1",
            Verdict::NotReached => "2",
        };
        match self.colours {
            true => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
            false => word.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::doctor::{Outcome, Steps};
    use muster_proto::reason::dns;

    use super::*;

    fn diagnosis() -> Diagnosis {
        let mut steps = Steps::about(Some("Contoso"), Some("kms:1688".into()));
        steps.needed("address", || Outcome::ok("192.0.2.1"));
        steps.needed("port", || Outcome::fail(dns::NET_REFUSED, "refused"));
        steps.needed("service", || Outcome::ok("never"));
        Diagnosis::of(steps.finish())
    }

    #[test]
    fn the_document_has_every_field_in_every_step() {
        let document = document(&diagnosis());
        assert_eq!(document["steps"][1]["verdict"], "fail");
        assert_eq!(document["steps"][1]["reason"]["code"], "MUSTER-NET-0001");
        let unreached = &document["steps"][2];
        assert!(unreached["saw"].is_null() && unreached["reason"].is_null());
        assert!(unreached.as_object().unwrap().contains_key("saw"));
        assert_eq!(document["next"]["code"], "MUSTER-NET-0001");
    }

    #[test]
    fn times_are_shown_as_people_read_them() {
        let shown = local("until 2026-11-25T00:00:00Z; 2026 is no time, nor is Z");
        assert!(shown.starts_with("until 2026-11-2") && shown.contains(":00; 2026 is no time"));
    }

    #[test]
    fn the_text_is_aligned_and_names_the_next_step() {
        let text = text(&diagnosis());
        assert!(text.starts_with("Contoso: kms:1688\nok    address         192.0.2.1\n"));
        let failed = "FAIL  port            refused\n                      The connection";
        assert!(text.contains(failed), "{text}");
        assert!(
            text.contains("-     service         not reached\n"),
            "{text}"
        );
        assert!(text.contains("  next: "));
    }
}
