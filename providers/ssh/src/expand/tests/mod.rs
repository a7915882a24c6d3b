//! What components become, as snapshots: the list of resources, and each text that an operator would read on a host.

mod balancers;
mod baselines;
mod groups;
mod live;
mod real;
mod refusals;

use std::fmt::Write as _;

use standfast_contract::{Address, Desired, Expansion, Value};

use super::fixtures::{self, Blueprint};

/// A component of a blueprint, expanded with the shop's answers.
fn expand(blueprint: &Blueprint, id: &str) -> Expansion {
    blueprint.expand(id, &fixtures::answers()).unwrap()
}

/// The resources of one host, one paragraph each; long texts are left to their own snapshots.
fn listing(expansion: &Expansion, host: &str) -> String {
    let mut text = String::new();
    let own = |resource: &&Desired| resource.place.as_map().unwrap()["host"] == Value::text(host);
    for resource in expansion.resources.iter().filter(own) {
        writeln!(text, "{}", resource.address).unwrap();
        for (name, value) in &resource.inputs {
            match value.as_str() {
                Some(long) if long.contains('\n') && long.len() > 80 => {
                    writeln!(text, "    {name}: ({} lines)", long.lines().count()).unwrap();
                }
                _ => writeln!(text, "    {name}: {value}").unwrap(),
            }
        }
        for after in &resource.after {
            writeln!(text, "    after {after}").unwrap();
        }
        for followed in &resource.follows {
            writeln!(text, "    follows {followed}").unwrap();
        }
    }
    text
}

/// The rollout's order and operations.
fn rollout(expansion: &Expansion) -> String {
    let mut text = String::new();
    for rollout in &expansion.rollouts {
        writeln!(
            text,
            "{} in {}: canary {}, max_unavailable {}, {:?}",
            rollout.component, rollout.region, rollout.canary, rollout.max_unavailable, rollout.on_failure
        )
        .unwrap();
        for member in &rollout.members {
            writeln!(text, "{}: {} resources", member.name, member.resources.len()).unwrap();
            for (when, operations) in [("before", &member.before), ("after", &member.after)] {
                for operation in operations {
                    writeln!(text, "    {when}: {} within {} ms", operation.address, operation.timeout_ms)
                        .unwrap();
                    for (name, value) in &operation.inputs {
                        writeln!(text, "        {name}: {value}").unwrap();
                    }
                }
            }
        }
    }
    text
}

fn resource<'a>(expansion: &'a Expansion, address: &str) -> &'a Desired {
    let address: Address = address.parse().unwrap();
    expansion.resources.iter().find(|one| one.address == address).unwrap_or_else(|| panic!("no {address}"))
}

/// A resource's content, secrets masked.
fn content(expansion: &Expansion, address: &str) -> String {
    resource(expansion, address).inputs["content"].to_string()
}

/// Everything that other resources are told to wait for or refer to exists, and comes first.
fn is_in_order(expansion: &Expansion) {
    let mut made: Vec<&Address> = Vec::new();
    for resource in &expansion.resources {
        let mut needed: Vec<Address> = resource.after.clone();
        for value in resource.inputs.values() {
            value.for_each_reference(&mut |reference| match &reference.of {
                standfast_contract::Target::Resource(address) => needed.push(address.clone()),
                standfast_contract::Target::Component(component) => panic!("a reference to {component}"),
            });
        }
        let component = resource.address.component();
        for address in needed.iter().filter(|address| address.component() == component) {
            assert!(made.contains(&address), "{} before {address}", resource.address);
        }
        assert!(!made.contains(&&resource.address), "two resources are called {}", resource.address);
        resource.address.as_str().parse::<Address>().unwrap();
        made.push(&resource.address);
    }
}
