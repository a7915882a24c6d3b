//! Whether whoever signed in may call what the plan calls, by IAM's policy simulator.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
//!
//! A policy may allow an action for certain things only, so what is denied for all things is asked again for those of the
//! plan, by their ARNs. What depends on conditions that nobody knows beforehand counts as allowed. Deletes are asked
//! for too: they come last, and a denied one would leave what nothing uses any more.

mod needs;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use standfast_contract::{Address, Call, Obstacle, ProviderError, Value};

use super::{Ahead, text};
use crate::{
    failure::{Failure, failed},
    marks,
};
use needs::{NEEDS, Needs, UNTAG, WITH, WITHOUT};

/// An action, with the calls that need it and what they are about.
#[derive(Default)]
struct Needed<'a> {
    by: Vec<&'a Call>,
    /// Positions of those that are creates and updates.
    at: Vec<usize>,
    /// Of each call.
    arns: Vec<Vec<String>>,
}

/// Calls of an action whose things are asked about: each is tried with each action.
const CALLS_MAX: usize = 2;

pub(super) async fn ask(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let Some(caller) = ahead.site.caller() else { return Vec::new() };
    let needed = needed(ahead, &caller.arn, &caller.account);
    if needed.is_empty() {
        return Vec::new();
    }
    let Some(principal) = principal(ahead, &caller.arn).await else { return Vec::new() };
    let denied = async {
        let all = needed.keys().copied().collect();
        let denied = simulate(ahead, &principal, all, BTreeSet::new()).await?;
        if denied.is_empty() {
            return Ok(denied);
        }
        let of_denied = denied.iter().filter_map(|action| needed.get(action));
        let arns = of_denied.flat_map(|needed| needed.arns.iter().take(CALLS_MAX).flatten());
        let arns = arns.cloned().collect();
        simulate(ahead, &principal, denied, arns).await
    };
    match denied.await {
        Ok(denied) if denied.is_empty() => Vec::new(),
        Ok(denied) => vec![refusal(ahead, &caller.arn, &denied, &needed)],
        Err(failure) => {
            ahead.unasked("what the plan may do", &failure);
            Vec::new()
        }
    }
}

fn needed<'a>(ahead: &Ahead<'a>, caller: &str, account: &str) -> BTreeMap<&'static str, Needed<'a>> {
    let partition = caller.split(':').nth(1).unwrap_or("aws");
    let mut all: BTreeMap<&'static str, Needed<'a>> = BTreeMap::new();
    let mut add = |at: Option<usize>, call: &'a Call, needs: &Needs, actions: BTreeSet<&'static str>| {
        let own = arns(needs, call, &ahead.site.place.location, partition, account);
        for action in actions {
            let needed = all.entry(action).or_default();
            needed.by.push(call);
            needed.at.extend(at);
            needed.arns.push(own.clone());
        }
    };
    let replaced: BTreeSet<(&Address, &Option<String>)> =
        ahead.deletes.iter().map(|old| (&old.address, &old.id)).collect();
    for &(at, call) in &ahead.calls {
        let Some(needs) = of_kind(call) else { continue };
        let of_update = |(attribute, _): &&(&str, &str)| match *attribute {
            "" => call.changed.iter().any(|changed| changed != "tags"),
            attribute => call.changed.iter().any(|changed| changed == attribute),
        };
        let is_made = call.id.is_none() || replaced.contains(&(&call.address, &call.id));
        let actions: BTreeSet<&str> = if is_made {
            let is_given =
                |attribute: &str| call.inputs.get(attribute).is_some_and(|given| *given != Value::Null);
            let of_kind = |one: &&(&str, &str, &str)| one.0 == call.kind;
            let with = WITH.iter().filter(of_kind).filter(|(_, attribute, _)| is_given(attribute));
            let without = WITHOUT.iter().filter(of_kind);
            let without =
                without.filter(|(_, attribute, _)| !is_given(attribute) && !is_given("global_cluster"));
            let besides = with.chain(without).map(|(.., action)| *action);
            needs.create.iter().copied().chain(besides).collect()
        } else {
            let changes = needs.update.iter().filter(of_update).map(|(_, action)| *action);
            changes.clone().chain(changes.flat_map(|action| untag(call, action))).collect()
        };
        add(Some(at), call, needs, actions);
    }
    for call in &ahead.deletes {
        if let Some(needs) = of_kind(call) {
            add(None, call, needs, needs.delete.iter().copied().collect());
        }
    }
    all
}

/// What takes tags away, beside what gives them, where some are dropped.
fn untag(call: &Call, action: &str) -> Option<&'static str> {
    let (own, prior) = (marks::own(&call.inputs), marks::own(&call.prior));
    let is_dropped = prior.keys().any(|key| !own.contains_key(key));
    UNTAG.iter().find(|(tag, _)| is_dropped && *tag == action).map(|(_, untag)| *untag)
}

