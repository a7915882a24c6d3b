//! What each component becomes.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ComponentId, ExpandRequest, Lookup, OutputRef, Provider, Section, Target, Value,
    component::Spot,
};

use crate::common::{answers, estate, expand, group, region, region_with_hosts, shown, sim, stack};

const ARCHIVE: (&str, &str) = ("/releases/shop-1.tar.gz", "d1");

fn one(which: usize) -> String {
    let components = estate();
    let expansion = expand(&region("home"), &components, which, &answers(&[ARCHIVE]));
    let mut text = shown(&expansion.resources);
    for (name, value) in &expansion.outputs {
        text.push_str(&format!("-> {name} = {value}\n"));
    }
    text
}

#[test]
fn network() {
    assert_snapshot!(one(0));
}
#[test]
fn baseline() {
    assert_snapshot!(one(1));
}
#[test]
fn load_balancer() {
    assert_snapshot!(one(2));
}
#[test]
fn autoscaling_group() {
    assert_snapshot!(one(3));
}
#[test]
fn database() {
    assert_snapshot!(one(4));
}
#[test]
fn session_store() {
    assert_snapshot!(one(5));
}
#[test]
fn dns() {
    assert_snapshot!(one(6));
}
#[test]
fn monitoring() {
    assert_snapshot!(one(7));
}
#[test]
fn disaster_recovery() {
    assert_snapshot!(one(8));
}

#[test]
fn members_roll_with_drain_gate_and_undrain() {
    let expansion = expand(&region("home"), &estate(), 3, &answers(&[ARCHIVE]));
    let rollout = &expansion.rollouts[0];
    let mut text = format!("canary {}, {} at a time\n", rollout.canary, rollout.max_unavailable);
    for member in &rollout.members {
        let verbs = |operations: &[standfast_contract::Operation]| {
            let verbs: Vec<_> = operations
                .iter()
                .map(|it| format!("{} within {} ms", it.address.kind(), it.timeout_ms))
                .collect();
            verbs.join(", ")
        };
        text.push_str(&format!(
            "{}: {} | {:?} | {}\n",
            member.name,
            verbs(&member.before),
            member.resources,
            verbs(&member.after)
        ));
    }
    assert_snapshot!(text);
}

#[test]
fn on_hosts_a_member_takes_the_hosts_name_and_zone() {
    let region = region_with_hosts("home", &[("rack-a", &["web1"]), ("rack-b", &["web2", "web3"])]);
    let mut group = group(ARCHIVE.0, 2);
    group.hosts = vec!["web1".into(), "web2".into(), "web3".into()];
    let expansion = expand(&region, &[Component::AutoscalingGroup(group)], 0, &answers(&[ARCHIVE]));
    let members: Vec<_> = expansion
        .resources
        .iter()
        .filter(|resource| resource.kind == "member")
        .map(|it| format!("{} {} {}", it.address.name(), it.inputs["zone"], it.inputs["host"]))
        .collect();
    assert_eq!(members, ["web1 rack-a web1", "web2 rack-b web2"]);
}

#[test]
fn every_reference_points_at_something_that_has_the_output_and_every_attribute_is_in_a_schema() {
    let components = estate();
    let mut resources = Vec::new();
    let mut outputs = BTreeSet::new();
    for which in 0..components.len() {
        let expansion = expand(&region("home"), &components, which, &answers(&[ARCHIVE]));
        outputs.extend(expansion.outputs.keys().map(|name| (components[which].id(), name.clone())));
        resources.extend(expansion.resources);
    }
    let addresses: BTreeSet<_> = resources.iter().map(|resource| &resource.address).collect();
    assert_eq!(addresses.len(), resources.len());
    let sim = sim();
    for resource in &resources {
        let kind = sim.kind(&resource.kind).unwrap();
        for (name, value) in &resource.inputs {
            let attribute = kind.attribute(name).unwrap_or_else(|| panic!("{}: {name}", resource.address));
            assert!(!attribute.computed, "{name}");
            value.for_each_reference(&mut |OutputRef { of, output }| match of {
                Target::Resource(address) => {
                    assert!(addresses.contains(address), "{address} of {}", resource.address);
                    assert!(sim.kind(address.kind()).unwrap().attribute(output).unwrap().computed);
                }
                Target::Component(id) => {
                    assert!(outputs.contains(&(id.clone(), output.clone())), "{id}.{output}")
                }
            });
        }
        for attribute in kind.attributes.iter().filter(|attribute| attribute.required) {
            assert!(resource.inputs.contains_key(attribute.name), "{}: {}", resource.address, attribute.name);
        }
        assert!(resource.after.iter().all(|address| addresses.contains(address)));
    }
}

