//! A database server's errors as reasons, and what may be done after each.

use std::io::ErrorKind;

use muster_proto::reason::store as reasons;
use muster_proto::{Reason, Refusal};
use sqlx_core::Error;

/// Why a transaction did not come to its end.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Another transaction came in between and this one was undone: it may be run again.
    Conflict(String),
    /// The connection broke before the commit and nothing was changed: it may be run again on
    /// another connection.
    Lost(Refusal),
    /// The connection broke while the server was committing: done or not, nobody can say.
    Unknown(String),
    /// Refused; the transaction was undone.
    Refused(Refusal),
}

impl Fault {
    /// What an asker is told when it is not tried again.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Conflict(what) => Refusal::new(reasons::CONFLICTS, what),
            Self::Unknown(what) => Refusal::new(reasons::OUTCOME_UNKNOWN, what),
            Self::Lost(refusal) | Self::Refused(refusal) => refusal,
        }
    }

    /// What an error means that a `COMMIT` met: only where the server says that it undid the
    /// transaction is that known.
    pub(super) fn of_commit(error: &Error) -> Self {
        let state = state(error);
        match state.as_deref() {
            // Statement completion unknown.
            Some("40003") => Self::Unknown(error.to_string()),
            // Rolled back, a deferred rule broken, a transaction that had failed before.
            Some(code)
                if ["40", "23", "25"]
                    .iter()
                    .any(|class| code.starts_with(class)) =>
            {
                Self::of(error)
            }
            _ => Self::Unknown(error.to_string()),
        }
    }

    /// What an error of an `INSERT` means whose key another transaction may have taken at the same
    /// time: whoever comes second looks again.
    pub(crate) fn of_insert(error: &Error) -> Self {
        match state(error).as_deref() {
            Some("23505") => Self::Conflict(error.to_string()),
            _ => Self::of(error),
        }
    }

    pub(super) fn of(error: &Error) -> Self {
        let what = error.to_string();
        let state = state(error);
        let refused = |reason: Reason| Self::Refused(Refusal::new(reason, what.clone()));
        let Some(code) = state.as_deref() else {
            return Self::of_driver(error, what);
        };
        match code {
            // Serialisation failure, deadlock, a lock that was not given in time.
            "40001" | "40P01" | "55P03" => Self::Conflict(what),
            "40003" => Self::Unknown(what),
            "25006" => refused(reasons::NOT_PRIMARY),
            "42501" => refused(reasons::NOT_PERMITTED),
            "3D000" => refused(reasons::LOGIN_REFUSED),
            "53100" => refused(reasons::FULL),
            // A transaction that stood still too long; a server that shuts down or starts.
            "25P03" | "57P01" | "57P02" | "57P03" | "57014" => {
                Self::Lost(Refusal::new(reasons::SERVER_UNREACHABLE, what))
            }
            _ => match &code[..2] {
                "08" => Self::Lost(Refusal::new(reasons::SERVER_UNREACHABLE, what)),
                "28" => refused(reasons::LOGIN_REFUSED),
                "53" => refused(reasons::SERVER_BUSY),
                "58" => refused(reasons::DISK_FAILED),
                "XX" => refused(reasons::CORRUPT),
                _ => refused(reasons::INTERNAL),
            },
        }
    }

    /// Errors that did not come from the server.
    fn of_driver(error: &Error, what: String) -> Self {
        match error {
            // So rustls tells, through its stream, why a handshake failed.
            Error::Io(why) if why.kind() == ErrorKind::InvalidData => {
                Self::Refused(Refusal::new(reasons::SERVER_UNTRUSTED, what))
            }
            Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed | Error::BeginFailed => {
                Self::Lost(Refusal::new(reasons::SERVER_UNREACHABLE, what))
            }
            Error::Tls(_) => Self::Refused(Refusal::new(reasons::SERVER_UNTRUSTED, what)),
            Error::Configuration(_) => Self::Refused(Refusal::new(reasons::BAD_URL, what)),
            Error::ColumnDecode { .. } | Error::Decode(_) | Error::RowNotFound => {
                Self::Refused(Refusal::new(reasons::ROW_UNREADABLE, what))
            }
            _ => Self::Refused(Refusal::new(reasons::INTERNAL, what)),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason.into())
    }
}

/// The five letters of the server's error (SQLSTATE), where it came from there.
pub(super) fn state(error: &Error) -> Option<String> {
    let state = error.as_database_error()?.code()?;
    (state.len() == 5).then(|| state.into_owned())
}
