//! How a failed rollout is undone: drain, put back, prove, undrain, one member after the other. Pure.

#[cfg(test)]
mod tests;

use standfast_contract::OnFailure;

use super::{
    scheduler::{Scheduler, State},
    tasks::{MemberKey, Need, Task, Work, operations},
};
use crate::plan::{Action, Plan};

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

/// The tasks that undo every begun member, the failed one first, then the others from the last to the first.
///
/// `first` is the number that the first of them will have. New members are left as they are: nothing stood there before;
/// so are those that were only to be put back.
pub fn undo(
    plan: &Plan,
    tasks: &[Task],
    scheduler: &Scheduler,
    failed: MemberKey,
    first: u32,
) -> (Vec<Task>, Vec<String>) {
    let rollout = &plan.rollouts[failed.rollout as usize];
    let mut order: Vec<u32> = begun(tasks, scheduler, failed.rollout).into_iter().rev().collect();
    order.sort_by_key(|member| *member != failed.member);
    let mut undoing: Vec<Task> = Vec::new();
    let mut names = Vec::new();
    let mut last: Option<u32> = None;
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
    (undoing, names)
}

fn scheduler_has_not_drained(tasks: &[Task], scheduler: &Scheduler, key: MemberKey) -> bool {
    !(0u32..).zip(tasks).any(|(task, entry)| {
        entry.member == Some(key)
            && matches!(entry.work, Work::Operate(..))
            && matches!(scheduler.state(task), State::Done | State::Failed)
    })
}
