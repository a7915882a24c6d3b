//! `moved`: another name for what is recorded, without destroying it.

use std::collections::{HashMap, HashSet};

use standfast_contract::Address;

use super::recorded::Recorded;
use crate::graph::Graph;

/// One renaming: whole addresses, or `SECTION.NAME` (with or without a region) for all of a component's resources.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    pub from: String,
    pub to: String,
}

/// Renames records; gives new address to old. A move whose target is recorded already has been made before.
///
/// What another component has for the one that moves goes along: a load balancer's target group is called after the group.
pub fn rename(recorded: &mut [Recorded], moves: &[Move], wanted: &Graph) -> HashMap<Address, Address> {
    let taken: HashSet<Address> = recorded.iter().map(|record| record.address.clone()).collect();
    let is_wanted = |address: &Address| wanted.position(address).is_some();
    let mut renamed: HashMap<Address, Address> = HashMap::new();
    for record in recorded.iter_mut() {
        let along = |one| along(&record.address, one).filter(is_wanted);
        let new = followed(&record.address, moves, &is_wanted)
            .or_else(|| moves.iter().find_map(along).filter(|_| !is_wanted(&record.address)))
            .filter(|new| !taken.contains(new));
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

/// Where the moves lead, one after the other as far as something is wanted there: what was renamed twice has its last name.
fn followed(address: &Address, moves: &[Move], is_wanted: &impl Fn(&Address) -> bool) -> Option<Address> {
    let mut new: Option<Address> = None;
    for _ in moves {
        let at = new.as_ref().unwrap_or(address);
        if new.is_some() && is_wanted(at) {
            break;
        }
        let Some(next) = moves.iter().find_map(|one| target(at, one)) else { break };
        new = Some(next);
    }
    new
}

fn target(address: &Address, one: &Move) -> Option<Address> {
    if address.as_str() == one.from {
        return one.to.parse().ok();
    }
    let ((from_region, from), (to_region, to)) = (placed(&one.from), placed(&one.to));
    if address.component() != from || from_region.is_some_and(|region| region != address.region()) {
        return None;
    }
    let region = to_region.unwrap_or_else(|| address.region());
    format!("{region}/{to}/{}.{}", address.kind(), address.name()).parse().ok()
}

/// The address of what is called after a component, `load_balancers.front/target_group.web`, with the component's new name.
fn along(address: &Address, one: &Move) -> Option<Address> {
    let ((from_region, from), (_, to)) = (placed(&one.from), placed(&one.to));
    let ((_, from), (_, to)) = (from.split_once('.')?, to.split_once('.')?);
    let parts: Vec<&str> = address.name().split('.').collect();
    if !parts.contains(&from) || from_region.is_some_and(|region| region != address.region()) {
        return None;
    }
    let parts: Vec<&str> = parts.into_iter().map(|part| if part == from { to } else { part }).collect();
    format!("{}/{}/{}.{}", address.region(), address.component(), address.kind(), parts.join("."))
        .parse()
        .ok()
}

/// `home/load_balancers.front` also names the region; `load_balancers.front` keeps it.
fn placed(selector: &str) -> (Option<&str>, &str) {
    selector.split_once('/').map_or((None, selector), |(region, rest)| (Some(region), rest))
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

    #[test]
    fn what_was_renamed_twice_has_its_last_name() {
        let one =
            |from: &str, to: &str| Move { from: format!("databases.{from}"), to: format!("databases.{to}") };
        let moves = [one("a", "b"), one("b", "c")];
        let address = |name: &str| format!("home/databases.{name}/node.main").parse::<Address>().unwrap();
        let led = |from: &str, wanted: &str| {
            followed(&address(from), &moves, &|at: &Address| *at == address(wanted))
        };
        assert_eq!(led("a", "c"), Some(address("c")));
        assert_eq!(led("a", "b"), Some(address("b")));
        assert_eq!(led("b", "c"), Some(address("c")));
        assert_eq!(led("d", "c"), None);
        let swap = [one("a", "b"), one("b", "a")];
        assert_eq!(followed(&address("a"), &swap, &|_| true), Some(address("b")));
    }

    #[test]
    fn what_is_called_after_a_component_goes_along() {
        let one = Move { from: "autoscaling_groups.web".into(), to: "autoscaling_groups.www".into() };
        let new = |address: &str| along(&address.parse().unwrap(), &one).map(|new| new.to_string());
        assert_eq!(
            new("home/load_balancers.front/target_group.web").unwrap(),
            "home/load_balancers.front/target_group.www"
        );
        assert_eq!(
            new("home/monitoring.main/alarm.front.web.latency").unwrap(),
            "home/monitoring.main/alarm.front.www.latency"
        );
        assert_eq!(new("home/load_balancers.front/target_group.web2"), None);
        assert_eq!(new("home/load_balancers.web/listener.80"), None);
    }
}
