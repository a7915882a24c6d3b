//! What resources are known to have put out, for what refers to them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use standfast_contract::{
    Address, ComponentId, Map, OutputRef, Target, Value, Vault, secret::SecretError, value::resolve_map,
};

use crate::plan::recorded::Recorded;

/// Outputs, and inputs where no output has the name.
#[derive(Default)]
pub struct Outputs {
    known: HashMap<Address, (Arc<Map>, Arc<Map>)>,
}

impl Outputs {
    pub fn from_records<'a>(records: impl Iterator<Item = &'a Recorded>) -> Self {
        let known = records
            .filter(|record| record.deposed.is_empty())
            .map(|record| {
                let payload = &record.payload;
                (record.address.clone(), (Arc::clone(&payload.outputs), Arc::clone(&payload.inputs)))
            })
            .collect();
        Outputs { known }
    }

    pub fn put(&mut self, address: &Address, outputs: Map, inputs: Map) {
        self.known.insert(address.clone(), (Arc::new(outputs), Arc::new(inputs)));
    }

    pub fn remove(&mut self, address: &Address) {
        self.known.remove(address);
    }

    pub fn get(&self, reference: &OutputRef) -> Option<Value> {
        let Target::Resource(address) = &reference.of else { return None };
        let (outputs, inputs) = self.known.get(address)?;
        outputs.get(&reference.output).or_else(|| inputs.get(&reference.output)).cloned()
    }

    pub fn resolve(&self, map: &Map, vault: &Vault) -> Result<Map, SecretError> {
        resolve_map(map, &|reference| self.get(reference), vault)
    }

    /// The components' own outputs, as far as they are known.
    pub fn of_components(
        &self,
        wanted: &BTreeMap<ComponentId, Map>,
        vault: &Vault,
    ) -> Result<BTreeMap<ComponentId, Map>, SecretError> {
        wanted.iter().map(|(id, map)| Ok((id.clone(), self.resolve(map, vault)?))).collect()
    }
}
