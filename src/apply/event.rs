//! What apply tells while it works: a closed set of events, and the report at the end.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use standfast_contract::{ComponentId, Map};

/// Something that happened. Every rendering (live, plain, JSON lines) draws from these alone.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Started {
        run: u64,
        tasks: usize,
    },
    TaskStarted {
        task: u32,
        address: String,
        /// "creating", "drain".
        doing: String,
        /// Whether it undoes an earlier one.
        undo: bool,
    },
    Progress {
        task: u32,
        address: String,
        text: String,
    },
    Retrying {
        task: u32,
        address: String,
        attempt: u32,
        #[serde(rename = "wait_ms", serialize_with = "as_ms")]
        wait: Duration,
        reason: String,
    },
    TaskEnded {
        task: u32,
        address: String,
        /// "created", "drain".
        did: String,
        #[serde(flatten)]
        outcome: Outcome,
        #[serde(rename = "elapsed_ms", serialize_with = "as_ms")]
        elapsed: Duration,
        tasks_over: usize,
        tasks: usize,
    },
    /// Not tried; `by` is the address of what failed.
    Blocked {
        address: String,
        by: String,
    },
    /// A rollout failed and is being undone.
    RollingBack {
        component: ComponentId,
        members: Vec<String>,
    },
    /// A rollout failed and is left as it is: this, which its members stood on, was replaced and is gone.
    NoWayBack {
        component: ComponentId,
        gone: String,
    },
    /// The first interrupt: what is in flight is finished.
    Stopping {
        running: usize,
    },
    Ended(Report),
}

fn as_ms<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_millis() as u64)
}

/// `{address, by}` for each.
fn as_objects<S: serde::Serializer>(blocked: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Blocked<'a> {
        address: &'a str,
        by: &'a str,
    }
    serializer.collect_seq(blocked.iter().map(|(address, by)| Blocked { address, by }))
}

/// How a task ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// What it waited for turned out to change nothing.
    Unchanged,
    Failed {
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

/// One failed step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Failure {
    pub address: String,
    pub error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The end of a run.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    pub run: u64,
    pub created: usize,
    pub updated: usize,
    pub replaced: usize,
    pub deleted: usize,
    pub forgotten: usize,
    pub refreshed: usize,
    pub moved: usize,
    /// Planned, and found to need nothing.
    pub unchanged: usize,
    pub rolled_back: usize,
    /// Whether something could not be put back, or does not serve where it was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back_in_vain: bool,
    /// Members that an earlier run had left out of service and that are back.
    pub put_back: usize,
    pub failed: Vec<Failure>,
    /// Addresses that were not tried because of a failure: address, and by what.
    #[serde(serialize_with = "as_objects")]
    pub blocked: Vec<(String, String)>,
    /// Addresses that were not tried because the run was stopped.
    pub cancelled: Vec<String>,
    pub interrupted: bool,
    /// Members that are out of service at the end, such as `autoscaling_groups.web/web1`: the next apply puts them back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub out_of_service: Vec<String>,
    pub outputs: BTreeMap<ComponentId, Map>,
    #[serde(rename = "elapsed_ms", serialize_with = "as_ms")]
    pub elapsed: Duration,
}

impl Report {
    pub fn succeeded(&self) -> bool {
        self.failed.is_empty() && self.blocked.is_empty() && self.cancelled.is_empty() && !self.interrupted
    }
}
