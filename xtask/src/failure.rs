//! Why a task could not be done, and the two ways in which tasks run other programs.

use std::process::Command;

/// Why a task failed, in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A program could not be started at all.
    #[error("cannot start `{program}`: {source}")]
    NotStarted {
        /// The program's name as it was called.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program ran and said no.
    #[error("`{command}` failed ({status})")]
    Refused {
        /// The command line.
        command: String,
        /// Its exit status, in words.
        status: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The reason has been printed already.
    #[error("failed")]
    Told,
    /// Anything else, said plainly.
    #[error("{0}")]
    Said(String),
}

impl Failure {
    /// A failure in words.
    pub(crate) fn said(words: impl Into<String>) -> Self {
        Self::Said(words.into())
    }
}

/// Runs a command with the terminal's own input and output; anything but exit 0 is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .status()
        .map_err(|source| not_started(command, source))?;
    if status.success() {
        Ok(())
    } else {
        Err(refused(command, &status.to_string()))
    }
}

/// Runs a command and gives back what it wrote to standard output; its errors reach the terminal.
pub(crate) fn output_of(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|source| not_started(command, source))?;
    if !output.status.success() {
        return Err(refused(command, &output.status.to_string()));
    }
    String::from_utf8(output.stdout).map_err(|_| {
        Failure::said(format!(
            "`{}` wrote bytes that are no UTF-8",
            line_of(command)
        ))
    })
}

/// The failure of a command that ended with anything but success.
pub(crate) fn refused(command: &Command, status: &str) -> Failure {
    Failure::Refused {
        command: line_of(command),
        status: status.to_owned(),
    }
}

/// The failure of a command that never ran.
pub(crate) fn not_started(command: &Command, source: std::io::Error) -> Failure {
    Failure::NotStarted {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
