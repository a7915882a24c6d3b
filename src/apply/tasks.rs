//! From a plan's steps to tasks: one provider call each, and what each waits for. Pure.

#[cfg(test)]
pub(super) mod tests;

use std::collections::HashMap;

use standfast_contract::Operation;

use crate::plan::{Action, MemberPlan, Plan, Step};

/// One unit of work for the scheduler.
#[derive(Clone, PartialEq, Debug)]
pub struct Task {
    pub work: Work,
    pub needs: Vec<Need>,
    /// Rollout and member, where it belongs to one.
    pub member: Option<MemberKey>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MemberKey {
    pub rollout: u32,
    pub member: u32,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Work {
    /// Create, update, or whatever the step's action makes of its new object.
    Make(u32),
    /// Delete the step's old object.
    Drop(u32),
    Operate(Operation, Service),
    /// Put a step's resource back to what it was before.
    Undo(u32),
}

impl Work {
    pub fn step(&self) -> Option<u32> {
        match self {
            Work::Make(step) | Work::Drop(step) | Work::Undo(step) => Some(*step),
            Work::Operate(..) => None,
        }
    }
}

/// What an operation means for its member's place in the load balancers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    Stays,
    /// The first operation before a member's steps: from here on it may be out of service.
    Leaves,
    /// The last one after them: it is back.
    Returns,
}

/// The operations before a member's steps, and those after.
pub fn operations(member: &MemberPlan) -> (impl Iterator<Item = Work>, impl Iterator<Item = Work>) {
    let before = member.before.iter().enumerate().map(|(at, operation)| {
        let service = if at == 0 { Service::Leaves } else { Service::Stays };
        Work::Operate(operation.clone(), service)
    });
    let last = member.after.len();
    let after = member.after.iter().enumerate().map(move |(at, operation)| {
        let service = if at + 1 == last { Service::Returns } else { Service::Stays };
        Work::Operate(operation.clone(), service)
    });
    (before, after)
}

/// A task that must be over first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Need {
    pub task: u32,
    /// Its failure does not block.
    pub soft: bool,
}

/// Lowers a plan.
pub fn lower(plan: &Plan) -> Vec<Task> {
    let mut lowering = Lowering::new(plan);
    lowering.order_steps();
    lowering.order_deletions();
    lowering.place_members();
    lowering.follow_members();
    lowering.break_cycles();
    lowering.tasks
}

struct Lowering<'a> {
    plan: &'a Plan,
    tasks: Vec<Task>,
    make: Vec<Option<u32>>,
    drop: Vec<Option<u32>>,
    /// Of each member that is changed: its first operation, if it has one, and its last task.
    changed: HashMap<MemberKey, (Option<u32>, u32)>,
    /// Edges that are better kept but may be given up where they close a cycle: (task, needs).
    wishes: Vec<(u32, u32)>,
    /// Something is replaced, the old one first, that others stand on: members among them may have to go together,
    /// whatever their rollout would have.
    together: bool,
}

impl<'a> Lowering<'a> {
    fn new(plan: &'a Plan) -> Self {
        let count = plan.steps.len();
        let mut lowering = Lowering {
            plan,
            tasks: Vec::with_capacity(count),
            make: vec![None; count],
            drop: vec![None; count],
            changed: HashMap::new(),
            wishes: Vec::new(),
            together: plan.steps.iter().any(|step| {
                step.action == Action::Replace && !step.create_before_destroy && !step.dependants.is_empty()
            }),
        };
        for (number, step) in (0u32..).zip(&plan.steps) {
            let at = number as usize;
            if step.action != Action::Delete {
                lowering.make[at] = Some(lowering.add(Work::Make(number), None));
            }
            if matches!(step.action, Action::Delete | Action::Replace) {
                lowering.drop[at] = Some(lowering.add(Work::Drop(number), None));
            }
        }
        lowering
    }

    fn add(&mut self, work: Work, member: Option<MemberKey>) -> u32 {
        self.tasks.push(Task { work, needs: Vec::new(), member });
        self.tasks.len() as u32 - 1
    }

    fn need(&mut self, task: u32, needed: u32) {
        self.need_softly(task, needed, false);
    }