fn of_kind(call: &Call) -> Option<&'static Needs> {
    NEEDS.iter().find(|needs| needs.kind == call.kind)
}

/// Of what there is already its own, of what is to be made such as it will have.
fn arns(needs: &Needs, call: &Call, location: &str, partition: &str, account: &str) -> Vec<String> {
    let id = call.id.as_deref().unwrap_or("new");
    let own = id.starts_with("arn:").then(|| id.to_owned());
    let service = own.as_deref().and_then(|arn| arn.split(':').nth(2));
    // Its own takes the place of those of its service.
    let patterns = needs.arn.split_whitespace();
    let patterns =
        patterns.filter(|arn| service.is_none_or(|service| arn.split(':').next() != Some(service)));
    let id = if own.is_some() { "new" } else { id };
    let filled = patterns
        .collect::<Vec<_>>()
        .join(" ")
        .replace("new", id)
        .replace("REGION", location)
        .replace("ACCOUNT", account)
        .replace("TYPE", if text(call, "type") == Some("network") { "net" } else { "app" })
        .replace("ZONE", text(call, "zone").unwrap_or("new"))
        .replace("NAME", text(call, "name").unwrap_or("new"));
    let filled = filled.split_whitespace().map(|arn| format!("arn:{partition}:{arn}"));
    own.into_iter().chain(filled).collect()
}

/// Whose policies hold: of a session the role, with its path, which the session does not tell. `None` for whom IAM
/// simulates nothing: the root user, who may all, and guests of other kinds.
async fn principal(ahead: &Ahead<'_>, caller: &str) -> Option<String> {
    let (head, rest) = caller.rsplit_once(':')?;
    if head.contains(":iam:") {
        return (rest.starts_with("user/") || rest.starts_with("role/")).then(|| caller.to_owned());
    }
    let role = rest.strip_prefix("assumed-role/")?.split('/').next()?;
    let call = ahead.site.change.iam.get_role().role_name(role);
    match call.send().await.ok().and_then(|answer| answer.role) {
        Some(role) => Some(role.arn),
        None => Some(format!("{}:role/{role}", head.replacen(":sts:", ":iam:", 1))),
    }
}

/// Which of the actions are denied, for these things or for all.
async fn simulate<'n>(
    ahead: &Ahead<'_>,
    principal: &str,
    actions: Vec<&'n str>,
    arns: BTreeSet<String>,
) -> Result<Vec<&'n str>, Failure> {
    let region = ContextEntry::builder()
        .context_key_name("aws:RequestedRegion")
        .context_key_type(ContextKeyTypeEnum::String)
        .context_key_values(&ahead.site.place.location)
        .build();
    // Asked once: an answer is welcome and not needed.
    let call = ahead
        .site
        .change
        .iam
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
        .set_resource_arns(Some(arns.into_iter().collect()).filter(|arns: &Vec<_>| !arns.is_empty()))
        .context_entries(region);
    let results: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let results = results.map_err(failed("iam:SimulatePrincipalPolicy"))?;
    let is_denied = |action: &&str| {
        let mut about = results.iter().filter(|result| result.eval_action_name() == *action).peekable();
        about.peek().is_some() && !about.any(may_be_allowed)
    };
    Ok(actions.into_iter().filter(is_denied).collect())
}

/// It is, for one thing at least; or nobody can tell beforehand.
fn may_be_allowed(result: &EvaluationResult) -> bool {
    let allowed = PolicyEvaluationDecisionType::Allowed;
    *result.eval_decision() == allowed
        || !result.missing_context_values().is_empty()
        || result
            .resource_specific_results()
            .iter()
            .any(|one| *one.eval_resource_decision() == allowed || !one.missing_context_values().is_empty())
}

fn refusal(
    ahead: &Ahead<'_>,
    caller: &str,
    denied: &[&str],
    needed: &BTreeMap<&'static str, Needed<'_>>,
) -> Obstacle {
    let mut calls = BTreeSet::new();
    let mut told = Vec::new();
    for action in denied {
        let Some(needed) = needed.get(action) else { continue };
        calls.extend(needed.at.iter().copied());
        if let [first, others @ ..] = &needed.by[..] {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            told.push(format!("{action} (for {}{more})", first.address));
        }
    }
    let operation = format!("do what is planned in {}", ahead.site.place.location);
    let reason = format!("the policies of {caller} do not allow {}", told.join(", "));
    let error = ProviderError::permanent(operation, reason)
        .hint("Allow them, or sign in as somebody who may; then run it again. Nothing was touched.");
    Obstacle { error, calls: calls.into_iter().collect() }
}

#[cfg(test)]
mod tests;
