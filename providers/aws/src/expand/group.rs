//! An autoscaling group: a launch template, the group over the zones, who may reach its machines.

use std::time::Duration;

use standfast_contract::{
    Address, Component, ExpandRequest, Lookup, Member, OnFailure, Operation, OutputRef, Rollout, Value,
    component::{AutoscalingGroup, LoadBalancer, ScalingMetric},
};

use super::{
    Build, PROVIDER, ask, balancer, keeps,
    network::{self, Within},
    user_data,
};
use crate::{
    health,
    kinds::{UTC, list, map},
    look_up::IMAGE,
    names::{self, LONG_MAX, ROLE_MAX, TEMPLATE_MAX},
};

const EC2: &str = "ec2";
const IAM: &str = "iam";
const SERVICE: &str = "autoscaling";
/// Debian 12, as its publisher names it. <https://wiki.debian.org/Cloud/AmazonEC2Image>
const DEBIAN: &str = "/aws/service/debian/release/12/latest";
/// How long a machine may take until its workload begins to start: boot, and packages over the network.
const BOOT: Duration = Duration::from_secs(180);
const ANYWHERE: &str = "0.0.0.0/0";

pub(super) fn lookups(request: &ExpandRequest<'_>, group: &AutoscalingGroup) -> Vec<Lookup> {
    let mut lookups = user_data::lookups(&group.workload);
    if let Some(size) = sizes(group).first() {
        lookups.push(ask(request.region, IMAGE, &image(group, size)));
    }
    lookups
}

/// The sizes of machine that will do, the most wanted first.
fn sizes(group: &AutoscalingGroup) -> Vec<&str> {
    group.instance_type.iter().chain(&group.instance_types).map(String::as_str).collect()
}

/// `t3.small`, `u-6tb1.metal`. <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>
fn is_size(instance_type: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    instance_type.split_once('.').is_some_and(|(family, size)| is_word(family) && is_word(size))
        && !instance_type.starts_with("db.")
        && !instance_type.starts_with("cache.")
}

/// A parameter with a `/` in its name begins with one.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html>
fn is_image(name: &str) -> bool {
    name.starts_with("ami-") || name.starts_with('/') || !name.contains('/')
}

/// As the blueprint names it, else Debian for the type's processor.
fn image(group: &AutoscalingGroup, instance_type: &str) -> String {
    let arch = if is_arm(instance_type) { "arm64" } else { "amd64" };
    group.image.clone().unwrap_or_else(|| format!("{DEBIAN}/{arch}"))
}

/// `t4g`, `m7gd`, `c6gn`: a `g` behind the generation is Graviton.
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>
fn is_arm(instance_type: &str) -> bool {
    let family = instance_type.split('.').next().unwrap_or_default();
    let behind = family.trim_start_matches(|c: char| !c.is_ascii_digit());
    family == "a1" || behind.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('g')
}