    fn need_softly(&mut self, task: u32, needed: u32, soft: bool) {
        self.tasks[task as usize].needs.push(Need { task: needed, soft });
    }

    /// What a rollout asks for: given up only where the old of what is replaced below could never go.
    fn need_in_turn(&mut self, task: u32, needed: u32) {
        if self.together {
            self.wishes.push((task, needed));
        } else {
            self.need(task, needed);
        }
    }

    fn order_steps(&mut self) {
        for (at, step) in self.plan.steps.iter().enumerate() {
            let Some(make) = self.make[at] else { continue };
            for wait in &step.after {
                if let Some(needed) = self.make[wait.step as usize] {
                    self.need_softly(make, needed, wait.soft);
                }
            }
            if let Some(drop) = self.drop[at] {
                if step.create_before_destroy {
                    self.need(drop, make);
                } else {
                    self.need(make, drop);
                }
            }
        }
    }

    /// An old object goes after everything that depended on it has gone or has been changed to do without it.
    ///
    /// Without a replacement that is made first there is no circle in this: old objects wait for old objects only, as
    /// they were recorded. With one, new objects wait for old ones too, and each wait has to be looked at.
    fn order_deletions(&mut self) {
        let steps = &self.plan.steps;
        let may_close_a_circle = steps.iter().any(|step| step.create_before_destroy);
        for (at, step) in steps.iter().enumerate() {
            let Some(drop) = self.drop[at] else { continue };
            for &dependant in &step.dependants {
                match self.drop[dependant as usize] {
                    Some(other) if may_close_a_circle => self.wishes.push((drop, other)),
                    Some(other) => self.need(drop, other),
                    None => {}
                }
                let lives_on = self.make[dependant as usize].filter(|_| outlives(step));
                if let Some(other) = lives_on {
                    self.wishes.push((drop, other));
                }
            }
        }
    }

    fn place_members(&mut self) {
        for (rollout, plan) in (0u32..).zip(&self.plan.rollouts) {
            let mut finals: Vec<u32> = Vec::new();
            for (member, one) in (0u32..).zip(&plan.members) {
                let key = MemberKey { rollout, member };
                let inside = self.claim(one, key);
                if one.new {
                    self.prove_new(one, &inside, key);
                    continue;
                }
                // Canaries first and alone; after them at most `max_unavailable` members at once.
                let queued = finals.len() as u32;
                let waits_for = match queued.checked_sub(plan.max_unavailable) {
                    _ if queued < plan.canary => finals.clone(),
                    _ if queued < plan.canary + plan.max_unavailable => {
                        finals[..plan.canary as usize].to_vec()
                    }
                    Some(earlier) => finals[..=earlier as usize].to_vec(),
                    None => Vec::new(),
                };
                let next = self.tasks.len() as u32;
                let end = self.surround(one, &inside, key, &waits_for);
                self.changed.insert(key, ((!one.before.is_empty()).then_some(next), end));
                finals.push(end);
            }
        }
    }

    /// What follows a member that is changed waits until it is back in service, and is left alone when the change has
    /// failed: what it would be fitted to has been undone. Only a newcomer may fail without holding up who follows.
    fn follow_members(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        for task in 0..self.tasks.len() {
            let own = self.tasks[task].member;
            let mut ends = Vec::new();
            for at in 0..self.tasks[task].needs.len() {
                let needed = self.tasks[task].needs[at].task;
                let of = self.tasks[needed as usize]
                    .member
                    .filter(|key| own.map(|own| own.rollout) != Some(key.rollout));
                if let Some((_, end)) = of.and_then(|key| self.changed.get(&key)) {
                    self.tasks[task].needs[at].soft = false;
                    ends.push(*end);
                }
            }
            let first = own.and_then(|key| self.changed.get(&key)).and_then(|(first, _)| *first);
            for end in ends {
                self.wishes.push((task as u32, end));
                self.wishes.extend(first.map(|first| (first, end)));
            }
        }
        // An old object stays until those that do without it now are back in service: they may have to be put back onto it.
        let proven: Vec<_> = self
            .wishes
            .iter()
            .filter(|(task, _)| matches!(self.tasks[*task as usize].work, Work::Drop(_)))
            .filter_map(|(task, needed)| {
                let key = self.tasks[*needed as usize].member?;
                let is_outside = self.tasks[*task as usize].member != Some(key);
                self.changed.get(&key).filter(|_| is_outside).map(|(_, end)| (*task, *end))
            })
            .collect();
        self.wishes.extend(proven);
    }

