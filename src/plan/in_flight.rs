//! What earlier runs began and whose end nobody recorded, and what a plan found out about each. Pure.
//!
//! The words of the journal are here too: apply writes them, the next plan reads them.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use standfast_contract::Address;
use standfast_state::{IntentId, OpenIntent};

use super::{Action, MemberPlan, RolloutPlan};

/// The journal's word for a member that was taken out of service: its intent stays open until the member is back, and
/// names the member ([`label`]) instead of a resource.
pub const OUT_OF_SERVICE: &str = "out of service";

/// "autoscaling_groups.web/web1": how the journal and the report name a member.
pub fn label(rollout: &RolloutPlan, member: &MemberPlan) -> String {
    label_of(&rollout.component.to_string(), &member.name)
}

/// The same from its parts.
pub fn label_of(component: &str, member: &str) -> String {
    format!("{component}/{member}")
}

/// An operation in flight when an earlier run ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InFlight {
    pub intent: IntentId,
    pub run: u64,
    /// Of a resource, or the label of a member.
    pub address: String,
    /// `create`, `update`, `delete`, `rename`, `undo`, or [`OUT_OF_SERVICE`].
    pub action: String,
    pub found: Found,
}

/// What became of it, as far as a look at the world tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    TookEffect,
    NoEffect,
    /// In part, or not: the plan has a step for what is missing.
    Unfinished,
    /// Its place was not asked or did not answer.
    NotLookedAt,
    /// The member is still out of service and this plan puts it back.
    StillOut,
    /// The member is not wanted any more.
    Gone,
    /// This plan does not deal with it: not selected, or it only refreshes.
    LeftOpen,
}

impl Found {
    /// For a person, after "create home/...: ".
    pub fn words(self) -> &'static str {
        match self {
            Found::TookEffect => "it took effect",
            Found::NoEffect => "it had no effect",
            Found::Unfinished => "not finished; planned again",
            Found::NotLookedAt => "could not be looked at",
            Found::StillOut => "put back once it passes its health check",
            Found::Gone => "no longer wanted",
            Found::LeftOpen => "left for a later plan",
        }
    }
}

/// The labels of the members that are out of service.
pub fn out_of_service(open: &[OpenIntent]) -> HashSet<&str> {
    open.iter()
        .filter(|open| open.intent.action == OUT_OF_SERVICE)
        .map(|open| open.intent.address.as_str())
        .collect()
}

/// What a plan knows of the resource that an open intent is about.
#[derive(Clone, Copy)]
pub struct Known {
    pub selected: bool,
    /// In the graph or in the records: the plan decides about it, looked at or not.
    pub held: bool,
    /// Whether it exists; `None` where that could not be seen.
    pub exists: Option<bool>,
    pub step: Option<Action>,
}

/// Judges one open intent about a resource.
pub fn judge(action: &str, known: Known) -> Found {
    let creates = matches!(action, "create" | "undo");
    match (known.exists, known.step) {
        _ if !known.selected => Found::LeftOpen,
        // Nobody but the intent knows of it.
        (None, _) if creates && !known.held => Found::LeftOpen,
        (None, _) => Found::NotLookedAt,
        (Some(exists), _) if creates => effect(exists),
        (Some(exists), _) if action == "delete" => effect(!exists),
        (Some(_), None | Some(Action::Refresh)) => Found::TookEffect,
        (Some(_), Some(_)) => Found::Unfinished,
    }
}

fn effect(took: bool) -> Found {
    if took { Found::TookEffect } else { Found::NoEffect }
}

/// The address that an open intent is about, where it is a resource's.
pub fn resource_of(open: &OpenIntent) -> Option<Address> {
    (open.intent.action != OUT_OF_SERVICE).then(|| open.intent.address.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_an_operation_is_told_by_a_look_at_the_world() {
        let known = |exists, step| Known { selected: true, held: true, exists, step };
        let cases = [
            ("create", known(Some(true), Some(Action::Refresh)), Found::TookEffect),
            ("create", known(Some(false), Some(Action::Create)), Found::NoEffect),
            ("create", known(None, Some(Action::Create)), Found::NotLookedAt),
            ("create", Known { held: false, ..known(None, None) }, Found::LeftOpen),
            ("create", Known { selected: false, ..known(Some(true), None) }, Found::LeftOpen),
            ("undo", Known { held: false, ..known(None, None) }, Found::LeftOpen),
            ("delete", known(Some(false), None), Found::TookEffect),
            ("delete", known(Some(true), Some(Action::Delete)), Found::NoEffect),
            ("update", known(Some(true), None), Found::TookEffect),
            ("update", known(Some(true), Some(Action::Update)), Found::Unfinished),
        ];
        for (action, known, found) in cases {
            assert_eq!(judge(action, known), found, "{action}, exists: {:?}", known.exists);
        }
    }
}
