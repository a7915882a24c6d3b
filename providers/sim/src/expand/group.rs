//! An autoscaling group: a launch template, a member for every slot, its scaling policies, and how members roll.

use std::time::Duration;

use standfast_contract::{
    Address, Component, Lookup, Map, Member, Operation, OutputRef, Rollout, Value,
    component::{AutoscalingGroup, LoadBalancer, WorkloadSource},
};

use super::{Build, balancer, content_lookup, map, path_lookup, text, word};
use crate::{
    expand::{PROVIDER, lane},
    health,
    settings::Settings,
};

/// Beside what the blueprint gives a drain or a health check: the calls themselves.
const OPERATION_MARGIN: Duration = Duration::from_secs(30);

pub(super) fn files(group: &AutoscalingGroup, lookups: &mut Vec<Lookup>) {
    if let WorkloadSource::Release { archive, .. } = &group.workload.source {
        lookups.push(path_lookup(archive));
    }
    for file in &group.workload.files {
        content_lookup(&file.content, lookups);
    }
}

pub(super) fn expand(build: &mut Build<'_>, group: &AutoscalingGroup) {
    let not_simulated = [
        ("instance_types", !group.instance_types.is_empty()),
        ("spot", group.spot.is_some()),
        ("schedule", !group.schedule.is_empty()),
    ];
    for (key, _) in not_simulated.into_iter().filter(|(_, is_given)| *is_given) {
        build.problem(key, format!("the simulated world has no `{key}`; remove it"));
    }
    let source = &group.workload.source;
    let (what, run, user) = match source {
        WorkloadSource::Package { service, .. } => ("package", Some(service.as_str()), None),
        WorkloadSource::Release { run, user, .. } => ("release", Some(run.as_str()), user.as_deref()),
        WorkloadSource::Container { .. } => ("container", None, None),
        WorkloadSource::Image => ("image", None, None),
    };
    let template = build.add(
        "launch_template",
        "main",
        [
            ("source", what.into()),
            ("image", text(group.image.as_deref())),
            ("instance_type", text(group.instance_type.as_deref())),
            ("run", text(run)),
            ("user", text(user)),
            ("port", group.port.into()),
        ],
    );
    let release = match source {
        WorkloadSource::Package { package, version: None, .. } => package.as_str().into(),
        WorkloadSource::Package { package, version: Some(version), .. } => {
            Value::Text(format!("{package}={version}"))
        }
        WorkloadSource::Release { archive, .. } => build.digest("workload.release", archive),
        WorkloadSource::Container { image, .. } => image.as_str().into(),
        WorkloadSource::Image => text(group.image.as_deref()),
    };
    let files = build.file_list("workload.files", &group.workload.files);
    let balancers = balancers(build, group);
    let targets: Vec<Value> = balancers
        .iter()
        .map(|balancer| {
            let id = Component::LoadBalancer((*balancer).clone()).id();
            let address = balancer::target_group(&build.region.name, &id, &group.common.name);
            OutputRef::resource(&address, "id")
        })
        .collect();
    let mut members = Vec::new();
    for spot in build.spots(&group.common.name, &group.hosts, group.capacity.desired) {
        let member = build.add(
            "member",
            &spot.name,
            [
                ("template", OutputRef::resource(&template, "id")),
                ("zone", spot.zone.as_str().into()),
                ("host", text(spot.host.as_deref())),
                ("subnet", build.subnet(&spot.zone)),
                ("target_groups", if targets.is_empty() { Value::Null } else { targets.clone().into() }),
                ("release", release.clone()),
                ("files", files.clone()),
                ("environment", map(&group.workload.environment)),
                ("port", group.port.into()),
            ],
        );
        members.push(member);
    }
    for rule in &group.scaling {
        let metric = word(rule.metric);
        build.add(
            "scaling_policy",
            &metric.to_string(),
            [
                ("metric", metric),
                ("target", rule.target.into()),
                ("min", group.capacity.min.into()),
                ("max", group.capacity.max.into()),
            ],
        );
    }
    let rollout = rollout(build, group, &balancers, &members);
    build.rollout(rollout);
    build.output("capacity", Value::Int(i64::try_from(members.len()).unwrap_or(i64::MAX)));
    let addresses: Vec<Value> = members.iter().map(|member| OutputRef::resource(member, "address")).collect();
    build.output("members", addresses);
    build.probe("members", &members, &[]);
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

fn rollout(
    build: &Build<'_>,
    group: &AutoscalingGroup,
    balancers: &[&LoadBalancer],
    members: &[Address],
) -> Rollout {
    let operation = |member: &Address, verb: &str, timeout: Duration| Operation {
        address: Address::new(&build.region.name, &build.id, verb, member.name()),
        provider: PROVIDER.into(),
        verb: verb.to_owned(),
        place: Settings::of_region(build.region).to_place(),
        lane: lane(&build.region.name),
        inputs: Map::from([
            ("member".into(), member.as_str().into()),
            ("passes".into(), group.health_check.healthy.into()),
        ]),
        timeout_ms: u64::try_from((timeout + OPERATION_MARGIN).as_millis()).unwrap_or(u64::MAX),
    };
    let drain = balancers.iter().map(|balancer| balancer.drain_timeout).max();
    let member = |address: &Address| Member {
        name: address.name().to_owned(),
        resources: vec![address.clone()],
        before: drain.map(|timeout| operation(address, health::DRAIN, timeout)).into_iter().collect(),
        after: [operation(address, health::HEALTH, group.update.health_timeout)]
            .into_iter()
            .chain(drain.map(|timeout| operation(address, health::UNDRAIN, timeout)))
            .collect(),
    };
    Rollout {
        component: build.id.clone(),
        region: build.region.name.clone(),
        canary: group.update.canary,
        max_unavailable: group.update.max_unavailable.max(1),
        on_failure: group.update.on_failure,
        members: members.iter().map(member).collect(),
    }
}
