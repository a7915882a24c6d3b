//! A plan, shown: [`text`] for a terminal, [`json`] for programs, [`markdown`] for a pull request, [`html`] for a browser.
//!
//! All four read the same [`outline`] and word things alike. A plan of 100,000 steps is laid out in one pass into one
//! `String`.

mod html;
mod json;
mod markdown;
mod outline;
mod text;

pub use html::html;
pub use json::json;
pub use markdown::markdown;
pub use text::text;

use standfast_contract::{Map, Value};

use super::{
    value::{self, Difference},
    words::{count, thousands},
};
use crate::plan::{Action, Change, Plan, Purpose, Step};

/// The plan in one sentence.
pub fn summary(plan: &Plan) -> String {
    let summary = plan.summary;
    let unchanged = thousands(summary.no_op);
    if plan.purpose == Purpose::RefreshOnly && !plan.is_empty() {
        return format!(
            "Plan: the state takes over {} and forgets {}; the world is not touched; {unchanged} unchanged.",
            count(summary.refresh, "difference"),
            count(summary.forget, "resource"),
        );
    }
    if plan.steps.is_empty() && !plan.is_empty() {
        let back: usize = plan.rollouts.iter().map(|rollout| rollout.members.len()).sum();
        return format!("Plan: {} to put back into service; {unchanged} unchanged.", count(back, "member"));
    }
    if !plan.is_empty() {
        let mut parts: Vec<String> = [
            (summary.create, "create"),
            (summary.update, "update"),
            (summary.replace, "replace"),
            (summary.delete, "delete"),
        ]
        .map(|(number, verb)| format!("{} to {verb}", thousands(number)))
        .to_vec();
        let rare = [(summary.forget, "forget"), (summary.refresh, "refresh"), (summary.r#move, "move")];
        parts.extend(
            rare.iter()
                .filter(|one| one.0 > 0)
                .map(|(number, verb)| format!("{} to {verb}", thousands(*number))),
        );
        return format!("Plan: {}; {unchanged} unchanged.", parts.join(", "));
    }
    let seen = summary.no_op.saturating_sub(plan.unread);
    let resources = count(seen, "resource");
    let verb = if seen == 1 { "is" } else { "are" };
    if plan.unread > 0 {
        let (what, how) = match plan.purpose {
            Purpose::RefreshOnly => ("drift", "recorded"),
            _ => ("changes", "the blueprint says"),
        };
        return format!(
            "No {what} in what could be looked at: {resources} {verb} as {how}, {} could not be looked at.",
            thousands(plan.unread)
        );
    }
    match plan.purpose {
        Purpose::Destroy => "Nothing to destroy. No resource is recorded.".to_owned(),
        Purpose::RefreshOnly => format!("No drift. {resources} {verb} as recorded."),
        Purpose::Apply if summary.no_op == 0 => "No changes. There are no resources.".to_owned(),
        Purpose::Apply => format!("No changes. {resources} {verb} as the blueprint says."),
    }
}

/// "shop" or "shop (production)".
fn title(plan: &Plan) -> String {
    let stack = &plan.stack;
    match stack.environment.as_str() {
        "" | "default" => stack.name.clone(),
        environment => format!("{} ({environment})", stack.name),
    }
}

/// `KIND.NAME`, and what else has to be said to know which object is meant.
fn label(step: &Step) -> String {
    let leaf = step.address.as_str().rsplit('/').next().unwrap_or_default();
    match (&step.moved_from, step.deposed.is_empty()) {
        // Where that is all, the reason says it.
        (Some(from), _) if step.action != Action::Move => format!("{leaf} (was {from})"),
        (_, false) => format!("{leaf} (old copy)"),
        (_, true) => leaf.to_owned(),
    }
}

/// What differs. A text of lines is compared as far as it is known, with a reference in the place of what is not.
fn difference(step: &Step, change: &Change) -> Difference {
    match (&change.after, step.inputs.get(&change.attribute)) {
        (Value::Unknown, Some(text @ Value::Join(_))) if !text.is_sensitive() => {
            let text = text.to_string();
            let after = if text.contains('\n') { Value::Text(text) } else { Value::Unknown };
            value::difference(&change.before, &after)
        }
        (after, _) => value::difference(&change.before, after),
    }
}

/// What a new object will be made from.
fn attributes(step: &Step) -> impl Iterator<Item = (&str, &Value)> {
    let inputs: Option<&Map> = (step.action == Action::Create).then_some(&step.inputs);
    inputs
        .into_iter()
        .flatten()
        .filter(|(_, value)| **value != Value::Null)
        .map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests;
