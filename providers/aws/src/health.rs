//! How a group is doing, as the group itself and its load balancers see it: the gate after a change, and what `status`
//! asks.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::LifecycleState;
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use standfast_contract::{Health, HealthState, Map, Value};

use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    kinds::texts,
};

/// Of an operation and of a probe: `group`, a name, and `target_groups`, ARNs; of a probe also `min`, below which a group
/// is not as it shall be, whatever it wants itself.
pub(crate) const MEMBERS: &str = "members";

/// How many of a group's machines serve, and what the first of the others lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Members {
    pub wanted: usize,
    pub serving: usize,
    pub lacking: Option<String>,
}

impl Members {
    pub fn all_serve(&self) -> bool {
        self.serving >= self.wanted
    }

    pub fn state(&self) -> HealthState {
        match self.serving {
            _ if self.all_serve() => HealthState::Healthy,
            0 => HealthState::Down,
            _ => HealthState::Degraded,
        }
    }

    /// "2 of 3 machines serve: i-1 is unhealthy (Health checks failed with these codes: [502])".
    pub fn words(&self) -> String {
        let count = format!("{} of {} machines serve", self.serving, self.wanted);
        match &self.lacking {
            Some(lacking) => format!("{count}: {lacking}"),
            None => count,
        }
    }
}

impl From<Members> for Health {
    fn from(members: Members) -> Self {
        Health { state: members.state(), detail: members.words() }
    }
}

pub(crate) async fn members(site: &Site, inputs: &Map) -> Result<Members, Failure> {
    let name = inputs.get("group").and_then(Value::as_str).unwrap_or_default();
    let call = site.look.asg.describe_auto_scaling_groups().auto_scaling_group_names(name);
    let answer = call.send().await.map_err(failed("autoscaling:DescribeAutoScalingGroups"))?;
    let Some(group) = answer.auto_scaling_groups().first() else {
        return Err(Failure::new(Trouble::NotFound, "", format!("there is no autoscaling group `{name}`")));
    };
    let whole = |number: i64| usize::try_from(number).unwrap_or_default();
    let wanted = whole(group.desired_capacity().unwrap_or_default().into());
    let wanted = wanted.max(whole(inputs.get("min").and_then(Value::as_int).unwrap_or_default()));
    let mut health = Vec::new();
    for arn in texts(inputs, "target_groups") {
        health.push(targets(site, arn).await?);
    }
    let mut serving = 0;
    let mut lacking = None;
    for instance in group.instances() {
        let id = instance.instance_id().unwrap_or_default();
        let lacks = match instance.lifecycle_state() {
            Some(LifecycleState::InService) => health.iter().find_map(|targets| match targets.get(id) {
                Some(None) => None,
                Some(Some(reason)) => Some(reason.clone()),
                None => Some("is not registered at its load balancer yet".to_owned()),
            }),
            state => Some(format!("is {}", state.map_or("in no state", LifecycleState::as_str))),
        };
        match lacks {
            None => serving += 1,
            Some(lacks) => {
                lacking.get_or_insert(format!("{id} {lacks}"));
            }
        }
    }
    if serving < wanted && group.instances().len() < wanted && lacking.is_none() {
        lacking = last_failure(site, name).await?;
    }
    Ok(Members { wanted, serving, lacking })
}

/// The targets of a group, each with what it lacks.
async fn targets(site: &Site, arn: &str) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let call = site.look.elb.describe_target_health().target_group_arn(arn);
    let answer = call.send().await.map_err(failed("elasticloadbalancing:DescribeTargetHealth"))?;
    let each = answer.target_health_descriptions().iter().filter_map(|described| {
        let health = described.target_health()?;
        let lacks = match health.state() {
            Some(TargetHealthStateEnum::Healthy) => None,
            state => {
                let why = health.description().map(|why| format!(" ({why})")).unwrap_or_default();
                Some(format!("is {}{why}", state.map_or("of unknown health", TargetHealthStateEnum::as_str)))
            }
        };
        Some((described.target()?.id()?.to_owned(), lacks))
    });
    Ok(each.collect())
}

/// Why the last machine did not come to be: no capacity in a zone, a quota, an image that is gone.
async fn last_failure(site: &Site, group: &str) -> Result<Option<String>, Failure> {
    let call = site.look.asg.describe_scaling_activities().auto_scaling_group_name(group).max_records(5);
    let answer = call.send().await.map_err(failed("autoscaling:DescribeScalingActivities"))?;
    let said = answer.activities().iter().find_map(|activity| activity.status_message());
    Ok(said.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_healthy_when_all_that_it_wants_serve() {
        let members = |serving| Members { wanted: 3, serving, lacking: None };
        assert_eq!(
            [3, 2, 0].map(|serving| members(serving).state()),
            [HealthState::Healthy, HealthState::Degraded, HealthState::Down]
        );
        let lacking = Some("i-1 is unhealthy (Health checks failed with these codes: [502])".to_owned());
        assert_eq!(
            Members { lacking, ..members(2) }.words(),
            "2 of 3 machines serve: i-1 is unhealthy (Health checks failed with these codes: [502])"
        );
    }
}
