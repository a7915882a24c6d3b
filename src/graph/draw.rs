//! The graph as a picture: DOT for graphviz, mermaid for a page of markdown, and SVG drawn here.
//!
//! All three draw the same [`Picture`]: resources in the boxes of their components, components in those of their
//! regions, in an order that depends on names alone. An arrow points at what is needed first; a dashed one is order
//! only: a failure there holds nothing up.

mod dot;
mod layout;
mod mermaid;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use super::Graph;

/// What gets a node of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Resources,
    Components,
}

/// For graphviz: `standfast graph | dot -Tpng`.
pub fn dot(graph: &Graph, level: Level) -> String {
    dot::write(&Picture::of(graph, level))
}

/// For a `mermaid` block in markdown.
pub fn mermaid(graph: &Graph, level: Level) -> String {
    mermaid::write(&Picture::of(graph, level))
}

/// One SVG, light or dark as its reader likes it.
pub fn svg(graph: &Graph, level: Level) -> String {
    svg::write(&Picture::of(graph, level))
}

/// What is drawn.
struct Picture<'a> {
    level: Level,
    /// Components, those of a region together.
    groups: Vec<Group<'a>>,
    /// Resources, those of a component together.
    nodes: Vec<Node<'a>>,
    /// Between nodes, sorted.
    links: Vec<Link>,
    /// Between groups, each once, none from a group to itself.
    group_links: Vec<Link>,
}

struct Group<'a> {
    region: &'a str,
    component: &'a str,
    /// Its nodes are these; they follow each other.
    nodes: std::ops::Range<usize>,
    /// The hosts or APIs that its resources are on.
    lanes: BTreeSet<&'a str>,
}

struct Node<'a> {
    address: &'a str,
    kind: &'a str,
    name: &'a str,
    lane: &'a str,
    group: usize,
}

/// `from` needs `to`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Link {
    from: usize,
    to: usize,
    soft: bool,
}

impl<'a> Picture<'a> {
    fn of(graph: &'a Graph, level: Level) -> Self {
        let mut order: Vec<usize> = (0..graph.len()).collect();
        let key = |at: &usize| {
            let address = &graph.resources[*at].address;
            (address.region(), address.component(), address.as_str())
        };
        order.sort_by(|a, b| key(a).cmp(&key(b)));
        let mut place = vec![0; order.len()];
        let mut nodes: Vec<Node<'a>> = Vec::with_capacity(order.len());
        let mut groups: Vec<Group<'a>> = Vec::new();
        for &at in &order {
            let resource = &graph.resources[at];
            let (region, component) = (resource.address.region(), resource.address.component());
            if groups.last().is_none_or(|group| (group.region, group.component) != (region, component)) {
                let nodes = nodes.len()..nodes.len();
                groups.push(Group { region, component, nodes, lanes: BTreeSet::new() });
            }
            place[at] = nodes.len();
            nodes.push(Node {
                address: resource.address.as_str(),
                kind: &resource.kind,
                name: resource.address.name(),
                lane: &resource.lane,
                group: groups.len() - 1,
            });
            if let Some(group) = groups.last_mut() {
                group.nodes.end = nodes.len();
                group.lanes.insert(&resource.lane);
            }
        }
        let mut links = Vec::new();
        // Of two links between the same groups one that holds up stands for both.
        let mut between: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        for (at, &from) in place.iter().enumerate() {
            for edge in graph.dependencies(at as u32) {
                let link = Link { from, to: place[edge.to as usize], soft: edge.soft };
                let ends = (nodes[link.from].group, nodes[link.to].group);
                if ends.0 != ends.1 {
                    let soft = between.entry(ends).or_insert(true);
                    *soft &= link.soft;
                }
                links.push(link);
            }
        }
        links.sort_unstable();
        let group_links = between.into_iter().map(|((from, to), soft)| Link { from, to, soft }).collect();
        Picture { level, groups, nodes, links, group_links }
    }

    /// The links between resources of one component.
    fn links_inside(&self, group: usize) -> impl Iterator<Item = Link> {
        let nodes = &self.groups[group].nodes;
        let start = self.links.partition_point(|link| link.from < nodes.start);
        let end = self.links.partition_point(|link| link.from < nodes.end);
        self.links[start..end].iter().copied().filter(|link| nodes.contains(&link.to))
    }

    /// Regions in order, each with its groups.
    fn regions(&self) -> Vec<(&'a str, Vec<usize>)> {
        let mut regions: Vec<(&str, Vec<usize>)> = Vec::new();
        for (at, group) in self.groups.iter().enumerate() {
            match regions.last_mut() {
                Some((name, groups)) if *name == group.region => groups.push(at),
                _ => regions.push((group.region, vec![at])),
            }
        }
        regions
    }
}

/// The last part of a lane's name: the host of `ssh:home/web1`.
fn lane_label(lane: &str) -> &str {
    lane.rsplit([':', '/']).next().unwrap_or(lane)
}

#[cfg(test)]
mod tests;
