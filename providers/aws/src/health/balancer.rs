//! A load balancer, and those that it sends to.

use std::collections::HashMap;

use aws_sdk_elasticloadbalancingv2::types::{Listener, LoadBalancer, LoadBalancerStateEnum};
use futures::future::join_all;
use standfast_contract::{Health, Map, Value};

use super::{degraded, down, find, healthy, members::AllTargets, told};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
};

pub(super) type Balancers = Result<Vec<LoadBalancer>, Failure>;

/// Of each load balancer, by its ARN.
pub(super) type Listeners = HashMap<String, Result<Vec<Listener>, Failure>>;

pub(super) async fn all_listeners(site: &Site, balancers: &[&str]) -> Listeners {
    let of_one = async |balancer: &str| {
        let call = site.look.elb.describe_listeners().load_balancer_arn(balancer);
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        (balancer.to_owned(), all.map_err(failed("elasticloadbalancing:DescribeListeners")))
    };
    join_all(balancers.iter().map(|balancer| of_one(balancer))).await.into_iter().collect()
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html>
pub(super) fn health(balancers: &Balancers, listeners: &Listeners, inputs: &Map) -> Result<Health, Failure> {
    let found = match find(balancers, inputs, "balancer", LoadBalancer::load_balancer_arn)? {
        Ok(found) => found,
        Err(health) => return Ok(health),
    };
    if let Some(silent) = silent(listeners, found, inputs)? {
        return Ok(down(silent));
    }
    let state = found.state();
    let why = state.and_then(|state| state.reason()).map(|why| format!(": {why}")).unwrap_or_default();
    let zones = found.availability_zones().len();
    let over = if zones == 1 { "1 zone".to_owned() } else { format!("{zones} zones") };
    Ok(match state.and_then(|state| state.code()) {
        Some(LoadBalancerStateEnum::Active) => healthy(format!("serving over {over}")),
        Some(LoadBalancerStateEnum::ActiveImpaired) => {
            degraded(format!("serving over {over}, and cannot grow (active_impaired){why}"))
        }
        state => down(format!("is {}{why}", state.map_or("in no state", LoadBalancerStateEnum::as_str))),
    })
}

/// The first of its listeners that nobody can reach.
fn silent(listeners: &Listeners, balancer: &LoadBalancer, inputs: &Map) -> Result<Option<String>, Failure> {
    let Some(wanted) = inputs.get("listeners").and_then(Value::as_map) else { return Ok(None) };
    let there = match balancer.load_balancer_arn().and_then(|arn| listeners.get(arn)) {
        Some(there) => there.as_ref().map_err(Failure::clone)?.as_slice(),
        None => return Ok(None),
    };
    let silent = wanted.iter().find_map(|(port, id)| match id.as_str() {
        None => Some(format!("listener {port} has not been made yet")),
        Some(id) => {
            let is_there = there.iter().any(|listener| listener.listener_arn() == Some(id));
            (!is_there).then(|| format!("listener {port} is gone"))
        }
    });
    Ok(silent)
}

/// "3 of 3 members up", as every load balancer says it. Those that are being drained are on their way out.
pub(super) fn targets(all: &AllTargets, inputs: &Map) -> Result<Health, Failure> {
    let Some(arn) = told(inputs, "target_group") else { return Ok(down("has not been made yet")) };
    let targets = match all.get(arn) {
        Some(Ok(targets)) => targets,
        Some(Err(failure)) if failure.trouble == Trouble::NotFound => return Ok(down("is gone")),
        Some(Err(failure)) => return Err(failure.clone()),
        None => return Ok(down("is gone")),
    };
    let staying: Vec<_> = targets.iter().filter(|(_, target)| !target.is_draining).collect();
    let up = staying.iter().filter(|(_, target)| target.lacks.is_none()).count();
    let count = format!("{up} of {} members up", staying.len());
    let first = staying.iter().find_map(|(id, target)| Some(format!("{id} {}", target.lacks.as_ref()?)));
    Ok(match first {
        _ if up == 0 => down(first.map_or(count.clone(), |first| format!("{count}; {first}"))),
        None => healthy(count),
        Some(first) => degraded(format!("{count}; {first}")),
    })
}
