//! What preflight is asked: the creates and updates ahead, resolved as far as they are known.

use std::collections::{BTreeMap, HashMap};

use standfast_contract::{
    Address, Call, Map, OutputRef, Target, Vault, secret::SecretError, value::resolve_map,
};

use super::{Action, Plan, recorded::Recorded, token};

/// The calls ahead in one provider.
#[derive(Default)]
pub struct Ahead {
    /// The step of each.
    pub steps: Vec<u32>,
    pub calls: Vec<Call>,
}

/// The calls ahead, by provider.
pub fn calls(
    plan: &Plan,
    recorded: &[Recorded],
    vault: &Vault,
) -> Result<BTreeMap<String, Ahead>, SecretError> {
    let outputs: HashMap<&Address, &Map> =
        recorded.iter().map(|record| (&record.address, &*record.payload.outputs)).collect();
    let known = |reference: &OutputRef| match &reference.of {
        Target::Resource(address) => outputs.get(address).and_then(|map| map.get(&reference.output)).cloned(),
        Target::Component(_) => None,
    };
    let mut calls: BTreeMap<String, Ahead> = BTreeMap::new();
    for (number, step) in (0u32..).zip(&plan.steps) {
        if !matches!(step.action, Action::Create | Action::Update | Action::Replace) {
            continue;
        }
        let prior = step.prior.clone();
        let action = if step.action == Action::Update { "update" } else { "create" };
        let ahead = calls.entry(step.provider.clone()).or_default();
        ahead.steps.push(number);
        ahead.calls.push(Call {
            address: step.address.clone(),
            kind: step.kind.clone(),
            place: step.place.resolve(&known, vault)?,
            token: step.token.clone().unwrap_or_else(|| token(&plan.id, &step.address, action)),
            id: prior.as_ref().map(|prior| prior.id.clone()),
            inputs: resolve_map(&step.inputs, &known, vault)?,
            prior: prior.as_ref().map(|prior| prior.inputs.clone()).unwrap_or_default(),
            prior_outputs: prior.map(|prior| prior.outputs).unwrap_or_default(),
            changed: step.changes.iter().map(|change| change.attribute.clone()).collect(),
        });
    }
    Ok(calls)
}
