//! Expansions as snapshots, and the problems of what cannot be built.

use std::fmt::Write;

use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ExpandRequest, Expansion, Map, Problem, Region, Stack, Value,
    component::{Common, Monitoring, Nat, Network, SimWorld, SshAccess, Zone},
};

use super::{ask, expand};
use crate::look_up::{VPC, ZONES};

pub(super) fn region() -> Region {
    let zone = |name: &str| Zone { name: name.into(), hosts: vec![] };
    Region {
        name: "refuge".into(),
        provider: "aws".into(),
        location: Some("eu-west-1".into()),
        zones: vec![zone("a"), zone("b"), zone("c")],
        ssh: SshAccess::default(),
        network: None,
        account: None,
        assume_role: None,
        sim: SimWorld::default(),
        tags: Map::new(),
    }
}

pub(super) fn common(name: &str) -> Common {
    Common { name: name.into(), region: "refuge".into(), ..Common::default() }
}

fn network(nat: Nat) -> Network {
    Network { common: common("main"), cidr: "10.20.0.0/16".parse().ok(), nat, existing: None }
}

pub(super) fn expanded(
    region: &Region,
    components: &[Component],
    which: usize,
    answers: &Answers,
) -> Result<Expansion, Vec<Problem>> {
    let stack = Stack { name: "shop".into(), environment: "default".into() };
    let regions = std::slice::from_ref(region);
    expand(
        &ExpandRequest { stack: &stack, region, component: &components[which], components, regions },
        answers,
    )
}

/// Every resource in one line, references by the last part of the address.
pub(super) fn shown(expansion: &Expansion) -> String {
    let mut text = String::new();
    let short = |text: String| text.replace("refuge/networks.main/", "").replace("refuge/", "");
    for resource in &expansion.resources {
        let inputs: Vec<String> = resource
            .inputs
            .iter()
            .map(|(key, value)| format!("{key}: {}", short(value.to_string())))
            .collect();
        let address = short(resource.address.to_string());
        let after: Vec<String> = resource.after.iter().map(|after| short(after.to_string())).collect();
        let after = if after.is_empty() { String::new() } else { format!(" (after {})", after.join(", ")) };
        writeln!(text, "{address} [{}]{after}\n    {}", resource.lane, inputs.join("\n    ")).unwrap();
    }
    for (name, value) in &expansion.outputs {
        writeln!(text, "-> {name} = {}", short(value.to_string())).unwrap();
    }
    text
}

pub(super) fn problems(result: Result<Expansion, Vec<Problem>>) -> String {
    let lines = result.unwrap_err().into_iter().map(|problem| {
        let hint = problem.hint.map(|hint| format!(" | {hint}")).unwrap_or_default();
        format!("{}: {}{hint}", problem.key, problem.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_network_has_three_tiers_in_every_zone_and_a_way_out_of_each() {
    let expansion = expanded(&region(), &[Component::Network(network(Nat::PerZone))], 0, &Answers::default());
    assert_snapshot!(shown(&expansion.unwrap()));
}

#[test]
fn another_number_of_nat_gateways_changes_routes_only() {
    let with = |nat| {
        expanded(&region(), &[Component::Network(network(nat))], 0, &Answers::default()).unwrap().resources
    };
    let (per_zone, single, none) = (with(Nat::PerZone), with(Nat::Single), with(Nat::None));
    for (fewer, count) in [(&single, 1), (&none, 0)] {
        let nats = fewer.iter().filter(|one| one.kind == "nat_gateway").count();
        assert_eq!(nats, count);
        for resource in fewer {
            let before = per_zone.iter().find(|one| one.address == resource.address).unwrap();
            let differs = |key: &String| before.inputs.get(key) != resource.inputs.get(key);
            let keys = before.inputs.keys().filter(|key| differs(key));
            assert!(keys.clone().all(|key| key == "routes"), "{}", resource.address);
        }
    }
}

#[test]
fn a_zone_more_moves_no_subnet() {
    let mut larger = region();
    larger.zones.push(Zone { name: "d".into(), hosts: vec![] });
    let components = [Component::Network(network(Nat::None))];
    let before = expanded(&region(), &components, 0, &Answers::default()).unwrap().resources;
    let after = expanded(&larger, &components, 0, &Answers::default()).unwrap().resources;
    for subnet in before.iter().filter(|one| one.kind == "subnet") {
        assert!(after.contains(subnet), "{}", subnet.address);
    }
}

#[test]
fn subnets_are_apart_and_within_whatever_the_size() {
    for prefix in 16..=22 {
        let cidr: ipnet::Ipv4Net = format!("10.20.0.0/{prefix}").parse().unwrap();
        let tiers = super::network::Tier::ALL;
        let ranges: Vec<_> =
            tiers.iter().flat_map(|tier| (0..6).map(|zone| tier.range(cidr, zone).unwrap())).collect();
        for (at, range) in ranges.iter().enumerate() {
            assert!(cidr.contains(range) && range.prefix_len() <= 28, "{range}");
            assert!(ranges[..at].iter().all(|other| !other.contains(range) && !range.contains(other)));
        }
    }
}

#[test]
fn what_cannot_be_a_network_is_said_at_its_key() {
    let check = |network: Network, region: &Region, answers: &Answers| {
        problems(expanded(region, &[Component::Network(network)], 0, answers))
    };
    let sized = |cidr: &str| Network { cidr: cidr.parse().ok(), ..network(Nat::None) };
    let nothing = Answers::default();
    let nowhere = Region { location: None, ..region() };
    let existing = || Network { existing: Some("vpc-1".into()), ..network(Nat::None) };
    let gone = Answers([(ask(&region(), VPC, "vpc-1"), Value::Null)].into());
    let two =
        Answers([(ask(&region(), ZONES, ""), ["eu-west-1a", "eu-west-1b"].into_iter().collect())].into());
    assert_snapshot!(
        [
            check(sized("10.0.0.0/8"), &region(), &nothing),
            check(sized("10.0.0.0/24"), &region(), &nothing),
            check(sized("fd00::/48"), &region(), &nothing),
            check(network(Nat::None), &nowhere, &nothing),
            check(network(Nat::None), &region(), &two),
            check(existing(), &region(), &nothing),
            check(existing(), &region(), &gone),
        ]
        .join("\n")
    );
}

#[test]
fn what_is_not_built_yet_says_so() {
    let monitoring = Monitoring { common: common("main"), hosts: vec![], notify: vec![], retention: None };
    let result = expanded(&region(), &[Component::Monitoring(monitoring)], 0, &Answers::default());
    assert_snapshot!(problems(result));
}
