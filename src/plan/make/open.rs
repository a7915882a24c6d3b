//! What the plan found out about everything that earlier runs left without an end.

use std::collections::HashSet;

use standfast_state::OpenIntent;

use super::Maker;
use crate::plan::{
    Purpose, RolloutPlan,
    diff::Seen,
    in_flight::{Found, InFlight, Known, judge, label, label_of, resource_of},
};

impl Maker<'_> {
    /// One for each open intent, in the journal's order.
    pub(super) fn in_flight(&self, rollouts: &[RolloutPlan]) -> Vec<InFlight> {
        let back: HashSet<String> = rollouts
            .iter()
            .flat_map(|rollout| rollout.members.iter().map(|member| label(rollout, member)))
            .collect();
        let found = |open: &OpenIntent| {
            let Some(address) = resource_of(open) else {
                return self.member_found(&open.intent.address, &back);
            };
            let wanted = self.situation.graph.position(&address);
            let recorded = self.recorded_at.contains_key(&address);
            let selected = match (wanted, recorded) {
                _ if self.situation.purpose == Purpose::RefreshOnly => false,
                (Some(position), _) => self.selected.wants(position),
                (None, true) => self.selected.may_delete(&address),
                (None, false) => self.selected.may_delete_unrecorded(),
            };
            let exists = match self.seen(&address) {
                Seen::There(_) => Some(true),
                Seen::Gone => Some(false),
                Seen::NotRead => None,
            };
            let step = self.step_of.get(&address).map(|&step| self.steps[step as usize].action);
            judge(&open.intent.action, Known { selected, held: wanted.is_some() || recorded, exists, step })
        };
        let told = |open: &OpenIntent| InFlight {
            intent: open.id,
            run: open.intent.run.0,
            address: open.intent.address.clone(),
            action: open.intent.action.clone(),
            found: found(open),
        };
        self.situation.open_intents.iter().map(told).collect()
    }

    /// Wanted members that this plan does not put back are left for one that does.
    fn member_found(&self, name: &str, back: &HashSet<String>) -> Found {
        let graph = self.situation.graph;
        let wanted = graph.rollouts.iter().any(|rollout| {
            let component = rollout.component.to_string();
            let mut members = rollout.members.iter().filter(|member| !member.after.is_empty());
            members.any(|member| label_of(&component, &member.name) == name)
        });
        match self.situation.purpose {
            Purpose::RefreshOnly => Found::LeftOpen,
            _ if back.contains(name) => Found::StillOut,
            _ if wanted => Found::LeftOpen,
            _ => Found::Gone,
        }
    }
}
