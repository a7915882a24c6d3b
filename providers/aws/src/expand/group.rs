//! An autoscaling group: a launch template, the group over the zones, who may reach its machines.

use std::time::Duration;

use standfast_contract::{
    Address, Component, ExpandRequest, Lookup, Member, OnFailure, Operation, OutputRef, Probe, Rollout,
    Value,
    component::{AutoscalingGroup, LoadBalancer, ScalingMetric},
};

use super::{
    Build, PROVIDER, ask, balancer,
    network::{self, Within},
    user_data,
};
use crate::{
    health,
    kinds::map,
    look_up::IMAGE,
    names::{self, LONG_MAX, TEMPLATE_MAX},
};

const EC2: &str = "ec2";
const SERVICE: &str = "autoscaling";
/// Debian 12, as its publisher names it. <https://wiki.debian.org/Cloud/AmazonEC2Image>
const DEBIAN: &str = "/aws/service/debian/release/12/latest";
/// How long a machine may take until its workload begins to start: boot, and packages over the network.
const BOOT: Duration = Duration::from_secs(180);
const ANYWHERE: &str = "0.0.0.0/0";

pub(super) fn lookups(request: &ExpandRequest<'_>, group: &AutoscalingGroup) -> Vec<Lookup> {
    let mut lookups = user_data::lookups(&group.workload);
    if let Some(instance_type) = &group.instance_type {
        lookups.push(ask(request.region, IMAGE, &image(group, instance_type)));
    }
    lookups
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
    let Some(template) = template else { return };
    if !balancers.is_empty() {
        balancer::check_health(build, &group.health_check);
    }
    let scaling = scaling(build, group, &balancers);
    if within.private.is_empty() {
        build.problem(
            "region",
            "the network has no private subnet",
            "Use a network that has one in each zone.",
        );
    }
    let targets: Vec<Value> =
        balancers.iter().map(|balancer| OutputRef::resource(&target(build, balancer, group), "id")).collect();
    let address = build.address("autoscaling_group", "main");
    let health_timeout = group.update.health_timeout;
    let desired = group.capacity.desired;
    // What scales is left as it scales.
    let (fixed, initial) =
        if scaling.is_empty() { (desired.into(), Value::Null) } else { (Value::Null, desired.into()) };
    let available = desired.saturating_sub(group.update.max_unavailable);
    let percent = (u64::from(available) * 100).div_ceil(u64::from(desired.max(1))).min(100);
    build.add(
        SERVICE,
        "autoscaling_group",
        "main",
        [
            ("name", names::name(build.request.stack, &address, LONG_MAX).into()),
            ("min", group.capacity.min.into()),
            ("max", group.capacity.max.into()),
            ("desired", fixed),
            ("initial", initial),
            ("subnets", within.private.clone().into()),
            ("template", OutputRef::resource(&template, "id")),
            ("template_version", OutputRef::resource(&template, "version")),
            ("health", if targets.is_empty() { "EC2" } else { "ELB" }.into()),
            ("grace_s", seconds(BOOT + health_timeout)),
            ("target_groups", if targets.is_empty() { Value::Null } else { targets.clone().into() }),
            ("scaling", if scaling.is_empty() { Value::Null } else { scaling.into() }),
            // For alarms; AWS asks nothing for it.
            ("reports_members", true.into()),
            ("min_healthy_percent", Value::Int(i64::try_from(percent).unwrap_or(100))),
            ("warmup_s", seconds(health_timeout)),
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
    let inputs = map([
        ("group", OutputRef::resource(address, "id")),
        ("target_groups", if targets.is_empty() { Value::Null } else { targets.into() }),
    ]);
    let place = build.place.to_value();
    let patience = BOOT + group.update.health_timeout;
    let gate = Operation {
        address: build.address(health::MEMBERS, "main"),
        provider: PROVIDER.into(),
        verb: health::MEMBERS.into(),
        place: place.clone(),
        lane: build.place.lane(SERVICE),
        inputs: inputs.clone(),
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
    build.out.probes.push(Probe {
        component: build.id.clone(),
        subject: "machines".into(),
        provider: PROVIDER.into(),
        place,
        verb: health::MEMBERS.into(),
        inputs,
    });
}

fn seconds(duration: Duration) -> Value {
    Value::Int(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

fn add_template(build: &mut Build<'_>, group: &AutoscalingGroup, within: &Within) -> Option<Address> {
    let Some(instance_type) = &group.instance_type else {
        build.problem(
            "",
            "a group on AWS needs an `instance_type`",
            "For example `instance_type: t3.small`.",
        );
        return None;
    };
    let name = image(group, instance_type);
    let found = build.answer(IMAGE, &name).cloned();
    let of = |key: &str| found.as_ref()?.as_map()?.get(key).cloned();
    let (Some(image), Some(root_device), Some(root_gib)) = (of("id"), of("root_device"), of("root_gib"))
    else {
        let (message, hint) = match &found {
            None => (format!("which image `{name}` is could not be looked up"), String::new()),
            Some(_) => (
                format!("there is no image `{name}` in {}", build.place.location),
                "Give an id (`ami-...`) of that region, or the name of an SSM parameter that holds one."
                    .into(),
            ),
        };
        build.problem(if group.image.is_some() { "image" } else { "" }, message, hint);
        return None;
    };
    let guard = add_guard(build, group, within);
    let user_data = user_data::of(build, &group.workload)?;
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
            ("instance_type", instance_type.as_str().into()),
            ("security_groups", vec![OutputRef::resource(&guard, "id")].into()),
            ("user_data", user_data.into()),
            ("metadata_tokens", "required".into()),
            ("disks_encrypted", true.into()),
        ],
    ))
}

/// Its load balancers may come in, at the ports of the group; it may go anywhere, for packages and images.
fn add_guard(build: &mut Build<'_>, group: &AutoscalingGroup, within: &Within) -> Address {
    let mut ports = vec![group.port];
    ports.extend(group.health_check.port.filter(|port| *port != group.port));
    let ingress: Vec<Value> = balancers(build, group)
        .into_iter()
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
