//! How a group is doing, as the group itself and its load balancers see it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use futures::future::join_all;
use standfast_contract::{Health, HealthState, Map, Value};

use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    kinds::{self, Select, texts},
};

/// Of an operation and of a probe: `group`, a name, and `target_groups`, ARNs; of a probe also `min`, below which a group
/// is not as it shall be, whatever it wants itself.
pub(crate) const MEMBERS: &str = "members";

/// How many of a group's machines serve, and what the first of the others lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Members {
    pub wanted: usize,
    pub serving: usize,
    /// The least and the most that the group may have.
    pub limits: (i32, i32),
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
        self.with_lacking(self.count())
    }

    fn count(&self) -> String {
        format!("{} of {} machines serve", self.serving, self.wanted)
    }

    fn with_lacking(&self, count: String) -> String {
        match &self.lacking {
            Some(lacking) => format!("{count}: {lacking}"),
            None => count,
        }
    }
}

impl From<Members> for Health {
    fn from(members: Members) -> Self {
        let (min, max) = members.limits;
        let count = format!("{} (min {min}, max {max})", members.count());
        Health { state: members.state(), detail: members.with_lacking(count) }
    }
}

/// The groups that were looked at.
pub(super) type Groups = Result<Vec<AutoScalingGroup>, Failure>;

/// One target of a target group.
pub(super) struct Target {
    pub lacks: Option<String>,
    pub is_draining: bool,
}

/// Of one target group, by their ids.
type Targets = BTreeMap<String, Target>;

/// By the ARNs of their target groups.
pub(super) type AllTargets = BTreeMap<String, Result<Targets, Failure>>;

/// One group, by itself.
pub(crate) async fn members(site: &Site, inputs: &Map) -> Result<Members, Failure> {
    let name = inputs.get("group").and_then(Value::as_str).unwrap_or_default();
    let groups = kinds::groups(site, Select::Ids(&[name])).await;
    let targets = all_targets(site, texts(inputs, "target_groups")).await;
    of_group(site, &groups, &targets, inputs).await
}

pub(super) async fn of_group(
    site: &Site,
    groups: &Groups,
    targets: &AllTargets,
    inputs: &Map,
) -> Result<Members, Failure> {
    let name = inputs.get("group").and_then(Value::as_str).unwrap_or_default();
    let groups = groups.as_ref().map_err(Clone::clone)?;
    let Some(group) = groups.iter().find(|group| group.auto_scaling_group_name() == Some(name)) else {
        return Err(Failure::new(Trouble::NotFound, "", format!("there is no autoscaling group `{name}`")));
    };
    let whole = |number: i64| usize::try_from(number).unwrap_or_default();
    let wanted = whole(group.desired_capacity().unwrap_or_default().into());
    let wanted = wanted.max(whole(inputs.get("min").and_then(Value::as_int).unwrap_or_default()));
    let mut health = Vec::new();
    for targets in texts(inputs, "target_groups").into_iter().filter_map(|arn| targets.get(arn)) {
        health.push(targets.as_ref().map_err(Clone::clone)?);
    }
    let mut serving = 0;
    let mut lacking = None;
    for instance in group.instances() {
        let id = instance.instance_id().unwrap_or_default();
        let lacks = match instance.lifecycle_state() {
            Some(LifecycleState::InService) => health.iter().find_map(|targets| match targets.get(id) {
                Some(target) => target.lacks.clone(),
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
    let limits = (group.min_size().unwrap_or_default(), group.max_size().unwrap_or_default());
    Ok(Members { wanted, serving, limits, lacking })
}

/// A call each, all at once.
pub(super) async fn all_targets(site: &Site, arns: BTreeSet<&str>) -> AllTargets {
    let each = arns.into_iter().map(async |arn| (arn.to_owned(), targets(site, arn).await));
    join_all(each).await.into_iter().collect()
}

async fn targets(site: &Site, arn: &str) -> Result<Targets, Failure> {
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
        let is_draining = health.state() == Some(&TargetHealthStateEnum::Draining);
        Some((described.target()?.id()?.to_owned(), Target { lacks, is_draining }))
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
        let members = |serving| Members { wanted: 3, serving, limits: (3, 6), lacking: None };
        assert_eq!(
            [3, 2, 0].map(|serving| members(serving).state()),
            [HealthState::Healthy, HealthState::Degraded, HealthState::Down]
        );
        let lacking = Some("i-1 is unhealthy (Health checks failed with these codes: [502])".to_owned());
        assert_eq!(Health::from(members(3)).detail, "3 of 3 machines serve (min 3, max 6)");
        assert_eq!(
            Members { lacking, ..members(2) }.words(),
            "2 of 3 machines serve: i-1 is unhealthy (Health checks failed with these codes: [502])"
        );
    }
}
