//! The journal: what a run was about to do, written before it does it, and how it ended.
//!
//! A call whose intent has no outcome is one that a later run must look up before it repeats it.
//! Deliberately absent: the recovery itself, which the engine does.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::history::RunId;

/// A journal entry's number, unique within its store and growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub u64);

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a run is about to do to one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The run that does it.
    pub run: RunId,
    /// The resource's address.
    pub address: String,
    /// Which of its objects; empty for the current one.
    pub deposed: String,
    /// The engine's word for the action.
    pub action: String,
    /// The client token or name that the call carries, by which its effect can be found again.
    pub token: String,
    /// The engine's JSON, kept as text and never looked into.
    pub payload: String,
}

/// An intent that nothing has closed: its run died, or got no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenIntent {
    /// Its number, to settle it by.
    pub id: IntentId,
    /// What was about to be done.
    pub intent: Intent,
    /// When it was written.
    pub at: Timestamp,
    /// True when the run lived to see that no answer came ([`Outcome::Unknown`]); false when it recorded nothing more.
    pub answer_lost: bool,
}

/// How an intent ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The call took effect, and the changes recorded with it say how.
    Done,
    /// The call had no effect; `message` says why. Never holds a secret.
    Failed {
        /// The provider's reason.
        message: String,
    },
    /// No answer came: the call may have taken effect. The intent stays open until a later run finds out.
    Unknown,
}

/// One entry of the journal, as the history shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Its number.
    pub id: IntentId,
    /// What was about to be done.
    pub intent: Intent,
    /// When the intent was written.
    pub at: Timestamp,
    /// How it ended; `None` while nothing is known.
    pub outcome: Option<Outcome>,
    /// When the outcome was written.
    pub settled: Option<Timestamp>,
    /// The state's serial right after the outcome.
    pub serial: Option<u64>,
}
