//! Nothing of what was replaced is left: after a change of the key, the old text must be gone from the file, from its log
//! and from the copies.
//!
//! `VACUUM` writes every page anew into the log, which is then folded into the file and cut to nothing. What a file system or a disk keeps of
//! blocks that it has given up is beyond this.

use std::path::Path;

use rusqlite::Connection;

use super::failure::{BUSY_TIMEOUT_MS, translate};
use super::{backup, open};
use crate::error::StoreError;

const OPERATION: &str = "wipe the state";

/// Wipes the file and returns how many copies were removed. Blocks for as long as writing the file takes.
pub(super) fn run(file: &Path, place: &str) -> Result<usize, StoreError> {
    let explain = |error: rusqlite::Error| translate(&error, OPERATION, place);
    let conn = open::connect(file, place)?;
    conn.execute_batch("VACUUM").map_err(explain)?;
    cut_log(&conn, place)?;
    conn.close().map_err(|(_, error)| explain(error))?;
    backup::remove_all(file).map_err(|error| StoreError::from_io(OPERATION, place, &error))
}

/// Folds the log into the file and cuts it to nothing, which waits for readers.
fn cut_log(conn: &Connection, place: &str) -> Result<(), StoreError> {
    // <https://sqlite.org/pragma.html#pragma_wal_checkpoint>: the first column is 1 when somebody was in the way.
    let busy: i64 = conn
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(|error| translate(&error, OPERATION, place))?;
    match busy {
        0 => Ok(()),
        _ => Err(StoreError::Busy {
            operation: OPERATION,
            place: place.to_owned(),
            waited_ms: BUSY_TIMEOUT_MS,
        }),
    }
}
