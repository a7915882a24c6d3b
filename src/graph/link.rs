//! Linking: from components that name each other to resources that refer to each other.

use std::collections::{BTreeMap, BTreeSet};

use standfast_contract::{Address, Component, ComponentId, Expansion, Map, OutputRef, Target, Value};

use super::Graph;

/// Why a blueprint makes no graph.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GraphError {
    #[error("these wait for each other: {}", names(path))]
    Cycle { path: Vec<Address> },
    #[error("these refer to each other's outputs: {}", path.join(" -> "))]
    OutputCycle { path: Vec<String> },
    #[error("{from} refers to `{to}`, which is not in the blueprint")]
    Dangling { from: Address, to: String },
    #[error("{component} has no output `{output}`{}", known(outputs))]
    UnknownOutput { component: ComponentId, output: String, outputs: Vec<String> },
    #[error("two resources have the address {address}")]
    Duplicate { address: Address },
}

impl GraphError {
    /// The components of a circle in its order, the first again as the last; empty for other errors and for a circle
    /// within one component.
    pub fn circle(&self) -> Vec<ComponentId> {
        let mut ids: Vec<ComponentId> = match self {
            GraphError::Cycle { path } => {
                path.iter().filter_map(|address| address.component().parse().ok()).collect()
            }
            GraphError::OutputCycle { path } => {
                // What leads to the circle is not part of it.
                let again = path.last().and_then(|last| path.iter().position(|one| one == last)).unwrap_or(0);
                path[again..].iter().filter_map(|output| output.rsplit_once('.')?.0.parse().ok()).collect()
            }
            _ => Vec::new(),
        };
        ids.dedup();
        // A walk that begins in the middle of a component comes back to it at the end.
        if ids.len() > 1 && ids.first() != ids.last() {
            ids.extend(ids.first().cloned());
        }
        if ids.len() < 3 { Vec::new() } else { ids }
    }
}

fn names(path: &[Address]) -> String {
    path.iter().map(Address::to_string).collect::<Vec<_>>().join(" -> ")
}

fn known(outputs: &[String]) -> String {
    if outputs.is_empty() { String::new() } else { format!("; it has {}", outputs.join(", ")) }
}

pub fn build(parts: Vec<(&Component, Expansion)>) -> Result<Graph, GraphError> {
    let declared: BTreeMap<ComponentId, Map> =
        parts.iter().map(|(component, part)| (component.id(), part.outputs.clone())).collect();
    let mut outputs = BTreeMap::new();
    for (id, map) in &declared {
        let mut linked = Map::new();
        for (name, value) in map {
            let mut walk = Walk { declared: &declared, path: vec![format!("{id}.{name}")] };
            linked.insert(name.clone(), walk.link(value.clone())?);
        }
        outputs.insert(id.clone(), linked);
    }
    let mut graph = Graph { outputs, ..Graph::default() };
    let mut component_edges = BTreeMap::new();
    for (component, part) in parts {
        let common = component.common();
        component_edges.insert(component.id(), common.depends_on.clone());
        for mut resource in part.resources {
            let mut implied = BTreeSet::new();
            for value in resource.inputs.values() {
                value.for_each_reference(&mut |reference| {
                    if let Target::Component(of) = &reference.of {
                        implied.insert(of.clone());
                    }
                });
            }
            if !implied.is_empty() {
                let inputs = std::mem::take(&mut resource.inputs);
                resource.inputs = inputs
                    .into_iter()
                    .map(|(key, value)| Ok((key, look_up(value, &graph.outputs)?)))
                    .collect::<Result<_, GraphError>>()?;
            }
            graph.resources.push(resource);
        }
        graph.rollouts.extend(part.rollouts);
        graph.probes.extend(part.probes);
    }
    graph.connect(&component_edges)?;
    Ok(graph)
}

/// Puts the linked value in the place of each component reference.
fn look_up(value: Value, outputs: &BTreeMap<ComponentId, Map>) -> Result<Value, GraphError> {
    value.replace_references(&mut |reference| match &reference.of {
        Target::Component(of) => output_of(outputs, of, &reference.output).map(|value| Some(value.clone())),
        Target::Resource(_) => Ok(None),
    })
}

fn output_of<'a>(
    outputs: &'a BTreeMap<ComponentId, Map>,
    of: &ComponentId,
    output: &str,
) -> Result<&'a Value, GraphError> {
    let map = outputs.get(of);
    map.and_then(|map| map.get(output)).ok_or_else(|| GraphError::UnknownOutput {
        component: of.clone(),
        output: output.to_owned(),
        outputs: map.into_iter().flat_map(|map| map.keys().cloned()).collect(),
    })
}

/// Follows outputs that are made of other components' outputs.
struct Walk<'a> {
    declared: &'a BTreeMap<ComponentId, Map>,
    path: Vec<String>,
}

impl Walk<'_> {
    fn link(&mut self, value: Value) -> Result<Value, GraphError> {
        value.replace_references(&mut |reference: &OutputRef| {
            let Target::Component(of) = &reference.of else { return Ok(None) };
            let step = format!("{of}.{}", reference.output);
            let again = self.path.contains(&step);
            self.path.push(step);
            if again {
                return Err(GraphError::OutputCycle { path: self.path.clone() });
            }
            let linked = self.link(output_of(self.declared, of, &reference.output)?.clone())?;
            self.path.pop();
            Ok(Some(linked))
        })
    }
}
