//! What PostgreSQL and the network report, in the words of [`StoreError`].

use std::error::Error as _;
use std::io;

use tokio_postgres::error::{DbError, Error, SqlState};

use super::session::STATEMENT_TIMEOUT_MS;
use crate::error::StoreError;

/// Why a piece of work came to no end.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection is gone, or the server is going down. What was sent may have been done.
    Lost(String),
    /// The server undid the transaction for the sake of another; the same may be tried again.
    Undone,
    /// PostgreSQL says no.
    Sql(Error),
    /// The state says no.
    State(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::State(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if is_lost(&error) {
            return Self::Lost(words(&error));
        }
        match error.code() {
            Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => Self::Undone,
            _ => Self::Sql(error),
        }
    }
}

/// Whether the connection is of no more use. Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn is_lost(error: &Error) -> bool {
    match error.as_db_error() {
        Some(said) => {
            let code = said.code();
            let gone = [
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            ];
            gone.contains(code) || code.code().starts_with("08")
        }
        None => {
            error.is_closed() || io_cause(error).is_some() || error.to_string().contains("unexpected message")
        }
    }
}

fn io_cause(error: &Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The error in one line, its cause included.
pub(super) fn words(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The error for what PostgreSQL answers to a statement.
pub(super) fn translate(error: &Error, operation: &'static str, place: &str) -> StoreError {
    let place = place.to_owned();
    let Some(said) = error.as_db_error() else {
        let reason = words(error);
        // A value of another type than the schema has: somebody changed it.
        return match reason.contains("deserializing") {
            true => StoreError::Damaged { operation, place, reason, backup: None },
            false => StoreError::Backend { operation, place, reason },
        };
    };
    let reason = reason(said);
    match *said.code() {
        SqlState::DISK_FULL => StoreError::DiskFull { operation, place },
        SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly { operation, place, reason },
        SqlState::INSUFFICIENT_PRIVILEGE => StoreError::NotAllowed { operation, place, reason },
        SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => {
            StoreError::Busy { operation, place, waited_ms: STATEMENT_TIMEOUT_MS }
        }
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            StoreError::Damaged { operation, place, reason, backup: None }
        }
        SqlState::IO_ERROR => StoreError::Io { operation, place, reason },
        _ => StoreError::Backend { operation, place, reason },
    }
}

fn reason(said: &DbError) -> String {
    match said.detail() {
        Some(detail) => format!("{}: {detail}, SQLSTATE {}", said.message(), said.code().code()),
        None => format!("{}, SQLSTATE {}", said.message(), said.code().code()),
    }
}

/// The error for a connection that could not be made.
pub(super) fn refused(error: &Error, operation: &'static str, place: &str, database: &str) -> StoreError {
    let reason = words(error);
    let place = place.to_owned();
    if let Some(said) = error.as_db_error() {
        return match *said.code() {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                StoreError::LoginRefused { place, reason }
            }
            SqlState::INVALID_CATALOG_NAME => StoreError::NoDatabase { place, database: database.to_owned() },
            SqlState::INSUFFICIENT_PRIVILEGE => StoreError::NotAllowed { operation, place, reason },
            _ => StoreError::Unreachable { operation, place, reason },
        };
    }
    let text = error.to_string();
    if text.contains("TLS") {
        return match reason.contains("does not support TLS") {
            true => StoreError::NoTls { place },
            false => StoreError::NotTrusted { place, reason },
        };
    }
    if reason.contains("password missing") {
        return StoreError::LoginRefused {
            place,
            reason: "it asks for a password, and none is given".to_owned(),
        };
    }
    if text.contains("authentication") {
        return StoreError::LoginRefused { place, reason };
    }
    StoreError::Unreachable { operation, place, reason }
}
