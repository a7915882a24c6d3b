//! How a failed rollout is undone: drain, put back, prove, undrain, one member after the other. Pure.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use standfast_contract::{Address, OnFailure, Target};

use super::{
    scheduler::{Scheduler, State},
    tasks::{MemberKey, Need, Task, Work, operations},
};
use crate::plan::{Action, Plan, Step};

/// What a failure in a rollout stops: tasks that have not started and must not any more.
///
/// Undoing takes every unstarted task of the rollout. Stopping leaves members that have begun to finish, so that none
/// but the failed one stays drained.
pub fn stopped_by(plan: &Plan, tasks: &[Task], scheduler: &Scheduler, failed: MemberKey) -> Vec<u32> {
    let undone = plan.rollouts[failed.rollout as usize].on_failure == OnFailure::Rollback;
    let begun = begun(tasks, scheduler, failed.rollout);
    tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| {
            task.member.is_some_and(|key| {
                key.rollout == failed.rollout && (undone || key == failed || !begun.contains(&key.member))
            })
        })
        .map(|(task, _)| task as u32)
        .collect()
}

/// The members of which a task has started.
pub fn begun(tasks: &[Task], scheduler: &Scheduler, rollout: u32) -> Vec<u32> {
    let mut members: Vec<u32> = (0u32..)
        .zip(tasks)
        .filter(|(task, _)| matches!(scheduler.state(*task), State::Running | State::Done | State::Failed))
        .filter_map(|(_, task)| task.member.filter(|key| key.rollout == rollout).map(|key| key.member))
        .collect();
    members.sort_unstable();
    members.dedup();
    members
}

/// How a failed rollout is undone.
#[derive(Default)]
pub struct Undoing {
    pub tasks: Vec<Task>,
    /// What is put back, in this order.
    pub names: Vec<String>,
    /// What was replaced and is gone, so that nothing can be put back onto it.
    pub gone: Option<Address>,
}

/// The tasks that undo every begun member, the failed one first, then the others from the last to the first.
///
/// `first` is the number that the first of them will have. New members are left as they are: nothing stood there before;
/// so are those that were only to be put back. Where something that they stand on was replaced, its old copy still there,
/// what else was changed to fit the new one is put back before them ([`beneath`]).
pub fn undo(plan: &Plan, tasks: &[Task], scheduler: &Scheduler, failed: MemberKey, first: u32) -> Undoing {
    let rollout = &plan.rollouts[failed.rollout as usize];
    let mut order: Vec<u32> = begun(tasks, scheduler, failed.rollout).into_iter().rev().collect();
    order.sort_by_key(|member| *member != failed.member);
    let beneath = match beneath(plan, tasks, scheduler, failed.rollout) {
        Ok(steps) => steps,
        Err(gone) => return Undoing { gone: Some(gone.clone()), ..Undoing::default() },
    };
    let mut undoing: Vec<Task> = Vec::new();
    let mut names = Vec::new();
    let mut last: Option<u32> = None;
    for step in beneath {
        let address = &plan.steps[step as usize].address;
        names.push(format!("{}/{}.{}", address.component(), address.kind(), address.name()));
        let needs = last.map(|task| Need { task, soft: true }).into_iter().collect();
        last = Some(first + undoing.len() as u32);
        undoing.push(Task { work: Work::Undo(step), needs, member: Some(failed) });
    }
    for member in order {
        let one = &rollout.members[member as usize];
        if one.new || one.steps.is_empty() {
            continue;
        }
        let key = MemberKey { rollout: failed.rollout, member };
        let touched = |work: &Work| {
            work.step().is_some_and(|step| one.steps.contains(&step)) && !matches!(work, Work::Undo(_))
        };
        let mut steps: Vec<u32> = (0u32..)
            .zip(tasks)
            .filter(|(task, entry)| {
                entry.member == Some(key)
                    && touched(&entry.work)
                    && matches!(scheduler.state(*task), State::Done | State::Failed)
            })
            .filter_map(|(_, entry)| entry.work.step())
            .filter(|&step| {
                !matches!(plan.steps[step as usize].action, Action::Refresh | Action::Move | Action::Forget)
            })
            .collect();
        steps.sort_unstable();
        steps.dedup();
        if steps.is_empty() && scheduler_has_not_drained(tasks, scheduler, key) {
            continue;
        }
        names.push(one.name.clone());
        // What other steps of the member need is put back before them: the order of the plan itself.
        let (before, after) = operations(one);
        let chain = before.chain(steps.into_iter().map(Work::Undo)).chain(after);
        for (position, work) in chain.enumerate() {
            // The next member waits for this one, yet is undone even when this one could not be.
            let needs = last.map(|task| Need { task, soft: position == 0 }).into_iter().collect();
            last = Some(first + undoing.len() as u32);
            undoing.push(Task { work, needs, member: Some(key) });
        }
    }
    Undoing { tasks: undoing, names, gone: None }
}

