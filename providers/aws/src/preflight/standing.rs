//! What stands there already: things of others whose names ours would get, and how many more the account may have.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Filter;
use futures::future::join_all;
use standfast_contract::{Call, Obstacle, ProviderError};

use super::{Ahead, text};
use crate::{
    failure::{Failure, Trouble, failed},
    kinds,
    marks::{self, Tags},
};

/// One thing of a region, whosever it is.
struct Thing {
    name: String,
    /// Of a load balancer `application` or `network`, of a NAT gateway its zone.
    variety: String,
    arn: String,
    /// `None`: not told by the list.
    tags: Option<Tags>,
}

/// What a region may have of a kind, as Service Quotas names it.
/// <https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html>
struct Quota {
    kind: &'static str,
    /// Counts those of this variety only; empty: all; [`EACH`]: each variety for itself.
    variety: &'static str,
    service: &'static str,
    code: &'static str,
    /// For people.
    of: &'static str,
}

const EACH: &str = "each";

const fn quota(
    kind: &'static str,
    variety: &'static str,
    service: &'static str,
    code: &'static str,
    of: &'static str,
) -> Quota {
    Quota { kind, variety, service, code, of }
}

static QUOTAS: &[Quota] = &[
    quota("vpc", "", "vpc", "L-F678F1CE", "VPCs"),
    quota("nat_gateway", EACH, "vpc", "L-FE5A380F", "NAT gateways"),
    quota("elastic_ip", "", "ec2", "L-0263D0A3", "Elastic IP addresses"),
    quota("load_balancer", "application", "elasticloadbalancing", "L-53DA6B97", "Application Load Balancers"),
    quota("load_balancer", "network", "elasticloadbalancing", "L-69A177A2", "Network Load Balancers"),
    quota("target_group", "", "elasticloadbalancing", "L-B22855CB", "target groups"),
    quota("db_instance", "", "rds", "L-7B6409FD", "DB instances"),
];

/// Kinds whose names are one region's, or that are counted.
const KINDS: &[&str] = &[
    "vpc",
    "nat_gateway",
    "elastic_ip",
    "load_balancer",
    "target_group",
    "launch_template",
    "autoscaling_group",
    "db_instance",
    "replication_group",
];

/// Read replicas are instances like others.
const REPLICA: &str = "db_replica";

pub(super) async fn ask(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let asked = KINDS.iter().map(|kind| about(ahead, kind));
    join_all(asked).await.into_iter().flatten().collect()
}

async fn about(ahead: &Ahead<'_>, kind: &str) -> Vec<Obstacle> {
    let mut creates: Vec<(usize, &Call)> = ahead.creates(kind).collect();
    if kind == "db_instance" {
        creates.extend(ahead.creates(REPLICA));
    }
    if creates.is_empty() {
        return Vec::new();
    }
    let named: BTreeSet<&str> = creates.iter().filter_map(|(_, call)| text(call, "name")).collect();
    let things = match list(ahead, kind, &named).await {
        Ok(things) => things,
        Err(failure) => {
            ahead.unasked(&format!("what stands there of {kind}"), &failure);
            return Vec::new();
        }
    };
    let mut obstacles = clashes(ahead, &creates, &things).await;
    obstacles.extend(too_many(ahead, kind, &creates, &things).await);
    obstacles
}

