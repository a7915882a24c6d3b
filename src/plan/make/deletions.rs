//! What is recorded and no longer wanted, and what only the record has to learn.

use std::collections::{HashMap, HashSet};

use standfast_contract::{Address, Lifecycle, Map};

use super::{Maker, PROTECTED, PlanError};
use crate::plan::{
    Action, Because, Change, Prior, Step,
    diff::{Seen, differences},
    recorded::Recorded,
};

impl Maker<'_> {
    /// Deletes or forgets what the blueprint no longer has; deletions come last, dependants first.
    pub(super) fn unwanted(&mut self) -> Result<(), PlanError> {
        let situation = self.situation;
        for record in situation.recorded {
            let current = record.deposed.is_empty();
            if !self.selected.may_delete(&record.address)
                || (current && situation.graph.position(&record.address).is_some())
            {
                continue;
            }
            let gone = current && self.seen(&record.address) == Seen::Gone;
            let (action, mut reason) = if !current {
                (Action::Delete, "left over from a replacement".to_owned())
            } else if situation.forget.iter().any(|selector| record.address.matches(selector)) {
                (Action::Forget, "`removed` says so".to_owned())
            } else if gone {
                (Action::Forget, "it is gone already".to_owned())
            } else if situation.graph.is_empty() {
                (Action::Delete, "the stack is destroyed".to_owned())
            } else {
                (Action::Delete, "no longer in the blueprint".to_owned())
            };
            if action == Action::Delete && current && record.payload.lifecycle.prevent_destroy {
                self.protected.push(format!("delete {} ({reason}), which is protected", record.address));
                reason.push_str(PROTECTED);
            }
            let step = of_record(record, action, reason, Vec::new());
            self.push(step);
        }
        self.made_in_vain();
        Ok(())
    }

    /// What an interrupted create did make and nobody wants any more.
    fn made_in_vain(&mut self) {
        let situation = self.situation;
        let mut found: Vec<_> = situation.interrupted.iter().collect();
        found.sort_unstable_by_key(|(address, _)| *address);
        let recorded = self.steps.len();
        for (address, told) in found {
            let known = situation.graph.position(address).is_some() || self.recorded_at.contains_key(address);
            let Seen::There(observed) = self.seen(address) else { continue };
            if known || !self.selected.may_delete_unrecorded() {
                continue;
            }
            self.push(Step {
                address: address.clone(),
                deposed: String::new(),
                kind: told.kind.clone(),
                provider: told.provider.clone(),
                action: Action::Delete,
                reason: "made by a run that was interrupted, and no longer wanted".to_owned(),
                changes: Vec::new(),
                lane: told.lane.clone(),
                place: told.place.clone(),
                inputs: observed.attributes.clone(),
                prior: Some(Prior {
                    id: observed.id.clone(),
                    inputs: observed.attributes.clone(),
                    outputs: observed.outputs.clone(),
                }),
                lifecycle: Lifecycle::default(),
                dependencies: Vec::new(),
                after: Vec::new(),
                dependants: Vec::new(),
                create_before_destroy: false,
                token: None,
                moved_from: None,
            });
        }
        // Nobody recorded what it stands on: it goes before everything that is recorded.
        let vain: Vec<u32> = (recorded as u32..self.steps.len() as u32).collect();
        for step in self.steps[..recorded].iter_mut().filter(|step| step.action == Action::Delete) {
            step.dependants.extend(&vain);
        }
    }

    /// For each deletion, the steps of what was recorded to depend on it.
    pub(super) fn order_deletions(&mut self) {
        let mut waits = Vec::new();
        // Whoever stood on an old copy may do so still: a run that dies after the new one is made has not moved them yet.
        let mut old_copies: HashMap<&Address, Vec<u32>> = HashMap::new();
        for (number, step) in (0u32..).zip(&self.steps).filter(|(_, step)| !step.deposed.is_empty()) {
            old_copies.entry(&step.address).or_default().push(number);
        }
        for record in self.situation.recorded.iter().filter(|record| record.deposed.is_empty()) {
            let Some(&dependant) = self.step_of.get(&record.address) else { continue };
            for dependency in &record.dependencies {
                waits.extend(old_copies.get(dependency).into_iter().flatten().map(|&copy| (copy, dependant)));
                // Where the current one is unrecorded, it stands on an old copy.
                if self.recorded_at.contains_key(dependency)
                    && let Some(&step) = self.step_of.get(dependency)
                    && matches!(self.steps[step as usize].action, Action::Delete | Action::Replace)
                {
                    waits.push((step, dependant));
                }
            }
        }
        // What an interrupted run made has no record; it stands on what it is wanted to stand on.
        for (number, step) in (0u32..).zip(&self.steps) {
            if step.prior.is_none() || self.recorded_at.contains_key(&step.address) {
                continue;
            }
            let below = step.dependencies.iter().filter_map(|address| self.step_of.get(address));
            waits.extend(
                below
                    .filter(|&&below| {
                        matches!(self.steps[below as usize].action, Action::Delete | Action::Replace)
                    })
                    .map(|&below| (below, number)),
            );
        }
        for (step, dependant) in waits {
            self.steps[step as usize].dependants.push(dependant);
        }
    }

    /// `--refresh-only`: the record takes over what the world says.
    pub(super) fn refresh_only(&mut self) -> Result<(), PlanError> {
        let situation = self.situation;
        let mut known = HashSet::<&Address>::new();
        for record in situation.recorded.iter().filter(|record| record.deposed.is_empty()) {
            if !known.insert(&record.address) || !self.selected.may_delete(&record.address) {
                continue;
            }
            let kind = self.kind(&record.provider, &record.address, &record.kind)?;
            let seen = self.seen(&record.address);
            match seen {
                Seen::NotRead => {
                    self.unread += usize::from(self.unreadable(&record.address));
                    self.summary.no_op += 1;
                }
                Seen::Gone => {
                    let step = of_record(record, Action::Forget, "it is gone".to_owned(), Vec::new());
                    self.push(step);
                }
                Seen::There(observed) => {
                    let inputs: &Map = &record.payload.inputs;
                    let drift: Vec<Change> = differences(kind, inputs, inputs, seen, &[])
                        .into_iter()
                        .map(|change| Change {
                            before: change.after,
                            after: change.before,
                            because: Because::Drift,
                            forces_replacement: false,
                            effect: None,
                            attribute: change.attribute,
                        })
                        .collect();
                    if drift.is_empty() {
                        self.summary.no_op += 1;
                        continue;
                    }
                    let names: Vec<&str> = drift.iter().map(|change| change.attribute.as_str()).collect();
                    let mut step = of_record(
                        record,
                        Action::Refresh,
                        format!("drift: {}", names.join(", ")),
                        drift.clone(),
                    );
                    step.inputs.extend(drift.into_iter().map(|change| (change.attribute, change.after)));
                    step.prior = Some(Prior {
                        id: observed.id.clone(),
                        inputs: inputs.clone(),
                        outputs: observed.outputs.clone(),
                    });
                    self.push(step);
                }
            }
        }
        Ok(())
    }
}

fn of_record(record: &Recorded, action: Action, reason: String, changes: Vec<Change>) -> Step {
    let payload = &record.payload;
    Step {
        address: record.address.clone(),
        deposed: record.deposed.clone(),
        kind: record.kind.clone(),
        provider: record.provider.clone(),
        action,
        reason,
        changes,
        lane: payload.lane.clone(),
        place: payload.place.clone(),
        inputs: Map::clone(&payload.inputs),
        prior: Some(Prior {
            id: record.id.clone(),
            inputs: Map::clone(&payload.inputs),
            outputs: Map::clone(&payload.outputs),
        }),
        lifecycle: payload.lifecycle.clone(),
        dependencies: record.dependencies.clone(),
        after: Vec::new(),
        dependants: Vec::new(),
        create_before_destroy: false,
        token: None,
        moved_from: None,
    }
}
