//! Which task may run now: a pure state machine, no clock and no runtime in it.
//!
//! Every ready task runs as long as its groups (its provider, its lane) have a free slot; of several, the one with the
//! longest path of work behind it goes first. Waiting for a slot costs nothing: a task is parked at the group that is
//! full and comes back when that group frees one.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::tasks::Need;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Waiting,
    Ready,
    Running,
    Done,
    Failed,
    /// Not tried, because of the task named.
    Blocked {
        by: u32,
    },
    /// Not tried, because the run was stopped.
    Cancelled,
}

impl State {
    pub fn is_over(self) -> bool {
        !matches!(self, State::Waiting | State::Ready | State::Running)
    }
}

#[derive(Debug)]
struct Node {
    state: State,
    waits: u32,
    dependants: Vec<Need>,
    groups: Vec<u32>,
    /// The number of tasks on the longest path from here.
    rank: u32,
    /// Running, and holding no slot: it waits for a state.
    lends: bool,
}

#[derive(Debug)]
struct Group {
    limit: usize,
    running: usize,
    parked: BinaryHeap<(u32, Reverse<u32>)>,
}

#[derive(Debug, Default)]
pub struct Scheduler {
    nodes: Vec<Node>,
    groups: Vec<Group>,
    named: HashMap<String, u32>,
    ready: BinaryHeap<(u32, Reverse<u32>)>,
    running: usize,
    over: usize,
}

impl Scheduler {
    /// A group of tasks that share a limit; made on first use.
    pub fn group(&mut self, name: &str, limit: usize) -> u32 {
        if let Some(&group) = self.named.get(name) {
            return group;
        }
        let group = self.groups.len() as u32;
        self.groups.push(Group { limit: limit.max(1), running: 0, parked: BinaryHeap::new() });
        self.named.insert(name.to_owned(), group);
        group
    }

    /// Adds tasks; their needs may name tasks of the same batch or earlier ones. Returns the number of the first.
    pub fn add(&mut self, tasks: impl IntoIterator<Item = (Vec<Need>, Vec<u32>)>) -> u32 {
        let first = self.nodes.len() as u32;
        let mut needs = Vec::new();
        for (task_needs, groups) in tasks {
            self.nodes.push(Node {
                state: State::Waiting,
                waits: 0,
                dependants: Vec::new(),
                groups,
                rank: 1,
                lends: false,
            });
            needs.push(task_needs);
        }
        let mut blocked = Vec::new();
        for (task, task_needs) in (first..).zip(&needs) {
            for need in task_needs {
                let needed = &mut self.nodes[need.task as usize];
                match needed.state {
                    State::Waiting | State::Ready | State::Running => {
                        needed.dependants.push(Need { task, soft: need.soft });
                        self.nodes[task as usize].waits += 1;
                    }
                    State::Done => {}
                    _ if need.soft => {}
                    _ => blocked.push((task, need.task)),
                }
            }
        }
        self.rank(first, &needs);
        for task in first..self.nodes.len() as u32 {
            if self.nodes[task as usize].waits == 0 {
                self.make_ready(task);
            }
        }
        for (task, by) in blocked {
            self.block(task, by);
        }
        first
    }

    /// Longest paths, from the ends backwards.
    fn rank(&mut self, first: u32, needs: &[Vec<Need>]) {
        let mut left: Vec<u32> =
            self.nodes[first as usize..].iter().map(|node| node.dependants.len() as u32).collect();
        let mut queue: Vec<u32> =
            (first..).zip(&left).filter(|(_, count)| **count == 0).map(|(task, _)| task).collect();
        while let Some(task) = queue.pop() {
            let rank = self.nodes[task as usize].rank;
            for need in &needs[(task - first) as usize] {
                let needed = &mut self.nodes[need.task as usize];
                needed.rank = needed.rank.max(rank + 1);
                if let Some(slot) = need.task.checked_sub(first) {
                    left[slot as usize] -= 1;
                    if left[slot as usize] == 0 {
                        queue.push(need.task);
                    }
                }
            }
        }
    }

    fn make_ready(&mut self, task: u32) {
        let node = &mut self.nodes[task as usize];
        if node.state == State::Waiting {
            node.state = State::Ready;
            self.ready.push((node.rank, Reverse(task)));
        }
    }

