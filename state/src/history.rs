//! Runs: who did what when, with the blueprint and variables that it was done with.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::JournalEntry;

/// A run's number: 1, 2, 3 and on within one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known when a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStart {
    /// The command, such as `apply`.
    pub command: String,
    /// The user.
    pub owner: String,
    /// The machine's name.
    pub host: String,
    /// The blueprint's text, secrets being references in it; `None` when the run needs none.
    pub blueprint: Option<String>,
    /// The variables as JSON text.
    pub variables: String,
    /// The saved plan that it carries out, if it is one.
    pub plan_id: Option<String>,
    /// One line for the history: what it is about to do.
    pub summary: String,
}

/// One run, as the history lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its number.
    pub id: RunId,
    /// The command, such as `apply`.
    pub command: String,
    /// The user.
    pub owner: String,
    /// The machine's name.
    pub host: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it runs, and for good when it was killed.
    pub ended: Option<Timestamp>,
    /// The engine's word for how it ended.
    pub result: Option<String>,
    /// One line: what it did, or is about to do.
    pub summary: String,
    /// The BLAKE3 digest of its blueprint's text, in hex.
    pub blueprint_digest: Option<String>,
    /// The saved plan that it carried out, if it was one.
    pub plan_id: Option<String>,
    /// The state's serial when it began.
    pub serial_before: u64,
    /// The state's serial when it ended.
    pub serial_after: Option<u64>,
}

/// One run with all that is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetail {
    /// As the history lists it.
    pub record: RunRecord,
    /// The blueprint's text.
    pub blueprint: Option<String>,
    /// The variables as JSON text.
    pub variables: String,
    /// Its journal entries, oldest first.
    pub journal: Vec<JournalEntry>,
}