/// All where they are counted, or where asking for one that is missing would fail; else those of these names.
async fn list(ahead: &Ahead<'_>, kind: &str, named: &BTreeSet<&str>) -> Result<Vec<Thing>, Failure> {
    let own = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let unnamed = || Thing { name: String::new(), variety: String::new(), arn: String::new(), tags: None };
    let names = || named.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let look = &ahead.site.look;
    Ok(match kind {
        "vpc" => {
            let all: Result<Vec<_>, _> =
                look.ec2.describe_vpcs().into_paginator().items().send().collect().await;
            all.map_err(failed("ec2:DescribeVpcs"))?.iter().map(|_| unnamed()).collect()
        }
        "nat_gateway" => nat_gateways(ahead).await?,
        "elastic_ip" => {
            let all = look.ec2.describe_addresses().send().await.map_err(failed("ec2:DescribeAddresses"))?;
            all.addresses().iter().map(|_| unnamed()).collect()
        }
        "load_balancer" => {
            let all: Result<Vec<_>, _> =
                look.elb.describe_load_balancers().into_paginator().items().send().collect().await;
            let all = all.map_err(failed("elasticloadbalancing:DescribeLoadBalancers"))?;
            let each = all.iter().map(|one| Thing {
                name: own(one.load_balancer_name()),
                variety: own(one.r#type().map(|it| it.as_str())),
                arn: own(one.load_balancer_arn()),
                tags: None,
            });
            each.collect()
        }
        "target_group" => {
            let all: Result<Vec<_>, _> =
                look.elb.describe_target_groups().into_paginator().items().send().collect().await;
            let all = all.map_err(failed("elasticloadbalancing:DescribeTargetGroups"))?;
            let each = all.iter().map(|one| Thing {
                name: own(one.target_group_name()),
                arn: own(one.target_group_arn()),
                ..unnamed()
            });
            each.collect()
        }
        "launch_template" => {
            let filter = Filter::builder().name("launch-template-name").set_values(Some(names())).build();
            let call = look.ec2.describe_launch_templates().filters(filter);
            let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
            let all = all.map_err(failed("ec2:DescribeLaunchTemplates"))?;
            let each = all.iter().map(|one| Thing {
                name: own(one.launch_template_name()),
                tags: Some(one.tags().iter().map(|tag| (own(tag.key()), own(tag.value()))).collect()),
                ..unnamed()
            });
            each.collect()
        }
        "autoscaling_group" => {
            let call = look.asg.describe_auto_scaling_groups().set_auto_scaling_group_names(Some(names()));
            let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
            let all = all.map_err(failed("autoscaling:DescribeAutoScalingGroups"))?;
            let each = all.iter().map(|one| Thing {
                name: own(one.auto_scaling_group_name()),
                tags: Some(one.tags().iter().map(|tag| (own(tag.key()), own(tag.value()))).collect()),
                ..unnamed()
            });
            each.collect()
        }
        "db_instance" => {
            let all: Result<Vec<_>, _> =
                look.rds.describe_db_instances().into_paginator().items().send().collect().await;
            let all = all.map_err(failed("rds:DescribeDBInstances"))?;
            let each = all.iter().map(|one| Thing {
                name: own(one.db_instance_identifier()),
                tags: Some(one.tag_list().iter().map(|tag| (own(tag.key()), own(tag.value()))).collect()),
                ..unnamed()
            });
            each.collect()
        }
        _ => {
            let call = look.elasticache.describe_replication_groups();
            let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
            let all = all.map_err(failed("elasticache:DescribeReplicationGroups"))?;
            let each = all.iter().map(|one| Thing {
                name: own(one.replication_group_id()),
                arn: own(one.arn()),
                ..unnamed()
            });
            each.collect()
        }
    })
}

/// Those that stand or will, by zone.
async fn nat_gateways(ahead: &Ahead<'_>) -> Result<Vec<Thing>, Failure> {
    let ec2 = &ahead.site.look.ec2;
    let standing = Filter::builder().name("state").values("pending").values("available").build();
    let call = ec2.describe_nat_gateways().filter(standing);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let all = all.map_err(failed("ec2:DescribeNatGateways"))?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let ids = all.iter().filter_map(|one| one.subnet_id.clone()).collect();
    let of_them = Filter::builder().name("subnet-id").set_values(Some(ids)).build();
    let call = ec2.describe_subnets().filters(of_them);
    let subnets: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let subnets = subnets.map_err(failed("ec2:DescribeSubnets"))?;
    let zone = |id: Option<&str>| {
        let subnet = subnets.iter().find(|subnet| subnet.subnet_id() == id);
        subnet.and_then(|subnet| subnet.availability_zone()).unwrap_or_default().to_owned()
    };
    let each = all.iter().map(|one| Thing {
        name: String::new(),
        variety: zone(one.subnet_id()),
        arn: String::new(),
        tags: None,
    });
    Ok(each.collect())
}

/// What varies of one that is to be made, as in [`Thing::variety`].
fn variety(call: &Call) -> &str {
    match call.kind.as_str() {
        // A NAT gateway is named after its zone.
        "nat_gateway" => call.address.name(),
        _ => text(call, "type").unwrap_or_default(),
    }
}

async fn clashes(ahead: &Ahead<'_>, creates: &[(usize, &Call)], things: &[Thing]) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    for &(at, call) in creates {
        let Some(name) = text(call, "name") else { continue };
        let Some(thing) = things.iter().find(|thing| thing.name == name) else { continue };
        let tags = match (&thing.tags, thing.arn.as_str()) {
            (Some(tags), _) => Some(tags.clone()),
            (None, arn) => match tags_of(ahead, &call.kind, arn).await {
                // It is being made, maybe by an earlier try: the create waits until that is told.
                Err(Failure { trouble: Trouble::Busy, .. }) => continue,
                tags => tags.ok().flatten(),
            },
        };
        let whose = tags.as_ref().map_or("something whose tags cannot be read".to_owned(), whose);
        let tags = tags.unwrap_or_default();
        // An earlier try of this very plan.
        if tags.get(marks::TOKEN) == Some(&call.token) {
            continue;
        }
        let of_stack = marks::is_of(&tags, &ahead.context.stack);
        let hint = if of_stack && marks::address(&tags).as_ref() == Some(&call.address) {
            "Another state has it: name that with `--state`; or let `standfast state rebuild` take it over."
        } else {
            "Rename the component, or remove what is there; nothing was touched."
        };
        let reason = format!("the name `{name}` is taken by {whose}");
        obstacles.push(ahead.obstacle(at, call, reason, hint));
    }
    obstacles
}