    /// The next task to start, now running; `None` when nothing can start.
    pub fn start(&mut self) -> Option<u32> {
        while let Some((rank, Reverse(task))) = self.ready.pop() {
            if self.nodes[task as usize].state != State::Ready {
                continue;
            }
            let full = self.nodes[task as usize]
                .groups
                .iter()
                .copied()
                .find(|&group| self.groups[group as usize].running >= self.groups[group as usize].limit);
            if let Some(group) = full {
                self.groups[group as usize].parked.push((rank, Reverse(task)));
                continue;
            }
            let node = &mut self.nodes[task as usize];
            node.state = State::Running;
            self.running += 1;
            for &group in &node.groups {
                self.groups[group as usize].running += 1;
            }
            return Some(task);
        }
        None
    }

    /// A running task ended. Returns the tasks that are blocked by its failure.
    pub fn finish(&mut self, task: u32, succeeded: bool) -> Vec<u32> {
        let node = &mut self.nodes[task as usize];
        debug_assert_eq!(node.state, State::Running);
        node.state = if succeeded { State::Done } else { State::Failed };
        self.running -= 1;
        self.over += 1;
        self.free_slots(task);
        self.release(task, succeeded, task)
    }

    /// A running task waits, and needs no slot meanwhile; or it goes on. Going on never waits for a slot: a lane may then
    /// run more than its limit, and begins nothing until it is below it again.
    pub fn lend(&mut self, task: u32, waits: bool) {
        let node = &mut self.nodes[task as usize];
        if node.state != State::Running || node.lends == waits {
            return;
        }
        if waits {
            self.free_slots(task);
        } else {
            for &group in &node.groups {
                self.groups[group as usize].running += 1;
            }
        }
        self.nodes[task as usize].lends = waits;
    }

    fn free_slots(&mut self, task: u32) {
        let node = &self.nodes[task as usize];
        if node.lends {
            return;
        }
        for &group in &node.groups {
            let group = &mut self.groups[group as usize];
            group.running -= 1;
            self.ready.extend(group.parked.pop());
        }
    }

    /// Lets dependants go on, or blocks those that cannot.
    fn release(&mut self, task: u32, succeeded: bool, cause: u32) -> Vec<u32> {
        let mut blocked = Vec::new();
        for need in std::mem::take(&mut self.nodes[task as usize].dependants) {
            if succeeded || need.soft {
                let node = &mut self.nodes[need.task as usize];
                node.waits -= 1;
                if node.waits == 0 {
                    self.make_ready(need.task);
                }
            } else {
                blocked.extend(self.block(need.task, cause));
            }
        }
        blocked
    }

    /// Takes a task that has not started out of the run, with all that needs it. Returns them.
    pub fn block(&mut self, task: u32, by: u32) -> Vec<u32> {
        self.take_out(task, State::Blocked { by })
    }

    /// Like `block`, because the run was stopped.
    pub fn cancel(&mut self, task: u32) -> Vec<u32> {
        self.take_out(task, State::Cancelled)
    }

    fn take_out(&mut self, task: u32, state: State) -> Vec<u32> {
        if !matches!(self.nodes[task as usize].state, State::Waiting | State::Ready) {
            return Vec::new();
        }
        let mut out = Vec::new();
        let mut queue = vec![task];
        while let Some(at) = queue.pop() {
            if !matches!(self.nodes[at as usize].state, State::Waiting | State::Ready) {
                continue;
            }
            self.nodes[at as usize].state = state;
            self.over += 1;
            out.push(at);
            for need in std::mem::take(&mut self.nodes[at as usize].dependants) {
                if need.soft && state != State::Cancelled {
                    let node = &mut self.nodes[need.task as usize];
                    node.waits -= 1;
                    if node.waits == 0 {
                        self.make_ready(need.task);
                    }
                } else {
                    queue.push(need.task);
                }
            }
        }
        out
    }

    /// Counts a task that has not started as done: an earlier run did it.
    pub fn skip(&mut self, task: u32) {
        if matches!(self.nodes[task as usize].state, State::Waiting | State::Ready) {
            self.nodes[task as usize].state = State::Done;
            self.over += 1;
            self.release(task, true, task);
        }
    }

