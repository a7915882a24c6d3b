//! Resources without a blueprint: a shape for benches and tests.

use standfast_contract::{Address, ComponentId, Desired, Lifecycle, Map, OutputRef, Region, Section, Value};

use crate::{expand, settings::Settings};

/// `n` resources in layers of `width`, each with six attributes, one of them the id of a node in the layer below.
///
/// The first layer has nothing below it. Which node is below is mixed, so that layers are no parallel chains.
pub fn layered(n: usize, width: usize, region: &Region) -> Vec<Desired> {
    let width = width.max(1);
    let settings = Settings::of_region(region);
    let place = settings.to_place();
    let component = ComponentId::new(Section::Baselines, "layered");
    let address = |at: usize| Address::new(&region.name, &component, "node", &format!("n{at:06}"));
    let zones: Vec<&str> = region.zones.iter().map(|zone| zone.name.as_str()).collect();
    let mut addresses: Vec<Address> = Vec::with_capacity(n);
    let mut nodes = Vec::with_capacity(n);
    for at in 0..n {
        let (layer, column) = (at / width, at % width);
        let size = i64::try_from(at % 64).unwrap_or(0) + 1;
        let mut inputs = Map::new();
        inputs.insert("name".into(), Value::Text(format!("node {at}")));
        inputs.insert("zone".into(), zones.get(column % zones.len().max(1)).copied().unwrap_or("a").into());
        inputs.insert("size".into(), Value::Int(size << 20));
        inputs.insert("label".into(), Value::Text(format!("layer-{layer}")));
        inputs.insert("weights".into(), [size, size * 2].into_iter().collect());
        if layer > 0 {
            let below = (layer - 1) * width + (column * 7 + 3) % width;
            inputs.insert("below".into(), OutputRef::resource(&addresses[below], "id"));
        }
        let address = address(at);
        addresses.push(address.clone());
        nodes.push(Desired {
            address,
            kind: "node".into(),
            provider: expand::PROVIDER.into(),
            inputs,
            after: Vec::new(),
            follows: Vec::new(),
            place: place.clone(),
            lane: expand::lane(&region.name),
            lifecycle: Lifecycle::default(),
        });
    }
    nodes
}
