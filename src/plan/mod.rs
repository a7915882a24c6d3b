//! The plan: what will be done, to what, and why; decided here so that apply has no choices left.
//!
//! Reads in this order: [`recorded`] is what the state holds, [`observe`] looks at the world (the only I/O in here),
//! [`diff`] judges one resource, [`in_flight`] what an earlier run left without an end, [`make`] judges them all and
//! orders them, [`saved`] is a plan on disk, [`resume`] goes on with one whose run died.
//! [`rebuild`] makes the records of a state that was lost.

pub mod diff;
pub mod in_flight;
mod leaves;
pub mod make;
pub mod moved;
pub mod observe;
pub mod preflight;
pub mod rebuild;
pub mod recorded;
pub mod resume;
pub mod saved;
mod select;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use standfast_contract::{
    Address, ComponentId, Lifecycle, Map, OnFailure, Operation, Probe, SecretSource, Stack, Value,
};

pub use in_flight::InFlight;
pub use select::Selection;

/// What a try is known by in the world: the same for every try of the same step of the same plan.
pub fn token(plan_id: &str, address: &Address, action: &str) -> String {
    let digest = blake3::hash(format!("{plan_id}\n{address}\n{action}").as_bytes());
    digest.to_hex()[..32].to_owned()
}

/// What happens to a resource.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Update,
    Replace,
    Delete,
    /// Dropped from the state, left in the world.
    Forget,
    /// The record is brought up to what is so; the world is not touched.
    Refresh,
    /// The record and the marks take another address.
    Move,
}

impl Action {
    /// The symbol in front of a plan's line.
    pub fn symbol(self) -> &'static str {
        match self {
            Action::Create => "+",
            Action::Update => "~",
            Action::Replace => "-/+",
            Action::Delete => "-",
            Action::Forget => "x",
            Action::Refresh => "<",
            Action::Move => ">",
        }
    }

    /// "create", "created", "creating".
    pub fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Action::Create => ("create", "created", "creating"),
            Action::Update => ("update", "updated", "updating"),
            Action::Replace => ("replace", "replaced", "replacing"),
            Action::Delete => ("delete", "deleted", "deleting"),
            Action::Forget => ("forget", "forgotten", "forgetting"),
            Action::Refresh => ("refresh", "refreshed", "refreshing"),
            Action::Move => ("move", "moved", "moving"),
        }
    }
}

/// Where a difference comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The blueprint says something else than it did.
    Blueprint,
    /// The world says something else than we left there.
    Drift,
    /// It waits for what something else will turn out to be.
    Upstream,
}

/// One attribute that differs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Change {
    pub attribute: String,
    /// As it is: observed where it was read, else as recorded.
    #[serde(default, skip_serializing_if = "is_null")]
    pub before: Value,
    #[serde(default, skip_serializing_if = "is_null")]
    pub after: Value,
    pub because: Because,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forces_replacement: bool,
    /// What the change does beside: "restarts the database".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

fn is_null(value: &Value) -> bool {
    matches!(value, Value::Null)
}

/// What the record said when the plan was made.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Prior {
    pub id: String,
    pub inputs: Map,
    pub outputs: Map,
}

/// A step that another waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Wait {
    pub step: u32,
    /// Order only: its failure does not hold this one up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub soft: bool,
}

/// What will be done to one resource.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    pub address: Address,
    /// The key of an old copy that is left to delete; empty for the current object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deposed: String,
    pub kind: String,
    pub provider: String,
    pub action: Action,
    /// For a person: "new", "drift: mode is 0600", "zone changes".
    pub reason: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    pub lane: String,
    pub place: Value,
    /// As expanded: references and secrets by source. For a delete, as recorded.
    pub inputs: Map,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Direct dependencies, to be recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Address>,
    /// Steps that must be done first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Wait>,
    /// Steps whose old object depends on this one's old object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependants: Vec<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create_before_destroy: bool,
    /// The token of an interrupted try, to be used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Address>,
}

/// A rollout with something to do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RolloutPlan {
    pub component: ComponentId,
    pub canary: u32,
    pub max_unavailable: u32,
    pub on_failure: OnFailure,
    /// In the order in which they are changed, canaries first.
    pub members: Vec<MemberPlan>,
}

/// One member, its steps and what surrounds them. One without steps was left out of service by an earlier run, and is
/// only put back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MemberPlan {
    pub name: String,
    pub steps: Vec<u32>,
    pub before: Vec<Operation>,
    pub after: Vec<Operation>,
    /// Made for the first time: no drain, no place in the queue.
    pub new: bool,
}

/// How many of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub replace: usize,
    pub delete: usize,
    pub forget: usize,
    pub refresh: usize,
    pub r#move: usize,
    pub no_op: usize,
}

impl Summary {
    pub fn count(&mut self, action: Action) {
        *match action {
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::Replace => &mut self.replace,
            Action::Delete => &mut self.delete,
            Action::Forget => &mut self.forget,
            Action::Refresh => &mut self.refresh,
            Action::Move => &mut self.r#move,
        } += 1;
    }
}

/// Why a plan was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    #[default]
    Apply,
    Destroy,
    /// Only bring the record up to date.
    RefreshOnly,
}

/// Something a person should know before applying.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Warning {
    pub subject: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The version of a plan's format.
pub const FORMAT_VERSION: u32 = 1;

/// Everything that apply needs; it knows no blueprint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub format_version: u32,
    /// Made once for each plan; a plan is used once.
    pub id: String,
    pub purpose: Purpose,
    pub stack: Stack,
    pub lineage: String,
    pub serial: u64,
    pub summary: Summary,
    /// In an order in which each comes after what it waits for; deletions last.
    pub steps: Vec<Step>,
    pub rollouts: Vec<RolloutPlan>,
    pub outputs: BTreeMap<ComponentId, Map>,
    pub probes: Vec<Probe>,
    pub warnings: Vec<Warning>,
    /// How many of those that do not change could not be looked at: they are taken to be as recorded.
    #[serde(default)]
    pub unread: usize,
    /// What earlier runs began and whose end nobody recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<InFlight>,
    /// What earlier runs of this same plan have done of it.
    #[serde(skip)]
    pub resumed: Option<resume::Resumed>,
    /// The digest of every secret when the plan was made.
    pub secrets: Vec<(SecretSource, String)>,
    /// For the run history, and where it was read: the state lies beside it.
    pub blueprint: Option<String>,
    pub blueprint_path: Option<String>,
    pub variables: Map,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.rollouts.is_empty()
    }
}