pub(super) fn expand(build: &mut Build<'_>, group: &AutoscalingGroup) {
    let Some(within) = network::within(build) else { return };
    let template = add_template(build, group, &within);
    let balancers = balancers(build, group);
    if !balancers.is_empty() {
        balancer::check_health(build, &group.health_check);
    }
    let scaling = scaling(build, group, &balancers);
    let Some(template) = template else { return };
    if within.private.is_empty() && !build.keeps("subnets") {
        build.problem(
            "region",
            "the network has no private subnet, which is one whose route table leads out by a NAT gateway or the like",
            "Use a network that has one in each zone.",
        );
    }
    let targets: Vec<Value> =
        balancers.iter().map(|balancer| OutputRef::resource(&target(build, balancer, group), "id")).collect();
    let address = build.address("autoscaling_group", "main");
    let health_timeout = group.update.health_timeout;
    let desired = group.capacity.desired;
    // What scales is left as it scales, by a rule or by the clock.
    let own = |is_own: bool, count: u32| {
        if is_own { (Value::Null, count.into()) } else { (count.into(), Value::Null) }
    };
    let is_scheduled = !group.schedule.is_empty();
    let (min, initial_min) = own(is_scheduled, group.capacity.min);
    let (max, initial_max) = own(is_scheduled, group.capacity.max);
    let (fixed, initial) = own(is_scheduled || !scaling.is_empty(), desired);
    let percent = |count: u32| (i64::from(count) * 100 + i64::from(desired) - 1) / i64::from(desired.max(1));
    // A load balancer says when a machine serves; without one it counts as serving from its start.
    let warmup = if targets.is_empty() { BOOT + health_timeout } else { health_timeout };
    let available = desired.saturating_sub(group.update.max_unavailable);
    let canary = group.update.canary;
    build.add(
        SERVICE,
        "autoscaling_group",
        "main",
        [
            ("name", names::name(build.request.stack, &address, LONG_MAX).into()),
            ("min", min),
            ("max", max),
            ("desired", fixed),
            ("initial", initial),
            ("initial_min", initial_min),
            ("initial_max", initial_max),
            ("vpc", within.vpc.clone()),
            ("subnets", within.private.clone().into()),
            ("template", OutputRef::resource(&template, "id")),
            ("template_version", OutputRef::resource(&template, "version")),
            ("health", if targets.is_empty() { "EC2" } else { "ELB" }.into()),
            ("grace_s", seconds(BOOT + health_timeout)),
            ("target_groups", if targets.is_empty() { Value::Null } else { targets.clone().into() }),
            ("scaling", if scaling.is_empty() { Value::Null } else { scaling.into() }),
            // For alarms; AWS asks nothing for it.
            ("reports_members", true.into()),
            ("schedule", schedule(group)),
            ("mixed", mixed(group)),
            // A spot machine that is about to be taken back is replaced before it is.
            ("rebalance", if group.spot.is_some() { true.into() } else { Value::Null }),
            ("min_healthy_percent", percent(available).into()),
            (
                "canary_percent",
                // All is no canary, whatever it rounds to.
                if (1..desired).contains(&canary) { percent(canary).min(99).into() } else { Value::Null },
            ),
            ("warmup_s", seconds(warmup)),
            (
                "on_failure",
                match group.update.on_failure {
                    OnFailure::Rollback => "rollback",
                    OnFailure::Stop => "stop",
                }
                .into(),
            ),
        ],
    );
    // A target group that no listener uses reports nobody as healthy.
    let listeners = balancers.iter().flat_map(|balancer| {
        let id = Component::LoadBalancer((*balancer).clone()).id();
        let serving = balancer
            .listeners
            .iter()
            .filter(|listener| listener.routes.iter().any(|route| route.to == build.id));
        let region = &build.region.name;
        serving
            .map(|listener| Address::new(region, &id, "listener", &listener.port.to_string()))
            .collect::<Vec<_>>()
    });
    let listeners: Vec<Address> = listeners.collect();
    if let Some(desired) = build.out.resources.last_mut() {
        desired.follows = listeners;
        // Its machines fetch what they run when they boot, and not again.
        desired.after.extend(within.way_out.clone());
    }
    build.output("name", OutputRef::resource(&address, "id"));
    watch(build, group, &address, &template, targets);
}

/// The group is done when its machines serve, and `status` asks whether they do.
fn watch(
    build: &mut Build<'_>,
    group: &AutoscalingGroup,
    address: &Address,
    template: &Address,
    targets: Vec<Value>,
) {
    let group_id = OutputRef::resource(address, "id");
    let targets = if targets.is_empty() { Value::Null } else { Value::from(targets) };
    let patience = BOOT + group.update.health_timeout;
    let gate = Operation {
        address: build.address(health::MEMBERS, "main"),
        provider: PROVIDER.into(),
        verb: health::MEMBERS.into(),
        place: build.place.to_value(),
        lane: build.place.lane(SERVICE),
        inputs: map([("group", group_id.clone()), ("target_groups", targets.clone())]),
        timeout_ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
    };
    // AWS rolls the machines by itself: to the engine the group is one member, held to its health.
    build.out.rollouts.push(Rollout {
        component: build.id.clone(),
        region: build.region.name.clone(),
        canary: 0,
        max_unavailable: 1,
        on_failure: group.update.on_failure,
        members: vec![Member {
            name: "main".into(),
            resources: vec![template.clone(), address.clone()],
            before: Vec::new(),
            after: vec![gate],
        }],
    });
    // Where a schedule changes it, how many there shall be is the group's own.
    let min = if group.schedule.is_empty() { group.capacity.min.into() } else { Value::Null };
    build.probe("machines", health::MEMBERS, [("group", group_id), ("target_groups", targets), ("min", min)]);
}

fn schedule(group: &AutoscalingGroup) -> Value {
    let count = |count: Option<u32>| count.map_or(Value::Null, Value::from);
    list(group.schedule.iter().map(|one| -> Value {
        map([
            ("name", one.name.as_str().into()),
            ("cron", one.cron.as_str().into()),
            ("time_zone", one.time_zone.as_deref().unwrap_or(UTC).into()),
            ("min", count(one.min)),
            ("desired", count(one.desired)),
            ("max", count(one.max)),
        ])
        .into()
    }))
}

/// Null where one size on demand is all.
fn mixed(group: &AutoscalingGroup) -> Value {
    let sizes = sizes(group);
    if sizes.len() < 2 && group.spot.is_none() {
        return Value::Null;
    }
    let (base, share) = group.spot.map_or((0, 0), |spot| (spot.base, spot.share));
    map([
        ("types", sizes.join(", ").into()),
        ("on_demand_base", base.into()),
        ("on_demand_percent", Value::Int(100 - i64::from(share))),
    ])
    .into()
}

