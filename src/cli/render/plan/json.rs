//! A plan for programs. The shape is described in docs/plan-json.md and changes only with [`FORMAT_VERSION`].

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use standfast_contract::{Address, ComponentId, OnFailure, Stack};

use super::{
    super::value::{Masked, MaskedMap},
    outline,
};
use crate::plan::{
    Action, Because, Change, InFlight, MemberPlan, Plan, Purpose, RolloutPlan, Step, Summary, Warning,
};

/// Of this rendering; the saved plan file has a version of its own.
pub const FORMAT_VERSION: u32 = 1;

/// The plan on one line of JSON.
pub fn json(plan: &Plan) -> String {
    let shown = Shown {
        format_version: FORMAT_VERSION,
        plan_id: &plan.id,
        purpose: plan.purpose,
        stack: &plan.stack,
        lineage: &plan.lineage,
        serial: plan.serial,
        summary: plan.summary,
        unread: plan.unread,
        steps: Each(&plan.steps, |step| ShownStep::new(plan, step)),
        rollouts: Each(&plan.rollouts, |rollout| ShownRollout::new(plan, rollout)),
        in_flight: &plan.in_flight,
        warnings: &plan.warnings,
        outputs: plan.outputs.iter().map(|(id, map)| (id, MaskedMap(map))).collect(),
    };
    // Only a map with a key that is no text could fail, and there is none.
    serde_json::to_string(&shown).unwrap_or_default()
}

/// A list of which each item is made when it is written, so that 100,000 of them are never held twice.
struct Each<'a, T, F>(&'a [T], F);

impl<'a, T, U: Serialize, F: Fn(&'a T) -> U> Serialize for Each<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

#[derive(Serialize)]
struct Shown<'a, S, R> {
    format_version: u32,
    plan_id: &'a str,
    purpose: Purpose,
    stack: &'a Stack,
    lineage: &'a str,
    serial: u64,
    summary: Summary,
    unread: usize,
    steps: S,
    rollouts: R,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    in_flight: &'a [InFlight],
    warnings: &'a [Warning],
    outputs: BTreeMap<&'a ComponentId, MaskedMap<'a>>,
}

#[derive(Serialize)]
struct ShownStep<'a> {
    address: &'a Address,
    region: &'a str,
    component: &'a str,
    kind: &'a str,
    provider: &'a str,
    lane: &'a str,
    action: Action,
    reason: &'a str,
    changes: Vec<ShownChange<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<MaskedMap<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    after: Vec<&'a Address>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    create_before_destroy: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    deposed: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_from: Option<&'a Address>,
}

impl<'a> ShownStep<'a> {
    fn new(plan: &'a Plan, step: &'a Step) -> Self {
        let made = matches!(step.action, Action::Create | Action::Update | Action::Replace);
        ShownStep {
            address: &step.address,
            region: step.address.region(),
            component: step.address.component(),
            kind: &step.kind,
            provider: &step.provider,
            lane: &step.lane,
            action: step.action,
            reason: &step.reason,
            changes: step.changes.iter().map(ShownChange::new).collect(),
            inputs: made.then_some(MaskedMap(&step.inputs)),
            after: step.after.iter().filter_map(|wait| address(plan, wait.step)).collect(),
            create_before_destroy: step.create_before_destroy,
            deposed: &step.deposed,
            moved_from: step.moved_from.as_ref(),
        }
    }
}

fn address(plan: &Plan, step: u32) -> Option<&Address> {
    plan.steps.get(step as usize).map(|step| &step.address)
}

#[derive(Serialize)]
struct ShownChange<'a> {
    attribute: &'a str,
    before: Masked<'a>,
    after: Masked<'a>,
    because: Because,
    forces_replacement: bool,
    /// What the change does beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'a str>,
}

impl<'a> ShownChange<'a> {
    fn new(change: &'a Change) -> Self {
        ShownChange {
            attribute: &change.attribute,
            before: Masked(&change.before),
            after: Masked(&change.after),
            because: change.because,
            forces_replacement: change.forces_replacement,
            effect: change.effect.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct ShownRollout<'a> {
    component: &'a ComponentId,
    canary: u32,
    max_unavailable: u32,
    on_failure: OnFailure,
    members: Vec<ShownMember<'a>>,
    /// For a person.
    description: Vec<String>,
}

#[derive(Serialize)]
struct ShownMember<'a> {
    name: &'a str,
    new: bool,
    steps: Vec<&'a Address>,
    before: Vec<&'a str>,
    after: Vec<&'a str>,
}

impl<'a> ShownRollout<'a> {
    fn new(plan: &'a Plan, rollout: &'a RolloutPlan) -> Self {
        let member = |member: &'a MemberPlan| ShownMember {
            name: &member.name,
            new: member.new,
            steps: member.steps.iter().filter_map(|&step| address(plan, step)).collect(),
            before: member.before.iter().map(|one| one.verb.as_str()).collect(),
            after: member.after.iter().map(|one| one.verb.as_str()).collect(),
        };
        ShownRollout {
            component: &rollout.component,
            canary: rollout.canary,
            max_unavailable: rollout.max_unavailable,
            on_failure: rollout.on_failure,
            members: rollout.members.iter().map(member).collect(),
            description: outline::rollout(rollout),
        }
    }
}