/// The updates that a rollout's members cannot be put back without: something that their inputs name was replaced, and
/// these were changed to fit the new one. They are those that name it too, and those of its component and of the rollout's.
///
/// An error where its old copy is gone.
fn beneath<'a>(
    plan: &'a Plan,
    tasks: &[Task],
    scheduler: &Scheduler,
    rollout: u32,
) -> Result<Vec<u32>, &'a Address> {
    let is = |work: &dyn Fn(&Work) -> bool, states: &[State]| {
        (0u32..).zip(tasks).any(|(task, entry)| work(&entry.work) && states.contains(&scheduler.state(task)))
    };
    let is_made =
        |number: u32| is(&|work| matches!(work, Work::Make(step) if *step == number), &[State::Done]);
    let has_left = |number: u32| {
        is(&|work| matches!(work, Work::Drop(step) if *step == number), &[State::Running, State::Done])
    };
    let whole = &plan.rollouts[rollout as usize];
    let members: HashSet<u32> =
        plan.rollouts.iter().flat_map(|one| &one.members).flat_map(|one| one.steps.clone()).collect();
    let changed = || whole.members.iter().filter(|one| !one.new).flat_map(|one| &one.steps);
    let named: HashSet<&Address> = changed().flat_map(|&step| named_by(&plan.steps[step as usize])).collect();
    let mut replaced = HashSet::new();
    for (number, step) in (0u32..).zip(&plan.steps) {
        let is_beneath =
            step.action == Action::Replace && !members.contains(&number) && named.contains(&step.address);
        if !is_beneath {
            continue;
        }
        if has_left(number) {
            return Err(&step.address);
        }
        if is_made(number) {
            replaced.insert(&step.address);
        }
    }
    let Some(region) = replaced.iter().next().map(|address| address.region()) else { return Ok(Vec::new()) };
    let own = whole.component.to_string();
    let of = |address: &Address| {
        address.region() == region
            && (address.component() == own
                || replaced.iter().any(|one| one.component() == address.component()))
    };
    let updates = (0u32..).zip(&plan.steps).filter(|(number, step)| {
        step.action == Action::Update
            && !members.contains(number)
            && (of(&step.address) || named_by(step).iter().any(|address| replaced.contains(address)))
            && is_made(*number)
    });
    Ok(updates.map(|(number, _)| number).collect())
}

/// What the inputs of a step refer to.
fn named_by(step: &Step) -> Vec<&Address> {
    let mut references = Vec::new();
    step.inputs.values().for_each(|value| value.for_each_reference(&mut |one| references.push(&one.of)));
    let resources = references.into_iter().filter_map(|target| match target {
        Target::Resource(address) => Some(address),
        Target::Component(_) => None,
    });
    resources.collect()
}

fn scheduler_has_not_drained(tasks: &[Task], scheduler: &Scheduler, key: MemberKey) -> bool {
    !(0u32..).zip(tasks).any(|(task, entry)| {
        entry.member == Some(key)
            && matches!(entry.work, Work::Operate(..))
            && matches!(scheduler.state(task), State::Done | State::Failed)
    })
}
