//! One state as one value, with its history: what moves between stores and out to a file.
//!
//! The lock stays behind: it belongs to the store, not to what the store keeps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::history::{RunDetail, RunId};
use crate::record::{Head, ResourceRecord, StackId};

/// The version of [`Export`] that this build writes and reads.
pub const EXPORT_FORMAT: u32 = 1;

/// Everything that a store keeps of one state, in one consistent read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// [`EXPORT_FORMAT`].
    pub format: u32,
    /// Which state it was.
    pub stack: StackId,
    /// Its version.
    pub head: Head,
    /// Ordered as in a snapshot.
    pub resources: Vec<ResourceRecord>,
    /// All runs, oldest first, each with its journal; open intents are the entries without a final outcome.
    pub runs: Vec<RunDetail>,
    /// Saved plans that were carried out and must not be again.
    pub used_plans: Vec<UsedPlan>,
    /// The small values kept beside the resources.
    pub meta: BTreeMap<String, String>,
}

/// A saved plan that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedPlan {
    /// The plan's id.
    pub plan_id: String,
    /// When.
    pub at: Timestamp,
    /// By which run, when it got that far.
    pub run: Option<RunId>,
}
