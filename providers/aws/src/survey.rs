//! What somebody else built in a VPC, as a blueprint that leaves it as it is.
//!
//! Each component keeps by `lifecycle.ignore_changes` what a blueprint would say otherwise: names, subnets, security groups,
//! what machines run. So taking it over changes nothing, and each line that is taken away later is a change that a plan
//! shows. What carries the marks of a stack is that stack's and is left out.
//!
//! Deliberately absent, and told in the blueprint's comments: NLBs and internal load balancers, read replicas and Aurora,
//! session stores, names, and machines of no group.

mod write;

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::AutoScalingGroup;
use aws_sdk_ec2::types::ResponseLaunchTemplateData;
use aws_sdk_elasticloadbalancingv2::types::{
    Listener, LoadBalancer, LoadBalancerSchemeEnum, LoadBalancerTypeEnum, Rule, TargetGroup,
};
use aws_sdk_rds::types::DbInstance;
use standfast_contract::{ProviderError, Region, Survey, Value};

use crate::{
    clients::Site,
    failure::{Failure, failed},
    look_up, marks,
};

/// What was found.
#[derive(Default)]
struct Found {
    zones: Vec<String>,
    balancers: Vec<Balancer>,
    groups: Vec<AutoScalingGroup>,
    /// What the machines of each are made of, in the same order.
    machines: Vec<ResponseLaunchTemplateData>,
    databases: Vec<DbInstance>,
    /// What is there and cannot be said, each in words.
    left_out: Vec<String>,
}

struct Balancer {
    is: LoadBalancer,
    listeners: Vec<(Listener, Vec<Rule>)>,
    targets: Vec<TargetGroup>,
}

/// Looks into a VPC.
pub(crate) async fn survey(site: &Site, region: &Region, vpc: &str) -> Result<Survey, ProviderError> {
    let what = format!("describe what is in {vpc} in {}", site.place.location);
    let told = |failure: Failure| failure.of(&what, false);
    let there = look_up::answer(site, look_up::VPC, vpc).await.map_err(told)?;
    let Some(there) = there.as_map() else {
        return Err(ProviderError::permanent(&what, "there is no such VPC")
            .hint("`aws ec2 describe-vpcs` lists those of the account and region."));
    };
    let subnets = there.values().filter_map(Value::as_list).flatten().filter_map(Value::as_map);
    let zones: BTreeSet<String> =
        subnets.filter_map(|subnet| Some(subnet.get("zone")?.as_str()?.to_owned())).collect();
    let mut found = Found { zones: zones.into_iter().collect(), ..Found::default() };
    balancers(site, vpc, &mut found).await.map_err(told)?;
    groups(site, vpc, &mut found).await.map_err(told)?;
    databases(site, vpc, &mut found).await.map_err(told)?;
    Ok(write::blueprint(&region.name, vpc, &found))
}

async fn balancers(site: &Site, vpc: &str, found: &mut Found) -> Result<(), Failure> {
    let elb = &site.look.elb;
    let all: Result<Vec<_>, _> =
        elb.describe_load_balancers().into_paginator().items().send().collect().await;
    for is in all.map_err(failed("elasticloadbalancing:DescribeLoadBalancers"))? {
        if is.vpc_id() != Some(vpc) {
            continue;
        }
        let (name, arn) =
            (is.load_balancer_name().unwrap_or_default(), is.load_balancer_arn().unwrap_or_default());
        let call = elb.describe_tags().resource_arns(arn);
        let tags = call.send().await.map_err(failed("elasticloadbalancing:DescribeTags"))?;
        let marked = tags.tag_descriptions().iter().flat_map(|one| one.tags());
        if marked.into_iter().any(|tag| tag.key() == Some(marks::STACK)) {
            found.left_out.push(format!("the load balancer {name} is a stack's already"));
            continue;
        }
        if is.r#type() != Some(&LoadBalancerTypeEnum::Application)
            || is.scheme() == Some(&LoadBalancerSchemeEnum::Internal)
        {
            found.left_out.push(format!("the load balancer {name} is not an ALB that faces the internet"));
            continue;
        }
        let call = elb.describe_target_groups().load_balancer_arn(arn);
        let targets: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let targets = targets.map_err(failed("elasticloadbalancing:DescribeTargetGroups"))?;
        let call = elb.describe_listeners().load_balancer_arn(arn);
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let mut listeners = Vec::new();
        for listener in all.map_err(failed("elasticloadbalancing:DescribeListeners"))? {
            let call = elb.describe_rules().set_listener_arn(listener.listener_arn.clone());
            let rules: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
            listeners.push((listener, rules.map_err(failed("elasticloadbalancing:DescribeRules"))?));
        }
        listeners.sort_by_key(|(listener, _)| listener.port());
        found.balancers.push(Balancer { is, listeners, targets });
    }
    Ok(())
}

