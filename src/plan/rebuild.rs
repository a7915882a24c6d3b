//! Records from what is found in the world by its marks, when the state was lost. Pure.
//!
//! What a mark does not tell comes from the blueprint: place, lane, lifecycle, what it stands on. Of what is not in the
//! blueprint only the place is known where it was found.

use std::collections::{BTreeMap, HashSet};

use standfast_contract::{Address, Found, Lifecycle, Value};

use super::{
    observe::Providers,
    recorded::{Payload, Recorded},
};
use crate::graph::Graph;

/// A place that is asked for what stands there.
#[derive(Clone, PartialEq, Debug)]
pub struct Site {
    pub provider: String,
    /// As expanded: secrets by source.
    pub place: Value,
    pub lane: String,
}

/// Every place of the blueprint, each once.
pub fn sites(graph: &Graph) -> Vec<Site> {
    let mut sites = BTreeMap::new();
    for resource in &graph.resources {
        let key = (&resource.provider, resource.place.to_string());
        sites.entry(key).or_insert_with(|| Site {
            provider: resource.provider.clone(),
            place: resource.place.clone(),
            lane: resource.lane.clone(),
        });
    }
    sites.into_values().collect()
}

/// What could be put together, and what could not be known.
#[derive(Default, Debug)]
pub struct Rebuilt {
    pub records: Vec<Recorded>,
    /// Not in the blueprint: the next plan would delete these.
    pub unwanted: Vec<Address>,
    /// Old copies beside a current one, left over from a replacement.
    pub old_copies: Vec<Address>,
    /// With secrets of which no mark tells the text, nor a digest that can still be compared.
    pub with_secrets: Vec<Address>,
}

/// Records for everything found that is not recorded yet.
pub fn rebuild(
    graph: &Graph,
    providers: &Providers,
    recorded: &HashSet<Address>,
    found: Vec<(Site, Found)>,
) -> Rebuilt {
    let mut rebuilt = Rebuilt::default();
    let mut current = HashSet::new();
    // The newest of several copies is the current one; ids grow where there can be several.
    let mut found = found;
    found.sort_by(|(_, a), (_, b)| a.address.cmp(&b.address).then_with(|| b.id.cmp(&a.id)));
    for (site, found) in found {
        if recorded.contains(&found.address) {
            continue;
        }
        let deposed = if current.insert(found.address.clone()) {
            String::new()
        } else {
            rebuilt.old_copies.push(found.address.clone());
            blake3::hash(found.id.as_bytes()).to_hex()[..8].to_owned()
        };
        if found.inputs.values().any(Value::is_sensitive) {
            rebuilt.with_secrets.push(found.address.clone());
        }
        let wanted = graph.position(&found.address);
        let desired = wanted.map(|at| &graph.resources[at as usize]);
        if desired.is_none() {
            rebuilt.unwanted.push(found.address.clone());
        }
        let dependencies = wanted.map_or_else(Vec::new, |at| {
            let edges = graph.dependencies(at).iter();
            edges.map(|edge| graph.resources[edge.to as usize].address.clone()).collect()
        });
        let lifecycle = desired.map_or_else(
            || {
                let kind = providers.kind(&site.provider, &found.kind);
                Lifecycle {
                    prevent_destroy: kind.is_some_and(|kind| kind.holds_data),
                    ..Lifecycle::default()
                }
            },
            |desired| desired.lifecycle.clone(),
        );
        let (place, lane) =
            desired.map_or((site.place, site.lane), |desired| (desired.place.clone(), desired.lane.clone()));
        rebuilt.records.push(Recorded {
            address: found.address,
            deposed,
            kind: found.kind,
            provider: site.provider,
            id: found.id,
            dependencies,
            payload: Payload::new(found.inputs, found.outputs, place, lane, lifecycle),
        });
    }
    rebuilt
}
