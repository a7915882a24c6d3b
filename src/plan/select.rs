//! `--target` and `--exclude`: which resources a plan may touch.

use std::collections::{HashMap, HashSet};

use standfast_contract::Address;

use super::recorded::Recorded;
use crate::graph::Graph;

/// What was asked for. Empty selects everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    pub targets: Vec<String>,
    pub excludes: Vec<String>,
}

/// What came of it.
pub struct Selected {
    wanted: Vec<bool>,
    /// Recorded resources that may be deleted; `None` where all may.
    recorded: Option<HashSet<Address>>,
}

impl Selected {
    pub fn wants(&self, position: u32) -> bool {
        self.wanted.get(position as usize).copied().unwrap_or(true)
    }

    /// For what no record knows: only a plan of everything touches it.
    pub fn may_delete_unrecorded(&self) -> bool {
        self.recorded.is_none()
    }

    pub fn may_delete(&self, address: &Address) -> bool {
        self.recorded.as_ref().is_none_or(|set| set.contains(address))
    }
}

/// The first selector that names nothing, neither wanted nor recorded.
pub fn unknown<'a>(
    mut selectors: impl Iterator<Item = &'a String>,
    graph: &Graph,
    recorded: &[Recorded],
) -> Option<&'a str> {
    let names = |selector: &str| {
        graph.resources.iter().any(|resource| resource.address.matches(selector))
            || recorded.iter().any(|record| record.address.matches(selector))
    };
    selectors.find(|selector| !names(selector)).map(String::as_str)
}

impl Selection {
    pub fn is_everything(&self) -> bool {
        self.targets.is_empty() && self.excludes.is_empty()
    }

    pub fn selectors(&self) -> impl Iterator<Item = &String> {
        self.targets.iter().chain(&self.excludes)
    }

    /// Targets take with them what they depend on, exclusions what depends on them. For deletions it is the other
    /// way round: what depends on a thing must go before it.
    pub fn over(&self, graph: &Graph, recorded: &[Recorded]) -> Selected {
        if self.is_everything() {
            return Selected { wanted: Vec::new(), recorded: None };
        }
        let named =
            |selectors: &[String], address: &Address| selectors.iter().any(|one| address.matches(one));
        let count = graph.len();
        let mut wanted: Vec<bool> = graph
            .resources
            .iter()
            .map(|resource| self.targets.is_empty() || named(&self.targets, &resource.address))
            .collect();
        // Dependencies come first in the graph's order, so that one pass each way is enough.
        for position in (0..count).rev() {
            if wanted[position] {
                for edge in graph.dependencies(position as u32) {
                    wanted[edge.to as usize] = true;
                }
            }
        }
        let mut excluded = vec![false; count];
        for position in 0..count {
            excluded[position] = named(&self.excludes, &graph.resources[position].address)
                || graph
                    .dependencies(position as u32)
                    .iter()
                    .any(|edge| !edge.soft && excluded[edge.to as usize]);
            wanted[position] &= !excluded[position];
        }
        Selected { wanted, recorded: Some(self.deletable(recorded)) }
    }

    /// What an exclusion keeps it keeps with all that it stands on, whatever else was asked for.
    fn deletable(&self, recorded: &[Recorded]) -> HashSet<Address> {
        let mut needs: HashMap<&Address, Vec<&Address>> = HashMap::new();
        let mut dependants: HashMap<&Address, Vec<&Address>> = HashMap::new();
        for record in recorded {
            for dependency in &record.dependencies {
                dependants.entry(dependency).or_default().push(&record.address);
                needs.entry(&record.address).or_default().push(dependency);
            }
        }
        let named =
            |selectors: &[String], address: &Address| selectors.iter().any(|one| address.matches(one));
        let addresses = || recorded.iter().map(|record| &record.address);
        let kept = closure(addresses().filter(|one| named(&self.excludes, one)), &needs);
        let wanted = addresses().filter(|one| self.targets.is_empty() || named(&self.targets, one));
        closure(wanted, &dependants).difference(&kept).map(|address| (*address).clone()).collect()
    }
}

/// These and all that is reached from them.
fn closure<'a>(
    from: impl Iterator<Item = &'a Address>,
    edges: &HashMap<&'a Address, Vec<&'a Address>>,
) -> HashSet<&'a Address> {
    let mut queue: Vec<&Address> = from.collect();
    let mut found = HashSet::new();
    while let Some(address) = queue.pop() {
        if found.insert(address) {
            queue.extend(edges.get(address).into_iter().flatten());
        }
    }
    found
}