#[test]
fn a_new_release_changes_the_members_and_nothing_else() {
    let components = estate();
    let before = expand(&region("home"), &components, 3, &answers(&[ARCHIVE]));
    let after = expand(&region("home"), &components, 3, &answers(&[(ARCHIVE.0, "d2")]));
    let changed: Vec<_> = before
        .resources
        .iter()
        .zip(&after.resources)
        .filter(|(before, after)| before != after)
        .map(|(before, _)| before.kind.as_str())
        .collect();
    assert_eq!(changed, ["member"; 3]);
}

fn try_expand(region: &standfast_contract::Region, components: &[Component], which: usize) -> Vec<String> {
    let regions = [region.clone()];
    let stack = stack();
    let request =
        ExpandRequest { stack: &stack, region, component: &components[which], components, regions: &regions };
    let problems = sim().expand(&request, &Answers::default()).unwrap_err();
    problems
        .into_iter()
        .map(|problem| format!("{} {}: {}", problem.component, problem.key, problem.message))
        .collect()
}

#[test]
fn what_cannot_be_done_is_said_at_its_key() {
    let mut components = estate();
    if let Component::AutoscalingGroup(group) = &mut components[3] {
        group.common.region = "refuge".into();
    }
    let home = region("home");
    let problems = try_expand(&home, &components, 2);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("load_balancers.front listeners[1].routes[0].to: "), "{problems:?}");
    assert_eq!(
        try_expand(&home, &components, 8),
        ["disaster_recovery.main into: there is no region `refuge`"]
    );
    assert_eq!(
        try_expand(&home, &components, 3),
        ["autoscaling_groups.web workload.release: the content of `/releases/shop-1.tar.gz` is not known"]
    );
    if let Component::AutoscalingGroup(group) = &mut components[3] {
        group.common.region = "home".into();
        group.spot = Some(Spot { share: 50, base: 0 });
    }
    assert!(
        try_expand(&home, &components, 3).contains(
            &"autoscaling_groups.web spot: the simulated world has no `spot`; remove it".to_owned()
        )
    );
    let mut bare = home;
    bare.zones.clear();
    assert!(try_expand(&bare, &components, 4)[0].contains("no zone is known of region `home`"));
}

#[test]
fn zones_are_looked_up_where_the_blueprint_names_none() {
    let components = estate();
    let mut bare = region("home");
    bare.zones.clear();
    let regions = [bare.clone()];
    let stack = stack();
    let request = ExpandRequest {
        stack: &stack,
        region: &bare,
        component: &components[3],
        components: &components,
        regions: &regions,
    };
    let lookups = sim().lookups(&request);
    let zones = Lookup::Provider { region: "home".into(), question: "zones".into(), subject: String::new() };
    let archive = Lookup::File { path: ARCHIVE.0.into() };
    assert_eq!(lookups, [archive, zones.clone()]);
    let mut answers = answers(&[ARCHIVE]);
    answers.0.insert(zones, ["x", "y"].into_iter().collect::<Value>());
    let expansion = expand(&bare, &components, 3, &answers);
    let zones: Vec<_> =
        expansion.resources.iter().filter_map(|it| it.inputs.get("zone")).map(ToString::to_string).collect();
    assert_eq!(zones, ["x", "y", "x"]);
}

#[test]
fn layers_refer_to_the_layer_below() {
    let nodes = standfast_sim::layered(7, 3, &region("home"));
    let below: Vec<_> = nodes
        .iter()
        .map(|node| match node.inputs.get("below") {
            Some(Value::Output(reference)) => match &reference.of {
                Target::Resource(address) => address.name().to_owned(),
                Target::Component(component) => component.to_string(),
            },
            _ => String::new(),
        })
        .collect();
    assert_eq!(below, ["", "", "", "n000000", "n000001", "n000002", "n000003"]);
    assert_eq!(nodes[6].inputs.len(), 6);
    let id = ComponentId::new(Section::Baselines, "layered");
    assert!(nodes.iter().all(|node| node.address.component() == id.to_string()));
}