/// Those that serve a target group that was found. A group of a blueprint has a port, which nothing else tells.
async fn groups(site: &Site, vpc: &str, found: &mut Found) -> Result<(), Failure> {
    let ec2 = &site.look.ec2;
    let filter = aws_sdk_ec2::types::Filter::builder().name("vpc-id").values(vpc).build();
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
    for group in all {
        let name = group.auto_scaling_group_name().unwrap_or_default();
        let known = |arn: &str| {
            let targets = found.balancers.iter().flat_map(|balancer| &balancer.targets);
            targets.into_iter().any(|target| target.target_group_arn() == Some(arn))
        };
        let [target] = group.target_group_arns() else {
            found.left_out.push(format!("the group {name} does not serve exactly one target group"));
            continue;
        };
        let taken = found.groups.iter().any(|other| other.target_group_arns().contains(target));
        let template = group.launch_template().and_then(|template| template.launch_template_id());
        match template {
            _ if group.tags().iter().any(|tag| tag.key() == Some(marks::STACK)) => {
                found.left_out.push(format!("the group {name} is a stack's already"));
            }
            Some(id) if known(target) && !taken => {
                let call = ec2.describe_launch_template_versions().launch_template_id(id).versions("$Latest");
                let answer = call.send().await.map_err(failed("ec2:DescribeLaunchTemplateVersions"))?;
                let newest = answer.launch_template_versions().first();
                match newest.and_then(|newest| newest.launch_template_data()) {
                    Some(data) if data.instance_type().is_some() && data.image_id().is_some() => {
                        found.machines.push(data.clone());
                        found.groups.push(group);
                    }
                    _ => found.left_out.push(format!("the group {name} has a launch template without image or type")),
                }
            }
            _ => found.left_out.push(format!(
                "the group {name} has no launch template of its own, or shares its target group, or that is of no load balancer here"
            )),
        }
    }
    Ok(())
}

async fn databases(site: &Site, vpc: &str, found: &mut Found) -> Result<(), Failure> {
    let call = site.look.rds.describe_db_instances();
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    for database in all.map_err(failed("rds:DescribeDBInstances"))? {
        if database.db_subnet_group().and_then(|group| group.vpc_id()) != Some(vpc) {
            continue;
        }
        let name = database.db_instance_identifier().unwrap_or_default();
        if database.tag_list().iter().any(|tag| tag.key() == Some(marks::STACK)) {
            found.left_out.push(format!("the database {name} is a stack's already"));
        } else if database.read_replica_source_db_instance_identifier().is_some() {
            found.left_out.push(format!("{name} is a read replica"));
        } else if !["postgres", "mysql", "mariadb"].contains(&database.engine().unwrap_or_default()) {
            let engine = database.engine().unwrap_or_default();
            found.left_out.push(format!("the database {name} is of the engine {engine}"));
        } else {
            found.databases.push(database);
        }
    }
    Ok(())
}
