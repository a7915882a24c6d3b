//! Several sizes of machine in one group, and spot machines among them.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-mixed-instances-groups.html>

use aws_sdk_autoscaling::types::{
    AutoScalingGroup as Found, InstancesDistribution, LaunchTemplate, LaunchTemplateOverrides,
    LaunchTemplateSpecification, MixedInstancesPolicy,
};
use standfast_contract::{Map, Value};

use super::super::{Job, map, text};
use crate::failure::Failure;

/// Machines on demand are of the first size that is to be had.
const ON_DEMAND: &str = "prioritized";
/// Spot machines are of whichever size AWS has most to spare, so that it takes few of them back.
const SPOT: &str = "capacity-optimized";

/// The inputs' form is `{types, on_demand_base, on_demand_percent}`: sizes in one text, for their order counts.
pub(super) fn policy(
    job: &Job<'_>,
    template: &LaunchTemplateSpecification,
) -> Result<Option<MixedInstancesPolicy>, Failure> {
    let Some(wanted) = job.find("mixed").and_then(Value::as_map) else { return Ok(None) };
    let int = |key: &str| {
        let int = wanted.get(key).and_then(Value::as_int).and_then(|int| i32::try_from(int).ok());
        int.ok_or_else(|| Failure::refused("", format!("`mixed.{key}` is missing or no number")))
    };
    let types = wanted.get("types").and_then(Value::as_str).unwrap_or_default();
    let sizes = types.split(", ").map(|size| LaunchTemplateOverrides::builder().instance_type(size).build());
    let distribution = InstancesDistribution::builder()
        .on_demand_allocation_strategy(ON_DEMAND)
        .on_demand_base_capacity(int("on_demand_base")?)
        .on_demand_percentage_above_base_capacity(int("on_demand_percent")?)
        .spot_allocation_strategy(SPOT)
        .build();
    let template = LaunchTemplate::builder()
        .launch_template_specification(template.clone())
        .set_overrides(Some(sizes.collect()))
        .build();
    Ok(Some(
        MixedInstancesPolicy::builder()
            .launch_template(template)
            .instances_distribution(distribution)
            .build(),
    ))
}

/// The template of a group, wherever it has it.
pub(super) fn template_of(group: &Found) -> Option<&LaunchTemplateSpecification> {
    group
        .launch_template()
        .or_else(|| group.mixed_instances_policy()?.launch_template()?.launch_template_specification())
}

pub(super) fn seen_as(policy: Option<&MixedInstancesPolicy>) -> Value {
    let Some(policy) = policy else { return Value::Null };
    let overrides = policy.launch_template().map(LaunchTemplate::overrides).unwrap_or_default();
    let types: Vec<&str> = overrides.iter().filter_map(|one| one.instance_type()).collect();
    let distribution = policy.instances_distribution();
    let whole = |number: Option<i32>| number.map_or(Value::Null, |number| Value::Int(number.into()));
    let parts: Map = map([
        ("types", text(Some(&types.join(", ")))),
        ("on_demand_base", whole(distribution.and_then(|it| it.on_demand_base_capacity()))),
        (
            "on_demand_percent",
            whole(distribution.and_then(|it| it.on_demand_percentage_above_base_capacity())),
        ),
    ]);
    parts.into()
}
