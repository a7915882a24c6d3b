//! Autoscaling groups that serve a target group of a load balancer that was found: a group of a blueprint has a port, which
//! nothing else tells.

use aws_sdk_autoscaling::types::AutoScalingGroup;
use aws_sdk_ec2::types::{Filter, ResponseLaunchTemplateData};
use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetGroup};

use super::{
    balancer::Balancer,
    text::{Names, Text, quoted},
};
use crate::{
    clients::Site,
    failure::{Failure, failed},
    marks,
};

/// What stays as it is, what its machines run included.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "desired", "initial", "subnets", "template_version", "health", "grace_s", "scaling", "reports_members",
    "schedule", "mixed", "rebalance", "min_healthy_percent", "canary_percent", "warmup_s", "on_failure", "root_device",
    "root_gib", "security_groups", "instance_profile", "user_data", "metadata_tokens", "disks_encrypted",
];

pub(super) struct Group {
    /// The blueprint's.
    pub name: String,
    is: AutoScalingGroup,
    /// What its machines are made of.
    machine: ResponseLaunchTemplateData,
    pub target: TargetGroup,
}

impl Group {
    pub fn target_arn(&self) -> Option<&str> {
        self.target.target_group_arn()
    }

    /// What of its target group no `health_check` says, by the attributes that a load balancer has to keep for it.
    pub fn unsaid(&self) -> Vec<&'static str> {
        let target = &self.target;
        let is_http = target.health_check_protocol() == Some(&ProtocolEnum::Http);
        let is_tcp = target.health_check_protocol() == Some(&ProtocolEnum::Tcp);
        let says_protocol = if target.health_check_path().is_some() { is_http } else { is_tcp };
        let mut unsaid = Vec::new();
        if !says_protocol {
            unsaid.push("check_protocol");
        }
        if timeout_s(target) >= interval_s(target) {
            unsaid.push("check_timeout_s");
        }
        unsaid
    }
}

// AWS's own where an endpoint says nothing.
fn interval_s(target: &TargetGroup) -> i32 {
    target.health_check_interval_seconds().unwrap_or(30)
}

fn timeout_s(target: &TargetGroup) -> i32 {
    target.health_check_timeout_seconds().unwrap_or(5)
}

pub(super) async fn look(
    site: &Site,
    vpc: &str,
    balancers: &[Balancer],
    text: &mut Text,
) -> Result<Vec<Group>, Failure> {
    let ec2 = &site.look.ec2;
    let filter = Filter::builder().name("vpc-id").values(vpc).build();
    let subnets: Result<Vec<_>, _> =
        ec2.describe_subnets().filters(filter).into_paginator().items().send().collect().await;
    let subnets = subnets.map_err(failed("ec2:DescribeSubnets"))?;
    let is_here = |group: &AutoScalingGroup| {
        let within = group.vpc_zone_identifier().unwrap_or_default();
        subnets.iter().filter_map(|subnet| subnet.subnet_id()).any(|subnet| within.contains(subnet))
    };
    let call = site.look.asg.describe_auto_scaling_groups();
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let mut all = all.map_err(failed("autoscaling:DescribeAutoScalingGroups"))?;
    all.retain(is_here);
    let mut groups: Vec<Group> = Vec::new();
    let mut names = Names::default();
    for is in all {
        let own = is.auto_scaling_group_name().unwrap_or_default();
        if is.tags().iter().any(|tag| tag.key() == Some(marks::STACK)) {
            text.leave_out(format!("the group {own} is a stack's already"));
            continue;
        }
        let [arn] = is.target_group_arns() else {
            text.leave_out(format!("the group {own} does not serve exactly one target group"));
            continue;
        };
        let targets = balancers.iter().flat_map(|balancer| &balancer.targets);
        let target = targets.into_iter().find(|target| target.target_group_arn() == Some(arn.as_str()));
        let is_taken = groups.iter().any(|other| other.target_arn() == Some(arn.as_str()));
        let template = is.launch_template().and_then(|template| template.launch_template_id());
        let (Some(id), Some(target), false) = (template, target, is_taken) else {
            text.leave_out(format!(
                "the group {own} has no launch template of its own, or shares its target group, or that is of no load \
                 balancer here"
            ));
            continue;
        };
        let call = ec2.describe_launch_template_versions().launch_template_id(id).versions("$Latest");
        let answer = call.send().await.map_err(failed("ec2:DescribeLaunchTemplateVersions"))?;
        let newest = answer.launch_template_versions().first();
        match newest.and_then(|newest| newest.launch_template_data()) {
            Some(machine) if machine.instance_type().is_some() && machine.image_id().is_some() => {
                groups.push(Group {
                    name: names.take(own),
                    target: target.clone(),
                    machine: machine.clone(),
                    is,
                });
            }
            _ => text.leave_out(format!("the group {own} has a launch template without image or type")),
        }
    }
    Ok(groups)
}

/// `served`: names of those that a listener of the blueprint leads to.
pub(super) fn write(text: &mut Text, groups: &[Group], served: &[String]) {
    if !groups.is_empty() {
        text.line("autoscaling_groups:");
    }
    for Group { name, is, machine, target } in groups {
        let template = is.launch_template().and_then(|template| template.launch_template_id());
        let (min, max) = (is.min_size().unwrap_or(0), is.max_size().unwrap_or(1).max(1));
        let desired = is.desired_capacity().unwrap_or(min);
        text.line(format!("  {name}:\n    capacity: {{ min: {min}, desired: {desired}, max: {max} }}"));
        let size = machine.instance_type().map(|size| size.as_str()).unwrap_or_default();
        text.line(format!(
            "    instance_type: {size}\n    image: {}",
            machine.image_id().unwrap_or_default()
        ));
        text.note("What runs there is the image's, and its script's, which stays as it is while `user_data` stands below.");
        text.line(format!("    port: {}", target.port().unwrap_or(80)));
        text.line(format!("    health_check: {{ {} }}", health_check(target)));
        let mut kept = KEPT.to_vec();
        // Served by a listener that the blueprint does not say, it stays there.
        if !served.contains(name) {
            kept.push("target_groups");
        }
        text.keep(&kept);
        let component = format!("autoscaling_groups.{name}");
        text.import(&component, "launch_template", "main", template);
        text.import(&component, "autoscaling_group", "main", is.auto_scaling_group_name());
    }
}

fn health_check(target: &TargetGroup) -> String {
    let mut said = Vec::new();
    said.extend(target.health_check_path().map(|path| format!("path: {}", quoted(path))));
    said.extend(
        target.health_check_port().filter(|port| *port != "traffic-port").map(|port| format!("port: {port}")),
    );
    said.push(format!("interval: {}s", interval_s(target)));
    if timeout_s(target) < interval_s(target) {
        said.push(format!("timeout: {}s", timeout_s(target)));
    }
    said.push(format!("healthy: {}", target.healthy_threshold_count().unwrap_or(5)));
    said.push(format!("unhealthy: {}", target.unhealthy_threshold_count().unwrap_or(2)));
    said.join(", ")
}
