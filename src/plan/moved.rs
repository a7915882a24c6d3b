//! `moved`: another name for what is recorded, without destroying it.

use std::collections::HashMap;

use standfast_contract::Address;

use super::recorded::Recorded;

/// One renaming: whole addresses, or `SECTION.NAME` (with or without a region) for all of a component's resources.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    pub from: String,
    pub to: String,
}

/// Renames records; gives new address to old. A move whose target is recorded already has been made before.
pub fn rename(recorded: &mut [Recorded], moves: &[Move]) -> HashMap<Address, Address> {
    let taken: std::collections::HashSet<Address> =
        recorded.iter().map(|record| record.address.clone()).collect();
    let mut renamed: HashMap<Address, Address> = HashMap::new();
    for record in recorded.iter_mut() {
        let new =
            moves.iter().find_map(|one| target(&record.address, one)).filter(|new| !taken.contains(new));
        if let Some(new) = new {
            renamed.insert(new.clone(), std::mem::replace(&mut record.address, new));
        }
    }
    let forward: HashMap<&Address, &Address> = renamed.iter().map(|(new, old)| (old, new)).collect();
    for record in recorded.iter_mut() {
        for dependency in &mut record.dependencies {
            if let Some(new) = forward.get(dependency) {
                *dependency = (*new).clone();
            }
        }
    }
    renamed
}

fn target(address: &Address, one: &Move) -> Option<Address> {
    if address.as_str() == one.from {
        return one.to.parse().ok();
    }
    // `home/load_balancers.front` also names the region; `load_balancers.front` keeps it.
    let (from_region, from) =
        one.from.split_once('/').map_or((None, one.from.as_str()), |(region, rest)| (Some(region), rest));
    let (to_region, to) =
        one.to.split_once('/').map_or((None, one.to.as_str()), |(region, rest)| (Some(region), rest));
    if address.component() != from || from_region.is_some_and(|region| region != address.region()) {
        return None;
    }
    let region = to_region.unwrap_or_else(|| address.region());
    format!("{region}/{to}/{}.{}", address.kind(), address.name()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_moves_with_all_it_has() {
        let one = Move { from: "load_balancers.front".into(), to: "load_balancers.edge".into() };
        let address = "home/load_balancers.front/file.lb1.cfg".parse().unwrap();
        assert_eq!(target(&address, &one).unwrap().as_str(), "home/load_balancers.edge/file.lb1.cfg");
        let other = "home/load_balancers.frontal/file.lb1.cfg".parse().unwrap();
        assert_eq!(target(&other, &one), None);
    }
}
