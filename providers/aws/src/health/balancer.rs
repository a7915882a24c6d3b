//! A load balancer, and those that it sends to.

use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, LoadBalancerStateEnum};
use standfast_contract::{Health, Map};

use super::{degraded, down, find, healthy, members::AllTargets, told};
use crate::failure::{Failure, Trouble};

pub(super) type Balancers = Result<Vec<LoadBalancer>, Failure>;

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html>
pub(super) fn health(balancers: &Balancers, inputs: &Map) -> Result<Health, Failure> {
    let found = match find(balancers, inputs, "balancer", LoadBalancer::load_balancer_arn)? {
        Ok(found) => found,
        Err(health) => return Ok(health),
    };
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
