//! What a command leaves behind: data on stdout, words on stderr, one exit code. The only file that
//! prints.

use std::io::Write as _;
use std::process::ExitCode;

use muster_proto::reason::config::{ID_WRONG, MISUSED, SPAN_WRONG};
use muster_proto::{Reason, Refusal};
use serde_json::{Value, json};

use crate::notify;

/// The result of one command, for people and for programs.
pub(crate) struct Report {
    json: Value,
    text: String,
    words: Vec<String>,
    done: bool,
}

impl Report {
    /// A command that did what it was told: its data for programs and for people.
    pub(crate) fn new(json: Value, text: impl Into<String>) -> Self {
        Self {
            json,
            text: text.into(),
            words: Vec::new(),
            done: true,
        }
    }

    /// A command that has printed what it had to say already.
    pub(crate) fn quiet() -> Self {
        Self::new(Value::Null, "")
    }

    /// Adds words for stderr: they explain the data and are no part of it.
    pub(crate) fn say(mut self, words: impl Into<String>) -> Self {
        self.words.push(words.into());
        self
    }

    /// Marks the outcome as refused or failed: exit code 1.
    pub(crate) fn refused(mut self) -> Self {
        self.done = false;
        self
    }

    /// Prints the report and gives the exit code.
    pub(crate) fn print(&self, json: bool) -> ExitCode {
        if json && !self.json.is_null() {
            print_data(&format!("{:#}", self.json));
        } else if !self.text.is_empty() {
            print_data(&self.text);
        }
        for words in &self.words {
            say(words);
        }
        if self.done {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        }
    }
}

/// Prints a refusal: words on stderr, with `--json` the same as a document on stdout.
pub(crate) fn print_refusal(refusal: &Refusal, json: bool) -> ExitCode {
    if json {
        print_data(&format!("{:#}", error_json(refusal)));
    }
    say(&format!("error: {refusal}"));
    say(&format!("  likely cause: {}", refusal.reason.cause()));
    say(&format!("  next: {}", refusal.reason.next()));
    // Arguments that only fail together, or are read later, are misuse as a single wrong one is.
    let is_misuse = [MISUSED, SPAN_WRONG, ID_WRONG].contains(&refusal.reason);
    ExitCode::from(if is_misuse { 2 } else { 1 })
}

/// The command line could not be read: clap's words on stderr, with `--json` a document too. Help and
/// version come this way as well, and are no error.
pub(crate) fn misused(error: &clap::Error) -> ExitCode {
    let is_misuse = error.use_stderr();
    if is_misuse && std::env::args_os().any(|argument| argument == "--json") {
        let words = error.render().to_string();
        let first = words.lines().next().unwrap_or_default();
        let refusal = Refusal::new(MISUSED, first.trim_start_matches("error: "));
        print_data(&format!("{:#}", error_json(&refusal)));
    }
    // It knows where colours are wanted; a closed pipe ends output quietly.
    let _ = error.print();
    ExitCode::from(if is_misuse { 2 } else { 0 })
}

/// The runtime itself could not start.
pub(crate) fn fail_to_start(error: &std::io::Error, json: bool) -> ExitCode {
    let reason = muster_proto::reason::config::NO_RUNTIME;
    print_refusal(&Refusal::new(reason, error.to_string()), json)
}

/// One line that a service prints when it is ready; systemd is told too.
pub(crate) fn print_ready(line: &str) {
    print_data(line);
    if let Err(error) = notify::ready() {
        say(&format!("warning: systemd was not told: {error}"));
    }
}

/// Words on stderr. Where it cannot be written, a full disk or a reader that has gone, the words
/// are lost and the work goes on: there is nowhere else to tell it.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}

/// The JSON of an error, as `5-commands` fixes it.
pub(crate) fn error_json(refusal: &Refusal) -> Value {
    json!({ "error": {
        "code": refusal.reason.code(),
        "text": if refusal.detail.is_empty() {
            refusal.reason.text().to_owned()
        } else {
            format!("{}: {}", refusal.reason.text(), refusal.detail)
        },
        "cause": refusal.reason.cause(),
        "next": refusal.reason.next(),
    }})
}

/// The JSON of a reason.
pub(crate) fn reason_json(reason: Reason) -> Value {
    json!({ "code": reason.code(), "text": reason.text(),
            "cause": reason.cause(), "next": reason.next() })
}

/// Writes data to stdout. A closed pipe (`muster … | head`) ends output quietly.
fn print_data(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end_matches('\n'));
    if let Err(error) = written.and_then(|()| stdout.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        say(&format!("error: stdout cannot be written: {error}"));
    }
}

/// A table for people, as wide as the terminal allows.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
