//! A plan's steps by region and component, and its rollouts in words.

use std::collections::HashMap;

use standfast_contract::{OnFailure, Operation};

use super::super::words;
use crate::plan::{MemberPlan, Plan, RolloutPlan, in_flight::OUT_OF_SERVICE};

/// Proves a group whose machines the provider makes: it is one member to us.
const MEMBERS: &str = "members";
/// Names in a sentence before it says "and 7 more".
const NAMES_MAX: usize = 8;

/// One component of one region, and its steps in the plan's order.
pub struct Group<'a> {
    pub region: &'a str,
    pub component: &'a str,
    pub steps: Vec<usize>,
    pub rollout: Option<&'a RolloutPlan>,
}

/// Groups in the order in which the plan comes to them, those of a region together.
pub fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut regions: HashMap<&str, usize> = HashMap::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    // A rollout whose members are only put back has no steps; its operations tell where it is.
    let operations = plan.rollouts.iter().flat_map(|rollout| &rollout.members).flat_map(|one| &one.after);
    let addresses = plan.steps.iter().map(|step| &step.address).chain(operations.map(|one| &one.address));
    for (at, address) in addresses.enumerate() {
        let key = (address.region(), address.component());
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Group { region: key.0, component: key.1, steps: Vec::new(), rollout: None });
            groups.len() - 1
        });
        if at < plan.steps.len() {
            groups[place].steps.push(at);
        }
        let seen = regions.len();
        regions.entry(key.0).or_insert(seen);
    }
    for rollout in &plan.rollouts {
        let component = rollout.component.to_string();
        if let Some(group) = groups.iter_mut().find(|group| group.component == component) {
            group.rollout = Some(rollout);
        }
    }
    groups.sort_by_key(|group| regions.get(group.region).copied());
    groups
}

/// What earlier runs left without an end, and what became of it, a line each.
pub fn in_flight(plan: &Plan) -> Vec<String> {
    let mut told: Vec<String> = plan
        .in_flight
        .iter()
        .map(|old| {
            let (address, found) = (&old.address, old.found.words());
            match old.action.as_str() {
                OUT_OF_SERVICE => format!("run {} left {address} out of service: {found}", old.run),
                action => format!("run {} ended during {action} of {address}: {found}", old.run),
            }
        })
        .collect();
    // A member may have been taken out twice: for its change, and for undoing it.
    told.dedup();
    told
}

/// How a rollout goes, a sentence a line.
pub fn rollout(rollout: &RolloutPlan) -> Vec<String> {
    let (out, changed): (Vec<&MemberPlan>, Vec<&MemberPlan>) =
        rollout.members.iter().partition(|member| member.steps.is_empty());
    let (new, old): (Vec<&MemberPlan>, Vec<&MemberPlan>) = changed.iter().partition(|member| member.new);
    let mut sentences = Vec::new();
    if !out.is_empty() {
        let verb = if out.len() == 1 { "is" } else { "are" };
        sentences.push(format!("{} {verb} out of service: put back after the health check", names(&out)));
    }
    if !old.is_empty() {
        sentences.extend((!is_whole(&old)).then(|| order(rollout, &old)));
        sentences.push(handling(&old));
        sentences.push(match rollout.on_failure {
            OnFailure::Rollback => {
                "on failure what was changed is rolled back, and the rest is left alone".to_owned()
            }
            OnFailure::Stop => "on failure it stops there, and the rest is left alone".to_owned(),
        });
    }
    if !new.is_empty() {
        let proof = new.iter().flat_map(|member| &member.after).find_map(held);
        let then = proof.map(|held| format!(" and {held}")).unwrap_or_default();
        sentences.push(match names(&new) {
            _ if is_whole(&new) => format!("the group is new: it is made{then}"),
            names if new.len() == 1 => format!("{names} is new: it is made{then}, with nothing to drain"),
            names => format!("{names} are new: each is made{then}, with nothing to drain"),
        });
    }
    sentences
}

/// Whether it is a group as a whole, whose machines the provider rolls by itself.
fn is_whole(members: &[&MemberPlan]) -> bool {
    matches!(members, [only] if only.after.iter().any(|one| one.verb == MEMBERS))
}

/// How a member is proven to serve.
fn held(operation: &Operation) -> Option<&'static str> {
    match operation.verb.as_str() {
        "health" => Some("held to its health check"),
        MEMBERS => Some("held until its machines serve"),
        _ => None,
    }
}

fn names(members: &[&MemberPlan]) -> String {
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    words::list(&names, NAMES_MAX)
}

/// "web1 first as canary, then web2 and web3 one at a time".
fn order(rollout: &RolloutPlan, members: &[&MemberPlan]) -> String {
    let canaries = (rollout.canary as usize).min(members.len());
    let (first, rest) = members.split_at(canaries);
    let together = rollout.max_unavailable.max(1) as usize;
    let pace = match together {
        _ if rest.len() < 2 => String::new(),
        1 => " one at a time".to_owned(),
        most if most >= rest.len() => " all at once".to_owned(),
        most => format!(" {most} at a time"),
    };
    let first = match first.len() {
        0 => return format!("{}{pace}", names(rest)),
        1 => format!("{} first as canary", names(first)),
        _ => format!("{} first as canaries, one at a time", names(first)),
    };
    if rest.is_empty() { first } else { format!("{first}, then {}{pace}", names(rest)) }
}

/// "each is drained, changed, held to its health check, undrained".
fn handling(members: &[&MemberPlan]) -> String {
    let Some(member) = members.first() else { return String::new() };
    let verb = |operation: &Operation| match operation.verb.as_str() {
        "drain" => "drained".to_owned(),
        "undrain" => "undrained".to_owned(),
        other => held(operation).map_or_else(|| format!("put through `{other}`"), str::to_owned),
    };
    let steps: Vec<String> = member
        .before
        .iter()
        .map(verb)
        .chain(["changed".to_owned()])
        .chain(member.after.iter().map(verb))
        .collect();
    let whom = match members {
        members if is_whole(members) => "the group",
        [_] => "it",
        _ => "each",
    };
    format!("{whom} is {}", steps.join(", "))
}
