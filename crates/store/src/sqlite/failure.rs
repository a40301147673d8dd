//! SQLite's errors as reasons.

use muster_proto::{Refusal, reason::store as reasons};
use rusqlite::{Error, ErrorCode, ffi};

/// The refusal for an error of SQLite, with SQLite's own words.
pub fn refusal_of(error: &Error) -> Refusal {
    let reason = match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => reasons::BUSY,
            ErrorCode::DiskFull => reasons::FULL,
            ErrorCode::ReadOnly => reasons::READ_ONLY,
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => reasons::NOT_OPENED,
            ErrorCode::SystemIoFailure => reasons::DISK_FAILED,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => reasons::CORRUPT,
            _ => reasons::INTERNAL,
        },
        // A column of another type than the program wrote.
        Error::InvalidColumnType(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::FromSqlConversionFailure(..) => reasons::ROW_UNREADABLE,
        _ => reasons::INTERNAL,
    };
    Refusal::new(reason, error.to_string())
}

/// After a failed `fsync` the system may have dropped the pages that it could not write, and a
/// second `fsync` would succeed all the same: nothing this connection says later can be trusted.
pub(super) fn is_beyond_trust(error: &Error) -> bool {
    matches!(error, Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_IOERR_FSYNC)
}
