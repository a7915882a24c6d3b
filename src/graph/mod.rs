//! The resource graph: what a blueprint becomes, linked and free of cycles.
//!
//! [`Graph::build`] takes the expansions of all components, puts the resource behind every `${component.output}`,
//! collects the edges and refuses cycles with the path by name. petgraph stays private to this module.
//!
//! Deliberately absent: the state, the world, any decision. The diff reads this graph and decides.

mod cycle;
pub mod draw;
pub mod expand;

mod link;
mod local;

use std::collections::{BTreeMap, HashMap, HashSet};

use standfast_contract::{
    Address, Component, ComponentId, Desired, Expansion, Map, OutputRef, Probe, Rollout, Target,
};

pub use link::GraphError;

/// The linked resources in an order in which each comes after what it depends on.
#[derive(Debug, Default)]
pub struct Graph {
    pub resources: Vec<Desired>,
    index: HashMap<Address, u32>,
    /// For each resource the indices of what it depends on, sorted; `follows` edges are marked soft.
    dependencies: Vec<Vec<Edge>>,
    pub outputs: BTreeMap<ComponentId, Map>,
    pub rollouts: Vec<Rollout>,
    pub probes: Vec<Probe>,
}

/// One dependency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Edge {
    pub to: u32,
    /// Order only: a failure there does not hold this one up.
    pub soft: bool,
}

impl Graph {
    /// Links the expansions. `components` gives each component's `depends_on` and lifecycle.
    pub fn build(parts: Vec<(&Component, Expansion)>) -> Result<Graph, GraphError> {
        link::build(parts)
    }

    /// A graph of ready-made resources that refer to resources only: for benches and tests.
    pub fn of_resources(resources: Vec<Desired>) -> Result<Graph, GraphError> {
        let mut graph = Graph { resources, ..Graph::default() };
        graph.connect(&BTreeMap::new())?;
        Ok(graph)
    }

    pub fn len(&self) -> usize {
        self.resources.len()
    }

    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    pub fn position(&self, address: &Address) -> Option<u32> {
        self.index.get(address).copied()
    }

    pub fn dependencies(&self, position: u32) -> &[Edge] {
        &self.dependencies[position as usize]
    }

    /// Indexes, collects edges and sorts; `component_edges` maps a component to those it depends on.
    fn connect(
        &mut self,
        component_edges: &BTreeMap<ComponentId, Vec<ComponentId>>,
    ) -> Result<(), GraphError> {
        self.reindex()?;
        let mut edges = vec![Vec::new(); self.resources.len()];
        for (position, resource) in self.resources.iter().enumerate() {
            let mut missing = None;
            let mut add = |address: &Address, soft: bool| match self.index.get(address) {
                Some(&to) => edges[position].push(Edge { to, soft }),
                None => missing = Some(address.clone()),
            };
            resource.after.iter().for_each(|address| add(address, false));
            resource.follows.iter().for_each(|address| add(address, true));
            for value in resource.inputs.values() {
                value.for_each_reference(&mut |reference: &OutputRef| {
                    if let Target::Resource(address) = &reference.of {
                        add(address, false);
                    }
                });
            }
            if let Some(to) = missing {
                return Err(GraphError::Dangling { from: resource.address.clone(), to: to.to_string() });
            }
        }
        self.connect_components(component_edges, &mut edges);
        for list in &mut edges {
            // A hard edge to the same resource sorts first and stands for both.
            list.sort_unstable();
            list.dedup_by_key(|edge| edge.to);
        }
        let order = cycle::order(&edges).map_err(|positions| GraphError::Cycle {
            path: positions.iter().map(|&at| self.resources[at as usize].address.clone()).collect(),
        })?;
        self.reorder(&order, edges);
        self.reindex()
    }

    /// `depends_on` between components: each resource without a dependency inside its own component waits for each
    /// resource of the other component that nothing inside that component waits for. What the other component itself
    /// stands on comes before it: who lets a group in must know it first.
    fn connect_components(&self, wanted: &BTreeMap<ComponentId, Vec<ComponentId>>, edges: &mut [Vec<Edge>]) {
        if wanted.values().all(Vec::is_empty) {
            return;
        }
        let mut members: HashMap<&str, Vec<u32>> = HashMap::new();
        for (position, resource) in (0u32..).zip(&self.resources) {
            members.entry(resource.address.component()).or_default().push(position);
        }
        let below = |from: u32, component: &str| -> Vec<u32> {
            let of_it = |to: &u32| self.resources[*to as usize].address.component() == component;
            edges[from as usize].iter().map(|edge| edge.to).filter(of_it).collect()
        };
        let mut added = Vec::new();
        for (component, others) in wanted {
            let component = component.to_string();
            let own = || members.get(component.as_str()).into_iter().flatten().copied();
            for other in others {
                let other = other.to_string();
                let Some(others) = members.get(other.as_str()) else { continue };
                let mut first: HashSet<u32> = HashSet::new();
                let mut next: Vec<u32> = others.iter().flat_map(|&from| below(from, &component)).collect();
                while let Some(at) = next.pop() {
                    if first.insert(at) {
                        next.extend(below(at, &component));
                    }
                }
                let is_root = |at: &u32| {
                    !first.contains(at) && below(*at, &component).iter().all(|to| first.contains(to))
                };
                let roots: Vec<u32> = own().filter(is_root).collect();
                let waited_for: HashSet<u32> =
                    others.iter().flat_map(|&from| edges[from as usize].iter().map(|edge| edge.to)).collect();
                let ends = others.iter().copied().filter(|at| !waited_for.contains(at));
                for to in ends {
                    added.extend(roots.iter().map(|&from| (from, Edge { to, soft: false })));
                }
            }
        }
        for (from, edge) in added {
            edges[from as usize].push(edge);
        }
    }

    fn reindex(&mut self) -> Result<(), GraphError> {
        self.index.clear();
        self.index.reserve(self.resources.len());
        for (position, resource) in (0u32..).zip(&self.resources) {
            if self.index.insert(resource.address.clone(), position).is_some() {
                return Err(GraphError::Duplicate { address: resource.address.clone() });
            }
        }
        Ok(())
    }

    fn reorder(&mut self, order: &[u32], mut edges: Vec<Vec<Edge>>) {
        let mut place = vec![0u32; order.len()];
        for (new, &old) in (0u32..).zip(order) {
            place[old as usize] = new;
        }
        let mut resources: Vec<Option<Desired>> =
            std::mem::take(&mut self.resources).into_iter().map(Some).collect();
        self.resources = order.iter().filter_map(|&old| resources[old as usize].take()).collect();
        self.dependencies = order
            .iter()
            .map(|&old| {
                let mut list = std::mem::take(&mut edges[old as usize]);
                for edge in &mut list {
                    edge.to = place[edge.to as usize];
                }
                list.sort_unstable();
                list
            })
            .collect();
    }
}
