//! What one component alone cannot know: two of them wanting the same port or address.

use std::{collections::HashMap, net::IpAddr};

use standfast_contract::{Component, ComponentId, Region, Section};

use super::super::{
    diagnostic::{Diagnostic, Sink},
    node::{Node, Span},
};
use super::{addresses, domain};

/// A component with the tree that it was made from.
pub struct Placed<'a> {
    pub component: &'a Component,
    pub node: &'a Node,
    pub key: Span,
}

pub fn conflicts(placed: &[Placed<'_>], regions: &[Region], sink: &Sink) {
    virtual_ips(placed, sink);
    virtual_ips_of_hosts(placed, regions, sink);
    ports(placed, sink);
    regions_of_routes(placed, sink);
    zones(placed, sink);
    networks_apart(placed, regions, sink);
    networks_of_their_own(placed, regions, sink);
}

fn virtual_ips(placed: &[Placed<'_>], sink: &Sink) {
    let mut seen: HashMap<(&str, IpAddr), (&Placed<'_>, Span)> = HashMap::new();
    for one in placed {
        let Component::LoadBalancer(balancer) = one.component else { continue };
        let Some(ip) = balancer.virtual_ip else { continue };
        let span = span_of(one, &["virtual_ip"]);
        if let Some((first, at)) = seen.insert((&balancer.common.region, ip), (one, span)) {
            sink.push(
                Diagnostic::error(span, format!("two load balancers have the virtual IP `{ip}`"))
                    .label(format!("of `{}`", one.component.id()))
                    .related(at, format!("and of `{}`", first.component.id()))
                    .help("give each its own address"),
            );
        }
    }
}

fn virtual_ips_of_hosts(placed: &[Placed<'_>], regions: &[Region], sink: &Sink) {
    let mut addresses: HashMap<(&str, IpAddr), &str> = HashMap::new();
    for region in regions {
        for host in region.hosts() {
            if let Ok(address) = host.address.parse() {
                addresses.insert((&region.name, address), &host.name);
            }
        }
    }
    for one in placed {
        let Component::LoadBalancer(balancer) = one.component else { continue };
        let owner = balancer.virtual_ip.and_then(|ip| addresses.get(&(balancer.common.region.as_str(), ip)));
        if let Some(host) = owner {
            sink.push(
                Diagnostic::error(
                    span_of(one, &["virtual_ip"]),
                    format!("the virtual IP is the address of host `{host}`"),
                )
                .help("choose an address of the same network that no host has"),
            );
        }
    }
}

/// Every port that a component listens on, with its place.
fn listened<'a>(one: &Placed<'a>) -> (&'a [String], Vec<(u16, Span)>) {
    match one.component {
        Component::LoadBalancer(balancer) => {
            let nodes = one.node.get("listeners").and_then(Node::as_list).unwrap_or_default();
            let ports = balancer.listeners.iter().enumerate().map(|(index, listener)| {
                let node = nodes.get(index).and_then(|node| node.get("port"));
                (listener.port, node.map_or(one.key, |node| node.span))
            });
            (&balancer.hosts, ports.collect())
        }
        Component::AutoscalingGroup(group) => (&group.hosts, vec![(group.port, span_of(one, &["port"]))]),
        _ => (&[], Vec::new()),
    }
}

fn ports(placed: &[Placed<'_>], sink: &Sink) {
    let mut seen: HashMap<(&str, &str, u16), (ComponentId, Span)> = HashMap::new();
    for one in placed {
        let (hosts, ports) = listened(one);
        for (port, span) in ports {
            for host in hosts {
                let place = (one.component.common().region.as_str(), host.as_str(), port);
                match seen.get(&place) {
                    Some((first, at)) if *first != one.component.id() => {
                        sink.push(
                            Diagnostic::error(span, format!("port {port} is used twice on host `{host}`"))
                                .label(format!("by `{}`", one.component.id()))
                                .related(*at, format!("and by `{first}`"))
                                .help("use another port, or other hosts"),
                        );
                        break;
                    }
                    _ => {
                        seen.insert(place, (one.component.id(), span));
                    }
                }
            }
        }
    }
}

/// A load balancer serves groups of its own region.
fn regions_of_routes(placed: &[Placed<'_>], sink: &Sink) {
    let regions: HashMap<ComponentId, &str> = placed
        .iter()
        .filter(|one| one.component.section() == Section::AutoscalingGroups)
        .map(|one| (one.component.id(), one.component.common().region.as_str()))
        .collect();
    for one in placed {
        let Component::LoadBalancer(balancer) = one.component else { continue };
        let nodes = one.node.get("listeners").and_then(Node::as_list).unwrap_or_default();
        for (index, listener) in balancer.listeners.iter().enumerate() {
            let node = nodes.get(index);
            let routes = node.and_then(|node| node.get("routes")).and_then(Node::as_list).unwrap_or_default();
            for (at, route) in listener.routes.iter().enumerate() {
                let Some(region) = regions.get(&route.to) else { continue };
                if *region == balancer.common.region {
                    continue;
                }
                let written = routes.get(at).or(node).and_then(|node| node.get("to"));
                let span = written.map_or(one.key, |node| node.span);
                let message = format!(
                    "`{}` is in region `{region}`, and this load balancer in `{}`",
                    route.to, balancer.common.region
                );
                sink.push(
                    Diagnostic::error(span, message)
                        .help("a load balancer serves groups of its own region; join regions with `dns`"),
                );
            }
        }
    }
}

/// Only one of two zones of a name can be the one that its domain is delegated to.
fn zones(placed: &[Placed<'_>], sink: &Sink) {
    let mut seen: HashMap<String, &Placed<'_>> = HashMap::new();
    for one in placed {
        let Component::Dns(dns) = one.component else { continue };
        if let Some(first) = seen.insert(domain::plain(&dns.zone), one) {
            sink.push(
                Diagnostic::error(span_of(one, &["zone"]), format!("the zone `{}` is there twice", dns.zone))
                    .label(format!("of `{}`", one.component.id()))
                    .related(span_of(first, &["zone"]), format!("and of `{}`", first.component.id()))
                    .help("put the records of both into one"),
            );
        }
    }
}

/// Regions that take over from each other may have to be joined one day, and AWS joins no networks that overlap:
/// <https://docs.aws.amazon.com/vpc/latest/peering/invalid-peering-configurations.html>
fn networks_apart(placed: &[Placed<'_>], regions: &[Region], sink: &Sink) {
    let network = |name: &str| {
        let region = regions.iter().find(|region| region.name == name && region.provider == "aws")?;
        let own = placed.iter().find_map(|one| match one.component {
            Component::Network(network) if network.common.region == name => Some(network),
            _ => None,
        });
        own.and_then(|network| network.cidr).or(region.network)
    };
    for one in placed {
        let Component::DisasterRecovery(recovery) = one.component else { continue };
        let (Some(here), Some(there)) = (network(&recovery.from), network(&recovery.into)) else { continue };
        if recovery.from != recovery.into && addresses::overlap(&here, &there) {
            let message = format!(
                "the networks of `{}` ({here}) and `{}` ({there}) overlap",
                recovery.from, recovery.into
            );
            sink.push(
                Diagnostic::warning(span_of(one, &["into"]), message)
                    .label("AWS can never join them")
                    .help("give one of the regions another `network` before anything stands in it"),
            );
        }
    }
}

/// Two networks may have the same addresses, and are hardly meant to. Those of a disaster recovery are told there.
fn networks_of_their_own(placed: &[Placed<'_>], regions: &[Region], sink: &Sink) {
    let networks = placed.iter().filter_map(|one| match one.component {
        Component::Network(network) if network.existing.is_none() => {
            let region = regions.iter().find(|region| region.name == network.common.region)?;
            let cidr = network.cidr.or(region.network).filter(|_| region.provider == "aws")?;
            Some((one, &region.name, cidr))
        }
        _ => None,
    });
    let networks: Vec<_> = networks.collect();
    let is_told = |here: &str, there: &str| {
        placed.iter().any(|one| match one.component {
            Component::DisasterRecovery(it) => [(here, there), (there, here)].contains(&(&it.from, &it.into)),
            _ => false,
        })
    };
    for (at, (one, region, cidr)) in networks.iter().enumerate() {
        for (first, elsewhere, other) in &networks[..at] {
            if !is_told(region, elsewhere) && addresses::overlap(cidr, other) {
                let (first, second) = (first.component.id(), one.component.id());
                sink.push(
                    Diagnostic::warning(
                        span_of(one, &["cidr"]),
                        format!("the networks {first} ({other}) and {second} ({cidr}) overlap"),
                    )
                    .label("AWS can never join them")
                    .help("give one of them another `cidr` before anything stands in it"),
                );
            }
        }
    }
}

fn span_of(one: &Placed<'_>, path: &[&str]) -> Span {
    let found = path.iter().try_fold(one.node, |node, key| node.get(key));
    found.map_or(one.key, |node| node.span)
}
