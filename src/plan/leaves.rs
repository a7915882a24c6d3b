//! What a plan leaves behind in the world, because it is the last of what holds data: told before it is approved.

use std::collections::BTreeMap;

use standfast_contract::LEFT;

use super::{Action, Step, Warning, observe::Providers};
use crate::words;

/// Names in a sentence before it says "and 7 more".
const NAMES_MAX: usize = 8;

/// One for each way to be rid of it.
pub fn warnings(steps: &[Step], providers: &Providers) -> Vec<Warning> {
    let mut left: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for step in steps.iter().filter(|step| matches!(step.action, Action::Delete | Action::Replace)) {
        let kind = providers.kind(&step.provider, &step.kind).filter(|kind| !kind.leaves.is_empty());
        let name = step.prior.as_ref().and_then(|prior| prior.outputs.get(LEFT)?.as_str());
        if let (Some(kind), Some(name)) = (kind, name) {
            left.entry(kind.leaves).or_default().push(name);
        }
    }
    let warning = |(how, names): (&str, Vec<&str>)| {
        let (what, it) = if names.len() == 1 { ("snapshot", "it") } else { ("snapshots", "them") };
        let names = words::list(&names, NAMES_MAX);
        Warning {
            subject: "left behind".to_owned(),
            message: format!("the final {what} {names}, billed by the GB until somebody deletes {it}"),
            hint: Some(how.to_owned()),
        }
    };
    left.into_iter().map(warning).collect()
}
