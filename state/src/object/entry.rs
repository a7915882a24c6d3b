//! What the log holds: one batch an object, its entries in the order in which they took effect.
//!
//! An entry says what happened, not what was asked for: times, tokens and who was taken over are decided by whoever
//! writes it, so that reading it again always comes to the same. Entries are only ever added to; one that this build does
//! not know is one of a later format.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lease::LockRow;
use crate::export::UsedPlan;
use crate::history::{RunId, RunRecord, RunStart};
use crate::journal::{Intent, IntentId, JournalEntry, Outcome};
use crate::record::{Change, Head, ResourceRecord};

/// One object of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Batch {
    /// Whose: a UUID made when the store was opened.
    pub(super) writer: String,
    /// Which of that writer's; with it a write is recognised as one's own when its answer was lost.
    pub(super) sequence: u64,
    /// The digest of the object before it; empty for the first.
    pub(super) previous: String,
    /// The state's serial after it.
    pub(super) serial: u64,
    pub(super) entries: Vec<Entry>,
}

/// One thing that happened. `token` is the fencing token that it was written under.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Entry {
    /// The state came to be. Always the first.
    Born { lineage: String },
    /// The lock was taken, over the lease `over` if there was one.
    Locked { lock: Box<LockRow>, over: Option<u64> },
    /// A heartbeat.
    Renewed { token: u64, heartbeat: Timestamp, heartbeat_boot_ms: Option<i64> },
    /// The lock was given back.
    Released { token: u64 },
    /// The lock was taken away from whoever held it.
    Broken,
    /// A run began. The start carries the digest of the blueprint in place of its text.
    RunBegun { token: u64, start: RunStart, at: Timestamp },
    /// A run ended.
    RunEnded { token: u64, run: RunId, result: String, summary: String, at: Timestamp },
    /// An intent; its number is the next one.
    Intended { token: u64, intent: Intent, at: Timestamp },
    /// An outcome with its changes.
    Settled { token: u64, intent: IntentId, outcome: Outcome, changes: Vec<Change>, at: Timestamp },
    /// Changes outside of the journal.
    Recorded { token: u64, changes: Vec<Change> },
    /// Runs were taken out of the history.
    Pruned { token: u64, runs: Vec<u64> },
    /// A saved plan was used up.
    PlanUsed { token: u64, plan_id: String, at: Timestamp },
    /// A small value, over what was there.
    Meta { token: Option<u64>, key: String, value: String },
    /// Everything but the lock was replaced.
    Imported { token: u64, state: Box<Imported> },
}

/// What an import brings. Blueprints and the runs that are `kept` lie in objects of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Imported {
    pub(super) head: Head,
    pub(super) resources: Vec<ResourceRecord>,
    pub(super) runs: Vec<ImportedRun>,
    pub(super) used_plans: Vec<UsedPlan>,
    pub(super) meta: BTreeMap<String, String>,
}

/// A run on its way in: in an object of its own, or with its journal here while something in it is open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ImportedRun {
    pub(super) record: RunRecord,
    pub(super) variables: String,
    pub(super) kept: Option<String>,
    pub(super) count: u64,
    pub(super) journal: Vec<JournalEntry>,
}