    /// Marks the tasks of a member's steps as its own.
    fn claim(&mut self, member: &MemberPlan, key: MemberKey) -> Vec<u32> {
        let both = |&step: &u32| [self.make[step as usize], self.drop[step as usize]];
        let inside: Vec<u32> = member.steps.iter().flat_map(both).flatten().collect();
        for &task in &inside {
            self.tasks[task as usize].member = Some(key);
        }
        inside
    }

    /// A newcomer is proven, not drained.
    fn prove_new(&mut self, member: &MemberPlan, inside: &[u32], key: MemberKey) {
        for operation in member.after.iter().filter(|operation| operation.verb == "health") {
            let task = self.add(Work::Operate(operation.clone(), Service::Stays), Some(key));
            inside.iter().for_each(|&needed| self.need(task, needed));
        }
    }

    /// Before-operations, the member's tasks, after-operations: in a row. Returns the last.
    fn surround(&mut self, member: &MemberPlan, inside: &[u32], key: MemberKey, waits_for: &[u32]) -> u32 {
        let outside: Vec<Need> = inside
            .iter()
            .flat_map(|&task| self.tasks[task as usize].needs.clone())
            .filter(|need| !inside.contains(&need.task))
            .collect();
        let mut last: Vec<u32> = Vec::new();
        let (before, after) = operations(member);
        for operation in before {
            let task = self.add(operation, Some(key));
            if last.is_empty() {
                // Not drained before everything is there that its change needs.
                for need in &outside {
                    if need.soft {
                        self.need_softly(task, need.task, true);
                    } else {
                        self.need_in_turn(task, need.task);
                    }
                }
                waits_for.iter().for_each(|&needed| self.need_in_turn(task, needed));
            }
            last.iter().for_each(|&needed| self.need(task, needed));
            last = vec![task];
        }
        let first = if last.is_empty() { waits_for.to_vec() } else { last.clone() };
        for &task in inside {
            for &needed in &first {
                if last.is_empty() {
                    self.need_in_turn(task, needed);
                } else {
                    self.need(task, needed);
                }
            }
        }
        // One that is only put back has no steps.
        let mut last = if inside.is_empty() { first } else { inside.to_vec() };
        for operation in after {
            let task = self.add(operation, Some(key));
            last.iter().for_each(|&needed| self.need(task, needed));
            last = vec![task];
        }
        if let [one] = last[..] {
            return one;
        }
        // Nothing comes after: the next member waits for a task that waits for all of them.
        let end = last[last.len() - 1];
        let others: Vec<u32> = last[..last.len() - 1].to_vec();
        let reaches: Vec<u32> = others.into_iter().filter(|&task| !self.depends(task, end)).collect();
        reaches.into_iter().for_each(|task| self.need(end, task));
        end
    }

    /// Whether `task` waits for `other`, directly or not.
    fn depends(&self, task: u32, other: u32) -> bool {
        let mut seen = std::collections::HashSet::new();
        let mut queue = vec![task];
        while let Some(at) = queue.pop() {
            if at == other {
                return true;
            }
            if seen.insert(at) {
                queue.extend(self.tasks[at as usize].needs.iter().map(|need| need.task));
            }
        }
        false
    }

    /// Grants the wishes that close no cycle.
    fn break_cycles(&mut self) {
        for (task, needed) in std::mem::take(&mut self.wishes) {
            if !self.depends(needed, task) {
                self.need(task, needed);
            }
        }
        for task in &mut self.tasks {
            task.needs.sort_unstable();
            task.needs.dedup_by_key(|need| need.task);
        }
    }
}

/// Whether the old object is still there when its dependants are changed.
fn outlives(step: &Step) -> bool {
    step.action == Action::Delete || step.create_before_destroy
}
