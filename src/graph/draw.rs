//! A picture of a blueprint: DOT for graphviz, mermaid for a page of markdown, SVG drawn here, JSON for programs.
//!
//! All four show the same [`Picture`]: either the components and how they use each other, from the blueprint alone, or
//! every resource in the box of its component, from the graph. Components stand in the boxes of their regions, in an
//! order that depends on names alone. An arrow points at what is used, or needed first.

mod dot;
mod estate;
mod json;
mod layout;
mod mermaid;
mod svg;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};

use super::Graph;
use crate::{blueprint::Blueprint, words::count};

/// In a component with more links than this those that others imply are drawn too: finding them would take too long.
const REDUCED_LINKS_MAX: usize = 4000;

/// What gets a node of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    Resources,
    Components,
}

/// What is drawn.
pub struct Picture<'a> {
    level: Level,
    /// What it shows, and what its arrows mean.
    caption: [String; 2],
    /// Components, those of a region together.
    groups: Vec<Group<'a>>,
    /// Resources, those of a component together; none in a picture of components.
    nodes: Vec<Node<'a>>,
    /// Between nodes, sorted; inside a component without those that a longer way implies.
    links: Vec<Link>,
    /// Between groups, each once, none from a group to itself.
    group_links: Vec<Link>,
    /// What a group link is for, by its ends.
    labels: BTreeMap<(usize, usize), String>,
}

struct Group<'a> {
    region: &'a str,
    component: Cow<'a, str>,
    /// Its nodes are these; they follow each other.
    nodes: std::ops::Range<usize>,
    /// What a card says below its name.
    notes: Vec<String>,
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
    /// Order only.
    soft: bool,
}

impl<'a> Picture<'a> {
    /// Components and how they use each other. No provider and no host is asked.
    pub fn of_components(blueprint: &'a Blueprint) -> Self {
        estate::picture(blueprint)
    }

    /// Every resource. A dashed link is order only: a failure there holds nothing up.
    pub fn of_resources(graph: &'a Graph) -> Self {
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
            if groups.last().is_none_or(|group| (group.region, &*group.component) != (region, component)) {
                let nodes = nodes.len()..nodes.len();
                groups.push(Group { region, component: component.into(), nodes, notes: Vec::new() });
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
        let what = format!("{} in {}", count(nodes.len(), "resource"), count(groups.len(), "component"));
        let legend = legend("An arrow points at what is needed first", "is order only", &links);
        let caption = [what, legend];
        let labels = BTreeMap::new();
        let mut picture =
            Picture { level: Level::Resources, caption, groups, nodes, links, group_links, labels };
        picture.drop_implied();
        picture
    }

    /// For graphviz: `standfast graph | dot -Tpng`.
    pub fn dot(&self) -> String {
        dot::write(self)
    }

    /// For a `mermaid` block in markdown.
    pub fn mermaid(&self) -> String {
        mermaid::write(self)
    }

    /// One SVG, light or dark as its reader likes it.
    pub fn svg(&self) -> String {
        svg::write(self)
    }

    /// Nodes and links for a program.
    pub fn json(&self) -> serde_json::Value {
        json::value(self)
    }

    /// `REGION/SECTION.NAME`.
    fn id(&self, group: usize) -> String {
        format!("{}/{}", self.groups[group].region, self.groups[group].component)
    }

    /// The links between resources of one component.
    fn links_inside(&self, group: usize) -> impl Iterator<Item = Link> {
        let nodes = &self.groups[group].nodes;
        let start = self.links.partition_point(|link| link.from < nodes.start);
        let end = self.links.partition_point(|link| link.from < nodes.end);
        self.links[start..end].iter().copied().filter(|link| nodes.contains(&link.to))
    }

    /// Leaves out the links inside components that a longer way implies.
    fn drop_implied(&mut self) {
        let mut implied: HashSet<Link> = HashSet::new();
        for group in 0..self.groups.len() {
            let all: Vec<Link> = self.links_inside(group).collect();
            if all.len() > REDUCED_LINKS_MAX {
                continue;
            }
            let mut needs: HashMap<usize, Vec<usize>> = HashMap::new();
            all.iter().for_each(|link| needs.entry(link.from).or_default().push(link.to));
            implied.extend(all.iter().filter(|link| {
                let others = needs[&link.from].iter().copied().filter(|other| *other != link.to);
                reaches(&needs, others.collect(), link.to)
            }));
        }
        self.links.retain(|link| !implied.contains(link));
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

/// What the arrows mean that there are.
fn legend(solid: &str, dashed: &str, links: &[Link]) -> String {
    match (links.is_empty(), links.iter().any(|link| link.soft)) {
        (true, _) => String::new(),
        (false, false) => format!("{solid}."),
        (false, true) => format!("{solid}; a dashed one {dashed}."),
    }
}

/// Whether any of some nodes needs the goal, directly or not.
fn reaches(needs: &HashMap<usize, Vec<usize>>, mut queue: Vec<usize>, goal: usize) -> bool {
    let mut seen = HashSet::new();
    while let Some(at) = queue.pop() {
        if at == goal {
            return true;
        }
        if seen.insert(at) {
            queue.extend(needs.get(&at).into_iter().flatten());
        }
    }
    false
}

/// The host or API of a lane: `web1` of `ssh:web1@home`.
fn lane_label(lane: &str) -> &str {
    let last = lane.rsplit([':', '/']).next().unwrap_or(lane);
    last.split('@').next().unwrap_or(last)
}

#[cfg(test)]
mod tests;
