//! What SQLite reports, in the words of [`StoreError`].

use rusqlite::{Error, ErrorCode, ffi};

use crate::error::{StoreError, is_out_of_files};

/// How long a connection waits for other processes, in milliseconds.
pub(super) const BUSY_TIMEOUT_MS: u64 = 10_000;

/// Why a job failed: SQLite did, or the state says no.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(Error),
    State(StoreError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::State(error)
    }
}

impl Fault {
    /// The error for the caller of `operation` on `place`.
    pub(super) fn into_error(self, operation: &'static str, place: &str) -> StoreError {
        match self {
            Self::Sql(error) => translate(&error, operation, place),
            Self::State(error) => error,
        }
    }
}

/// The error for what SQLite reports. Codes: <https://sqlite.org/rescode.html>.
pub(super) fn translate(error: &Error, operation: &'static str, place: &str) -> StoreError {
    let (place, reason) = (place.to_owned(), error.to_string());
    match error {
        Error::SqliteFailure(failure, message) => {
            let reason = match message {
                Some(message) => format!("{message}, SQLite code {}", failure.extended_code),
                None => format!("{reason}, SQLite code {}", failure.extended_code),
            };
            match failure.code {
                ErrorCode::DiskFull => StoreError::DiskFull { operation, place },
                ErrorCode::ReadOnly if failure.extended_code == ffi::SQLITE_READONLY_DBMOVED => {
                    StoreError::Moved { operation, place }
                }
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                    StoreError::ReadOnly { operation, place, reason }
                }
                ErrorCode::CannotOpen if is_out_of_files() => StoreError::TooManyFiles { operation, place },
                ErrorCode::CannotOpen => StoreError::CannotOpen { operation, place, reason },
                // No room for the index of the log, which SQLite tells from a full disk.
                ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
                    StoreError::DiskFull { operation, place }
                }
                ErrorCode::SystemIoFailure => StoreError::Io { operation, place, reason },
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    StoreError::Damaged { operation, place, reason, backup: None }
                }
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                    StoreError::Busy { operation, place, waited_ms: BUSY_TIMEOUT_MS }
                }
                _ => StoreError::Backend { operation, place, reason: format!("{failure}: {reason}") },
            }
        }
        // Our statements fit our schema: where one does not, the schema in the file is another.
        Error::SqlInputError { msg, .. } => StoreError::Damaged {
            operation,
            place,
            reason: format!("its schema is not ours: {msg}"),
            backup: None,
        },
        // A value of the wrong type or outside its range: our own schema cannot hold one.
        Error::FromSqlConversionFailure(..)
        | Error::InvalidColumnType(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..) => StoreError::Damaged { operation, place, reason, backup: None },
        _ => StoreError::Backend { operation, place, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32) -> StoreError {
        translate(&Error::SqliteFailure(ffi::Error::new(code), None), "write an intent", "sqlite:x.db")
    }

    #[test]
    fn every_failure_of_the_file_has_its_own_error() {
        assert!(matches!(of(ffi::SQLITE_FULL), StoreError::DiskFull { .. }));
        assert!(matches!(of(ffi::SQLITE_READONLY_DIRECTORY), StoreError::ReadOnly { .. }));
        assert!(matches!(of(ffi::SQLITE_READONLY_DBMOVED), StoreError::Moved { .. }));
        assert!(matches!(of(ffi::SQLITE_CANTOPEN), StoreError::CannotOpen { .. }));
        assert!(matches!(of(ffi::SQLITE_IOERR_FSYNC), StoreError::Io { .. }));
        assert!(matches!(of(ffi::SQLITE_CORRUPT), StoreError::Damaged { .. }));
        assert!(matches!(of(ffi::SQLITE_NOTADB), StoreError::Damaged { .. }));
        assert!(matches!(of(ffi::SQLITE_BUSY_SNAPSHOT), StoreError::Busy { .. }));
        let text = of(ffi::SQLITE_READONLY).to_string();
        assert!(text.starts_with("could not write an intent: the state sqlite:x.db"), "{text}");
    }
}
