//! Which members of which rollouts a plan touches.

use std::collections::{HashMap, HashSet};

use standfast_contract::{Address, Member};

use crate::{
    graph::Graph,
    plan::{Action, MemberPlan, RolloutPlan, Step, Warning, in_flight::label_of, select::Selected},
    words,
};

/// The rollouts that have something to do, members in the order in which they are changed: those first that an earlier
/// run left out of service (`out`, by label), so that no other is taken out before they are back.
pub fn rollouts(
    graph: &Graph,
    selected: &Selected,
    steps: &[Step],
    step_of: &HashMap<Address, u32>,
    out: &HashSet<&str>,
) -> Vec<RolloutPlan> {
    if steps.is_empty() && out.is_empty() {
        return Vec::new();
    }
    graph
        .rollouts
        .iter()
        .filter_map(|rollout| {
            let component = rollout.component.to_string();
            let is_out = |name: &str| out.contains(label_of(&component, name).as_str());
            let mut members: Vec<MemberPlan> = rollout
                .members
                .iter()
                .filter_map(|member| {
                    let changed = member_plan(graph, member, &component, steps, step_of);
                    match is_out(&member.name) {
                        true => changed
                            .map(|changed| MemberPlan { new: false, ..changed })
                            .or_else(|| put_back(graph, member, selected)),
                        false => changed,
                    }
                })
                .collect();
            members.sort_by_key(|member| !is_out(&member.name));
            (!members.is_empty()).then(|| RolloutPlan {
                component: rollout.component.clone(),
                canary: rollout.canary,
                max_unavailable: rollout.max_unavailable.max(1),
                on_failure: rollout.on_failure,
                members,
            })
        })
        .collect()
}

fn member_plan(
    graph: &Graph,
    member: &Member,
    component: &str,
    steps: &[Step],
    step_of: &HashMap<Address, u32>,
) -> Option<MemberPlan> {
    let lanes: HashSet<&str> = member
        .resources
        .iter()
        .filter_map(|address| graph.position(address))
        .map(|at| graph.resources[at as usize].lane.as_str())
        .collect();
    let touches = |step: &Step| !matches!(step.action, Action::Refresh | Action::Forget | Action::Move);
    let mut touched: Vec<u32> =
        member.resources.iter().filter_map(|address| step_of.get(address).copied()).collect();
    // What the member no longer has is in no list of its resources any more; its component, name and lane tell. The
    // lane alone does not: where it is a whole region's, another member that leaves would be taken for this one's.
    touched.extend((0u32..).zip(steps).filter_map(|(number, step)| {
        let left = step.action == Action::Delete
            && step.address.component() == component
            && is_of(step.address.name(), &member.name);
        (left && lanes.len() == 1 && lanes.contains(step.lane.as_str())).then_some(number)
    }));
    touched.retain(|&step| touches(&steps[step as usize]));
    touched.sort_unstable();
    touched.dedup();
    if touched.is_empty() {
        return None;
    }
    let all_created = touched.iter().all(|&step| steps[step as usize].action == Action::Create);
    // One whose resources were all made before and one of which was lost is no newcomer: it may be serving.
    let complete = member.resources.iter().all(|address| step_of.contains_key(address));
    Some(MemberPlan {
        name: member.name.clone(),
        steps: touched,
        before: member.before.clone(),
        after: member.after.clone(),
        new: all_created && complete,
    })
}

/// A member that nothing changes and that is out of service.
fn put_back(graph: &Graph, member: &Member, selected: &Selected) -> Option<MemberPlan> {
    let mut positions = member.resources.iter().filter_map(|address| graph.position(address));
    (!member.after.is_empty() && positions.any(|position| selected.wants(position))).then(|| MemberPlan {
        name: member.name.clone(),
        steps: Vec::new(),
        before: Vec::new(),
        after: member.after.clone(),
        new: false,
    })
}

/// A warning for each rollout whose members no order keeps in service: what they stand on is replaced, the old one first, and
/// so they leave together, more of them than the rollout allows.
pub fn together(steps: &[Step], rollouts: &[RolloutPlan]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let goes_first = |step: &Step| step.action == Action::Replace && !step.create_before_destroy;
    let drops = |step: u32| matches!(steps[step as usize].action, Action::Replace | Action::Delete);
    let changed = |rollout: &RolloutPlan| rollout.members.iter().any(|member| !member.new);
    if !rollouts.iter().any(changed) {
        return warnings;
    }
    let above: HashSet<u32> =
        steps.iter().filter(|step| goes_first(step)).flat_map(|step| step.dependants.clone()).collect();
    let lowest = (0u32..).zip(steps).filter(|(number, step)| goes_first(step) && !above.contains(number));
    for (number, step) in lowest {
        let mut gone = HashSet::new();
        let mut queue = vec![number];
        while let Some(at) = queue.pop() {
            if gone.insert(at) {
                queue.extend(steps[at as usize].dependants.iter().filter(|&&step| drops(step)));
            }
        }
        for rollout in rollouts {
            let leaves =
                |member: &&MemberPlan| !member.new && member.steps.iter().any(|step| gone.contains(step));
            let count = rollout.members.iter().filter(leaves).count();
            if count > rollout.max_unavailable as usize {
                warnings.push(Warning {
                    subject: rollout.component.to_string(),
                    message: format!(
                        "{} leave service together: they stand on {}, which is replaced, the old one first",
                        words::count(count, "member"),
                        step.address
                    ),
                    hint: None,
                });
            }
        }
    }
    warnings
}

/// Whether a resource's name is a member's: `web1`, or `web1.` and more.
fn is_of(name: &str, member: &str) -> bool {
    name.strip_prefix(member).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
