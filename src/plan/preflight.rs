//! What preflight is asked: the creates, updates and deletes ahead, resolved as far as they are known.

use std::collections::{BTreeMap, HashMap};

use standfast_contract::{
    Address, Call, Map, OutputRef, Target, Vault, secret::SecretError, value::resolve_map,
};

use super::{Action, Change, Plan, recorded::Recorded, token};

/// The calls ahead in one provider.
#[derive(Default)]
pub struct Ahead {
    /// The step of each of `calls`.
    pub steps: Vec<u32>,
    /// Creates and updates.
    pub calls: Vec<Call>,
    /// What is replaced is here too.
    pub deletes: Vec<Call>,
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
        let is_made = matches!(step.action, Action::Create | Action::Update | Action::Replace);
        let is_deleted = matches!(step.action, Action::Delete | Action::Replace);
        if !is_made && !is_deleted {
            continue;
        }
        let prior = step.prior.clone();
        let call = |action: &str, inputs: Map| -> Result<Call, SecretError> {
            let prior = prior.as_ref();
            Ok(Call {
                address: step.address.clone(),
                kind: step.kind.clone(),
                place: step.place.resolve(&known, vault)?,
                token: step.token.clone().unwrap_or_else(|| token(&plan.id, &step.address, action)),
                id: prior.map(|prior| prior.id.clone()),
                inputs,
                prior: prior.map(|prior| prior.inputs.clone()).unwrap_or_default(),
                prior_outputs: prior.map(|prior| prior.outputs.clone()).unwrap_or_default(),
                changed: changed(&step.changes),
            })
        };
        let ahead = calls.entry(step.provider.clone()).or_default();
        if is_made {
            let action = if step.action == Action::Update { "update" } else { "create" };
            ahead.steps.push(number);
            ahead.calls.push(call(action, resolve_map(&step.inputs, &known, vault)?)?);
        }
        if is_deleted {
            let recorded = prior.as_ref().map(|prior| prior.inputs.clone()).unwrap_or_default();
            ahead.deletes.push(call("delete", recorded)?);
        }
    }
    Ok(calls)
}

/// The attributes that the provider is to change. What somebody has done by hand already is only written down.
fn changed(changes: &[Change]) -> Vec<String> {
    let open = changes.iter().filter(|change| change.before != change.after);
    open.map(|change| change.attribute.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Because, *};

    #[test]
    fn what_was_done_by_hand_already_is_not_asked_about() {
        let change = |attribute: &str, before: &str, after: &str| Change {
            attribute: attribute.into(),
            before: before.into(),
            after: after.into(),
            because: Because::Blueprint,
            forces_replacement: false,
            effect: None,
        };
        let changes = [change("version", "16.4", "16.4"), change("class", "small", "large")];
        assert_eq!(changed(&changes), ["class"]);
    }
}
