//! Other capacities at certain times: scheduled actions that recur. One that does not is somebody's for one night, and is
//! left alone. <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html>

use aws_sdk_autoscaling::types::ScheduledUpdateGroupAction;
use standfast_contract::{Map, Value};

use super::super::{Job, Seen, list, map, same, text};
use crate::{
    clients::Site,
    failure::{Failure, failed},
};

const SCHEDULE: &str = "schedule";
/// By which it goes where none is said.
pub(crate) const UTC: &str = "Etc/UTC";

/// Of one group, or of every group in the region: the call knows no other filter.
pub(super) async fn all(
    site: &Site,
    group: Option<String>,
) -> Result<Vec<ScheduledUpdateGroupAction>, Failure> {
    let call = site.look.asg.describe_scheduled_actions().set_auto_scaling_group_name(group);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    all.map_err(failed("autoscaling:DescribeScheduledActions"))
}

/// Each `{name, cron, time_zone, min, desired, max}`.
pub(super) fn seen_as(group: &str, actions: &[ScheduledUpdateGroupAction]) -> Value {
    let own = actions.iter().filter(|action| action.auto_scaling_group_name() == Some(group));
    let whole = |number: Option<i32>| number.map_or(Value::Null, |number| Value::Int(number.into()));
    list(own.filter(|action| action.recurrence().is_some()).map(|action| -> Value {
        map([
            ("name", text(action.scheduled_action_name())),
            ("cron", text(action.recurrence())),
            ("time_zone", action.time_zone().unwrap_or(UTC).into()),
            ("min", whole(action.min_size())),
            ("desired", whole(action.desired_capacity())),
            ("max", whole(action.max_size())),
        ])
        .into()
    }))
}

fn rules(value: Option<&Value>) -> Vec<&Map> {
    value.and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_map).collect()
}

fn name(rule: &Map) -> &str {
    rule.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Putting one again under its name changes it.
pub(super) async fn fit(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    let (wanted, have) = (rules(job.find(SCHEDULE)), rules(seen.attributes.get(SCHEDULE)));
    let asg = &job.site.change.asg;
    let is_so =
        |rule: &Map| have.iter().any(|one| same(&Value::Map((*one).clone()), &Value::Map(rule.clone())));
    for rule in wanted.iter().filter(|rule| !is_so(rule)) {
        let text = |key: &str| rule.get(key).and_then(Value::as_str).map(str::to_owned);
        let int = |key: &str| rule.get(key).and_then(Value::as_int).and_then(|int| i32::try_from(int).ok());
        let call = asg
            .put_scheduled_update_group_action()
            .auto_scaling_group_name(&seen.id)
            .scheduled_action_name(name(rule))
            .set_recurrence(text("cron"))
            .set_time_zone(text("time_zone"))
            .set_min_size(int("min"))
            .set_desired_capacity(int("desired"))
            .set_max_size(int("max"));
        call.send().await.map_err(failed("autoscaling:PutScheduledUpdateGroupAction"))?;
    }
    for gone in have.iter().filter(|one| !wanted.iter().any(|rule| name(rule) == name(one))) {
        let call =
            asg.delete_scheduled_action().auto_scaling_group_name(&seen.id).scheduled_action_name(name(gone));
        call.send().await.map_err(failed("autoscaling:DeleteScheduledAction"))?;
    }
    Ok(())
}