    pub fn state(&self, task: u32) -> State {
        self.nodes[task as usize].state
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn running(&self) -> usize {
        self.running
    }

    /// Tasks that ended, one way or another.
    pub fn over(&self) -> usize {
        self.over
    }

    pub fn is_finished(&self) -> bool {
        self.over == self.nodes.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn need(task: u32) -> Need {
        Need { task, soft: false }
    }

    fn scheduler(tasks: &[&[Need]], limit: usize) -> Scheduler {
        let mut scheduler = Scheduler::default();
        let group = scheduler.group("all", limit);
        scheduler.add(tasks.iter().map(|needs| (needs.to_vec(), vec![group])));
        scheduler
    }

    #[test]
    fn the_longest_path_goes_first() {
        let mut scheduler = scheduler(&[&[], &[], &[need(1)], &[need(2)]], 1);
        assert_eq!(scheduler.start(), Some(1));
        assert_eq!(scheduler.start(), None);
        scheduler.finish(1, true);
        assert_eq!(scheduler.start(), Some(2));
    }

    #[test]
    fn a_failure_blocks_what_needs_it_and_nothing_else() {
        let soft = Need { task: 0, soft: true };
        let mut scheduler = scheduler(&[&[], &[need(0)], &[need(1)], &[], &[soft]], 4);
        assert_eq!((scheduler.start(), scheduler.start()), (Some(0), Some(3)));
        assert_eq!(scheduler.finish(0, false), [1, 2]);
        assert_eq!(scheduler.state(2), State::Blocked { by: 0 });
        assert_eq!(scheduler.start(), Some(4));
        scheduler.finish(3, true);
        scheduler.finish(4, true);
        assert!(scheduler.is_finished());
    }

    #[test]
    fn a_full_lane_does_not_hold_up_another() {
        let mut scheduler = Scheduler::default();
        let (one, two) = (scheduler.group("lb1", 1), scheduler.group("lb2", 1));
        scheduler.add([(vec![], vec![one]), (vec![], vec![one]), (vec![], vec![two])]);
        assert_eq!((scheduler.start(), scheduler.start(), scheduler.start()), (Some(0), Some(2), None));
        scheduler.finish(0, true);
        assert_eq!(scheduler.start(), Some(1));
    }

    #[test]
    fn who_waits_lends_its_slot_and_takes_it_back_at_once() {
        let mut scheduler = scheduler(&[&[], &[], &[], &[]], 1);
        assert_eq!((scheduler.start(), scheduler.start()), (Some(0), None));
        scheduler.lend(0, true);
        assert_eq!((scheduler.start(), scheduler.start()), (Some(1), None));
        scheduler.lend(0, false);
        scheduler.finish(1, true);
        assert_eq!(scheduler.start(), None, "the first has its slot again");
        scheduler.lend(0, true);
        assert_eq!(scheduler.start(), Some(2));
        scheduler.finish(0, true);
        assert_eq!(scheduler.start(), None, "what waited to its end had no slot to free");
        scheduler.finish(2, true);
        scheduler.lend(2, true);
        assert_eq!((scheduler.start(), scheduler.start()), (Some(3), None));
    }

    proptest! {
        /// Whatever fails or waits, every task ends, and none starts before its hard needs are done.
        #[test]
        fn every_task_ends(
            shape in prop::collection::vec((prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3), 0..3u8, any::<bool>()), 1..40),
            limit in 1..4usize,
        ) {
            let mut scheduler = Scheduler::default();
            let groups: Vec<u32> = (0..3).map(|lane| scheduler.group(&format!("lane{lane}"), limit)).collect();
            let needs: Vec<Vec<Need>> = shape.iter().enumerate().map(|(at, (needs, _, _))| {
                let mut needs: Vec<Need> = needs.iter().filter(|_| at > 0)
                    .map(|(index, soft)| Need { task: index.index(at) as u32, soft: *soft }).collect();
                needs.sort_unstable();
                needs.dedup_by_key(|need| need.task);
                needs
            }).collect();
            scheduler.add(needs.iter().zip(&shape).map(|(needs, (_, lane, _))| (needs.clone(), vec![groups[*lane as usize]])));
            let mut running = std::collections::VecDeque::new();
            let waits = |task: u32| shape[task as usize].1 == 0;
            loop {
                while let Some(task) = scheduler.start() {
                    for need in &needs[task as usize] {
                        let state = scheduler.state(need.task);
                        prop_assert!(state == State::Done || (need.soft && state.is_over()), "{task} before {need:?}");
                    }
                    scheduler.lend(task, waits(task));
                    running.push_back(task);
                }
                let Some(task) = running.pop_front() else { break };
                scheduler.lend(task, waits(task) && task % 2 == 0);
                scheduler.finish(task, shape[task as usize].2);
            }
            prop_assert!(scheduler.is_finished());
        }
    }
}