async fn tags_of(ahead: &Ahead<'_>, kind: &str, arn: &str) -> Result<Option<Tags>, Failure> {
    if kind == "replication_group" {
        return kinds::store_tags(ahead.site, arn).await.map(Some);
    }
    Ok(kinds::balancer_tags(ahead.site, &[arn.to_owned()]).await?.remove(arn))
}

/// "something of the stack `shop` (default): home/load_balancers.front/load_balancer.main".
fn whose(tags: &Tags) -> String {
    let mark = |key: &str| tags.get(key).map_or("", String::as_str);
    if tags.contains_key(marks::STACK) {
        let (stack, environment) = (mark(marks::STACK), mark(marks::ENVIRONMENT));
        return format!("{} of the stack `{stack}` ({environment})", mark(marks::ADDRESS));
    }
    let told: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    match told.is_empty() {
        true => "something that is not of standfast and has no tags".to_owned(),
        false => format!("something that is not of standfast; its tags are {}", told.join(", ")),
    }
}

async fn too_many(
    ahead: &Ahead<'_>,
    kind: &str,
    creates: &[(usize, &Call)],
    things: &[Thing],
) -> Vec<Obstacle> {
    let mut found = Vec::new();
    for quota in QUOTAS.iter().filter(|quota| quota.kind == kind) {
        let varieties: BTreeSet<&str> = match quota.variety {
            EACH => creates.iter().map(|(_, call)| variety(call)).collect(),
            one => BTreeSet::from([one]),
        };
        let new = |wanted: &str| -> Vec<usize> {
            let of = creates.iter().filter(|(_, call)| wanted.is_empty() || variety(call) == wanted);
            of.map(|(at, _)| *at).collect()
        };
        if varieties.iter().all(|wanted| new(wanted).is_empty()) {
            continue;
        }
        let most = match applied(ahead, quota.service, quota.code).await {
            Ok(Some(most)) => most,
            Ok(None) => continue,
            Err(failure) => {
                ahead.unasked(&format!("the quota of {}", quota.of), &failure);
                continue;
            }
        };
        for wanted in varieties {
            let there = things.iter().filter(|thing| wanted.is_empty() || thing.variety == wanted).count();
            let place = if quota.variety == EACH { wanted } else { &ahead.site.place.location };
            let calls = new(wanted);
            if there + calls.len() > most {
                found.push(full(ahead, quota, place, most, there, calls));
            }
        }
    }
    found
}

fn full(
    ahead: &Ahead<'_>,
    quota: &Quota,
    place: &str,
    most: usize,
    there: usize,
    calls: Vec<usize>,
) -> Obstacle {
    let reason = format!(
        "the account may have {most} {} there, has {there}, and the plan makes {}",
        quota.of,
        calls.len()
    );
    let more = more(ahead, quota.service, quota.code, there + calls.len());
    let hint = format!("{more}, or remove what is not needed.");
    let error = ProviderError::permanent(format!("make all {} in {place}", quota.of), reason).hint(hint);
    Obstacle { error, calls }
}

/// How to ask for so much of a quota.
pub(super) fn more(ahead: &Ahead<'_>, service: &str, code: &str, wanted: usize) -> String {
    let location = &ahead.site.place.location;
    format!(
        "Ask for more (`aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} \
         --region {location} --desired-value {wanted}`)"
    )
}

/// The account's own quota, or where it has none AWS's default; `None` where nobody knows it.
pub(super) async fn applied(ahead: &Ahead<'_>, service: &str, code: &str) -> Result<Option<usize>, Failure> {
    // Asked once: an answer is welcome and not needed.
    let quotas = &ahead.site.change.quotas;
    let call = quotas.get_service_quota().service_code(service).quota_code(code);
    let value = match call.send().await.map_err(failed("servicequotas:GetServiceQuota")) {
        Ok(answer) => answer.quota.and_then(|quota| quota.value()),
        Err(failure) if failure.trouble == Trouble::NotFound => {
            let call = quotas.get_aws_default_service_quota().service_code(service).quota_code(code);
            match call.send().await.map_err(failed("servicequotas:GetAWSDefaultServiceQuota")) {
                Ok(answer) => answer.quota.and_then(|quota| quota.value()),
                Err(failure) if matches!(failure.trouble, Trouble::NotFound | Trouble::Lost) => None,
                Err(failure) => return Err(failure),
            }
        }
        Err(failure) => return Err(failure),
    };
    // Quotas are whole numbers, whatever the API's type.
    Ok(value.filter(|value| *value >= 0.0).map(|value| value as usize))
}

#[cfg(test)]
mod tests;