fn seconds(duration: Duration) -> Value {
    Value::Int(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

fn add_template(build: &mut Build<'_>, group: &AutoscalingGroup, within: &Within) -> Option<Address> {
    let sizes = sizes(group);
    let Some(instance_type) = sizes.first() else {
        build.problem(
            "",
            "a group on AWS needs an `instance_type`",
            "For example `instance_type: t3.small`.",
        );
        return None;
    };
    if let Some(wrong) = sizes.iter().find(|size| !is_size(size)) {
        let key = if group.instance_type.is_some() { "instance_type" } else { "instance_types" };
        build.problem(
            key,
            format!("`{wrong}` is no size of a machine"),
            "It is a family and a size with a dot between, for example `t3.small`.",
        );
        return None;
    }
    if let Some(image) = group.image.as_deref().filter(|image| !is_image(image)) {
        build.problem(
            "image",
            format!("`{image}` is neither the id of a machine image nor the name of an SSM parameter that holds one"),
            "Say `ami-...`, or `/...`. The image of a container belongs under `workload`: `container: ...`.",
        );
        return None;
    }
    if sizes.iter().any(|size| is_arm(size) != is_arm(instance_type)) {
        build.problem(
            "instance_types",
            "some of these have Graviton processors and some have not, and one image cannot run on both",
            "Name sizes of one kind: `t4g`, `m7g` and the like have Graviton.",
        );
    }
    let name = image(group, instance_type);
    let found = build.answer(IMAGE, &name).cloned();
    let of = |key: &str| found.as_ref()?.as_map()?.get(key).cloned();
    let (Some(image), Some(root_device), Some(root_gib)) = (of("id"), of("root_device"), of("root_gib"))
    else {
        match &found {
            None => build.unanswered(
                if group.image.is_some() { "image" } else { "" },
                format!("which image `{name}` is could not be looked up"),
            ),
            Some(_) if group.image.is_none() => build.problem(
                "",
                format!("{} has no image of Debian 12 (`{name}`), the default", build.place.location),
                "Say which one its machines start from: `image: ami-...`, or the name of an SSM parameter.",
            ),
            Some(_) => build.problem(
                "image",
                format!("there is no image `{name}` in {}", build.place.location),
                "Give an id (`ami-...`) of that region, or the name of an SSM parameter that holds one.",
            ),
        }
        // What is wrong with the workload is, whatever the image.
        let _ = user_data::of(build, &group.workload);
        return None;
    };
    let guard = add_guard(build, group, within);
    let script = user_data::of(build, &group.workload)?;
    let profile = add_profile(build, &script.parameters);
    let address = build.address("launch_template", "main");
    Some(build.add(
        EC2,
        "launch_template",
        "main",
        [
            ("name", names::name(build.request.stack, &address, TEMPLATE_MAX).into()),
            ("image", image),
            ("root_device", root_device),
            ("root_gib", root_gib),
            ("instance_type", (*instance_type).into()),
            ("instance_profile", OutputRef::resource(&profile, "id")),
            ("security_groups", vec![OutputRef::resource(&guard, "id")].into()),
            ("user_data", script.text),
            ("metadata_tokens", "required".into()),
            ("disks_encrypted", true.into()),
        ],
    ))
}

/// For Session Manager, which knows no resources.
const SESSIONS: &str = r#"{"Effect":"Allow","Action":["ssm:UpdateInstanceInformation","ssmmessages:CreateControlChannel","ssmmessages:CreateDataChannel","ssmmessages:OpenControlChannel","ssmmessages:OpenDataChannel"],"Resource":"*"}"#;

/// What its machines may do: to be reached by Session Manager, so that nobody needs a port for that, and to fetch the
/// parameters of their own workload. AWS's own policy for the former would let them fetch everybody's parameters as well.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-add-permissions-to-existing-profile.html>
fn add_profile(build: &mut Build<'_>, parameters: &[String]) -> Address {
    let address = build.address("instance_profile", "main");
    let name = names::name(build.request.stack, &address, ROLE_MAX);
    let partition = build.place.partition();
    // In whatever account it is: the role is of the same.
    let arn = |name: &String| format!("\"arn:{partition}:ssm:{}:*:parameter{name}\"", build.place.location);
    let own = (!parameters.is_empty()).then(|| {
        let arns: Vec<String> = parameters.iter().map(arn).collect();
        format!(r#"{{"Effect":"Allow","Action":"ssm:GetParameter","Resource":[{}]}}"#, arns.join(","))
    });
    let statements: Vec<String> = [SESSIONS.to_owned()].into_iter().chain(own).collect();
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    build.add(
        IAM,
        "instance_profile",
        "main",
        [
            ("name", name.as_str().into()),
            ("profile", name.into()),
            // None: what somebody attaches is drift.
            ("managed_policies", Value::List(Vec::new())),
            ("policy", policy.into()),
        ],
    )
}

/// Its load balancers may come in, at the ports of the group; it may go anywhere, for packages and images.
fn add_guard(build: &mut Build<'_>, group: &AutoscalingGroup, within: &Within) -> Address {
    let mut ports = vec![group.port];
    ports.extend(group.health_check.port.filter(|port| *port != group.port));
    let ingress: Vec<Value> = balancers(build, group)
        .into_iter()
        .filter(|balancer| !keeps(&balancer.common, "security_groups"))
        .flat_map(|balancer| {
            let id = Component::LoadBalancer(balancer.clone()).id();
            let guard = Address::new(&build.region.name, &id, "security_group", "main");
            ports.iter().map(move |port| {
                let from = OutputRef::resource(&guard, "id");
                Value::Map(map([("protocol", "tcp".into()), ("port", (*port).into()), ("group", from)]))
            })
        })
        .collect();
    let out = Value::Map(map([("protocol", "all".into()), ("cidr", ANYWHERE.into())]));
    let address = build.address("security_group", "main");
    build.add(
        EC2,
        "security_group",
        "main",
        [
            ("vpc", within.vpc.clone()),
            ("name", names::name(build.request.stack, &address, LONG_MAX).into()),
            ("description", format!("{}: its load balancers to it", build.id).into()),
            ("ingress", if ingress.is_empty() { Value::Null } else { ingress.into() }),
            ("egress", vec![out].into()),
        ],
    )
}

/// The load balancers that send it requests.
fn balancers<'a>(build: &Build<'a>, group: &AutoscalingGroup) -> Vec<&'a LoadBalancer> {
    let serves = |balancer: &LoadBalancer| {
        balancer.common.region == group.common.region
            && balancer
                .listeners
                .iter()
                .flat_map(|listener| &listener.routes)
                .any(|route| route.to == build.id)
    };
    let components = build.request.components.iter();
    components
        .filter_map(|component| match component {
            Component::LoadBalancer(balancer) if serves(balancer) => Some(balancer),
            _ => None,
        })
        .collect()
}

fn target(build: &Build<'_>, balancer: &LoadBalancer, group: &AutoscalingGroup) -> Address {
    let id = Component::LoadBalancer(balancer.clone()).id();
    balancer::target_group(&build.region.name, &id, &group.common.name)
}

fn scaling(build: &mut Build<'_>, group: &AutoscalingGroup, balancers: &[&LoadBalancer]) -> Vec<Value> {
    let mut rules = Vec::new();
    for (at, rule) in group.scaling.iter().enumerate() {
        let key = format!("scaling[{at}]");
        match rule.metric {
            ScalingMetric::Cpu => rules.push(
                map([("metric", "ASGAverageCPUUtilization".into()), ("target", rule.target.into())]).into(),
            ),
            ScalingMetric::Memory => build.problem(
                key,
                "scaling by memory is not built on AWS yet in this version",
                "EC2 does not measure memory by itself; scale by `cpu` or `requests`.",
            ),
            ScalingMetric::Requests => {
                let Some(balancer) = balancers.iter().find(|balancer| balancer.layer == 7) else {
                    build.problem(
                        key,
                        "requests are counted by load balancers of layer 7, and none sends to this group",
                        "Scale by `cpu`, or let a load balancer of layer 7 send to it.",
                    );
                    continue;
                };
                let id = Component::LoadBalancer((*balancer).clone()).id();
                let main = Address::new(&build.region.name, &id, "load_balancer", "main");
                let label = Value::Join(vec![
                    OutputRef::resource(&main, "label"),
                    "/".into(),
                    OutputRef::resource(&target(build, balancer, group), "label"),
                ]);
                // AWS counts by the minute.
                let target = rule.target * 60.0;
                rules.push(
                    map([
                        ("metric", "ALBRequestCountPerTarget".into()),
                        ("target", target.into()),
                        ("label", label),
                    ])
                    .into(),
                );
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graviton_is_told_by_the_type() {
        for (instance_type, arm) in [
            ("t3.small", false),
            ("t4g.small", true),
            ("m7gd.large", true),
            ("c6gn.large", true),
            ("g5.xlarge", false),
            ("g5g.xlarge", true),
            ("im4gn.large", true),
            ("a1.large", true),
            ("m6i.large", false),
        ] {
            assert_eq!(is_arm(instance_type), arm, "{instance_type}");
        }
    }
}
